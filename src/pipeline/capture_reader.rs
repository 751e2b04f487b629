//! Several capture files as one stream of frames, in the order of their time.

use std::sync::Arc;

use crate::model::{InputCounters, Timestamp};
use crate::source::detect::CompressionDamage;
use crate::source::{CaptureFile, FrameBatch, SourceError};

/// Capture files that are read together. One file is read in its own order; several are merged by time.
pub(super) struct CaptureReader {
    files: Vec<Open>,
}

struct Open {
    file: CaptureFile,
    damage: CompressionDamage,
    /// Frames read ahead, and how many of them were given out; only where there are several files.
    ahead: FrameBatch,
    given: usize,
    ended: bool,
}

impl CaptureReader {
    pub(super) fn new(files: Vec<(CaptureFile, CompressionDamage)>) -> Self {
        let files = files
            .into_iter()
            .map(|(file, damage)| Open { file, damage, ahead: FrameBatch::new(), given: 0, ended: false })
            .collect();
        Self { files }
    }

    /// Fills `batch` with the next frames, all of one file; gives that file's name, or `None` at the end of all.
    ///
    /// # Errors
    /// When a file cannot be read on; the others go on with the next call.
    pub(super) fn next_batch(
        &mut self,
        batch: &mut FrameBatch,
        counters: &mut InputCounters,
    ) -> Result<Option<Arc<str>>, SourceError> {
        if let [only] = self.files.as_mut_slice() {
            if only.ended {
                return Ok(None);
            }
            return match only.file.next_batch(batch, counters) {
                Ok(0) => Ok(only.end(counters)),
                Ok(_) => Ok(Some(Arc::clone(only.file.name()))),
                Err(error) => {
                    only.end(counters);
                    Err(error)
                }
            };
        }
        batch.clear();
        for open in &mut self.files {
            open.read_ahead(counters)?;
        }
        let mut heads: Vec<(Timestamp, usize)> =
            self.files.iter().enumerate().filter_map(|(index, open)| Some((open.head()?, index))).collect();
        heads.sort_unstable();
        let Some(&(_, index)) = heads.first() else { return Ok(None) };
        // As long as this file has the earliest frame; a tie goes to the file that was named first.
        let until = heads.get(1).copied();
        let Some(open) = self.files.get_mut(index) else { return Ok(None) };
        while let Some(frame) = open.ahead.frame(open.given) {
            if until.is_some_and(|until| (frame.at, index) > until) && !batch.is_empty() {
                break;
            }
            batch.push(&frame);
            open.given += 1;
        }
        Ok(Some(Arc::clone(open.file.name())))
    }
}

impl Open {
    fn head(&self) -> Option<Timestamp> {
        self.ahead.frame(self.given).map(|frame| frame.at)
    }

    fn read_ahead(&mut self, counters: &mut InputCounters) -> Result<(), SourceError> {
        if self.ended || self.given < self.ahead.len() {
            return Ok(());
        }
        self.given = 0;
        match self.file.next_batch(&mut self.ahead, counters) {
            Ok(0) => {
                self.end(counters);
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => {
                self.end(counters);
                Err(error)
            }
        }
    }

    fn end(&mut self, counters: &mut InputCounters) -> Option<Arc<str>> {
        self.ended = true;
        self.damage.count(counters);
        None
    }
}
