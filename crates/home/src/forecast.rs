//! What a home expects to generate and to use in a coming slot, from its own record alone.
//!
//! The rule, in whole watt-hours: use is the average of two opinions, "as at this time of day lately" (mean
//! of the same slot on up to three previous days) and "as just now" (mean of the last two slots that are
//! known); where only one opinion exists it decides. Generation is "as at this time of day lately", scaled
//! by how the last known slot compared with its own time of day (clouds today), at most by half as much
//! again; without a previous day it is "as just now". Always: missing readings are left out, never taken
//! for nothing. Not here: weather, calendars, learning.

use crate::record::SlotReading;
use std::collections::BTreeMap;
use wattbook_types::{Energy, Slot};

/// Previous days that are looked at.
const DAYS: u64 = 3;
/// How far back "just now" may lie, in slots.
const RECENT: u64 = 4;
/// Below this a slot's generation says nothing about clouds.
const DAYLIGHT: u64 = 50;

/// What is expected of a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Energy generated.
    pub generated: Energy,
    /// Energy used.
    pub consumed: Energy,
}

impl Expected {
    /// What own generation does not cover.
    pub fn need(&self) -> Energy {
        self.consumed.saturating_sub(self.generated)
    }

    /// What is left over.
    pub fn surplus(&self) -> Energy {
        self.generated.saturating_sub(self.consumed)
    }
}

/// What is expected of `slot`; `None` where nothing is known to judge by.
pub fn expected(history: &BTreeMap<Slot, SlotReading>, slot: Slot, slots_per_day: u64) -> Option<Expected> {
    let known = |slot: Slot| history.get(&slot).filter(|reading| reading.measured);
    let recent: Vec<&SlotReading> =
        (1..=RECENT).filter_map(|back| known(earlier(slot, back)?)).take(2).collect();
    let lately = |slot: Slot| -> Vec<&SlotReading> {
        (1..=DAYS).filter_map(|day| known(earlier(slot, day * slots_per_day)?)).collect()
    };
    let usual = lately(slot);
    let consumed = match (mean(&usual, |r| r.consumed), mean(&recent, |r| r.consumed)) {
        (Some(usual), Some(recent)) => (usual + recent) / 2,
        (usual, recent) => usual.or(recent)?,
    };
    let generated = match (mean(&usual, |r| r.generated), recent.first()) {
        (Some(usual), Some(last)) => {
            let then = mean(&lately(last.slot), |r| r.generated).unwrap_or(0);
            under_todays_sky(usual, last.generated.wh(), then)
        }
        (Some(usual), None) => usual,
        (None, _) => mean(&recent, |r| r.generated)?,
    };
    Some(Expected { generated: Energy::from_wh(generated), consumed: Energy::from_wh(consumed) })
}

fn earlier(slot: Slot, slots: u64) -> Option<Slot> {
    slot.number().checked_sub(slots).map(Slot::from_number)
}

fn mean(readings: &[&SlotReading], of: impl Fn(&SlotReading) -> Energy) -> Option<u64> {
    let count = u64::try_from(readings.len()).ok().filter(|count| *count > 0)?;
    Some(readings.iter().map(|reading| of(reading)).sum::<Energy>().wh() / count)
}

/// Usual generation, scaled by today's against the usual of a slot just past.
fn under_todays_sky(usual: u64, today: u64, usual_then: u64) -> u64 {
    if usual_then < DAYLIGHT {
        return usual;
    }
    let scaled = u128::from(usual) * u128::from(today) / u128::from(usual_then);
    u64::try_from(scaled).unwrap_or(u64::MAX).min(usual.saturating_add(usual / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows `slot generated consumed`; `-` for a missing reading.
    fn history(table: &str) -> BTreeMap<Slot, SlotReading> {
        let rows = table.lines().map(str::split_whitespace).map(Iterator::collect::<Vec<_>>);
        rows.filter(|row| !row.is_empty())
            .map(|row| {
                let slot = Slot::from_number(row[0].parse().expect("slot"));
                let wh = |text: &str| Energy::from_wh(text.parse().unwrap_or(0));
                let measured = row[1] != "-";
                let reading = SlotReading {
                    measured,
                    generated: wh(row[1]),
                    consumed: wh(row[2]),
                    ..SlotReading::missing(slot)
                };
                (slot, reading)
            })
            .collect()
    }

    fn check(table: &str, slot: u64, generated_and_consumed: Option<(u64, u64)>) {
        let expected = expected(&history(table), Slot::from_number(slot), 4);
        let numbers = expected.map(|e| (e.generated.wh(), e.consumed.wh()));
        assert_eq!(numbers, generated_and_consumed, "{table}");
    }

    #[test]
    fn b1_nothing_known_nothing_expected() {
        check("", 100, None);
        check("97 - -", 100, None);
        // Too long ago, and not at this time of day.
        check("95 0 500", 100, None);
    }

    #[test]
    fn b1_the_first_day_goes_by_the_last_two_slots() {
        check("98 10 300", 100, Some((10, 300)));
        check("97 30 100 \n 98 10 300", 100, Some((20, 200)));
        check("97 30 100 \n 98 - -", 100, Some((30, 100)));
    }

    #[test]
    fn b1_later_days_mix_the_time_of_day_with_just_now() {
        // Same slot on three days: 200, 400, 600; just now: 1000.
        check("88 0 200 \n 92 0 400 \n 96 0 600 \n 98 0 1000 \n 97 0 1000", 100, Some((0, 700)));
        // A fourth day counts no more.
        check("84 0 9000 \n 88 0 200 \n 92 0 400 \n 96 0 600", 100, Some((0, 500)));
    }

    #[test]
    fn b1_clouds_today_lower_expected_generation() {
        // Yesterday 94 gave 1000 and 96 gave 800; today 98 gave half of it.
        check("94 1000 0 \n 96 800 0 \n 98 500 0", 100, Some((400, 0)));
        // A brighter day counts for half as much again at most.
        check("94 1000 0 \n 96 800 0 \n 98 4000 0", 100, Some((1200, 0)));
        // At night the last slot says nothing about the sky.
        check("94 0 0 \n 96 800 0 \n 98 0 0", 100, Some((800, 0)));
    }

    #[test]
    fn need_and_surplus_exclude_each_other() {
        let day = Expected { generated: Energy::from_wh(900), consumed: Energy::from_wh(400) };
        assert_eq!((day.need().wh(), day.surplus().wh()), (0, 500));
        let night = Expected { generated: Energy::ZERO, consumed: Energy::from_wh(400) };
        assert_eq!((night.need().wh(), night.surplus().wh()), (400, 0));
    }
}
