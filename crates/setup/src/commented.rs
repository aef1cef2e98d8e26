//! A configuration file with the meaning of every key above it.
//!
//! Always: what is written reads back as the same configuration; keys that are left out stand there as
//! comments, with what then holds. The words are those of docs/configuration.md. Not here: where the file
//! goes.

use crate::documentation::{self, Key};
use serde::Serialize;
use std::fmt::Write;
use toml::{Table, Value};

/// How wide comments are.
const WIDTH: usize = 100;

/// A configuration as TOML with comments. `file` is the name under which docs/configuration.md describes
/// it; `head` stands at the top, as a comment.
///
/// # Errors
/// Where the configuration cannot be written as TOML.
pub fn text(file: &str, head: &str, config: &impl Serialize) -> Result<String, toml::ser::Error> {
    let table = Table::try_from(config)?;
    let mut page = Page { keys: documentation::keys(file), text: String::new() };
    page.comment(head);
    page.table("", "", &table, true);
    Ok(page.text)
}

struct Page {
    keys: Vec<Key>,
    text: String,
}

impl Page {
    /// A table's keys, then the tables below it. `place` is how the documentation names it, `header` how the
    /// file does; `explain` says whether the comments are written (the first item of a list only).
    fn table(&mut self, place: &str, header: &str, table: &Table, explain: bool) {
        let keys: Vec<Key> = self.keys.iter().filter(|key| key.table() == place).cloned().collect();
        let known = |name: &str| keys.iter().any(|key| key.name() == name);
        let (tables, values): (Vec<&Key>, Vec<&Key>) = keys.iter().partition(|key| self.is_table(&key.path));
        for key in values {
            self.value(key, table.get(key.name()), explain);
        }
        for (name, value) in table.iter().filter(|(name, _)| !known(name)) {
            self.line(name, value);
        }
        for key in tables {
            let header =
                if header.is_empty() { key.name().to_owned() } else { format!("{header}.{}", key.name()) };
            self.below(key, &header, table.get(key.name()), explain);
        }
    }

    /// Whether a key's value is a table, or a list of them.
    fn is_table(&self, path: &str) -> bool {
        let list = format!("{path}[]");
        self.keys.iter().any(|key| key.table() == path || key.table() == list)
    }

    fn value(&mut self, key: &Key, value: Option<&Value>, explain: bool) {
        if explain {
            self.text.push('\n');
            self.comment(&key.meaning);
        }
        match (value, &key.default) {
            (Some(value), _) => self.line(key.name(), value),
            (None, Some(default)) if explain && default != "none" => {
                let _ = writeln!(self.text, "# {} = {default}", key.name());
            }
            (None, _) if explain => {
                let _ = writeln!(self.text, "# {} = …", key.name());
            }
            (None, _) => {}
        }
    }

    fn below(&mut self, key: &Key, header: &str, value: Option<&Value>, explain: bool) {
        let list = format!("{}[]", key.path);
        match value {
            Some(Value::Array(items)) => {
                for (number, item) in items.iter().filter_map(Value::as_table).enumerate() {
                    let explain = explain && number == 0;
                    self.heading(&format!("[[{header}]]"), explain.then_some(&key.meaning));
                    self.table(&list, header, item, explain);
                }
            }
            Some(Value::Table(inner)) => {
                self.heading(&format!("[{header}]"), explain.then_some(&key.meaning));
                self.table(&key.path, header, inner, explain);
            }
            Some(other) => self.line(key.name(), other),
            None if explain => {
                let listed = self.keys.iter().any(|inner| inner.table() == list);
                let heading = if listed { format!("# [[{header}]]") } else { format!("# [{header}]") };
                self.heading(&heading, Some(&key.meaning));
            }
            None => {}
        }
    }

    fn heading(&mut self, heading: &str, meaning: Option<&String>) {
        self.text.push('\n');
        if let Some(meaning) = meaning {
            self.comment(meaning);
        }
        let _ = writeln!(self.text, "{heading}");
    }

    fn line(&mut self, name: &str, value: &Value) {
        let _ = writeln!(self.text, "{name} = {value}");
    }

    /// Words as comment lines.
    fn comment(&mut self, words: &str) {
        for paragraph in words.lines() {
            let mut line = String::from("#");
            for word in paragraph.split_whitespace() {
                if line.chars().count() + 1 + word.chars().count() > WIDTH {
                    let _ = writeln!(self.text, "{line}");
                    line = String::from("#");
                }
                line.push(' ');
                line.push_str(word);
            }
            let _ = writeln!(self.text, "{line}");
        }
    }
}
