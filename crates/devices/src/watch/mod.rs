//! Devices as they are to be believed: every meter and battery is watched, whatever its driver (P3).
//!
//! Always: registers that consumers see never go back and never gain what cannot have flowed; what is wrong
//! with a device is told once, in words (`notice`); a slot whose end is not known well enough is missing.
//! The rules in words are in docs/metering.md. Deliberately absent: what is done about a missing slot
//! (crates `home` and `storage`).
//!
//! `device` is a watched device: `belief` judges its readings, `latches` finds what stood at the ends of
//! slots, `state` holds both, `sampler` takes readings unasked, `memory` keeps what is known across restarts.
//! `battery` and `computed` are made of several.

mod battery;
mod belief;
mod computed;
mod device;
mod latches;
mod memory;
pub mod notice;
mod sampler;
mod source;
mod state;
mod still;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use battery::WatchedBattery;
pub(crate) use computed::{Computed, Others};
pub(crate) use device::Watch;
pub(crate) use memory::{Found, Memory};
pub use notice::{Notice, NoticeKind, Notices};
pub(crate) use source::{OfBattery, OfCounter};

use crate::address::DeviceAddress;
use crate::capability::Meter;
use crate::driver::{Context, Counter};
use std::sync::Arc;

/// A meter by itself, judged as those of homes are; read only when somebody asks.
pub fn judged(
    counter: Arc<dyn Counter>,
    address: &DeviceAddress,
    context: &Context,
    notices: &Notices,
) -> Arc<dyn Meter> {
    Watch::new("meter", address.to_string(), OfCounter(counter), context, notices)
}
