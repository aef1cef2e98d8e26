//! The table of drivers: which there are, and how a site is opened with one.
//!
//! Always: a driver is in this table or it does not exist. To add one: a folder under `drivers` with its
//! manual's register table and a test, and a row here.

use crate::capability::{Battery, BatteryControl, Curtail, FeederPanel, FeederSwitch, Generator, Meter};
use crate::drivers;
use crate::reading::DeviceError;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wattbook_types::{BatteryId, ConnectionPoint};

/// Which driver, and where its equipment is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceConfig {
    /// A name in [`DRIVERS`].
    pub driver: String,
    /// Where the equipment is, as the driver understands it (`host:port` for `plant`).
    pub address: String,
}

/// The devices of a home.
#[derive(Clone)]
pub struct HomeSite {
    /// Where the home joins its battery's terminals.
    pub connection_point: ConnectionPoint,
    /// What generates.
    pub generator: Arc<dyn Generator>,
    /// The same, where it can be told to give less.
    pub curtail: Option<Arc<dyn Curtail>>,
    /// Counts what was generated (`export`).
    pub generation_meter: Arc<dyn Meter>,
    /// Counts what was used (`import`).
    pub consumption_meter: Arc<dyn Meter>,
    /// Counts what was sent to the battery (`export`) and what arrived from it (`import`), at the home.
    pub feeder_meter: Arc<dyn Meter>,
    /// Counts what was taken from (`import`) and given to (`export`) the utility.
    pub grid_meter: Arc<dyn Meter>,
    /// Sends to and draws from the battery.
    pub feeder: Arc<dyn FeederSwitch>,
}

/// The devices of a battery.
#[derive(Clone)]
pub struct StorageSite {
    /// The battery's number.
    pub id: BatteryId,
    /// The battery and its own meter.
    pub battery: Arc<dyn Battery>,
    /// The same, where its power can be limited.
    pub control: Option<Arc<dyn BatteryControl>>,
    /// The feeders at the battery's end.
    pub feeders: Arc<dyn FeederPanel>,
}

/// Opens a home's devices.
pub type OpenHome = fn(&DeviceConfig, ConnectionPoint) -> Result<HomeSite, DeviceError>;

/// Opens a battery's devices.
pub type OpenStorage = fn(&DeviceConfig, BatteryId) -> Result<StorageSite, DeviceError>;

/// A driver's row.
pub struct Driver {
    /// The name in configurations.
    pub name: &'static str,
    /// What it drives.
    pub about: &'static str,
    /// Opens a home's devices. Does not need them to answer yet.
    pub home: Option<OpenHome>,
    /// Opens a battery's devices. Does not need them to answer yet.
    pub storage: Option<OpenStorage>,
}

/// All drivers.
pub const DRIVERS: &[Driver] = &[Driver {
    name: "plant",
    about: "the simulated world of a demonstration (JSON lines over TCP, unprotected, loopback)",
    home: Some(drivers::plant::open_home),
    storage: Some(drivers::plant::open_storage),
}];

fn driver(name: &str) -> Result<&'static Driver, DeviceError> {
    DRIVERS.iter().find(|driver| driver.name == name).ok_or_else(|| {
        let known: Vec<_> = DRIVERS.iter().map(|driver| driver.name).collect();
        DeviceError::Configuration(format!("no driver is called {name:?}; there are: {}", known.join(", ")))
    })
}

/// Opens a home's devices.
///
/// # Errors
/// Where the driver is unknown, drives no homes, or does not understand the address.
pub fn open_home(config: &DeviceConfig, at: ConnectionPoint) -> Result<HomeSite, DeviceError> {
    match driver(&config.driver)?.home {
        Some(open) => open(config, at),
        None => {
            Err(DeviceError::Configuration(format!("driver {:?} has no devices of homes", config.driver)))
        }
    }
}

/// Opens a battery's devices.
///
/// # Errors
/// Where the driver is unknown, drives no batteries, or does not understand the address.
pub fn open_storage(config: &DeviceConfig, battery: BatteryId) -> Result<StorageSite, DeviceError> {
    match driver(&config.driver)?.storage {
        Some(open) => open(config, battery),
        None => Err(DeviceError::Configuration(format!("driver {:?} has no batteries", config.driver))),
    }
}
