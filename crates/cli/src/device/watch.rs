//! `wattbook device watch ADDRESS`: what a device shows, again and again.
//!
//! Always: a device that is silent for a while is waited for; what is said of it is said in its line's
//! place. Ends after `--count` lines, or when told to.

use super::opened::{Device, Shown, context};
use super::show;
use crate::process::shutdown;
use crate::units;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use wattbook_devices::{Context, DeviceAddress, DeviceError};

/// Options of `wattbook device watch`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The device, such as sunspec://192.0.2.7:502/1 (forms: wattbook device drivers)
    #[arg(value_name = "ADDRESS")]
    address: DeviceAddress,
    /// How often it is read, such as 5s or 500ms
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = units::duration)]
    every: Duration,
    /// End after so many readings
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// A line for a reading that failed.
#[derive(Serialize)]
struct Silent<'a> {
    address: &'a DeviceAddress,
    troubles: [String; 1],
}

/// Runs the command. Exit code 1 where nothing was ever read.
pub async fn run(options: &Options) -> Result<ExitCode> {
    let context = context();
    let mut stop = shutdown(false);
    let mut device = None;
    let mut tick = tokio::time::interval(options.every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut readings, mut any) = (0, false);
    while options.count.is_none_or(|count| readings < count) {
        tokio::select! {
            () = &mut stop => break,
            _ = tick.tick() => {}
        }
        let shown = tokio::select! {
            () = &mut stop => break,
            shown = look(&mut device, options, &context) => shown,
        };
        readings += 1;
        any |= shown.as_ref().is_ok_and(Shown::is_anything);
        print(options, shown)?;
    }
    Ok(if any { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads it, after opening it where that did not succeed before.
async fn look(
    device: &mut Option<Device>,
    options: &Options,
    context: &Context,
) -> Result<Shown, DeviceError> {
    let opened = match device {
        Some(opened) => opened,
        None => device.insert(Device::open(&options.address, context).await?),
    };
    Ok(opened.read().await)
}

fn print(options: &Options, shown: Result<Shown, DeviceError>) -> Result<()> {
    match shown {
        Ok(shown) if options.json => println!("{}", serde_json::to_string(&shown)?),
        Ok(shown) => {
            show::parts(&shown).iter().for_each(|(part, words)| println!("{part:9} {words}"));
            shown.troubles.iter().for_each(|trouble| println!("not read: {trouble}"));
        }
        // What is wrongly configured will not become right.
        Err(error @ DeviceError::Configuration(_)) => return Err(error.into()),
        Err(error) if options.json => {
            let silent = Silent { address: &options.address, troubles: [error.to_string()] };
            println!("{}", serde_json::to_string(&silent)?);
        }
        Err(error) => println!("not read: {error}"),
    }
    Ok(())
}
