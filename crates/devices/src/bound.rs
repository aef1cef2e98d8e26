//! The most that any rule whatever could have covered of homes' needs with a given battery.
//!
//! What is bounded: energy that arrives at homes from a battery in the simulated world (`plant`), for
//! known profiles, whoever decides and whatever he knows ahead. The bound is for comparing a market with
//! it, so it errs only upwards: it is never less than what a world can do.
//!
//! **The relaxed world.** Time is cut at profile steps, in which all powers are constant. In a step of
//! length t let `s` be what is stored at its beginning, `in` what is charged and `out` what is withdrawn
//! (both as stored energy, that is after charging loss and before discharging loss). Any course of events
//! within the step satisfies
//!
//! - `in <= charging(min(surplus received, charge limit * t))`
//! - `out <= withdrawal(min(need at the terminals, discharge limit * t))`
//! - `out <= s + in`
//! - `s' = s + in - out - loss <= capacity`, where `loss` is at least the standing loss of `s - out` over
//!   the whole step: what is withdrawn is withdrawn at the end at the latest, what is charged is charged
//!   at the beginning at the earliest, so the part that stood throughout is at least `s - out`.
//!
//! The order within the step is dropped: energy charged in a step may be withdrawn in it, and withdrawing
//! makes room for charging. That only allows more.
//!
//! **Why greedy is optimal here.** Greedy withdraws as much as it can in each step, then charges as much as
//! fits. Write `V(s)` for the most that can be withdrawn in all later steps when `s` is stored. (1) `V` does
//! not fall with `s`: who has more can do everything that one with less does, and charge less where he has
//! no room. (2) `V(s + d) - V(s) <= d`: let one with `s` copy one with `s + d`, withdrawing less by what
//! he lacks; what he lacks is d at first and only shrinks, by what he withdraws less, by standing loss,
//! and where the other had no room. So in all he withdraws at most d less. By (2), withdrawing a unit now
//! is worth at least as much as keeping it (exchange: give the unit out now instead of whenever it would
//! have been, or been lost); by (1), charging as much as fits is best. By induction over the steps from
//! the last to the first, greedy withdraws the most in all, and so delivers the most, as discharging
//! keeps a fixed share.
//!
//! **Line losses.** The greedy total is energy at the terminals. Where lines differ, what arrives depends
//! on who gets it; the bound lets every delivered unit go where the least is lost among all needs of the
//! whole time. With equal lines this is exact.
//!
//! **Rounding.** Every division rounds so that the bound rises: by at most a few joules a step.

use crate::joules::Joules;
use crate::plant::{BatterySpec, HomeSpec, WorldSpec};
use wattbook_types::{Energy, Interval, PerMille, Power, Timestamp};

/// What homes needed and the most that their battery could have brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// What homes used beyond their own generation.
    pub needed: Energy,
    /// What homes generated beyond their own use.
    pub surplus: Energy,
    /// The most that could have left the batteries for homes, rounded up.
    pub delivered: Energy,
    /// The most that could have arrived at homes, rounded up.
    pub arrived: Energy,
}

impl Bound {
    /// The most that could have been covered, in thousandths of what was needed; all of nothing.
    pub fn covered_per_mille(&self) -> u64 {
        share_per_mille(self.arrived, self.needed)
    }
}

/// `part` in thousandths of `whole`, rounded down; 1000 where there is no whole.
pub fn share_per_mille(part: Energy, whole: Energy) -> u64 {
    if whole.is_zero() { 1000 } else { part.wh().saturating_mul(1000) / whole.wh() }
}

/// The bound for a world in an interval that begins with the world as specified.
pub fn most_covered(spec: &WorldSpec, interval: Interval) -> Bound {
    let (mut needed, mut surplus) = (Joules::ZERO, Joules::ZERO);
    let (mut delivered, mut arrived) = (Joules::ZERO, Joules::ZERO);
    for battery in &spec.batteries {
        let homes: Vec<&HomeSpec> = spec.homes.iter().filter(|home| home.battery == battery.id).collect();
        let mut greedy = Greedy::new(battery);
        let mut wants = Wants::default();
        for (start, seconds) in steps(spec, interval) {
            let mut flow = StepFlow { seconds, ..StepFlow::default() };
            for home in &homes {
                let (generation, consumption) = spec.profiles.power_at(home.profile, start);
                let made = Joules::of_power(generation, seconds);
                let used = Joules::of_power(consumption, seconds);
                surplus += made.saturating_sub(used);
                needed += used.saturating_sub(made);
                flow.receivable += kept_up(made.saturating_sub(used), home.line_loss.complement());
                let at_terminals = source_for(used.saturating_sub(made), home.line_loss.complement());
                flow.drawable += at_terminals;
                wants.add(home.line_loss, at_terminals);
            }
            delivered += greedy.step(flow);
        }
        arrived += wants.best(greedy.delivered());
    }
    let up = |joules: Joules| Energy::from_wh(joules.get().div_ceil(3600));
    Bound {
        needed: needed.energy(),
        surplus: surplus.energy(),
        delivered: up(delivered),
        // Nobody is brought more than he needs.
        arrived: up(arrived.min(needed)),
    }
}

/// The profile steps within an interval, the first and last cut to it: start and length in seconds.
fn steps(spec: &WorldSpec, interval: Interval) -> impl Iterator<Item = (Timestamp, u64)> {
    let length = spec.profiles.step_seconds();
    let origin = spec.profiles.start().millis() / 1000;
    let (mut now, end) = (interval.start.millis() / 1000, interval.end.millis() / 1000);
    std::iter::from_fn(move || {
        if now >= end {
            return None;
        }
        let into = (now + length - origin % length) % length;
        let seconds = (length - into).min(end - now);
        let start = Timestamp::from_millis(now * 1000);
        now += seconds;
        Some((start, seconds))
    })
}

/// What a way keeps of an input, rounded up.
fn kept_up(input: Joules, keeps: PerMille) -> Joules {
    Joules::from_wide((u128::from(input.get()) * u128::from(keeps.get())).div_ceil(1000))
}

/// The most that may be put into a way so that no more than this comes out; nothing where none ever does.
fn source_for(output: Joules, keeps: PerMille) -> Joules {
    if output == Joules::ZERO || keeps == PerMille::ZERO {
        return Joules::ZERO;
    }
    Joules::from_wide((u128::from(output.get()) * 1000).div_ceil(u128::from(keeps.get())))
}

/// What homes could send and draw in a step, at the battery's terminals.
#[derive(Clone, Copy, Default)]
struct StepFlow {
    seconds: u64,
    receivable: Joules,
    drawable: Joules,
}

/// The battery in the relaxed world.
struct Greedy<'a> {
    battery: &'a BatterySpec,
    stored: Joules,
    withdrawn: Joules,
}

impl<'a> Greedy<'a> {
    fn new(battery: &'a BatterySpec) -> Self {
        Self { battery, stored: Joules::of_energy(battery.stored), withdrawn: Joules::ZERO }
    }

    /// Withdraws as much as possible, then charges as much as fits. Returns what is delivered.
    fn step(&mut self, flow: StepFlow) -> Joules {
        let before = self.delivered();
        let limit = |power: Power| Joules::of_power(power, flow.seconds);
        let charge =
            kept_up(flow.receivable.min(limit(self.battery.charge_limit)), self.battery.charge_efficiency);
        let wanted = source_for(
            flow.drawable.min(limit(self.battery.discharge_limit)),
            self.battery.discharge_efficiency,
        );
        let out = wanted.min(self.stored + charge);
        let stood = self.stored.saturating_sub(out);
        let passed = out.saturating_sub(self.stored);
        let left = stood - self.standing_loss(stood, flow.seconds);
        let room = Joules::of_energy(self.battery.capacity).saturating_sub(left);
        self.stored = left + (charge - passed).min(room);
        self.withdrawn += out;
        self.delivered() - before
    }

    /// All that was delivered, rounded up.
    fn delivered(&self) -> Joules {
        kept_up(self.withdrawn, self.battery.discharge_efficiency)
    }

    /// The least that is lost of energy that stands for some time: a minute's share each minute, each
    /// rounded down.
    fn standing_loss(&self, stood: Joules, seconds: u64) -> Joules {
        let mut left = u128::from(stood.get());
        for minute in 0..seconds.div_ceil(60) {
            let length = (seconds - minute * 60).min(60);
            let rate = u128::from(self.battery.standing_loss_ppm_per_hour) * u128::from(length);
            left -= (left * rate / 3_600_000_000).min(left);
        }
        stood - Joules::from_wide(left)
    }
}

/// All needs of the whole time by the loss on their line.
#[derive(Default)]
struct Wants(std::collections::BTreeMap<PerMille, Joules>);

impl Wants {
    fn add(&mut self, loss: PerMille, at_terminals: Joules) {
        *self.0.entry(loss).or_default() += at_terminals;
    }

    /// The most that arrives of so much delivered: the least lossy lines first.
    fn best(&self, delivered: Joules) -> Joules {
        let mut left = delivered;
        let mut arrived = Joules::ZERO;
        for (loss, wanted) in &self.0 {
            let part = left.min(*wanted);
            left -= part;
            arrived += kept_up(part, loss.complement());
        }
        arrived
    }
}

#[cfg(test)]
mod tests;
