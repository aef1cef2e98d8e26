//! The rules for single readings, as tables.

use super::super::belief::{Belief, Seen};
use super::*;
use proptest::prelude::*;

/// Lines of `seconds register [watts]`; gives `register quality oddities` a line. A meter for up to 3.6 kW
/// with a resolution of 1 Wh.
fn judged(wraps_at: Option<u64>, rows: &str) -> String {
    let mut belief = Belief::new(0, None, Vec::new());
    belief.set_traits(CounterTraits {
        wraps_at: wraps_at.map(Energy::from_wh),
        resolution: Some(Energy::from_wh(1)),
        limit: Some(Power::from_watts(3_600)),
    });
    let mut said = Vec::new();
    for row in rows.lines().filter(|row| !row.trim().is_empty()) {
        let fields: Vec<i64> = row.split_whitespace().map(|field| field.parse().unwrap()).collect();
        let seen = Seen {
            time: at(fields[0].unsigned_abs()),
            raw: import(fields[1].unsigned_abs()),
            power: fields.get(2).map(|power| watts(*power)),
        };
        let verdict = belief.take(seen);
        let state = match (verdict.believed, verdict.frozen) {
            (true, false) => "believed",
            (true, true) => "frozen",
            (false, _) => "held",
        };
        let odd = verdict.oddities.iter().map(|oddity| format!(" {oddity:?}")).collect::<String>();
        said.push(format!("{} {state}{odd}", verdict.registers.import.wh()));
    }
    said.join("; ")
}

#[test]
fn p3_a_register_that_wraps_is_counted_on() {
    let rows = "0 9990\n10 9996\n20 4\n30 9";
    assert_eq!(
        judged(Some(10_000), rows),
        "9990 believed; 9996 believed; 10004 believed Wrapped; 10009 believed"
    );
    // Far from its end it cannot have wrapped.
    assert_eq!(judged(Some(10_000), "0 5000\n10 5\n20 9"), "5000 believed; 5000 held; 5004 believed Reset");
}

#[test]
fn p3_a_register_that_was_reset_goes_on_from_where_it_was() {
    let rows = "0 5000\n10 5008\n20 0\n30 6\n40 14";
    assert_eq!(
        judged(None, rows),
        "5000 believed; 5008 believed; 5008 held; 5014 believed Reset; 5022 believed"
    );
}

#[test]
fn p3_a_leap_is_not_believed_until_the_count_goes_on_from_there() {
    let rows = "0 5000\n10 9000\n20 9008\n30 9010";
    assert_eq!(judged(None, rows), "5000 believed; 5000 held; 5008 believed Jumped; 5010 believed");
}

#[test]
fn p3_one_odd_reading_changes_nothing() {
    for odd in [0, 4_294_967_295_u64] {
        let rows = format!("0 5000\n10 {odd}\n20 5008\n30 5009");
        assert_eq!(judged(None, &rows), "5000 believed; 5000 held; 5008 believed Nonsense; 5009 believed");
    }
    // Nor do many that have nothing to do with each other; it is said once.
    let rows = "0 5000\n10 77777\n20 13\n30 999999\n40 4\n50 88888\n60 5009";
    let said = judged(None, rows);
    assert_eq!(said.matches("Nonsense").count(), 1, "{said}");
    assert!(said.ends_with("5009 believed"), "{said}");
}

#[test]
fn p3_a_last_digit_that_trembles_is_no_reset() {
    assert_eq!(
        judged(None, "0 5000\n10 4999\n20 5000\n30 5001"),
        "5000 believed; 5000 believed; 5000 believed; 5001 believed"
    );
}

#[test]
fn p3_a_register_that_stands_still_while_power_flows_is_frozen_until_it_moves() {
    // 3 kW over a minute are 50 Wh.
    let rows = "0 5000 3000\n60 5000 3000\n120 5000 3000\n180 5000 3000\n240 5000 3000\n300 5040 3000";
    let said = judged(None, rows);
    let states: Vec<&str> = said.split("; ").collect();
    assert_eq!(states[3], "5000 believed");
    assert_eq!(states[4], "5000 frozen Frozen");
    assert_eq!(states[5], "5040 believed Moves");
    // Without power there is nothing to count.
    let still: String = (0..50).map(|minute| format!("{} 5000 0\n", minute * 60)).collect();
    assert!(!judged(None, &still).contains("frozen"));
    // Nor is it frozen where power only changes its sign all the time.
    let swing = |minute: u64| {
        format!("{} 5000 {}\n", minute * 60, if minute.is_multiple_of(2) { 3_000 } else { -3_000 })
    };
    assert!(!judged(None, &(0..50).map(swing).collect::<String>()).contains("frozen"));
}

#[test]
fn p3_what_a_meter_need_not_count_is_no_sign_that_it_is_frozen() {
    // An inverter's 6 W on standby over a night are 60 Wh.
    let night: String = (0..600).map(|minute| format!("{} 5000 6\n", minute * 60)).collect();
    assert!(!judged(None, &night).contains("frozen"));
    // From a hundredth of the limit on they count.
    let night = night.replace(" 6\n", " 36\n");
    assert!(judged(None, &night).contains("frozen"));
}

#[test]
fn p3_a_time_that_was_ahead_is_given_up_and_nothing_counts_twice() {
    let rows = "0 5000\n10 5008\n9000 5010\n20 5011\n30 5012\n40 5020\n50 5022";
    assert_eq!(
        judged(None, rows),
        "5000 believed; 5008 believed; 5010 believed; 5010 held; 5010 held; 5020 believed Ahead; 5022 believed"
    );
    // The same one again and again shows nothing, and one alone changes nothing.
    let rows = "0 5000\n9000 5010\n20 5001\n20 5001\n20 5001\n9010 5011\n30 5002\n9020 5012";
    let said = judged(None, rows);
    assert!(!said.contains("Ahead"), "{said}");
    assert!(said.ends_with("5012 believed"), "{said}");
}

/// Rows of import and export, ten seconds apart, of a meter that wraps at 2³² Wh.
fn both(rows: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut belief = Belief::new(0, None, Vec::new());
    belief.set_traits(CounterTraits {
        wraps_at: Some(Energy::from_wh(1 << 32)),
        resolution: Some(Energy::from_wh(100)),
        limit: Some(Power::from_watts(3_600)),
    });
    let wh = MeterRegister::from_wh;
    let judge = |(place, (import, export)): (u64, &(u64, u64))| {
        let raw = Registers { import: wh(*import), export: wh(*export) };
        let registers = belief.take(Seen { time: at(place * 10), raw, power: None }).registers;
        (registers.import.wh(), registers.export.wh())
    };
    (0..).zip(rows).map(judge).collect()
}

#[test]
fn p3_a_register_goes_on_soundly_where_the_other_is_reset() {
    let wrapped = both(&[(4_294_967_291, 7_000_000), (8, 0), (9, 1)]);
    assert_eq!(wrapped[2], (4_294_967_305, 7_000_001));
    let trembles = both(&[(50_000, 7_000_000), (49_900, 0), (49_900, 100)]);
    assert_eq!(trembles[2], (50_000, 7_000_100));
}

proptest! {
    /// Neither register ever goes back, whatever happens to the other.
    #[test]
    fn p3_neither_of_two_believed_registers_ever_goes_back(
        rows in prop::collection::vec(prop::array::uniform2(prop_oneof![
            0..20u64, 49_850..50_050u64, 0..100_000u64, 4_294_967_200..4_294_967_296u64,
        ]).prop_map(|[import, export]| (import, export)), 2..60),
    ) {
        let said = both(&rows);
        for pair in said.windows(2) {
            prop_assert!(pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1, "{pair:?} of {rows:?}");
        }
    }
}

proptest! {
    /// Whatever a device shows, what is believed never goes back and never gains what cannot have flowed.
    #[test]
    fn p3_believed_registers_never_go_back_nor_gain_what_cannot_have_flowed(
        rows in prop::collection::vec(
            (1..600u64, prop_oneof![0..20u64, 0..100_000u64, 4_294_967_000..4_294_967_296u64]),
            2..60,
        ),
        wraps in any::<bool>(),
    ) {
        let mut belief = Belief::new(0, None, Vec::new());
        let limit = Power::from_watts(3_600);
        belief.set_traits(CounterTraits {
            wraps_at: wraps.then_some(Energy::from_wh(1 << 32)),
            resolution: Some(Energy::from_wh(1)),
            limit: Some(limit),
        });
        let (mut seconds, mut before) = (0, None);
        for (pause, register) in rows {
            seconds += pause;
            let now = belief.take(Seen { time: at(seconds), raw: import(register), power: None });
            let now = now.registers.import;
            let (since, was) = *before.get_or_insert((seconds, now));
            let gained = now.since(was);
            prop_assert!(gained.is_some(), "{was:?} then {now:?}");
            let most = (seconds - since + 1) * 3_600 * 5 / 4 / 3_600 + 4;
            prop_assert!(gained.unwrap().wh() <= most, "{gained:?} in {} s", seconds - since);
            if gained.unwrap().wh() > 0 {
                before = Some((seconds, now));
            }
        }
    }
}
