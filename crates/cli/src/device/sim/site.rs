//! `wattbook device sim site --config FILE`: all devices of a community, simulated.
//!
//! Always: the world begins with the ledger and goes by its clock. What it held before is gone when the
//! process ends: begun again, its batteries are empty and its counters at zero.

use super::{profiles, say};
use crate::device::site_config::SiteConfig;
use crate::process::shutdown;
use crate::service::serving;
use anyhow::{Context as _, Result};
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use wattbook_devices::Clock;
use wattbook_devices::plant::{Plant, PlantListen, WorldSpec};
use wattbook_devices::profile::Profiles;
use wattbook_setup::{read_config, read_genesis};
use wattbook_types::Genesis;

/// Options of `wattbook device sim site`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The file that says what there is and where it listens (site.toml)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Stop when standard input ends, as it does when the process that started this one is gone
    #[arg(long)]
    with_parent: bool,
}

/// Runs the command.
pub async fn run(options: &Options) -> Result<()> {
    let config: SiteConfig = read_config(&options.config)?;
    let genesis = read_genesis(&config.genesis)?;
    let profiles = profiles::at(config.profiles.as_deref(), genesis.time)?;
    let spec = world(&config, &genesis, profiles)
        .with_context(|| format!("{} cannot be simulated", options.config.display()))?;
    let clock = Clock::system(genesis.clock);
    let plant = Plant::start(spec, clock, listen(&config)).await?;
    told(&config, &genesis).iter().for_each(|line| say(line));
    serving(shutdown(options.with_parent)).await;
    plant.stop().await;
    Ok(())
}

/// The community's world, with the file's word on who generates how and by which profile.
fn world(config: &SiteConfig, genesis: &Genesis, profiles: Profiles) -> Result<WorldSpec> {
    let mut homes = Vec::new();
    for (place, point) in genesis.connection_points.iter().enumerate() {
        let simulated = config.homes.iter().find(|home| home.connection_point == point.id);
        let named = simulated.and_then(|home| home.profile.as_deref());
        homes.push((profiles::place(&profiles, named, place)?, simulated.map(|home| home.generation)));
    }
    let mut spec = WorldSpec::of_genesis(genesis, Arc::new(profiles))?;
    for (home, (profile, kind)) in spec.homes.iter_mut().zip(homes) {
        home.profile = profile;
        home.kind = kind.unwrap_or(home.kind);
    }
    Ok(spec)
}

fn listen(config: &SiteConfig) -> PlantListen {
    let mut listen = PlantListen::loopback();
    listen.homes = config.homes.iter().map(|home| (home.connection_point, home.listen)).collect();
    listen.storages = config.batteries.iter().map(|battery| (battery.battery, battery.listen)).collect();
    listen
}

/// Where everything can be read, and how the links are protected.
fn told(config: &SiteConfig, genesis: &Genesis) -> Vec<String> {
    let mut lines = vec![format!(
        "Simulated devices of {} (homes: {}, batteries: {}) listen: SunSpec over Modbus TCP, unprotected.",
        genesis.name,
        config.homes.len(),
        config.batteries.len()
    )];
    for home in &config.homes {
        lines.push(format!("Home {}: {}", home.connection_point, home.devices().grid_meter));
    }
    for battery in &config.batteries {
        lines.push(format!("Battery {}: {}", battery.battery, battery.devices(genesis).battery));
    }
    lines.push("Read one with wattbook device read ADDRESS. Stop with Ctrl-C.".to_owned());
    lines
}
