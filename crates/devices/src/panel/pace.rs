//! How fast a feeder may deliver, so that a slot's plan is met and never passed.
//!
//! Always: what a limit lets through for as long as its lease lasts is no more than what is left of the
//! plan, even if nobody ever renews or corrects it and the command takes effect late; a lease never lasts
//! beyond its slot, unless nothing may be delivered under it. Within that, no less than an even pace to the
//! slot's end. A pure function; whole joules and seconds, rounded so that the plan is not passed. Not here:
//! reading and commanding (`feeder`).

use crate::capability::FeederPlan;
use crate::driver::FeederLimits;
use wattbook_types::{Energy, Power, Timestamp};

/// What is known of a feeder when it is to be told what to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    pub(super) now: Timestamp,
    pub(super) slot_end: Timestamp,
    pub(super) plan: FeederPlan,
    /// Until when the same is accepted: the end of this slot or of a later one.
    pub(super) accepted_until: Timestamp,
    /// What the slot has delivered by the meter, and when it was read; `None` where that is not known.
    pub(super) delivered: Option<(Timestamp, Energy)>,
    /// The step in which the meter counts: so much less a watt-hour may have been delivered unseen.
    pub(super) resolution: Energy,
    /// What may have been flowing to the home since the meter was read, and until a new command takes effect.
    pub(super) flowing: Power,
    /// By how much (ledger time) a command may be late.
    pub(super) margin_ms: u64,
    /// How long a lease lasts, in seconds; `None`: to the end of the slot.
    pub(super) lease: Option<u64>,
}

/// Between what a feeder's limit may lie, and for how long it is to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    /// The even pace to the slot's end.
    pub(super) least: Power,
    /// The most that its lease cannot pass the plan with.
    pub(super) most: Power,
    accept: Power,
    lease: u64,
}

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) limits: FeederLimits,
    /// In seconds; `None` where nothing may flow anyhow.
    pub(super) lease: Option<u32>,
}

impl Situation {
    /// What is left of the plan, in joules, less what flows before a command takes effect.
    fn left(&self) -> u64 {
        let Some((read, delivered)) = self.delivered else { return 0 };
        let left = self.plan.deliver.saturating_sub(delivered).wh();
        let unseen = self.resolution.wh().saturating_sub(1);
        let left = left.saturating_sub(unseen).saturating_mul(3_600);
        let late = u128::from(self.margin_ms) + u128::from(self.now.millis_since(read));
        let meanwhile = (u128::from(self.flowing.watts()) * late).div_ceil(1_000);
        left.saturating_sub(u64::try_from(meanwhile).unwrap_or(u64::MAX))
    }

    /// Between what the limit may lie.
    pub(super) fn range(&self) -> Range {
        let (accept, left) = (self.plan.accept, self.left());
        let seconds = |until: Timestamp, less: u64| until.millis_since(self.now).saturating_sub(less) / 1_000;
        let rest = seconds(self.slot_end, self.margin_ms);
        let lease = self.lease.map_or(rest, |lease| lease.min(rest));
        if left == 0 || lease == 0 {
            let lease = seconds(self.accepted_until, 0);
            return Range { accept, lease, ..Range::default() };
        }
        let most = left / lease;
        let least = left.div_ceil(rest).min(most);
        Range { least: Power::from_watts(least), most: Power::from_watts(most), accept, lease }
    }
}

impl Range {
    /// The command for a power within the range.
    pub(super) fn order(&self, to_home: Power) -> Order {
        let limits = FeederLimits { to_battery: self.accept, to_home: to_home.min(self.most) };
        if limits == FeederLimits::default() || self.lease == 0 {
            return Order { limits: FeederLimits::default(), lease: None };
        }
        Order { limits, lease: Some(u32::try_from(self.lease).unwrap_or(u32::MAX)) }
    }
}

/// The power of one range among others that together should not pass a limit: each has its even pace, and
/// what is to spare is shared in proportion.
pub(super) fn share(mine: Range, others: impl Iterator<Item = Range>, limit: Option<Power>) -> Power {
    let Some(limit) = limit else { return mine.most };
    let above = |range: &Range| u128::from(range.most.watts() - range.least.watts());
    let (least, room) = others
        .fold((u128::from(mine.least.watts()), above(&mine)), |(least, room), other| {
            (least + u128::from(other.least.watts()), room + above(&other))
        });
    let spare = u128::from(limit.watts()).saturating_sub(least).min(room);
    let more = (above(&mine) * spare).checked_div(room).unwrap_or_default();
    mine.least.saturating_add(Power::from_watts(u64::try_from(more).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// Of a slot of half an hour: second, planned Wh, delivered Wh, flowing W, lease s, margin ms.
    fn range(second: u64, plan: u64, delivered: u64, flowing: u64, lease: u64, margin: u64) -> Range {
        Situation {
            now: at(second),
            slot_end: at(1_800),
            plan: FeederPlan { accept: Power::ZERO, deliver: Energy::from_wh(plan) },
            accepted_until: at(1_800),
            delivered: Some((at(second), Energy::from_wh(delivered))),
            resolution: Energy::from_wh(1),
            flowing: Power::from_watts(flowing),
            margin_ms: margin,
            lease: Some(lease),
        }
        .range()
    }

    fn powers(range: Range) -> (u64, u64, u64) {
        (range.least.watts(), range.most.watts(), range.lease)
    }

    #[test]
    fn b9_the_even_pace_is_the_least_and_the_lease_bounds_the_most() {
        assert_eq!(powers(range(0, 700, 0, 0, 60, 0)), (1_400, 42_000, 60));
        assert_eq!(powers(range(900, 700, 350, 0, 60, 0)), (1_400, 21_000, 60));
        // Rounded up to be met, but never beyond what the lease allows.
        assert_eq!(powers(range(0, 1, 0, 0, 60, 0)), (2, 60, 60));
        assert_eq!(powers(range(1_000, 1, 0, 0, 3_600, 0)), (4, 4, 800));
        // The last second, and the slot's end.
        assert_eq!(powers(range(1_799, 7, 6, 0, 60, 0)), (3_600, 3_600, 1));
        assert_eq!(powers(range(1_800, 7, 6, 0, 60, 0)).1, 0);
        // More than planned was delivered.
        assert_eq!(powers(range(900, 7, 9, 0, 60, 0)).1, 0);
        // 1 kW flows on for two seconds more: 2 kJ of 360 kJ; and the lease ends as much sooner.
        assert_eq!(powers(range(1_750, 100, 0, 1_000, 60, 2_000)), (7_458, 7_458, 48));
    }

    #[test]
    fn b9_power_to_spare_is_shared_in_proportion_and_the_even_pace_is_everyones() {
        let range = |least, most| Range {
            least: Power::from_watts(least),
            most: Power::from_watts(most),
            ..Range::default()
        };
        let (a, b) = (range(1_000, 4_000), range(500, 7_500));
        let shared = |limit: u64| {
            let limit = Some(Power::from_watts(limit));
            (share(a, [b].into_iter(), limit).watts(), share(b, [a].into_iter(), limit).watts())
        };
        assert_eq!(shared(100_000), (4_000, 7_500));
        assert_eq!(shared(2_500), (1_300, 1_200));
        // The battery itself shares what is less than everyone's even pace.
        assert_eq!(shared(700), (1_000, 500));
        assert_eq!(share(a, [b].into_iter(), None), a.most);
        assert_eq!(share(range(0, 0), [a].into_iter(), Some(Power::from_watts(9))), Power::ZERO);
    }

    #[test]
    fn s1_what_is_only_accepted_is_leased_for_as_long_as_it_is_planned() {
        let situation = Situation {
            now: at(100),
            slot_end: at(1_800),
            plan: FeederPlan { accept: Power::from_watts(900), deliver: Energy::ZERO },
            accepted_until: at(5_400),
            delivered: None,
            resolution: Energy::from_wh(1),
            flowing: Power::ZERO,
            margin_ms: 500,
            lease: Some(60),
        };
        let order = situation.range().order(Power::ZERO);
        let limits = FeederLimits { to_battery: Power::from_watts(900), to_home: Power::ZERO };
        assert_eq!(order, Order { limits, lease: Some(5_300) });
        // With a delivery the lease is short and ends with the slot.
        let plan = FeederPlan { deliver: Energy::from_wh(100), ..situation.plan };
        let both = Situation { plan, delivered: Some((at(100), Energy::ZERO)), ..situation };
        assert_eq!(both.range().order(Power::from_watts(70)).lease, Some(60));
        // What has been delivered is not known: nothing is.
        let unknown = Situation { plan, ..situation };
        assert_eq!(unknown.range().order(Power::from_watts(70)).limits, limits);
    }
}
