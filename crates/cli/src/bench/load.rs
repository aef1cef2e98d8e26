//! Submitting trades at a rate and seeing when they become final.
//!
//! Always: a trade is submitted when its moment has come, whether or not earlier ones were answered, so
//! that a slow server makes waiting times long and not trades few; time runs from just before it is first
//! sent until the same server's stream of events has told that it is final. A server that asks to be asked
//! again is, as a home's outbox does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use wattbook_client::api::Stage;
use wattbook_client::events::{Event, Events};
use wattbook_client::http::Servers;
use wattbook_types::{Height, Transaction, TransactionId};

/// The pause before a trade is sent again.
const AGAIN: Duration = Duration::from_millis(100);
/// How long a trade is tried and waited for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A final block, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct SeenBlock {
    /// Encoded size in bytes.
    pub bytes: u64,
    /// How many transactions it has.
    pub transactions: usize,
}

#[derive(Default)]
struct Seen {
    trades: HashMap<TransactionId, Instant>,
    blocks: Vec<SeenBlock>,
}

/// Listens to one server's events for as long as it is kept.
pub struct Listener {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Begins with the first block.
    pub fn start(server: Servers) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = seen.clone();
        let task = tokio::spawn(async move {
            let mut events = Events::new(server, Height::from_number(1));
            loop {
                if let Event::Block(block) = events.next().await {
                    let (at, transactions) = (Instant::now(), block.transactions.len());
                    let mut seen = shared.lock().expect("no panic while it is held");
                    seen.trades.extend(block.transactions.iter().map(|found| (found.id, at)));
                    seen.blocks.push(SeenBlock { bytes: block.bytes, transactions });
                }
            }
        });
        Self { seen, task }
    }

    /// When a trade was seen final.
    pub fn when(&self, id: &TransactionId) -> Option<Instant> {
        self.seen.lock().expect("no panic while it is held").trades.get(id).copied()
    }

    /// All blocks until now, in order.
    pub fn blocks(&self) -> Vec<SeenBlock> {
        self.seen.lock().expect("no panic while it is held").blocks.clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A server that trades are submitted to.
pub struct Target {
    /// Its name.
    pub name: String,
    /// The way to it.
    pub server: Servers,
    /// Its events.
    pub listener: Listener,
}

/// What became of one submission.
pub struct Submission {
    /// The trade.
    pub id: TransactionId,
    /// Which target it went to.
    pub target: usize,
    /// Just before it was first sent.
    pub sent: Instant,
    /// How much later than planned that was.
    pub late: Duration,
    /// When it was answered for.
    pub answered: Option<Instant>,
    /// How often it had to be sent again.
    pub again: u32,
    /// Why it was refused, where it was.
    pub refused: Option<String>,
}

/// Submits trades to targets in turn, so many a second, and waits until all have been answered.
pub async fn submit(trades: Vec<Transaction>, targets: &[Target], rate: u32) -> Vec<Submission> {
    let began = Instant::now();
    let mut running = JoinSet::new();
    for (number, trade) in trades.into_iter().enumerate() {
        let due = began + Duration::from_secs(number as u64) / rate;
        tokio::time::sleep_until(due).await;
        let target = number % targets.len();
        running.spawn(submit_one(trade, target, targets[target].server.clone(), due));
    }
    running.join_all().await
}

async fn submit_one(trade: Transaction, target: usize, server: Servers, due: Instant) -> Submission {
    let sent = Instant::now();
    let (id, late) = (trade.id(), sent.duration_since(due));
    let mut submission = Submission { id, target, sent, late, answered: None, again: 0, refused: None };
    loop {
        match server.submit(&trade).await {
            Ok(status) => {
                submission.answered = Some(Instant::now());
                if let Stage::Refused { reason } = status.stage {
                    submission.refused = Some(reason.code().to_owned());
                }
                return submission;
            }
            Err(error) if error.may_pass() && sent.elapsed() < PATIENCE => {
                submission.again += 1;
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) => {
                submission.refused = Some(error.to_string());
                return submission;
            }
        }
    }
}

/// Waits until every trade was seen final, or patience ends.
pub async fn await_final(submissions: &[Submission], targets: &[Target]) {
    let deadline = Instant::now() + PATIENCE;
    let is_open = |submission: &Submission| {
        submission.refused.is_none() && targets[submission.target].listener.when(&submission.id).is_none()
    };
    while submissions.iter().any(is_open) && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
