//! Content codings: the start of a body as it was meant.
//!
//! Never more than the cap comes out, whatever goes in, and what comes out of an incomplete body is kept as far as it
//! goes. Source: RFC 9110 section 8.4.

use std::io::Read;

use crate::model::Body;

/// A content coding. Source: the IANA HTTP Content Coding Registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// The content codings of a message in the order in which they were applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Codings {
    codings: Vec<Coding>,
    unknown: bool,
}

/// More codings than this on one message are an attack on whoever decodes them.
const CODINGS: usize = 3;

/// A window of more than 8 MiB is refused: no server of error bodies needs it, and a frame may ask for gigabytes.
/// Source: RFC 9659 (the limit for `zstd` on the web).
const ZSTD_WINDOW_LOG: u32 = 23;

impl Codings {
    /// From the values of the `Content-Encoding` field lines.
    pub(crate) fn of<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut codings = Self::default();
        for name in values.flat_map(|value| value.split(|octet| *octet == b',')) {
            let name = name.trim_ascii();
            let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
            let coding = if is(b"gzip") || is(b"x-gzip") {
                Coding::Gzip
            } else if is(b"deflate") {
                Coding::Deflate
            } else if is(b"br") {
                Coding::Brotli
            } else if is(b"zstd") {
                Coding::Zstd
            } else {
                codings.unknown |= !(name.is_empty() || is(b"identity"));
                continue;
            };
            if codings.codings.len() < CODINGS {
                codings.codings.push(coding);
            } else {
                codings.unknown = true;
            }
        }
        codings
    }

    /// Takes the codings off again; `None` where that gives nothing.
    pub(crate) fn decode(&self, octets: Vec<u8>, truncated: bool, cap: usize) -> Option<Body> {
        if self.unknown {
            return None;
        }
        let mut body = Body { octets, truncated };
        for coding in self.codings.iter().rev() {
            let (decoded, whole) = coding.decode(&body.octets, cap);
            if decoded.is_empty() && !body.octets.is_empty() {
                return None;
            }
            body = Body { octets: decoded, truncated: body.truncated || !whole };
        }
        if body.octets.len() > cap {
            body.octets.truncate(cap);
            body.truncated = true;
        }
        Some(body)
    }
}

impl Coding {
    /// What the octets decode to, at most `cap` of it, and whether that is all.
    fn decode(self, octets: &[u8], cap: usize) -> (Vec<u8>, bool) {
        match self {
            // Some servers say gzip and send plain text; clients take it as it is.
            Self::Gzip if !octets.starts_with(&[0x1f, 0x8b]) => (octets.to_vec(), true),
            Self::Gzip => drain(flate2::read::MultiGzDecoder::new(octets), cap),
            Self::Deflate => {
                let (decoded, whole) = drain(flate2::read::ZlibDecoder::new(octets), cap);
                if decoded.is_empty() {
                    // Some servers send raw deflate without the zlib wrapper that the standard asks for.
                    drain(flate2::read::DeflateDecoder::new(octets), cap)
                } else {
                    (decoded, whole)
                }
            }
            Self::Brotli => drain(brotli_decompressor::Decompressor::new(octets, 4096), cap),
            Self::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(octets).and_then(|mut decoder| {
                    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                    Ok(decoder)
                });
                decoder.map_or((Vec::new(), false), |decoder| drain(decoder, cap))
            }
        }
    }
}

/// Reads until the end, the cap or an error.
fn drain(mut decoder: impl Read, cap: usize) -> (Vec<u8>, bool) {
    let mut decoded = Vec::new();
    let mut buffer = [0u8; 4096];
    loop {
        let room = cap.saturating_sub(decoded.len());
        match decoder.read(&mut buffer) {
            Ok(0) => return (decoded, true),
            Ok(read) => {
                let new = buffer.get(..read.min(room)).unwrap_or_default();
                decoded.extend_from_slice(new);
                if read > room {
                    return (decoded, false);
                }
            }
            Err(_) => return (decoded, false),
        }
    }
}
