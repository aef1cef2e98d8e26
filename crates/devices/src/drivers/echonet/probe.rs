//! What is at an address: the node's objects, and what an object can be used as.
//!
//! Always: only questions, nothing is set; an object of a class that this driver does not know is shown
//! with what it says of itself. Not here: looking for nodes.

use super::address::Place;
use super::object::{Maps, Object};
use super::registers::{
    DATE, GET_MAP, IDENTIFICATION, INF_MAP, MAKER, PRODUCT, RELEASE, SERIAL, SET_MAP, TIME, battery, meter,
    node, solar,
};
use crate::address::DeviceAddress;
use crate::driver::{Capability, Context, Finding, Part};
use crate::echonet::{Answers, Eoj, NODE_PROFILE, PropertyMap};
use crate::reading::DeviceError;
use std::sync::Arc;

/// What an object needs for being used as something: of each line one property at least.
struct Need {
    class: u16,
    capability: Capability,
    read: &'static [&'static [u8]],
    set: &'static [&'static [u8]],
}

const NEEDS: &[Need] = &[
    Need {
        class: solar::CLASS,
        capability: Capability::Meter,
        read: &[&[solar::POWER], &[solar::GENERATED]],
        set: &[],
    },
    Need { class: solar::CLASS, capability: Capability::Generator, read: &[&[solar::POWER]], set: &[] },
    Need {
        class: solar::CLASS,
        capability: Capability::Curtailment,
        read: &[],
        set: &[&[solar::CONTROL_WATTS, solar::LIMIT_WATTS, solar::CONTROL_PERCENT, solar::LIMIT_PERCENT]],
    },
    Need {
        class: battery::CLASS,
        capability: Capability::Meter,
        read: &[
            &[battery::CHARGED_AC, battery::CHARGED],
            &[battery::DISCHARGED_AC, battery::DISCHARGED],
            &[battery::POWER],
        ],
        set: &[],
    },
    Need {
        class: battery::CLASS,
        capability: Capability::Battery,
        read: &[
            &[battery::CHARGED_AC, battery::CHARGED],
            &[battery::DISCHARGED_AC, battery::DISCHARGED],
            &[battery::CHARGING],
            &[battery::DISCHARGING],
            &[battery::CAPACITY],
            &[battery::STORED, battery::STORED_PERCENT],
        ],
        set: &[],
    },
    Need {
        class: battery::CLASS,
        capability: Capability::BatteryControl,
        read: &[],
        set: &[&[battery::MODE], &[battery::CHARGE_POWER], &[battery::DISCHARGE_POWER]],
    },
    Need {
        class: meter::CLASS,
        capability: Capability::Meter,
        read: &[&[meter::NORMAL], &[meter::REVERSE], &[meter::UNIT], &[meter::POWER]],
        set: &[],
    },
];

/// The names of classes and properties that this driver knows.
const NAMES: &[(u16, u8, &str)] = &[
    (solar::CLASS, solar::CONTROL_PERCENT, "output power control in per cent"),
    (solar::CLASS, solar::CONTROL_WATTS, "output power control in watts"),
    (solar::CLASS, solar::APPROVED, "capacity approved by equipment"),
    (solar::CLASS, solar::POWER, "power generated"),
    (solar::CLASS, solar::GENERATED, "energy generated"),
    (solar::CLASS, solar::LIMIT_PERCENT, "output limit in per cent"),
    (solar::CLASS, solar::LIMIT_WATTS, "output limit in watts"),
    (solar::CLASS, solar::RATED, "rated power"),
    (battery::CLASS, battery::TO_FILL, "AC energy that fills it"),
    (battery::CLASS, battery::TO_EMPTY, "AC energy that it gives"),
    (battery::CLASS, battery::CHARGED_AC, "AC energy charged"),
    (battery::CLASS, battery::DISCHARGED_AC, "AC energy discharged"),
    (battery::CLASS, battery::CHARGING, "least and most charging power"),
    (battery::CLASS, battery::DISCHARGING, "least and most discharging power"),
    (battery::CLASS, battery::CAPACITY, "rated energy"),
    (battery::CLASS, battery::POWER, "charging or discharging power"),
    (battery::CLASS, battery::DISCHARGED, "energy discharged"),
    (battery::CLASS, battery::CHARGED, "energy charged"),
    (battery::CLASS, battery::MODE, "operation mode"),
    (battery::CLASS, battery::STORED, "energy stored"),
    (battery::CLASS, battery::STORED_PERCENT, "share stored"),
    (battery::CLASS, battery::CHARGE_POWER, "charging power wanted"),
    (battery::CLASS, battery::DISCHARGE_POWER, "discharging power wanted"),
    (meter::CLASS, meter::COEFFICIENT, "coefficient of energies"),
    (meter::CLASS, meter::DIGITS, "significant digits of energies"),
    (meter::CLASS, meter::NORMAL, "energy in normal direction"),
    (meter::CLASS, meter::UNIT, "unit of energies"),
    (meter::CLASS, meter::NORMAL_DAY, "half-hours of a day in normal direction"),
    (meter::CLASS, meter::REVERSE, "energy in reverse direction"),
    (meter::CLASS, meter::REVERSE_DAY, "half-hours of a day in reverse direction"),
    (meter::CLASS, meter::DAY, "day of the half-hours"),
    (meter::CLASS, meter::POWER, "power now"),
    (meter::CLASS, meter::NORMAL_FIXED, "latest half-hour in normal direction"),
    (meter::CLASS, meter::REVERSE_FIXED, "latest half-hour in reverse direction"),
];

/// The names of properties that any object may have.
const COMMON: &[(u8, &str)] = &[
    (RELEASE, "release of the Appendix"),
    (IDENTIFICATION, "identification number"),
    (MAKER, "maker code"),
    (PRODUCT, "product code"),
    (SERIAL, "production number"),
    (TIME, "present time"),
    (DATE, "present date"),
    (INF_MAP, "what it tells by itself"),
    (SET_MAP, "what can be set"),
    (GET_MAP, "what can be read"),
];

/// What a property is.
pub fn name(class: u16, code: u8) -> &'static str {
    let of_class = NAMES.iter().find(|(its, of, _)| *its == class && *of == code).map(|(.., name)| *name);
    let common = || COMMON.iter().find(|(of, _)| *of == code).map(|(_, name)| *name);
    of_class.or_else(common).unwrap_or("not known here")
}

/// What a class is.
fn class_name(class: u16) -> &'static str {
    match class {
        solar::CLASS => "household solar power generation",
        battery::CLASS => "storage battery",
        meter::CLASS => "low-voltage smart electric energy meter",
        _ => "a class that this driver does not know",
    }
}

/// Looks at what is at an address.
pub async fn probe(address: &DeviceAddress, context: &Context) -> Result<Finding, DeviceError> {
    let place = Place::of(address, context)?;
    let profile = Object::new(Arc::clone(&place.node), NODE_PROFILE);
    let said =
        profile.read(&[RELEASE, IDENTIFICATION, MAKER, PRODUCT, SERIAL, node::INSTANCES]).await?.answers;
    let mut finding = identity(&said);
    finding.version =
        said.get(&RELEASE).and_then(|edt| Some(format!("ECHONET Lite {}.{}", edt.first()?, edt.get(1)?)));
    if let Some(number) = said.get(&IDENTIFICATION) {
        finding.remarks.push(format!("identification number {}", hex(number)));
    }
    let objects = instances(said.get(&node::INSTANCES), &mut finding);
    for eoj in &objects {
        let used = place.eoj.is_none_or(|wanted| wanted == *eoj) && known(eoj.class());
        let (name, about) = (eoj.to_string(), class_name(eoj.class()).to_owned());
        finding.parts.push(Part { name, about, place: format!("object {eoj}"), used });
    }
    let looked_at = match place.eoj {
        Some(eoj) if !objects.contains(&eoj) => {
            finding.lacks.push(format!("an object {eoj}: its list has {}", listed(&objects)));
            return Ok(finding);
        }
        Some(eoj) => vec![eoj],
        None => objects,
    };
    if looked_at.is_empty() {
        finding.lacks.push("any object besides itself".to_owned());
    }
    for eoj in looked_at {
        look_at(&Object::new(Arc::clone(&place.node), eoj), eoj, place.one_way, &mut finding).await?;
    }
    finding.offers.sort();
    finding.offers.dedup();
    Ok(finding)
}

/// Looks at one object.
async fn look_at(object: &Object, eoj: Eoj, one_way: bool, finding: &mut Finding) -> Result<(), DeviceError> {
    let session = object.session().await;
    let maps = match object.maps(&session).await {
        Ok(maps) => maps,
        Err(DeviceError::Unreachable { address, reason }) => {
            return Err(DeviceError::Unreachable { address, reason });
        }
        Err(error) => {
            finding.lacks.push(error.to_string());
            return Ok(());
        }
    };
    let said = object.read_in(&session, &[RELEASE, MAKER, PRODUCT, SERIAL]).await?.answers;
    let its = identity(&said);
    finding.manufacturer = its.manufacturer.or(finding.manufacturer.take());
    finding.model = its.model.or(finding.model.take());
    finding.serial = its.serial.or(finding.serial.take());
    if let Some([_, _, letter, _]) = said.get(&RELEASE).map(Vec::as_slice) {
        finding.remarks.push(format!("{eoj} is of release {} of the Appendix", char::from(*letter)));
    }
    for code in maps.get.codes().chain(maps.set.codes().filter(|code| !maps.get.has(*code))) {
        let used = known(eoj.class()) && name(eoj.class(), code) != "not known here";
        let about = format!("{} ({})", name(eoj.class(), code), access(maps, code));
        finding.parts.push(Part {
            name: format!("{code:02X}"),
            about,
            place: format!("{eoj}/{code:02X}"),
            used,
        });
    }
    judge(eoj, maps, one_way, finding);
    Ok(())
}

/// What an object can be used as, and what it lacks.
fn judge(eoj: Eoj, maps: Maps, one_way: bool, finding: &mut Finding) {
    if !known(eoj.class()) {
        finding.lacks.push(format!(
            "a use: {eoj} is of class {:04X}, and this driver knows 0279, 027D and 0288; what it says that it has \
             is listed above",
            eoj.class()
        ));
    }
    for need in NEEDS.iter().filter(|need| need.class == eoj.class()) {
        let lacks = |any: &&&[u8], map: PropertyMap| {
            let excused = one_way && any.contains(&meter::REVERSE) && eoj.class() == meter::CLASS;
            !excused && !any.iter().any(|code| map.has(*code))
        };
        let read = need.read.iter().filter(|any| lacks(any, maps.get)).map(|any| (*any, "read"));
        let set = need.set.iter().filter(|any| lacks(any, maps.set)).map(|any| (*any, "set"));
        let missing: Vec<String> =
            read.chain(set).map(|(any, how)| in_words(eoj.class(), any, how)).collect();
        if missing.is_empty() {
            finding.offers.push(need.capability);
        } else {
            let what = format!("{:?}", need.capability).to_lowercase();
            finding.lacks.push(format!("{eoj} for use as {what}: {}", missing.join("; ")));
        }
    }
    if eoj.class() == meter::CLASS && !(maps.get.has(meter::NORMAL_DAY) && maps.set.has(meter::DAY)) {
        finding.remarks.push(format!("{eoj} keeps no half-hours that can be asked for (E2, E5)"));
    }
}

fn in_words(class: u16, any: &[u8], how: &str) -> String {
    let codes: Vec<String> = any.iter().map(|code| format!("{code:02X} ({})", name(class, *code))).collect();
    format!("cannot {how} {}", codes.join(" or "))
}

const fn known(class: u16) -> bool {
    matches!(class, solar::CLASS | battery::CLASS | meter::CLASS)
}

fn access(maps: Maps, code: u8) -> &'static str {
    match (maps.get.has(code), maps.set.has(code)) {
        (true, true) => "read and set",
        (true, false) => "read",
        _ => "set",
    }
}

/// Who made something, and which it is.
fn identity(said: &Answers) -> Finding {
    Finding {
        manufacturer: said.get(&MAKER).map(|edt| format!("maker {}", hex(edt))),
        model: said.get(&PRODUCT).and_then(|edt| text(edt)),
        serial: said.get(&SERIAL).and_then(|edt| text(edt)),
        ..Finding::default()
    }
}

/// The objects of a list of instances.
fn instances(edt: Option<&Vec<u8>>, finding: &mut Finding) -> Vec<Eoj> {
    let Some((count, rest)) = edt.and_then(|edt| edt.split_first()) else {
        finding.lacks.push("a list of its objects (D6)".to_owned());
        return Vec::new();
    };
    let (objects, odd) = rest.as_chunks::<3>();
    if !odd.is_empty() || objects.len() != usize::from(*count) {
        finding.remarks.push(format!("its list of objects says {count} and has {} bytes", rest.len()));
    }
    objects.iter().copied().map(Eoj::from_bytes).collect()
}

fn listed(objects: &[Eoj]) -> String {
    let names: Vec<String> = objects.iter().map(Eoj::to_string).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Text in ASCII, filled up with zeros or spaces.
fn text(edt: &[u8]) -> Option<String> {
    let text: String = edt.iter().take_while(|byte| **byte != 0).copied().map(char::from).collect();
    let text = text.trim();
    let printable = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    (!text.is_empty() && printable).then(|| text.to_owned())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
