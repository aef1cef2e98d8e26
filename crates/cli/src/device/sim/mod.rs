//! `wattbook device sim …`: simulated devices that speak the real protocols.
//!
//! Always: one line says when it listens and how to read it; it stops cleanly when told to, like any part.
//! Counters begin at zero with the process, as after an exchange of the device. Not here: what the devices
//! are made of (crate `devices`).

mod one;
pub mod profiles;
mod site;

use super::say;
use anyhow::Result;
use clap::Subcommand;
use std::process::ExitCode;

/// `wattbook device sim …`.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// A utility's meter of a home
    Meter(one::MeterOptions),
    /// A generator
    Generator(one::GeneratorOptions),
    /// A battery that serves a home
    Battery(one::BatteryOptions),
    /// All devices of a community: its homes', and its batteries with their feeders
    Site(site::Options),
}

/// Runs the command.
pub async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Meter(options) => one::meter(&options).await?,
        Command::Generator(options) => one::generator(&options).await?,
        Command::Battery(options) => one::battery(&options).await?,
        Command::Site(options) => site::run(&options).await?,
    }
    Ok(ExitCode::SUCCESS)
}
