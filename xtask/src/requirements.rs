//! `docs/requirements.md`: every requirement once, in order, with its state and the tests that show it.
//!
//! Always: a test named there exists; a test whose name begins with a requirement's id stands in that
//! requirement's row; what is called done has a test. The ids themselves stand here, because the page is
//! checked against them. `cargo xtask requirements` fills in the names of tests; words and states are
//! written by hand.

use crate::finding::Finding;
use crate::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const PATH: &str = "docs/requirements.md";
/// Groups of ids and how many each has, as the requirement list numbers them.
const GROUPS: &[(&str, u32)] =
    &[("P", 10), ("L", 12), ("S", 7), ("B", 11), ("M", 11), ("D", 5), ("F", 26), ("T", 11)];
/// An id between two numbers, and the one it stands after.
const BETWEEN: (&str, &str) = ("F6b", "F6");
const STATES: &[&str] = &["done", "partly", "open", "later"];

/// A row: its line, the tests named in it and its state.
struct Row<'a> {
    line: usize,
    tests: Vec<&'a str>,
    state: &'a str,
}

/// All ids, in order.
fn ids() -> Vec<String> {
    let mut ids = Vec::new();
    for (group, count) in GROUPS {
        for number in 1..=*count {
            let id = format!("{group}{number}");
            let between = id == BETWEEN.1;
            ids.push(id);
            if between {
                ids.push(BETWEEN.0.to_owned());
            }
        }
    }
    ids
}

/// Compares the page with the ids and with the tests of the tree.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.get(PATH) else { return Vec::new() };
    let (rows, mut findings) = rows(&page.text);
    let ids = ids();
    for id in &ids {
        if !rows.contains_key(id.as_str()) {
            findings.push(Finding::at(PATH, 1, format!("{id} has no row")));
        }
    }
    let tests = tests(tree);
    for (id, row) in &rows {
        let mut say = |what: String| findings.push(Finding::at(PATH, row.line, what));
        if !ids.iter().any(|known| known == id) {
            say(format!("{id} is not a requirement's id"));
        }
        if !STATES.contains(&row.state) {
            say(format!("{id}: the state is one of {}", STATES.join(", ")));
        }
        if row.state == "done" && row.tests.is_empty() {
            say(format!("{id} is called done but no test shows it"));
        }
        for name in row.tests.iter().filter(|name| !tests.contains_key(**name)) {
            say(format!("{id}: there is no test `{name}`"));
        }
    }
    for (name, (file, line)) in &tests {
        for id in ids_in(name, &ids) {
            if rows.get(id.as_str()).is_some_and(|row| !row.tests.contains(name)) {
                findings.push(Finding::at(
                    file,
                    *line,
                    format!(
                        "`{name}` is not named in the row {id} of {PATH}; run `cargo xtask requirements`"
                    ),
                ));
            }
        }
    }
    findings
}

/// Writes the names of tests into the page: those that stand there and exist, and those named after the id.
pub fn write(root: &Path) -> Result<(), String> {
    let tree = Tree::read(root)?;
    let page = tree.get(PATH).ok_or_else(|| format!("{PATH} is not there"))?;
    let filled = filled(&page.text, &tests(&tree));
    std::fs::write(root.join(PATH), filled).map_err(|error| format!("cannot write {PATH}: {error}"))
}

fn filled(page: &str, tests: &BTreeMap<&str, (&str, usize)>) -> String {
    let ids = ids();
    let line = |line: &str| {
        let cells = cells(line);
        let [id, words, named, state] = cells[..] else { return format!("{line}\n") };
        if !ids.iter().any(|known| known == id) {
            return format!("{line}\n");
        }
        let kept = named.split('`').skip(1).step_by(2).filter(|name| tests.contains_key(name));
        let own = tests.keys().copied().filter(|name| ids_in(name, &ids).iter().any(|other| other == id));
        let names: BTreeSet<&str> = kept.chain(own).collect();
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        format!("| {id} | {words} | {} | {state} |\n", names.join(" "))
    };
    page.lines().map(line).collect()
}

fn cells(line: &str) -> Vec<&str> {
    let inner = line.strip_prefix('|').and_then(|rest| rest.strip_suffix('|'));
    inner.map(|inner| inner.split('|').map(str::trim).collect()).unwrap_or_default()
}

/// The rows of all tables whose first cell is an id: `| id | words | tests | state |`.
fn rows(page: &str) -> (BTreeMap<&str, Row<'_>>, Vec<Finding>) {
    let (mut rows, mut findings) = (BTreeMap::new(), Vec::new());
    for (number, line) in page.lines().enumerate() {
        let cells = cells(line);
        let [id, _, tests, state] = cells[..] else { continue };
        if id == "id" || id.starts_with('-') {
            continue;
        }
        let state = state.split([' ', ',', ':']).next().unwrap_or_default();
        let tests = tests.split('`').skip(1).step_by(2).collect();
        if rows.insert(id, Row { line: number + 1, tests, state }).is_some() {
            findings.push(Finding::at(PATH, number + 1, format!("{id} has two rows")));
        }
    }
    (rows, findings)
}

/// Every function below a test attribute, with its place.
fn tests(tree: &Tree) -> BTreeMap<&str, (&str, usize)> {
    let mut tests = BTreeMap::new();
    for file in tree.ending(".rs") {
        let mut marked = false;
        for (number, line) in file.text.lines().map(str::trim_start).enumerate() {
            let attribute = line.starts_with("#[");
            if line == "#[test]" || line.starts_with("#[tokio::test") || line.starts_with("#[test_") {
                marked = true;
            } else if marked
                && !attribute
                && let Some((_, rest)) = line.split_once("fn ")
            {
                let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                tests.insert(name, (file.path.as_str(), number + 1));
                marked = false;
            }
        }
    }
    tests
}

/// The ids that a test's name begins with: `s4_f1_refuses_…` shows S4 and F1.
fn ids_in(name: &str, ids: &[String]) -> Vec<String> {
    let parts = name.split('_').map(|part| ids.iter().find(|id| id.eq_ignore_ascii_case(part)));
    parts.take_while(Option::is_some).flatten().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Text;

    fn said(page: &str, code: &str) -> Vec<String> {
        let others = ids().into_iter().filter(|id| !page.contains(&format!("| {id} |")));
        let rest: String = others.map(|id| format!("| {id} | words | | open |\n")).collect();
        let file = |path: &str, text: String| Text { path: path.into(), text };
        let files = vec![file("a.rs", code.into()), file(PATH, format!("{page}{rest}"))];
        check(&Tree { files }).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_page_that_agrees_with_the_tests_passes() {
        let page = "| S4 | verifies | `s4_f1_refuses` `plain` | done |\n| F1 | claims more | `s4_f1_refuses` | partly: more |\n";
        let code = "#[test]\nfn s4_f1_refuses() {}\n#[test]\n#[ignore]\nfn plain() {}\nfn s4_no_test() {}\n";
        assert_eq!(said(page, code), Vec::<String>::new());
    }

    #[test]
    fn tests_are_filled_in_and_taken_out() {
        let page = "# Page\n\n| id | what | tests | state |\n| S4 | verifies | `gone` `plain` | done |\n| F1 | more | | open |\n";
        let tests = BTreeMap::from([("plain", ("a.rs", 1)), ("s4_f1_refuses", ("a.rs", 2))]);
        let wanted = "# Page\n\n| id | what | tests | state |\n| S4 | verifies | `plain` `s4_f1_refuses` | done |\n| F1 | more | `s4_f1_refuses` | open |\n";
        assert_eq!(filled(page, &tests), wanted);
    }

    #[test]
    fn what_disagrees_is_found() {
        let page = "| S4 | verifies | `gone` | done |\n| F1 | more | | done |\n| F99 | none | | open |\n| B1 | asks | | maybe |\n";
        let code = "#[tokio::test]\nasync fn s4_refuses() {}\n";
        let said = said(page, code).join("\n");
        for part in [
            "S4: there is no test `gone`",
            "F1 is called done but no test shows it",
            "F99 is not a requirement's id",
            "B1: the state is one of",
            "a.rs:2: `s4_refuses` is not named in the row S4",
        ] {
            assert!(said.contains(part), "{part} is not in:\n{said}");
        }
        assert_eq!(said.lines().count(), 5, "{said}");
    }
}
