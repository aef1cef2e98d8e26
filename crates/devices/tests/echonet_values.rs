//! What the ECHONET Lite driver makes of properties' data: values that are none, values that cannot be, classes
//! of older releases, and half-hours whose time does not fit.
//!
//! The nodes are scripts that answer from tables.

mod echonet_bench;

use echonet_bench::script::{Script, Table, data};
use echonet_bench::tables::{at, battery, context, ending, meter, said, solar};
use echonet_bench::{counter, driver, watts, wh};
use wattbook_devices::capability::{BatteryLimits, MeterReading};
use wattbook_devices::{DeviceError, Reading};
use wattbook_types::{PerMille, Power};

async fn read(table: Table, object: &str) -> Result<Reading<MeterReading>, DeviceError> {
    let script = Script::start(vec![table]).await;
    counter(&at(&script, object), &context().0).read().await
}

#[tokio::test]
async fn p3_values_that_are_none_are_missing_and_those_that_cannot_be_are_errors() {
    let plain = read(meter(), "028801").await;
    assert_eq!(said(plain), "12345600 700 -500");
    for (code, edt, expected) in [
        ("E0", "FFFFFFFE", "missing"),
        ("E3", "FFFFFFFE", "missing"),
        ("E7", "7FFFFFFE", "missing"),
        ("E7", "7FFFFFFF", "missing"),
        ("E7", "80000000", "missing"),
        ("E0", "", "missing"),
        ("E1", "", "missing"),
        ("D3", "", "missing"),
        ("E3", "000F4240", "1000000, more digits than it says that it has"),
        ("E0", "01E240", "3 bytes where 4 belong in E0 (energy in normal direction)"),
        ("E1", "05", "028801 shows 05 in E1"),
        ("D7", "09", "028801 shows 9 in D7"),
        ("D3", "00000000", "028801 shows 0 in D3"),
    ] {
        let words = said(read(meter().with(&[(code, edt)]), "028801").await);
        assert!(words.contains(expected), "{code} {edt}: {words}");
    }
    for (without, expected) in
        [("E3", "?one_way=import"), ("E1", "no property E1 (unit of energies)"), ("D3", "700")]
    {
        let words = said(read(meter().without(without), "028801").await);
        assert!(words.contains(expected), "without {without}: {words}");
    }
}

#[tokio::test]
async fn p2_solar_values_that_are_none_are_missing_and_those_that_cannot_be_are_errors() {
    assert_eq!(said(read(solar(), "027901").await), "0 999999 -3000");
    for (code, edt, expected) in [
        ("E0", "FFFF", "missing"),
        ("E0", "FFFE", "missing"),
        ("E1", "FFFFFFFF", "missing"),
        ("E1", "3B9AC9FF", "0 999999999 -3000"),
        ("E1", "3B9ACA00", "1000000000 Wh, more than it can count"),
        ("E0", "00000BB8", "4 bytes where 2 belong"),
    ] {
        let words = said(read(solar().with(&[(code, edt)]), "027901").await);
        assert!(words.contains(expected), "{code} {edt}: {words}");
    }
    let generator = driver().generator.expect("it generates");
    for (table, rest, expected) in [
        (solar(), "", Ok(5_500)),
        (solar().with(&[("E8", "FFFF")]), "", Ok(5_000)),
        (solar().without("E8").without("C3"), "?rated_w=4321", Ok(4_321)),
        (solar().with(&[("E8", "FFFF"), ("C3", "FFFF")]), "", Err("add ?rated_w=")),
    ] {
        let script = Script::start(vec![table]).await;
        let generator = generator(&at(&script, &format!("027901{rest}")), &context().0).expect("opens");
        match (generator.nameplate().await, expected) {
            (Ok(plate), Ok(power)) => assert_eq!(plate.power, watts(power)),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (said, wanted) => panic!("{said:?} where {wanted:?} was expected"),
        }
    }
}

#[tokio::test]
async fn p2_generation_is_limited_by_the_best_property_that_can_be_set() {
    let curtail = driver().curtail.expect("it can be curtailed");
    for (settable, limit, expected) in [
        (&["A0", "A1", "E5", "E6"][..], Some(1_000), "A1 03E8"),
        (&["A0", "E5", "E6"], Some(70_000), "E6 FFFD"),
        (&["A0", "E5", "E6"], None, "E6 157C"),
        // Of the 5,000 W approved, and of the 5,500 W rated.
        (&["A0", "E5"], Some(999), "A0 13"),
        (&["E5"], Some(999), "E5 12"),
        (&["E5"], None, "E5 64"),
        (&[], Some(1), "cannot be told to give less"),
    ] {
        let mut table = solar();
        table.settable = settable.iter().map(|code| data(code)[0]).collect();
        let script = Script::start(vec![table]).await;
        let curtail = curtail(&at(&script, "027901"), &context().0).expect("opens");
        let words = match curtail.curtail(limit.map(Power::from_watts)).await {
            Ok(()) => script.set().join(" "),
            Err(error) => error.to_string(),
        };
        assert!(words.contains(expected), "{settable:?} {limit:?}: {words}");
    }
}

#[tokio::test]
async fn p5_older_and_incomplete_batteries_are_read_as_far_as_they_say() {
    let source = driver().battery.expect("a battery");
    let older = battery().without("A8").without("A9").without("A0").without("A1").without("E2");
    let older = older.with(&[("D8", "00000005"), ("D6", "00000004"), ("E4", "37")]);
    for (table, expected) in [
        (battery(), "5000 of 10000, in 3000 to 1000, out 2000 to 3000"),
        (battery().with(&[("DA", "44")]), "5000 of 10000, in 3000 to 0, out 2000 to 0"),
        (older.clone(), "5500 of 10000, in 5 to 1000, out 4 to 3000"),
        (older.clone().with(&[("E4", "FF")]), "missing"),
        (older.clone().with(&[("E4", "65")]), "101 %"),
        (battery().with(&[("E2", "FFFFFFFF")]), "missing"),
        (battery().with(&[("A8", "FFFFFFFE")]), "missing"),
        (battery().with(&[("D0", "")]), "missing"),
        (battery().without("D0"), "no property D0 (rated energy)"),
        (battery().with(&[("C8", "00000FA0")]), "4 bytes where 8 belong"),
    ] {
        let script = Script::start(vec![table]).await;
        let source = source(&at(&script, "027D01"), &context().0).expect("opens");
        let words = match source.state().await {
            Ok(reading) => reading.value().map_or("missing".to_owned(), |state| {
                let (import, export) = (state.registers.import.wh(), state.registers.export.wh());
                format!(
                    "{} of {}, in {import} to {}, out {export} to {}",
                    state.stored.wh(),
                    state.capacity.wh(),
                    state.charge_limit.watts(),
                    state.discharge_limit.watts()
                )
            }),
            Err(error) => error.to_string(),
        };
        assert!(words.contains(expected), "{words} where {expected} was expected");
    }
    let script = Script::start(vec![older, battery()]).await;
    let plate = source(&at(&script, "027D01"), &context().0).expect("opens").nameplate().await;
    assert!(plate.expect_err("not said").to_string().contains("add ?charge_efficiency="));
    let said = at(&script, "027D01?charge_efficiency=970&discharge_efficiency=960");
    let plate = source(&said, &context().0).expect("opens").nameplate().await.expect("a nameplate");
    assert_eq!(
        (plate.charge_efficiency, plate.discharge_efficiency),
        (PerMille::new(970), PerMille::new(960))
    );
    assert_eq!((plate.capacity, plate.discharge_limit), (wh(10_000), watts(3_000)));
}

#[tokio::test]
async fn p5_limits_are_powers_and_a_mode_and_a_refusal_is_said() {
    let control = driver().battery_control.expect("it is controlled");
    let limits = |charge, discharge| BatteryLimits { charge: watts(charge), discharge: watts(discharge) };
    for (settable, limits, expected) in [
        (&["DA", "EB", "EC"][..], limits(1_000, 2_000), "EB 000003E8 EC 000007D0 DA 46"),
        (&["DA", "EB", "EC"], limits(0, 2_000), "EB 00000000 EC 000007D0 DA 46"),
        (&["DA", "EB", "EC"], limits(u64::MAX, 1), "EB 3B9AC9FF EC 00000001 DA 46"),
        (&["DA", "EB", "EC"], limits(0, 0), "DA 44"),
        (&["DA"], limits(0, 0), "DA 44"),
        (&["DA", "EC"], limits(1, 1), "EB cannot be set"),
        (&["EB", "EC"], limits(0, 0), "operation mode (DA) cannot be set"),
    ] {
        let mut table = battery();
        table.settable = settable.iter().map(|code| data(code)[0]).collect();
        let script = Script::start(vec![table]).await;
        let control = control(&at(&script, "027D01"), &context().0).expect("opens");
        let words = match control.limit(limits).await {
            Ok(()) => script.set().join(" "),
            Err(error) => error.to_string(),
        };
        assert!(words.contains(expected), "{limits:?}: {words}");
    }
    let script = Script::start(vec![battery()]).await;
    script.refuse(0xDA);
    let refused = control(&at(&script, "027D01"), &context().0).expect("opens").limit(limits(1, 1)).await;
    let words = refused.expect_err("refused").to_string();
    assert!(words.contains("027D01") && words.ends_with("does not accept DA"), "{words}");
}

/// A day's half-hours as data: the day's number, and registers that count from a first one.
fn day(number: u8, first: u32) -> String {
    let registers = (0..48).map(|place| format!("{:08X}", first + place)).collect::<String>();
    format!("00{number:02X}{registers}")
}

async fn kept(table: Table, half_hours: i64) -> String {
    let script = Script::start(vec![table]).await;
    let kept = counter(&at(&script, "028801"), &context().0).kept(ending(half_hours)).await;
    match kept {
        Ok(None) => "keeps none".to_owned(),
        Ok(Some(reading)) => reading.value().map_or("missing".to_owned(), |registers| {
            format!("{} {}", registers.import.wh(), registers.export.wh())
        }),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn p3_half_hours_carry_their_own_time_or_the_day_that_was_asked_for() {
    // 08:30 is the latest.
    let fixed = |time: &str, steps: &str| format!("{time}{steps}");
    let (today, yesterday) = ("07EA030A", "07EA0309");
    let full = meter().with(&[
        ("EA", &fixed("07EA030A081E00", "00000064")),
        ("EB", &fixed("07EA030A081E00", "0000000A")),
        ("E2", &day(0, 1_000)),
        ("E4", &day(0, 2_000)),
    ]);
    for (table, half_hours, expected) in [
        (full.clone(), 17, "10000 1000"),
        (full.clone(), 18, "missing"),
        (full.clone(), 16, "101600 201600"),
        (full.clone(), 0, "100000 200000"),
        // The answer is of another day than was asked for.
        (full.clone(), -1, "missing"),
        (full.clone().with(&[("E2", &day(1, 1_000)), ("E4", &day(1, 2_000))]), -1, "104700 204700"),
        (full.clone().with(&[("E2", &day(1, 1_000)), ("E4", &day(1, 2_000))]), 0, "missing"),
        // The meter's date is a day behind this program's, or not said.
        (full.clone().with(&[("98", yesterday)]), 16, "missing"),
        (full.clone().without("98"), 16, "101600 201600"),
        (full.clone().with(&[("98", "07EA0D01")]), 16, "a date that is none in 98"),
        // Both directions' latest half-hours differ: the day has both.
        (full.clone().with(&[("EB", &fixed("07EA030A080000", "0000000A"))]), 17, "101700 201700"),
        (full.clone().with(&[("EB", "")]), 17, "101700 201700"),
        (full.clone().with(&[("EA", &fixed("07EA030A081E00", "FFFFFFFE"))]), 17, "missing"),
        (
            full.clone().with(&[("EA", &fixed("07EA030A083C00", "00000064"))]),
            17,
            "a date and time that is none",
        ),
        // Midnight as the end of the day before.
        (
            full.clone().with(&[
                ("EA", &fixed("07EA0309180000", "00000064")),
                ("EB", &fixed("07EA030A000000", "0000000A")),
                ("98", today),
            ]),
            0,
            "10000 1000",
        ),
        (full.clone().with(&[("E2", "0000")]), 16, "2 bytes where 194 belong"),
        (full.clone().without("E2"), 16, "missing"),
        (full.clone().without("EA").without("EB"), 16, "101600 201600"),
        (full.without("EA").without("EB").without("E2"), 16, "keeps none"),
    ] {
        let words = kept(table, half_hours).await;
        assert!(words.contains(expected), "{half_hours}: {words} where {expected} was expected");
    }
}

#[tokio::test]
async fn p3_another_controller_or_midnight_between_question_and_answer_makes_half_hours_missing() {
    let full = meter().with(&[("E2", &day(3, 1_000)), ("E4", &day(3, 2_000))]);
    let other = Script::start(vec![full.clone()]).await;
    let meter = counter(&at(&other, "028801"), &context().0);
    // Day 3 is what somebody else asked for.
    let missing = |kept: Option<Reading<_>>| kept.expect("it keeps them").value().is_none();
    assert_eq!(meter.kept(ending(5)).await.map(missing), Ok(true));
    other.change(0x028801, |table| table.with(&[("E2", &day(0, 1_000)), ("E4", &day(0, 2_000))]));
    assert_eq!(meter.kept(ending(5)).await.map(missing), Ok(false));
    // The meter's day begins anew when the day to show is set.
    other.on_set(|table| table.with(&[("98", "07EA030B")]));
    assert_eq!(meter.kept(ending(5)).await.map(missing), Ok(true));
}
