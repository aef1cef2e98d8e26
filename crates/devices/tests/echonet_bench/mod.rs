//! What the tests of ECHONET Lite share: a world with one home and one battery, nodes, addresses.
//!
//! Always: every node and every controller has an address of its own (127.x.y.z), because all have port
//! 3610; ledger time stands still until a test moves it.

#![allow(dead_code, reason = "each test binary uses its part")]

pub mod script;
pub mod tables;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use wattbook_devices::clock::Hand;
use wattbook_devices::driver::{Context, Counter, Driver, FeederLimits, Finding};
use wattbook_devices::echonet::PORT;
use wattbook_devices::plant::{
    BatterySpec, EchonetFace, EchonetNode, HomeSpec, MeterFace, Plant, PlantDevice, PlantListen, WorldSpec,
};
use wattbook_devices::profile::{HomeProfile, ProfileStep, Profiles};
use wattbook_devices::{Clock, DeviceAddress, DeviceError, Quality, registry};
use wattbook_types::transaction::Generation;
use wattbook_types::{
    BatteryId, ConnectionPoint, Energy, MeterRegister, PerMille, Power, SlotLength, Timestamp,
};

pub const LENGTH: SlotLength = SlotLength::from_seconds(1800);
pub const HOME: ConnectionPoint = ConnectionPoint::from_number(1);
pub const BATTERY: BatteryId = BatteryId::from_number(1);

/// 2024-10-05T12:00:00Z, which is 21:00 in Japan.
pub const START: u64 = 1_728_129_600;

/// A time so many minutes after the start.
pub fn minute(minutes: u64) -> Timestamp {
    Timestamp::from_millis((START + minutes * 60) * 1000)
}

/// An address that no other test of this process has, nor a running one of another.
pub fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    loop {
        let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let [.., process] = (std::process::id() % 250).to_be_bytes();
        let address = Ipv4Addr::new(127, 3 + process, high, low);
        if UdpSocket::bind((address, PORT)).is_ok() {
            return address;
        }
    }
}

/// Where a node of its own listens.
pub fn own_node() -> SocketAddr {
    SocketAddr::new(own_address().into(), PORT)
}

/// A home that makes 4.1 kW and uses 1 kW, then makes 0.1 kW and uses 1.5 kW, three hours each.
fn steps(count: usize) -> Vec<ProfileStep> {
    let step = |place: usize| {
        let (made, used) = if (place / 6).is_multiple_of(2) { (2_050, 500) } else { (50, 750) };
        let (generation, consumption) = (Energy::from_wh(made), Energy::from_wh(used));
        ProfileStep { generation, consumption, quality: Quality::Measured }
    };
    (0..count).map(step).collect()
}

/// A battery of 10 kWh with 95 % each way, and a home that may send it 2 kW and draw 1 kW.
pub struct Bench {
    pub plant: Plant,
    pub context: Context,
    pub hand: Hand,
}

pub async fn bench() -> Bench {
    bench_of(96).await
}

/// With so many half-hours in the profile.
pub async fn bench_of(half_hours: usize) -> Bench {
    let home = HomeProfile { name: "1".to_owned(), steps: steps(half_hours) };
    let profiles = Arc::new(Profiles::new(minute(0), 1800, vec![home]).expect("profiles"));
    let spec = WorldSpec {
        start: minute(0),
        slot_length: LENGTH,
        step_seconds: 60,
        remembered_slots: 2_048,
        profiles,
        batteries: vec![BatterySpec {
            id: BATTERY,
            capacity: Energy::from_wh(10_000),
            stored: Energy::from_wh(2_000),
            charge_limit: Power::from_watts(4_000),
            discharge_limit: Power::from_watts(3_000),
            charge_efficiency: PerMille::new(950),
            discharge_efficiency: PerMille::new(950),
            standing_loss_ppm_per_hour: 0,
            import: MeterRegister::from_wh(999_999_000),
            export: MeterRegister::from_wh(7),
        }],
        homes: vec![HomeSpec {
            connection_point: HOME,
            battery: BATTERY,
            profile: 0,
            line_loss: PerMille::new(20),
            kind: Generation::Solar,
            received: MeterRegister::ZERO,
            delivered: MeterRegister::ZERO,
        }],
    };
    let (clock, hand) = Clock::manual(minute(0));
    let plant = Plant::start(spec, clock.clone(), PlantListen::loopback()).await.expect("a plant");
    let (send, draw) = (Power::from_watts(2_000), Power::from_watts(1_000));
    plant.with(|world| {
        world.set_switch(HOME, Some(send), Some(draw)).expect("the home");
        let limits = FeederLimits { to_battery: send, to_home: draw };
        world.set_port(HOME, limits, None).expect("its feeder");
    });
    Bench { plant, context: Context::new(clock, LENGTH), hand }
}

impl Bench {
    /// A node with the home's generator, the battery, and the utility's meter.
    pub async fn node(&self, face: MeterFace) -> EchonetNode {
        let devices = [
            (PlantDevice::Generator(HOME), EchonetFace::Solar),
            (PlantDevice::Battery(BATTERY), EchonetFace::Battery),
            (PlantDevice::GridMeter(HOME), EchonetFace::SmartMeter(face)),
        ];
        self.plant.serve_echonet(own_node(), &devices).await.expect("a node")
    }
}

/// The address of an object, asked from an address of one's own.
pub fn object(node: SocketAddr, rest: &str) -> DeviceAddress {
    let sign = if rest.contains('?') { '&' } else { '?' };
    address(&format!("echonet://{node}/{rest}{sign}bind={}", own_address()))
}

pub fn address(text: &str) -> DeviceAddress {
    text.parse().expect("an address")
}

pub fn driver() -> &'static Driver {
    registry::driver(&address("echonet://127.0.0.1")).expect("the driver")
}

pub fn counter(address: &DeviceAddress, context: &Context) -> Arc<dyn Counter> {
    driver().counter.expect("it counts")(address, context).expect("a counter")
}

pub async fn probe(address: &DeviceAddress, context: &Context) -> Result<Finding, DeviceError> {
    (driver().probe)(address, context).await
}

pub fn watts(watts: u64) -> Power {
    Power::from_watts(watts)
}

pub fn wh(wh: u64) -> Energy {
    Energy::from_wh(wh)
}
