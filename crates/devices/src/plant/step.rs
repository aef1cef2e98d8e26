//! How energy moves in a stretch of time in which all powers are constant.
//!
//! Always: what is accepted fits the battery's limits and the room at the beginning of the stretch, what
//! is delivered its limits and what was stored then: within one stretch nothing is both charged and
//! discharged, so the order of homes means nothing. Shares are rounded down; what rounding leaves stays
//! with the grid.

use super::world::{BatteryUnit, Flows, Home, World};
use crate::joules::Joules;
use wattbook_types::Timestamp;

/// What a home would do in a stretch if the battery had no limits.
#[derive(Clone, Copy)]
struct Wish {
    home: usize,
    /// At the battery's terminals.
    energy: Joules,
}

impl World {
    /// Moves energy for some seconds from the present one on; no boundary lies within.
    pub(super) fn step(&mut self, seconds: u64) {
        self.generate_and_use(seconds);
        for index in 0..self.batteries.len() {
            let unit = &mut self.batteries[index];
            let room = Joules::of_energy(unit.spec.capacity).saturating_sub(unit.stored);
            unit.stand(seconds);
            // Nothing is discharged that this stretch charges: deliver first, out of what stands.
            let out = self.delivery_wishes(index, seconds);
            let into = self.sending_wishes(index, seconds);
            self.deliver(index, seconds, &out);
            self.charge(index, seconds, room, &into);
        }
        for home in &mut self.homes {
            home.settle_with_grid();
        }
    }

    fn generate_and_use(&mut self, seconds: u64) {
        let profiles = &self.spec.profiles;
        let now = Timestamp::from_millis(self.now * 1000);
        for home in &mut self.homes {
            let (generation, consumption) = profiles.power_at(home.spec.profile, now);
            let generation = home.curtailed_to.map_or(generation, |limit| generation.min(limit));
            home.last = Flows {
                seconds,
                generated: Joules::of_power(generation, seconds),
                consumed: Joules::of_power(consumption, seconds),
                ..Flows::default()
            };
        }
    }

    fn homes_of(&self, battery: usize) -> impl Iterator<Item = (usize, &Home)> {
        let id = self.batteries[battery].spec.id;
        self.homes.iter().enumerate().filter(move |(_, home)| home.spec.battery == id)
    }

    fn sending_wishes(&self, battery: usize, seconds: u64) -> Vec<Wish> {
        self.homes_of(battery)
            .map(|(index, home)| {
                let accepted = Joules::of_power(home.port.limits(self.now).to_battery, seconds);
                let sent = home.surplus().min(Joules::of_power(home.switch.send, seconds));
                Wish { home: index, energy: home.up.output_of(sent).min(accepted) }
            })
            .collect()
    }

    fn delivery_wishes(&self, battery: usize, seconds: u64) -> Vec<Wish> {
        self.homes_of(battery)
            .map(|(index, home)| {
                let allowed = Joules::of_power(home.port.limits(self.now).to_home, seconds);
                let drawn = home.need().min(Joules::of_power(home.switch.draw, seconds));
                Wish { home: index, energy: home.down.most_input(drawn).min(allowed) }
            })
            .collect()
    }

    fn deliver(&mut self, battery: usize, seconds: u64, wishes: &[Wish]) {
        let unit = &mut self.batteries[battery];
        let limit = Joules::of_power(unit.limits.discharge, seconds);
        let possible = unit.discharging.output_of(unit.stored).min(limit);
        for (wish, energy) in wishes.iter().zip(share(possible, wishes)) {
            let unit = &mut self.batteries[battery];
            unit.give_out(energy);
            self.homes[wish.home].receive_delivery(energy);
        }
    }

    fn charge(&mut self, battery: usize, seconds: u64, room: Joules, wishes: &[Wish]) {
        let unit = &self.batteries[battery];
        let limit = Joules::of_power(unit.limits.charge, seconds);
        let possible = unit.charging.most_input(room).min(limit);
        for (wish, energy) in wishes.iter().zip(share(possible, wishes)) {
            self.homes[wish.home].send(energy);
            self.batteries[battery].take_in(energy);
        }
    }
}

/// Shares what is possible among the wishes, in proportion.
fn share(possible: Joules, wishes: &[Wish]) -> Vec<Joules> {
    let wished: Joules = wishes.iter().map(|wish| wish.energy).sum();
    let possible = possible.min(wished);
    wishes.iter().map(|wish| wish.energy.share(possible, wished)).collect()
}

/// A meter's count of a portion, true or not.
fn shown(portion: Joules, thousandths: u16) -> Joules {
    portion.share(Joules::new(thousandths.into()), Joules::new(1000))
}

impl Home {
    fn surplus(&self) -> Joules {
        self.last.generated.saturating_sub(self.last.consumed)
    }

    fn need(&self) -> Joules {
        self.last.consumed.saturating_sub(self.last.generated)
    }

    /// Sends so much that exactly this is received.
    fn send(&mut self, received: Joules) {
        let sent = self.up.input_for(received);
        self.up.pass(sent);
        (self.last.sent, self.last.received) = (sent, received);
        self.shown.sent += shown(sent, self.faults.sent);
        self.shown.received += shown(received, self.faults.received.min(1000));
    }

    fn receive_delivery(&mut self, delivered: Joules) {
        let arrived = self.down.pass(delivered);
        (self.last.delivered, self.last.arrived) = (delivered, arrived);
        self.shown.delivered += shown(delivered, self.faults.delivered);
        self.shown.arrived += arrived;
    }

    /// What the feeder did not carry, the grid does.
    fn settle_with_grid(&mut self) {
        self.generated += self.last.generated;
        self.consumed += self.last.consumed;
        self.grid_export += self.surplus() - self.last.sent;
        self.grid_import += self.need() - self.last.arrived;
    }
}

impl BatteryUnit {
    /// Loses what standing costs: a share of what is stored, by the hour.
    pub(super) fn stand(&mut self, seconds: u64) {
        const WHOLE: u128 = 3_600 * 1_000_000;
        let rate = u128::from(self.spec.standing_loss_ppm_per_hour) * u128::from(seconds);
        let due = u128::from(self.stored.get()) * rate + self.standing_rest;
        let loss = Joules::from_wide(due / WHOLE).min(self.stored);
        self.standing_rest = due % WHOLE;
        self.stored -= loss;
        self.standing_loss += loss;
    }

    pub(super) fn take_in(&mut self, received: Joules) {
        self.stored += self.charging.pass(received);
    }

    pub(super) fn give_out(&mut self, delivered: Joules) {
        let withdrawn = self.discharging.input_for(delivered);
        self.discharging.pass(withdrawn);
        self.stored -= withdrawn;
    }
}
