//! `wattbook device read ADDRESS`: what a device shows now.

use super::opened::{Device, Shown, context};
use super::show;
use anyhow::{Result, bail};
use clap::Args;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;
use wattbook_devices::DeviceAddress;

/// Options of `wattbook device read`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The device, such as sunspec://192.0.2.7:502/1 (forms: wattbook device drivers)
    #[arg(value_name = "ADDRESS")]
    address: DeviceAddress,
    /// Print one JSON object: energy in Wh, power in W, times in milliseconds since 1970
    #[arg(long)]
    json: bool,
}

/// How long a device that speaks by itself (MQTT) is waited for, and how often one looks.
const SILENCE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_millis(100));

/// What a device shows; of one that speaks by itself, once it has spoken.
async fn spoken(device: &Device) -> Shown {
    let until = Instant::now() + SILENCE.0;
    loop {
        let shown = device.read().await;
        if !shown.is_silent() || Instant::now() >= until {
            return shown;
        }
        tokio::time::sleep(SILENCE.1).await;
    }
}

/// Runs the command.
pub async fn run(options: &Options) -> Result<ExitCode> {
    let device = Device::open(&options.address, &context()).await?;
    let shown = spoken(&device).await;
    if !shown.is_anything() {
        let mut reasons = shown.troubles;
        reasons.extend(device.finding().lacks.iter().cloned());
        if reasons.is_empty() {
            reasons.push("it offers nothing that this program reads".to_owned());
        }
        bail!(
            "nothing could be read from {}: {} (wattbook device probe {} says what is there)",
            options.address,
            reasons.join("; "),
            options.address
        );
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&shown)?);
    } else {
        show::all(&shown).iter().for_each(|line| println!("{line}"));
    }
    Ok(ExitCode::SUCCESS)
}
