//! Whether a device's registers stand still though power flows (P3).
//!
//! Always: only power that certainly flowed counts, the smaller of two readings in one direction, and none
//! that is so small that meters need not count it. Not here: whether readings are believed (`belief`).

use super::belief::{Oddity, Seen};
use crate::driver::CounterTraits;
use crate::reading::SignedPower;
use wattbook_types::{Energy, Power, Timestamp};

/// The resolution of a device that says none, where a coarse one is the safe guess (Wh).
const UNSAID_RESOLUTION: u64 = 100;
/// Registers that stand still are doubted once this much energy (Wh) must have flowed, or eight times the
/// resolution if that is more, over so many readings.
const FROZEN_WH: u64 = 20;
const FROZEN_READINGS: u32 = 4;
/// Below a hundredth of its limit a meter need not start to count; this where its limit is not known (W).
const START: u64 = 25;

/// For how long registers have stood still, and what must have flowed meanwhile.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Still {
    since: Timestamp,
    watt_millis: u128,
    readings: u32,
    power: i64,
    frozen: bool,
}

impl Still {
    /// From a reading on.
    pub(super) fn since(seen: &Seen) -> Self {
        let power = seen.power.map_or(0, SignedPower::watts);
        Self { since: seen.time, power, ..Self::default() }
    }

    pub(super) const fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// When the registers moved last.
    pub(super) const fn began(&self) -> Timestamp {
        self.since
    }

    /// Takes note of whether registers move while power flows.
    pub(super) fn watch(
        &mut self,
        seen: &Seen,
        elapsed_ms: u64,
        moved: bool,
        traits: &CounterTraits,
    ) -> Option<Oddity> {
        if moved {
            let was_frozen = self.frozen;
            *self = Self::since(seen);
            return was_frozen.then_some(Oddity::Moves);
        }
        let power = seen.power.map_or(0, SignedPower::watts);
        // What certainly flowed: the smaller of the two powers, if they have one direction.
        let steady = power.signum() == self.power.signum();
        let start = traits.limit.map_or(START, |limit: Power| limit.watts() / 100);
        let certain = if steady { power.unsigned_abs().min(self.power.unsigned_abs()) } else { 0 };
        let flowed = if certain < start { 0 } else { certain };
        self.watt_millis += u128::from(flowed) * u128::from(elapsed_ms);
        self.readings += u32::from(flowed > 0 && elapsed_ms > 0);
        self.power = power;
        let step = traits.resolution.map_or(UNSAID_RESOLUTION, Energy::wh);
        let enough = u128::from(step.saturating_mul(8).max(FROZEN_WH)) * 3_600_000;
        if self.frozen || self.readings < FROZEN_READINGS || self.watt_millis < enough {
            return None;
        }
        self.frozen = true;
        Some(Oddity::Frozen)
    }
}
