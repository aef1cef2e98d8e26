//! Looks at what is said on a broker under a topic, and says which option would read it.
//!
//! Always: it only listens, over a connection of its own; how much it remembers is bounded. What it proposes
//! are names that it knows; whether a value is what its name says, a person must judge.

use super::decimal::Decimal;
use super::meter::MqttMeter;
use super::pointer::leaves;
use super::settings::{Settings, Source, Timing};
use super::{book::quoted, stamp};
use crate::address::DeviceAddress;
use crate::capability::Answer;
use crate::driver::{Capability, Context, Finding, Part, Protection};
use crate::mqtt::{Broker, Link, Listener, Message, Standing};
use crate::reading::DeviceError;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// How long the broker may take to answer at all.
const CONNECTING: Duration = Duration::from_secs(10);
/// How many topics, and how much of a message, is remembered.
const TOPICS: usize = 200;
const LARGEST: usize = 16 * 1024;

/// Names under which makers publish values: the end of the way to it, in lower case, and the options that
/// read it.
const KNOWN: &[(&str, &str)] = &[
    // Tasmota, smart meter interface and energy monitoring.
    ("sml/total_in", "import={}&unit=kWh"),
    ("sml/total_out", "export={}&unit=kWh"),
    ("sml/power_curr", "power={}&power_unit=W"),
    ("total_in", "import={}&unit=kWh"),
    ("total_out", "export={}&unit=kWh"),
    ("power_curr", "power={}&power_unit=W"),
    ("energy/total", "import={}&unit=kWh"),
    ("energy/power", "power={}&power_unit=W"),
    // Shelly, second generation and later: EM and EMData, EM1 and EM1Data, Switch and PM1.
    ("total_act", "import={}&unit=Wh"),
    ("total_act_ret", "export={}&unit=Wh"),
    ("total_act_power", "power={}&power_unit=W"),
    ("total_act_energy", "import={}&unit=Wh"),
    ("total_act_ret_energy", "export={}&unit=Wh"),
    ("act_power", "power={}&power_unit=W"),
    ("ret_aenergy/total", "export={}&unit=Wh"),
    ("aenergy/total", "import={}&unit=Wh"),
    ("apower", "power={}&power_unit=W"),
    // zigbee2mqtt.
    ("produced_energy", "export={}&unit=kWh"),
    ("energy", "import={}&unit=kWh"),
    ("power", "power={}&power_unit=W"),
    // One topic per value, by plain names.
    ("energy_import", "import={}"),
    ("energy_export", "export={}"),
    ("import", "import={}"),
    ("export", "export={}"),
];

/// Names of times.
const TIMES: &[&str] = &["time", "last_seen", "ts", "timestamp", "unixtime"];

/// What was said on a topic last.
struct Heard {
    payload: Vec<u8>,
    kept: bool,
}

#[derive(Default)]
struct Ears(Mutex<BTreeMap<String, Heard>>);

impl Listener for Ears {
    fn heard(&self, message: &Message<'_>) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() < TOPICS || heard.contains_key(message.topic) {
            let payload = message.payload[..message.payload.len().min(LARGEST)].to_vec();
            heard.insert(message.topic.to_owned(), Heard { payload, kept: message.retained });
        }
    }
}

/// A value that was said.
struct Said {
    part: Part,
    /// The options that would read it, where its name is known.
    options: Option<String>,
}

/// Looks at what is under an address.
pub fn probe<'a>(address: &'a DeviceAddress, context: &'a Context) -> Answer<'a, Finding> {
    Box::pin(async move {
        let settings = Settings::of_address(address)?;
        let broker = Broker::of_address(address, &context.folder)?;
        let protection = broker.protection();
        let (ears, link) = (Arc::new(Ears::default()), Arc::new(Link::new(broker)));
        let below = if settings.base.is_empty() { "#".to_owned() } else { format!("{}/#", settings.base) };
        link.listen(&below, &ears);
        let meter = MqttMeter::over(Arc::clone(&link), settings.clone(), context.clock.clone());
        answered(&link).await?;
        // Ends sooner where the address names values, as soon as all of them were said.
        let _ = timeout(settings.listen, all_said(&meter, &settings)).await;
        let heard = std::mem::take(&mut *ears.0.lock().unwrap_or_else(PoisonError::into_inner));
        let said = values(&settings, &heard);
        let remarks = remarks(address, &heard, &said, protection).into_iter();
        let refused = link.standing().borrow().trouble.clone();
        let (offers, lacks) = judge(&settings, &meter);
        let parts = said.into_iter().map(|said| said.part).collect();
        Ok(Finding { parts, offers, lacks, remarks: remarks.chain(refused).collect(), ..Finding::default() })
    })
}

/// Returns once the broker has taken what is to be listened to; an error where the first attempt fails.
async fn answered(link: &Link) -> Result<(), DeviceError> {
    let mut standing = link.standing();
    let decided =
        |standing: &Standing| standing.settled || (!standing.connected && standing.trouble.is_some());
    let decided = timeout(CONNECTING, standing.wait_for(decided)).await;
    let standing = decided.ok().and_then(Result::ok).map(|standing| standing.clone()).unwrap_or_default();
    if standing.settled {
        return Ok(());
    }
    let reason = standing.trouble.unwrap_or_else(|| "it does not answer".to_owned());
    Err(DeviceError::Unreachable { address: link.label(), reason })
}

/// Returns when every value that the address names was said; never where it names none.
async fn all_said(meter: &MqttMeter, settings: &Settings) {
    let mut heard = meter.heard();
    let all = || settings.values.iter().all(|(role, _)| meter.has(*role));
    if settings.values.is_empty() || heard.wait_for(|_| all()).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// All values in what was heard.
fn values(settings: &Settings, heard: &BTreeMap<String, Heard>) -> Vec<Said> {
    let mut said = Vec::new();
    for (topic, heard) in heard {
        let text = String::from_utf8_lossy(&heard.payload);
        let mut found: Vec<_> = leaves(&text).into_iter().map(|(way, value)| (Some(way), value)).collect();
        if found.is_empty() {
            found.push((None, text.into_owned()));
        }
        for (pointer, value) in found {
            let source = Source { topic: topic.clone(), pointer };
            said.push(value_said(settings, &source, &value, heard.kept));
        }
    }
    said
}

fn value_said(settings: &Settings, source: &Source, value: &str, kept: bool) -> Said {
    let time = match &settings.timing {
        Timing::Arrival => None,
        Timing::Within(source) | Timing::After(source) => Some(source),
    };
    let used = settings.values.iter().map(|(_, source)| source).chain(time).any(|known| known == source);
    let name = source.in_address(&settings.base);
    let options = proposal(&name, source, value);
    let age = if kept { ", kept by the broker, of unknown age" } else { "" };
    let by = options.as_ref().map(|options| format!(", read by {options}")).unwrap_or_default();
    let about = format!("{}{age}{by}", quoted(value));
    Said { part: Part { name, about, place: source.topic.clone(), used }, options }
}

/// The options that would read a value whose name is known.
fn proposal(name: &str, source: &Source, value: &str) -> Option<String> {
    let pointer = source.pointer.as_ref().map(ToString::to_string).unwrap_or_default();
    let way = format!("/{}{pointer}", source.topic).to_lowercase();
    let ends = |end: &str| way.strip_suffix(end).is_some_and(|rest| rest.ends_with('/'));
    if TIMES.iter().any(|time| ends(time)) && stamp::parse(value, None).is_ok() {
        return Some(format!("time={name}"));
    }
    Decimal::parse(value)?;
    let known = KNOWN.iter().find(|(end, _)| ends(end));
    known.map(|(_, options)| options.replace("{}", name))
}

/// What the device can be used as, and what is lacking for that.
fn judge(settings: &Settings, meter: &MqttMeter) -> (Vec<Capability>, Vec<String>) {
    let silent = settings.values.iter().filter(|(role, _)| !meter.has(*role));
    let silent = silent.map(|(role, source)| {
        let place = source.in_address("");
        format!("{}= was not said at {place} while listening, or not as a number", role.option())
    });
    let mut lacks: Vec<_> = silent.collect();
    let silent = !lacks.is_empty();
    let mut offers = Vec::new();
    for (capability, what, missing) in [
        (Capability::Meter, "a meter", settings.lacks_for_meter()),
        (Capability::Generator, "a generator", settings.lacks_for_generator()),
    ] {
        if missing.is_empty() && !silent {
            offers.push(capability);
        }
        lacks.extend(missing.into_iter().map(|missing| format!("for {what}: {missing}")));
    }
    (offers, lacks)
}

fn remarks(
    address: &DeviceAddress,
    heard: &BTreeMap<String, Heard>,
    said: &[Said],
    protection: Protection,
) -> Vec<String> {
    let mut remarks = Vec::new();
    if heard.is_empty() {
        remarks.push(format!("nothing was said under {:?} while listening", address.path()));
    }
    if heard.len() == TOPICS {
        remarks.push(format!("there are {TOPICS} topics or more, too many to list: name a longer one"));
    }
    if let Some(options) = whole(said) {
        let port = address.port().map(|port| format!(":{port}")).unwrap_or_default();
        let (scheme, host, path) = (address.scheme(), address.host(), address.path());
        remarks.push(format!("to be tried: {scheme}://{host}{port}/{path}?{options}"));
    }
    if protection == Protection::None {
        remarks.push("whoever reaches this broker can read and forge what the device says".to_owned());
    }
    remarks
}

/// One address's options out of what was proposed, the first of each kind.
fn whole(said: &[Said]) -> Option<String> {
    let mut options: BTreeMap<&str, &str> = BTreeMap::new();
    for option in said.iter().filter_map(|said| said.options.as_deref()).flat_map(|all| all.split('&')) {
        if let Some((name, value)) = option.split_once('=') {
            options.entry(name).or_insert(value);
        }
    }
    if !options.contains_key("import") && !options.contains_key("export") {
        return None;
    }
    options.entry("import").or_insert("none");
    options.entry("export").or_insert("none");
    Some(options.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&"))
}
