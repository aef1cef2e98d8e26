//! The SunSpec drivers against the simulated devices, over TCP: what goes in at one end comes out at the
//! other. (Independent peers at either end: `sunspec_peers.rs`; bytes on the wire: `sunspec_frames.rs`.)

mod sunspec_world;

use sunspec_world::{BATTERY, POINT, Site};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wattbook_devices::capability::BatteryLimits;
use wattbook_devices::driver::{Capability, FeederLimits};
use wattbook_devices::drivers::sunspec;
use wattbook_devices::modbus::{Exception, Failure, Link};
use wattbook_devices::plant::PlantDevice;
use wattbook_devices::simulated::{Bench, Fault, JUMP, serve_battery, serve_generator, serve_meter};
use wattbook_devices::{Clock, Context, DeviceAddress, DeviceError, Quality, SignedPower};
use wattbook_types::transaction::Generation;
use wattbook_types::{Energy, MeterRegister, Power, Slot, Timestamp};

const fn watts(watts: u64) -> Power {
    Power::from_watts(watts)
}

#[tokio::test]
async fn p1_a_generator_is_read_curtailed_and_let_go() {
    let site = Site::start().await;
    let home = site.home();
    let generator = site.generator(&home.generator);
    let nameplate = generator.nameplate().await.expect("a nameplate");
    assert_eq!((nameplate.kind, nameplate.power), (Generation::Solar, watts(6_000)));
    site.hours(12);
    assert_eq!(generator.power().await.unwrap().required(), Ok(watts(6_000)));
    let curtail = site.curtail(&home.generator);
    curtail.curtail(Some(watts(1_499))).await.expect("it obeys");
    site.hours(1);
    // A ten-thousandth of 6 kW is 0.6 W: rounded down, never up.
    assert_eq!(generator.power().await.unwrap().required(), Ok(watts(1_498)));
    curtail.curtail(Some(Power::ZERO)).await.expect("it obeys");
    site.hours(1);
    assert_eq!(generator.power().await.unwrap().required(), Ok(Power::ZERO));
    curtail.curtail(None).await.expect("it obeys");
    site.hours(1);
    assert_eq!(generator.power().await.unwrap().required(), Ok(watts(6_000)));
    let counted = site.counter(&home.generator).read().await.unwrap().required().expect("it counts");
    assert_eq!(counted.power, SignedPower::between(Power::ZERO, watts(6_000)));
    let truth = site.plant.with(|world| world.totals(POINT).unwrap().generated);
    assert_eq!((counted.registers.import.wh(), counted.registers.export.wh()), (0, truth.wh()));
}

#[tokio::test]
async fn feeders_let_through_no_more_than_both_ends_and_fall_to_nothing_when_a_lease_ends() {
    let site = Site::start().await;
    let (home, storage) = (site.home(), site.storage());
    let (here, there) = (site.feeder(&home.feeder), site.feeder(&storage.feeders[0].address));
    assert_eq!(here.limits().await, Ok(FeederLimits::default()));
    let send = |to_battery, to_home| FeederLimits { to_battery: watts(to_battery), to_home: watts(to_home) };
    here.limit(send(2_003, 0), None).await.expect("it obeys");
    there.limit(send(1_500, 700), Some(3_600)).await.expect("it obeys");
    assert_eq!(here.limits().await, Ok(send(2_003, 0)));
    assert_eq!(there.limits().await, Ok(send(1_500, 700)));
    let received = site.counter(&storage.feeders[0].address);
    site.seconds(12 * 3_600);
    let before = received.read().await.unwrap().required().expect("it counts");
    assert_eq!(before.registers.import, MeterRegister::from_wh(0), "the lease ended while it was dark");
    there.limit(send(1_500, 700), Some(1_800)).await.expect("it obeys");
    site.seconds(1_799);
    assert_eq!(there.limits().await, Ok(send(1_500, 700)));
    site.seconds(1_801);
    assert_eq!(there.limits().await, Ok(FeederLimits::default()));
    let after = received.read().await.unwrap().required().expect("it counts");
    assert_eq!(after.registers.import, MeterRegister::from_wh(750), "half an hour at 1.5 kW");
    let battery = site.counter(&storage.battery).read().await.unwrap().required().expect("it counts");
    assert_eq!(battery.registers.import, MeterRegister::from_wh(100_750));
    // A lease of no time has run out at once; more than a feeder can carry is all that it can.
    there.limit(send(1_500, 0), Some(0)).await.expect("it obeys");
    assert_eq!(there.limits().await, Ok(FeederLimits::default()));
    there.limit(send(u64::MAX, 0), None).await.expect("it obeys");
    assert_eq!(there.limits().await, Ok(send(10_000, 0)));
}

#[tokio::test]
async fn b9_limits_with_a_moment_end_then_however_late_they_were_heard() {
    let site = Site::start().await;
    let storage = site.storage();
    let there = site.feeder(&storage.feeders[0].address);
    let deliver = FeederLimits { to_battery: watts(0), to_home: watts(700) };
    let begun = site.context.clock.now();
    // Decided at the beginning for a minute, heard twenty seconds later: forty are left.
    site.seconds(20);
    there.limit_until(deliver, 60, begun.plus_millis(60_000)).await.expect("it obeys");
    site.seconds(39);
    assert_eq!(there.limits().await, Ok(deliver));
    site.seconds(1);
    assert_eq!(there.limits().await, Ok(FeederLimits::default()));
    // Heard when it is over: nothing at all.
    there.limit_until(deliver, 60, begun.plus_millis(60_000)).await.expect("it obeys");
    assert_eq!(there.limits().await, Ok(FeederLimits::default()));
    // A moment ends nobody's next limits.
    there.limit(deliver, Some(30)).await.expect("it obeys");
    assert_eq!(there.limits().await, Ok(deliver));
}

#[tokio::test]
async fn the_lease_of_the_homes_end_ends_in_its_second_whoever_looks() {
    let site = Site::start().await;
    let (home, storage) = (site.home(), site.storage());
    let limits = FeederLimits { to_battery: watts(1_000), to_home: Power::ZERO };
    site.hours(12);
    site.feeder(&storage.feeders[0].address).limit(limits, None).await.expect("it obeys");
    site.feeder(&home.feeder).limit(limits, Some(900)).await.expect("it obeys");
    site.hours(3);
    let sent = site.counter(&home.feeder).read().await.unwrap().required().expect("it counts");
    let truth = site.plant.with(|world| world.totals(POINT).unwrap());
    assert_eq!(sent.registers.export.wh(), truth.sent.wh());
    assert_eq!(truth.sent, Energy::from_wh(250), "a quarter of an hour at 1 kW");
    assert_eq!(site.feeder(&home.feeder).limits().await, Ok(FeederLimits::default()));
}

#[tokio::test]
async fn b9_a_battery_is_read_limited_and_remembers_how_it_stood_when_slots_ended() {
    let site = Site::start().await;
    let storage = site.storage();
    let battery = site.battery(&storage.battery);
    let nameplate = battery.nameplate().await.expect("a nameplate");
    assert_eq!((nameplate.capacity.wh(), nameplate.charge_limit.watts()), (13_500, 5_000));
    assert_eq!((nameplate.charge_efficiency.get(), nameplate.discharge_efficiency.get()), (950, 960));
    let control = site.battery_control(&storage.battery);
    control
        .limit(BatteryLimits { charge: watts(4_321), discharge: watts(9_999_999) })
        .await
        .expect("it obeys");
    let state = battery.state().await.unwrap().required().expect("a state");
    assert_eq!((state.charge_limit, state.discharge_limit), (watts(4_321), watts(4_500)));
    assert_eq!((state.stored.wh(), state.capacity.wh()), (5_000, 13_500));
    assert_eq!((state.registers.import.wh(), state.registers.export.wh()), (100_000, 200_000));
    let slot = site.slot();
    assert_eq!(battery.kept(slot).await.unwrap().expect("it keeps").quality(), Quality::Missing);
    site.hours(2);
    let kept = battery.kept(slot).await.unwrap().expect("it keeps").required().expect("it has ended");
    let truth = site.plant.with(|world| world.battery_latched(BATTERY, slot).unwrap());
    assert_eq!((kept.stored, kept.registers), (truth.stored, truth.registers));
    let long_ago = Slot::from_number(slot.number() - 1);
    assert_eq!(battery.kept(long_ago).await.unwrap().expect("it keeps").quality(), Quality::Missing);
}

#[tokio::test]
async fn p2_meters_keep_what_they_showed_when_slots_ended_and_forget_after_the_ring_is_round() {
    let site = Site::start().await;
    let home = site.home();
    for address in [&home.grid_meter, home.consumption_meter.as_ref().unwrap(), &home.generator] {
        let meter = site.counter(address);
        let slot = site.slot();
        site.hours(5);
        for slot in (slot.number()..site.slot().number()).map(Slot::from_number) {
            let kept = meter.kept(slot).await.unwrap().expect("it keeps").required().expect("it has ended");
            let truth = site.plant.with(|world| world.home_latched(POINT, slot).unwrap());
            let known = [truth.grid, truth.consumption, truth.generation];
            assert!(known.contains(&kept));
        }
    }
    let first = site.slot();
    site.hours(2_048 / 2 + 1);
    let meter = site.counter(&home.grid_meter);
    assert_eq!(meter.kept(first).await.unwrap().expect("it keeps").quality(), Quality::Missing);
    let recent = first.plus(4);
    assert_eq!(meter.kept(recent).await.unwrap().expect("it keeps").quality(), Quality::Measured);
}

#[tokio::test]
async fn faults_of_registers_are_shown_as_they_are() {
    let site = Site::start().await;
    let home = site.home();
    site.hours(12);
    let meter = site.counter(&home.grid_meter);
    let device = PlantDevice::GridMeter(POINT);
    let read = || async { meter.read().await.unwrap().required().unwrap().registers.export.wh() };
    let honest = read().await;
    assert_eq!(meter.traits().await.unwrap().wraps_at, Some(Energy::from_wh(1 << 32)));
    site.plant.inject(device, Some(Fault::Jump));
    assert_eq!(read().await, honest + JUMP);
    site.plant.inject(device, Some(Fault::Freeze));
    site.hours(1);
    assert_eq!(read().await, honest);
    assert_eq!(
        meter.kept(site.slot().previous()).await.unwrap().expect("it keeps").quality(),
        Quality::Missing
    );
    site.plant.inject(device, Some(Fault::Reset));
    assert_eq!(read().await, 0);
    site.plant.inject(device, Some(Fault::Wrap));
    assert_eq!(read().await, (1 << 32) - 1_000);
    site.hours(1);
    let wrapped = read().await;
    assert!((1..100_000).contains(&wrapped), "{wrapped}");
    let kept = meter.kept(site.slot().previous()).await.unwrap().expect("it keeps").required().unwrap();
    assert!(kept.export.wh() <= wrapped);
    site.plant.inject(device, Some(Fault::Nonsense));
    // Whatever it is, it is no panic.
    let _ = meter.read().await;
    site.plant.inject(device, Some(Fault::Silent));
    assert!(matches!(meter.read().await, Err(DeviceError::Unreachable { .. })));
    site.plant.inject(device, None);
    assert!(read().await > honest);
}

#[tokio::test]
async fn a_probe_says_what_is_there_what_it_offers_and_what_it_lacks() {
    let site = Site::start().await;
    let (home, storage) = (site.home(), site.storage());
    let found = site.probe(&home.generator).await.expect("found");
    assert_eq!(found.manufacturer.as_deref(), Some("wattbook"));
    assert_eq!(found.serial.as_deref(), Some("home-7-generator"));
    assert_eq!(found.offers, [Capability::Meter, Capability::Generator, Capability::Curtailment]);
    assert!(found.parts.iter().any(|part| part.name == "model 103" && part.place == "registers 40070-40121"));
    let found = site.probe(&home.grid_meter).await.expect("found");
    assert_eq!(found.offers, [Capability::Meter]);
    assert_eq!(
        found.lacks,
        [
            "as a feeder's end it lacks: model 124, to limit it by",
            "as a battery it lacks: a model that says what is stored (713 or 802)"
        ]
    );
    let found = site.probe(&storage.battery).await.expect("found");
    assert!(
        found.offers.contains(&Capability::Battery) && found.offers.contains(&Capability::BatteryControl)
    );
    assert!(!found.offers.contains(&Capability::Generator));
    // A unit that is not there, and an address where nobody is.
    let nobody: DeviceAddress = home.grid_meter.to_string().replace("/3", "/99").parse().unwrap();
    let error = site.probe(&nobody).await.unwrap_err().to_string();
    assert!(error.contains("no such unit answers"), "{error}");
    for (wrong, words) in [
        ("sunspec://127.0.0.1/1?colour=red", "no option is called \"colour\""),
        ("sunspec://127.0.0.1/1?ca=ca.crt", "no option is called \"ca\""),
        ("sunspec://127.0.0.1/256", "a unit's number up to 255"),
        ("sunspec://127.0.0.1/?kind=coal", "kind is solar, wind or gas"),
        ("sunspec://127.0.0.1/?power=4MWh", "power is in watts"),
        ("sunspec://127.0.0.1/?charge_efficiency=1001", "in thousandths, at most 1000"),
        ("sunspec://127.0.0.1/?lease=some", "lease is none or left out"),
    ] {
        let address: DeviceAddress = wrong.parse().unwrap();
        let error = site.probe(&address).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_device_that_comes_back_is_found_again() {
    let mut site = Site::start().await;
    let meter = site.counter(&site.home().grid_meter);
    meter.read().await.expect("it answers");
    site.plant.stop().await;
    assert!(matches!(meter.read().await, Err(DeviceError::Unreachable { .. })));
    site.restart().await;
    meter.read().await.expect("it answers again");
}

#[tokio::test]
async fn single_devices_follow_the_sample_and_a_battery_does_as_it_is_told() {
    let loopback = ([127, 0, 0, 1], 0).into();
    // Noon of a Monday in May, where the sample's homes stand.
    let noon = 1_746_403_200_000 + 13 * 3_600_000;
    let (clock, hand) = Clock::manual(Timestamp::from_millis(noon));
    let context = Context::new(clock.clone(), sunspec_world::SLOT);
    let generator = serve_generator(Bench { kind: Generation::Wind, ..Bench::new(loopback, clock.clone()) });
    let generator = generator.await.expect("it starts");
    let meter = serve_meter(Bench::new(loopback, clock.clone())).await.expect("it starts");
    let battery = serve_battery(Bench::new(loopback, clock.clone())).await.expect("it starts");
    hand.set(Timestamp::from_millis(noon + 3_600_000));
    let opened = sunspec::DRIVER.generator.unwrap()(generator.address(), &context).unwrap();
    let plate = opened.nameplate().await.expect("a nameplate");
    assert_eq!((plate.kind, plate.power.watts() > 4_000), (Generation::Wind, true));
    let gave = opened.power().await.unwrap().required().expect("it gives");
    let opened = sunspec::DRIVER.counter.unwrap()(meter.address(), &context).unwrap();
    let shown = opened.read().await.unwrap().required().expect("it counts");
    assert!(shown.power.watts() < 0 && shown.registers.export.wh() > 1_000, "{gave:?} {shown:?}");
    let opened = sunspec::DRIVER.battery.unwrap()(battery.address(), &context).unwrap();
    let before = opened.state().await.unwrap().required().expect("a state");
    assert!(before.stored > Energy::from_wh(5_000), "it took in what was left over");
    // 124: no charging, an hour of discharging is for those who need it, of whom there are none at noon.
    let control = sunspec::DRIVER.battery_control.unwrap()(battery.address(), &context).unwrap();
    let limits = BatteryLimits { charge: Power::ZERO, discharge: watts(1_000) };
    control.limit(limits).await.expect("it obeys");
    hand.set(Timestamp::from_millis(noon + 2 * 3_600_000));
    let after = opened.state().await.unwrap().required().expect("a state");
    assert_eq!(after.registers, before.registers);
    assert_eq!((after.charge_limit, after.discharge_limit), (Power::ZERO, watts(1_000)));
    battery.inject(Some(Fault::Silent));
    assert!(opened.state().await.is_err());
    battery.inject(None);
    generator.stop().await;
    assert!(
        sunspec::DRIVER.generator.unwrap()(generator.address(), &context).unwrap().power().await.is_err()
    );
}

#[tokio::test]
async fn s1_connections_are_bounded_and_who_is_turned_away_stops_nobody() {
    let site = Site::start().await;
    let meter = site.home().grid_meter;
    let counter = site.counter(&meter);
    counter.read().await.expect("it answers");
    let mut held = Vec::new();
    let mut turned_away = 0;
    for _ in 0..80 {
        let mut stream =
            tokio::net::TcpStream::connect(sunspec_world::place(&meter)).await.expect("it listens");
        // Asks for the marker and waits for the reply, so that the connection is known to be served or not.
        stream.write_all(&[0, 0, 0, 0, 0, 6, 3, 3, 0x9c, 0x40, 0, 2]).await.ok();
        let mut reply = [0; 13];
        match stream.read_exact(&mut reply).await {
            Ok(_) => held.push(stream),
            Err(_) => turned_away += 1,
        }
    }
    assert_eq!((held.len(), turned_away), (63, 17), "64 at once, of which the driver has one");
    counter.read().await.expect("it still answers whom it knows");
    drop(held);
    site.plant.stop().await;
    let place = sunspec_world::place(&meter);
    drop(tokio::net::TcpListener::bind(place).await.expect("the port is free"));
}

#[tokio::test]
async fn requests_beyond_the_protocol_are_refused() {
    let site = Site::start().await;
    let link = Link::new(sunspec_world::place(&site.home().feeder).to_string(), None);
    let mut stream = tokio::net::TcpStream::connect(link.place()).await.expect("it listens");
    let cases: [(&[u8], u8); 6] = [
        // 126 registers; none; beyond the last register; a function of coils; a register that is only read;
        // more behind the last model than there is.
        (&[0, 0, 0, 0, 0, 6, 2, 3, 0x9c, 0x40, 0, 126], 3),
        (&[0, 0, 0, 0, 0, 6, 2, 3, 0x9c, 0x40, 0, 0], 3),
        (&[0, 0, 0, 0, 0, 6, 2, 3, 0xff, 0xff, 0, 2], 2),
        (&[0, 0, 0, 0, 0, 6, 2, 1, 0x9c, 0x40, 0, 1], 1),
        (&[0, 0, 0, 0, 0, 6, 2, 6, 0x9c, 0x40, 0, 1], 2),
        (&[0, 0, 0, 0, 0, 6, 2, 3, 0xff, 0, 0, 1], 2),
    ];
    for (request, exception) in cases {
        stream.write_all(request).await.expect("it listens");
        let mut reply = [0; 9];
        stream.read_exact(&mut reply).await.expect("it answers");
        assert_eq!(reply[7..], [request[7] | 0x80, exception], "{request:?}");
    }
    // A rate of more than everything is no value, and changes nothing.
    let storage = 40_177;
    let refused = link.write(2, None, storage + 13, &[10_001]).await;
    assert_eq!(refused, Err(Failure::Exception(Exception::IllegalDataValue)));
    assert_eq!(site.feeder(&site.home().feeder).limits().await, Ok(FeederLimits::default()));
}
