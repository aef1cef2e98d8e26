//! The world's parts, its clock, and what can be set and read.
//!
//! Always: time only goes forward, in whole seconds; what is set holds from the world's present second on,
//! what is set with a lease until the second in which the lease runs out; registers are latched exactly at the end of every slot. The caller moves time on before it sets or
//! reads.

use super::spec::{BatterySpec, HomeSpec, SpecError, WorldSpec};
use crate::capability::{
    BatteryLimits, BatteryNameplate, BatteryState, FeederReading, FeederState, MeterReading, Registers,
};
use crate::driver::FeederLimits;
use crate::joules::{Joules, Way};
use crate::reading::SignedPower;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use wattbook_types::{BatteryId, ConnectionPoint, Energy, MeterRegister, Power, Slot, Timestamp};

/// A simulated physical world.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) spec: WorldSpec,
    /// Whole seconds of ledger time since 1970.
    pub(super) now: u64,
    pub(super) homes: Vec<Home>,
    pub(super) batteries: Vec<BatteryUnit>,
    latches: VecDeque<Latch>,
}

/// A home and its feeder.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) spec: HomeSpec,
    pub(super) switch: FeederState,
    pub(super) curtailed_to: Option<Power>,
    /// The battery's end of the feeder.
    pub(super) port: Port,
    pub(super) faults: Faults,
    pub(super) generated: Joules,
    pub(super) consumed: Joules,
    pub(super) grid_import: Joules,
    pub(super) grid_export: Joules,
    /// From the home to the battery: sent and received.
    pub(super) up: Way,
    /// From the battery to the home: delivered and arrived.
    pub(super) down: Way,
    /// What the feeder's meters show, which is the truth unless they misreport.
    pub(super) shown: Shown,
    /// What flowed in the last step, and how long that was.
    pub(super) last: Flows,
}

/// The battery's end of a feeder: what may flow, and until when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Port {
    limits: FeederLimits,
    /// The second from which on nothing may flow any more, where there is a lease.
    until: Option<u64>,
}

/// What the feeder's meters at both ends have counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shown {
    pub(super) sent: Joules,
    pub(super) arrived: Joules,
    pub(super) received: Joules,
    pub(super) delivered: Joules,
}

/// What flowed in one step.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flows {
    pub(super) seconds: u64,
    pub(super) generated: Joules,
    pub(super) consumed: Joules,
    pub(super) sent: Joules,
    pub(super) received: Joules,
    pub(super) delivered: Joules,
    pub(super) arrived: Joules,
}

/// A battery.
#[derive(Clone, Debug)]
pub(super) struct BatteryUnit {
    pub(super) spec: BatterySpec,
    pub(super) limits: BatteryLimits,
    pub(super) stored: Joules,
    pub(super) charging: Way,
    pub(super) discharging: Way,
    pub(super) standing_loss: Joules,
    /// Standing loss that is less than a joule yet, in joule * ppm * seconds.
    pub(super) standing_rest: u128,
}

/// All registers as they stood when a slot ended.
#[derive(Clone, Debug)]
struct Latch {
    slot: Slot,
    homes: Vec<HomeRegisters>,
    batteries: Vec<BatteryState>,
}

/// A home's registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeRegisters {
    /// The generator's.
    pub generation: Registers,
    /// The loads'.
    pub consumption: Registers,
    /// The feeder's, at the home: `import` arrived, `export` sent.
    pub feeder: Registers,
    /// The utility's.
    pub grid: Registers,
    /// The feeder's, at the battery: received from the home.
    pub received: MeterRegister,
    /// The feeder's, at the battery: delivered to the home.
    pub delivered: MeterRegister,
}

/// A home as its meters and switches show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeState {
    /// The generator's meter.
    pub generation: MeterReading,
    /// The loads' meter.
    pub consumption: MeterReading,
    /// The feeder's meter at the home.
    pub feeder: MeterReading,
    /// The utility's meter.
    pub grid: MeterReading,
    /// How the feeder is set.
    pub switch: FeederState,
}

/// What really flowed at a home since the world began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeTotals {
    /// Generated.
    pub generated: Energy,
    /// Used.
    pub consumed: Energy,
    /// Left the home for the battery.
    pub sent: Energy,
    /// Came to the battery's terminals.
    pub received: Energy,
    /// Left the battery's terminals.
    pub delivered: Energy,
    /// Came to the home from the battery.
    pub arrived: Energy,
    /// Taken from the utility.
    pub from_grid: Energy,
    /// Given to the utility.
    pub to_grid: Energy,
}

/// How a feeder's meters misreport, in thousandths of the truth; 1000 is honest. For tests of frauds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// The home's meter, of what was sent.
    pub sent: u16,
    /// The battery's side, of what was received. It cannot show more than came in all.
    pub received: u16,
    /// The battery's side, of what was delivered.
    pub delivered: u16,
}

/// Why the world has no such reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// The slot has not ended.
    #[error("the slot has not ended yet")]
    NotYet,
    /// The slot ended before the world began, or too long ago.
    #[error("the meters no longer remember this slot")]
    Forgotten,
    /// Nothing has this number.
    #[error("there is no such battery or connection point")]
    Unknown,
}

impl Faults {
    /// All meters tell the truth.
    pub const NONE: Self = Self { sent: 1000, received: 1000, delivered: 1000 };
}

impl Port {
    /// What may flow in the stretch that begins at `now`.
    pub(super) fn limits(&self, now: u64) -> FeederLimits {
        if self.until.is_some_and(|until| until <= now) { FeederLimits::default() } else { self.limits }
    }
}

impl World {
    /// A world at its beginning.
    ///
    /// # Errors
    /// Where the specification contradicts itself.
    pub fn new(spec: WorldSpec) -> Result<Self, SpecError> {
        spec.check()?;
        let homes = spec.homes.iter().cloned().map(Home::new).collect();
        let batteries = spec.batteries.iter().copied().map(BatteryUnit::new).collect();
        Ok(Self { now: spec.start.millis() / 1000, spec, homes, batteries, latches: VecDeque::new() })
    }

    /// The world's present second.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now * 1000)
    }

    /// The slot that the present second lies in.
    pub fn slot(&self) -> Slot {
        self.spec.slot_length.slot_at(self.now())
    }

    /// Lets time pass until `time` (cut to whole seconds); nothing where that is past already.
    pub fn advance_to(&mut self, time: Timestamp) {
        let target = time.millis() / 1000;
        while self.now < target {
            let seconds = self.next_boundary().min(target) - self.now;
            self.step(seconds);
            self.now += seconds;
            if self.now.is_multiple_of(self.spec.slot_length.seconds()) {
                self.latch();
            }
        }
    }

    /// The next second at which something may change: a step, a slot, a profile step or a lease ends.
    fn next_boundary(&self) -> u64 {
        let after = |length: u64, origin: u64| {
            let into = (self.now + length - origin % length) % length;
            self.now + length - into
        };
        let profiles = &self.spec.profiles;
        let leases = self.homes.iter().filter_map(|home| home.port.until).filter(|until| *until > self.now);
        after(self.spec.step_seconds.max(1), 0)
            .min(leases.min().unwrap_or(u64::MAX))
            .min(after(self.spec.slot_length.seconds(), 0))
            .min(after(profiles.step_seconds(), profiles.start().millis() / 1000))
    }

    fn latch(&mut self) {
        let slot = self.slot().previous();
        let homes = self.homes.iter().map(Home::registers).collect();
        let batteries = self.batteries.iter().map(BatteryUnit::state).collect();
        self.latches.push_back(Latch { slot, homes, batteries });
        while self.latches.len() > self.spec.remembered_slots.max(1) {
            self.latches.pop_front();
        }
    }

    fn latch_of(&self, slot: Slot) -> Result<&Latch, Unready> {
        let Some(first) = self.latches.front() else { return Err(Unready::NotYet) };
        let Some(place) = slot.number().checked_sub(first.slot.number()) else {
            return Err(Unready::Forgotten);
        };
        self.latches.get(usize::try_from(place).unwrap_or(usize::MAX)).ok_or(Unready::NotYet)
    }

    fn home_index(&self, at: ConnectionPoint) -> Result<usize, Unready> {
        self.homes.binary_search_by_key(&at, |home| home.spec.connection_point).map_err(|_| Unready::Unknown)
    }

    fn battery_index(&self, id: BatteryId) -> Result<usize, Unready> {
        self.batteries.binary_search_by_key(&id, |unit| unit.spec.id).map_err(|_| Unready::Unknown)
    }

    /// A home's parts, for its devices.
    pub(super) fn home_at(&self, at: ConnectionPoint) -> Option<&Home> {
        self.home_index(at).ok().map(|index| &self.homes[index])
    }

    fn home_mut(&mut self, at: ConnectionPoint) -> Result<&mut Home, Unready> {
        self.home_index(at).map(|index| &mut self.homes[index])
    }

    /// Sets the home's end of a feeder: what is given, and leaves the rest as it is.
    ///
    /// # Errors
    /// Where there is no such connection point.
    pub fn set_switch(
        &mut self,
        at: ConnectionPoint,
        send: Option<Power>,
        draw: Option<Power>,
    ) -> Result<(), Unready> {
        let switch = &mut self.home_mut(at)?.switch;
        switch.send = send.unwrap_or(switch.send);
        switch.draw = draw.unwrap_or(switch.draw);
        Ok(())
    }

    /// Limits a home's generator; `None` lifts the limit.
    ///
    /// # Errors
    /// Where there is no such connection point.
    pub fn curtail(&mut self, at: ConnectionPoint, limit: Option<Power>) -> Result<(), Unready> {
        self.home_mut(at)?.curtailed_to = limit;
        Ok(())
    }

    /// Sets how a feeder's meters misreport from now on.
    ///
    /// # Errors
    /// Where there is no such connection point.
    pub fn set_faults(&mut self, at: ConnectionPoint, faults: Faults) -> Result<(), Unready> {
        self.home_mut(at)?.faults = faults;
        Ok(())
    }

    /// Limits a battery, within its nameplate.
    ///
    /// # Errors
    /// Where there is no such battery.
    pub fn set_limits(&mut self, battery: BatteryId, limits: BatteryLimits) -> Result<(), Unready> {
        let index = self.battery_index(battery)?;
        let unit = &mut self.batteries[index];
        unit.limits = BatteryLimits {
            charge: limits.charge.min(unit.spec.charge_limit),
            discharge: limits.discharge.min(unit.spec.discharge_limit),
        };
        Ok(())
    }

    /// Sets the battery's end of a feeder. With a lease, in seconds from now on, nothing may flow any more
    /// when it has run out; without one the limits stay until they are set again.
    ///
    /// # Errors
    /// Where there is no such connection point.
    pub fn set_port(
        &mut self,
        at: ConnectionPoint,
        limits: FeederLimits,
        lease: Option<u32>,
    ) -> Result<(), Unready> {
        let until = lease.map(|seconds| self.now + u64::from(seconds));
        self.home_mut(at)?.port = Port { limits, until };
        Ok(())
    }

    /// What may flow through a feeder now, as the battery's end is set.
    ///
    /// # Errors
    /// Where there is no such connection point.
    pub fn port(&self, at: ConnectionPoint) -> Result<FeederLimits, Unready> {
        self.home_index(at).map(|index| self.homes[index].port.limits(self.now))
    }

    /// A home as its meters show it.
    ///
    /// # Errors
    /// Where there is no such connection point.
    pub fn home(&self, at: ConnectionPoint) -> Result<HomeState, Unready> {
        self.home_index(at).map(|index| self.homes[index].state())
    }

    /// A home's registers as they stood when a slot ended.
    ///
    /// # Errors
    /// Where there is no such connection point, or no such latch.
    pub fn home_latched(&self, at: ConnectionPoint, slot: Slot) -> Result<HomeRegisters, Unready> {
        let index = self.home_index(at)?;
        Ok(self.latch_of(slot)?.homes[index])
    }

    /// What really flowed at a home.
    ///
    /// # Errors
    /// Where there is no such connection point.
    pub fn totals(&self, at: ConnectionPoint) -> Result<HomeTotals, Unready> {
        self.home_index(at).map(|index| self.homes[index].totals())
    }

    /// The most that a home's profile ever generates, which stands for the generator's nameplate.
    ///
    /// # Errors
    /// Where there is no such connection point.
    pub fn generator(
        &self,
        at: ConnectionPoint,
    ) -> Result<(wattbook_types::transaction::Generation, Power), Unready> {
        let home = &self.homes[self.home_index(at)?];
        Ok((home.spec.kind, self.spec.profiles.peak_generation(home.spec.profile)))
    }

    /// What a battery can do.
    ///
    /// # Errors
    /// Where there is no such battery.
    pub fn battery_nameplate(&self, battery: BatteryId) -> Result<BatteryNameplate, Unready> {
        let spec = &self.batteries[self.battery_index(battery)?].spec;
        Ok(BatteryNameplate {
            capacity: spec.capacity,
            charge_limit: spec.charge_limit,
            discharge_limit: spec.discharge_limit,
            charge_efficiency: spec.charge_efficiency,
            discharge_efficiency: spec.discharge_efficiency,
        })
    }

    /// How a battery stands.
    ///
    /// # Errors
    /// Where there is no such battery.
    pub fn battery(&self, battery: BatteryId) -> Result<BatteryState, Unready> {
        self.battery_index(battery).map(|index| self.batteries[index].state())
    }

    /// How a battery stood when a slot ended.
    ///
    /// # Errors
    /// Where there is no such battery, or no such latch.
    pub fn battery_latched(&self, battery: BatteryId, slot: Slot) -> Result<BatteryState, Unready> {
        let index = self.battery_index(battery)?;
        Ok(self.latch_of(slot)?.batteries[index])
    }

    /// What a battery's feeder meters show.
    ///
    /// # Errors
    /// Where there is no such battery.
    pub fn feeders(&self, battery: BatteryId) -> Result<Vec<FeederReading>, Unready> {
        self.battery_index(battery)?;
        let shown = self.homes.iter().map(|home| (home.spec.battery, home.reading(&home.registers())));
        Ok(shown.filter(|(at, _)| *at == battery).map(|(_, reading)| reading).collect())
    }

    /// What a battery's feeder meters showed when a slot ended.
    ///
    /// # Errors
    /// Where there is no such battery, or no such latch.
    pub fn feeders_latched(&self, battery: BatteryId, slot: Slot) -> Result<Vec<FeederReading>, Unready> {
        self.battery_index(battery)?;
        let latch = self.latch_of(slot)?;
        let homes = self.homes.iter().zip(&latch.homes).filter(|(home, _)| home.spec.battery == battery);
        Ok(homes.map(|(home, registers)| home.reading(registers)).collect())
    }

    /// The connection points, ascending.
    pub fn connection_points(&self) -> impl Iterator<Item = ConnectionPoint> {
        self.homes.iter().map(|home| home.spec.connection_point)
    }
}

impl Home {
    fn new(spec: HomeSpec) -> Self {
        let way = Way::keeping(spec.line_loss.complement());
        Self {
            spec,
            switch: FeederState::default(),
            curtailed_to: None,
            port: Port::default(),
            faults: Faults::NONE,
            generated: Joules::ZERO,
            consumed: Joules::ZERO,
            grid_import: Joules::ZERO,
            grid_export: Joules::ZERO,
            up: way,
            down: way,
            shown: Shown::default(),
            last: Flows::default(),
        }
    }

    pub(super) fn registers(&self) -> HomeRegisters {
        let register = |joules: Joules| MeterRegister::from_wh(joules.energy().wh());
        let only_in = |import| Registers { import: register(import), export: MeterRegister::ZERO };
        HomeRegisters {
            generation: Registers { import: MeterRegister::ZERO, export: register(self.generated) },
            consumption: only_in(self.consumed),
            feeder: Registers { import: register(self.shown.arrived), export: register(self.shown.sent) },
            grid: Registers { import: register(self.grid_import), export: register(self.grid_export) },
            received: self.spec.received.advanced(self.shown.received.energy()),
            delivered: self.spec.delivered.advanced(self.shown.delivered.energy()),
        }
    }

    fn reading(&self, registers: &HomeRegisters) -> FeederReading {
        FeederReading {
            connection_point: self.spec.connection_point,
            received: registers.received,
            delivered: registers.delivered,
        }
    }

    fn state(&self) -> HomeState {
        let (registers, last) = (self.registers(), &self.last);
        let power = |import: Joules, export: Joules| {
            SignedPower::between(import.power_over(last.seconds), export.power_over(last.seconds))
        };
        let into = last.consumed + last.sent;
        let out_of = last.generated + last.arrived;
        let shows = |registers, power| MeterReading { registers, power };
        HomeState {
            generation: shows(registers.generation, power(Joules::ZERO, last.generated)),
            consumption: shows(registers.consumption, power(last.consumed, Joules::ZERO)),
            feeder: shows(registers.feeder, power(last.arrived, last.sent)),
            grid: shows(registers.grid, power(into.saturating_sub(out_of), out_of.saturating_sub(into))),
            switch: self.switch,
        }
    }

    fn totals(&self) -> HomeTotals {
        HomeTotals {
            generated: self.generated.energy(),
            consumed: self.consumed.energy(),
            sent: self.up.put_in().energy(),
            received: self.up.came_out().energy(),
            delivered: self.down.put_in().energy(),
            arrived: self.down.came_out().energy(),
            from_grid: self.grid_import.energy(),
            to_grid: self.grid_export.energy(),
        }
    }
}

impl BatteryUnit {
    pub(super) fn new(spec: BatterySpec) -> Self {
        Self {
            spec,
            limits: BatteryLimits { charge: spec.charge_limit, discharge: spec.discharge_limit },
            stored: Joules::of_energy(spec.stored),
            charging: Way::keeping(spec.charge_efficiency),
            discharging: Way::keeping(spec.discharge_efficiency),
            standing_loss: Joules::ZERO,
            standing_rest: 0,
        }
    }

    pub(super) fn state(&self) -> BatteryState {
        BatteryState {
            stored: self.stored.energy(),
            capacity: self.spec.capacity,
            charge_limit: self.limits.charge,
            discharge_limit: self.limits.discharge,
            registers: Registers {
                import: self.spec.import.advanced(self.charging.put_in().energy()),
                export: self.spec.export.advanced(self.discharging.came_out().energy()),
            },
        }
    }
}
