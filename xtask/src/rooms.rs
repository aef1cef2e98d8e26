//! Which crate may use which: the two tables of ARCHITECTURE.md against what cargo says.
//!
//! Always: the tables are the one source. Normal and build dependencies must stand in them; what tests
//! use may be wider, but a crate never tests itself with one that is built on it. Only the server's
//! consensus module names the consensus library.

use crate::finding::Finding;
use crate::tree::Tree;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

const MAP: &str = "ARCHITECTURE.md";
const PREFIX: &str = "wattbook-";
/// How the consensus library's packages begin; the one crate and the one folder that name them.
const LIBRARY: &str = "commonware";
const LIBRARY_USER: &str = "server";
const LIBRARY_FOLDER: &str = "crates/server/src/consensus";

/// A row of a table of ARCHITECTURE.md: the line it stands in and the names in its last cell.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    line: usize,
    allowed: BTreeSet<String>,
}

type Table = BTreeMap<String, Row>;

/// One package as cargo describes it: its short name, manifest and dependencies by kind.
struct Package {
    name: String,
    manifest: String,
    normal: BTreeSet<String>,
    tests: BTreeSet<String>,
}

/// Compares the tables with the workspace.
pub fn check(root: &Path, tree: &Tree) -> Result<Vec<Finding>, String> {
    let text = tree.get(MAP).map_or("", |file| &file.text);
    let (rooms, outside) = (table(text, "may use"), table(text, "outside crates"));
    let packages = packages(root)?;
    let mut findings = compare(&rooms, &outside, &packages);
    findings.extend(tests_upside_down(&packages));
    findings.extend(library_named_elsewhere(tree));
    Ok(findings)
}

/// The table whose last column has this title. Names are what stands in backquotes; `all` stands for
/// every crate of the table, `all but` for those not named after it.
fn table(text: &str, title: &str) -> Table {
    let ending = format!("| {title} |");
    let rows = text.lines().enumerate().skip_while(|(_, line)| !line.ends_with(&ending)).skip(2);
    let rows: Vec<_> = rows.take_while(|(_, line)| line.starts_with('|')).collect();
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(str::trim).map(str::to_owned).collect::<Vec<_>>();
    let names: Vec<String> =
        rows.iter().filter_map(|(_, line)| backquoted(cells(line).first()?).into_iter().next()).collect();
    let mut table = Table::new();
    for ((number, line), name) in rows.iter().zip(&names) {
        let last = cells(line).pop().unwrap_or_default();
        let listed: BTreeSet<String> = backquoted(&last).into_iter().collect();
        let allowed = if last.starts_with("all") {
            names.iter().filter(|other| *other != name && !listed.contains(*other)).cloned().collect()
        } else {
            listed
        };
        table.insert(name.clone(), Row { line: number + 1, allowed });
    }
    table
}

fn backquoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn packages(root: &Path) -> Result<Vec<Package>, String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot start cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let list = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
    Ok(list.iter().map(|package| describe(root, package)).collect())
}

fn describe(root: &Path, package: &Value) -> Package {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let short = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
    let (mut normal, mut tests) = (BTreeSet::new(), BTreeSet::new());
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        let name = text(&dependency["name"]);
        // Our own crates go by their short name; others keep theirs.
        let name = if dependency["path"].is_string() { short(&name) } else { name };
        if dependency["kind"] == "dev" {
            tests.insert(name)
        } else {
            normal.insert(name)
        };
    }
    let manifest = text(&package["manifest_path"]);
    let manifest =
        Path::new(&manifest).strip_prefix(root).map_or(manifest.clone(), |path| path.display().to_string());
    Package { name: short(&text(&package["name"])), manifest, normal, tests }
}

fn compare(rooms: &Table, outside: &Table, packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    for (name, row) in rooms.iter().chain(outside) {
        if !ours.contains(name.as_str()) {
            findings.push(Finding::at(
                MAP,
                row.line,
                format!("there is no crate `{name}`; take the row out"),
            ));
        }
    }
    for package in packages {
        let mut say = |what: String| findings.push(Finding::at(&package.manifest, 1, what));
        let Some(room) = rooms.get(&package.name) else {
            say(format!("`{}` has no row in the table of rooms of {MAP}; give it one", package.name));
            continue;
        };
        let (internal, external): (Vec<_>, Vec<_>) =
            package.normal.iter().partition(|name| ours.contains(name.as_str()));
        for name in internal.into_iter().filter(|name| !room.allowed.contains(*name)) {
            say(format!(
                "`{}` may not use `{name}` ({MAP}:{}); use another way or change the table",
                package.name, room.line
            ));
        }
        for name in &external {
            if name.starts_with(LIBRARY) && package.name != LIBRARY_USER {
                say(format!("only `{LIBRARY_USER}` may use the consensus library, not `{}`", package.name));
            }
        }
        if let Some(row) = outside.get(&package.name) {
            for name in external.iter().filter(|name| !row.allowed.contains(**name)) {
                say(format!(
                    "`{name}` is not on the list of outside crates ({MAP}:{}); do without it or say there why",
                    row.line
                ));
            }
            for name in row.allowed.iter().filter(|name| !external.contains(name)) {
                findings.push(Finding::at(
                    MAP,
                    row.line,
                    format!("`{}` does not use `{name}`; take it off the list", package.name),
                ));
            }
        }
    }
    findings
}

/// Crates that use, for their tests, one that is itself built on them.
fn tests_upside_down(packages: &[Package]) -> Vec<Finding> {
    let by_name: BTreeMap<&str, &Package> =
        packages.iter().map(|package| (package.name.as_str(), package)).collect();
    let mut findings = Vec::new();
    for package in packages {
        for test in package.tests.iter().filter(|name| **name != package.name) {
            let mut below = BTreeSet::new();
            let mut open = vec![test.as_str()];
            while let Some(name) = open.pop() {
                if let Some(found) = by_name.get(name)
                    && below.insert(name)
                {
                    open.extend(found.normal.iter().map(String::as_str));
                }
            }
            if below.contains(package.name.as_str()) {
                let what = format!(
                    "tests of `{}` use `{test}`, which is built on it; move them there",
                    package.name
                );
                findings.push(Finding::at(&package.manifest, 1, what));
            }
        }
    }
    findings
}

fn library_named_elsewhere(tree: &Tree) -> Vec<Finding> {
    let (path_form, package_form) = (format!("{LIBRARY}_"), format!("{LIBRARY}-"));
    let mut findings = Vec::new();
    for file in tree.ending(".rs").filter(|file| file.path.starts_with("crates/")) {
        if file.path.starts_with(LIBRARY_FOLDER) {
            continue;
        }
        for (number, line) in file.text.lines().enumerate() {
            if line.contains(&path_form) || line.contains(&package_form) {
                let what = format!("only {LIBRARY_FOLDER} names the consensus library; go through it");
                findings.push(Finding::at(&file.path, number + 1, what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
| crate | what lives there | may use |
| --- | --- | --- |
| `types` | words | nothing of ours |
| `ledger` | `State` | `types` |
| `cli` | the program | all |
| `sim` | the world | all but `cli` |

| crate | outside crates |
| --- | --- |
| `types` | `borsh` |
";

    fn package(name: &str, normal: &[&str], tests: &[&str]) -> Package {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Package {
            name: name.into(),
            manifest: format!("{name}/Cargo.toml"),
            normal: set(normal),
            tests: set(tests),
        }
    }

    fn said(packages: &[Package]) -> Vec<String> {
        let (rooms, outside) = (table(TEXT, "may use"), table(TEXT, "outside crates"));
        let mut findings = compare(&rooms, &outside, packages);
        findings.extend(tests_upside_down(packages));
        findings.iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn what_the_tables_allow_passes() {
        let packages = [
            package("types", &["borsh"], &["proptest"]),
            package("ledger", &["types", "wasmi"], &[]),
            package("sim", &["ledger"], &[]),
            package("cli", &["sim", "ledger"], &[]),
        ];
        assert_eq!(said(&packages), Vec::<String>::new());
    }

    #[test]
    fn what_they_do_not_allow_is_found() {
        let packages = [
            package("types", &["borsh", "rand"], &["ledger"]),
            package("ledger", &["types", "commonware-codec"], &[]),
            package("sim", &["cli"], &[]),
            package("cli", &[], &[]),
            package("extra", &[], &[]),
        ];
        let said = said(&packages).join("\n");
        for part in [
            "`rand` is not on the list",
            "only `server` may use the consensus library, not `ledger`",
            "`sim` may not use `cli`",
            "`extra` has no row",
            "tests of `types` use `ledger`",
        ] {
            assert!(said.contains(part), "{part} is not in:\n{said}");
        }
        assert_eq!(said.lines().count(), 5, "{said}");
    }
}
