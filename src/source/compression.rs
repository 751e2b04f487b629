//! Compressed streams, decompressed as they are read: what is held is a window, however much comes out.

use std::io::{self, BufReader, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A compression that is recognized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    /// RFC 1952, of any number of members.
    Gzip,
    /// RFC 8878, of any number of frames.
    Zstd,
}

/// zstd's own default bound on a window, 128 MiB: what `zstd` decompresses without a flag.
const ZSTD_WINDOW_LOG: u32 = 27;
const READ: usize = 64 << 10;

impl Compression {
    /// The compression of a stream that starts so.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            // A frame, or a skippable one, as `pzstd` puts first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// The content of a compressed stream. Where the stream breaks, the content ends and `broken` becomes true.
///
/// # Errors
/// When the decompressor cannot be made.
pub(super) fn open(
    compression: Compression,
    octets: Box<dyn Read + Send>,
    broken: Arc<AtomicBool>,
) -> io::Result<Box<dyn Read + Send>> {
    let octets = BufReader::with_capacity(READ, octets);
    Ok(match compression {
        Compression::Gzip => Box::new(UntilBroken::new(flate2::bufread::MultiGzDecoder::new(octets), broken)),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(octets)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(UntilBroken::new(decoder, broken))
        }
    })
}

/// Ends a broken stream instead of failing, so that what came before counts.
struct UntilBroken<R> {
    octets: R,
    ended: bool,
    broken: Arc<AtomicBool>,
}

impl<R> UntilBroken<R> {
    fn new(octets: R, broken: Arc<AtomicBool>) -> Self {
        Self { octets, ended: false, broken }
    }
}

impl<R: Read> Read for UntilBroken<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        /// What one step may yield: a decompressor that fails in a step keeps that step's output to itself.
        const STEP: usize = 4 << 10;
        if self.ended {
            return Ok(0);
        }
        let step = buffer.len().min(STEP);
        match self.octets.read(buffer.get_mut(..step).unwrap_or_default()) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                self.ended = true;
                self.broken.store(true, Ordering::Relaxed);
                Ok(0)
            }
            outcome => outcome,
        }
    }
}
