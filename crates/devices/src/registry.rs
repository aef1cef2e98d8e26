//! The table of drivers: which there are.
//!
//! Always: a driver is in this table or it does not exist. To add one: a folder under `drivers` with its
//! register table and its source, its row (`DRIVER`) and a test, and a line here (docs/drivers.md tells how).

use crate::address::DeviceAddress;
use crate::driver::Driver;
use crate::drivers::{echonet, mqtt, sunspec, victron};
use crate::reading::DeviceError;

/// All drivers.
pub const DRIVERS: &[Driver] = &[
    echonet::DRIVER,
    mqtt::DRIVER,
    mqtt::DRIVER_TLS,
    sunspec::DRIVER,
    sunspec::DRIVER_TLS,
    victron::DRIVER,
    victron::DRIVER_TLS,
];

/// The driver of an address.
///
/// # Errors
/// Where none has its scheme; the error names those that there are.
pub fn driver(address: &DeviceAddress) -> Result<&'static Driver, DeviceError> {
    DRIVERS.iter().find(|driver| driver.scheme == address.scheme()).ok_or_else(|| {
        let known: Vec<_> = DRIVERS.iter().map(|driver| driver.scheme).collect();
        DeviceError::Configuration(format!(
            "no driver is called {:?}; there are: {}",
            address.scheme(),
            known.join(", ")
        ))
    })
}
