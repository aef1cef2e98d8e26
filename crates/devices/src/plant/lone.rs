//! A battery of its own: charges and discharges as it is told, or takes in what a home has left over and
//! gives it what it lacks.
//!
//! Always: as in the world, every joule is accounted for; what it is told with a lease ends in the second in
//! which the lease does. Not here: feeders; a battery between homes is the world's.

use super::physics::{plain, rated};
use super::spec::BatterySpec;
use super::world::BatteryUnit;
use crate::capability::BatteryLimits;
use crate::driver::FeederLimits;
use crate::joules::Joules;
use crate::profile::Profiles;
use crate::reading::SignedPower;
use crate::simulated::physics::{Command, Forced, Kept, Leases, Nameplate, Part, Physics, Shown};
use std::collections::VecDeque;
use wattbook_types::{Power, Slot, SlotLength, Timestamp};

/// The longest time over which power counts as constant, in seconds.
const STEP: u64 = 60;

/// For how many slots it remembers its registers.
const REMEMBERED: u16 = 2_048;

/// By which model it was told something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Rates,
    Power,
}

/// A battery of its own.
pub(crate) struct LoneBattery {
    unit: BatteryUnit,
    /// Whole seconds since 1970.
    now: u64,
    slot_length: SlotLength,
    /// A home that it serves.
    home: Option<(Profiles, usize)>,
    by_rates: Option<SignedPower>,
    by_power: Option<SignedPower>,
    /// What flowed last.
    power: SignedPower,
    kept: VecDeque<(Slot, Kept)>,
    leases: Leases<Told>,
}

impl LoneBattery {
    pub(crate) fn new(
        spec: BatterySpec,
        start: Timestamp,
        slot_length: SlotLength,
        home: Option<(Profiles, usize)>,
    ) -> Self {
        Self {
            unit: BatteryUnit::new(spec),
            now: start.millis() / 1000,
            slot_length,
            home,
            by_rates: None,
            by_power: None,
            power: SignedPower::default(),
            kept: VecDeque::new(),
            leases: Leases::new(),
        }
    }

    pub(crate) fn part(&self) -> Part {
        Part::Battery(self.unit.spec.id)
    }

    pub(crate) fn nameplate(&self) -> Nameplate {
        let spec = &self.unit.spec;
        Nameplate {
            capacity: spec.capacity,
            charge: spec.charge_limit,
            discharge: spec.discharge_limit,
            ..plain(rated(spec.charge_limit.max(spec.discharge_limit)))
        }
    }

    fn pass(&mut self, target: u64) {
        while self.now < target {
            let length = self.slot_length.seconds();
            let step = (self.now / STEP + 1) * STEP;
            let slot_end = (self.now / length + 1) * length;
            let seconds = step.min(slot_end).min(target) - self.now;
            self.flow(seconds);
            self.now += seconds;
            if self.now == slot_end {
                self.keep();
            }
        }
    }

    /// What it would take in (positive) or give out.
    fn wish(&self) -> SignedPower {
        match (self.by_power.or(self.by_rates), &self.home) {
            (Some(power), _) => power,
            (None, Some((profiles, home))) => {
                let (made, used) = profiles.power_at(*home, Timestamp::from_millis(self.now * 1000));
                SignedPower::between(made, used)
            }
            (None, None) => SignedPower::default(),
        }
    }

    fn flow(&mut self, seconds: u64) {
        let unit = &mut self.unit;
        unit.stand(seconds);
        let wish = self.wish().watts();
        let power = Power::from_watts(wish.unsigned_abs());
        let unit = &mut self.unit;
        let (mut import, mut export) = (Joules::ZERO, Joules::ZERO);
        if wish > 0 {
            let room = Joules::of_energy(unit.spec.capacity).saturating_sub(unit.stored);
            let most = Joules::of_power(power.min(unit.limits.charge), seconds);
            import = unit.charging.most_input(room).min(most);
            unit.take_in(import);
        } else {
            let most = Joules::of_power(power.min(unit.limits.discharge), seconds);
            export = unit.discharging.output_of(unit.stored).min(most);
            unit.give_out(export);
        }
        self.power = SignedPower::between(import.power_over(seconds), export.power_over(seconds));
    }

    fn keep(&mut self) {
        let slot = self.slot_length.slot_at(self.now()).previous();
        let state = self.unit.state();
        self.kept.push_back((slot, Kept { registers: state.registers, stored: state.stored }));
        if self.kept.len() > usize::from(REMEMBERED) {
            self.kept.pop_front();
        }
    }
}

impl Physics for LoneBattery {
    fn advance_to(&mut self, time: Timestamp) {
        let target = time.millis() / 1000;
        while let Some((told, until)) = self.leases.take_until(target) {
            self.pass(until);
            match told {
                Told::Power => self.by_power = None,
                Told::Rates => {
                    let spec = &self.unit.spec;
                    self.by_rates = None;
                    self.unit.limits =
                        BatteryLimits { charge: spec.charge_limit, discharge: spec.discharge_limit };
                }
            }
        }
        self.pass(target);
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now * 1000)
    }

    fn intervals(&self) -> (SlotLength, u16) {
        (self.slot_length, REMEMBERED)
    }

    fn shown(&self, _: Part) -> Shown {
        let state = self.unit.state();
        Shown {
            registers: state.registers,
            power: self.power,
            stored: state.stored,
            limits: FeederLimits { to_battery: state.charge_limit, to_home: state.discharge_limit },
            curtailed: None,
            forced: Forced { by_rates: self.by_rates.is_some(), by_power: self.by_power.is_some() },
        }
    }

    fn kept(&self, _: Part, slot: Slot) -> Option<Kept> {
        let place = self.kept.binary_search_by_key(&slot, |(slot, _)| *slot).ok()?;
        Some(self.kept[place].1)
    }

    fn command(&mut self, _: Part, command: Command) {
        let spec = &self.unit.spec;
        match command {
            Command::Limit(limits, forced, lease) => {
                self.unit.limits = BatteryLimits {
                    charge: limits.to_battery.min(spec.charge_limit),
                    discharge: limits.to_home.min(spec.discharge_limit),
                };
                self.by_rates = forced;
                self.leases.note(Told::Rates, self.now, lease);
            }
            Command::Force(power, lease) => {
                self.by_power = power;
                self.leases.note(Told::Power, self.now, lease);
            }
            Command::Curtail(..) => {}
        }
    }
}
