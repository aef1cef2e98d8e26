//! `docs/refusals.md`, made from `wattbook_types::refusal`.

use crate::finding::Finding;
use crate::tree::Tree;
use std::fmt::Write;
use std::path::Path;
use wattbook_types::refusal::{Refusal, Remedy};

const PATH: &str = "docs/refusals.md";

const HEAD: &str = "# Refusals

Made from `crates/types/src/refusal.rs` by `cargo xtask refusals`; edit there, not here.

A number and a code never change their meaning and are never used again. The number stands in ledgers, the
code in answers of the HTTP API (`code` of a problem document) and in what `--json` prints. They are listed in
the order in which they are checked: the first that applies is the answer.

*Again?* says whether the same transaction may be sent again: **no** (it will be refused for ever), **wait**
(it may be accepted later as it is), **change** (another amount, price or time may be accepted).

| number | code | what is wrong | what to do | again? |
| ---: | --- | --- | --- | --- |
";

/// The page as it should be.
fn page() -> String {
    let mut page = HEAD.to_owned();
    for refusal in Refusal::ALL {
        let again = match refusal.remedy() {
            Remedy::Never => "no",
            Remedy::Wait => "wait",
            Remedy::Change => "change",
        };
        let (number, code) = (refusal.number(), refusal.code());
        writeln!(page, "| {number} | `{code}` | {} | {} | {again} |", refusal.text(), refusal.advice())
            .expect("a string takes every character");
    }
    page
}

/// Writes the page.
pub fn write(root: &Path) -> Result<(), String> {
    std::fs::write(root.join(PATH), page()).map_err(|error| format!("cannot write {PATH}: {error}"))
}

/// Finds a page that is not what the code says.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let wanted = page();
    let there = tree.get(PATH).map_or("", |file| &file.text);
    if there == wanted {
        return Vec::new();
    }
    let same = there.lines().zip(wanted.lines()).take_while(|(a, b)| a == b).count();
    vec![Finding::at(PATH, same + 1, "differs from crates/types/src/refusal.rs; run `cargo xtask refusals`")]
}
