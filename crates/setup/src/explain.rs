//! What the reader of TOML says, in words for whoever wrote the file.
//!
//! Always: the place is kept; an unknown key or value is told with the nearest that there is, and with all
//! of them. Not here: mistakes that only the configuration itself can tell (`read::Configuration::check`).

use crate::documentation::{self, Key};
use crate::nearest::nearest;
use crate::place;
use crate::wrong::Mistake;
use std::path::Path;

/// A mistake that the reader found.
pub(crate) fn mistake(file: &str, path: &Path, text: &str, error: &toml::de::Error) -> Mistake {
    let span = error.span().unwrap_or(0..0);
    let message = error.message().trim().replace('\n', ", ");
    let key = place::key_at(text, span.start);
    let keys = documentation::keys(file);
    let (what, help) = words(&message, &key, &keys);
    place::mistake(path, text, span, what, help)
}

/// What is wrong at a key, and what would be right.
fn words(message: &str, key: &str, keys: &[Key]) -> (String, Option<String>) {
    if let Some((name, known)) = listed(message, "unknown field `") {
        let what = format!("there is no key `{name}` here");
        return (what, Some(instead(&name, &known, "the keys here are", belongs(&name, keys))));
    }
    if let Some((name, known)) = listed(message, "unknown variant `") {
        let what = format!("`{name}` is not possible here");
        return (what, Some(instead(&name, &known, "possible are", None)));
    }
    if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        let table = key.trim_end_matches("[]");
        let place = if table.is_empty() { String::new() } else { format!(" in `{table}`") };
        let inner = if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
        return (format!("the key `{name}` is missing{place}"), described(&inner, keys));
    }
    let what = match message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected ")) {
        Some((found, wanted)) => format!("expected {wanted}, found {found}"),
        None => message.to_owned(),
    };
    let named = if key.is_empty() { what } else { format!("{}: {what}", key.replace("[]", "")) };
    (named, described(key, keys))
}

/// What a message says is unknown, and what is known in its place.
fn listed(message: &str, begin: &str) -> Option<(String, Vec<String>)> {
    let (name, rest) = message.strip_prefix(begin)?.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((name.to_owned(), known))
}

fn instead(name: &str, known: &[String], list: &str, elsewhere: Option<String>) -> String {
    let all = format!("{list} {}", known.join(", "));
    let near = nearest(name, known.iter().map(String::as_str));
    match (near, elsewhere) {
        _ if known.is_empty() => "nothing can stand here".to_owned(),
        (Some(near), _) => format!("did you mean `{near}`? ({all})"),
        (None, Some(table)) => format!("it belongs into {table} ({all})"),
        (None, None) => all,
    }
}

/// The table that has a key of this name.
fn belongs(name: &str, keys: &[Key]) -> Option<String> {
    let found = keys.iter().find(|key| key.name() == name)?;
    Some(match found.table() {
        "" => "the beginning of the file, before any [table]".to_owned(),
        list if list.ends_with("[]") => format!("[[{}]]", list.trim_end_matches("[]").replace("[]", "")),
        table => format!("[{}]", table.replace("[]", "")),
    })
}

/// What the documentation says of a key.
fn described(path: &str, keys: &[Key]) -> Option<String> {
    let key = keys.iter().find(|key| key.path == path)?;
    Some(format!("`{}` is {}: {}", key.name(), key.kind, key.meaning))
}
