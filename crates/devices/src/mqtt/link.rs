//! The connection to a broker: made again whenever it breaks, shared by all who reach it alike.
//!
//! Always: what is wanted (filters to listen to, messages to be kept by the broker) stands in a table, and
//! each new connection begins with the whole of it; a message that has not gone out yet is replaced by its
//! successor, so that the table never outgrows its topics. Nobody waits for the broker but the link's own
//! task. A connection that ends in any way makes the broker announce `offline` where `announce` was called.
//! Not here: what messages mean.

use super::broker::Broker;
use crate::driver::Context;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, Packet, PublishOptions, QoS,
};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// The first and the longest pause between two attempts to connect.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// How long the broker may take to acknowledge something.
const ANSWER: Duration = Duration::from_secs(20);
/// Requests that the connection takes on at a time.
const QUEUE: usize = 16;

/// A message as it came.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// What it says.
    pub payload: &'a [u8],
    /// Whether the broker had kept it for those who come later. Then nobody knows how old it is.
    pub retained: bool,
}

/// Somebody who wants messages.
pub trait Listener: Send + Sync {
    /// Takes one in. Must not block.
    fn heard(&self, message: &Message<'_>);
}

/// How the connection stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether there is one.
    pub connected: bool,
    /// Whether the broker has acknowledged all that was wanted so far.
    pub settled: bool,
    /// Why there is none, or what the broker refuses.
    pub trouble: Option<String>,
}

/// A connection to a broker.
pub struct Link {
    inner: Arc<Inner>,
    task: OnceLock<AbortHandle>,
}

struct Inner {
    broker: Broker,
    wanted: Mutex<Wanted>,
    wake: Notify,
    standing: watch::Sender<Standing>,
}

#[derive(Default)]
struct Wanted {
    listeners: Vec<(String, Weak<dyn Listener>)>,
    /// Filters, and whether they are still to be subscribed to.
    filters: BTreeMap<String, bool>,
    /// Messages, and whether they are still to be sent.
    kept: BTreeMap<String, (Vec<u8>, bool)>,
    /// Messages for now alone, still to be sent.
    said: BTreeMap<String, Vec<u8>>,
    /// Where the broker says `offline` for us.
    availability: Option<String>,
}

enum Step {
    Subscribe(String),
    Publish(String, Vec<u8>),
    Say(String, Vec<u8>),
}

impl Link {
    /// The one connection of a context to a broker.
    pub fn of(context: &Context, broker: Broker) -> Arc<Self> {
        context.shared(&broker.key(), || Self::new(broker.clone()))
    }

    /// A connection of its own.
    pub fn new(broker: Broker) -> Self {
        let inner = Inner {
            broker,
            wanted: Mutex::default(),
            wake: Notify::new(),
            standing: watch::Sender::new(Standing::default()),
        };
        let link = Self { inner: Arc::new(inner), task: OnceLock::new() };
        link.start();
        link
    }

    /// Begins connecting, if that has not begun and there is a runtime to do it.
    pub fn start(&self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.task.get_or_init(|| runtime.spawn(Arc::clone(&self.inner).run()).abort_handle());
        }
    }

    /// Has a listener hear what is said under a filter, now or later, until it is dropped.
    pub fn listen<L: Listener + 'static>(&self, filter: &str, listener: &Arc<L>) {
        let listener: Weak<dyn Listener> = Arc::downgrade(listener) as Weak<dyn Listener>;
        self.want(|wanted| {
            wanted.listeners.retain(|(_, listener)| listener.strong_count() > 0);
            wanted.listeners.push((filter.to_owned(), listener));
            wanted.filters.insert(filter.to_owned(), true);
        });
    }

    /// Has the broker keep a message, in place of what it kept under that topic.
    pub fn keep(&self, topic: &str, payload: Vec<u8>) {
        self.want(|wanted| {
            wanted.kept.insert(topic.to_owned(), (payload, true));
        });
    }

    /// Says something once, to those who listen then; the broker keeps nothing of it.
    pub fn say(&self, topic: &str, payload: Vec<u8>) {
        self.want(|wanted| {
            wanted.said.insert(topic.to_owned(), payload);
        });
    }

    /// Says all messages that the broker keeps for us again.
    pub fn say_again(&self) {
        self.want(|wanted| wanted.kept.values_mut().for_each(|(_, due)| *due = true));
    }

    /// Has the broker keep `online` under a topic while there is a connection, and `offline` after. A
    /// connection that there is already is made again, because only its beginning can say so.
    pub fn announce(&self, topic: &str) {
        self.want(|wanted| {
            wanted.availability = Some(topic.to_owned());
            wanted.kept.insert(topic.to_owned(), (b"online".to_vec(), true));
        });
    }

    /// Where the broker is, for people.
    pub fn label(&self) -> String {
        self.inner.broker.label()
    }

    /// How the connection stands, and word when that changes.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.inner.standing.subscribe()
    }

    /// Returns when the broker has acknowledged all that was wanted so far.
    pub async fn settled(&self) {
        self.start();
        // The sender is this link's own.
        let _ = self.standing().wait_for(|standing| standing.connected && standing.settled).await;
    }

    fn want(&self, change: impl FnOnce(&mut Wanted)) {
        let mut wanted = self.inner.wanted();
        change(&mut wanted);
        self.inner.standing.send_if_modified(|standing| std::mem::take(&mut standing.settled));
        drop(wanted);
        self.inner.wake.notify_one();
        self.start();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl Inner {
    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self: Arc<Self>) {
        let mut pause = PAUSE.0;
        loop {
            let Err(reason) = self.connection(&mut pause).await;
            let news =
                self.standing.send_replace(Standing { trouble: Some(reason.clone()), ..Standing::default() });
            if news.connected || news.trouble.as_ref() != Some(&reason) {
                tracing::warn!(broker = self.broker.label(), reason, "no connection to the MQTT broker");
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// One connection, until it ends.
    async fn connection(&self, pause: &mut Duration) -> Result<Infallible, String> {
        let availability = self.wanted().availability.clone();
        let options = self.broker.options(availability.as_deref())?;
        let building = AsyncClient::builder(options).capacity(QUEUE).try_build();
        let (client, mut events) = building.map_err(|error| error.to_string())?;
        while !matches!(poll(&mut events).await?, Event::Incoming(Packet::ConnAck(_))) {}
        *pause = PAUSE.0;
        {
            let mut wanted = self.wanted();
            wanted.filters.values_mut().for_each(|due| *due = true);
            wanted.kept.values_mut().for_each(|(_, due)| *due = true);
            self.standing.send_replace(Standing { connected: true, ..Standing::default() });
        }
        tracing::info!(broker = self.broker.label(), "connected to the MQTT broker");
        tokio::select! {
            ended = self.receive(&mut events) => ended,
            ended = self.send(&client, availability) => ended,
        }
    }

    async fn receive(&self, events: &mut EventLoop) -> Result<Infallible, String> {
        loop {
            let Event::Incoming(Packet::Publish(message)) = poll(events).await? else { continue };
            let Ok(topic) = std::str::from_utf8(&message.topic) else { continue };
            let message = Message { topic, payload: &message.payload, retained: message.retain };
            for listener in self.listeners(topic) {
                listener.heard(&message);
            }
        }
    }

    fn listeners(&self, topic: &str) -> Vec<Arc<dyn Listener>> {
        let wanted = self.wanted();
        let matching = wanted.listeners.iter().filter(|(filter, _)| rumqttc::matches(topic, filter));
        matching.filter_map(|(_, listener)| listener.upgrade()).collect()
    }

    async fn send(&self, client: &AsyncClient, availability: Option<String>) -> Result<Infallible, String> {
        loop {
            if self.wanted().availability != availability {
                return Err("it is made again with a last will".to_owned());
            }
            match self.next_step() {
                Some(step) => self.take(client, step).await?,
                None => self.wake.notified().await,
            }
        }
    }

    /// What is to be sent next; without anything, all is settled.
    fn next_step(&self) -> Option<Step> {
        let mut wanted = self.wanted();
        if let Some((filter, due)) = wanted.filters.iter_mut().find(|(_, due)| **due) {
            *due = false;
            return Some(Step::Subscribe(filter.clone()));
        }
        if let Some((topic, (payload, due))) = wanted.kept.iter_mut().find(|(_, (_, due))| *due) {
            *due = false;
            return Some(Step::Publish(topic.clone(), payload.clone()));
        }
        if let Some((topic, payload)) = wanted.said.pop_first() {
            return Some(Step::Say(topic, payload));
        }
        self.standing.send_modify(|standing| standing.settled = true);
        None
    }

    /// Sends one thing and waits for its acknowledgement. What the broker refuses is said and left.
    async fn take(&self, client: &AsyncClient, step: Step) -> Result<(), String> {
        let late = |_| "the broker acknowledges nothing".to_owned();
        let (what, done) = match step {
            Step::Subscribe(filter) => {
                let sent = client.subscribe_tracked(filter.as_str(), QoS::AtLeastOnce).await;
                let notice = sent.map_err(|error| error.to_string())?;
                let done = timeout(ANSWER, notice.wait_completion_async()).await.map_err(late)?;
                (format!("reading {filter}"), done.map_err(|error| error.to_string()))
            }
            Step::Publish(ref topic, ref payload) | Step::Say(ref topic, ref payload) => {
                let kept = matches!(step, Step::Publish(..));
                let options = PublishOptions::at_least_once();
                let options = if kept { options.retained() } else { options };
                let payload = payload.clone();
                let sent = client.publish_tracked(topic.as_str(), payload, options).await;
                let notice = sent.map_err(|error| error.to_string())?;
                let done = timeout(ANSWER, notice.wait_completion_async()).await.map_err(late)?;
                (format!("writing {topic}"), done.map_err(|error| error.to_string()))
            }
        };
        if let Err(why) = done {
            tracing::warn!(broker = self.broker.label(), what, why, "the MQTT broker refuses something");
            let trouble = Some(format!("the broker refuses {what}: {why}"));
            self.standing.send_modify(|standing| standing.trouble = trouble);
        }
        Ok(())
    }
}

async fn poll(events: &mut EventLoop) -> Result<Event, String> {
    events.poll().await.map_err(|error| words(&error))
}

/// Why there is no connection, and what can be done.
fn words(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
        ) => "the broker refuses the user or the password".to_owned(),
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::RefusedProtocolVersion | ConnectReturnCode::UnsupportedProtocolVersion,
        ) => "the broker does not speak MQTT 5".to_owned(),
        ConnectionError::Timeout(_) => "it does not answer in time".to_owned(),
        other => other.to_string(),
    }
}
