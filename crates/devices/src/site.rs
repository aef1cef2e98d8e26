//! The devices of a home and of a battery: how configurations name them, and how they are put together.
//!
//! Always: opening needs no device to answer; every meter is watched (`watch`), whatever its driver. Not
//! here: drivers, and what is done with the devices.

use crate::address::DeviceAddress;
use serde::{Deserialize, Serialize};
use wattbook_types::ConnectionPoint;

/// The devices of a home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HomeDevices {
    /// The generator: solar inverter, wind turbine or gas engine.
    pub generator: DeviceAddress,
    /// A meter of its own for what is generated; without one, the generator's own counter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation_meter: Option<DeviceAddress>,
    /// The home's end of its feeder to the battery: its meter, and its limits for sending and drawing.
    pub feeder: DeviceAddress,
    /// The utility's meter.
    pub grid_meter: DeviceAddress,
    /// A meter of what is used; without one it is computed from the other three.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumption_meter: Option<DeviceAddress>,
}

/// The devices of a battery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageDevices {
    /// The battery, its own meter and its control.
    pub battery: DeviceAddress,
    /// The battery's own meter, where it is a device of its own; without one, the battery's registers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meter: Option<DeviceAddress>,
    /// The battery's end of every connection point's feeder.
    pub feeders: Vec<FeederAddress>,
}

/// The battery's end of a feeder: a meter and limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeederAddress {
    /// The connection point that it serves.
    pub connection_point: ConnectionPoint,
    /// Where it is.
    pub address: DeviceAddress,
}
