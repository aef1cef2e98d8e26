//! The simulated devices of a community: the file `site.toml`, which `wattbook init` writes and
//! `wattbook device sim site` serves.
//!
//! Always: the file says everything that decides the devices' addresses, so that configurations can name
//! them before they listen. Relative paths are relative to the file's folder. Not here: serving (`sim`),
//! and what the world is made of besides (the genesis).

use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use wattbook_devices::{DeviceAddress, FeederAddress, HomeDevices, StorageDevices};
use wattbook_setup::reach::{distinct, each_once};
use wattbook_setup::{Configuration, Wrong};
use wattbook_types::transaction::Generation;
use wattbook_types::{BatteryId, ConnectionPoint, Genesis};

/// A home's units behind its one listener.
const GENERATOR: u32 = 1;
const FEEDER: u32 = 2;
const GRID_METER: u32 = 3;
const CONSUMPTION_METER: u32 = 4;
/// A battery's own unit; its feeders follow.
const BATTERY: u32 = 1;
/// The last unit that Modbus knows.
const LAST: usize = 247;

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

impl Configuration for SiteConfig {
    const FILE: &'static str = "site.toml";

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        std::iter::once(&mut self.genesis).chain(&mut self.profiles).collect()
    }

    fn check(&self) -> Result<(), Wrong> {
        each_once("homes", "connection_point", self.homes.iter().map(|home| home.connection_point))?;
        each_once("batteries", "battery", self.batteries.iter().map(|battery| battery.battery))?;
        let homes = self.homes.iter().map(|home| ("homes.listen", home.listen));
        let batteries = self.batteries.iter().map(|battery| ("batteries.listen", battery.listen));
        distinct(&homes.chain(batteries).collect::<Vec<_>>())
    }

    fn genesis_file(&self) -> Option<&Path> {
        Some(&self.genesis)
    }

    fn check_community(&self, genesis: &Genesis) -> Result<(), Wrong> {
        let points: Vec<_> = genesis.connection_points.iter().map(|point| point.id).collect();
        let homes: Vec<_> = self.homes.iter().map(|home| home.connection_point).collect();
        same("homes", "connection_point", "connection point", &homes, &points)?;
        let known: Vec<_> = genesis.batteries.iter().map(|battery| battery.id).collect();
        let batteries: Vec<_> = self.batteries.iter().map(|battery| battery.battery).collect();
        same("batteries", "battery", "battery", &batteries, &known)
    }
}

/// Whether the file names exactly what the community has.
fn same<T: PartialEq + Display>(
    list: &str,
    key: &str,
    word: &str,
    named: &[T],
    known: &[T],
) -> Result<(), Wrong> {
    if let Some(number) = named.iter().position(|id| !known.contains(id)) {
        let why = format!("the community has no {word} {}", named[number]);
        return Err(Wrong::new(format!("{list}[{number}].{key}"), why));
    }
    match known.iter().find(|id| !named.contains(id)) {
        Some(missing) => Err(Wrong::new(list, format!("{word} {missing} of the community is missing"))),
        None => Ok(()),
    }
}

impl SimulatedHome {
    /// What stands in the home's configuration.
    pub fn devices(&self) -> HomeDevices {
        // What the register tables have no number for is said in the address.
        let kind = match self.generation {
            Generation::Wind => "?kind=wind",
            Generation::Gas => "?kind=gas",
            Generation::Solar | Generation::Unstated => "",
        };
        HomeDevices {
            generator: unit(self.listen, GENERATOR, kind),
            generation_meter: None,
            feeder: unit(self.listen, FEEDER, ""),
            grid_meter: unit(self.listen, GRID_METER, ""),
            consumption_meter: Some(unit(self.listen, CONSUMPTION_METER, "")),
        }
    }
}

impl SimulatedBattery {
    /// What stands in the storage side's configuration.
    pub fn devices(&self, genesis: &Genesis) -> StorageDevices {
        let points = genesis.connection_points.iter().filter(|point| point.battery == self.battery);
        let feeders = points
            .enumerate()
            .map(|(place, point)| FeederAddress { connection_point: point.id, address: self.feeder(place) });
        let battery = genesis.batteries.iter().find(|battery| battery.id == self.battery);
        let efficiency = battery.map(|battery| {
            let (charge, discharge) = (battery.charge_efficiency.get(), battery.discharge_efficiency.get());
            format!("?charge_efficiency={charge}&discharge_efficiency={discharge}")
        });
        StorageDevices {
            battery: unit(self.listen, BATTERY, efficiency.as_deref().unwrap_or_default()),
            meter: None,
            feeders: feeders.collect(),
        }
    }

    /// Where the feeder in this place (from 0) is: behind the battery, or behind the next port from unit 1 on.
    fn feeder(&self, place: usize) -> DeviceAddress {
        let behind_the_battery = LAST - 1;
        let (beyond, number) = match place.checked_sub(behind_the_battery) {
            None => (0, place + 2),
            Some(rest) => (1 + rest / LAST, 1 + rest % LAST),
        };
        let mut listen = self.listen;
        listen.set_port(listen.port().saturating_add(u16::try_from(beyond).unwrap_or(u16::MAX)));
        unit(listen, u32::try_from(number).unwrap_or(u32::MAX), "")
    }
}

/// The address of a unit behind a listener.
fn unit(listen: SocketAddr, unit: u32, options: &str) -> DeviceAddress {
    format!("sunspec://{listen}/{unit}{options}").parse().expect("an address of this form")
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
        let feeder = |place| site.batteries[0].feeder(place).to_string();
        assert_eq!(feeder(0), "sunspec://[::1]:15001/2");
        assert_eq!(feeder(245), "sunspec://[::1]:15001/247");
        assert_eq!(feeder(246), "sunspec://[::1]:15002/1");
        assert_eq!(feeder(246 + 247), "sunspec://[::1]:15003/1");
        assert!(toml::from_str::<SiteConfig>("genesis = 'g'\nhomes = []\nbatteries = []\nx = 1").is_err());
    }
}
