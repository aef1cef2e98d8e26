//! The bound against brute force on tiny cases, and its rough edges by hand.

use super::*;
use crate::plant::tests::{any_profiles, profiles, spec};
use proptest::prelude::*;
use std::collections::HashMap;

/// A step of a tiny case: joules that could be received and drawn at the terminals.
type Tiny = (u64, u64);

fn tiny_battery(capacity: u64, stored: u64, charge: u64, discharge: u64) -> BatterySpec {
    // In whole hours: one watt for one step of an hour is 3600 J, so the units below are watt-hours.
    let mut battery = spec(profiles(&[])).batteries[0];
    battery.capacity = Energy::from_wh(capacity);
    battery.stored = Energy::from_wh(stored);
    battery.charge_limit = Power::from_watts(charge);
    battery.discharge_limit = Power::from_watts(discharge);
    battery.charge_efficiency = PerMille::new(1000);
    battery.discharge_efficiency = PerMille::new(1000);
    battery.standing_loss_ppm_per_hour = 0;
    battery
}

fn greedy(battery: &BatterySpec, steps: &[Tiny]) -> u64 {
    let mut greedy = Greedy::new(battery);
    let flow = |&(receivable, drawable): &Tiny| StepFlow {
        seconds: 3_600,
        receivable: Joules::new(receivable * 3_600),
        drawable: Joules::new(drawable * 3_600),
    };
    let delivered: Joules = steps.iter().map(|step| greedy.step(flow(step))).sum();
    assert_eq!(delivered.get() % 3_600, 0);
    delivered.get() / 3_600
}

/// The best of every possible course in whole units.
fn brute(battery: &BatterySpec, steps: &[Tiny], stored: u64, known: &mut HashMap<(usize, u64), u64>) -> u64 {
    let Some((&(receivable, drawable), rest)) = steps.split_first() else { return 0 };
    if let Some(best) = known.get(&(rest.len(), stored)) {
        return *best;
    }
    let mut best = 0;
    for charged in 0..=receivable.min(battery.charge_limit.watts()) {
        for drawn in 0..=drawable.min(battery.discharge_limit.watts()).min(stored + charged) {
            let after = stored + charged - drawn;
            if after <= battery.capacity.wh() {
                best = best.max(drawn + brute(battery, rest, after, known));
            }
        }
    }
    known.insert((rest.len(), stored), best);
    best
}

proptest! {
    #[test]
    fn greedy_is_what_brute_force_finds(
        (capacity, stored) in (0..7u64).prop_flat_map(|capacity| (Just(capacity), 0..=capacity)),
        charge in 0..5u64,
        discharge in 0..5u64,
        steps in prop::collection::vec((0..6u64, 0..6u64), 1..7),
    ) {
        let battery = tiny_battery(capacity, stored, charge, discharge);
        prop_assert_eq!(greedy(&battery, &steps), brute(&battery, &steps, stored, &mut HashMap::new()));
    }

    /// A rule with perfect foresight that serves what it can, run in the world, comes close to the bound.
    #[test]
    fn the_bound_is_near_what_a_world_can_do(homes in any_profiles()) {
        let homes: Vec<&[(u64, u64)]> = homes.iter().map(Vec::as_slice).collect();
        let spec = spec(profiles(&homes));
        let mut world = crate::plant::World::new(spec.clone()).unwrap();
        let points: Vec<_> = world.connection_points().collect();
        let end = spec.profiles.end();
        for at in &points {
            world.set_switch(*at, Some(Power::MAX), Some(Power::MAX)).unwrap();
            let all = crate::driver::FeederLimits { to_battery: Power::MAX, to_home: Power::MAX };
            world.set_port(*at, all, None).unwrap();
        }
        world.advance_to(end);
        let arrived: u64 = points.iter().map(|at| world.totals(*at).unwrap().arrived.wh()).sum();
        let bound = most_covered(&spec, Interval { start: spec.start, end });
        prop_assert!(arrived <= bound.arrived.wh());
        // What the relaxation allows beyond it: a first minute's charge in each step, and rounding.
        prop_assert!(arrived + 1_000 >= bound.arrived.wh() * 9 / 10, "{arrived} of {:?}", bound);
    }
}

#[test]
fn delivered_energy_goes_where_the_line_loses_least() {
    let mut spec = spec(profiles(&[&[(0, 100)], &[(0, 100)]]));
    spec.batteries[0].stored = Energy::from_wh(100);
    spec.batteries[0].discharge_efficiency = PerMille::new(1000);
    spec.batteries[0].standing_loss_ppm_per_hour = 0;
    spec.homes[0].line_loss = PerMille::new(500);
    spec.homes[1].line_loss = PerMille::ZERO;
    let bound = most_covered(&spec, Interval { start: spec.start, end: spec.profiles.end() });
    assert_eq!((bound.needed, bound.delivered), (Energy::from_wh(200), Energy::from_wh(100)));
    assert_eq!((bound.arrived, bound.covered_per_mille()), (Energy::from_wh(100), 500));
}
