//! `wattbook device …`: devices looked at from a shell, and simulated ones.
//!
//! Always: what is not there is missing in what is printed, never zero; `--json` prints one object with
//! stable names. Not here: the drivers (crate `devices`), and commands to devices: whoever wants those to
//! be obeyed runs a home or a storage side.

pub mod sim;
pub mod site_config;

mod drivers;
mod knock;
mod opened;
mod probe;
mod read;
mod show;
mod watch;

use anyhow::Result;
use clap::Subcommand;
use std::io::Write;
use std::process::ExitCode;

/// `wattbook device …`.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Simulate devices that speak the real protocols
    #[command(subcommand)]
    Sim(sim::Command),
    /// Say what is at an address, and what it can be used as
    Probe(probe::Options),
    /// Print what a device shows now
    Read(read::Options),
    /// Print what a device shows, again and again
    Watch(watch::Options),
    /// List the drivers and the forms of their addresses
    Drivers(drivers::Options),
}

impl Command {
    /// Whether it serves devices rather than asks some.
    pub const fn is_simulation(&self) -> bool {
        matches!(self, Self::Sim(_))
    }
}

/// Runs the command.
pub async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Sim(command) => sim::run(command).await,
        Command::Probe(options) => probe::run(&options).await,
        Command::Read(options) => read::run(&options).await,
        Command::Watch(options) => watch::run(&options).await,
        Command::Drivers(options) => drivers::run(&options),
    }
}

/// Prints a line; a reader that has gone away is no reason to fail.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
