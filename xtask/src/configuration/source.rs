//! Structures and enumerations of formatted Rust code, read by their lines.
//!
//! Always: what rustfmt writes and this workspace uses is understood; anything else is an error, not a
//! guess. Not here: what it means for a configuration file.

use crate::tree::Tree;
use std::collections::BTreeMap;

/// What a type's name stands for.
pub enum Item {
    /// A structure with named fields.
    Structure(Structure),
    /// An enumeration's cases.
    Enumeration(Vec<Case>),
}

/// A structure.
pub struct Structure {
    /// Its name.
    pub name: String,
    /// The file that it stands in.
    pub file: String,
    /// Its documentation comment.
    pub meaning: String,
    /// Its fields, in order.
    pub fields: Vec<Field>,
}

/// A field.
pub struct Field {
    /// The line that it stands in.
    pub line: usize,
    /// Its name in files.
    pub name: String,
    /// Its Rust type.
    pub kind: String,
    /// Its documentation comment.
    pub meaning: String,
    /// Whether it may be left out.
    pub may_be_absent: bool,
    /// The expression of its default, where there is one.
    pub default: Option<String>,
}

/// A case of an enumeration.
pub struct Case {
    /// Its name in files.
    pub name: String,
    /// What it holds.
    pub shape: Shape,
}

/// What a case holds.
pub enum Shape {
    /// Nothing.
    Unit,
    /// One value of this type.
    Of(String),
}

/// Finds a type by its name: in this file, else in the one other that has it.
pub fn find(tree: &Tree, file: &str, name: &str) -> Option<Item> {
    let own = tree.get(file).filter(|text| begins(&text.text, name).is_some());
    let mut others = tree.ending(".rs").filter(|other| {
        other.path.starts_with("crates/")
            && other.path.contains("/src/")
            && begins(&other.text, name).is_some()
    });
    let found = match own {
        Some(own) => own,
        None => others.next().filter(|_| others.next().is_none())?,
    };
    let lines: Vec<&str> = found.text.lines().collect();
    let start = begins(&found.text, name)?;
    if lines[start].contains("enum ") {
        return Some(Item::Enumeration(cases(&lines, start)));
    }
    Some(Item::Structure(structure(&found.path, &found.text, &lines, start, name)))
}

/// The line in which a type's definition begins, if it is read from files.
fn begins(text: &str, name: &str) -> Option<usize> {
    let heads = [format!("pub struct {name} {{"), format!("pub enum {name} {{")];
    let line = text.lines().position(|line| heads.iter().any(|head| line == head))?;
    let lines: Vec<&str> = text.lines().collect();
    attributes(&lines, line).contains("Deserialize").then_some(line)
}

/// The attributes above a line, in one text.
fn attributes(lines: &[&str], line: usize) -> String {
    let above = lines[..line].iter().rev().map(|line| line.trim());
    let block: Vec<&str> = above.take_while(|line| !line.is_empty() && *line != "}").collect();
    block.into_iter().rev().filter(|line| !line.starts_with("//")).collect::<Vec<_>>().join(" ")
}

/// The documentation comment above a line, as plain words.
fn comment(lines: &[&str], line: usize) -> String {
    let above = lines[..line].iter().rev().map(|line| line.trim());
    let block =
        above.take_while(|line| line.starts_with("///") || line.starts_with("#[") || line.starts_with(')'));
    let words: Vec<&str> = block.filter_map(|line| line.strip_prefix("///")).map(str::trim).collect();
    let words: Vec<&str> = words.into_iter().rev().collect();
    words.join(" ").replace("[`", "`").replace("`]", "`")
}

fn structure(file: &str, text: &str, lines: &[&str], start: usize, name: &str) -> Structure {
    let whole = attributes(lines, start);
    let defaults = if whole.contains("serde(default") { of_default(text, name) } else { BTreeMap::new() };
    let end =
        lines[start..].iter().position(|line| *line == "}").map_or(lines.len(), |length| start + length);
    let mut fields = Vec::new();
    let mut above = start + 1;
    for number in start + 1..end {
        let line = lines[number].trim();
        let Some((name, kind)) =
            line.strip_prefix("pub ").and_then(|rest| rest.strip_suffix(',')?.split_once(": "))
        else {
            continue;
        };
        let marks = attributes_between(&lines[above..number]);
        above = number + 1;
        if marks.contains("serde(skip)") {
            continue;
        }
        let function = quoted(&marks, "default = ").and_then(|function| body(text, &function));
        let may_be_absent = !defaults.is_empty() || marks.contains("default") || kind.starts_with("Option<");
        fields.push(Field {
            line: number + 1,
            name: quoted(&marks, "rename = ").unwrap_or_else(|| name.to_owned()),
            kind: kind.to_owned(),
            meaning: comment(lines, number),
            may_be_absent,
            default: function.or_else(|| defaults.get(name).cloned()),
        });
    }
    Structure { name: name.to_owned(), file: file.to_owned(), meaning: comment(lines, start), fields }
}

fn attributes_between(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).filter(|line| !line.starts_with("//")).collect::<Vec<_>>().join(" ")
}

/// `key = "value"` in attributes.
fn quoted(attributes: &str, key: &str) -> Option<String> {
    let (_, rest) = attributes.split_once(&format!("{key}\""))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

/// The one expression of a function without arguments.
fn body(text: &str, function: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("fn {function}() -> "))?;
    let (_, rest) = rest.split_once("{\n")?;
    rest.split_once("\n}").map(|(body, _)| body.trim().to_owned())
}

/// The fields of `impl Default`.
fn of_default(text: &str, name: &str) -> BTreeMap<String, String> {
    let Some((_, rest)) = text.split_once(&format!("impl Default for {name} {{")) else {
        return BTreeMap::new();
    };
    let Some((_, rest)) = rest.split_once("-> Self {").and_then(|(_, rest)| rest.split_once("Self {")) else {
        return BTreeMap::new();
    };
    let body = rest.split_once("\n    }").map_or(rest, |(body, _)| body);
    let body = body.trim().trim_end_matches('}').trim();
    let pairs = body.split(',').filter_map(|pair| pair.trim().split_once(": "));
    pairs.map(|(field, value)| (field.to_owned(), value.trim().to_owned())).collect()
}

fn cases(lines: &[&str], start: usize) -> Vec<Case> {
    let snake = attributes(lines, start).contains("rename_all = \"snake_case\"");
    let lower = attributes(lines, start).contains("rename_all = \"lowercase\"");
    let body = lines[start + 1..].iter().map(|line| line.trim()).take_while(|line| *line != "}");
    let cases = body.filter(|line| !line.starts_with("//") && !line.starts_with("#["));
    let cases = cases.filter_map(|line| line.strip_suffix(',')).map(|case| {
        let case = case.split(" = ").next().unwrap_or(case);
        let (name, shape) = match case.split_once('(') {
            Some((name, inner)) => (name, Shape::Of(inner.trim_end_matches(')').to_owned())),
            None => (case, Shape::Unit),
        };
        let name = if snake {
            snaked(name)
        } else if lower {
            name.to_lowercase()
        } else {
            name.to_owned()
        };
        Case { name, shape }
    });
    cases.collect()
}

fn snaked(name: &str) -> String {
    let mut snaked = String::new();
    for (number, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && number > 0 {
            snaked.push('_');
        }
        snaked.extend(letter.to_lowercase());
    }
    snaked
}

/// A Rust expression as TOML.
pub fn value(expression: &str) -> Result<String, String> {
    let plain = expression.replace('_', "");
    if plain.parse::<i64>().is_ok() || matches!(expression, "true" | "false") {
        return Ok(plain);
    }
    if matches!(expression, "None" | "Vec::new()") {
        return Ok("none".to_owned());
    }
    if let Some(text) = expression.strip_suffix(".to_owned()").or(expression.strip_suffix(".into()")) {
        return Ok(text.to_owned());
    }
    if expression == "IpAddr::V4(Ipv4Addr::LOCALHOST)" {
        return Ok("\"127.0.0.1\"".to_owned());
    }
    if expression.ends_with("::ZERO") {
        return Ok("0".to_owned());
    }
    if let Some((make, number)) = expression.strip_suffix(')').and_then(|rest| rest.split_once('('))
        && (make.contains("::from_") || make.ends_with("::new"))
    {
        return value(number);
    }
    match expression.split_once("::") {
        Some((_, case)) if case.chars().all(char::is_alphanumeric) => Ok(format!("\"{}\"", snaked(case))),
        _ => Err(format!("the default `{expression}` cannot be told as a value; write it plainly")),
    }
}
