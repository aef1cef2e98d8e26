//! Devices that speak SunSpec over Modbus TCP: inverters, meters, batteries, and what limits feeders.
//!
//! The register tables and their source are in [`tables`]. `discovery` finds a device's models, `unit` reads
//! and writes them, `decode` makes values of registers; `counter`, `generator`, `storage` and `battery` are
//! the capabilities, `intervals` the registers that a device froze itself.
//!
//! Always: values are exact whole numbers; what a device does not implement is missing; limits are rounded
//! down. Deliberately absent: serial lines; models of floating numbers.

mod battery;
mod counter;
mod decode;
mod discovery;
mod generator;
mod intervals;
mod options;
mod probe;
mod storage;
pub mod tables;
mod unit;

use crate::address::DeviceAddress;
use crate::capability::{BatteryControl, Curtail, Generator};
use crate::driver::{BatterySource, Context, Counter, Driver, FeederLimiter, Protection};
use crate::reading::DeviceError;
use std::sync::Arc;
use unit::Unit;

const SCHEME: &str = "sunspec";
const SCHEME_TLS: &str = "sunspec+tls";

/// Over plain Modbus TCP.
pub const DRIVER: Driver = Driver {
    scheme: SCHEME,
    about: "SunSpec inverters, meters, batteries and feeders over Modbus TCP",
    form: "sunspec://HOST[:502][/UNIT][?kind=solar|wind|gas&power=4000W&base=40000&model=203&lease=none\
           &charge_efficiency=950&discharge_efficiency=950]",
    protection: |address| {
        if address.is_loopback() { Protection::Loopback } else { Protection::None }
    },
    ..DRIVER_TLS
};

/// Over Modbus/TCP Security.
pub const DRIVER_TLS: Driver = Driver {
    scheme: SCHEME_TLS,
    about: "the same over TLS with certificates at both ends (Modbus/TCP Security)",
    form: "sunspec+tls://HOST[:802][/UNIT]?ca=FILE&cert=FILE&key=FILE[&name=NAME&… as sunspec]",
    protection: |_| Protection::Mutual,
    probe: |address, context| Box::pin(probe::probe(address, context)),
    counter: Some(open_counter),
    generator: Some(open_generator),
    curtail: Some(open_curtail),
    feeder: Some(open_feeder),
    battery: Some(open_battery),
    battery_control: Some(open_battery_control),
};

fn unit(address: &DeviceAddress, context: &Context) -> Result<Arc<Unit>, DeviceError> {
    Unit::open(address, context).map(Arc::new)
}

fn open_counter(address: &DeviceAddress, context: &Context) -> Result<Arc<dyn Counter>, DeviceError> {
    Ok(Arc::new(counter::SunSpecCounter::new(unit(address, context)?)))
}

fn open_generator(address: &DeviceAddress, context: &Context) -> Result<Arc<dyn Generator>, DeviceError> {
    Ok(Arc::new(generator::SunSpecGenerator(unit(address, context)?)))
}

fn open_curtail(address: &DeviceAddress, context: &Context) -> Result<Arc<dyn Curtail>, DeviceError> {
    Ok(Arc::new(generator::SunSpecGenerator(unit(address, context)?)))
}

fn open_feeder(address: &DeviceAddress, context: &Context) -> Result<Arc<dyn FeederLimiter>, DeviceError> {
    Ok(Arc::new(storage::SunSpecStorage(unit(address, context)?)))
}

fn open_battery(address: &DeviceAddress, context: &Context) -> Result<Arc<dyn BatterySource>, DeviceError> {
    Ok(Arc::new(battery::SunSpecBattery::new(unit(address, context)?)))
}

fn open_battery_control(
    address: &DeviceAddress,
    context: &Context,
) -> Result<Arc<dyn BatteryControl>, DeviceError> {
    Ok(Arc::new(storage::SunSpecStorage(unit(address, context)?)))
}
