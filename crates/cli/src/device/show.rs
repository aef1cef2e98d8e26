//! What devices show, in words for people.
//!
//! Always: units stand beside the numbers; what is missing is called missing.

use super::opened::{BatteryPart, FeederPart, GeneratorPart, MeterPart, Shown};
use crate::units::second;
use std::fmt::Display;
use wattbook_devices::driver::{Capability, Protection};
use wattbook_devices::{Quality, SignedPower};
use wattbook_types::transaction::Generation;
use wattbook_types::{Energy, MeterRegister, Power, Timestamp};

/// Who it is, and everything that it shows.
pub fn all(shown: &Shown) -> Vec<String> {
    let mut lines = vec![shown.address.to_string(), format!("  {}", identity(shown))];
    lines.push(format!("  link: {}", protection(shown.protection)));
    lines.extend(parts(shown).into_iter().map(|(part, words)| format!("  {part:9} {words}")));
    lines.extend(shown.troubles.iter().map(|trouble| format!("  not read: {trouble}")));
    lines
}

/// Maker, type, serial number, version, as far as the device says.
fn identity(shown: &Shown) -> String {
    let said = [
        shown.manufacturer.clone(),
        shown.model.clone(),
        shown.serial.as_ref().map(|serial| format!("serial {serial}")),
        shown.version.as_ref().map(|version| format!("version {version}")),
    ];
    let said: Vec<String> = said.into_iter().flatten().filter(|said| !said.trim().is_empty()).collect();
    if said.is_empty() { "it does not say what it is".to_owned() } else { said.join(", ") }
}

/// A line for each thing that it can be used as.
pub fn parts(shown: &Shown) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    lines.extend(shown.meter.as_ref().map(|part| ("meter", meter(part))));
    lines.extend(shown.generator.as_ref().map(|part| ("generator", generator(part))));
    lines.extend(shown.feeder.as_ref().map(|part| ("feeder", feeder(part))));
    lines.extend(shown.battery.as_ref().map(|part| ("battery", battery(part))));
    lines
}

fn meter(part: &MeterPart) -> String {
    format!(
        "imported {}, exported {}, now {}; {}",
        known(part.import_wh.map(register)),
        known(part.export_wh.map(register)),
        known(part.power_w.map(flow)),
        came_about(part.quality, part.time)
    )
}

fn generator(part: &GeneratorPart) -> String {
    let curtailable = if part.curtailable { "can be curtailed" } else { "cannot be curtailed" };
    format!(
        "{}, rated {}, gives {}, {curtailable}; {}",
        generation(part.kind),
        part.rated_w,
        known(part.power_w),
        came_about(part.quality, part.time)
    )
}

fn feeder(part: &FeederPart) -> String {
    format!("at most {} to the battery, at most {} to the home", part.to_battery_w, part.to_home_w)
}

fn battery(part: &BatteryPart) -> String {
    let controllable = if part.controllable { "can be limited" } else { "cannot be limited" };
    format!(
        "stores {} of {}, takes {} and gives {} at most, {controllable}, imported {}, exported {}; {}",
        known(part.stored_wh),
        part.capacity_wh,
        part.charge_limit_w,
        part.discharge_limit_w,
        known(part.import_wh.map(register)),
        known(part.export_wh.map(register)),
        came_about(part.quality, part.time)
    )
}

fn register(register: MeterRegister) -> Energy {
    Energy::from_wh(register.wh())
}

/// What flows, and which way.
fn flow(power: SignedPower) -> String {
    let size = Power::from_watts(power.watts().unsigned_abs());
    match power.watts() {
        0 => size.to_string(),
        1.. => format!("{size} in"),
        _ => format!("{size} out"),
    }
}

fn known(value: Option<impl Display>) -> String {
    value.map_or_else(|| "missing".to_owned(), |value| value.to_string())
}

fn came_about(quality: Quality, time: Timestamp) -> String {
    format!("{} {} UTC", quality_word(quality), second(time))
}

/// A quality in a word.
pub const fn quality_word(quality: Quality) -> &'static str {
    match quality {
        Quality::Measured => "measured",
        Quality::Substituted => "substituted",
        Quality::Estimated => "estimated",
        Quality::Missing => "missing",
    }
}

const fn generation(kind: Generation) -> &'static str {
    match kind {
        Generation::Solar => "solar",
        Generation::Wind => "wind",
        Generation::Gas => "gas",
        Generation::Unstated => "of unstated kind",
    }
}

/// How a link is protected, and what to do where it is not.
pub const fn protection(protection: Protection) -> &'static str {
    match protection {
        Protection::Mutual => "encrypted, both ends authenticated",
        Protection::Encrypted => "encrypted, the device is authenticated",
        Protection::Loopback => "unprotected, within this machine",
        Protection::None => {
            "UNPROTECTED: whoever reaches this network can read and command the device; isolate it"
        }
    }
}

/// A capability in words.
pub const fn capability(capability: Capability) -> &'static str {
    match capability {
        Capability::Meter => "meter",
        Capability::Generator => "generator",
        Capability::Curtailment => "generator that can be curtailed",
        Capability::Feeder => "end of a feeder",
        Capability::Battery => "battery",
        Capability::BatteryControl => "battery that can be limited",
    }
}
