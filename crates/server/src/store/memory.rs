//! A disk in memory, for tests and the deterministic world: survives its store, forgets what was not
//! synced when it crashes, and fails on command.
//!
//! Always: what was written after the last sync is gone after [`MemoryDisk::crash`], all of it or up to
//! any number of writes, as on a disk whose power fails. Not here: damage to what was synced.

use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    /// How to take back what was written since the last sync, oldest first.
    unsynced: Vec<Undo>,
    /// Writes and syncs until everything fails; `None` where nothing does.
    fails_in: Option<u64>,
    /// Evidence that a server kept here.
    evidence: Vec<(String, Vec<u8>)>,
}

#[derive(Debug)]
enum Undo {
    Write { offset: usize, before: Vec<u8> },
    Length { before: Vec<u8>, length: usize },
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// The power fails: of the writes since the last sync only the first `kept` are still there. Call it
    /// after the store is gone.
    pub fn crash(&self, kept: usize) {
        let mut content = self.lock();
        while content.unsynced.len() > kept {
            let undo = content.unsynced.pop().expect("longer than kept");
            content.take_back(undo);
        }
        content.unsynced.clear();
        content.fails_in = None;
    }

    /// How many writes were made since the last sync.
    pub fn unsynced(&self) -> usize {
        self.lock().unsynced.len()
    }

    /// Lets so many more writes and syncs succeed, then none.
    pub fn fail_in(&self, operations: u64) {
        self.lock().fails_in = Some(operations);
    }

    /// What servers kept as evidence: names and contents.
    pub fn evidence(&self) -> Vec<(String, Vec<u8>)> {
        self.lock().evidence.clone()
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        self.lock().bytes.len() as u64
    }

    pub(super) fn keep_evidence(&self, name: &str, bytes: &[u8]) {
        self.lock().evidence.push((name.to_owned(), bytes.to_vec()));
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.lock().expect("no panic while the disk is held")
    }
}

impl Content {
    fn take_back(&mut self, undo: Undo) {
        match undo {
            Undo::Write { offset, before } => {
                self.bytes[offset..offset + before.len()].copy_from_slice(&before);
            }
            Undo::Length { before, length } => {
                self.bytes.truncate(length - before.len());
                self.bytes.extend_from_slice(&before);
            }
        }
    }

    fn count(&mut self) -> io::Result<()> {
        match &mut self.fails_in {
            None => Ok(()),
            Some(0) => Err(io::Error::other("the disk fails, as the test wants")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn range(&self, offset: u64, length: usize) -> io::Result<std::ops::Range<usize>> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        match start.checked_add(length) {
            Some(end) if end <= self.bytes.len() => Ok(start..end),
            _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "beyond the end of the disk")),
        }
    }
}

impl StorageBackend for MemoryDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let content = self.lock();
        let range = content.range(offset, out.len())?;
        out.copy_from_slice(&content.bytes[range]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut content = self.lock();
        content.count()?;
        let (length, new) = (content.bytes.len(), usize::try_from(len).map_err(io::Error::other)?);
        let before = content.bytes.get(new..).unwrap_or_default().to_vec();
        content.unsynced.push(Undo::Length { before, length });
        content.bytes.resize(new, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut content = self.lock();
        content.count()?;
        content.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut content = self.lock();
        content.count()?;
        let range = content.range(offset, data.len())?;
        let undo = Undo::Write { offset: range.start, before: content.bytes[range.clone()].to_vec() };
        content.unsynced.push(undo);
        content.bytes[range].copy_from_slice(data);
        Ok(())
    }
}
