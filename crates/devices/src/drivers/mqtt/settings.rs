//! What an address says about the values of a device: which messages hold them, in which unit, how old they
//! may be.
//!
//! Always: nothing is guessed. A unit, a direction or a register that the address does not name is asked
//! for in words; an option that is not known is refused. Not here: how the broker is reached (`Broker`).

use super::decimal::{Decimal, energy_unit, power_unit};
use super::pointer::Pointer;
use super::stamp;
use crate::address::DeviceAddress;
use crate::capability::GeneratorNameplate;
use crate::driver::CounterTraits;
use crate::mqtt::{LINK_OPTIONS, decoded};
use crate::reading::DeviceError;
use jiff::tz::Offset;
use std::time::Duration;
use wattbook_types::transaction::Generation;
use wattbook_types::{Energy, Power};

/// How old a value may be, in seconds, where the address does not say.
const USUAL_AGE: u64 = 300;
/// How long a probe listens, in seconds, where the address does not say.
const USUAL_LISTENING: u64 = 10;

/// The options of an address that say what is read.
const OPTIONS: &[&str] = &[
    "import",
    "export",
    "unit",
    "power",
    "power_import",
    "power_export",
    "power_unit",
    "power_sign",
    "time",
    "time_offset",
    "max_age",
    "wraps_at",
    "resolution",
    "max_power",
    "kind",
    "rated_power",
    "listen",
];

/// What a value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Energy that came in.
    Import,
    /// Energy that went out.
    Export,
    /// Power with its direction.
    Power,
    /// Power that comes in.
    PowerImport,
    /// Power that goes out.
    PowerExport,
}

impl Role {
    /// The option that says where it is.
    pub const fn option(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Export => "export",
            Self::Power => "power",
            Self::PowerImport => "power_import",
            Self::PowerExport => "power_export",
        }
    }
}

/// Where a value is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The topic.
    pub topic: String,
    /// The place in a JSON message; without one, the message is the value.
    pub pointer: Option<Pointer>,
}

/// Which time a value belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Timing {
    /// That at which its message came.
    Arrival,
    /// That which its own message states; of other messages, that at which they came.
    Within(Source),
    /// That which a message of its own states. It follows the values that it belongs to.
    After(Source),
}

/// What an address says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The topic under which all is.
    pub base: String,
    /// Where each value is said.
    pub values: Vec<(Role, Source)>,
    /// Registers that the device does not have, because it counts one way only.
    pub absent: Vec<Role>,
    /// The time of the values.
    pub timing: Timing,
    /// How far local times are from UTC.
    pub offset: Option<Offset>,
    /// Powers of ten from a watt-hour to the registers' unit.
    pub energy_shift: Option<i32>,
    /// Powers of ten from a watt to the unit of power.
    pub power_shift: Option<i32>,
    /// Whether positive power goes out; `None` where that is not said.
    pub positive_is_export: Option<bool>,
    /// How old a value may be, in milliseconds of ledger time.
    pub max_age_ms: u64,
    /// How it counts.
    pub traits: CounterTraits,
    /// How it generates.
    pub kind: Option<Generation>,
    /// The most that it generates.
    pub rated_power: Option<Power>,
    /// How long a probe listens.
    pub listen: Duration,
}

impl Settings {
    /// Reads an address.
    ///
    /// # Errors
    /// Where an option is unknown, or has a value that it cannot have.
    pub fn of_address(address: &DeviceAddress) -> Result<Self, DeviceError> {
        let strange =
            address.option_names().find(|name| !OPTIONS.contains(name) && !LINK_OPTIONS.contains(name));
        if let Some(name) = strange {
            let known = [OPTIONS, LINK_OPTIONS].concat().join(", ");
            return Err(wrong(format!("an MQTT address has no option {name:?}; there are: {known}")));
        }
        // `topic/#`, as those write it who ask for all that is below, is the topic.
        let base = decoded(address.path())?;
        let base = base.strip_suffix('#').unwrap_or(&base).trim_matches('/').to_owned();
        plain_topic(&base)?;
        let mut values = Vec::new();
        let mut absent = Vec::new();
        for role in [Role::Import, Role::Export, Role::Power, Role::PowerImport, Role::PowerExport] {
            match address.option(role.option()) {
                None => {}
                Some("none") if role <= Role::Export => absent.push(role),
                Some(text) => values.push((role, Source::parse(&base, text)?)),
            }
        }
        let energy_shift = chosen(address, "unit", energy_unit, "Wh, kWh or MWh")?;
        let sign = |text: &str| ["import", "export"].iter().position(|name| *name == text).map(|at| at == 1);
        Ok(Self {
            timing: timing(address, &base, &values)?,
            offset: chosen(address, "time_offset", stamp::offset, "a distance from UTC such as +01:00")?,
            power_shift: chosen(address, "power_unit", power_unit, "W, kW or MW")?,
            positive_is_export: chosen(address, "power_sign", sign, "import or export")?,
            max_age_ms: seconds(address, "max_age", USUAL_AGE)? * 1000,
            traits: traits(address, energy_shift)?,
            kind: chosen(address, "kind", generation, "solar, wind or gas")?,
            rated_power: watts(address, "rated_power")?,
            listen: Duration::from_secs(seconds(address, "listen", USUAL_LISTENING)?),
            base,
            values,
            absent,
            energy_shift,
        })
    }

    /// Whether the address names a value.
    pub fn has(&self, role: Role) -> bool {
        self.values.iter().any(|(known, _)| *known == role)
    }

    /// The values that tell the power.
    pub fn power_roles(&self) -> &'static [Role] {
        if self.has(Role::Power) { &[Role::Power] } else { &[Role::PowerImport, Role::PowerExport] }
    }

    /// The registers that the device has.
    pub fn register_roles(&self) -> Vec<Role> {
        [Role::Import, Role::Export].into_iter().filter(|role| self.has(*role)).collect()
    }

    /// What the address still has to say before the device can be read as a meter.
    pub fn lacks_for_meter(&self) -> Vec<String> {
        let mut lacks = Vec::new();
        for role in [Role::Import, Role::Export] {
            if !self.has(role) && !self.absent.contains(&role) {
                let name = role.option();
                lacks.push(format!("{name}= says which value counts it ({name}=none where nothing does)"));
            }
        }
        if self.absent.len() == 2 {
            lacks.push("one of import= and export= must be something else than none".to_owned());
        }
        if self.energy_shift.is_none() {
            lacks.push("unit= says in what the registers count: Wh, kWh or MWh".to_owned());
        }
        lacks.extend(self.lacks_for_power());
        lacks
    }

    /// What the address still has to say before the device can be read as a generator.
    pub fn lacks_for_generator(&self) -> Vec<String> {
        let mut lacks = self.lacks_for_power();
        if self.kind.is_none() {
            lacks.push("kind= says how it generates: solar, wind or gas".to_owned());
        }
        if self.rated_power.is_none() {
            lacks.push("rated_power= says what it gives at most, in watts".to_owned());
        }
        if self.has(Role::Power) && self.positive_is_export.is_none() {
            lacks.push("power_sign=export says that positive power is generated (import: used)".to_owned());
        }
        lacks
    }

    fn lacks_for_power(&self) -> Vec<String> {
        let mut lacks = Vec::new();
        let net = self.has(Role::Power);
        let split = self.has(Role::PowerImport) && self.has(Role::PowerExport);
        let any_split = self.has(Role::PowerImport) || self.has(Role::PowerExport);
        if net == split || (net && any_split) {
            let both = "power_import= with power_export= where each way has its own";
            lacks.push(format!("power= says which value is the power, or {both}, but not all"));
        }
        if self.power_shift.is_none() {
            lacks.push("power_unit= says in what the power is: W, kW or MW".to_owned());
        }
        lacks
    }

    /// What its nameplate says, where the address says it.
    pub fn nameplate(&self) -> Option<GeneratorNameplate> {
        Some(GeneratorNameplate { kind: self.kind?, power: self.rated_power? })
    }
}

impl Source {
    /// `subtopic`, `/pointer` into the message at the address's own topic, or `subtopic:/pointer`.
    fn parse(base: &str, text: &str) -> Result<Self, DeviceError> {
        let text = decoded(text)?;
        let (sub, pointer) = match text.find(":/") {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None if text.starts_with('/') => ("", Some(text.as_str())),
            None => (text.as_str(), None),
        };
        let topic = [base, sub].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        plain_topic(&topic)?;
        if topic.is_empty() {
            return Err(wrong(format!("{text:?} names no topic, and neither does the address before its ?")));
        }
        let pointer = pointer.map(|pointer| Pointer::parse(pointer).expect("it begins with /"));
        Ok(Self { topic, pointer })
    }

    /// The text that names it in an address whose own topic is `base`.
    pub fn in_address(&self, base: &str) -> String {
        let below = self.topic.strip_prefix(base).unwrap_or(&self.topic).trim_start_matches('/');
        let text = match &self.pointer {
            Some(pointer) if below.is_empty() => pointer.to_string(),
            Some(pointer) => format!("{below}:{pointer}"),
            None => below.to_owned(),
        };
        text.replace('%', "%25").replace('&', "%26").replace(' ', "%20")
    }
}

fn timing(address: &DeviceAddress, base: &str, values: &[(Role, Source)]) -> Result<Timing, DeviceError> {
    let Some(text) = address.option("time") else { return Ok(Timing::Arrival) };
    let source = Source::parse(base, text)?;
    let together = values.iter().any(|(_, value)| value.topic == source.topic);
    Ok(if together { Timing::Within(source) } else { Timing::After(source) })
}

fn traits(address: &DeviceAddress, shift: Option<i32>) -> Result<CounterTraits, DeviceError> {
    let energy = |name: &str| {
        let Some(text) = address.option(name) else { return Ok(None) };
        let wh = shift.and_then(|shift| Decimal::parse(text)?.whole(shift));
        let wh = wh.and_then(|wh| u64::try_from(wh).ok()).filter(|wh| *wh > 0);
        wh.map(|wh| Some(Energy::from_wh(wh)))
            .ok_or_else(|| wrong(format!("{name}={text}: expected energy of one Wh or more, in unit=")))
    };
    let (wraps_at, resolution) = (energy("wraps_at")?, energy("resolution")?);
    Ok(CounterTraits { wraps_at, resolution, limit: watts(address, "max_power")? })
}

fn generation(name: &str) -> Option<Generation> {
    Some(match name {
        "solar" => Generation::Solar,
        "wind" => Generation::Wind,
        "gas" => Generation::Gas,
        _ => return None,
    })
}

fn chosen<T>(
    address: &DeviceAddress,
    name: &str,
    read: impl FnOnce(&str) -> Option<T>,
    expected: &str,
) -> Result<Option<T>, DeviceError> {
    let Some(text) = address.option(name) else { return Ok(None) };
    read(&decoded(text)?).map(Some).ok_or_else(|| wrong(format!("{name}={text}: expected {expected}")))
}

fn seconds(address: &DeviceAddress, name: &str, usual: u64) -> Result<u64, DeviceError> {
    let read = |text: &str| text.parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
    Ok(chosen(address, name, read, "whole seconds, 1 to 86400")?.unwrap_or(usual))
}

fn watts(address: &DeviceAddress, name: &str) -> Result<Option<Power>, DeviceError> {
    let read = |text: &str| text.parse().ok().filter(|watts| *watts > 0).map(Power::from_watts);
    chosen(address, name, read, "whole watts, 1 or more")
}

/// Refuses wildcards: a device's values have one topic each.
fn plain_topic(topic: &str) -> Result<(), DeviceError> {
    if topic.contains(['+', '#']) {
        return Err(wrong(format!("{topic:?}: + and # are no part of a device's topic")));
    }
    Ok(())
}

fn wrong(what: String) -> DeviceError {
    DeviceError::Configuration(what)
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
