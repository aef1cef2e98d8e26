//! The simulated world as what simulated devices are part of.
//!
//! Always: what a device was told with a lease ends in the second in which the lease does, whenever anybody
//! looks. Not here: registers (`simulated`), and how energy moves (`step`).

use super::world::{Home, World};
use crate::capability::{BatteryLimits, MeterReading, Registers};
use crate::driver::FeederLimits;
use crate::joules::Joules;
use crate::reading::SignedPower;
use crate::simulated::physics::{Command, Kept, Leases, Nameplate, Part, Physics, Shown};
use wattbook_types::transaction::Generation;
use wattbook_types::{BatteryId, ConnectionPoint, Energy, Power, Slot, SlotLength, Timestamp};

/// The power by whose multiples feeders and batteries are rated: a hundredth of a percent of it, the smallest
/// step of their limits, is a watt.
const RATING_STEP: u64 = 10_000;

/// A world and what its devices were told for a while.
pub(crate) struct Devices {
    pub(super) world: World,
    leases: Leases<Part>,
}

impl Devices {
    pub(crate) fn new(world: World) -> Self {
        Self { world, leases: Leases::new() }
    }

    /// What never changes of a part. Asked only of parts that there are.
    pub(crate) fn nameplate(&self, part: Part) -> Nameplate {
        match part {
            Part::Generator(at) => {
                let (kind, rating) = self.world.generator(at).unwrap_or((Generation::Unstated, Power::ZERO));
                // A roof without panels has an inverter all the same; a rating of nothing says nothing.
                Nameplate { kind, ..plain(rating.max(Power::from_watts(1))) }
            }
            Part::Battery(id) => self.battery(id),
            Part::Feeder(at) | Part::Port(at) | Part::Grid(at) | Part::Consumption(at) => {
                plain(self.world.home_at(at).map_or(Power::ZERO, |home| self.most_of(home)))
            }
        }
    }

    fn battery(&self, id: BatteryId) -> Nameplate {
        let Ok(plate) = self.world.battery_nameplate(id) else { return plain(Power::ZERO) };
        Nameplate {
            capacity: plate.capacity,
            charge: plate.charge_limit,
            discharge: plate.discharge_limit,
            ..plain(rated(plate.charge_limit.max(plate.discharge_limit)))
        }
    }

    /// The most that can ever flow at a home, with what the way to the battery loses.
    fn most_of(&self, home: &Home) -> Power {
        let profiles = &self.world.spec.profiles;
        let steps = &profiles.homes()[home.spec.profile].steps;
        let used = steps.iter().map(|step| step.consumption.wh()).max().unwrap_or(0);
        let used = used.saturating_mul(3_600 / profiles.step_seconds());
        let most = profiles.peak_generation(home.spec.profile).watts().max(used);
        let kept = u64::from(home.spec.line_loss.complement().get()).max(1);
        rated(Power::from_watts(most.saturating_mul(1000).div_ceil(kept)))
    }
}

/// The nameplate of what has only a rating.
pub(super) fn plain(rating: Power) -> Nameplate {
    Nameplate {
        rating,
        kind: Generation::Unstated,
        capacity: Energy::ZERO,
        charge: Power::ZERO,
        discharge: Power::ZERO,
    }
}

/// A rating that is not less than a power.
pub(crate) fn rated(power: Power) -> Power {
    Power::from_watts(power.watts().max(1).div_ceil(RATING_STEP).saturating_mul(RATING_STEP))
}

impl Physics for Devices {
    fn advance_to(&mut self, time: Timestamp) {
        while let Some((part, until)) = self.leases.take_until(time.millis() / 1000) {
            self.world.advance_to(Timestamp::from_millis(until * 1000));
            self.revert(part);
        }
        self.world.advance_to(time);
    }

    fn now(&self) -> Timestamp {
        self.world.now()
    }

    fn intervals(&self) -> (SlotLength, u16) {
        let kept = self.world.spec.remembered_slots.clamp(1, 2_048);
        (self.world.spec.slot_length, u16::try_from(kept).unwrap_or(1))
    }

    fn shown(&self, part: Part) -> Shown {
        self.world.shown(part).unwrap_or_default()
    }

    fn kept(&self, part: Part, slot: Slot) -> Option<Kept> {
        self.world.kept(part, slot)
    }

    fn command(&mut self, part: Part, command: Command) {
        let now = self.world.now().millis() / 1000;
        // Every part that has a device is there: what it is told cannot fail.
        let _ = match (part, command) {
            (Part::Generator(at), Command::Curtail(limit, lease)) => {
                self.leases.note(part, now, lease);
                self.world.curtail(at, limit)
            }
            (Part::Feeder(at), Command::Limit(limits, None, lease)) => {
                self.leases.note(part, now, lease);
                self.world.set_switch(at, Some(limits.to_battery), Some(limits.to_home))
            }
            (Part::Port(at), Command::Limit(limits, None, lease)) => self.world.set_port(at, limits, lease),
            (Part::Battery(id), Command::Limit(limits, None, lease)) => {
                self.leases.note(part, now, lease);
                let limits = BatteryLimits { charge: limits.to_battery, discharge: limits.to_home };
                self.world.set_limits(id, limits)
            }
            // What flows is what the homes make of it: nothing can be forced.
            _ => Ok(()),
        };
    }
}

impl Devices {
    /// Does as if a part had never been told anything.
    fn revert(&mut self, part: Part) {
        let unlimited = Power::from_watts(u64::MAX);
        self.command(
            part,
            match part {
                Part::Generator(_) => Command::Curtail(None, None),
                Part::Battery(_) => {
                    Command::Limit(FeederLimits { to_battery: unlimited, to_home: unlimited }, None, None)
                }
                _ => Command::Limit(FeederLimits::default(), None, None),
            },
        );
    }
}

impl World {
    fn shown(&self, part: Part) -> Option<Shown> {
        let of = |reading: MeterReading| Shown {
            registers: reading.registers,
            power: reading.power,
            ..Shown::default()
        };
        Some(match part {
            Part::Generator(at) => {
                Shown { curtailed: self.home_at(at)?.curtailed_to, ..of(self.home(at).ok()?.generation) }
            }
            Part::Grid(at) => of(self.home(at).ok()?.grid),
            Part::Consumption(at) => of(self.home(at).ok()?.consumption),
            Part::Feeder(at) => {
                let home = self.home(at).ok()?;
                let limits = FeederLimits { to_battery: home.switch.send, to_home: home.switch.draw };
                Shown { limits, ..of(home.feeder) }
            }
            Part::Port(at) => {
                let home = self.home_at(at)?;
                let registers = home.registers();
                Shown {
                    registers: Registers { import: registers.received, export: registers.delivered },
                    power: flowed(home.last.received, home.last.delivered, home.last.seconds),
                    limits: self.port(at).ok()?,
                    ..Shown::default()
                }
            }
            Part::Battery(id) => self.battery_shown(id)?,
        })
    }

    fn battery_shown(&self, id: BatteryId) -> Option<Shown> {
        let state = self.battery(id).ok()?;
        let homes = || self.homes.iter().filter(|home| home.spec.battery == id);
        let received = homes().map(|home| home.last.received).sum();
        let delivered = homes().map(|home| home.last.delivered).sum();
        let seconds = homes().map(|home| home.last.seconds).max().unwrap_or(0);
        Some(Shown {
            registers: state.registers,
            power: flowed(received, delivered, seconds),
            stored: state.stored,
            limits: FeederLimits { to_battery: state.charge_limit, to_home: state.discharge_limit },
            ..Shown::default()
        })
    }

    fn kept(&self, part: Part, slot: Slot) -> Option<Kept> {
        let home = |at: ConnectionPoint| self.home_latched(at, slot).ok();
        let registers = match part {
            Part::Generator(at) => home(at)?.generation,
            Part::Grid(at) => home(at)?.grid,
            Part::Consumption(at) => home(at)?.consumption,
            Part::Feeder(at) => home(at)?.feeder,
            Part::Port(at) => {
                let registers = home(at)?;
                Registers { import: registers.received, export: registers.delivered }
            }
            Part::Battery(id) => {
                let state = self.battery_latched(id, slot).ok()?;
                return Some(Kept { registers: state.registers, stored: state.stored });
            }
        };
        Some(Kept { registers, stored: Energy::ZERO })
    }
}

/// The mean power of what came in and went out in some seconds.
fn flowed(import: Joules, export: Joules, seconds: u64) -> SignedPower {
    SignedPower::between(import.power_over(seconds), export.power_over(seconds))
}
