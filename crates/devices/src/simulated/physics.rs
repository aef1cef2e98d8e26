//! What simulated devices are part of: some physics that they show and command.
//!
//! Always: the caller moves time on before it looks or commands. Not here: registers and models.

use crate::capability::Registers;
use crate::driver::FeederLimits;
use crate::reading::SignedPower;
use std::collections::BTreeMap;
use wattbook_types::transaction::Generation;
use wattbook_types::{BatteryId, ConnectionPoint, Energy, Power, Slot, SlotLength, Timestamp};

/// A part of the physics that has a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// A home's generator.
    Generator(ConnectionPoint),
    /// A home's end of its feeder.
    Feeder(ConnectionPoint),
    /// The utility's meter of a home.
    Grid(ConnectionPoint),
    /// A home's meter of what it uses.
    Consumption(ConnectionPoint),
    /// A battery.
    Battery(BatteryId),
    /// The battery's end of a feeder.
    Port(ConnectionPoint),
}

/// What never changes of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nameplate {
    /// The power that percentages refer to, and that no measured power exceeds.
    pub(crate) rating: Power,
    /// How it generates.
    pub(crate) kind: Generation,
    /// Energy that it can hold.
    pub(crate) capacity: Energy,
    /// Power that it can take in.
    pub(crate) charge: Power,
    /// Power that it can give out.
    pub(crate) discharge: Power,
}

/// How a part stands now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// What it has counted: imported into it, exported out of it.
    pub(crate) registers: Registers,
    /// What flows; positive into it.
    pub(crate) power: SignedPower,
    /// What is stored in it.
    pub(crate) stored: Energy,
    /// What it is limited to: into a battery or towards it, and out of it.
    pub(crate) limits: FeederLimits,
    /// To what it is curtailed.
    pub(crate) curtailed: Option<Power>,
    /// Whether it is told just how much to take in or give out, by rates (124) or by a set power (704).
    pub(crate) forced: Forced,
}

/// By what a battery is told just how much to take in or give out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forced {
    pub(crate) by_rates: bool,
    pub(crate) by_power: bool,
}

/// How a part stood when a slot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) registers: Registers,
    pub(crate) stored: Energy,
}

/// What a part is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Let no more than this flow, for so many seconds where there is a lease; and, where a power is given,
    /// take in (positive) or give out just so much, as far as possible.
    Limit(FeederLimits, Option<SignedPower>, Option<u32>),
    /// Generate no more than this, for so many seconds where there is a lease.
    Curtail(Option<Power>, Option<u32>),
    /// Take in (positive) or give out just so much, as far as limits allow, for so many seconds where there
    /// is a lease; `None` does what comes.
    Force(Option<SignedPower>, Option<u32>),
}

/// A world with devices.
pub(crate) trait Physics: Send + 'static {
    /// Lets time pass.
    fn advance_to(&mut self, time: Timestamp);

    /// Its present time.
    fn now(&self) -> Timestamp;

    /// The intervals at whose ends its meters keep their registers, and for how many of them.
    fn intervals(&self) -> (SlotLength, u16);

    /// How a part stands.
    fn shown(&self, part: Part) -> Shown;

    /// How a part stood at the end of a slot, where that is known.
    fn kept(&self, part: Part, slot: Slot) -> Option<Kept>;

    /// Tells a part what to do. Parts ignore what they cannot do.
    fn command(&mut self, part: Part, command: Command);
}

/// When what was told ends by itself.
#[derive(Clone, Debug)]
pub(crate) struct Leases<K>(BTreeMap<K, u64>);

impl<K: Copy + Ord> Leases<K> {
    pub(crate) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Something was told at a second.
    pub(crate) fn note(&mut self, what: K, now: u64, lease: Option<u32>) {
        match lease {
            Some(seconds) => self.0.insert(what, now + u64::from(seconds)),
            None => self.0.remove(&what),
        };
    }

    /// Takes out the first lease that ends until a second.
    pub(crate) fn take_until(&mut self, second: u64) -> Option<(K, u64)> {
        let (what, until) = self.0.iter().map(|(what, until)| (*what, *until)).min_by_key(|(_, at)| *at)?;
        (until <= second).then(|| {
            self.0.remove(&what);
            (what, until)
        })
    }
}
