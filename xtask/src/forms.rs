//! How files are written: their first line, their length, the length of functions, and words that do
//! not belong into a repository.
//!
//! Always: what is too long for a good reason stands in `xtask/long.txt` with that reason; a line there
//! that is not needed any more is a finding too.

use crate::finding::Finding;
use crate::tree::{Text, Tree};

const MAX_FILE_LINES: usize = 800;
const MAX_FUNCTION_LINES: usize = 80;
const EXCEPTIONS: &str = "xtask/long.txt";
const LOCK: &str = "Cargo.lock";
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Texts that name the machine they were written on, a host of a package registry, or their writer's
/// circumstances. Put together here so that this file does not contain them.
const UNWANTED: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/Us", "ers/"), "a path of one machine"),
    (concat!("/ho", "me/user"), "a path of one machine"),
    (concat!("/ho", "me/ubuntu"), "a path of one machine"),
    (concat!("index.crates", ".io"), "a registry's host; package names are enough"),
    (concat!("static.crates", ".io"), "a registry's host; package names are enough"),
    (concat!("registry.npmjs", ".org"), "a registry's host; package names are enough"),
    (concat!("pypi", ".org"), "a registry's host; package names are enough"),
    (concat!("files.python", "hosted.org"), "a registry's host; package names are enough"),
    (concat!("deb.deb", "ian.org"), "a registry's host; package names are enough"),
    (concat!("proxy.gol", "ang.org"), "a registry's host; package names are enough"),
    (concat!("this ses", "sion"), "about the writer, not the subject"),
    (concat!("language mo", "del"), "about the writer, not the subject"),
    (concat!("the pro", "mpt"), "about the writer, not the subject"),
    (concat!("sub", "agent"), "about the writer, not the subject"),
    (concat!("another hel", "per"), "about the writer, not the subject"),
    (concat!("other hel", "pers"), "about the writer, not the subject"),
    (concat!("as an ", "AI"), "about the writer, not the subject"),
    (concat!("the br", "ief says"), "about the writer, not the subject"),
];

/// Looks at every file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut long = Vec::new();
    for file in tree.ending(".rs") {
        if !file.text.starts_with("//!") {
            let what = "begin with a `//!` comment: what it is for, what always holds, what is not here";
            findings.push(Finding::at(&file.path, 1, what));
        }
        long.extend(too_long(file));
    }
    findings.extend(without_exceptions(tree, long));
    for file in &tree.files {
        findings.extend(unwanted(file));
    }
    findings.extend(tree.get(LOCK).into_iter().flat_map(foreign_sources));
    findings
}

/// Something too long: its name in the list of exceptions, and the finding that it is otherwise.
struct Long {
    name: String,
    finding: Finding,
}

fn too_long(file: &Text) -> Vec<Long> {
    let mut found = Vec::new();
    let lines: Vec<&str> = file.text.lines().collect();
    if lines.len() > MAX_FILE_LINES {
        let what = format!("{} lines, more than {MAX_FILE_LINES}; cut it by subject", lines.len());
        found.push(Long { name: file.path.clone(), finding: Finding::at(&file.path, 1, what) });
    }
    for (start, name) in functions(&lines) {
        let length = length(&lines[start..]);
        if length > MAX_FUNCTION_LINES {
            let what = format!("fn {name}: {length} lines, more than {MAX_FUNCTION_LINES}; cut it");
            let finding = Finding::at(&file.path, start + 1, what);
            found.push(Long { name: format!("{}::{name}", file.path), finding });
        }
    }
    found
}

/// Where functions begin, and their names.
fn functions<'a>(lines: &[&'a str]) -> Vec<(usize, &'a str)> {
    let name = |line: &'a str| {
        let (before, after) = line.trim_start().split_once("fn ")?;
        let known = |word: &str| {
            matches!(word, "const" | "async" | "unsafe" | "extern" | "\"C\"")
                || word.starts_with("pub")
                || matches!(word, "in" | "crate)" | "super)")
        };
        before
            .split_whitespace()
            .all(known)
            .then(|| after.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
    };
    lines.iter().enumerate().filter_map(|(number, line)| Some((number, name(line)?))).collect()
}

/// The lines of the function that begins with the first: in formatted code its last line is a brace
/// under its first letter.
fn length(lines: &[&str]) -> usize {
    let indent = lines[0].len() - lines[0].trim_start().len();
    let closing = format!("{}}}", " ".repeat(indent));
    let signature = lines.iter().position(|line| line.ends_with(['{', '}', ';'])).unwrap_or(0);
    if !lines[signature].ends_with('{') {
        return signature + 1;
    }
    lines.iter().position(|line| *line == closing).map_or(lines.len(), |last| last + 1)
}

/// Takes out what the list of exceptions names, and adds what it names for nothing.
fn without_exceptions(tree: &Tree, long: Vec<Long>) -> Vec<Finding> {
    let list = tree.get(EXCEPTIONS).map_or("", |file| &file.text);
    let mut findings = Vec::new();
    let mut excepted = Vec::new();
    for (number, line) in
        list.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty())
    {
        let (name, reason) = line.split_once(' ').unwrap_or((line, ""));
        if reason.trim().is_empty() {
            findings.push(Finding::at(EXCEPTIONS, number + 1, format!("{name}: say why it is long")));
        }
        if !long.iter().any(|long| long.name == name) {
            findings.push(Finding::at(
                EXCEPTIONS,
                number + 1,
                format!("{name} is not too long; take the line out"),
            ));
        }
        excepted.push(name);
    }
    findings.extend(
        long.into_iter().filter(|long| !excepted.contains(&long.name.as_str())).map(|long| long.finding),
    );
    findings
}

fn unwanted(file: &Text) -> Vec<Finding> {
    if file.path == LOCK {
        return Vec::new();
    }
    let lines = file.text.lines().enumerate();
    let hits = lines.flat_map(|(number, line)| {
        let found = UNWANTED.iter().filter(move |(text, _)| line.contains(text));
        found.map(move |(text, why)| {
            Finding::at(&file.path, number + 1, format!("`{text}`: {why}; take it out"))
        })
    });
    hits.collect()
}

/// Packages in the lock file that come from elsewhere than the public registry.
fn foreign_sources(lock: &Text) -> Vec<Finding> {
    let sources = lock
        .text
        .lines()
        .enumerate()
        .filter_map(|(number, line)| Some((number, line.strip_prefix("source = ")?)));
    let foreign = sources.filter(|(_, source)| source.trim_matches('"') != REGISTRY);
    foreign
        .map(|(number, source)| {
            Finding::at(&lock.path, number + 1, format!("{source}: not the public registry"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(files: &[(&str, &str)]) -> String {
        let files =
            files.iter().map(|(path, text)| Text { path: (*path).into(), text: (*text).into() }).collect();
        let findings = check(&Tree { files });
        findings.iter().map(|finding| format!("{finding}\n")).collect()
    }

    fn function(lines: usize) -> String {
        format!(
            "//! A file.\n\nimpl A {{\n    pub(crate) fn grow(\n        &self,\n    ) {{\n{}    }}\n}}\n",
            "        x();\n".repeat(lines - 4)
        )
    }

    #[test]
    fn long_functions_are_found_unless_excepted_with_a_reason() {
        assert_eq!(said(&[("a.rs", &function(80))]), "");
        assert!(said(&[("a.rs", &function(81))]).starts_with("a.rs:4: fn grow: 81 lines"));
        assert_eq!(said(&[("a.rs", &function(81)), (EXCEPTIONS, "a.rs::grow one table\n")]), "");
        assert!(said(&[("a.rs", &function(81)), (EXCEPTIONS, "a.rs::grow\n")]).contains("say why"));
        assert!(
            said(&[("a.rs", &function(80)), (EXCEPTIONS, "a.rs::grow one table\n")]).contains("not too long")
        );
    }

    #[test]
    fn headers_lengths_and_unwanted_words_are_found() {
        assert!(said(&[("a.rs", "fn a() {}\n")]).starts_with("a.rs:1: begin with"));
        let long = format!("//! Long.\n{}", "// line\n".repeat(800));
        assert!(said(&[("a.rs", &long)]).starts_with("a.rs:1: 801 lines"));
        let path = format!("see {}x\n", UNWANTED[0].0);
        assert!(said(&[("a.md", &path)]).starts_with("a.md:1: "));
        assert!(
            said(&[(LOCK, "source = \"git+https://example.org\"\n")]).contains("not the public registry")
        );
    }
}
