//! A driver to copy: a made-up meter that answers one line of text to each question, over TCP.
//!
//! docs/drivers.md goes through this folder step by step. [`registers`] has the device's table, where it is
//! taken from, and what makes values of an answer; `link` asks the device; this file says what the driver
//! offers and reads addresses; `tests` holds both against recorded answers and a device on loopback.
//!
//! Always: a value that the device does not give is missing, never zero; opening needs no device. Not here:
//! whether a reading is to be believed, and registers at the ends of slots, which `watch` does for every
//! driver. Not in the table of drivers: there is no such device.

mod link;
pub mod registers;
#[cfg(test)]
mod tests;

use crate::address::DeviceAddress;
use crate::capability::{Answer, MeterReading};
use crate::driver::{Capability, Context, Counter, CounterTraits, Driver, Finding, Part, Protection};
use crate::reading::{DeviceError, Reading};
use link::Link;
use registers::REGISTERS;
use std::sync::Arc;
use wattbook_types::Power;

/// The options that an address may have.
const OPTIONS: &[&str] = &["max_power"];

/// This driver's row in the table.
pub const DRIVER: Driver = Driver {
    scheme: "template",
    about: "a made-up meter, for writers of drivers to copy",
    form: "template://HOST[:4660][?max_power=WATTS: the most that can flow through it]",
    protection: |address| if address.is_loopback() { Protection::Loopback } else { Protection::None },
    probe: |address, context| Box::pin(probe(address, context)),
    counter: Some(|address, context| Ok(Arc::new(Meter::open(address, context)?))),
    generator: None,
    curtail: None,
    feeder: None,
    battery: None,
    battery_control: None,
};

/// The meter.
struct Meter {
    link: Link,
    limit: Option<Power>,
    context: Context,
}

impl Meter {
    /// Reads an address. The device is asked when something is wanted of it, not before.
    fn open(address: &DeviceAddress, context: &Context) -> Result<Self, DeviceError> {
        let wrong = |what: String| DeviceError::Configuration(format!("{address}: {what}"));
        if let Some(unknown) = address.option_names().find(|name| !OPTIONS.contains(name)) {
            return Err(wrong(format!("there is no option {unknown:?}; there are: {}", OPTIONS.join(", "))));
        }
        if !address.path().is_empty() {
            return Err(wrong("nothing stands after the host".to_owned()));
        }
        let limit = address.option("max_power").map(|text| {
            let watts = text.parse().ok().filter(|watts| *watts > 0);
            watts.map(Power::from_watts).ok_or_else(|| wrong("max_power is in whole watts".to_owned()))
        });
        Ok(Self { link: Link::new(address), limit: limit.transpose()?, context: context.clone() })
    }
}

impl Counter for Meter {
    fn read(&self) -> Answer<'_, Reading<MeterReading>> {
        Box::pin(async {
            let answer = self.link.ask("read").await?;
            // The device has no clock: its values are of the moment in which it answers.
            let now = self.context.clock.now();
            Ok(registers::reading(&answer)?
                .map_or(Reading::missing(now), |value| Reading::measured(now, value)))
        })
    }

    fn traits(&self) -> Answer<'_, CounterTraits> {
        let traits = CounterTraits {
            wraps_at: Some(registers::WRAPS_AT),
            resolution: Some(registers::RESOLUTION),
            limit: self.limit,
        };
        Box::pin(async move { Ok(traits) })
    }
}

/// Looks at what is there: what it says of itself, and which of the registers it has.
async fn probe(address: &DeviceAddress, context: &Context) -> Result<Finding, DeviceError> {
    let meter = Meter::open(address, context)?;
    let who = meter.link.ask("who").await?;
    let answer = meter.link.ask("read").await?;
    let said = |name| registers::value(&answer, name);
    let parts = REGISTERS.iter().map(|register| Part {
        name: register.name.to_owned(),
        about: format!("{}, in {}", register.about, register.unit),
        place: said(register.name).map_or("not said".to_owned(), |value| format!("shows {value}")),
        used: true,
    });
    let mut finding = Finding {
        manufacturer: registers::value(&who, "maker").map(str::to_owned),
        model: registers::value(&who, "model").map(str::to_owned),
        serial: registers::value(&who, "serial").map(str::to_owned),
        parts: parts.collect(),
        ..Finding::default()
    };
    match registers::reading(&answer) {
        Ok(Some(_)) => finding.offers.push(Capability::Meter),
        Ok(None) => finding.lacks.push("for a meter: it does not say all of its registers".to_owned()),
        Err(error) => finding.lacks.push(format!("for a meter: {error}")),
    }
    Ok(finding)
}
