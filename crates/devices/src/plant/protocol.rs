//! How processes talk to the simulated world: one JSON object a line, a request and its reply at a time.
//!
//! Always: every request states the whole of what is wanted, so that a repeated one changes nothing; every
//! reply carries the world's time. Energy in Wh, power in W, times in milliseconds of ledger time.
//! Deliberately absent: any protection. It stands for the isolated wires of a demonstration and is bound
//! to the loopback.

use super::world::{HomeRegisters, HomeState};
use crate::capability::{BatteryLimits, BatteryNameplate, BatteryState, FeederReading, GeneratorNameplate};
use crate::driver::FeederLimits;
use serde::{Deserialize, Serialize};
use wattbook_types::{BatteryId, ConnectionPoint, Power, Slot, Timestamp};

/// The longest line that is read, in bytes.
pub const MAX_LINE: usize = 1 << 20;

/// What is asked of the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Request {
    /// A home's generator: answers `Generator`.
    Generator {
        /// Which home.
        at: ConnectionPoint,
    },
    /// A home's meters and switch now: answers `Home`.
    Home {
        /// Which home.
        at: ConnectionPoint,
    },
    /// A home's registers at the end of a slot: answers `HomeRegisters`.
    HomeLatched {
        /// Which home.
        at: ConnectionPoint,
        /// Which slot.
        slot: Slot,
    },
    /// Sets the home's end of a feeder; what is left out stays.
    Switch {
        /// Which home.
        at: ConnectionPoint,
        /// The most that is sent.
        send: Option<Power>,
        /// The most that is drawn.
        draw: Option<Power>,
    },
    /// Limits a generator, or lifts the limit.
    Curtail {
        /// Which home.
        at: ConnectionPoint,
        /// The most that it gives.
        limit: Option<Power>,
    },
    /// A battery's nameplate: answers `Nameplate`.
    Nameplate {
        /// Which battery.
        battery: BatteryId,
    },
    /// A battery now: answers `Battery`.
    Battery {
        /// Which battery.
        battery: BatteryId,
    },
    /// A battery at the end of a slot: answers `Battery`.
    BatteryLatched {
        /// Which battery.
        battery: BatteryId,
        /// Which slot.
        slot: Slot,
    },
    /// Limits a battery.
    Limit {
        /// Which battery.
        battery: BatteryId,
        /// How far.
        limits: BatteryLimits,
    },
    /// A battery's feeder meters now: answers `Feeders`.
    Feeders {
        /// Which battery.
        battery: BatteryId,
    },
    /// A battery's feeder meters at the end of a slot: answers `Feeders`.
    FeedersLatched {
        /// Which battery.
        battery: BatteryId,
        /// Which slot.
        slot: Slot,
    },
    /// Sets the battery's end of a feeder.
    Port {
        /// Which feeder.
        at: ConnectionPoint,
        /// What may flow.
        limits: FeederLimits,
        /// For how many seconds.
        lease: Option<u32>,
    },
    /// How the battery's end of a feeder is set: answers `Port`.
    PortState {
        /// Which feeder.
        at: ConnectionPoint,
    },
}

/// The world's reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The world's time.
    pub time: Timestamp,
    /// What it answers.
    pub answer: Reported,
}

/// What the world answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reported {
    /// It is done.
    Done,
    /// There is no such reading: the slot has not ended yet, or is forgotten.
    Missing,
    /// It is not done, and why.
    Refused(String),
    /// A generator.
    Generator(GeneratorNameplate),
    /// A home now.
    Home(HomeState),
    /// A home's registers at the end of a slot.
    HomeRegisters(HomeRegisters),
    /// A battery's nameplate.
    Nameplate(BatteryNameplate),
    /// A battery.
    Battery(BatteryState),
    /// Feeder meters.
    Feeders(Vec<FeederReading>),
    /// The battery's end of a feeder.
    Port(FeederLimits),
}
