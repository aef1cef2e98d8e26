//! What a device has said last: messages become values with the time that they belong to.
//!
//! Always: a message that the broker had kept (retained) is believed only where it states its own time;
//! otherwise nobody knows its age, and the value is missing until the device speaks. A value that is no
//! number is remembered as such, in words. No two values of different times are shown as one reading
//! unless both are young enough. Not here: whether a number is plausible (`watch`).

use super::decimal::Decimal;
use super::settings::{Role, Settings, Source, Timing};
use super::stamp;
use crate::clock::Clock;
use crate::mqtt::{Listener, Message};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use wattbook_types::Timestamp;

/// How far ahead of ours a device's clock may be.
const AHEAD_MS: u64 = 60_000;
/// How much of a message is quoted.
const QUOTE: usize = 60;

/// A number, or why the device's words are none; and the time that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The number.
    pub value: Result<Decimal, String>,
    /// Its time.
    pub time: Timestamp,
}

/// What was said last.
pub struct Book {
    settings: Settings,
    clock: Clock,
    pages: Mutex<Pages>,
    count: watch::Sender<u64>,
}

#[derive(Default)]
struct Pages {
    said: BTreeMap<Role, Said>,
    /// Values that wait for the message that states their time.
    waiting: BTreeMap<Role, Said>,
    /// Why the newest message that should have held a value was of no use.
    complaint: Option<String>,
    /// Whether it was said that there is only a message of unknown age.
    told: bool,
}

/// What a book has of some roles.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// All of them, young enough.
    All(BTreeMap<Role, (Decimal, Timestamp)>),
    /// Words that are no numbers.
    Nonsense(String),
    /// Not all, or they are too old; why, where it is known.
    Missing(Option<String>),
}

impl Book {
    /// An empty book.
    pub fn new(settings: Settings, clock: Clock) -> Self {
        Self { settings, clock, pages: Mutex::default(), count: watch::Sender::new(0) }
    }

    /// What the address says.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many messages were taken in, and word when there are more.
    pub fn count(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    /// Ledger time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// All topics that matter.
    pub fn topics(&self) -> Vec<&str> {
        let time = match &self.settings.timing {
            Timing::Arrival => None,
            Timing::Within(source) | Timing::After(source) => Some(source),
        };
        let sources = self.settings.values.iter().map(|(_, source)| source).chain(time);
        let mut topics: Vec<_> = sources.map(|source| source.topic.as_str()).collect();
        topics.sort_unstable();
        topics.dedup();
        topics
    }

    /// Whether a value was ever said, as a number.
    pub fn has(&self, role: Role) -> bool {
        self.pages().said.get(&role).is_some_and(|said| said.value.is_ok())
    }

    /// What there is of these roles now.
    pub fn find(&self, roles: &[Role]) -> Found {
        let (pages, now) = (self.pages(), self.now());
        let mut all = BTreeMap::new();
        for role in roles {
            let said = pages.said.get(role);
            let Some(said) = said.filter(|said| now.millis_since(said.time) <= self.settings.max_age_ms)
            else {
                return Found::Missing(pages.complaint.clone());
            };
            match &said.value {
                Ok(value) => all.insert(*role, (*value, said.time)),
                Err(why) => return Found::Nonsense(why.clone()),
            };
        }
        Found::All(all)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time that a message states; `None` where it states none.
    fn stated(&self, source: &Source, text: &str) -> Result<Option<Timestamp>, String> {
        let Some(stated) = value_at(source, text)? else { return Ok(None) };
        let millis = stamp::parse(&stated, self.settings.offset)
            .map_err(|why| format!("the time {} of {}: {why}", quoted(&stated), source.topic))?;
        let (time, now) = (stamp::ledger_time(&self.clock, millis), self.now());
        if time > now.plus_millis(AHEAD_MS) {
            let ahead = time.millis_since(now) / 1000;
            return Err(format!("the clock behind {} is {ahead} s ahead", source.topic));
        }
        Ok(Some(time.min(now)))
    }

    fn take(&self, pages: &mut Pages, message: &Message<'_>) -> Result<(), String> {
        let text = std::str::from_utf8(message.payload)
            .map_err(|_| format!("a message of {} is no text", message.topic))?;
        let of_message = |source: &Source| source.topic == message.topic;
        let mut time = (!message.retained).then(|| self.now());
        match &self.settings.timing {
            Timing::Within(source) if of_message(source) => time = self.stated(source, text)?.or(time),
            Timing::After(source) if of_message(source) => {
                let stated = if message.retained { None } else { self.stated(source, text)? };
                if let Some(time) = stated {
                    let waiting = std::mem::take(&mut pages.waiting);
                    pages.said.extend(waiting.into_iter().map(|(role, said)| (role, Said { time, ..said })));
                }
                return Ok(());
            }
            _ => {}
        }
        let Some(time) = time else {
            if !std::mem::replace(&mut pages.told, true) {
                let topic = message.topic;
                tracing::info!(topic, "the broker has kept a message of unknown age; waiting for a live one");
            }
            return Ok(());
        };
        let wait = matches!(self.settings.timing, Timing::After(_));
        for (role, source) in self.settings.values.iter().filter(|(_, source)| of_message(source)) {
            let Some(value) = value_at(source, text)? else {
                let pointer = source.pointer.as_ref().map(ToString::to_string).unwrap_or_default();
                pages.complaint = Some(format!("a message of {} has no {pointer}", source.topic));
                continue;
            };
            let number = Decimal::parse(&value);
            let value =
                number.ok_or_else(|| format!("{} says {}, which is no number", source.topic, quoted(&value)));
            let place = if wait { &mut pages.waiting } else { &mut pages.said };
            if place.get(role).is_none_or(|known| known.time <= time) {
                place.insert(*role, Said { value, time });
                pages.complaint = None;
            }
        }
        Ok(())
    }
}

impl Listener for Book {
    fn heard(&self, message: &Message<'_>) {
        let mut pages = self.pages();
        if let Err(complaint) = self.take(&mut pages, message) {
            pages.complaint = Some(complaint);
        }
        drop(pages);
        self.count.send_modify(|count| *count += 1);
    }
}

/// The text of a value in a message; `None` where a JSON message has no such place.
fn value_at(source: &Source, text: &str) -> Result<Option<String>, String> {
    match &source.pointer {
        None => Ok(Some(text.to_owned())),
        Some(pointer) => {
            pointer.find(text).map_err(|why| format!("{} says {}: {why}", source.topic, quoted(text)))
        }
    }
}

/// The beginning of a text, with what is not printable made so.
pub fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(QUOTE).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("\"{}{more}\"", cut.escape_debug())
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
