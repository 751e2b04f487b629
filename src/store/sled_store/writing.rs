//! Writing through to the disk, and what happens when it fails.

use super::super::checkpoint;
use super::super::database::{self, Changes, Database, Failure};
use super::super::error::StoreError;
use super::super::keys;
use super::super::open::{self, Opened, Ready};
use super::super::point::Resolution;
use super::SledStore;

impl SledStore {
    /// Writes changes and the ones that could not be written before; all or nothing.
    pub(super) fn write(&mut self, changes: Changes) -> Result<(), StoreError> {
        let result = self.try_write(changes);
        match &result {
            Ok(()) => self.failure = None,
            Err(error) => self.failure = Some(error.to_string()),
        }
        result
    }

    pub(super) fn try_write(&mut self, mut changes: Changes) -> Result<(), StoreError> {
        self.ready()?;
        changes.extend(self.unwritten.iter().map(|(key, value)| (key.clone(), value.clone())));
        if changes.is_empty() {
            return Ok(());
        }
        let size =
            changes.iter().map(|(key, value)| value.as_ref().map_or(0, |value| key.len() + value.len())).sum::<usize>();
        self.ask(|database| database.apply(&changes))?;
        self.loaded.live = self.loaded.live.saturating_add(size as u64);
        self.unwritten.clear();
        Ok(())
    }

    /// Makes sure that there is room, and that the database is open.
    pub(super) fn ready(&mut self) -> Result<(), StoreError> {
        let ready = self.check_room().and_then(|()| self.reopen());
        ready.inspect_err(|error| self.failure = Some(error.to_string()))
    }

    /// A write that fails half way leaves the database unusable until it is opened again; better not to begin it.
    pub(super) fn check_room(&self) -> Result<(), StoreError> {
        match database::free_octets(&self.directory) {
            Some(free) if free < self.options.reserve => Err(database::full(&self.directory, self.options.reserve)),
            _ => Ok(()),
        }
    }

    /// Opens the database again after it failed, and writes anew what it may have lost: the series and the outbox. The open
    /// hours are still in memory.
    pub(super) fn reopen(&mut self) -> Result<(), StoreError> {
        if self.database.is_some() {
            return Ok(());
        }
        let Ready { database, generation, loaded, opened } = open::open_or_repair(&self.directory, &self.options)?;
        // The write that failed may have reached the disk all the same. An hour that has chunks there and no write-ahead
        // records was sealed; sealing it once more would count it twice.
        let is_sealed = |start: &u32| {
            let has_chunks = loaded.sealed.get(&Resolution::Tick).is_some_and(|windows| windows.contains(start));
            has_chunks && !loaded.windows.contains_key(start)
        };
        self.loaded.windows.retain(|start, _| !is_sealed(start));
        self.database = Some(database);
        self.generation = generation;
        self.loaded.live = loaded.live;
        self.loaded.alerts = loaded.alerts;
        self.loaded.sealed = loaded.sealed;
        if let Opened::Replaced { moved_to, .. } = opened {
            let moved_to = moved_to.display();
            self.replaced = Some(format!(
                "the database was damaged by an error and is now {moved_to}; a new one has what could be saved"
            ));
        }
        for series in self.loaded.registry.iter() {
            let key = keys::series(series.id);
            self.unwritten.entry(key.to_vec()).or_insert_with(|| Some(series.encode()));
        }
        for (number, alert) in &self.loaded.outbox {
            self.unwritten.entry(keys::outbox(*number).to_vec()).or_insert_with(|| Some(alert.encode()));
        }
        self.unwritten.insert(keys::META.to_vec(), Some(vec![keys::FORMAT]));
        Ok(())
    }

    /// Asks the database; one that fails is closed.
    pub(super) fn ask<T>(&mut self, question: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, StoreError> {
        let result = self.read(question);
        if result.is_err() {
            self.database = None;
        }
        result
    }

    pub(super) fn read<T>(&self, question: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, StoreError> {
        let database = self.database.as_ref().ok_or_else(|| StoreError::Database {
            directory: self.directory.clone(),
            detail: "it is closed after an error".into(),
        })?;
        question(database).map_err(|failure| Database::refused(&self.directory, failure))
    }

    /// Waits for the disk, then writes what was kept back, if the disk has room again.
    pub(super) fn settle(&mut self) -> Result<(), StoreError> {
        self.write(Changes::new())?;
        let result = self.ask(Database::flush);
        match &result {
            Ok(()) => self.note_newest(),
            Err(error) => self.failure = Some(error.to_string()),
        }
        result
    }

    /// Notes up to when all is on the disk.
    fn note_newest(&mut self) {
        let has_ticks = !self.loaded.windows.is_empty()
            || self.loaded.sealed.get(&Resolution::Tick).is_some_and(|windows| !windows.is_empty());
        let newest = self.loaded.newest.filter(|_| has_ticks);
        if newest != self.checkpoint {
            checkpoint::write(&self.directory, newest.and_then(|_| self.loaded.newest()));
            self.checkpoint = newest;
        }
    }
}
