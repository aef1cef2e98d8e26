//! Plans become deliveries in the simulated world, whatever is missed, late, refused or dead in between.
//! Here the scene and a bench.

mod always;
mod feeder;
mod whole;

use super::feeder::Pace;
use super::*;
use crate::capability::{Battery, BatteryNameplate, BatteryState, MeterReading, Registers};
use crate::clock::{Clock, Hand};
use crate::driver::{BatterySource, Counter, CounterTraits, FeederLimits};
use crate::plant::tests::{profiles, spec};
use crate::plant::{Unready, World};
use crate::reading::SignedPower;
use crate::watch::{OfBattery, OfCounter};
use std::time::Duration;
use wattbook_types::{BatteryId, MeterRegister, SlotLength, Timestamp};

const BATTERY: BatteryId = BatteryId::from_number(1);
const LENGTH: SlotLength = SlotLength::from_seconds(1_800);

fn point(number: u32) -> ConnectionPoint {
    ConnectionPoint::from_number(number)
}

fn wh(number: u64) -> Energy {
    Energy::from_wh(number)
}

fn watts(number: u64) -> Power {
    Power::from_watts(number)
}

/// The world, its clock, and what is wrong with the way to it.
struct Scene {
    world: Mutex<World>,
    clock: Clock,
    hand: Hand,
    trouble: Mutex<Trouble>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Trouble {
    /// Commands take effect so many milliseconds later.
    late_ms: u64,
    /// Commands are refused, obeyed or not.
    refuses: bool,
    obeys: bool,
    silent: bool,
    commands: u32,
    /// The step in which meters count, where it is more than 1 Wh.
    step: u64,
}

impl Scene {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn present<T>(&self, f: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap();
        world.advance_to(self.now());
        f(&mut world)
    }

    fn pass(&self, millis: u64) {
        self.hand.set(self.now().plus_millis(millis));
    }
}

/// One feeder of the scene, or its battery.
#[derive(Clone)]
struct Part(Arc<Scene>, ConnectionPoint);

fn unready(why: Unready) -> DeviceError {
    DeviceError::Refused(why.to_string())
}

impl FeederLimiter for Part {
    fn limit(&self, limits: FeederLimits, lease: Option<u32>) -> Answer<'_, ()> {
        let trouble = {
            let mut trouble = self.0.trouble.lock().unwrap();
            trouble.commands += 1;
            *trouble
        };
        self.0.pass(trouble.late_ms);
        let set = || self.0.present(|world| world.set_port(self.1, limits, lease)).map_err(unready);
        let refused = || Err(DeviceError::Refused("not today".into()));
        let result = match trouble.refuses {
            false => set(),
            true if trouble.obeys => set().and_then(|()| refused()),
            true => refused(),
        };
        Box::pin(std::future::ready(result))
    }

    fn limits(&self) -> Answer<'_, FeederLimits> {
        let limits = self.0.present(|world| world.port(self.1)).map_err(unready);
        Box::pin(std::future::ready(limits))
    }
}

impl Part {
    fn step(&self) -> u64 {
        self.0.trouble.lock().unwrap().step.max(1)
    }

    fn registers(&self, rows: &[FeederReading]) -> Registers {
        let row = rows.iter().find(|row| row.connection_point == self.1).unwrap();
        let step = self.step();
        let shown = |register: MeterRegister| MeterRegister::from_wh(register.wh() / step * step);
        Registers { import: shown(row.received), export: shown(row.delivered) }
    }
}

impl Counter for Part {
    fn read(&self) -> Answer<'_, Reading<MeterReading>> {
        if self.0.trouble.lock().unwrap().silent {
            let error = DeviceError::Unreachable { address: "here".into(), reason: "unplugged".into() };
            return Box::pin(std::future::ready(Err(error)));
        }
        let rows = self.0.present(|world| world.feeders(BATTERY)).unwrap();
        let reading = MeterReading { registers: self.registers(&rows), power: SignedPower::default() };
        Box::pin(std::future::ready(Ok(Reading::measured(self.0.now(), reading))))
    }

    fn kept(&self, slot: Slot) -> Answer<'_, Option<Reading<Registers>>> {
        let rows = self.0.present(|world| world.feeders_latched(BATTERY, slot));
        let end = slot.end(LENGTH);
        let reading =
            rows.map_or(Reading::missing(end), |rows| Reading::measured(end, self.registers(&rows)));
        Box::pin(std::future::ready(Ok(Some(reading))))
    }

    fn traits(&self) -> Answer<'_, CounterTraits> {
        let resolution = Some(wh(self.step()));
        Box::pin(async move { Ok(CounterTraits { resolution, ..CounterTraits::default() }) })
    }
}

impl BatterySource for Part {
    fn nameplate(&self) -> Answer<'_, BatteryNameplate> {
        let nameplate = self.0.present(|world| world.battery_nameplate(BATTERY)).map_err(unready);
        Box::pin(std::future::ready(nameplate))
    }

    fn state(&self) -> Answer<'_, Reading<BatteryState>> {
        let state = self.0.present(|world| world.battery(BATTERY)).map_err(unready);
        Box::pin(std::future::ready(state.map(|state| Reading::measured(self.0.now(), state))))
    }
}

/// A full battery (3 kW out) and homes that need what `needs` says (Wh per slot, one number a slot).
fn scene(needs: &[Vec<u64>]) -> Arc<Scene> {
    let homes: Vec<Vec<(u64, u64)>> =
        needs.iter().map(|slots| slots.iter().map(|need| (0, *need)).collect()).collect();
    let homes: Vec<&[(u64, u64)]> = homes.iter().map(Vec::as_slice).collect();
    let mut spec = spec(profiles(&homes));
    spec.batteries[0].stored = wh(10_000);
    spec.homes.iter_mut().for_each(|home| home.line_loss = wattbook_types::PerMille::ZERO);
    let (clock, hand) = Clock::manual(spec.start);
    let mut world = World::new(spec).unwrap();
    for number in 1..=needs.len() as u32 {
        world.set_switch(point(number), Some(Power::MAX), Some(Power::MAX)).unwrap();
    }
    Arc::new(Scene { world: Mutex::new(world), clock, hand, trouble: Mutex::default() })
}

struct Bench {
    scene: Arc<Scene>,
    common: Arc<Common>,
    minds: Vec<Mind>,
    first: Slot,
}

impl Bench {
    fn new(needs: &[Vec<u64>], pace: Pace) -> Self {
        let scene = scene(needs);
        let context = Context::new(scene.clock.clone(), LENGTH);
        let notices = Notices::default();
        let battery = battery(&scene, &context, &notices);
        let first = LENGTH.slot_at(scene.now());
        let common = Arc::new(Common {
            clock: scene.clock.clone(),
            length: LENGTH,
            pace,
            plans: Plans::new("plans".into(), &context),
            battery,
            notices,
            ranges: Mutex::default(),
        });
        let mut bench = Self { scene, common, minds: Vec::new(), first };
        bench.start(needs.len() as u32);
        bench
    }

    /// The panel's tasks as they are when the process has just begun.
    fn start(&mut self, feeders: u32) {
        let context = Context::new(self.scene.clock.clone(), LENGTH);
        let mind = |number| {
            let part = Arc::new(Part(Arc::clone(&self.scene), point(number)));
            let source = OfCounter(Arc::clone(&part) as _);
            let address = format!("test://{number}");
            let notices = &self.common.notices;
            let mut meter = Watch::new("feeder meter", address.clone(), source, &context, notices);
            // Tests have no time to wait for what was silent.
            Arc::get_mut(&mut meter).unwrap().again = Duration::ZERO;
            let feeder = Arc::new(Feeder { at: point(number), address, limiter: part, meter });
            Mind::new(Arc::clone(&self.common), feeder)
        };
        self.minds = (1..=feeders).map(mind).collect();
    }

    fn plan(&self, ahead: u64, number: u32, energy: u64) {
        self.common.plans.deliver(self.first.plus(ahead), point(number), wh(energy));
    }

    async fn cycle(&mut self) {
        for mind in &mut self.minds {
            // What is refused is tried again in the next cycle.
            let _ = mind.apply().await;
        }
    }

    /// What a slot delivered by the meters that bills are made of.
    fn delivered(&self, ahead: u64, number: u32) -> u64 {
        let latched = |slot| {
            let rows = self.scene.present(|world| world.feeders_latched(BATTERY, slot));
            rows.map_or(MeterRegister::ZERO, |rows| rows[number as usize - 1].delivered)
        };
        let slot = self.first.plus(ahead);
        latched(slot).since(latched(slot.previous())).unwrap().wh()
    }

    fn start_of(&self, ahead: u64) -> Timestamp {
        self.first.plus(ahead).start(LENGTH)
    }
}

fn battery(scene: &Arc<Scene>, context: &Context, notices: &Notices) -> Arc<WatchedBattery> {
    let source: Arc<dyn BatterySource> = Arc::new(Part(Arc::clone(scene), point(0)));
    let of = OfBattery { battery: Arc::clone(&source), counts: true };
    let watch = Watch::new("battery", "test://battery".into(), of, context, notices);
    Arc::new(WatchedBattery::new(source, watch, None))
}

/// A cycle a minute, leases of three minutes.
const MINUTES: Pace = Pace { cycle: Some(Duration::from_secs(60)), lease: Some(180), late_ms: 0 };
