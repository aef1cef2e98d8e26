//! The simulated devices of a community: the file `site.toml`, which `wattbook init` writes and
//! `wattbook device sim site` serves.
//!
//! Always: the file says everything that decides the devices' addresses, so that configurations can name
//! them before they listen. Relative paths are relative to the file's folder. Not here: serving (`sim`),
//! and what the world is made of besides (the genesis).

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;
use wattbook_devices::{DeviceAddress, FeederAddress, HomeDevices, StorageDevices};
use wattbook_types::transaction::Generation;
use wattbook_types::{BatteryId, ConnectionPoint};

/// A home's units behind its one listener.
const GENERATOR: u32 = 1;
const FEEDER: u32 = 2;
const GRID_METER: u32 = 3;
const CONSUMPTION_METER: u32 = 4;
/// A battery's own unit; its feeders follow.
const BATTERY: u32 = 1;
/// How many feeders fit behind one listener: Modbus knows the units 1 to 247.
const FEEDERS_PER_LISTENER: usize = 246;

/// All simulated devices of a community.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteConfig {
    /// The community's genesis file.
    pub genesis: PathBuf,
    /// What homes generate and use (CSV); without it, the sample that comes with the program. It is moved
    /// by whole weeks to where ledger time is, and repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profiles: Option<PathBuf>,
    /// The homes' devices.
    pub homes: Vec<SimulatedHome>,
    /// The batteries and their feeders.
    pub batteries: Vec<SimulatedBattery>,
}

/// The simulated devices of a home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatedHome {
    /// Which home.
    pub connection_point: ConnectionPoint,
    /// Where its devices listen (SunSpec over Modbus TCP, unprotected).
    pub listen: SocketAddr,
    /// Which home of the profile file it follows; without it, the one in the same place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// How it generates.
    #[serde(default = "solar")]
    pub generation: Generation,
}

/// A simulated battery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatedBattery {
    /// Which battery.
    pub battery: BatteryId,
    /// Where it and its feeders listen (SunSpec over Modbus TCP, unprotected). More than 246 feeders take
    /// the next port as well.
    pub listen: SocketAddr,
}

const fn solar() -> Generation {
    Generation::Solar
}

impl SimulatedHome {
    /// What stands in the home's configuration.
    pub fn devices(&self) -> HomeDevices {
        HomeDevices {
            generator: unit(self.listen, GENERATOR),
            generation_meter: None,
            feeder: unit(self.listen, FEEDER),
            grid_meter: unit(self.listen, GRID_METER),
            consumption_meter: Some(unit(self.listen, CONSUMPTION_METER)),
        }
    }
}

impl SimulatedBattery {
    /// What stands in the storage side's configuration, with the connection points that join the battery.
    pub fn devices(&self, points: impl IntoIterator<Item = ConnectionPoint>) -> StorageDevices {
        let feeders = points.into_iter().enumerate().map(|(place, connection_point)| FeederAddress {
            connection_point,
            address: feeder(self.listen, place),
        });
        StorageDevices { battery: unit(self.listen, BATTERY), meter: None, feeders: feeders.collect() }
    }
}

/// Where a battery's feeder in this place (from 0) is.
fn feeder(listen: SocketAddr, place: usize) -> DeviceAddress {
    let mut listen = listen;
    let beyond = u16::try_from(place / FEEDERS_PER_LISTENER).unwrap_or(u16::MAX);
    listen.set_port(listen.port().saturating_add(beyond));
    let behind = u32::try_from(place % FEEDERS_PER_LISTENER).unwrap_or(u32::MAX);
    unit(listen, BATTERY + 1 + behind)
}

/// The address of a unit behind a listener.
fn unit(listen: SocketAddr, unit: u32) -> DeviceAddress {
    format!("sunspec://{listen}/{unit}").parse().expect("an address of this form")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_from_the_file_alone() {
        let text = "
            genesis = 'genesis.json'
            [[homes]]
            connection_point = 1
            listen = '127.0.0.1:15021'
            [[batteries]]
            battery = 1
            listen = '[::1]:15001'
        ";
        let site: SiteConfig = toml::from_str(text).unwrap();
        assert_eq!(site.homes[0].generation, Generation::Solar);
        assert_eq!(site.homes[0].devices().feeder.to_string(), "sunspec://127.0.0.1:15021/2");
        let storage = site.batteries[0].devices((1..=247).map(ConnectionPoint::from_number));
        assert_eq!(storage.battery.to_string(), "sunspec://[::1]:15001/1");
        assert_eq!(storage.feeders[245].address.to_string(), "sunspec://[::1]:15001/247");
        assert_eq!(storage.feeders[246].address.to_string(), "sunspec://[::1]:15002/2");
        assert!(toml::from_str::<SiteConfig>("genesis = 'g'\nhomes = []\nbatteries = []\nx = 1").is_err());
    }
}
