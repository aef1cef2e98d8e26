//! One writer for the records of all homes of a process: what they write at the same time goes to the disk
//! in one step.
//!
//! Always: `write` returns only when the pieces are on the disk; after a failed write every later one fails
//! and `failed` tells the process to stop. Not here: what is written (`record`).

use crate::record::{Store, StoreError, Write};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// How many writes may wait.
const QUEUE: usize = 256;

struct Job {
    home: String,
    writes: Vec<Write>,
    done: oneshot::Sender<bool>,
}

/// Hands pieces of the record to the writer. Clones share it; it ends when all are gone.
#[derive(Clone, Debug)]
pub struct Recorder {
    jobs: mpsc::Sender<Job>,
    failed: watch::Receiver<Option<String>>,
}

impl Recorder {
    /// Starts the writer on a thread of its own.
    pub fn start(store: Arc<Store>) -> Self {
        let (jobs, receiver) = mpsc::channel(QUEUE);
        let (failure, failed) = watch::channel(None);
        std::thread::spawn(move || write_all(&store, receiver, &failure));
        Self { jobs, failed }
    }

    /// Writes pieces of a home's record.
    ///
    /// # Errors
    /// `Poisoned` where this or an earlier write failed; the process must stop.
    pub async fn write(&self, home: &str, writes: Vec<Write>) -> Result<(), StoreError> {
        if writes.is_empty() {
            return Ok(());
        }
        let (done, written) = oneshot::channel();
        let job = Job { home: home.to_owned(), writes, done };
        self.jobs.send(job).await.map_err(|_| StoreError::Poisoned)?;
        match written.await {
            Ok(true) => Ok(()),
            _ => Err(StoreError::Poisoned),
        }
    }

    /// Returns the reason when a write has failed; never otherwise.
    pub async fn failed(&self) -> String {
        let mut failed = self.failed.clone();
        let reason = match failed.wait_for(Option::is_some).await {
            Ok(reason) => (*reason).clone(),
            Err(_) => None,
        };
        match reason {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }
}

fn write_all(store: &Store, mut jobs: mpsc::Receiver<Job>, failure: &watch::Sender<Option<String>>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut batch = vec![first];
        while let Ok(job) = jobs.try_recv() {
            batch.push(job);
        }
        let pieces = batch.iter_mut().flat_map(|job| {
            let writes = std::mem::take(&mut job.writes);
            let home = job.home.as_str();
            writes.into_iter().map(move |write| (home, write))
        });
        let pieces: Vec<(&str, Write)> = pieces.collect();
        let result = store.commit(&pieces);
        let written = result.is_ok();
        drop(pieces);
        for job in batch {
            // Whoever asked may be gone; the piece is written all the same.
            let _ = job.done.send(written);
        }
        if let Err(error) = result {
            failure.send_replace(Some(error.to_string()));
            return;
        }
    }
}
