//! What Home Assistant asks of a discovery message, as its documentation says it, field by field.
//!
//! Sources, read in November 2026: integration MQTT ("Discovery topic", "Device discovery payload", "Using
//! availability topics"), "MQTT sensor" and "MQTT binary sensor" (configuration variables); developer
//! documentation, "Sensor entity" ("Available device classes", "Available state classes", "Long-term
//! statistics"), and the table of state classes by device class in Home Assistant's own sources.
//!
//! Always: independent of what makes the messages; a field that is not in these tables is a mistake.

#![allow(dead_code)] // Each test program uses its part.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Where a field may stand, whether it must, and what it is.
const ROOT: &[(&str, Need, Form)] = &[
    ("device", Need::Must, Form::Map(DEVICE)),
    ("origin", Need::Must, Form::Map(ORIGIN)),
    ("components", Need::Must, Form::Any),
    ("availability_topic", Need::Must, Form::Topic), // optional there; here the last will stands on it
    ("payload_available", Need::May, Form::Text),
    ("payload_not_available", Need::May, Form::Text),
    ("state_topic", Need::May, Form::Topic),
    ("qos", Need::May, Form::Whole),
    ("encoding", Need::May, Form::Text),
];
const DEVICE: &[(&str, Need, Form)] = &[
    ("identifiers", Need::Must, Form::Texts), // or connections, of which there are none here
    ("name", Need::Must, Form::Text),
    ("manufacturer", Need::May, Form::Text),
    ("model", Need::May, Form::Text),
    ("model_id", Need::May, Form::Text),
    ("serial_number", Need::May, Form::Text),
    ("sw_version", Need::May, Form::Text),
    ("hw_version", Need::May, Form::Text),
    ("suggested_area", Need::May, Form::Text),
    ("via_device", Need::May, Form::Text),
    ("configuration_url", Need::May, Form::Text),
];
const ORIGIN: &[(&str, Need, Form)] = &[
    ("name", Need::Must, Form::Text),
    ("sw_version", Need::May, Form::Text),
    ("support_url", Need::May, Form::Text),
];
const COMPONENT: &[(&str, Need, Form)] = &[
    ("platform", Need::Must, Form::Text),
    ("unique_id", Need::Must, Form::Text),
    ("name", Need::Must, Form::Text), // optional there; here nobody is to read "MQTT Sensor"
    ("value_template", Need::Must, Form::Text), // optional there; here all share one JSON state
    ("state_topic", Need::May, Form::Topic),
    ("device_class", Need::May, Form::Text),
    ("entity_category", Need::May, Form::Text),
    ("expire_after", Need::May, Form::Whole),
    ("icon", Need::May, Form::Text),
];
/// What sensors have and binary sensors do not.
const SENSOR: &[(&str, Need, Form)] = &[
    ("state_class", Need::May, Form::Text),
    ("unit_of_measurement", Need::May, Form::Text),
    ("suggested_display_precision", Need::May, Form::Whole),
];

/// Device classes of sensors: the units and state classes that go with each.
const CLASSES: &[(&str, &[&str], &[&str])] = &[
    ("power", &["mW", "W", "kW", "MW", "GW", "TW"], &["measurement"]),
    ("energy", &["Wh", "kWh", "MWh", "GWh", "TWh"], &["total", "total_increasing"]),
    ("energy_storage", &["Wh", "kWh", "MWh", "GWh", "TWh"], &["measurement"]),
    ("battery", &["%"], &["measurement"]),
];
const STATE_CLASSES: &[&str] = &["measurement", "measurement_angle", "total", "total_increasing"];
const BINARY_CLASSES: &[&str] = &["connectivity", "problem", "power", "running"];

#[derive(Clone, Copy, PartialEq)]
enum Need {
    Must,
    May,
}

#[derive(Clone, Copy)]
enum Form {
    Text,
    Texts,
    Topic,
    Whole,
    Map(&'static [(&'static str, Need, Form)]),
    Any,
}

/// All that is wrong with a discovery message, for the state that goes with it.
pub fn mistakes(prefix: &str, topic: &str, config: &str, state: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    let id = topic.strip_prefix(&format!("{prefix}/device/")).and_then(|rest| rest.strip_suffix("/config"));
    if !id.is_some_and(plain) {
        wrong.push(format!("the topic {topic} is not {prefix}/device/ID/config"));
    }
    let (Ok(Value::Object(config)), Ok(state)) = (serde_json::from_str(config), serde_json::from_str(state))
    else {
        return vec!["the message or the state is no JSON object".to_owned()];
    };
    fields("", &config, ROOT, &mut wrong);
    let mut ids = BTreeSet::new();
    let components = config.get("components").and_then(Value::as_object).cloned().unwrap_or_default();
    if components.is_empty() {
        wrong.push("there are no components".to_owned());
    }
    for (key, part) in &components {
        let Some(part) = part.as_object() else {
            wrong.push(format!("{key} is no object"));
            continue;
        };
        component(key, part, &state, &mut wrong);
        if !ids.insert(part.get("unique_id").cloned().unwrap_or_default().to_string()) {
            wrong.push(format!("{key} has the unique_id of another"));
        }
        if part.get("state_topic").or(config.get("state_topic")).is_none() {
            wrong.push(format!("{key} has no state_topic"));
        }
    }
    wrong
}

fn fields(at: &str, map: &Map<String, Value>, known: &[(&str, Need, Form)], wrong: &mut Vec<String>) {
    for (name, need, form) in known {
        match (map.get(*name), need) {
            (None, Need::Must) => wrong.push(format!("{at}{name} is missing")),
            (None, Need::May) => {}
            (Some(value), _) => {
                if !fits(value, *form) {
                    wrong.push(format!("{at}{name} cannot be {value}"));
                }
                if let (Form::Map(inner), Some(map)) = (form, value.as_object()) {
                    fields(&format!("{at}{name}."), map, inner, wrong);
                }
            }
        }
    }
    let strange = map.keys().filter(|name| !known.iter().any(|(known, ..)| known == name));
    wrong.extend(strange.map(|name| format!("{at}{name} is not known here")));
}

fn fits(value: &Value, form: Form) -> bool {
    let text = value.as_str().filter(|text| !text.is_empty());
    match form {
        Form::Any => true,
        Form::Text => text.is_some(),
        Form::Topic => text.is_some_and(|topic| !topic.contains(['+', '#'])),
        Form::Whole => value.as_u64().is_some(),
        Form::Map(_) => value.is_object(),
        Form::Texts => value
            .as_array()
            .is_some_and(|texts| !texts.is_empty() && texts.iter().all(|text| fits(text, Form::Text))),
    }
}

fn component(key: &str, part: &Map<String, Value>, state: &Value, wrong: &mut Vec<String>) {
    let text = |name: &str| part.get(name).and_then(Value::as_str);
    let at = format!("{key}.");
    match text("platform") {
        Some("sensor") => {
            fields(&at, part, &[COMPONENT, SENSOR].concat(), wrong);
            let (class, unit, counts) =
                (text("device_class"), text("unit_of_measurement"), text("state_class"));
            sensor(key, (class, unit, counts), wrong);
        }
        Some("binary_sensor") => {
            fields(&at, part, COMPONENT, wrong);
            if text("device_class").is_some_and(|class| !BINARY_CLASSES.contains(&class)) {
                wrong.push(format!("{key}: no such device class of a binary sensor"));
            }
        }
        other => wrong.push(format!("{key}: the platform {other:?} is not expected")),
    }
    if text("entity_category").is_some_and(|category| category != "diagnostic") {
        wrong.push(format!("{key}: a sensor's category can only be diagnostic"));
    }
    values(key, part, state, wrong);
}

type Classes<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);

fn sensor(key: &str, (class, unit, counts): Classes<'_>, wrong: &mut Vec<String>) {
    if counts.is_some_and(|counts| !STATE_CLASSES.contains(&counts)) {
        wrong.push(format!("{key}: there is no state class {counts:?}"));
    }
    let Some(class) = class else { return };
    match CLASSES.iter().find(|(name, ..)| *name == class) {
        None => wrong.push(format!("{key}: the device class {class} is not expected")),
        Some((_, units, classes)) => {
            if !unit.is_some_and(|unit| units.contains(&unit)) {
                wrong.push(format!("{key}: {class} cannot be in {unit:?}"));
            }
            if counts.is_some_and(|counts| !classes.contains(&counts)) {
                wrong.push(format!("{key}: {class} cannot be {counts:?}"));
            }
        }
    }
}

/// The template must name a key of the state whose value can be what the sensor says.
fn values(key: &str, part: &Map<String, Value>, state: &Value, wrong: &mut Vec<String>) {
    let template = part.get("value_template").and_then(Value::as_str).unwrap_or_default();
    if !template.starts_with("{{ ") || !template.ends_with(" }}") {
        wrong.push(format!("{key}: {template} is no template"));
    }
    let name = template.split("value_json.").nth(1).unwrap_or_default();
    let name: String = name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let Some(value) = state.get(&name) else {
        return wrong.push(format!("{key}: the state has no {name:?}"));
    };
    let numeric = part.contains_key("state_class") || part.contains_key("unit_of_measurement");
    if numeric && !(value.is_number() || value.is_null()) {
        wrong.push(format!("{key}: {value} is no number"));
    }
    if value.as_str().is_some_and(|words| words.chars().count() > 255) {
        wrong.push(format!("{key}: a state has 255 characters at most"));
    }
}
