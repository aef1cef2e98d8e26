//! What the rest of the server asks of consensus while it runs.
//!
//! Always: usable before, while and after the engine runs; a question asked of an engine that is not
//! there is answered with nothing. Not here: the engine's side, which is `engine::serve`.

use super::{MAX_GOSSIP_BYTES, RealTime};
use tokio::sync::{mpsc, oneshot, watch};
use wattbook_types::{Block, Height, PublicKey};

/// Messages that may wait to be broadcast.
const OUTBOX: usize = 1_024;
/// Questions that may wait for an answer.
const QUESTIONS: usize = 256;

/// A handle to a consensus engine.
#[derive(Clone)]
pub struct Handle {
    gossip: mpsc::Sender<Vec<u8>>,
    questions: mpsc::Sender<Question>,
    status: watch::Receiver<Status>,
}

/// The engine's end of a [`Handle`].
pub struct Inlet {
    pub(super) gossip: mpsc::Receiver<Vec<u8>>,
    pub(super) questions: mpsc::Receiver<Question>,
    pub(super) status: watch::Sender<Status>,
}

/// A handle and the end that [`start`](super::start) takes.
pub fn channel() -> (Handle, Inlet) {
    let (gossip, gossip_end) = mpsc::channel(OUTBOX);
    let (questions, questions_end) = mpsc::channel(QUESTIONS);
    let (status_end, status) = watch::channel(Status::default());
    let handle = Handle { gossip, questions, status };
    (handle, Inlet { gossip: gossip_end, questions: questions_end, status: status_end })
}

/// How the engine stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The running epoch.
    pub epoch: u64,
    /// The running view; its leader may propose.
    pub view: u64,
    /// The running view's leader.
    pub leader: Option<PublicKey>,
    /// The highest block known to be final, whether or not it has arrived here.
    pub tip: Height,
    /// The last final block that is durable here.
    pub durable: Height,
    /// Votes by a server that contradict each other, seen since the start.
    pub contradictions: u64,
    /// When each server was last heard to vote, this one included; servers vote at least once in every
    /// leader timeout. By ascending key.
    pub heard: Vec<(PublicKey, Option<RealTime>)>,
}

/// A certificate and the height that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// The height of the block that the certificate names.
    pub height: Height,
    /// The certificate, as `wattbook_types::finality` reads it.
    pub certificate: Vec<u8>,
}

/// Why a message was not broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Longer than [`MAX_GOSSIP_BYTES`].
    #[error("the message is longer than {MAX_GOSSIP_BYTES} bytes")]
    TooLong,
    /// Too many messages wait already; try again later.
    #[error("too many messages wait to be sent")]
    Busy,
    /// No engine runs.
    #[error("the consensus engine does not run")]
    Stopped,
}

/// What the engine is asked.
pub(super) enum Question {
    Certificate(Height, oneshot::Sender<Option<Certified>>),
    Block(Height, oneshot::Sender<Option<Block>>),
    Metrics(oneshot::Sender<String>),
}

impl Handle {
    /// Sends a message to every other server that is connected: once, without confirmation. What must
    /// arrive is sent again by its owner.
    pub fn broadcast(&self, message: Vec<u8>) -> Result<(), SendError> {
        if message.len() > MAX_GOSSIP_BYTES {
            return Err(SendError::TooLong);
        }
        self.gossip.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Busy,
            mpsc::error::TrySendError::Closed(_) => SendError::Stopped,
        })
    }

    /// The certificate of the final block at a height, or else of the nearest block above that has one
    /// of its own; nothing if none is known yet.
    pub async fn certificate(&self, height: Height) -> Option<Certified> {
        self.ask(|answer| Question::Certificate(height, answer)).await.flatten()
    }

    /// The final block at a height, if it is here.
    pub async fn block(&self, height: Height) -> Option<Block> {
        self.ask(|answer| Question::Block(height, answer)).await.flatten()
    }

    /// The library's own metrics, in Prometheus' text format.
    pub async fn metrics(&self) -> Option<String> {
        self.ask(Question::Metrics).await
    }

    /// How the engine stands.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Changes of the status, to wait for.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        self.questions.send(question(sender)).await.ok()?;
        receiver.await.ok()
    }
}
