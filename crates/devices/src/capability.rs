//! What devices can do, as small traits; what not every device can do is a trait of its own.
//!
//! Always: a command states the whole of what is wanted, so that giving it twice changes nothing;
//! registers only ever count up. Seen from a home or a battery, `import` is what came into it and
//! `export` what went out of it. Deliberately absent: how a device is reached (see `drivers`).

use crate::reading::{DeviceError, Reading, SignedPower};
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::pin::Pin;
use wattbook_types::transaction::Generation;
use wattbook_types::{ConnectionPoint, Energy, MeterRegister, PerMille, Power, Slot};

/// A device's answer, some time later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, DeviceError>> + Send + 'a>>;

/// What a meter has counted since it was installed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registers {
    /// Energy that came in.
    pub import: MeterRegister,
    /// Energy that went out.
    pub export: MeterRegister,
}

/// What a meter shows now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterReading {
    /// What it has counted.
    pub registers: Registers,
    /// What flows now; positive comes in.
    pub power: SignedPower,
}

/// A meter that keeps its registers as they stood at the end of each slot.
pub trait Meter: Send + Sync {
    /// What it shows now.
    fn read(&self) -> Answer<'_, Reading<MeterReading>>;

    /// The registers as they stood when a slot ended. Missing where it has not ended yet, or so long ago
    /// that the meter has forgotten (no sooner than after 2,000 slots).
    fn latched(&self, slot: Slot) -> Answer<'_, Reading<Registers>>;
}

/// What a generator can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratorNameplate {
    /// How it generates.
    pub kind: Generation,
    /// The most that it gives.
    pub power: Power,
}

/// Something that generates.
pub trait Generator: Send + Sync {
    /// What it can do.
    fn nameplate(&self) -> Answer<'_, GeneratorNameplate>;

    /// What it gives now.
    fn power(&self) -> Answer<'_, Reading<Power>>;
}

/// A generator that can be told to give less.
pub trait Curtail: Send + Sync {
    /// Gives no more than this until told otherwise; `None` lifts the limit.
    fn curtail(&self, limit: Option<Power>) -> Answer<'_, ()>;
}

/// The home's end of its feeder: how much goes to the battery, how much may be drawn from it. Both stay
/// as set until set again.
pub trait FeederSwitch: Send + Sync {
    /// Sends surplus up to this power, measured at the home. Zero sends nothing.
    fn send_up_to(&self, limit: Power) -> Answer<'_, ()>;

    /// Draws what the home needs beyond its own generation up to this power, measured at the home. Zero
    /// draws nothing.
    fn draw_up_to(&self, limit: Power) -> Answer<'_, ()>;

    /// How it is set.
    fn state(&self) -> Answer<'_, FeederState>;
}

/// How the home's end of a feeder is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeederState {
    /// The most that is sent.
    pub send: Power,
    /// The most that is drawn.
    pub draw: Power,
}

/// What a battery can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatteryNameplate {
    /// Energy that it can hold.
    pub capacity: Energy,
    /// Power that it can take in, at its terminals.
    pub charge_limit: Power,
    /// Power that it can give out, at its terminals.
    pub discharge_limit: Power,
    /// What of received energy is stored.
    pub charge_efficiency: PerMille,
    /// What of stored energy is delivered.
    pub discharge_efficiency: PerMille,
}

/// How a battery stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatteryState {
    /// Energy stored, by the battery's own management.
    pub stored: Energy,
    /// Energy that it can hold.
    pub capacity: Energy,
    /// Power that it can take in.
    pub charge_limit: Power,
    /// Power that it can give out.
    pub discharge_limit: Power,
    /// The battery's own meter, at its terminals.
    pub registers: Registers,
}

/// A battery with its own meter.
pub trait Battery: Send + Sync {
    /// What it can do.
    fn nameplate(&self) -> Answer<'_, BatteryNameplate>;

    /// How it stands now.
    fn state(&self) -> Answer<'_, Reading<BatteryState>>;

    /// How it stood when a slot ended. Missing as in [`Meter::latched`].
    fn latched(&self, slot: Slot) -> Answer<'_, Reading<BatteryState>>;
}

/// A battery that can be told to take in or give out less than its nameplate allows.
pub trait BatteryControl: Send + Sync {
    /// Takes in and gives out no more than this until told otherwise.
    fn limit(&self, limits: BatteryLimits) -> Answer<'_, ()>;
}

/// The most that a battery takes in and gives out, at its terminals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatteryLimits {
    /// The most that it takes in.
    pub charge: Power,
    /// The most that it gives out.
    pub discharge: Power,
}

/// What one connection point's feeder meter has counted, at the battery's terminals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeederReading {
    /// The connection point.
    pub connection_point: ConnectionPoint,
    /// Energy ever received from the home.
    pub received: MeterRegister,
    /// Energy ever delivered to the home.
    pub delivered: MeterRegister,
}

/// What a feeder does in a slot. Without a plan it does nothing: nothing is accepted, nothing delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeederPlan {
    /// The most that is accepted from the home, at the battery's terminals.
    pub accept: Power,
    /// The most that is delivered to the home in the whole slot, at the battery's terminals. It follows
    /// what the home draws, and is paced so that it does not fall short where others draw too.
    pub deliver: Energy,
}

/// The feeders of a battery at the battery's end: a meter and a switch for each connection point.
///
/// Plans are made for a slot ahead of time or within it, and end with it by themselves: should whoever
/// makes them be gone, nothing flows that was not planned. A driver whose equipment knows no plans keeps
/// them and gives set-points when the time comes.
pub trait FeederPanel: Send + Sync {
    /// What all meters show now, by ascending connection point. A battery's own meter that is read after
    /// this has counted at least as much as these together.
    fn read(&self) -> Answer<'_, Reading<Vec<FeederReading>>>;

    /// What all meters showed when a slot ended, by ascending connection point. Missing as in
    /// [`Meter::latched`].
    fn latched(&self, slot: Slot) -> Answer<'_, Reading<Vec<FeederReading>>>;

    /// Accepts up to this power in a slot, in place of what was planned before.
    fn accept(&self, connection_point: ConnectionPoint, slot: Slot, limit: Power) -> Answer<'_, ()>;

    /// Delivers up to this energy in a slot, in place of what was planned before; what the slot has
    /// delivered already counts.
    fn deliver(&self, connection_point: ConnectionPoint, slot: Slot, energy: Energy) -> Answer<'_, ()>;

    /// The plans of a slot, by ascending connection point; those without a plan are left out.
    fn plans(&self, slot: Slot) -> Answer<'_, Vec<(ConnectionPoint, FeederPlan)>>;

    /// Returns when the feeders have been told what is planned for now, or why they could not be.
    fn applied(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
