//! ECHONET Lite with independent peers: npm echonet-lite and PyPI pychonet as controllers of our simulated
//! nodes, and our driver against a node made with npm echonet-lite.
//!
//! Skipped, and says so, where they are not installed: `WATTBOOK_NODE_PEERS` names a folder with
//! `node_modules` (npm install echonet-lite date-utils), `WATTBOOK_PEERS` the `bin` folder of a Python
//! environment with pychonet.

mod echonet_bench;

use echonet_bench::{Bench, HOME, address, bench, counter, driver, minute, own_address, probe, watts, wh};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;
use wattbook_devices::capability::BatteryLimits;
use wattbook_devices::driver::{Capability, Context};
use wattbook_devices::plant::{EchonetNode, MeterFace};
use wattbook_devices::{Clock, DeviceAddress, Registers};
use wattbook_types::{BatteryId, MeterRegister, Power, SlotLength, Timestamp};

/// How long a peer may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn helper(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/echonet_peers").join(name)
}

/// Node.js with the peer's modules, or word that it is missing.
fn node(script: &str) -> Option<Command> {
    let modules =
        std::env::var_os("WATTBOOK_NODE_PEERS").map(|folder| PathBuf::from(folder).join("node_modules"));
    let Some(modules) = modules.filter(|modules| modules.join("echonet-lite").is_dir()) else {
        eprintln!(
            "skipped: no npm echonet-lite below WATTBOOK_NODE_PEERS (npm install echonet-lite date-utils)"
        );
        return None;
    };
    if std::process::Command::new("node").arg("--version").output().is_err() {
        eprintln!("skipped: there is no node to run npm echonet-lite");
        return None;
    }
    let mut command = Command::new("node");
    command.arg(helper(script)).env("NODE_PATH", modules).kill_on_drop(true);
    Some(command)
}

/// Python with pychonet, or word that it is missing.
fn python(script: &str) -> Option<Command> {
    let python = std::env::var_os("WATTBOOK_PEERS").map(|folder| PathBuf::from(folder).join("python"));
    let import =
        |python: &PathBuf| std::process::Command::new(python).args(["-c", "import pychonet"]).output();
    let has = |python: &PathBuf| import(python).is_ok_and(|output| output.status.success());
    let Some(python) = python.filter(has) else {
        eprintln!("skipped: no pychonet for the python in WATTBOOK_PEERS (pip install pychonet)");
        return None;
    };
    let mut command = Command::new(python);
    command.arg(helper(script)).kill_on_drop(true);
    Some(command)
}

/// What a controller printed.
async fn told(mut command: Command) -> Value {
    let run = timeout(PATIENCE, command.stdin(Stdio::null()).output()).await;
    let output = run.expect("it ends in time").expect("it runs");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {words}"))
}

/// The world at 04:20 in Japan, after 440 minutes: what is there is charged, sent, used.
async fn simulated() -> (Bench, EchonetNode) {
    let bench = bench().await;
    let node = bench.node(MeterFace::default()).await;
    bench.hand.set(minute(440));
    (bench, node)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn npm_echonet_lite_reads_and_sets_the_simulated_nodes() {
    let Some(mut controller) = node("controller.js") else { return };
    let (bench, node) = simulated().await;
    let state = bench.plant.with(|world| world.home(HOME)).expect("the home");
    controller.args([own_address().to_string(), node.address().ip().to_string()]).args([
        "0ef001:62:d6,d3,82",
        "028801:62:9f",
        "028801:62:e0,e3,e7,e1,d7,d3",
        "027901:62:e0,e1,ee",
        "027901:61:a1=05dc",
        "027901:61:e0=0000,a1=ffff",
        "027d01:62:9e",
        "028801:61:e5=00",
        "028801:62:e2",
    ]);
    let told = told(controller).await;
    let answer = |place: usize| &told[place]["properties"];
    assert_eq!(*answer(0), json!({"d6": "03027901027d01028801", "d3": "000003", "82": "010e0100"}));
    // The library takes maps of 16 properties and more apart: the count and the codes.
    let map = answer(1)["9f"].as_str().expect("a map");
    assert_eq!(&map[..2], "1a");
    let listed = |code: &str| (2..map.len()).step_by(2).any(|at| &map[at..at + 2] == code);
    assert!(
        ["80", "9f", "d3", "d7", "e0", "e1", "e2", "e3", "e4", "e5", "e7", "ea", "eb"]
            .into_iter()
            .all(listed)
    );
    assert!(!listed("ec") && !listed("ed"));
    let steps = |register: MeterRegister| format!("{:08x}", register.wh() / 100);
    let watts = format!("{:08x}", state.grid.power.watts() as i32);
    let expected = json!({
        "e0": steps(state.grid.registers.import), "e3": steps(state.grid.registers.export), "e7": watts,
        "e1": "01", "d7": "06", "d3": "00000001",
    });
    assert_eq!((told[2]["service"].as_str(), answer(2)), (Some("72"), &expected));
    let made = format!("{:08x}", state.generation.registers.export.wh());
    let now = format!("{:04x}", -state.generation.power.watts());
    assert_eq!(told[3]["service"], "52", "what it does not have is refused beside what it has");
    assert_eq!(*answer(3), json!({"e0": now, "e1": made, "ee": ""}));
    assert_eq!((told[4]["service"].as_str(), answer(4)), (Some("71"), &json!({"a1": ""})));
    assert_eq!((told[5]["service"].as_str(), answer(5)), (Some("51"), &json!({"e0": "0000", "a1": "ffff"})));
    assert_eq!(answer(6)["9e"], "05aaabdaebec");
    assert_eq!(told[7]["service"], "71");
    let kept = |slot: u64| {
        bench.plant.with(|world| {
            let first = SlotLength::from_seconds(1800).slot_at(minute(0));
            steps(world.home_latched(HOME, first.plus(slot)).expect("kept").grid.import)
        })
    };
    // The day began 180 minutes after the world: its first half-hour is the world's sixth end.
    let day = answer(8)["e2"].as_str().expect("a day");
    assert_eq!(day.len(), 2 * 194);
    assert_eq!((&day[..4], &day[4..12], &day[12..20]), ("0000", kept(5).as_str(), kept(6).as_str()));
    assert_eq!((&day[4 + 8 * 8..12 + 8 * 8], &day[12 + 8 * 8..20 + 8 * 8]), (kept(13).as_str(), "fffffffe"));
    bench.hand.set(minute(500));
    let power = bench.plant.with(|world| world.home(HOME)).expect("the home").generation.power;
    assert!(power.watts() >= -1_500, "it was told to give no more than 1,500 W: {power:?}");
}

#[tokio::test]
async fn pychonet_reads_and_sets_the_simulated_nodes() {
    let Some(mut controller) = python("controller.py") else { return };
    let (bench, node) = simulated().await;
    let home = bench.plant.with(|world| world.home(HOME)).expect("the home");
    let battery = || bench.plant.with(|world| world.battery(BatteryId::from_number(1))).expect("the battery");
    let before = battery();
    controller.args([own_address().to_string(), node.address().ip().to_string()]);
    let told = told(controller).await;
    assert_eq!(told["found"], true);
    let solar = &told["solar"];
    assert_eq!(solar["E0"], -home.generation.power.watts());
    assert_eq!(solar["E1"], home.generation.registers.export.wh());
    assert_eq!((&solar["E8"], &solar["D1"]), (&json!(4_100), &json!("Not restraining")));
    let seen = &told["battery"];
    assert_eq!((&seen["E2"], &seen["D0"]), (&json!(before.stored.wh()), &json!(10_000)));
    assert_eq!(seen["A8"], before.registers.import.wh() % 1_000_000_000);
    assert_eq!((&seen["A9"], &seen["DA"]), (&json!(before.registers.export.wh()), &json!("auto")));
    // The library calls the first of both numbers the most; the Appendix has the least first.
    assert_eq!((&seen["C8"], &seen["C9"]), (&json!("0/4000"), &json!("0/3000")));
    assert_eq!(seen["E6"], "lithiumIon");
    let meter = &told["meter"];
    assert_eq!(meter["E0"], home.grid.registers.import.wh() / 100);
    assert_eq!(meter["E3"], home.grid.registers.export.wh() / 100);
    assert_eq!((&meter["E1"], &meter["E7"]), (&json!(0.1), &json!(home.grid.power.watts())));
    assert_eq!(meter["E8"], json!({"r_phase_amperes": null, "t_phase_amperes": null}));
    let set = json!({
        "solar A1": true, "solar E1": false, "battery EB": true, "battery EC": true, "battery DA": true,
        "battery DA 99": false, "meter E5": true, "meter E5 100": false,
    });
    assert_eq!(told["set"], set);
    assert_eq!(told["after"], json!({"A1": 1500, "EB": 1250}));
    let after = battery();
    assert_eq!((after.charge_limit, after.discharge_limit), (watts(1_250), watts(750)));
    // Yesterday: the world began at 21:00, and no meter counted before 21:30.
    let day = told["day"][0].as_str().expect("a day");
    let at = |half_hour: usize| &day[4 + 8 * half_hour..12 + 8 * half_hour];
    assert_eq!((&day[..4], at(0), at(42)), ("0001", "fffffffe", "fffffffe"));
    let first = bench.plant.with(|world| {
        world.home_latched(HOME, SlotLength::from_seconds(1800).slot_at(minute(0))).expect("kept").grid
    });
    assert_eq!(at(43), format!("{:08x}", first.import.wh() / 100));
    // 04:00 of 2024-10-06.
    let latest = told["day"][2].as_str().expect("a half-hour");
    assert_eq!(&latest[..14], hex(&[0x07, 0xE8, 10, 6, 4, 0, 0]));
}

/// A node made with npm echonet-lite.
struct Device {
    address: std::net::Ipv4Addr,
    /// It ends when this is closed.
    _stdin: ChildStdin,
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Device {
    async fn start() -> Option<Self> {
        let mut command = node("device.js")?;
        let address = own_address();
        command.arg(address.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let stdin = child.stdin.take().expect("piped");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut device = Self { address, _stdin: stdin, _child: child, lines };
        assert_eq!(device.line().await, "ready");
        Some(device)
    }

    /// The next line that it prints.
    async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        line.expect("in time").expect("text").expect("it runs")
    }

    fn object(&self, object: &str) -> DeviceAddress {
        address(&format!("echonet://{}/{object}?bind={}", self.address, own_address()))
    }
}

/// 2026-11-20T14:07:00+09:00, which is the device's own time.
fn context() -> Context {
    let (clock, _) = Clock::manual(Timestamp::from_millis(1_795_151_220_000));
    Context::new(clock, SlotLength::from_seconds(1800))
}

fn registers(import: u64, export: u64) -> Registers {
    Registers { import: MeterRegister::from_wh(import), export: MeterRegister::from_wh(export) }
}

#[tokio::test]
async fn p3_the_driver_reads_a_smart_meter_of_npm_echonet_lite() {
    let Some(mut device) = Device::start().await else { return };
    let context = context();
    let meter = counter(&device.object("028801"), &context);
    let reading = meter.read().await.expect("a reading").required().expect("measured");
    assert_eq!(reading.registers, registers(12_345_600, 65_400));
    assert_eq!(reading.power.watts(), -777);
    let traits = meter.traits().await.expect("traits");
    assert_eq!((traits.resolution, traits.wraps_at), (Some(wh(100)), Some(wh(100_000_000))));
    let slot = |half_hours_ago: u64| {
        let latest = context.slot_length.slot_at(Timestamp::from_millis(1_795_150_800_000)).previous();
        wattbook_types::Slot::from_number(latest.number() - half_hours_ago)
    };
    // 14:00 is the latest; 13:30, today's first, yesterday's last and one nine days ago are of the history.
    for (ago, expected, asked) in [
        (0, registers(12_345_000, 65_300), None),
        (1, registers(10_002_700, 52_700), Some("00")),
        (28, registers(10_000_000, 50_000), Some("00")),
        (29, registers((100_000 - 48 + 47) * 100, (500 - 2 + 47) * 100), Some("01")),
        (28 + 9 * 48, registers((100_000 - 48 * 9) * 100, (500 - 2 * 9) * 100), Some("09")),
    ] {
        let kept = meter.kept(slot(ago)).await.expect("an answer").expect("it keeps them");
        assert_eq!(kept.value(), Some(&expected), "{ago} half-hours ago");
        if let Some(day) = asked {
            assert_eq!(device.line().await, format!("028801 e5 {day}"));
        }
    }
    let not_yet = meter.kept(slot(0).next()).await.expect("an answer").expect("it keeps them");
    assert_eq!(not_yet.value(), None);
}

#[tokio::test]
async fn p2_p5_the_driver_reads_and_commands_solar_and_a_battery_of_npm_echonet_lite() {
    let Some(mut device) = Device::start().await else { return };
    let context = context();
    let (solar, battery) = (device.object("027901"), device.object("027D01"));
    let reading = counter(&solar, &context).read().await.expect("a reading").required().expect("measured");
    assert_eq!((reading.registers, reading.power.watts()), (registers(0, 12_345_678), -3_210));
    let generator = driver().generator.expect("there")(&solar, &context).expect("opens");
    assert_eq!(generator.nameplate().await.map(|plate| plate.power), Ok(watts(5_500)));
    let curtail = driver().curtail.expect("there")(&solar, &context).expect("opens");
    curtail.curtail(Some(watts(1_000))).await.expect("curtailed");
    assert_eq!(device.line().await, "027901 a1 03e8");

    let source = driver().battery.expect("there")(&battery, &context).expect("opens");
    let state = source.state().await.expect("a state").required().expect("measured");
    assert_eq!((state.stored, state.capacity), (wh(6_789), wh(10_000)));
    assert_eq!((state.charge_limit, state.discharge_limit), (watts(3_000), watts(2_500)));
    assert_eq!(state.registers, registers(4_321_000, 3_210_999));
    let plate = source.nameplate().await.expect("a nameplate");
    // The root of 9,540 of 10,600.
    assert_eq!((plate.charge_efficiency.get(), plate.discharge_efficiency.get()), (948, 948));
    assert_eq!(
        counter(&battery, &context).read().await.map(|it| it.value().map(|it| it.power.watts())),
        Ok(Some(-1_500))
    );
    let control = driver().battery_control.expect("there")(&battery, &context).expect("opens");
    control.limit(BatteryLimits { charge: watts(1_000), discharge: watts(2_000) }).await.expect("limited");
    for line in ["027d01 eb 000003e8", "027d01 ec 000007d0", "027d01 da 46"] {
        assert_eq!(device.line().await, line);
    }
    control.limit(BatteryLimits { charge: Power::ZERO, discharge: Power::ZERO }).await.expect("limited");
    assert_eq!(device.line().await, "027d01 da 44");
    let state = source.state().await.expect("a state").required().expect("measured");
    assert_eq!((state.charge_limit, state.discharge_limit), (Power::ZERO, Power::ZERO));
}

#[tokio::test]
async fn a_node_of_npm_echonet_lite_is_probed() {
    let Some(device) = Device::start().await else { return };
    let finding = probe(&device.object(""), &context()).await.expect("a finding");
    assert_eq!(finding.manufacturer.as_deref(), Some("maker 000077"));
    assert_eq!(finding.version.as_deref(), Some("ECHONET Lite 1.13"));
    assert_eq!(finding.lacks, Vec::<String>::new());
    for capability in [Capability::Meter, Capability::Generator, Capability::Curtailment, Capability::Battery]
    {
        assert!(finding.offers.contains(&capability), "{finding:?}");
    }
    assert!(finding.remarks.contains(&"028801 is of release P of the Appendix".to_owned()), "{finding:?}");
}
