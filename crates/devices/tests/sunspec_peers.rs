//! The SunSpec drivers and devices against independent implementations: PyPI pysunspec2 as a client of the
//! simulated devices, and as what encodes the devices that PyPI pymodbus serves to the drivers.
//!
//! Skipped, and says so, where `WATTBOOK_PEERS` does not name the `bin` folder of an environment with both.

mod sunspec_peer;
mod sunspec_world;

use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;
use sunspec_peer::{Devices, python, read_by_pysunspec2};
use sunspec_world::{BATTERY, POINT, Site};
use wattbook_devices::capability::BatteryLimits;
use wattbook_devices::driver::{Capability, FeederLimits};
use wattbook_devices::drivers::sunspec::tables;
use wattbook_devices::simulated::{Bench, serve_battery};
use wattbook_devices::{Clock, DeviceError, Quality};
use wattbook_types::transaction::Generation;
use wattbook_types::{Energy, MeterRegister, Power, Timestamp};

const fn watts(watts: u64) -> Power {
    Power::from_watts(watts)
}

#[test]
fn every_row_of_the_register_tables_is_as_the_definitions_say() {
    let Some(mut python) = python("tables.py") else { return };
    let mut child =
        python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the interpreter runs");
    let mut input = child.stdin.take().expect("piped");
    let mut points = 0;
    // All but the vendor's model, which is ours.
    let standard = || tables::ALL.iter().filter(|table| table.id < 64_000);
    for table in standard() {
        let rows: Vec<Value> = table
            .points
            .iter()
            .map(|p| json!([p.at, p.name, format!("{:?}", p.kind), p.scale, p.unit, p.set]))
            .collect();
        points += rows.len();
        writeln!(input, "{}", json!({ "id": table.id, "length": table.length, "points": rows })).unwrap();
    }
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout);
    // The one model that spells three voltages, which nobody here reads, in its own way.
    let odd = |line: &&str| !(line.starts_with("model 201 at 1") && line.contains("'PPVph"));
    let said: Vec<&str> = said.lines().filter(odd).collect();
    assert_eq!(said.join("\n"), format!("compared {} models, {points} points", standard().count()));
}

#[tokio::test]
async fn pysunspec2_reads_every_model_of_the_simulated_devices() {
    let site = Site::start().await;
    let (home, storage) = (site.home(), site.storage());
    site.hours(11);
    let Some(read) = read_by_pysunspec2(&home.generator, &[]).await else { return };
    let models: Vec<&str> = read.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(models, ["1", "103", "120", "121", "123", "64850"]);
    assert_eq!((&read["1"]["Mn"], &read["1"]["SN"]), (&json!("wattbook"), &json!("home-7-generator")));
    assert_eq!((&read["103"]["W"], &read["103"]["WH"]), (&json!(6_000), &json!(6_000)));
    assert_eq!((&read["103"]["PhVphA"], &read["103"]["Hz"]), (&json!(230.0), &json!(50.0)));
    assert_eq!((&read["120"]["WRtg"], &read["120"]["DERTyp"]), (&json!(6_000), &json!(4)));
    assert_eq!((&read["123"]["WMaxLimPct"], &read["123"]["WMaxLim_Ena"]), (&json!(100.0), &json!(0)));
    assert_eq!(read["64850"]["L"], 8 + 12 * 2_048);
    // What a device does not have is not implemented, in every kind of register.
    for absent in ["AphA", "VA", "PF", "DCW", "TmpCab", "StVnd", "EvtVnd1"] {
        assert_eq!(read["103"].get(absent), None, "{absent}");
    }
    let read = read_by_pysunspec2(&home.grid_meter, &[]).await.expect("as before");
    assert_eq!((&read["203"]["W"], &read["203"]["A"]), (&json!(-5_500), &json!(7.9)));
    assert_eq!((&read["203"]["TotWhImp"], &read["203"]["TotWhExp"]), (&json!(5_000), &json!(5_500)));
    let read = read_by_pysunspec2(&storage.battery, &[]).await.expect("as before");
    assert_eq!((&read["701"]["TotWhAbs"], &read["701"]["TotWhInj"]), (&json!(100_000), &json!(200_000)));
    assert_eq!((&read["713"]["WHAvail"], &read["713"]["SoC"]), (&json!(5_000), &json!(37.03)));
    assert_eq!((&read["802"]["WHRtg"], &read["802"]["WDisChaRteMax"]), (&json!(13_500), &json!(4_500)));
    assert_eq!((&read["124"]["InWRte"], &read["124"]["OutWRte"]), (&json!(50.0), &json!(45.0)));
}

#[tokio::test]
async fn p1_pysunspec2_sets_what_the_simulated_devices_obey() {
    let site = Site::start().await;
    let (home, storage) = (site.home(), site.storage());
    site.hours(11);
    let set = ["123.WMaxLimPct=25.0", "123.WMaxLim_Ena=1", "123.WMaxLimPct_RvrtTms=3600"];
    let Some(read) = read_by_pysunspec2(&home.generator, &set).await else { return };
    assert_eq!((&read["123"]["WMaxLimPct"], &read["123"]["WMaxLim_Ena"]), (&json!(25.0), &json!(1)));
    let set = ["124.InWRte=12.34", "124.OutWRte=5.0", "124.InOutWRte_RvrtTms=5400"];
    for address in [&home.feeder, &storage.feeders[0].address] {
        let read = read_by_pysunspec2(address, &set).await.expect("as before");
        assert_eq!((&read["124"]["InWRte"], &read["124"]["OutWRte"]), (&json!(12.34), &json!(5.0)));
    }
    let (switch, port) =
        site.plant.with(|world| (world.home(POINT).unwrap().switch, world.port(POINT).unwrap()));
    assert_eq!((switch.send, switch.draw), (watts(1_234), watts(500)));
    assert_eq!((port.to_battery, port.to_home), (watts(1_234), watts(500)));
    site.hours(1);
    let battery = site.plant.with(|world| world.battery(BATTERY).unwrap());
    assert_eq!(battery.registers.import, MeterRegister::from_wh(101_000), "what is left of 1.5 kW");
    site.hours(1);
    // Both leases have run out: the generator gives all again, the feeder nothing. An hour of the kilowatt
    // that was left over, and half an hour of 1234 W, have been sent.
    let read = read_by_pysunspec2(&home.generator, &[]).await.expect("as before");
    assert_eq!((&read["103"]["W"], &read["123"]["WMaxLim_Ena"]), (&json!(6_000), &json!(0)));
    let read = read_by_pysunspec2(&home.feeder, &[]).await.expect("as before");
    assert_eq!((&read["124"]["InWRte"], &read["203"]["TotWhExp"]), (&json!(0.0), &json!(1_617)));
    let read = read_by_pysunspec2(&storage.battery, &["124.InWRte=30.0"]).await.expect("as before");
    assert_eq!(read["124"]["InWRte"], json!(30.0));
    assert_eq!(site.plant.with(|world| world.battery(BATTERY).unwrap().charge_limit), watts(3_000));
}

#[tokio::test]
async fn b9_pysunspec2_makes_a_battery_of_its_own_charge_and_discharge() {
    let noon = 1_746_403_200_000 + 13 * 3_600_000;
    let (clock, hand) = Clock::manual(Timestamp::from_millis(noon));
    let at = |minutes: u64| hand.set(Timestamp::from_millis(noon + minutes * 60_000));
    let battery = serve_battery(Bench::new(([127, 0, 0, 1], 0).into(), clock)).await.expect("it starts");
    // Discharges with 2 kW for an hour, though the sun shines, and then takes in what is left over.
    let set = ["704.WSetMod=1", "704.WSet=2000", "704.WSetRvrtTms=3600", "704.WSetEna=1"];
    let Some(read) = read_by_pysunspec2(battery.address(), &set).await else { return };
    assert_eq!((&read["704"]["WSet"], &read["704"]["WSetEna"]), (&json!(2_000), &json!(1)));
    at(30);
    let read = read_by_pysunspec2(battery.address(), &[]).await.expect("as before");
    assert_eq!((&read["701"]["W"], &read["701"]["TotWhInj"]), (&json!(2_000), &json!(1_000)));
    at(60);
    let read = read_by_pysunspec2(battery.address(), &[]).await.expect("as before");
    assert_eq!((&read["704"]["WSetEna"], &read["701"]["TotWhInj"]), (&json!(0), &json!(2_000)));
    // 124: less than no discharging is charging, with a tenth of 10 kW.
    let set = ["124.StorCtl_Mod=3", "124.OutWRte=-10.0", "124.InWRte=100.0"];
    let read = read_by_pysunspec2(battery.address(), &set).await.expect("as before");
    assert_eq!(read["124"]["OutWRte"], json!(-10.0));
    at(120);
    let read = read_by_pysunspec2(battery.address(), &[]).await.expect("as before");
    assert_eq!((&read["701"]["W"], &read["701"]["TotWhAbs"]), (&json!(-1_000), &json!(1_000)));
    // It holds what 5 kWh, less 2 kWh given and the losses, and 1 kWh taken in, make.
    let stored = read["713"]["WHAvail"].as_u64().expect("a number");
    assert!((3_870..3_880).contains(&stored), "{stored}");
    // And no more than it can: in the end only what standing costs, a watt.
    at(60 * 24);
    let read = read_by_pysunspec2(battery.address(), &[]).await.expect("as before");
    assert_eq!((&read["713"]["SoC"], &read["701"]["W"]), (&json!(100.0), &json!(-1)));
}

#[tokio::test]
async fn p1_an_older_inverter_of_another_make_is_read_and_curtailed() {
    let Some(mut devices) = Devices::start() else { return };
    let address = devices.address(1, "");
    let site = Site::start().await;
    let found = site.probe(&address).await.expect("found");
    assert_eq!(found.manufacturer.as_deref(), Some("Elsewhere"));
    assert_eq!((found.serial.as_deref(), found.version.as_deref()), (Some("INV-0001"), Some("9.8")));
    assert_eq!(found.offers, [Capability::Meter, Capability::Generator, Capability::Curtailment]);
    let unknown = found.parts.iter().find(|part| part.name == "model 122").expect("it is listed");
    assert!(!unknown.used);
    let generator = site.generator(&address);
    let plate = generator.nameplate().await.expect("a nameplate");
    assert_eq!((plate.kind, plate.power), (Generation::Solar, watts(6_100)));
    assert_eq!(generator.power().await.unwrap().required(), Ok(watts(5_230)));
    let counter = site.counter(&address);
    let counted = counter.read().await.unwrap().required().expect("it counts");
    // 123456789 tenths of a Wh, rounded down.
    assert_eq!(counted.registers.export, MeterRegister::from_wh(12_345_678));
    assert_eq!(counted.power.watts(), -5_230);
    let traits = counter.traits().await.unwrap();
    assert_eq!(traits.wraps_at, Some(Energy::from_wh((1 << 32) / 10)));
    assert_eq!((traits.resolution, traits.limit), (Some(Energy::from_wh(1)), Some(watts(6_100))));
    let midnight = site.slot();
    assert_eq!(counter.kept(midnight).await, Ok(None), "it keeps no intervals");
    let curtail = site.curtail(&address);
    curtail.curtail(Some(watts(1_234))).await.expect("it obeys");
    // 1234 of 6000 W are 20.566 %: in tenths of a percent, rounded down.
    let shown = devices.shown(1);
    assert_eq!((&shown["123"]["WMaxLimPct"], &shown["123"]["WMaxLim_Ena"]), (&json!(20.5), &json!(1)));
    // No lease, and the other's window and ramp times as they were.
    let times = ["WMaxLimPct_RvrtTms", "WMaxLimPct_WinTms", "WMaxLimPct_RmpTms"];
    assert_eq!(times.map(|name| shown["123"][name].clone()), [json!(0), json!(7), json!(3)]);
    curtail.curtail(None).await.expect("it obeys");
    let shown = devices.shown(1);
    assert_eq!((&shown["123"]["WMaxLimPct"], &shown["123"]["WMaxLim_Ena"]), (&json!(100.0), &json!(0)));
}

#[tokio::test]
async fn p1_a_feeders_end_of_another_make_is_metered_and_limited() {
    let Some(mut devices) = Devices::start() else { return };
    let address = devices.address(2, "");
    let site = Site::start().await;
    let counter = site.counter(&address);
    let counted = counter.read().await.unwrap().required().expect("it counts");
    assert_eq!(counted.registers.import, MeterRegister::from_wh(400_000_000_000));
    assert_eq!((counted.registers.export.wh(), counted.power.watts()), (7_700, -3_210));
    let traits = counter.traits().await.unwrap();
    assert_eq!(traits.wraps_at, Some(Energy::from_wh(429_496_729_600)));
    assert_eq!(traits.resolution, Some(Energy::from_wh(100)));
    let feeder = site.feeder(&address);
    // It is not limited yet: by its rating.
    let all = FeederLimits { to_battery: watts(7_700), to_home: watts(7_700) };
    assert_eq!(feeder.limits().await, Ok(all));
    let limits = FeederLimits { to_battery: watts(1_000), to_home: watts(7) };
    feeder.limit(limits, Some(100_000)).await.expect("it obeys");
    let shown = devices.shown(2);
    // 12.98 % and 0.09 % in tenths, rounded down; a lease no longer than its register.
    assert_eq!((&shown["124"]["InWRte"], &shown["124"]["OutWRte"]), (&json!(12.9), &json!(0.0)));
    assert_eq!(
        (&shown["124"]["StorCtl_Mod"], &shown["124"]["InOutWRte_RvrtTms"], &shown["124"]["InOutWRte_WinTms"]),
        (&json!(3), &json!(65_534), &json!(0))
    );
    let set = feeder.limits().await.expect("it says");
    assert_eq!((set.to_battery, set.to_home), (watts(993), Power::ZERO));
}

#[tokio::test]
async fn b9_batteries_of_another_make_are_read_and_limited_by_what_they_have() {
    let Some(mut devices) = Devices::start() else { return };
    let site = Site::start().await;
    let address = devices.address(3, "?charge_efficiency=970&kind=gas");
    let battery = site.battery(&address);
    let plate = battery.nameplate().await.expect("a nameplate");
    assert_eq!(
        (plate.capacity.wh(), plate.charge_limit, plate.discharge_limit),
        (13_500, watts(4_700), watts(4_800))
    );
    assert_eq!((plate.charge_efficiency.get(), plate.discharge_efficiency.get()), (970, 950));
    let state = battery.state().await.unwrap().required().expect("a state");
    assert_eq!(state.stored, Energy::from_wh(6_170));
    assert_eq!((state.registers.import.wh(), state.registers.export.wh()), (98_765_432, 1_234_567_890));
    assert_eq!(battery.traits().await.unwrap().wraps_at, None, "64 bits do not wrap");
    // It has no 124: by the settings of 702, in tens of watts.
    let limits = BatteryLimits { charge: watts(1_239), discharge: watts(99_999) };
    site.battery_control(&address).limit(limits).await.expect("it obeys");
    let shown = devices.shown(3);
    assert_eq!(
        (&shown["702"]["WChaRteMax"], &shown["702"]["WDisChaRteMax"]),
        (&json!(1_230.0), &json!(4_900.0))
    );
    assert_eq!(battery.state().await.unwrap().required().expect("a state").charge_limit, watts(1_230));
    // 704 curtails what it gives, in tenths of a percent of the 4 kW that it is set to.
    site.curtail(&address).curtail(Some(watts(333))).await.expect("it obeys");
    let shown = devices.shown(3);
    assert_eq!((&shown["704"]["WMaxLimPct"], &shown["704"]["WMaxLimPctEna"]), (&json!(8.3), &json!(1)));
    assert_eq!(shown["704"]["WMaxLimPctRvrtTms"], json!(0));
    let generator = site.generator(&address);
    assert_eq!(generator.power().await.unwrap().required(), Ok(Power::ZERO), "it takes in");
    assert_eq!(generator.nameplate().await.expect("a nameplate").kind, Generation::Gas);
}

#[tokio::test]
async fn what_a_device_of_another_make_does_not_have_is_missing_or_refused_in_words() {
    let Some(devices) = Devices::start() else { return };
    let site = Site::start().await;
    let address = devices.address(4, "");
    // Its meter shows no power, so that nothing it shows is believed.
    assert_eq!(site.counter(&address).read().await.unwrap().quality(), Quality::Missing);
    let battery = site.battery(&address);
    assert_eq!(battery.state().await.unwrap().quality(), Quality::Missing);
    assert_eq!(battery.nameplate().await.expect("a nameplate").capacity, Energy::from_wh(10_000));
    let one = FeederLimits { to_battery: watts(1), to_home: watts(1) };
    let refused = site.feeder(&address).limit(one, Some(60)).await.unwrap_err();
    assert!(refused.to_string().contains("InOutWRte_RvrtTms"), "{refused}");
    let without = site.feeder(&devices.address(4, "?lease=none"));
    without.limit(one, Some(60)).await.expect("it obeys");
    let unsaid = site.generator(&devices.address(4, "")).nameplate().await.unwrap_err();
    assert!(unsaid.to_string().contains("kind=wind"), "{unsaid}");
    assert!(matches!(site.curtail(&address).curtail(None).await, Err(DeviceError::Refused(_))));
    let elsewhere = site.probe(&devices.address(4, "?base=123")).await.expect("it speaks Modbus");
    assert!(elsewhere.lacks[0].contains("at register 123: it has no such registers"), "{elsewhere:?}");
}
