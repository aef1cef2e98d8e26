//! Where in a text something stands: bytes to lines and columns, keys to bytes, bytes to keys.
//!
//! Always: lines and columns count from 1, columns in letters; a place that cannot be found is the file's
//! beginning. Not here: what is wrong there.

use crate::wrong::{Mistake, Wrong};
use std::ops::Range;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// A mistake at some bytes of a text.
pub(crate) fn mistake(
    path: &Path,
    text: &str,
    span: Range<usize>,
    what: String,
    help: Option<String>,
) -> Mistake {
    let start = (0..=span.start.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let before = &text[..start];
    let line = before.matches('\n').count() + 1;
    let begin = before.rfind('\n').map_or(0, |at| at + 1);
    let column = text[begin..start].chars().count() + 1;
    let shown = text[begin..].lines().next().unwrap_or_default();
    let length = span.end.saturating_sub(start).min((begin + shown.len()).saturating_sub(start));
    let marks = text.get(start..start + length).map_or(1, |marked| marked.chars().count().max(1));
    let excerpt = excerpt(line, column, shown, marks);
    Mistake { path: path.to_owned(), line, column, what, help, excerpt }
}

/// The line with its number, and marks under a part of it.
fn excerpt(line: usize, column: usize, shown: &str, marks: usize) -> String {
    if shown.trim().is_empty() {
        return String::new();
    }
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let shown = shown.replace('\t', " ");
    format!("{number} | {shown}\n{margin} | {}{}", " ".repeat(column - 1), "^".repeat(marks))
}

/// A wrong value, with its place.
pub(crate) fn of_wrong(path: &Path, text: &str, wrong: Wrong) -> Mistake {
    let span = DeTable::parse(text).ok().and_then(|table| span_of(table.get_ref(), &wrong.key));
    let what = format!("{}: {}", wrong.key, wrong.why);
    mistake(path, text, span.unwrap_or(0..0), what, None)
}

/// Where the value of a key stands, or of as many of its tables as there are.
fn span_of(table: &DeTable<'_>, key: &str) -> Option<Range<usize>> {
    let mut steps = key.split('.');
    let (first, indices) = step(steps.next()?);
    let mut value = table.get(first)?;
    let mut found = value.span();
    let mut indices = indices;
    loop {
        for index in indices {
            match value.get_ref().as_array().and_then(|items| items.get(index)) {
                Some(item) => value = item,
                None => return Some(found),
            }
            found = value.span();
        }
        let Some(name) = steps.next() else { return Some(found) };
        let (name, further) = step(name);
        match value.get_ref().as_table().and_then(|table| table.get(name)) {
            Some(inner) => value = inner,
            None => return Some(found),
        }
        found = value.span();
        indices = further;
    }
}

/// `servers[2]` as its name and its indices.
fn step(text: &str) -> (&str, Vec<usize>) {
    let mut parts = text.split('[');
    let name = parts.next().unwrap_or_default();
    (name, parts.filter_map(|part| part.trim_end_matches(']').parse().ok()).collect())
}

/// The key whose value, or itself, stands at a byte: `servers[].address`, without numbers. Empty outside
/// of any.
pub(crate) fn key_at(text: &str, byte: usize) -> String {
    let (table, _) = DeTable::parse_recoverable(text);
    let mut path = String::new();
    in_table(table.get_ref(), byte, &mut path);
    path
}

fn in_table(table: &DeTable<'_>, byte: usize, path: &mut String) {
    let holds = |span: Range<usize>| span.contains(&byte) || span.start == byte;
    // A table's own span is its header's, so that a value inside is looked for everywhere.
    for (key, value) in table.iter() {
        let length = path.len();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key.get_ref());
        let before = path.len();
        if holds(key.span()) && !matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_)) {
            return;
        }
        in_value(value.get_ref(), byte, path);
        if path.len() > before || holds(value.span()) {
            return;
        }
        path.truncate(length);
    }
}

fn in_value(value: &DeValue<'_>, byte: usize, path: &mut String) {
    match value {
        DeValue::Table(table) => in_table(table, byte, path),
        DeValue::Array(items) => {
            for item in items.iter() {
                let length = path.len();
                path.push_str("[]");
                let before = path.len();
                in_value(item.get_ref(), byte, path);
                let inside = item.span().contains(&byte);
                if path.len() > before || (inside && item.get_ref().is_table()) {
                    return;
                }
                path.truncate(length);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name = \"north\"\n\n[[servers]]\nkey = \"a\"\n[[servers]]\nkey = \"b\"\naddress = 7\n\n[tls]\nkey = \"k\"\n";

    #[test]
    fn keys_are_found_and_places_named() {
        for (key, line, column) in [
            ("name", 1, 8),
            ("servers[1].address", 7, 11),
            ("servers[1].gone", 5, 1),
            ("servers[9]", 3, 1),
            ("tls.key", 10, 7),
            ("nothing", 1, 1),
        ] {
            let found = of_wrong(Path::new("f"), TEXT, Wrong::new(key, "wrong"));
            assert_eq!((found.line, found.column), (line, column), "{key}");
        }
    }

    #[test]
    fn bytes_are_in_keys() {
        for (piece, key) in [
            ("\"north\"", "name"),
            ("\"b\"", "servers[].key"),
            ("7\n", "servers[].address"),
            ("\"k\"", "tls.key"),
        ] {
            assert_eq!(key_at(TEXT, TEXT.find(piece).expect("it is there")), key, "{piece}");
        }
    }

    proptest::proptest! {
        /// Whatever stands in a file and wherever it is wrong, it can be said.
        #[test]
        fn any_text_and_place_can_be_shown(text in "[a-z=\\[\\]\".\n\t ßä漢#{}0-9]{0,60}", from in 0..90_usize, length in 0..90_usize) {
            let found = mistake(Path::new("f"), &text, from..from + length, "odd".to_owned(), None);
            proptest::prop_assert!(found.line >= 1 && found.column >= 1);
            let _ = key_at(&text, from);
            if let Err(error) = toml::from_str::<toml::Table>(&text) {
                let _ = crate::explain::mistake("server.toml", Path::new("f"), &text, &error).to_string();
            }
        }
    }

    #[test]
    fn columns_count_letters() {
        let found = mistake(Path::new("f"), "ä = \"ß\" x", 8..9, "odd".to_owned(), None);
        assert_eq!((found.line, found.column), (1, 7));
        assert_eq!(found.excerpt, "1 | ä = \"ß\" x\n  |       ^");
    }
}
