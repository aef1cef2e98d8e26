//! Simulated devices that serve SunSpec models over Modbus TCP, as the drivers meet them in the field.
//!
//! Always: a request sees one moment of what the device is part of; counters are whole Wh; what a device
//! does not have is not implemented. `physics` is what they are part of (the simulated world, or a battery
//! of its own), `unit` one device with its models, `fill` and `obey` what stands in these and what writing
//! them does, `site` the units of a listener, `fault` what can be wrong with the registers, `bench` single
//! devices. Deliberately absent: anything that a device would not tell over its own protocol.

mod bench;
mod fault;
mod fill;
mod image;
mod obey;
pub(crate) mod physics;
pub(crate) mod site;
pub(crate) mod unit;

pub(crate) use bench::HOME;
pub use bench::{Bench, Running, serve_battery, serve_generator, serve_meter};
pub use fault::{Fault, JUMP, NoSuchFault};

use crate::drivers::sunspec::tables::{
    Table, battery, common, controls, der, ending, interval, inverter, meter,
};

/// The models of a generator.
pub(crate) const GENERATOR: &[&Table] = &[
    &common::COMMON,
    &inverter::INVERTER_3,
    &inverter::NAMEPLATE,
    &inverter::SETTINGS,
    &controls::CONTROLS,
    &interval::INTERVALS,
];

/// The models of a meter.
pub(crate) const METER: &[&Table] = &[&common::COMMON, &meter::METER_3, &interval::INTERVALS];

/// The models of a feeder's end.
pub(crate) const FEEDER: &[&Table] =
    &[&common::COMMON, &meter::METER_3, &controls::STORAGE, &ending::ENDING, &interval::INTERVALS];

/// The models of a battery.
pub(crate) const BATTERY: &[&Table] = &[
    &common::COMMON,
    &der::MEASUREMENT,
    &der::CAPACITY,
    &der::STORED,
    &battery::BATTERY,
    &controls::STORAGE,
    &interval::INTERVALS,
];

/// The models of a battery that does as it is told.
pub(crate) const BATTERY_ALONE: &[&Table] = &[
    &common::COMMON,
    &der::MEASUREMENT,
    &der::CAPACITY,
    &der::POWER_CONTROLS,
    &der::STORED,
    &battery::BATTERY,
    &controls::STORAGE,
    &interval::INTERVALS,
];
