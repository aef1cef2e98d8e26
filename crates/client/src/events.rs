//! The servers' stream of final blocks and refusals, without gaps, across lost connections and servers.
//!
//! Always: blocks come in ascending height, each once, none left out, beginning at the height that was
//! asked for; when a server is lost, the next one goes on where it stopped. Refusals are one server's
//! word and are not repeated: who missed one has to ask. Not here: checking that blocks are final (that
//! takes their proofs), and anything that is decided from an event.

mod frames;

use crate::api::{BlockSummary, RefusedEvent};
use crate::http::{Attempt, ClientError, EventAnswer, Servers};
use frames::{Frame, Frames};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;
use wattbook_types::Height;

/// A server sends a comment every five seconds; one that is silent for longer than this is gone.
const SILENCE: Duration = Duration::from_secs(16);
/// How long a server may take to begin its answer.
const OPENING: Duration = Duration::from_secs(5);
/// The wait after the first lost connection; doubles with each that follows.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Something that the stream tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A server answers; what follows comes from it.
    Connected {
        /// Its base address.
        server: String,
    },
    /// The stream is interrupted; it goes on by itself.
    Lost {
        /// Why.
        why: ClientError,
    },
    /// A final block.
    Block(Box<BlockSummary>),
    /// The server gave a transaction up.
    Refused(RefusedEvent),
}

/// The stream. Ask it again and again with [`Events::next`].
pub struct Events {
    servers: Servers,
    next: Height,
    link: Link,
    wait: Duration,
}

enum Link {
    /// Nothing until a moment.
    Resting(Instant),
    /// Asking the servers.
    Opening(BoxFuture<'static, Result<EventAnswer, ClientError>>),
    /// Reading from one.
    Open { answer: Box<EventAnswer>, frames: Frames, ready: VecDeque<Frame> },
}

/// What one step of the link brought.
enum Step {
    Nothing,
    Tell(Event),
}

impl Events {
    /// A stream that begins with the block at a height, as soon as that is final.
    pub fn new(servers: Servers, from: Height) -> Self {
        Self { servers, next: from, link: Link::Resting(Instant::now()), wait: FIRST_WAIT }
    }

    /// Height of the next block that it will bring.
    pub fn next_height(&self) -> Height {
        self.next
    }

    /// Waits for the next event. Never ends; may be dropped and asked again without losing anything.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Step::Tell(event) = self.step().await {
                return event;
            }
        }
    }

    async fn step(&mut self) -> Step {
        match &mut self.link {
            Link::Resting(until) => {
                tokio::time::sleep_until(*until).await;
                let (servers, from) = (self.servers.clone(), self.next);
                self.link = Link::Opening(async move { servers.open_events(from, OPENING).await }.boxed());
                Step::Nothing
            }
            Link::Opening(opening) => match opening.await {
                Ok(answer) => {
                    let server = answer.server.clone();
                    self.link = Link::Open {
                        answer: Box::new(answer),
                        frames: Frames::default(),
                        ready: VecDeque::new(),
                    };
                    Step::Tell(Event::Connected { server })
                }
                Err(why) => self.lose(why),
            },
            Link::Open { answer, frames, ready } => match ready.pop_front() {
                Some(frame) => self.take(frame),
                // Who was believed by old files is believed no longer than his next word.
                None => match read_more(answer, frames, ready).await {
                    Ok(()) if answer.generation != self.servers.generation() => self.reopen(),
                    Ok(()) => Step::Nothing,
                    Err(why) => self.lose(why),
                },
            },
        }
    }

    fn take(&mut self, frame: Frame) -> Step {
        self.wait = FIRST_WAIT;
        match self.read(&frame) {
            Ok(step) => step,
            Err(what) => {
                let server = self.server();
                self.lose(ClientError::MalformedAnswer { server, what })
            }
        }
    }

    fn read(&mut self, frame: &Frame) -> Result<Step, String> {
        match frame.event.as_str() {
            "block" => {
                let block: BlockSummary =
                    serde_json::from_str(&frame.data).map_err(|error| error.to_string())?;
                if block.height < self.next {
                    return Ok(Step::Nothing);
                }
                if block.height > self.next {
                    return Err(format!("block {} came where {} was due", block.height, self.next));
                }
                self.next = block.height.next();
                Ok(Step::Tell(Event::Block(Box::new(block))))
            }
            "refused" => {
                let refused = serde_json::from_str(&frame.data).map_err(|error| error.to_string())?;
                Ok(Step::Tell(Event::Refused(refused)))
            }
            // Later servers may tell more.
            _ => Ok(Step::Nothing),
        }
    }

    fn server(&self) -> String {
        match &self.link {
            Link::Open { answer, .. } => answer.server.clone(),
            _ => String::new(),
        }
    }

    /// Gives the connection up, to go on at once with whoever is believed now.
    fn reopen(&mut self) -> Step {
        self.link = Link::Resting(Instant::now());
        Step::Nothing
    }

    /// Gives the connection up, to go on with the next server a little later.
    fn lose(&mut self, why: ClientError) -> Step {
        self.servers.turn_away_from(&self.server());
        self.link = Link::Resting(Instant::now() + self.wait);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        Step::Tell(Event::Lost { why })
    }
}

async fn read_more(
    answer: &mut EventAnswer,
    frames: &mut Frames,
    ready: &mut VecDeque<Frame>,
) -> Result<(), ClientError> {
    let gone = |why: String| {
        let server = answer.server.clone();
        ClientError::Unreachable { tried: vec![Attempt::new(server, why)] }
    };
    match tokio::time::timeout(SILENCE, answer.response.chunk()).await {
        Ok(Ok(Some(bytes))) => frames.push(&bytes, ready).map_err(|what| {
            let server = answer.server.clone();
            ClientError::MalformedAnswer { server, what }
        }),
        Ok(Ok(None)) => Err(gone("it closed the stream".to_owned())),
        Ok(Err(error)) => {
            Err(ClientError::Unreachable { tried: vec![Attempt::of_error(answer.server.clone(), &error)] })
        }
        Err(_) => Err(gone(format!("silent for {} s", SILENCE.as_secs()))),
    }
}
