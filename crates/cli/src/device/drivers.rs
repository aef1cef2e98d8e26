//! `wattbook device drivers`: which drivers there are.

use super::show;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::process::ExitCode;
use wattbook_devices::Driver;
use wattbook_devices::driver::Capability;
use wattbook_devices::registry::DRIVERS;

/// Options of `wattbook device drivers`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A driver's row, as it is printed.
#[derive(Serialize)]
struct Row {
    scheme: &'static str,
    about: &'static str,
    form: &'static str,
    offers: Vec<Capability>,
}

/// Runs the command.
pub fn run(options: &Options) -> Result<ExitCode> {
    let rows = DRIVERS.iter().map(|driver| Row {
        scheme: driver.scheme,
        about: driver.about,
        form: driver.form,
        offers: capabilities(driver),
    });
    if options.json {
        println!("{}", serde_json::to_string_pretty(&rows.collect::<Vec<_>>())?);
        return Ok(ExitCode::SUCCESS);
    }
    for row in rows {
        let offers: Vec<_> = row.offers.iter().map(|offer| show::capability(*offer)).collect();
        println!("{}: {}", row.scheme, row.about);
        println!("  {}", row.form);
        println!("  read as: {}\n", offers.join(", "));
    }
    println!("To add one: docs/drivers.md");
    Ok(ExitCode::SUCCESS)
}

/// What a driver's devices may be used as.
pub fn capabilities(driver: &Driver) -> Vec<Capability> {
    let offered = [
        (Capability::Meter, driver.counter.is_some()),
        (Capability::Generator, driver.generator.is_some()),
        (Capability::Curtailment, driver.curtail.is_some()),
        (Capability::Feeder, driver.feeder.is_some()),
        (Capability::Battery, driver.battery.is_some()),
        (Capability::BatteryControl, driver.battery_control.is_some()),
    ];
    offered.into_iter().filter(|(_, there)| *there).map(|(capability, _)| capability).collect()
}
