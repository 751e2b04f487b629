//! Capture files of both kinds, frame by frame or block by block, without a copy per frame.
//!
//! Damage is counted and stepped over where something readable follows.

use std::io::Read;
use std::sync::Arc;

use super::SourceError;
use super::batch::{FrameBatch, Record};
use super::pcap::{self, Pcap};
use super::pcapng::Pcapng;
use super::record::Parsed;
use super::window::{READ, Window};
use crate::model::{Anomaly, Frame, InputCounters};

/// A capture file that is being read.
pub struct CaptureFile {
    name: Arc<str>,
    window: Window,
    format: Format,
}

enum Format {
    /// The file header is still to be read.
    Unopened,
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// How far a step came.
enum Step {
    Frame(Record, usize),
    Again,
    MustRead,
    End,
}

impl CaptureFile {
    /// Reads a stream that [`super::detect`] found to be a capture file.
    pub fn new(name: Arc<str>, input: Box<dyn Read + Send>) -> Self {
        Self { name, window: Window::new(input), format: Format::Unopened }
    }

    /// The file's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The next frame, or `None` at the end. Damage goes to `counters`; frames and octets are counted by who decodes them.
    ///
    /// # Errors
    /// When the system cannot read on.
    pub fn next_frame(&mut self, counters: &mut InputCounters) -> Result<Option<Frame<'_>>, SourceError> {
        loop {
            match self.step(counters, true)? {
                Step::Again => {}
                Step::MustRead | Step::End => return Ok(None),
                Step::Frame(record, used) => {
                    let position = self.window.position();
                    self.window.advance(used);
                    return Ok(Some(record.frame(self.window.block(position))));
                }
            }
        }
    }

    /// Fills `batch` with the next frames, about half a mebibyte of them; says how many, 0 at the end. The frames stay where
    /// they were read: the batch takes the block over and gives its old one for the next read.
    ///
    /// # Errors
    /// When the system cannot read on. Frames read before that are in `batch`, and the next call fails again.
    pub fn next_batch(&mut self, batch: &mut FrameBatch, counters: &mut InputCounters) -> Result<usize, SourceError> {
        batch.records.clear();
        // What is read next comes into the memory of the batch, so that one block alone goes through the cache.
        self.window.swap(&mut batch.octets);
        loop {
            // Reading may move the block, so that a batch ends before it.
            match self.step(counters, batch.records.is_empty())? {
                Step::Again => {}
                Step::MustRead | Step::End => break,
                Step::Frame(record, used) => {
                    batch.records.push(record.moved(self.window.position()));
                    self.window.advance(used);
                    if let Format::Pcap(pcap) = &mut self.format {
                        let start = self.window.position();
                        let end = pcap.parse_run(self.window.block(0), start, &mut batch.records);
                        self.window.advance(end - start);
                    }
                }
            }
        }
        self.window.swap(&mut batch.octets);
        Ok(batch.records.len())
    }

    /// Parses what comes next; reads where it must and may.
    fn step(&mut self, counters: &mut InputCounters, may_read: bool) -> Result<Step, SourceError> {
        let ended = self.window.ended();
        let parsed = match &mut self.format {
            Format::Unopened => return self.open(counters),
            Format::Pcap(pcap) => pcap.parse(self.window.octets(), ended),
            Format::Pcapng(pcapng) => pcapng.parse(self.window.octets()),
        };
        Ok(match parsed {
            Parsed::Frame { record, used } => Step::Frame(record, used),
            Parsed::Other(used) => {
                self.window.advance(used);
                Step::Again
            }
            Parsed::DamagedRecord(used) => {
                counters.count(Anomaly::FileRecordDamaged);
                self.window.advance(used);
                Step::Again
            }
            Parsed::Want(_) | Parsed::Lost if !may_read => Step::MustRead,
            Parsed::Want(count) if !ended => {
                self.want(count)?;
                Step::Again
            }
            Parsed::Want(_) => {
                if self.window.octets().is_empty() {
                    return Ok(Step::End);
                }
                // The file ends inside this record, or the record's length is damaged and others follow within it.
                self.window.advance(1);
                let found = self.find_again()?;
                counters.count(match found {
                    Step::Again => Anomaly::FileRecordDamaged,
                    _ => Anomaly::FileCutShort,
                });
                found
            }
            Parsed::Lost => {
                counters.count(Anomaly::FileRecordDamaged);
                self.window.advance(1);
                self.find_again()?
            }
        })
    }

    fn open(&mut self, counters: &mut InputCounters) -> Result<Step, SourceError> {
        self.want(pcap::HEADER)?;
        self.format = match Pcap::open(self.window.octets()) {
            Some(pcap) => {
                self.window.advance(pcap::HEADER);
                Format::Pcap(pcap)
            }
            None if super::pcapng::is_pcapng(self.window.octets()) => Format::Pcapng(Pcapng::default()),
            None => {
                counters.count(Anomaly::FileCutShort);
                return Ok(Step::End);
            }
        };
        Ok(Step::Again)
    }

    /// After damage: goes on where two records in a row look like records, or one that ends with the file.
    fn find_again(&mut self) -> Result<Step, SourceError> {
        loop {
            // Twice the longest plausible record, so that the record behind a candidate of the first half is in view.
            self.want(2 * READ + 64)?;
            let octets = self.window.octets();
            let plausible = |at| match &self.format {
                Format::Unopened => None,
                Format::Pcap(pcap) => pcap.plausible(octets, at),
                Format::Pcapng(pcapng) => pcapng.plausible(octets, at),
            };
            let ended = self.window.ended();
            let reach = if ended { octets.len() } else { octets.len().min(READ) };
            let found = (0..reach).find(|at| {
                plausible(*at).is_some_and(|next| (ended && next == octets.len()) || plausible(next).is_some())
            });
            self.window.advance(found.unwrap_or(reach));
            if found.is_some() {
                return Ok(Step::Again);
            }
            if ended {
                return Ok(Step::End);
            }
        }
    }

    fn want(&mut self, count: usize) -> Result<bool, SourceError> {
        self.window.want(count).map_err(|reason| SourceError::Read { name: self.name.to_string(), reason })
    }
}
