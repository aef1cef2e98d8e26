//! The ECHONET Lite driver against the simulated nodes of this program: what the world holds is what the
//! driver reads, and what the driver sets is what the world does.

mod echonet_bench;

use echonet_bench::{
    BATTERY, HOME, LENGTH, address, bench, bench_of, counter, driver, minute, object, own_address, own_node,
    probe, watts, wh,
};
use std::sync::Arc;
use wattbook_devices::capability::BatteryLimits;
use wattbook_devices::driver::{BatterySource, Capability, Context, Counter, CounterTraits};
use wattbook_devices::plant::{EchonetFace, EchonetNode, MeterFace, PlantDevice, serve_echonet};
use wattbook_devices::simulated::Bench;
use wattbook_devices::{BatteryControl, Clock, DeviceError, Quality, Registers};
use wattbook_types::transaction::Generation;
use wattbook_types::{MeterRegister, PerMille, Power, Slot};

/// The registers that a meter with this step and this end shows in place of these.
fn shown(registers: Registers, step: u64, end: u64) -> Registers {
    let cut = |register: MeterRegister| MeterRegister::from_wh(register.wh() / step * step % end);
    Registers { import: cut(registers.import), export: cut(registers.export) }
}

#[tokio::test]
async fn p3_a_smart_meter_is_read_in_its_own_steps_and_begins_again_after_its_digits() {
    let bench = bench().await;
    for (face, step, end) in [
        (MeterFace::default(), 100, 100_000_000),
        (MeterFace { unit: 0x00, ..MeterFace::default() }, 1_000, 1_000_000_000),
        (MeterFace { unit: 0x03, digits: 4, ..MeterFace::default() }, 1, 10_000),
        (MeterFace { unit: 0x02, coefficient: 3, digits: 2, ..MeterFace::default() }, 30, 3_000),
    ] {
        let node = bench.node(face).await;
        let meter = counter(&object(node.address(), "028801"), &bench.context);
        let wraps_at = Some(wh(end));
        let traits = CounterTraits { wraps_at, resolution: Some(wh(step)), limit: None };
        assert_eq!(meter.traits().await, Ok(traits));
        for minutes in [0, 17, 200, 333, 777] {
            bench.hand.set(minute(minutes));
            let truth = bench.plant.with(|world| world.home(HOME)).expect("the home").grid;
            let reading = meter.read().await.expect("a reading");
            assert_eq!((reading.time(), reading.quality()), (bench.context.clock.now(), Quality::Measured));
            let value = reading.value().expect("measured");
            assert_eq!(value.registers, shown(truth.registers, step, end));
            assert_eq!(value.power, truth.power);
        }
    }
}

#[tokio::test]
async fn p3_half_hours_are_kept_by_the_meter_for_today_and_99_days_before() {
    let bench = bench_of(6_000).await;
    let node = bench.node(MeterFace::default()).await;
    let meter = counter(&object(node.address(), "028801"), &bench.context);
    let first = LENGTH.slot_at(minute(0));
    let truth = |slot: Slot| bench.plant.with(|world| world.home_latched(HOME, slot)).expect("kept").grid;
    // 101 days and 8 hours later: 05:00 in Japan.
    for minutes in [29, 30, 59, 190, 1_000, 4_000, 145_920] {
        bench.hand.set(minute(minutes));
        let now = minutes / 30;
        for slot in [0, 1, 4, 5, 6, 30, 47, 48, 100, now.saturating_sub(2_040), now.saturating_sub(1)] {
            let kept = meter.kept(first.plus(slot)).await.expect("an answer").expect("it keeps half-hours");
            assert_eq!(kept.time(), minute((slot + 1) * 30));
            let remembered = slot < now && now - slot <= 2_048;
            let expected = remembered.then(|| shown(truth(first.plus(slot)), 100, 100_000_000));
            assert_eq!(kept.value(), expected.as_ref(), "slot {slot} after {minutes} minutes");
        }
    }
}

#[tokio::test]
async fn p3_what_is_no_half_hour_of_the_meters_local_time_is_not_kept() {
    let bench = bench().await;
    let node = bench.node(MeterFace::default()).await;
    bench.hand.set(minute(600));
    let mut quarters = bench.context.clone();
    quarters.slot_length = wattbook_types::SlotLength::from_seconds(900);
    let meter = counter(&object(node.address(), "028801"), &quarters);
    let slot = |minutes| quarters.slot_length.slot_at(minute(minutes));
    assert_eq!(meter.kept(slot(30)).await.map(|kept| kept.is_some()), Ok(false));
    assert_eq!(meter.kept(slot(45)).await.map(|kept| kept.is_some()), Ok(true));
    // A clock that is another's by 20 minutes: the half-hours of neither are the other's.
    let meter = counter(&object(node.address(), "028801?utc_offset=+09:20"), &bench.context);
    assert_eq!(meter.kept(slot(0)).await.map(|kept| kept.is_some()), Ok(false));
}

#[tokio::test]
async fn p3_a_meter_of_one_direction_is_refused_until_its_owner_says_that_nothing_flows_back() {
    let bench = bench().await;
    let node = bench.node(MeterFace { reverse: false, ..MeterFace::default() }).await;
    let context = &bench.context;
    bench.hand.set(minute(400));
    let refused = counter(&object(node.address(), "028801"), context).read().await;
    let words = refused.expect_err("refused").to_string();
    assert!(
        words.contains("E3 (energy in reverse direction)") && words.contains("?one_way=import"),
        "{words}"
    );
    let meter = counter(&object(node.address(), "028801?one_way=import"), context);
    let registers = meter.read().await.expect("a reading").required().expect("measured").registers;
    assert!(registers.import > MeterRegister::ZERO && registers.export == MeterRegister::ZERO);
    let slot = LENGTH.slot_at(minute(330));
    let kept = meter.kept(slot).await.expect("an answer").expect("it keeps them").required().expect("kept");
    assert!(kept.import > MeterRegister::ZERO && kept.export == MeterRegister::ZERO);
}

#[tokio::test]
async fn p2_solar_generation_is_read_and_told_to_give_less() {
    let bench = bench().await;
    let node = bench.node(MeterFace::default()).await;
    let address = object(node.address(), "027901");
    let generator = driver().generator.expect("it generates")(&address, &bench.context).expect("opens");
    let curtail = driver().curtail.expect("it can be curtailed")(&address, &bench.context).expect("opens");
    let meter = counter(&address, &bench.context);
    let plate = generator.nameplate().await.expect("a nameplate");
    assert_eq!((plate.kind, plate.power), (Generation::Solar, watts(4_100)));
    let step = Some(wh(1));
    let traits =
        CounterTraits { wraps_at: Some(wh(1_000_000_000)), resolution: step, limit: Some(watts(4_100)) };
    assert_eq!(meter.traits().await, Ok(traits));
    for (limit, minutes, power, counted) in [
        (None, 30, 4_100, 2_050),
        (Some(1_234), 60, 1_234, 2_667),
        (Some(0), 90, 0, 2_667),
        (Some(9_999), 120, 4_100, 4_717),
        (Some(50), 150, 50, 4_742),
        (None, 180, 4_100, 6_792),
    ] {
        curtail.curtail(limit.map(Power::from_watts)).await.expect("curtailed");
        bench.hand.set(minute(minutes));
        assert_eq!(generator.power().await.map(|reading| reading.value().copied()), Ok(Some(watts(power))));
        let reading = meter.read().await.expect("a reading").required().expect("measured");
        assert_eq!(reading.registers.export.wh(), counted);
        assert_eq!(reading.registers.import, MeterRegister::ZERO);
        assert_eq!(reading.power.watts(), -i64::try_from(power).expect("small"));
    }
}

fn battery(
    node: &EchonetNode,
    bench: &echonet_bench::Bench,
) -> (Arc<dyn BatterySource>, Arc<dyn BatteryControl>) {
    let address = object(node.address(), "027D01");
    let source = driver().battery.expect("a battery")(&address, &bench.context).expect("opens");
    let control =
        driver().battery_control.expect("it is controlled")(&address, &bench.context).expect("opens");
    (source, control)
}

#[tokio::test]
async fn p5_a_battery_is_read_and_limited_and_stands_by() {
    let bench = bench().await;
    let node = bench.node(MeterFace::default()).await;
    let (source, control) = battery(&node, &bench);
    let meter = counter(&object(node.address(), "027D01"), &bench.context);
    let plate = source.nameplate().await.expect("a nameplate");
    assert_eq!(plate.capacity, wh(10_000));
    assert_eq!((plate.charge_limit, plate.discharge_limit), (watts(4_000), watts(3_000)));
    // From 10,527 Wh that fill it and 9,500 Wh that it gives: the root of what is left.
    assert_eq!(
        (plate.charge_efficiency, plate.discharge_efficiency),
        (PerMille::new(949), PerMille::new(949))
    );
    assert_eq!(source.traits().await.map(|traits| traits.limit), Ok(Some(watts(4_000))));
    let most = BatteryLimits { charge: watts(4_000), discharge: watts(3_000) };
    for (limits, minutes) in [
        (most, 60),
        (BatteryLimits { charge: watts(500), discharge: watts(3_000) }, 120),
        (BatteryLimits { charge: Power::ZERO, discharge: Power::ZERO }, 150),
        (most, 230),
        (BatteryLimits { charge: watts(1), discharge: watts(200) }, 300),
    ] {
        control.limit(limits).await.expect("limited");
        bench.hand.set(minute(minutes));
        let truth = bench.plant.with(|world| world.battery(BATTERY)).expect("the battery");
        let state = source.state().await.expect("a state").required().expect("measured");
        assert_eq!((state.charge_limit, state.discharge_limit), (limits.charge, limits.discharge));
        assert_eq!((truth.charge_limit, truth.discharge_limit), (limits.charge, limits.discharge));
        assert_eq!((state.stored, state.capacity), (truth.stored, wh(10_000)));
        assert_eq!(state.registers, shown(truth.registers, 1, 1_000_000_000));
        let reading = meter.read().await.expect("a reading").required().expect("measured");
        assert_eq!(reading.registers, state.registers);
        assert!(reading.power.watts() <= 1_960 && reading.power.watts() >= -1_100, "{reading:?}");
    }
    let charged = bench.plant.with(|world| world.battery(BATTERY)).expect("the battery").registers.import;
    assert!(charged.wh() > 1_000_000_000, "it counted beyond its last digit: {charged:?}");
}

#[tokio::test]
async fn p5_more_than_a_battery_can_is_refused_by_it_and_said() {
    let bench = bench().await;
    let node = bench.node(MeterFace::default()).await;
    let (source, control) = battery(&node, &bench);
    let limits = BatteryLimits { charge: watts(4_001), discharge: watts(3_000) };
    let refused = control.limit(limits).await.expect_err("refused").to_string();
    assert!(refused.contains("027D01") && refused.contains("does not accept EB"), "{refused}");
    let state = source.state().await.expect("a state").required().expect("measured");
    assert_eq!(state.charge_limit, watts(4_000));
}

#[tokio::test]
async fn a_node_is_probed_with_all_its_objects_or_one() {
    let bench = bench().await;
    let node = bench.node(MeterFace::default()).await;
    let all = probe(&object(node.address(), ""), &bench.context).await.expect("a finding");
    assert_eq!(all.manufacturer.as_deref(), Some("maker FFFFFF"));
    assert_eq!(all.version.as_deref(), Some("ECHONET Lite 1.14"));
    let (meter, battery) = (Capability::Meter, Capability::Battery);
    let offers = [meter, Capability::Generator, Capability::Curtailment, battery, Capability::BatteryControl];
    assert_eq!(all.offers, offers);
    assert_eq!(all.lacks, Vec::<String>::new());
    let objects: Vec<_> = all.parts.iter().filter(|part| part.place.starts_with("object")).collect();
    assert_eq!(
        objects.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(),
        ["027901", "027D01", "028801"]
    );
    let history = all.parts.iter().find(|part| part.place == "028801/E2").expect("the meter's history");
    assert_eq!(
        (history.about.as_str(), history.used),
        ("half-hours of a day in normal direction (read)", true)
    );

    let one = probe(&object(node.address(), "027901"), &bench.context).await.expect("a finding");
    assert_eq!(one.offers, [meter, Capability::Generator, Capability::Curtailment]);
    assert_eq!((one.model.as_deref(), one.serial.as_deref()), (Some("simulated"), Some("027901")));
    let none = probe(&object(node.address(), "013001"), &bench.context).await.expect("a finding");
    assert_eq!((none.offers.len(), none.lacks.len()), (0, 1));
    assert!(none.lacks[0].contains("013001") && none.lacks[0].contains("027901, 027D01, 028801"), "{none:?}");
}

#[tokio::test]
async fn an_address_of_no_object_or_the_wrong_class_opens_nothing() {
    let bench = bench().await;
    let battery = driver().battery.expect("a battery");
    for (text, words) in [
        ("echonet://127.0.0.1", "names no object"),
        ("echonet://127.0.0.1/027D00", "names no object"),
        ("echonet://127.0.0.1/027901", "027D is a battery"),
    ] {
        let error = battery(&address(text), &bench.context).err().expect("refused");
        assert!(
            matches!(error, DeviceError::Configuration(_)) && error.to_string().contains(words),
            "{error}"
        );
    }
    let meter = driver().counter.expect("it counts")(&address("echonet://127.0.0.1/013001"), &bench.context);
    assert!(meter.err().expect("refused").to_string().contains("0279, 027D and 0288 count"));
}

#[tokio::test]
async fn single_devices_of_a_bench_are_nodes_too() {
    let (clock, hand) = Clock::manual(minute(0));
    let context = Context::new(clock.clone(), LENGTH);
    for (face, offers) in [
        (EchonetFace::Solar, &[Capability::Meter, Capability::Generator, Capability::Curtailment][..]),
        (EchonetFace::Battery, &[Capability::Meter, Capability::Battery, Capability::BatteryControl]),
        (EchonetFace::SmartMeter(MeterFace::default()), &[Capability::Meter]),
    ] {
        let node = serve_echonet(Bench::new(own_node(), clock.clone()), face).await.expect("a node");
        let finding = probe(&object(node.address(), ""), &context).await.expect("a finding");
        assert_eq!((finding.offers.as_slice(), finding.lacks.len()), (offers, 0));
        let address = node.addresses().next().expect("one").to_string();
        let address = address.strip_prefix(&format!("echonet://{}/", node.address())).expect("of this node");
        let meter = counter(&object(node.address(), address), &context);
        let first = meter.read().await.expect("a reading").required().expect("measured").registers;
        hand.set(context.clock.now().plus_millis(86_400_000));
        let later = meter.read().await.expect("a reading").required().expect("measured").registers;
        assert!(first.import.wh() + first.export.wh() < later.import.wh() + later.export.wh(), "{face:?}");
    }
}

#[tokio::test]
async fn many_drivers_share_a_node_and_a_port_and_get_each_their_own_answers() {
    let bench = bench().await;
    bench.hand.set(minute(100));
    let nodes = [bench.node(MeterFace::default()).await, bench.node(MeterFace::default()).await];
    let from = own_address();
    let meters: Vec<Arc<dyn Counter>> = (0..24)
        .map(|number| {
            let node = nodes[number % 2].address();
            let object = ["027901", "027D01", "028801"][number / 2 % 3];
            counter(&address(&format!("echonet://{node}/{object}?bind={from}")), &bench.context)
        })
        .collect();
    let readings: Vec<_> =
        meters.iter().map(|meter| (Arc::clone(meter), tokio::spawn(read(Arc::clone(meter))))).collect();
    let mut all = Vec::new();
    for (_, reading) in readings {
        all.push(reading.await.expect("no panic").expect("a reading"));
    }
    let at = |number: usize| all[number].value().expect("measured").registers;
    for number in 0..24 {
        assert_eq!(at(number), at(number % 6 / 2 * 2), "meter {number}");
    }
    assert_ne!(at(0), at(2));
}

#[tokio::test]
async fn parts_of_one_process_ask_from_one_address_where_none_is_said() {
    let bench = bench().await;
    let node = bench.node(MeterFace::default()).await;
    let text = format!("echonet://{}/028801", node.address());
    let other = Context::new(bench.context.clock.clone(), LENGTH);
    let meters = [counter(&address(&text), &bench.context), counter(&address(&text), &other)];
    for _ in 0..3 {
        for meter in &meters {
            assert!(meter.read().await.is_ok());
        }
    }
}

async fn read(
    meter: Arc<dyn Counter>,
) -> Result<wattbook_devices::Reading<wattbook_devices::MeterReading>, DeviceError> {
    meter.read().await
}

#[tokio::test]
async fn a_node_that_stops_is_missed_and_one_that_comes_back_is_read_again() {
    let bench = bench().await;
    let devices = [(PlantDevice::GridMeter(HOME), EchonetFace::SmartMeter(MeterFace::default()))];
    let place = own_node();
    let node = bench.plant.serve_echonet(place, &devices).await.expect("a node");
    let meter = counter(&object(place, "028801?patience=1"), &bench.context);
    assert!(meter.read().await.is_ok());
    node.stop().await;
    let missed = meter.read().await.expect_err("nobody answers");
    assert!(matches!(missed, DeviceError::Unreachable { .. }), "{missed}");
    assert!(missed.to_string().contains("no answer from 028801"), "{missed}");
    let node = bench.plant.serve_echonet(place, &devices).await.expect("a node");
    assert!(meter.read().await.is_ok());
    // Another meter in its place: what the first one had is forgotten once nobody answered.
    node.stop().await;
    assert!(meter.read().await.is_err());
    let face = EchonetFace::SmartMeter(MeterFace { reverse: false, ..MeterFace::default() });
    let devices = [(PlantDevice::GridMeter(HOME), face)];
    let _node = bench.plant.serve_echonet(place, &devices).await.expect("a node");
    let refused = meter.read().await.expect_err("it counts one direction");
    assert!(refused.to_string().contains("?one_way=import"), "{refused}");
}
