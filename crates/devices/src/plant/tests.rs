//! The world's boundaries: conservation under any commands, latches, leases, limits, and the way over TCP.

use super::world::{Faults, Unready, World};
use super::{BatterySpec, HomeSpec, Plant, PlantListen, WorldSpec};
use crate::address::DeviceAddress;
use crate::capability::{BatteryLimits, FeederReading};
use crate::clock::Clock;
use crate::driver::{Context, FeederLimits, Protection};
use crate::profile::{HomeProfile, ProfileStep, Profiles};
use crate::reading::{DeviceError, Quality};
use crate::site::{HomeDevices, open_home, open_storage};
use proptest::prelude::*;
use std::sync::Arc;
use wattbook_types::transaction::Generation;
use wattbook_types::{
    BatteryId, ConnectionPoint, Energy, MeterRegister, PerMille, Power, Slot, SlotLength, Timestamp,
};

const BATTERY: BatteryId = BatteryId::from_number(1);
const LENGTH: SlotLength = SlotLength::from_seconds(1800);
/// Noon of some day, in hours since 1970.
const START: u64 = 480_012;

fn point(number: u32) -> ConnectionPoint {
    ConnectionPoint::from_number(number)
}

fn wh(number: u64) -> Energy {
    Energy::from_wh(number)
}

fn watts(number: u64) -> Power {
    Power::from_watts(number)
}

/// Time so many minutes after the start.
fn minute(minutes: u64) -> Timestamp {
    Timestamp::from_millis((START * 60 + minutes) * 60_000)
}

fn slot(number: u64) -> Slot {
    LENGTH.slot_at(minute(0)).plus(number)
}

/// Homes with (generation, consumption) per half hour, from connection point 1 on.
pub(crate) fn profiles(homes: &[&[(u64, u64)]]) -> Arc<Profiles> {
    let step = |&(made, used): &(u64, u64)| ProfileStep {
        generation: wh(made),
        consumption: wh(used),
        quality: Quality::Measured,
    };
    let homes = homes
        .iter()
        .map(|steps| HomeProfile { name: String::new(), steps: steps.iter().map(step).collect() });
    Arc::new(Profiles::new(minute(0), 1800, homes.collect()).unwrap())
}

/// 10 kWh, 4 kW in, 3 kW out, 95 % each way, lines with 2 % loss.
pub(crate) fn spec(profiles: Arc<Profiles>) -> WorldSpec {
    let homes = (0..profiles.homes().len()).map(|profile| HomeSpec {
        connection_point: point(profile as u32 + 1),
        battery: BATTERY,
        profile,
        line_loss: PerMille::new(20),
        kind: Generation::Solar,
        received: MeterRegister::ZERO,
        delivered: MeterRegister::ZERO,
    });
    WorldSpec {
        start: minute(0),
        slot_length: LENGTH,
        step_seconds: 60,
        remembered_slots: 2_048,
        batteries: vec![BatterySpec {
            id: BATTERY,
            capacity: wh(10_000),
            stored: Energy::ZERO,
            charge_limit: watts(4_000),
            discharge_limit: watts(3_000),
            charge_efficiency: PerMille::new(950),
            discharge_efficiency: PerMille::new(950),
            standing_loss_ppm_per_hour: 20,
            import: MeterRegister::ZERO,
            export: MeterRegister::ZERO,
        }],
        homes: homes.collect(),
        profiles,
    }
}

/// Takes whatever comes and gives nothing.
const ACCEPTING: FeederLimits = FeederLimits { to_battery: Power::MAX, to_home: Power::ZERO };

fn giving(power: u64) -> FeederLimits {
    FeederLimits { to_battery: Power::ZERO, to_home: watts(power) }
}

/// A world whose homes send and draw all they can and whose feeders accept everything.
fn open_world(homes: &[&[(u64, u64)]], stored: u64) -> World {
    let mut spec = spec(profiles(homes));
    spec.batteries[0].stored = wh(stored);
    let mut world = World::new(spec).unwrap();
    for number in 1..=homes.len() as u32 {
        world.set_switch(point(number), Some(Power::MAX), Some(Power::MAX)).unwrap();
        world.set_port(point(number), ACCEPTING, None).unwrap();
    }
    world
}

#[test]
fn s1_what_is_sent_arrives_less_the_lines_loss_and_is_stored_less_charging_loss() {
    let mut world = open_world(&[&[(1_500, 500)]], 0);
    world.advance_to(minute(30));
    let totals = world.totals(point(1)).unwrap();
    assert_eq!((totals.sent, totals.received, totals.to_grid), (wh(1_000), wh(980), wh(0)));
    // 980 Wh * 0.95 = 931 Wh, less a little for standing.
    assert_eq!(world.battery(BATTERY).unwrap().stored, wh(930));
    assert_eq!(world.audit(), Ok(()));
}

#[test]
fn nothing_flows_without_both_ends() {
    for (send, accept) in [(true, false), (false, true)] {
        let mut world = World::new(spec(profiles(&[&[(1_500, 500)]]))).unwrap();
        if send {
            world.set_switch(point(1), Some(Power::MAX), None).unwrap();
        }
        if accept {
            world.set_port(point(1), ACCEPTING, None).unwrap();
        }
        world.advance_to(minute(30));
        let totals = world.totals(point(1)).unwrap();
        assert_eq!((totals.sent, totals.to_grid), (wh(0), wh(1_000)), "send {send}, accept {accept}");
    }
}

#[test]
fn p5_a_short_charge_limit_is_shared_in_proportion_and_a_full_battery_takes_nothing() {
    // 6 and 2 kW of surplus against a limit of 4 kW at the terminals.
    let mut world = open_world(&[&[(3_000, 0); 8], &[(1_000, 0); 8]], 0);
    world.advance_to(minute(30));
    let received = |world: &World, number| world.totals(point(number)).unwrap().received;
    assert_eq!((received(&world, 1), received(&world, 2)), (wh(1_500), wh(500)));
    world.advance_to(minute(240));
    assert!(world.battery(BATTERY).unwrap().stored >= wh(9_999));
    let full = received(&world, 1);
    world.advance_to(minute(270));
    // No more than what standing lost meanwhile.
    assert!(received(&world, 1).wh() - full.wh() <= 1);
    assert_eq!(world.audit(), Ok(()));
}

#[test]
fn b9_delivery_follows_what_is_drawn_up_to_the_limit_and_ends_with_its_lease() {
    // Needs 1 kWh each slot; 980 Wh at the home are 1 kWh at the terminals.
    let mut world = open_world(&[&[(0, 980), (0, 980)]], 5_000);
    world.set_port(point(1), giving(9_000), Some(600)).unwrap();
    world.advance_to(minute(5));
    assert_eq!(world.totals(point(1)).unwrap().delivered, wh(166));
    assert_eq!(world.port(point(1)), Ok(giving(9_000)));
    // In one leap: the lease ends in between, not at a step's end.
    world.advance_to(minute(60));
    assert_eq!(world.port(point(1)), Ok(FeederLimits::default()));
    let totals = world.totals(point(1)).unwrap();
    assert_eq!((totals.delivered, totals.arrived, totals.from_grid), (wh(333), wh(326), wh(1_633)));
    assert_eq!(world.battery(BATTERY).unwrap().registers.export, MeterRegister::from_wh(333));
}

#[test]
fn b9_a_lease_is_renewed_from_now_on_and_holds_to_the_second() {
    let mut world = open_world(&[&[(0, 9_000)]], 9_000);
    let second = |seconds: u64| minute(0).plus_millis(seconds * 1_000);
    world.set_port(point(1), giving(3_000), Some(601)).unwrap();
    world.advance_to(second(500));
    world.set_port(point(1), giving(1_000), Some(217)).unwrap();
    world.advance_to(second(1_700));
    // 3 kW for 500 s and 1 kW for 217 s.
    assert_eq!(world.totals(point(1)).unwrap().delivered, wh((3_000 * 500 + 1_000 * 217) / 3_600));
    world.set_port(point(1), giving(1_000), Some(0)).unwrap();
    assert_eq!(world.port(point(1)), Ok(FeederLimits::default()));
    assert_eq!(world.port(point(9)), Err(Unready::Unknown));
}

#[test]
fn b9_a_short_discharge_limit_is_shared_in_proportion() {
    // The battery gives 3 kW; 6 and 2 kW are drawn and allowed.
    let mut world = open_world(&[&[(0, 4_000)], &[(0, 4_000)]], 9_000);
    world.set_port(point(1), giving(6_000), None).unwrap();
    world.set_port(point(2), giving(2_000), None).unwrap();
    world.advance_to(minute(20));
    let delivered = |number| world.totals(point(number)).unwrap().delivered;
    assert_eq!((delivered(1), delivered(2)), (wh(750), wh(250)));
}

#[test]
fn b11_less_drawn_than_allowed_is_less_delivered() {
    let mut world = open_world(&[&[(0, 98)]], 5_000);
    world.set_port(point(1), giving(1_400), None).unwrap();
    world.advance_to(minute(30));
    assert_eq!(world.totals(point(1)).unwrap().delivered, wh(100));
}

#[test]
fn p3_meters_latch_at_the_end_of_each_slot_and_remember() {
    let mut world = open_world(&[&[(1_000, 0), (500, 0), (0, 0)]], 0);
    assert_eq!(world.home_latched(point(1), slot(0)), Err(Unready::NotYet));
    // In one leap, as after a long absence.
    world.advance_to(minute(100));
    let sent = |number| world.home_latched(point(1), slot(number)).unwrap().feeder.export.wh();
    assert_eq!((sent(0), sent(1), sent(2)), (1_000, 1_500, 1_500));
    assert_eq!(world.home_latched(point(1), slot(3)), Err(Unready::NotYet));
    assert_eq!(world.home_latched(point(1), slot(0).previous()), Err(Unready::Forgotten));
    let rows = world.feeders_latched(BATTERY, slot(0)).unwrap();
    let received = MeterRegister::from_wh(980);
    let row = FeederReading { connection_point: point(1), received, delivered: MeterRegister::ZERO };
    assert_eq!(rows, [row]);
    assert_eq!(world.battery_latched(BATTERY, slot(0)).unwrap().registers.import, received);
}

#[test]
fn a_home_whose_profile_has_ended_does_nothing() {
    let mut world = open_world(&[&[(1_000, 400)]], 0);
    world.advance_to(minute(300));
    let totals = world.totals(point(1)).unwrap();
    assert_eq!((totals.generated, totals.consumed), (wh(1_000), wh(400)));
}

#[test]
fn f1_f6_meters_that_misreport_leave_physics_alone() {
    let mut world = open_world(&[&[(1_000, 0)]], 0);
    world.set_faults(point(1), Faults { sent: 1_200, received: 900, delivered: 1_000 }).unwrap();
    world.advance_to(minute(30));
    let shown = world.home_latched(point(1), slot(0)).unwrap();
    assert!(shown.feeder.export.wh().abs_diff(1_200) <= 1);
    assert!(shown.received.wh().abs_diff(882) <= 1);
    assert_eq!(world.totals(point(1)).unwrap().received, wh(980));
    assert_eq!(world.audit(), Ok(()));
}

#[test]
fn what_does_not_exist_is_refused() {
    let mut world = open_world(&[&[(0, 0)]], 0);
    assert_eq!(world.set_switch(point(9), None, None), Err(Unready::Unknown));
    assert_eq!(world.set_port(point(9), ACCEPTING, None), Err(Unready::Unknown));
    assert_eq!(world.battery(BatteryId::from_number(9)), Err(Unready::Unknown));
}

/// A command at some minute.
#[derive(Clone, Debug)]
enum Command {
    Switch(u32, u64, u64),
    Port(u32, u64, u64, Option<u32>),
    Curtail(u32, Option<u64>),
    Limits(u64, u64),
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (1..4u32, 0..9_000u64, 0..9_000u64).prop_map(|(at, send, draw)| Command::Switch(at, send, draw)),
        (1..4u32, 0..9_000u64, 0..9_000u64, proptest::option::of(0..4_000u32))
            .prop_map(|(at, accept, deliver, lease)| Command::Port(at, accept, deliver, lease)),
        (1..4u32, proptest::option::of(0..3_000u64)).prop_map(|(at, limit)| Command::Curtail(at, limit)),
        (0..6_000u64, 0..6_000u64).prop_map(|(charge, discharge)| Command::Limits(charge, discharge)),
    ]
}

pub(crate) fn any_profiles() -> impl Strategy<Value = Vec<Vec<(u64, u64)>>> {
    let step = prop_oneof![(0..3_000u64, 0..300u64), (0..300u64, 0..3_000u64)];
    prop::collection::vec(prop::collection::vec(step, 8..12), 3)
}

fn run(world: &mut World, commands: &[(u64, Command)]) {
    let mut seconds = START * 3_600;
    for (pause, command) in commands {
        seconds += pause;
        world.advance_to(Timestamp::from_millis(seconds * 1_000));
        match *command {
            Command::Switch(at, send, draw) => {
                world.set_switch(point(at), Some(watts(send)), Some(watts(draw))).unwrap();
            }
            Command::Port(at, accept, deliver, lease) => {
                let limits = FeederLimits { to_battery: watts(accept), to_home: watts(deliver) };
                world.set_port(point(at), limits, lease).unwrap();
            }
            Command::Curtail(at, limit) => world.curtail(point(at), limit.map(watts)).unwrap(),
            Command::Limits(charge, discharge) => {
                let limits = BatteryLimits { charge: watts(charge), discharge: watts(discharge) };
                world.set_limits(BATTERY, limits).unwrap();
            }
        }
        assert_eq!(world.audit(), Ok(()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// M10 in the physical world: whatever is commanded, no joule appears or vanishes, no register goes
    /// back, feeders never show more than the battery's own meter, and no more is ever covered than the
    /// bound says.
    #[test]
    fn m10_every_joule_is_accounted_for(
        homes in any_profiles(),
        stored in 0..10_000u64,
        commands in prop::collection::vec((0..1_500u64, command()), 1..40),
    ) {
        let homes: Vec<&[(u64, u64)]> = homes.iter().map(Vec::as_slice).collect();
        let mut spec = spec(profiles(&homes));
        spec.batteries[0].stored = wh(stored);
        let mut world = World::new(spec.clone()).unwrap();
        run(&mut world, &commands);
        let mut before = world.feeders(BATTERY).unwrap();
        for number in 0..20 {
            let Ok(rows) = world.feeders_latched(BATTERY, slot(number)) else { break };
            let battery = world.battery_latched(BATTERY, slot(number)).unwrap().registers;
            prop_assert!(rows.iter().map(|row| row.received.wh()).sum::<u64>() <= battery.import.wh());
            prop_assert!(rows.iter().map(|row| row.delivered.wh()).sum::<u64>() <= battery.export.wh());
            if number > 0 {
                prop_assert!(rows.iter().zip(&before).all(|(now, then)| now.received >= then.received));
            }
            before = rows;
        }
        let interval = wattbook_types::Interval { start: minute(0), end: world.now() };
        let bound = crate::bound::most_covered(&spec, interval);
        let totals: Vec<_> = (1..4).map(|at| world.totals(point(at)).unwrap()).collect();
        prop_assert!(totals.iter().map(|home| home.arrived.wh()).sum::<u64>() <= bound.arrived.wh());
        prop_assert!(totals.iter().map(|home| home.delivered.wh()).sum::<u64>() <= bound.delivered.wh());
    }
}

#[tokio::test]
async fn p6_a_home_and_a_battery_are_opened_over_tcp_and_follow_their_devices_to_another_world() {
    let (clock, hand) = Clock::manual(minute(0));
    let spec = spec(profiles(&[&[(1_500, 500), (0, 600)]]));
    let plant = Plant::start(spec.clone(), clock.clone(), PlantListen::loopback()).await.unwrap();
    let context = Context::new(clock.clone(), LENGTH);
    let (of_home, of_battery) =
        (plant.home(point(1)).unwrap().clone(), plant.storage(BATTERY).unwrap().clone());
    let home = open_home(&of_home, point(1), &context).unwrap();
    let storage = open_storage(&of_battery, BATTERY, &context).unwrap();
    assert_eq!(home.generator.nameplate().await.unwrap().power, watts(3_000));
    home.feeder.send_up_to(watts(1_000)).await.unwrap();
    storage.feeders.accept(point(1), slot(0), watts(10_000)).await.unwrap();
    assert_eq!(home.feeder_meter.latched(slot(0)).await.unwrap().quality(), Quality::Missing);
    hand.set(minute(30));
    let latched = home.feeder_meter.latched(slot(0)).await.unwrap().required().unwrap();
    assert_eq!(latched.export, MeterRegister::from_wh(500));
    let battery = storage.battery.latched(slot(0)).await.unwrap().required().unwrap();
    assert_eq!(battery.registers.import, MeterRegister::from_wh(490));
    let rows = storage.feeders.latched(slot(0)).await.unwrap().required().unwrap();
    assert_eq!(rows[0].received, MeterRegister::from_wh(490));
    assert!(home.links.iter().chain(&storage.links).all(|link| link.protection == Protection::Loopback));

    // Another world takes its place at the same addresses: the devices are found by themselves.
    plant.stop().await;
    assert!(matches!(home.feeder.state().await, Err(DeviceError::Unreachable { .. })));
    let at = |address: &DeviceAddress| address.socket(502).parse().unwrap();
    let mut listen = PlantListen::loopback();
    listen.homes.insert(point(1), at(&of_home.feeder));
    listen.storages.insert(BATTERY, at(&of_battery.battery));
    let plant = Plant::start(spec, clock, listen).await.unwrap();
    home.feeder.draw_up_to(watts(700)).await.unwrap();
    assert_eq!(home.feeder.state().await.unwrap().draw, watts(700));
    assert_eq!(plant.with(|world| world.home(point(1)).unwrap().switch.draw), watts(700));
}

#[test]
fn p7_what_no_driver_drives_is_named_with_its_key() {
    let address = |text: &str| text.parse::<DeviceAddress>().unwrap();
    let home = |grid_meter| HomeDevices {
        generator: address("sunspec://192.0.2.7/1"),
        generation_meter: None,
        feeder: address("sunspec://192.0.2.7/2"),
        grid_meter: address(grid_meter),
        consumption_meter: None,
    };
    assert_eq!(home("sunspec://192.0.2.7/3").check(), Ok(()));
    let (key, why) = home("telepathy://a").check().unwrap_err();
    assert!(key == "grid_meter" && why.contains("telepathy"), "{key}: {why}");
    let wrong = HomeDevices { feeder: address("mqtt://broker/a"), ..home("sunspec://192.0.2.7/3") };
    let (key, why) = wrong.check().unwrap_err();
    assert!(key == "feeder" && why.contains("drives no feeder"), "{key}: {why}");
}
