//! Where the devices of a simulated world listen.
//!
//! Always: a device that is not in the table gets a port of its own on the common address.

use super::server::PlantError;
use super::spec::WorldSpec;
use crate::address::DeviceAddress;
use crate::modbus::TlsFiles;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use wattbook_types::{BatteryId, ConnectionPoint};

/// Where the devices of a simulated world listen.
#[derive(Clone, Debug)]
pub struct PlantListen {
    /// Where all devices listen that are not in a table.
    pub address: IpAddr,
    /// Homes with a place of their own.
    pub homes: BTreeMap<ConnectionPoint, SocketAddr>,
    /// Batteries with a place of their own. Their first 246 feeders share it; every 247 more of them have the
    /// next port.
    pub storages: BTreeMap<BatteryId, SocketAddr>,
    /// Modbus/TCP Security in place of plain Modbus.
    pub tls: Option<PlantTls>,
}

/// How the devices of a simulated world are protected.
#[derive(Clone, Debug)]
pub struct PlantTls {
    /// The devices' files.
    pub files: TlsFiles,
    /// What clients need, as options of an address: `ca=FILE&cert=FILE&key=FILE&name=NAME`.
    pub options: String,
}

impl PlantListen {
    /// Ports of the system's choice on 127.0.0.1.
    pub const fn loopback() -> Self {
        Self::on(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Ports of the system's choice on an address.
    pub const fn on(address: IpAddr) -> Self {
        Self { address, homes: BTreeMap::new(), storages: BTreeMap::new(), tls: None }
    }

    pub(super) fn home(&self, at: ConnectionPoint) -> SocketAddr {
        self.homes.get(&at).copied().unwrap_or(SocketAddr::new(self.address, 0))
    }

    /// Where a battery listens; its further feeders at the ports after that one.
    pub(super) fn storage(&self, id: BatteryId, further: u16) -> SocketAddr {
        let mut place = self.storages.get(&id).copied().unwrap_or(SocketAddr::new(self.address, 0));
        if place.port() != 0 {
            place.set_port(place.port().saturating_add(further));
        }
        place
    }

    /// Whether everything in the tables is in the world.
    pub(super) fn check(&self, spec: &WorldSpec) -> Result<(), PlantError> {
        for at in self.homes.keys() {
            if !spec.homes.iter().any(|home| home.connection_point == *at) {
                return Err(PlantError::Table(format!("there is no home at connection point {at}")));
            }
        }
        for id in self.storages.keys() {
            if !spec.batteries.iter().any(|battery| battery.id == *id) {
                return Err(PlantError::Table(format!("there is no battery {id}")));
            }
        }
        Ok(())
    }
}

impl From<IpAddr> for PlantListen {
    fn from(address: IpAddr) -> Self {
        Self::on(address)
    }
}

/// The address of a device.
pub(crate) fn address(
    tls: Option<&PlantTls>,
    place: SocketAddr,
    unit: u8,
    options: &[String],
) -> DeviceAddress {
    let scheme = if tls.is_some() { "sunspec+tls" } else { "sunspec" };
    let secret = tls.map(|tls| tls.options.as_str()).filter(|options| !options.is_empty());
    let options: Vec<&str> = options.iter().map(String::as_str).chain(secret).collect();
    let query = if options.is_empty() { String::new() } else { format!("?{}", options.join("&")) };
    format!("{scheme}://{place}/{unit}{query}").parse().expect("it is made of what an address has")
}
