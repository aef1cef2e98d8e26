//! Housekeeping: `cargo xtask tidy | refusals | requirements | check`.
//!
//! Always: works from any folder of the repository, needs nothing but the toolchain. Not here: anything
//! that the product needs at run time.

mod check;
mod docs;
mod finding;
mod forms;
mod refusals;
mod requirements;
mod rooms;
mod tidy;
mod tree;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND

  tidy       look for what the compiler does not: rooms and what they may use, file headers and
             lengths, documents that lag behind the code
  refusals   write docs/refusals.md from the code
  requirements
             write the names of tests into docs/requirements.md
  check      format, clippy, tidy, documentation, tests; what continuous integration runs
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let root = tree::root();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => tidy::run(&root),
        ["refusals"] => refusals::write(&root),
        ["requirements"] => requirements::write(&root),
        ["check"] => check::run(&root),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
