//! The configuration of every part of a demonstration.

use super::children::Part;
use super::site::{Site, url};
use anyhow::Result;
use std::net::SocketAddr;
use wattbook_devices::DeviceConfig;
use wattbook_home::config::{HomeConfig, Seed, StorageAddress, UtilityTariff};
use wattbook_server::config::{Peer, StorageSide};
use wattbook_storage::SecretSeed;
use wattbook_types::{ConnectionPoint, Price, SecretKey, hex};

/// What the utility charges for a kilowatt-hour in a demonstration.
const UTILITY: Price = Price::from_milli_per_kwh(320);
/// How long a leader is waited for, in real milliseconds.
const LEADER_TIMEOUT_MS: u64 = 250;

/// Writes all configurations and says what to start, in order.
pub fn prepare(site: &Site, plant: SocketAddr) -> Result<Vec<Part>> {
    let device = DeviceConfig { driver: "plant".to_owned(), address: plant.to_string() };
    let mut parts = servers(site)?;
    parts.push(storage(site, &device)?);
    parts.push(homes(site, &device)?);
    Ok(parts)
}

fn servers(site: &Site) -> Result<Vec<Part>> {
    let peers: Vec<Peer> = site
        .servers
        .iter()
        .map(|server| Peer {
            key: SecretKey::from_seed(server.keyed.seed).public_key(),
            address: server.peers,
        })
        .collect();
    let batteries = site.genesis.batteries.iter();
    let storage: Vec<StorageSide> =
        batteries.map(|battery| StorageSide { battery: battery.id, url: url(site.storage.http) }).collect();
    site.servers
        .iter()
        .map(|server| {
            let folder = format!("servers/{}", server.name);
            let config = wattbook_server::config::Config {
                name: server.name.clone(),
                secret_key: hex::encode(&server.keyed.seed),
                genesis: site.genesis_file(),
                data: site.dir.join(&folder).join("data"),
                api: server.keyed.http,
                consensus: server.peers,
                servers: peers.clone(),
                storage: storage.clone(),
                leader_timeout_ms: LEADER_TIMEOUT_MS,
                heartbeat_ms: 30_000,
            };
            let file = site.write_config(&folder, &config)?;
            Ok(Part { name: server.name.clone(), command: "server", config: file })
        })
        .collect()
}

fn storage(site: &Site, device: &DeviceConfig) -> Result<Part> {
    let config = wattbook_storage::Config {
        genesis: site.genesis_file(),
        battery: site.genesis.batteries[0].id,
        key: SecretSeed::of(&SecretKey::from_seed(site.storage.seed)),
        listen: site.storage.http,
        data: site.dir.join("storage/data"),
        servers: site.server_urls(),
        devices: device.clone(),
    };
    let file = site.write_config("storage", &config)?;
    Ok(Part { name: "storage".to_owned(), command: "storage", config: file })
}

fn homes(site: &Site, device: &DeviceConfig) -> Result<Part> {
    let homes = site.homes.iter().zip(1..).map(|((name, seed), number)| HomeConfig {
        name: name.clone(),
        seed: Seed::from_bytes(*seed),
        connection_point: ConnectionPoint::from_number(number),
        device: device.clone(),
        generation: wattbook_types::transaction::Generation::Solar,
        feeder_limit: wattbook_types::Power::from_watts(20_000),
        sell: Default::default(),
        buy: Default::default(),
    });
    let batteries = site.genesis.batteries.iter();
    let config = wattbook_home::config::Config {
        genesis: site.genesis_file(),
        data: site.dir.join("homes/data"),
        listen: site.homes_address,
        servers: site.server_urls(),
        storage: batteries
            .map(|battery| StorageAddress { battery: battery.id, url: url(site.storage.http) })
            .collect(),
        utility: UtilityTariff::flat(UTILITY),
        utc_offset_minutes: 0,
        homes: homes.collect(),
    };
    let file = site.write_config("homes", &config)?;
    Ok(Part { name: "homes".to_owned(), command: "home", config: file })
}
