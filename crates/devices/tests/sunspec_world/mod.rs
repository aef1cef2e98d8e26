//! A small site for the tests of SunSpec devices: one home with a sunny noon, one battery, a clock by hand.

#![allow(dead_code)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wattbook_devices::clock::Hand;
use wattbook_devices::driver::{BatterySource, Counter, FeederLimiter, Finding};
use wattbook_devices::plant::{BatterySpec, HomeSpec, Plant, PlantListen, WorldSpec};
use wattbook_devices::profile::{HomeProfile, ProfileStep, Profiles};
use wattbook_devices::registry::driver;
use wattbook_devices::{
    BatteryControl, Clock, Context, Curtail, DeviceAddress, DeviceError, Generator, HomeDevices, Quality,
    StorageDevices,
};
use wattbook_types::transaction::Generation;
use wattbook_types::{
    BatteryId, ConnectionPoint, Energy, MeterRegister, PerMille, Power, Slot, SlotLength, Timestamp,
};

pub const POINT: ConnectionPoint = ConnectionPoint::from_number(7);
pub const BATTERY: BatteryId = BatteryId::from_number(1);
pub const SLOT: SlotLength = SlotLength::from_seconds(1_800);

/// 2025-05-05T00:00:00Z.
const START: u64 = 1_746_403_200;

pub struct Site {
    pub plant: Plant,
    pub context: Context,
    spec: WorldSpec,
    clock: Clock,
    hand: Hand,
    now: AtomicU64,
}

/// Ten weeks of one home: 6 kW from 10 to 18 o'clock, and 500 W of use.
pub fn profiles() -> Profiles {
    let step = |hour: u64| ProfileStep {
        generation: Energy::from_wh(if (10..18).contains(&(hour % 24)) { 6_000 } else { 0 }),
        consumption: Energy::from_wh(500),
        quality: Quality::Measured,
    };
    let home = HomeProfile { name: "one".to_owned(), steps: (0..24 * 70).map(step).collect() };
    Profiles::new(Timestamp::from_millis(START * 1000), 3_600, vec![home]).expect("an hour is a step")
}

pub fn spec() -> WorldSpec {
    WorldSpec {
        start: Timestamp::from_millis(START * 1000),
        slot_length: SLOT,
        step_seconds: 60,
        remembered_slots: 2_048,
        profiles: Arc::new(profiles()),
        batteries: vec![BatterySpec {
            id: BATTERY,
            capacity: Energy::from_wh(13_500),
            stored: Energy::from_wh(5_000),
            charge_limit: Power::from_watts(5_000),
            discharge_limit: Power::from_watts(4_500),
            charge_efficiency: PerMille::new(950),
            discharge_efficiency: PerMille::new(960),
            standing_loss_ppm_per_hour: 0,
            import: MeterRegister::from_wh(100_000),
            export: MeterRegister::from_wh(200_000),
        }],
        homes: vec![HomeSpec {
            connection_point: POINT,
            battery: BATTERY,
            profile: 0,
            line_loss: PerMille::new(0),
            kind: Generation::Solar,
            received: MeterRegister::ZERO,
            delivered: MeterRegister::ZERO,
        }],
    }
}

impl Site {
    pub async fn start() -> Self {
        Self::start_with(spec(), PlantListen::loopback()).await
    }

    pub async fn start_with(spec: WorldSpec, listen: PlantListen) -> Self {
        let (clock, hand) = Clock::manual(spec.start);
        let plant = Plant::start(spec.clone(), clock.clone(), listen).await.expect("a plant");
        let context = Context::new(clock.clone(), SLOT);
        let now = AtomicU64::new(spec.start.millis());
        Self { plant, context, spec, clock, hand, now }
    }

    /// The same devices anew, at their places of before.
    pub async fn restart(&mut self) {
        let mut listen = PlantListen::loopback();
        listen.homes.insert(POINT, place(&self.home().grid_meter));
        listen.storages.insert(BATTERY, place(&self.storage().battery));
        self.plant = Plant::start(self.spec.clone(), self.clock.clone(), listen).await.expect("a plant");
    }

    pub fn seconds(&self, seconds: u64) {
        let now = self.now.fetch_add(seconds * 1000, Ordering::Relaxed) + seconds * 1000;
        self.hand.set(Timestamp::from_millis(now));
    }

    pub fn hours(&self, hours: u64) {
        self.seconds(hours * 3_600);
    }

    /// The present slot.
    pub fn slot(&self) -> Slot {
        SLOT.slot_at(self.clock.now())
    }

    pub fn home(&self) -> HomeDevices {
        self.plant.home(POINT).expect("it is there").clone()
    }

    pub fn storage(&self) -> StorageDevices {
        self.plant.storage(BATTERY).expect("it is there").clone()
    }

    pub fn counter(&self, address: &DeviceAddress) -> Arc<dyn Counter> {
        driver(address).unwrap().counter.unwrap()(address, &self.context).expect("it opens")
    }

    pub fn generator(&self, address: &DeviceAddress) -> Arc<dyn Generator> {
        driver(address).unwrap().generator.unwrap()(address, &self.context).expect("it opens")
    }

    pub fn curtail(&self, address: &DeviceAddress) -> Arc<dyn Curtail> {
        driver(address).unwrap().curtail.unwrap()(address, &self.context).expect("it opens")
    }

    pub fn feeder(&self, address: &DeviceAddress) -> Arc<dyn FeederLimiter> {
        driver(address).unwrap().feeder.unwrap()(address, &self.context).expect("it opens")
    }

    pub fn battery(&self, address: &DeviceAddress) -> Arc<dyn BatterySource> {
        driver(address).unwrap().battery.unwrap()(address, &self.context).expect("it opens")
    }

    pub fn battery_control(&self, address: &DeviceAddress) -> Arc<dyn BatteryControl> {
        driver(address).unwrap().battery_control.unwrap()(address, &self.context).expect("it opens")
    }

    pub async fn probe(&self, address: &DeviceAddress) -> Result<Finding, DeviceError> {
        (driver(address).unwrap().probe)(address, &self.context).await
    }
}

/// An address as a socket's.
pub fn place(address: &DeviceAddress) -> SocketAddr {
    address.socket(502).parse().expect("it is a number")
}
