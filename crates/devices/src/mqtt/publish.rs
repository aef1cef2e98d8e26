//! Shows homes and batteries on a broker: their state on change and now and then, kept by the broker for
//! those who come later, and messages from which Home Assistant builds its devices.
//!
//! Always: it looks, and never touches what it looks at; a broker that is away, slow or hostile costs
//! nothing but its messages; numbers are written exactly, money with three decimals. When Home Assistant
//! says that it has started, everything is said again. When this process ends or its connection breaks, the
//! broker itself says `offline` for it. Deliberately absent: commands.

use super::broker::{Broker, Credentials};
pub use super::discovery::Display;
use super::discovery::{self, Common};
use super::link::{Link, Listener, Message};
use crate::address::DeviceAddress;
use crate::driver::{Context, Protection};
use crate::reading::DeviceError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use wattbook_types::Timestamp;

/// Home Assistant waits for at most this long for a state to be said again; and words in a state may be no
/// longer than this many characters.
const WORDS: usize = 250;
/// Up to how many milliseconds pass before everything is said again, so that not all devices do so at once.
const SPREAD_MS: u64 = 500;

/// An MQTT broker on which the state is shown, for home automation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publishing {
    /// The broker's address, `mqtts://host:port`; `mqtt://` without encryption. It must speak MQTT 5.
    pub broker: DeviceAddress,
    /// The file of the authority that signed the broker's certificate (PEM). Without it, the system's
    /// authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
    /// The file of the certificate that is shown to the broker, where it asks for one (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The file of that certificate's key (PEM, not encrypted).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// The user at the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The file of the user's password: one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The topic below which everything is said. Processes whose homes have the same names need different
    /// ones.
    #[serde(default = "usual_topic")]
    pub topic: String,
    /// The prefix of Home Assistant's discovery messages; empty: none are sent.
    #[serde(default = "usual_discovery")]
    pub discovery: String,
    /// How often a state is said that has not changed, in seconds.
    #[serde(default = "usual_interval")]
    pub interval_seconds: u64,
    /// What money is counted in.
    #[serde(default = "usual_money")]
    pub money_unit: String,
}

impl Publishing {
    /// Every path in it.
    pub fn paths(&mut self) -> Vec<&mut PathBuf> {
        let all = [&mut self.authority, &mut self.certificate, &mut self.key, &mut self.password_file];
        all.into_iter().flatten().collect()
    }

    /// Looks whether it can be used.
    ///
    /// # Errors
    /// The key that cannot be meant, and why.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let wrong = |key, why: &str| Err((key, why.to_owned()));
        self.reached()?;
        if !self.broker.path().is_empty() || self.broker.option_names().next().is_some() {
            return wrong("broker", "it is an address only; the rest has keys of its own");
        }
        let plain = |topic: &str| !topic.contains(['+', '#', '\0']) && !topic.starts_with(['$', '/']);
        if self.topic.is_empty() || !plain(&self.topic) {
            return wrong("topic", "it is the first part of topics: no wildcards, no / or $ at its start");
        }
        if !plain(&self.discovery) {
            return wrong(
                "discovery",
                "it is the first part of topics: no wildcards, no / or $ at its start",
            );
        }
        if self.interval_seconds == 0 {
            return wrong("interval_seconds", "it is 1 or more");
        }
        Ok(())
    }

    fn reached(&self) -> Result<Broker, (&'static str, String)> {
        let credentials = Credentials {
            authority: self.authority.clone(),
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            user: self.user.clone(),
            password_file: self.password_file.clone(),
            client_id: None,
        };
        Broker::new(&self.broker, credentials)
    }
}

fn usual_topic() -> String {
    "wattbook".to_owned()
}

fn usual_discovery() -> String {
    "homeassistant".to_owned()
}

const fn usual_interval() -> u64 {
    60
}

fn usual_money() -> String {
    "points".to_owned()
}

/// A device as it is shown at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The device.
    pub display: Display,
    /// Its values.
    pub state: State,
    /// When they were so (ledger time).
    pub time: Timestamp,
}

/// Values by key, as JSON texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State(BTreeMap<&'static str, String>);

impl State {
    /// A whole number, or nothing.
    pub fn number(&mut self, key: &'static str, value: Option<impl Into<i128>>) {
        self.0.insert(key, value.map_or_else(null, |value| value.into().to_string()));
    }

    /// Thousandths, or nothing.
    pub fn thousandths(&mut self, key: &'static str, value: Option<impl Into<i128>>) {
        self.0.insert(key, value.map_or_else(null, |value| exact(value.into())));
    }

    /// Words, or nothing.
    pub fn words(&mut self, key: &'static str, value: Option<&str>) {
        let cut = value.map(|words| words.chars().take(WORDS).collect::<String>());
        self.0.insert(key, serde_json::Value::from(cut).to_string());
    }

    fn message(&self, time: Timestamp) -> String {
        let fields = self.0.iter().map(|(key, value)| format!("\"{key}\":{value},"));
        format!("{{{}\"time\":{}}}", fields.collect::<String>(), time.millis())
    }
}

fn null() -> String {
    "null".to_owned()
}

/// Thousandths as a decimal number.
fn exact(thousandths: i128) -> String {
    let sign = if thousandths < 0 { "-" } else { "" };
    let value = thousandths.unsigned_abs();
    format!("{sign}{}.{:03}", value / 1000, value % 1000)
}

/// Looks at everything that is to be shown.
pub type Look = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Vec<Shown>> + Send>> + Send + Sync>;

/// Publishes until it is dropped.
pub struct Publisher {
    task: AbortHandle,
    link: Arc<Link>,
}

impl Publisher {
    /// Begins to publish what `look` shows, looking again and again after a pause. `node` is what no other
    /// process on the broker is called: letters, digits, `_` and `-`.
    ///
    /// # Errors
    /// Where the configuration cannot be used. A broker that does not answer is none.
    pub fn start(
        config: &Publishing,
        node: &str,
        context: &Context,
        pause: Duration,
        look: Look,
    ) -> Result<Self, DeviceError> {
        let unusable = |(key, why)| DeviceError::Configuration(format!("mqtt.{key}: {why}"));
        config.check().map_err(unusable)?;
        let broker = config.reached().map_err(unusable)?;
        if broker.protection() == Protection::None {
            let broker = broker.label();
            tracing::warn!(broker, "unprotected: whoever reaches that network reads what is shown there");
        }
        let link = Link::of(context, broker);
        let availability = format!("{}/{node}/availability", config.topic);
        link.announce(&availability);
        let board =
            Board { config: config.clone(), availability, link: Arc::clone(&link), said: BTreeMap::new() };
        let task = tokio::spawn(board.run(pause, look)).abort_handle();
        Ok(Self { task, link })
    }

    /// The connection.
    pub fn link(&self) -> &Link {
        &self.link
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What was said, and where.
struct Board {
    config: Publishing,
    availability: String,
    link: Arc<Link>,
    said: BTreeMap<String, Last>,
}

/// What was said of a device last.
struct Last {
    state: State,
    at: Instant,
    display: Display,
}

/// Waits for Home Assistant to say that it has started.
#[derive(Default)]
struct Birth(Notify);

impl Listener for Birth {
    fn heard(&self, message: &Message<'_>) {
        if message.payload == b"online" {
            self.0.notify_one();
        }
    }
}

impl Board {
    async fn run(mut self, pause: Duration, look: Look) {
        let birth = Arc::new(Birth::default());
        if !self.config.discovery.is_empty() {
            self.link.listen(&format!("{}/status", self.config.discovery), &birth);
        }
        loop {
            for shown in look().await {
                self.show(shown);
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = birth.0.notified() => {
                    let spread = RandomState::new().hash_one(&self.availability) % SPREAD_MS;
                    tokio::time::sleep(Duration::from_millis(spread)).await;
                    self.link.say_again();
                }
            }
        }
    }

    fn show(&mut self, shown: Shown) {
        let Shown { display, state, time } = shown;
        let last = self.said.get(&display.path);
        let interval = Duration::from_secs(self.config.interval_seconds);
        let is_new = last.is_none_or(|last| last.display != display);
        if !is_new && last.is_some_and(|last| last.state == state && last.at.elapsed() < interval) {
            return;
        }
        let topic = format!("{}/{}/state", self.config.topic, display.path);
        if is_new && !self.config.discovery.is_empty() {
            let common = Common {
                state_topic: &topic,
                availability_topic: &self.availability,
                expire_after: self.config.interval_seconds.saturating_mul(3),
                money: &self.config.money_unit,
            };
            let message = discovery::message(&display, &common).to_string();
            let place = format!("{}/device/{}/config", self.config.discovery, display.id);
            self.link.keep(&place, message.into_bytes());
        }
        self.link.keep(&topic, state.message(time).into_bytes());
        self.said.insert(display.path.clone(), Last { state, at: Instant::now(), display });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_exactly() {
        for (value, text) in [
            (0, "0.000"),
            (-1, "-0.001"),
            (-123_456, "-123.456"),
            (9_007_199_254_740_993, "9007199254740.993"),
        ] {
            assert_eq!(exact(value), text);
        }
    }

    #[test]
    fn a_state_is_json_with_its_time_and_missing_values_are_null() {
        let mut state = State::default();
        state.number("power", Some(7u64));
        state.number("limit", None::<u64>);
        state.thousandths("balance", Some(-1_500i64));
        state.words("trouble", Some("it says \"no\""));
        let message = state.message(Timestamp::from_millis(5));
        let wanted = r#"{"balance":-1.500,"limit":null,"power":7,"trouble":"it says \"no\"","time":5}"#;
        assert_eq!(message, wanted);
        assert!(serde_json::from_str::<serde_json::Value>(&message).is_ok());
    }

    #[test]
    fn a_configuration_that_cannot_be_used_is_refused_in_words() {
        let whole = |change: &str| {
            let text = format!(r#"{{"broker":"mqtt://broker"{change}}}"#);
            serde_json::from_str::<Publishing>(&text).expect("a configuration")
        };
        assert_eq!(whole("").check(), Ok(()));
        for (change, key) in [
            (r#","topic":"a/#""#, "topic"),
            (r#","topic":"""#, "topic"),
            (r#","discovery":"+""#, "discovery"),
            (r#","interval_seconds":0"#, "interval_seconds"),
            (r#","authority":"ca.crt""#, "authority"),
            (r#","password_file":"secret""#, "password_file"),
        ] {
            assert_eq!(whole(change).check().expect_err(change).0, key);
        }
        for broker in ["sunspec://a", "mqtt://a/topic", "mqtt://a?user=b"] {
            let config = Publishing { broker: broker.parse().expect("an address"), ..whole("") };
            assert_eq!(config.check().expect_err(broker).0, "broker");
        }
    }
}
