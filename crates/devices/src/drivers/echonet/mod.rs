//! The driver of ECHONET Lite devices: household solar power generation (class 0279), storage batteries
//! (027D) and low-voltage smart meters (0288), over UDP.
//!
//! Always: an object is asked only for what it says that it has; numbers that stand for "no value" are
//! missing readings; a register and its unit come from one answer where the node gives it whole. The table
//! of properties and its source are in `registers`. Deliberately absent: encryption (the protocol has none
//! that devices use, so the network is to be isolated), and classes that no home here needs yet.
//!
//! What a battery's limits mean: this class knows powers that are wanted and a mode, no limits. Both limits
//! zero stand it by; else the wanted powers are the limits, and the mode is automatic, in which the battery
//! takes in surplus and covers use.

mod address;
mod battery;
mod history;
mod object;
mod probe;
pub mod registers;
mod smart_meter;
mod solar;
mod values;

use crate::address::DeviceAddress;
use crate::driver::{Context, Counter, Driver, Protection};
use crate::reading::DeviceError;
use address::Place;
use battery::Battery;
use smart_meter::SmartMeter;
use solar::Solar;
use std::sync::Arc;

/// This driver's row in the table.
pub const DRIVER: Driver = Driver {
    scheme: "echonet",
    about: "ECHONET Lite over UDP (Japan): solar generation 0279, storage battery 027D, smart meter 0288",
    form: "echonet://HOST[:3610]/EOJ, such as /027901, /027D01 or /028801 \
           [?bind=IP[:PORT] the local address, to whose port 3610 devices answer; patience=SECONDS, 4 where not \
           said; utc_offset=+09:00 the local time of a smart meter; one_way=import where a smart meter has no \
           reverse register; rated_w=WATTS where solar generation does not say; charge_efficiency=PER_MILLE and \
           discharge_efficiency=PER_MILLE in place of what a battery says]",
    protection: |address| if address.is_loopback() { Protection::Loopback } else { Protection::None },
    probe: |address, context| Box::pin(probe::probe(address, context)),
    counter: Some(counter),
    generator: Some(|address, context| Ok(Arc::new(solar(address, context)?))),
    curtail: Some(|address, context| Ok(Arc::new(solar(address, context)?))),
    feeder: None,
    battery: Some(|address, context| Ok(Arc::new(battery(address, context)?))),
    battery_control: Some(|address, context| Ok(Arc::new(battery(address, context)?))),
};

fn counter(address: &DeviceAddress, context: &Context) -> Result<Arc<dyn Counter>, DeviceError> {
    let place = Place::of(address, context)?;
    match place.object(address)?.class() {
        registers::solar::CLASS => Ok(Arc::new(Solar::new(place))),
        registers::battery::CLASS => Ok(Arc::new(Battery::new(place))),
        registers::meter::CLASS => Ok(Arc::new(SmartMeter::new(place))),
        _ => Err(wrong_class(address, "0279, 027D and 0288 count")),
    }
}

fn solar(address: &DeviceAddress, context: &Context) -> Result<Solar, DeviceError> {
    let place = Place::of(address, context)?;
    match place.object(address)?.class() {
        registers::solar::CLASS => Ok(Solar::new(place)),
        _ => Err(wrong_class(address, "0279 generates")),
    }
}

fn battery(address: &DeviceAddress, context: &Context) -> Result<Battery, DeviceError> {
    let place = Place::of(address, context)?;
    match place.object(address)?.class() {
        registers::battery::CLASS => Ok(Battery::new(place)),
        _ => Err(wrong_class(address, "027D is a battery")),
    }
}

fn wrong_class(address: &DeviceAddress, which: &str) -> DeviceError {
    DeviceError::Configuration(format!("{address}: of the classes that this driver knows, {which}"))
}
