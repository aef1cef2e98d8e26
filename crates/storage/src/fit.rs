//! Registers as devices show them, fitted to what one report may say together.
//!
//! Real meters differ: the feeders' may sum to more than the battery's own, a meter is exchanged, a battery
//! takes in more than its community says it can. The ledger refuses such a report for ever, and with it all
//! that follow, as their numbers have no gaps. So what is stated is fitted, by the rules of docs/metering.md:
//! nothing stated goes back; the battery's registers gain no more than its limits allow, the rest follows
//! later; the feeders together gain no more than the battery's own meter, else each its share of that.
//!
//! Always: meters that fit are not altered; whole numbers only; deciding twice from the same look decides
//! the same. Not here: reading, keeping and telling (`clerk`).

use std::collections::BTreeMap;
use wattbook_devices::Registers;
use wattbook_types::{ConnectionPoint, MeterRegister, Power};

/// Registers of a battery and its feeders at one moment: `import` came into the battery, `export` left it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The battery's own meter.
    pub own: Registers,
    /// The feeders' meters at the battery's end.
    pub feeders: BTreeMap<ConnectionPoint, Registers>,
}

/// What is added to a meter's registers before it is stated (Wh): import and export.
pub type Offset = [i64; 2];

/// The offsets of all meters; a meter without one has none. The battery's own is at `None`.
pub type Offsets = BTreeMap<Option<ConnectionPoint>, Offset>;

/// What a report is fitted to.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// What the last slot-end report stated, or the ledger began with.
    pub settled: &'a Counts,
    /// What the last report of any kind stated.
    pub stated: &'a Counts,
    /// Power that the battery can take in and give out, as its community says.
    pub limits: [Power; 2],
    /// Ledger time since the last slot-end report, to the end of the slot, in seconds.
    pub seconds: u64,
    /// Whether a slot ended. What is cut off in between may only be early, and is not lost.
    pub slot_end: bool,
}

/// What can be stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitted {
    /// The registers.
    pub counts: Counts,
    /// With them from now on.
    pub offsets: Offsets,
    /// Whether anything was altered.
    pub altered: bool,
}

/// One direction of a meter.
type Way = usize;
const WAYS: [Way; 2] = [0, 1];

fn of(registers: &Registers, way: Way) -> u64 {
    [registers.import, registers.export][way].wh()
}

fn set(registers: &mut Registers, way: Way, wh: u64) {
    *[&mut registers.import, &mut registers.export][way] = MeterRegister::from_wh(wh);
}

fn signed(wh: u64) -> i64 {
    i64::try_from(wh).unwrap_or(i64::MAX)
}

/// Offsets with which counting begins where the ledger begins: for meters that show less than it says, or
/// more than can have flowed in the `seconds` since.
pub fn beginning(began: &Counts, shown: &Counts, limits: [Power; 2], seconds: u64) -> Offsets {
    let mut offsets = Offsets::new();
    let feeders = shown.feeders.iter().map(|(at, registers)| (Some(*at), registers));
    for (at, registers) in feeders.chain([(None, &shown.own)]) {
        let from = at.map_or(Some(&began.own), |at| began.feeders.get(&at)).copied().unwrap_or_default();
        for way in WAYS {
            let most = limits[way].over_seconds(seconds).wh().saturating_add(1);
            let gained = of(registers, way).checked_sub(of(&from, way));
            if gained.is_none_or(|gained| gained > most) {
                let offset = signed(of(&from, way)) - signed(of(registers, way));
                offsets.entry(at).or_default()[way] = offset;
            }
        }
    }
    offsets
}

/// What feeders' meters that stand where they were stated would show.
pub fn as_shown(stated: &Counts, offsets: Option<&Offsets>) -> BTreeMap<ConnectionPoint, Registers> {
    let shown = |(at, registers): (&ConnectionPoint, &Registers)| {
        let offset = offsets.and_then(|offsets| offsets.get(&Some(*at))).copied().unwrap_or_default();
        let mut shown = *registers;
        for way in WAYS {
            set(&mut shown, way, of(registers, way).saturating_add_signed(offset[way].saturating_neg()));
        }
        (*at, shown)
    };
    stated.feeders.iter().map(shown).collect()
}

impl Frame<'_> {
    /// Fits what the meters show.
    pub fn fit(&self, shown: &Counts, offsets: &Offsets) -> Fitted {
        let mut fitted = Fitted { counts: Counts::default(), offsets: offsets.clone(), altered: false };
        for way in WAYS {
            self.fit_own(way, shown, &mut fitted);
            self.fit_feeders(way, shown, &mut fitted);
        }
        fitted
    }

    /// The battery's own: never back, never faster than its limits. What is too fast follows later, so that
    /// only a fall changes the offset.
    fn fit_own(&self, way: Way, shown: &Counts, fitted: &mut Fitted) {
        let stated = of(&self.stated.own, way);
        let counted = fitted.counted(None, way, of(&shown.own, way), stated);
        let most = self.limits[way].over_seconds(self.seconds).wh().saturating_add(1);
        let top = of(&self.settled.own, way).saturating_add(most).max(stated);
        fitted.altered |= counted > top && self.slot_end;
        set(&mut fitted.counts.own, way, counted.min(top));
    }

    fn fit_feeders(&self, way: Way, shown: &Counts, fitted: &mut Fitted) {
        let nothing = Registers::default();
        let mut stated_together = 0_u64;
        let mut gains = Vec::new();
        for (at, registers) in &shown.feeders {
            let stated = of(self.stated.feeders.get(at).unwrap_or(&nothing), way);
            let settled = of(self.settled.feeders.get(at).unwrap_or(&nothing), way);
            let counted = fitted.counted(Some(*at), way, of(registers, way), stated);
            stated_together = stated_together.saturating_add(stated - settled.min(stated));
            gains.push((*at, stated, counted - stated));
        }
        let own = of(&fitted.counts.own, way).saturating_sub(of(&self.settled.own, way));
        let wanted = gains.iter().fold(0_u64, |sum, (_, _, gain)| sum.saturating_add(*gain));
        // Registers are whole watt-hours: one for each meter is no difference.
        let slack = gains.len() as u64;
        let fits = stated_together.saturating_add(wanted) <= own.saturating_add(slack);
        let room = own.saturating_sub(stated_together);
        let shares =
            if fits { gains.iter().map(|row| row.2).collect() } else { shares(&gains, wanted, room) };
        for ((at, stated, gain), share) in gains.into_iter().zip(shares) {
            set(fitted.counts.feeders.entry(at).or_default(), way, stated + share);
            if share < gain && self.slot_end {
                fitted.offsets.entry(Some(at)).or_default()[way] -= signed(gain - share);
                fitted.altered = true;
            }
        }
    }
}

impl Fitted {
    /// A register with its offset; where it went back, the offset is moved so that it stands still.
    fn counted(&mut self, at: Option<ConnectionPoint>, way: Way, shown: u64, stated: u64) -> u64 {
        let offset = self.offsets.get(&at).map_or(0, |offset| offset[way]);
        match shown.checked_add_signed(offset) {
            Some(counted) if counted >= stated => counted,
            _ => {
                self.offsets.entry(at).or_default()[way] = signed(stated) - signed(shown);
                self.altered = true;
                stated
            }
        }
    }
}

/// Each gain's share of the room, rounded down; the watt-hours that are left go to the largest remainders,
/// among equal ones to the smaller connection point.
fn shares(gains: &[(ConnectionPoint, u64, u64)], wanted: u64, room: u64) -> Vec<u64> {
    let product = |gain: u64| u128::from(gain) * u128::from(room);
    let whole = u128::from(wanted.max(1));
    let mut shares: Vec<u64> =
        gains.iter().map(|row| u64::try_from(product(row.2) / whole).unwrap_or(u64::MAX)).collect();
    let left = room.saturating_sub(shares.iter().sum());
    let mut order: Vec<usize> = (0..gains.len()).collect();
    order.sort_by_key(|place| std::cmp::Reverse(product(gains[*place].2) % whole));
    for place in order.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
        shares[place] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: [Power; 2] = [Power::from_watts(4_000); 2];

    fn registers(import: u64, export: u64) -> Registers {
        Registers { import: MeterRegister::from_wh(import), export: MeterRegister::from_wh(export) }
    }

    fn counts(own: (u64, u64), feeders: &[(u64, u64)]) -> Counts {
        let feeders = (1..).zip(feeders).map(|(number, (import, export))| {
            (ConnectionPoint::from_number(number), registers(*import, *export))
        });
        Counts { own: registers(own.0, own.1), feeders: feeders.collect() }
    }

    /// Fits the end of a slot of half an hour after one that ended with `settled`.
    fn fit(settled: &Counts, shown: &Counts, offsets: &Offsets) -> Fitted {
        Frame { settled, stated: settled, limits: LIMITS, seconds: 1_800, slot_end: true }.fit(shown, offsets)
    }

    #[test]
    fn p3_meters_that_fit_are_not_altered() {
        let before = counts((100, 50), &[(60, 20), (40, 30)]);
        // Each register may be rounded by one.
        for after in [counts((160, 80), &[(91, 40), (71, 42)]), counts((900, 80), &[(61, 20), (40, 30)])] {
            let fitted = fit(&before, &after, &Offsets::new());
            assert_eq!((fitted.counts, fitted.offsets, fitted.altered), (after, Offsets::new(), false));
        }
    }

    #[test]
    fn p3_feeders_that_count_more_than_the_battery_share_what_it_counted() {
        let before = counts((1_000, 0), &[(500, 0), (300, 0), (200, 0)]);
        let after = counts((1_100, 0), &[(575, 0), (345, 0), (200, 0)]);
        let fitted = fit(&before, &after, &Offsets::new());
        // 100 Wh shared as 75 to 45: 62.5 and 37.5; the smaller number is rounded up.
        assert_eq!(fitted.counts, counts((1_100, 0), &[(563, 0), (337, 0), (200, 0)]));
        assert!(fitted.altered);
        // What was cut off stays off: the count goes on from what was stated.
        let later = counts((1_200, 0), &[(625, 0), (395, 0), (200, 0)]);
        let next = fit(&fitted.counts, &later, &fitted.offsets);
        assert_eq!((next.counts, next.altered), (counts((1_200, 0), &[(613, 0), (387, 0), (200, 0)]), false));
    }

    #[test]
    fn p3_a_register_that_went_back_stands_still_and_counts_on() {
        let before = counts((1_000, 10), &[(500, 10), (300, 0)]);
        let fitted = fit(&before, &counts((1_100, 0), &[(30, 0), (350, 0)]), &Offsets::new());
        assert_eq!(fitted.counts, counts((1_100, 10), &[(500, 10), (350, 0)]));
        let next = fit(&fitted.counts, &counts((1_150, 7), &[(50, 7), (370, 0)]), &fitted.offsets);
        assert_eq!(next.counts, counts((1_150, 17), &[(520, 17), (370, 0)]));
        assert!(!next.altered);
    }

    #[test]
    fn p3_a_battery_beyond_its_limits_is_stated_at_them_and_the_rest_follows() {
        let before = counts((0, 0), &[(0, 0)]);
        // 4 kW for half an hour are 2 kWh, and one for rounding.
        let fitted = fit(&before, &counts((2_500, 0), &[(2_500, 0)]), &Offsets::new());
        assert_eq!(fitted.counts, counts((2_001, 0), &[(2_001, 0)]));
        let next = fit(&fitted.counts, &counts((2_500, 0), &[(2_500, 0)]), &fitted.offsets);
        assert_eq!(next.counts, counts((2_500, 0), &[(2_001, 0)]));
    }

    #[test]
    fn p3_what_is_early_between_slots_is_not_lost() {
        let before = counts((0, 0), &[(0, 0)]);
        let frame =
            Frame { settled: &before, stated: &before, limits: LIMITS, seconds: 1_800, slot_end: false };
        // The battery's own meter was read a little before the feeder's.
        let early = frame.fit(&counts((100, 0), &[(110, 0)]), &Offsets::new());
        assert_eq!((&early.counts, early.altered), (&counts((100, 0), &[(100, 0)]), false));
        let end = Frame { stated: &early.counts, slot_end: true, ..frame };
        let end = end.fit(&counts((120, 0), &[(120, 0)]), &early.offsets);
        assert_eq!(end.counts, counts((120, 0), &[(120, 0)]));
    }

    #[test]
    fn p3_counting_begins_where_the_ledger_begins() {
        let began = counts((0, 0), &[(0, 0), (700, 0)]);
        // A meter that has counted for years, one that shows less than the ledger says, and one that fits.
        let shown = counts((300, 5_000_000), &[(12_345_678, 0), (10, 100)]);
        let offsets = beginning(&began, &shown, LIMITS, 600);
        let fitted =
            Frame { settled: &began, stated: &began, limits: LIMITS, seconds: 1_800, slot_end: true };
        let fitted = fitted.fit(&shown, &offsets);
        assert_eq!(fitted.counts, counts((300, 0), &[(0, 0), (700, 0)]));
        assert_eq!(
            beginning(&began, &counts((300, 0), &[(200, 0), (700, 100)]), LIMITS, 600),
            Offsets::new()
        );
    }

    proptest! {
        /// Whatever the meters show, what is stated fits the ledger's rules, report after report, and what
        /// was cut off is not made up for.
        #[test]
        fn p3_whatever_meters_show_what_is_stated_is_what_the_ledger_takes(
            looks in prop::collection::vec(
                (prop::collection::vec(0..5_000u64, 8), any::<bool>()), 1..20,
            ),
            resets in prop::collection::vec(any::<prop::sample::Index>(), 3),
        ) {
            let mut shown = [0_u64; 8];
            let (mut settled, mut offsets) = (counts((0, 0), &[(0, 0); 3]), Offsets::new());
            let mut stated = settled.clone();
            for (number, (gains, slot_end)) in looks.iter().enumerate() {
                for (register, gain) in shown.iter_mut().zip(gains) {
                    *register += gain;
                }
                if let Some(reset) = resets.get(number) {
                    shown[reset.index(8)] = 0;
                }
                let rows = [(shown[2], shown[3]), (shown[4], shown[5]), (shown[6], shown[7])];
                let look = counts((shown[0], shown[1]), &rows);
                let slot_end = *slot_end;
                let frame =
                    Frame { settled: &settled, stated: &stated, limits: LIMITS, seconds: 1_800, slot_end };
                let fitted = frame.fit(&look, &offsets);
                let again = Frame { stated: &fitted.counts, ..frame.clone() }.fit(&look, &fitted.offsets);
                prop_assert_eq!(&again.counts, &fitted.counts, "deciding twice decides the same");
                for way in WAYS {
                    let own = of(&fitted.counts.own, way);
                    prop_assert!(own >= of(&stated.own, way));
                    let gained = own - of(&settled.own, way);
                    prop_assert!(gained <= 2_001);
                    let mut together = 0;
                    for (at, row) in &fitted.counts.feeders {
                        prop_assert!(of(row, way) >= of(&stated.feeders[at], way));
                        together += of(row, way) - of(&settled.feeders[at], way);
                    }
                    prop_assert!(together <= gained + 3, "{together} of {gained}");
                }
                (stated, offsets) = (fitted.counts, fitted.offsets);
                if slot_end {
                    settled = stated.clone();
                }
            }
        }
    }
}
