//! What an input is, by its content and never by its name.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use super::compression::{self, Compression};
use super::{SourceError, exchange_lines, pcap, pcapng};
use crate::model::InputCounters;

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The classic capture file.
    Pcap,
    /// The block structured capture file.
    Pcapng,
    /// One exchange a line, in JSON.
    ExchangeLines,
}

/// The formats, in the order in which they are tried.
const FORMATS: [Known; 3] = [
    Known { format: Format::Pcap, name: "pcap", is: pcap::is_pcap },
    Known { format: Format::Pcapng, name: "pcapng", is: pcapng::is_pcapng },
    Known { format: Format::ExchangeLines, name: "exchange NDJSON", is: exchange_lines::is_exchange_lines },
];

/// How a format is told by the start of a stream.
struct Known {
    format: Format,
    name: &'static str,
    is: fn(&[u8]) -> bool,
}

/// What is looked at to tell the format: enough for the first lines of a log.
const START: u64 = 64 << 10;
/// A compressed file inside a compressed one is read, a third one is a way to waste time.
const LAYERS: usize = 2;

/// An input whose format is known, from its start.
pub struct Input {
    /// The file, or `-`.
    pub name: Arc<str>,
    /// What it is.
    pub format: Format,
    /// The content, decompressed.
    pub octets: Box<dyn Read + Send>,
    /// Tells after the end whether a compressed stream was broken.
    pub damage: CompressionDamage,
}

/// Whether a compressed stream turned out to be broken; what came before is kept.
#[derive(Debug, Clone, Default)]
pub struct CompressionDamage(pub(super) Vec<Arc<std::sync::atomic::AtomicBool>>);

impl CompressionDamage {
    /// Counts the damage found so far, each only once.
    pub fn count(&self, counters: &mut InputCounters) {
        for found in &self.0 {
            if found.swap(false, std::sync::atomic::Ordering::Relaxed) {
                counters.count(crate::model::Anomaly::FileCompressionDamaged);
            }
        }
    }
}

/// The names of the formats, for messages.
pub fn known_formats() -> String {
    let names: Vec<&str> = FORMATS.iter().map(|known| known.name).collect();
    format!("{}, each also gzip or zstd compressed", names.join(", "))
}

/// Opens a file, or stdin where the path is `-`, and finds out what it is.
///
/// # Errors
/// When it cannot be opened, is a directory, is empty, or is of no known format.
pub fn open(path: &Path) -> Result<Input, SourceError> {
    let name = path.display().to_string();
    if name == "-" {
        return recognize(name, Box::new(io::stdin()));
    }
    let failed = |reason| SourceError::Open { name: name.clone(), reason };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(SourceError::Directory { name });
    }
    recognize(name, Box::new(file))
}

/// Finds out what a stream is.
///
/// # Errors
/// When it cannot be read, is empty, or is of no known format.
pub fn recognize(name: String, mut octets: Box<dyn Read + Send>) -> Result<Input, SourceError> {
    let mut damage = CompressionDamage::default();
    let mut layers = 0;
    loop {
        let start = match start(&mut octets) {
            Ok(start) => start,
            Err(reason) => return Err(SourceError::Read { name, reason }),
        };
        if start.is_empty() && layers == 0 {
            return Err(SourceError::Empty { name, known: known_formats() });
        }
        if let Some(known) = FORMATS.iter().find(|known| (known.is)(&start)) {
            let octets = Box::new(Cursor::new(start).chain(octets));
            return Ok(Input { name: name.into(), format: known.format, octets, damage });
        }
        let Some(compression) = Compression::of(&start).filter(|_| layers < LAYERS) else {
            return Err(SourceError::UnknownFormat { name, known: known_formats() });
        };
        layers += 1;
        let broken = Arc::default();
        damage.0.push(Arc::clone(&broken));
        octets = match compression::open(compression, Box::new(Cursor::new(start).chain(octets)), broken) {
            Ok(opened) => opened,
            Err(reason) => return Err(SourceError::Read { name, reason }),
        };
    }
}

/// The first octets of a stream, up to [`START`].
fn start(octets: &mut Box<dyn Read + Send>) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    octets.take(START).read_to_end(&mut start)?;
    Ok(start)
}
