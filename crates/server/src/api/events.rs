//! `/api/v1/events`: final blocks and refusals as they come about (server-sent events).
//!
//! Always: blocks come by ascending height without gaps, whether they are read back or have just become
//! final; each carries its height as id, so that a browser that reconnects goes on where it stopped.
//! Refusals are told once, to who listens then.

use super::params::Params;
use super::problem::{ApiError, Own};
use super::view::ServerEvent;
use super::{Api, blocks, listen};
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::sse::{self, KeepAlive, Sse};
use futures::Stream;
use serde::Serialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Blocks that are read back at once.
const READ_BACK: u64 = 16;
/// After so long without an event a comment is sent: silence means that the server is gone.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long a browser waits before it reconnects.
const RECONNECT: Duration = Duration::from_secs(1);

struct Listener {
    api: Api,
    events: Receiver<ServerEvent>,
    stopping: watch::Receiver<bool>,
    /// Height of the next block to be told.
    next: u64,
    ready: VecDeque<sse::Event>,
    _place: OwnedSemaphorePermit,
}

/// The stream.
pub(super) async fn stream(
    State(api): State<Api>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, ApiError> {
    let params = Params::read(&uri, &["from"])?;
    let place = api.0.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| Own::Overloaded.because("As many listen already as the server serves."))?;
    // Listening begins before the height is read: what becomes final in between is heard.
    let events = api.view().subscribe();
    let seen: Option<u64> = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let from: Option<u64> = params.get("from")?;
    let next = seen.map(|height| height.saturating_add(1)).or(from);
    let next = next.unwrap_or_else(|| api.view().height().next().number());
    let stopping = api.0.stopping.clone();
    let listener = Listener { api, events, stopping, next, ready: VecDeque::new(), _place: place };
    let stream = futures::stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

impl Listener {
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if *self.stopping.borrow() {
                return None;
            }
            if self.next <= self.api.view().height().number() {
                self.read_back().await?;
                continue;
            }
            let heard = tokio::select! {
                heard = self.events.recv() => heard,
                () = listen::stopped(&mut self.stopping) => return None,
            };
            match heard {
                Ok(event) => self.hear(event),
                // Lost blocks are read back; lost refusals are lost.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Reads blocks that are final already; ends the stream where one is not at hand.
    async fn read_back(&mut self) -> Option<()> {
        let from = self.next;
        let blocks = self.api.read(move |view| blocks::summaries(view, Some(from), READ_BACK)).await;
        let last = blocks.last()?.height;
        self.ready.extend(blocks.iter().map(|block| event("block", block).id(block.height.to_string())));
        self.next = last.next().number();
        Some(())
    }

    fn hear(&mut self, heard: ServerEvent) {
        match heard {
            ServerEvent::Block(block) if block.height.number() == self.next => {
                self.next = block.height.next().number();
                self.ready.push_back(event("block", &*block).id(block.height.to_string()));
            }
            // Told already, or after one that was missed, which is read back first.
            ServerEvent::Block(_) => {}
            ServerEvent::Refused(refused) => self.ready.push_back(event("refused", &refused)),
        }
    }
}

fn event(name: &str, value: &impl Serialize) -> sse::Event {
    let data = serde_json::to_string(value).expect("the API's shapes are JSON");
    sse::Event::default().event(name).retry(RECONNECT).data(data)
}
