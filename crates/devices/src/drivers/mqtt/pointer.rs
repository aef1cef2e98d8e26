//! Finds a value in a JSON message, as the text that stands there (JSON pointers, RFC 6901).
//!
//! Always: numbers keep their digits, because nothing on the way makes a binary fraction of them; a message
//! that is no JSON is told from one that has no such value.

use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// How deep and how many values of an unknown message are listed.
const DEPTH: usize = 6;
const LEAVES: usize = 100;

/// The way to a value, such as `/ENERGY/Total`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// Reads one; it begins with `/`.
    pub fn parse(text: &str) -> Option<Self> {
        let steps = text.strip_prefix('/')?.split('/');
        Some(Self(steps.map(|step| step.replace("~1", "/").replace("~0", "~")).collect()))
    }

    /// The scalar there, as text; `Ok(None)` where the message has nothing there.
    pub fn find(&self, message: &str) -> Result<Option<String>, &'static str> {
        let mut here: &RawValue = serde_json::from_str(message).map_err(|_| "it is no JSON")?;
        for step in &self.0 {
            let next = match here.get().as_bytes().first() {
                Some(b'{') => members(here).remove(step.as_str()),
                Some(b'[') => step.parse().ok().and_then(|at: usize| items(here).get(at).copied()),
                _ => None,
            };
            match next {
                Some(next) => here = next,
                None => return Ok(None),
            }
        }
        Ok(Some(scalar(here)))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| write!(f, "/{}", step.replace('~', "~0").replace('/', "~1")))
    }
}

fn members(value: &RawValue) -> BTreeMap<String, &RawValue> {
    serde_json::from_str(value.get()).unwrap_or_default()
}

fn items(value: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(value.get()).unwrap_or_default()
}

/// A text without its quotation marks, everything else as it stands.
fn scalar(value: &RawValue) -> String {
    serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned())
}

/// All scalars of a JSON message with the way to each; nothing where it is no object.
pub fn leaves(message: &str) -> Vec<(Pointer, String)> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str::<&RawValue>(message) {
        collect(value, &mut Vec::new(), &mut found);
    }
    found
}

fn collect(value: &RawValue, way: &mut Vec<String>, found: &mut Vec<(Pointer, String)>) {
    let inner: Vec<(String, &RawValue)> = match value.get().as_bytes().first() {
        Some(b'{') => members(value).into_iter().collect(),
        Some(b'[') => items(value).into_iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect(),
        _ if way.is_empty() => return,
        _ => return found.push((Pointer(way.clone()), scalar(value))),
    };
    for (step, value) in inner {
        if way.len() >= DEPTH || found.len() >= LEAVES {
            return;
        }
        way.push(step);
        collect(value, way, found);
        way.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str =
        r#"{"a":{"b/c":[10,12.3400000000000000001]},"t":"7.5","~":null,"deep":{"x":{"y":true}}}"#;

    #[test]
    fn the_text_that_stands_there_is_found() {
        for (pointer, found) in [
            ("/a/b~1c/1", Some("12.3400000000000000001")),
            ("/t", Some("7.5")),
            ("/~0", Some("null")),
            ("/deep/x/y", Some("true")),
            ("/a/b~1c/2", None),
            ("/a/b", None),
            ("/t/7", None),
        ] {
            let way = Pointer::parse(pointer).expect("a pointer");
            assert_eq!(way.find(MESSAGE), Ok(found.map(str::to_owned)), "{pointer}");
            assert_eq!(way.to_string(), pointer);
        }
        assert!(Pointer::parse("a").is_none());
        assert!(Pointer::parse("/a").expect("a pointer").find("12 kWh").is_err());
    }

    #[test]
    fn all_scalars_are_listed_with_their_way() {
        let listed: Vec<_> = leaves(MESSAGE).into_iter().map(|(way, text)| format!("{way}={text}")).collect();
        let wanted =
            ["/a/b~1c/0=10", "/a/b~1c/1=12.3400000000000000001", "/deep/x/y=true", "/t=7.5", "/~0=null"];
        assert_eq!(listed, wanted);
        assert!(leaves("17.4").is_empty() && leaves("{").is_empty());
        assert!(leaves(&"[".repeat(5_000)).is_empty(), "a bottomless message does no harm");
    }
}
