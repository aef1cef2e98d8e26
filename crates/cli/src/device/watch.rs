//! `wattbook device watch ADDRESS`: what a device shows, again and again.
//!
//! Always: a meter's readings are judged as those of homes are, and what is wrong is told once, in words; a
//! device that is silent for a while is waited for. Ends after `--count` readings, or when told to.

use super::opened::{Device, Shown, context};
use super::say;
use super::show;
use crate::process::shutdown;
use crate::units;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use wattbook_devices::watch::{NoticeKind, Notices};
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

/// A reading, and what is wrong with the device since the one before.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    shown: Shown,
    notices: Vec<String>,
}

/// A line for a reading that failed.
#[derive(Serialize)]
struct Silent<'a> {
    address: &'a DeviceAddress,
    troubles: [String; 1],
}

/// A device that is watched.
struct Watched {
    device: Device,
    notices: Notices,
    /// How many notices were told already.
    told: usize,
}

/// Runs the command. Exit code 1 where nothing was ever read.
pub async fn run(options: &Options) -> Result<ExitCode> {
    let context = context();
    let mut stop = shutdown(false);
    let mut watched = None;
    let mut tick = tokio::time::interval(options.every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut readings, mut any) = (0, false);
    while options.count.is_none_or(|count| readings < count) {
        tokio::select! {
            () = &mut stop => break,
            _ = tick.tick() => {}
        }
        let line = tokio::select! {
            () = &mut stop => break,
            line = look(&mut watched, options, &context) => line,
        };
        readings += 1;
        any |= line.as_ref().is_ok_and(|line| line.shown.is_anything());
        print(options, line)?;
    }
    Ok(if any { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads it, after opening it where that did not succeed before.
async fn look(
    watched: &mut Option<Watched>,
    options: &Options,
    context: &Context,
) -> Result<Line, DeviceError> {
    let watched = match watched {
        Some(watched) => watched,
        None => {
            let mut device = Device::open(&options.address, context).await?;
            let notices = device.judge(context);
            watched.insert(Watched { device, notices, told: 0 })
        }
    };
    let shown = watched.device.read().await;
    Ok(Line { shown, notices: watched.news() })
}

impl Watched {
    /// What was noticed since the last look, the oldest first.
    fn news(&mut self) -> Vec<String> {
        let mut recent = self.notices.recent();
        let all = NoticeKind::ALL.iter().map(|kind| self.notices.count(*kind)).sum::<u64>();
        let all = usize::try_from(all).unwrap_or(usize::MAX);
        recent.truncate(all - self.told);
        self.told = all;
        recent.into_iter().rev().map(|notice| notice.words).collect()
    }
}

fn print(options: &Options, line: Result<Line, DeviceError>) -> Result<()> {
    match line {
        Ok(line) if options.json => say(&serde_json::to_string(&line)?),
        Ok(Line { shown, notices }) => {
            show::parts(&shown).iter().for_each(|(part, words)| say(&format!("{part:9} {words}")));
            shown.troubles.iter().for_each(|trouble| say(&format!("not read: {trouble}")));
            notices.iter().for_each(|notice| say(&format!("notice: {notice}")));
        }
        // What is wrongly configured will not become right.
        Err(error @ DeviceError::Configuration(_)) => return Err(error.into()),
        Err(error) if options.json => {
            let silent = Silent { address: &options.address, troubles: [error.to_string()] };
            say(&serde_json::to_string(&silent)?);
        }
        Err(error) => say(&format!("not read: {error}")),
    }
    Ok(())
}
