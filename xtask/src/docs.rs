//! Documents that must be there, links between them, and the golden vectors beside the protocol page.

use crate::finding::Finding;
use crate::tree::{Text, Tree};
use std::path::Path;

/// What a newcomer, a contributor or an auditor looks for.
const REQUIRED: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "justfile",
    ".ci/run",
    "docs/glossary.md",
    "docs/metering.md",
    "docs/protocol.md",
    "docs/refusals.md",
    "docs/requirements.md",
    "crates/types/vectors/check.py",
];
const README: &str = "README.md";
const CI: &str = ".ci/run";
/// The command that tests everything: in the README, and what continuous integration calls.
const TEST_COMMAND: &str = "cargo xtask check";
const VECTORS: &str = "crates/types/vectors/";

const PROTOCOL: &str = "docs/protocol.md";
/// Where labels of hashes and signatures are part of the protocol.
const LABELLED: &[&str] = &["crates/types/src/", "crates/ledger/src/"];

/// Looks at the documents.
pub fn check(root: &Path, tree: &Tree) -> Vec<Finding> {
    let missing = REQUIRED.iter().filter(|path| tree.get(path).is_none());
    let mut findings: Vec<Finding> =
        missing.map(|path| Finding::at(path, 1, "is missing; the project promises it")).collect();
    for path in [README, CI] {
        if tree.get(path).is_some_and(|file| !file.text.contains(TEST_COMMAND)) {
            findings.push(Finding::at(path, 1, format!("does not call `{TEST_COMMAND}`")));
        }
    }
    if !tree.files.iter().any(|file| file.path.starts_with(VECTORS) && file.path.ends_with(".json")) {
        findings.push(Finding::at(VECTORS, 1, "no golden vectors; write them as docs/protocol.md says"));
    }
    for file in tree.ending(".md") {
        findings.extend(broken_links(root, file));
    }
    findings.extend(undocumented_labels(tree));
    findings
}

/// Labels of hashes and signatures that the protocol page does not list.
fn undocumented_labels(tree: &Tree) -> Vec<Finding> {
    let page = tree.get(PROTOCOL).map_or("", |file| &file.text);
    let mut findings = Vec::new();
    for file in tree.ending(".rs").filter(|file| LABELLED.iter().any(|folder| file.path.starts_with(folder)))
    {
        for (number, line) in file.text.lines().enumerate() {
            for rest in line.split("\"wattbook/").skip(1) {
                let name =
                    rest.split(|c: char| !c.is_ascii_lowercase() && c != '-').next().unwrap_or_default();
                if !page.contains(&format!("`wattbook/{name}`")) {
                    let what =
                        format!("label `wattbook/{name}` is not in {PROTOCOL}; list it in section 2 or 3");
                    findings.push(Finding::at(&file.path, number + 1, what));
                }
            }
        }
    }
    findings
}

/// Links to files of the repository that are not there.
fn broken_links(root: &Path, file: &Text) -> Vec<Finding> {
    let folder = root.join(&file.path).parent().expect("a file has a folder").to_owned();
    let mut findings = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            let elsewhere = target.is_empty() || target.contains("://") || target.starts_with('/');
            if !elsewhere && !folder.join(target).exists() {
                findings.push(Finding::at(
                    &file.path,
                    number + 1,
                    format!("links to `{target}`, which is not there"),
                ));
            }
        }
    }
    findings
}
