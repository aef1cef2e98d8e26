//! What is at an address: who made it, its models, what it can be used as, and what it lacks.
//!
//! Always: what speaks Modbus but is no SunSpec device is a finding, not an error; nothing is written.

use super::battery::STORING;
use super::counter::COUNTING;
use super::discovery::{Map, NotFound};
use super::generator::{CURTAILING, GENERATING};
use super::tables::{Table, controls, der, interval, table};
use super::unit::{Unit, no_marker};
use crate::address::DeviceAddress;
use crate::driver::{Capability, Context, Finding, Part};
use crate::reading::DeviceError;

/// Looks at a device.
pub(super) async fn probe(address: &DeviceAddress, context: &Context) -> Result<Finding, DeviceError> {
    let unit = Unit::open(address, context)?;
    match unit.found().await {
        Ok(map) => Ok(finding(&map)),
        Err(NotFound::NoMarker(seen)) => Ok(Finding {
            lacks: vec![no_marker(&seen)],
            remarks: vec![
                "the marker may be elsewhere (add base=REGISTER to the address), or the device may have another unit number (after the slash)"
                    .to_owned(),
            ],
            ..Finding::default()
        }),
        Err(NotFound::Broken(why)) => Ok(Finding { lacks: vec![why], ..Finding::default() }),
        Err(failure @ NotFound::Failure(_)) => Err(unit.not_found(&failure)),
    }
}

fn finding(map: &Map) -> Finding {
    let identity = map.identity.clone();
    let mut finding = Finding {
        manufacturer: identity.manufacturer,
        model: identity.model,
        serial: identity.serial,
        version: identity.version,
        parts: map.models.iter().map(|placed| part(placed.id, placed.at, placed.length)).collect(),
        remarks: map.remarks.clone(),
        ..Finding::default()
    };
    let mut wholly_lacking = Vec::new();
    for (capability, needs) in NEEDS {
        let missing: Vec<&str> =
            needs.iter().filter(|need| map.first_of(need.models).is_none()).map(|need| need.words).collect();
        let words = format!("as {}: {}", called(*capability), missing.join(", and "));
        match missing.len() {
            0 => finding.offers.push(*capability),
            lacking if lacking < needs.len() => finding.lacks.push(words),
            _ => wholly_lacking.push(words),
        }
    }
    // What shows power and stores is a battery.
    if finding.offers.contains(&Capability::Battery) {
        finding.offers.retain(|offer| *offer != Capability::Generator);
    }
    if finding.offers.is_empty() {
        finding.lacks.append(&mut wholly_lacking);
    }
    if map.placed(interval::INTERVALS.id).is_some() {
        finding.remarks.push("it keeps its registers as they stood at the ends of intervals".to_owned());
    }
    finding
}

fn part(id: u16, at: u16, length: u16) -> Part {
    let known = table(id);
    Part {
        name: format!("model {id}"),
        about: known.map_or("not known here", |table| table.name).to_owned(),
        place: format!("registers {at}-{}", u32::from(at) + u32::from(length) + 1),
        used: known.is_some(),
    }
}

struct Need {
    models: &'static [&'static Table],
    words: &'static str,
}

const COUNTS: Need = Need { models: COUNTING, words: "a model that counts (201 to 204, 701, or 101 to 103)" };

/// What each use needs.
const NEEDS: &[(Capability, &[Need])] = &[
    (Capability::Meter, &[COUNTS]),
    (
        Capability::Generator,
        &[Need { models: GENERATING, words: "a model that shows what is generated (701, or 101 to 103)" }],
    ),
    (Capability::Curtailment, &[Need { models: CURTAILING, words: "a model to curtail it by (704 or 123)" }]),
    (
        Capability::Feeder,
        &[COUNTS, Need { models: &[&controls::STORAGE], words: "model 124, to limit it by" }],
    ),
    (
        Capability::Battery,
        &[Need { models: STORING, words: "a model that says what is stored (713 or 802)" }, COUNTS],
    ),
    (
        Capability::BatteryControl,
        &[
            Need { models: STORING, words: "a model that says what is stored (713 or 802)" },
            Need {
                models: &[&controls::STORAGE, &der::CAPACITY],
                words: "a model to limit it by (124 or 702)",
            },
        ],
    ),
];

const fn called(capability: Capability) -> &'static str {
    match capability {
        Capability::Meter => "a meter it lacks",
        Capability::Generator => "a generator it lacks",
        Capability::Curtailment => "a generator that gives less it lacks",
        Capability::Feeder => "a feeder's end it lacks",
        Capability::Battery => "a battery it lacks",
        Capability::BatteryControl => "a battery with limits it lacks",
    }
}
