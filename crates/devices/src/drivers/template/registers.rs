//! The register table of the made-up meter, and what makes values of its answers.
//!
//! Source: here stands the maker's document with its version and where it can be had, so that a reader can
//! compare line by line. (This device has none: it was made up.)
//!
//! Always: whole numbers; what is no number of the table's form is an error in words, and what is not said
//! is missing. Not here: asking the device.

use crate::capability::{MeterReading, Registers};
use crate::reading::{DeviceError, SignedPower};
use wattbook_types::{Energy, MeterRegister, Power};

/// A row of the device's table.
pub struct Register {
    /// What it is called in an answer.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// The unit of its whole number.
    pub unit: &'static str,
}

/// All that the device has and this driver uses.
pub const REGISTERS: &[Register] = &[
    Register { name: "in", about: "energy that came in since it was installed", unit: "10 Wh" },
    Register { name: "out", about: "energy that went out since it was installed", unit: "10 Wh" },
    Register { name: "now", about: "power, positive inwards", unit: "W" },
];

/// The smallest step of its energy registers.
pub const RESOLUTION: Energy = Energy::from_wh(10);

/// Energy registers have seven digits: after 9,999,999 comes 0.
pub const WRAPS_AT: Energy = Energy::from_wh(10_000_000 * 10);

/// What an answer `name=value name=value …` says under a name.
pub fn value<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    answer.split_whitespace().find_map(|said| said.strip_prefix(name)?.strip_prefix('='))
}

/// The reading in an answer; `None` where a register is not said.
pub fn reading(answer: &str) -> Result<Option<MeterReading>, DeviceError> {
    let (Some(import), Some(export), Some(power)) =
        (value(answer, "in"), value(answer, "out"), value(answer, "now"))
    else {
        return Ok(None);
    };
    let registers = Registers { import: register("in", import)?, export: register("out", export)? };
    let watts: i32 = power.parse().map_err(|_| wrong("now", power))?;
    let flow = Power::from_watts(watts.unsigned_abs().into());
    let zero = Power::from_watts(0);
    let (inwards, outwards) = if watts < 0 { (zero, flow) } else { (flow, zero) };
    Ok(Some(MeterReading { registers, power: SignedPower::between(inwards, outwards) }))
}

fn register(name: &str, text: &str) -> Result<MeterRegister, DeviceError> {
    let steps = text.parse::<u64>().ok().filter(|steps| *steps < WRAPS_AT.wh() / RESOLUTION.wh());
    steps.map(|steps| MeterRegister::from_wh(steps * RESOLUTION.wh())).ok_or_else(|| wrong(name, text))
}

fn wrong(name: &str, text: &str) -> DeviceError {
    DeviceError::Protocol(format!("it says {name}={}, which is no such number", text.escape_debug()))
}
