//! `cargo xtask check`: what continuous integration runs, one step after another.
//!
//! Always: stops at the first step that fails, except that all tests run even when one fails; the last
//! line is `N passed, N failed`.

use crate::tidy;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs every step.
pub fn run(root: &Path) -> Result<(), String> {
    step(root, "format", &["fmt", "--all", "--check"], None)?;
    heading("tidy");
    tidy::run(root)?;
    let clippy =
        ["clippy", "--workspace", "--all-targets", "--locked", "--profile", "ci", "--", "-D", "warnings"];
    step(root, "clippy", &clippy, None)?;
    let doc = ["doc", "--workspace", "--no-deps", "--locked", "--profile", "ci"];
    step(root, "documentation", &doc, Some(("RUSTDOCFLAGS", "-D warnings")))?;
    tests(root)
}

fn heading(name: &str) {
    println!("== {name}");
}

fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root);
    command
}

fn step(root: &Path, name: &str, arguments: &[&str], variable: Option<(&str, &str)>) -> Result<(), String> {
    heading(name);
    let status = cargo(root, arguments)
        .envs(variable)
        .status()
        .map_err(|error| format!("{name}: cannot start cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name}: failed (cargo {})", arguments.join(" "))) }
}

/// Runs the tests, shows what they print, and adds up what every test program says of itself.
fn tests(root: &Path) -> Result<(), String> {
    heading("tests");
    let arguments = ["test", "--workspace", "--locked", "--profile", "ci", "--no-fail-fast"];
    let mut child = cargo(root, &arguments)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("tests: cannot start cargo: {error}"))?;
    let mut sum = Sum::default();
    for line in BufReader::new(child.stdout.take().expect("asked for")).lines() {
        let line = line.map_err(|error| format!("tests: cannot read what cargo prints: {error}"))?;
        println!("{line}");
        sum.add(&line);
    }
    let status = child.wait().map_err(|error| format!("tests: {error}"))?;
    println!("{} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.ignored);
    if status.success() && sum.failed == 0 && sum.passed > 0 {
        Ok(())
    } else {
        Err("tests: failed".to_owned())
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Sum {
    /// Adds `test result: ok. 3 passed; 0 failed; 1 ignored; …`; passes over any other line.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in counts.split("; ") {
            match part.split_once(' ').and_then(|(count, what)| Some((count.parse::<u64>().ok()?, what))) {
                Some((count, "passed")) => self.passed += count,
                Some((count, "failed")) => self.failed += count,
                Some((count, "ignored")) => self.ignored += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_test_programs_say_is_added_up() {
        let mut sum = Sum::default();
        sum.add("running 4 tests");
        sum.add(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s",
        );
        sum.add("test result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!(sum, Sum { passed: 5, failed: 5, ignored: 1 });
    }
}
