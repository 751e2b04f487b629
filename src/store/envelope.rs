//! The frame of every stored value: version, compression, content, checksum.
//!
//! ```text
//! octet 0   format version, 1
//! octet 1   0: the content as it is; 1: Zstandard
//! …         the content
//! last 4    CRC-32 (IEEE 802.3) of all octets before, little endian
//! ```
//!
//! sled has checksums of its own, for whole pages, and gives up the page; with one here a damaged record costs itself only,
//! and a decoder never works on octets that nobody wrote.

use super::damage::Damage;

const VERSION: u8 = 1;
const PLAIN: u8 = 0;
const ZSTANDARD: u8 = 1;
const CHECKSUM_OCTETS: usize = 4;

/// Below this Zstandard's own frame costs more than it saves.
const LEAST_COMPRESSED: usize = 96;

/// The most that a content may grow to when it is decompressed: one tick of [`super::MAX_SERIES`] series, at most 60 octets
/// each, with room to spare.
const LARGEST_CONTENT: usize = 4 << 20;

/// A little better than the fastest level, at chunks of one or two thousand octets still far below a millisecond.
const COMPRESSION_LEVEL: i32 = 3;

/// Frames a content.
pub(super) fn seal(content: &[u8]) -> Vec<u8> {
    let compressed = (content.len() >= LEAST_COMPRESSED)
        .then(|| zstd::bulk::compress(content, COMPRESSION_LEVEL).ok())
        .flatten()
        .filter(|compressed| compressed.len() < content.len());
    let (kind, body) = compressed.as_deref().map_or((PLAIN, content), |compressed| (ZSTANDARD, compressed));
    let mut record = Vec::with_capacity(body.len() + 2 + CHECKSUM_OCTETS);
    record.extend([VERSION, kind]);
    record.extend_from_slice(body);
    let checksum = crc32fast::hash(&record);
    record.extend_from_slice(&checksum.to_le_bytes());
    record
}

/// The content of a framed record.
pub(super) fn open(record: &[u8]) -> Result<Vec<u8>, Damage> {
    let (framed, checksum) = record.split_last_chunk::<CHECKSUM_OCTETS>().ok_or(Damage::Short)?;
    let [version, kind, body @ ..] = framed else { return Err(Damage::Short) };
    if crc32fast::hash(framed) != u32::from_le_bytes(*checksum) {
        return Err(Damage::Checksum);
    }
    match (*version, *kind) {
        (VERSION, PLAIN) => Ok(body.to_vec()),
        (VERSION, ZSTANDARD) => zstd::bulk::decompress(body, LARGEST_CONTENT.min(capacity(body)))
            .map_err(|_too_large| Damage::Malformed("the content does not decompress")),
        (VERSION, _) => Err(Damage::Malformed("the compression is not known")),
        (version, _) => Err(Damage::Version(version)),
    }
}

/// How large a buffer the frame asks for; what it says is a claim, so the caller bounds it.
fn capacity(body: &[u8]) -> usize {
    zstd::zstd_safe::get_frame_content_size(body)
        .ok()
        .flatten()
        .and_then(|size| usize::try_from(size).ok())
        .unwrap_or(LARGEST_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn contents_come_back(content in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert_eq!(open(&seal(&content)), Ok(content));
        }

        #[test]
        fn arbitrary_octets_never_panic(record in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = open(&record);
        }

        #[test]
        fn a_flipped_bit_is_seen(content in prop::collection::vec(0u8..4, 0..300), at: prop::sample::Index, bit in 0u8..8) {
            let mut record = seal(&content);
            let at = at.index(record.len());
            record[at] ^= 1 << bit;
            prop_assert_eq!(open(&record), Err(Damage::Checksum));
        }
    }

    #[test]
    fn a_bomb_is_not_decompressed() {
        let bomb = zstd::bulk::compress(&vec![0u8; LARGEST_CONTENT + 1], 3).unwrap();
        let mut record = vec![VERSION, ZSTANDARD];
        record.extend(bomb);
        let checksum = crc32fast::hash(&record);
        record.extend(checksum.to_le_bytes());
        assert_eq!(open(&record), Err(Damage::Malformed("the content does not decompress")));
    }
}
