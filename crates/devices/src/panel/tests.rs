//! Plans become deliveries in the simulated world, whatever is missed, late, refused or dead in between.

use super::feeder::Pace;
use super::*;
use crate::capability::{Battery, BatteryNameplate, BatteryState, MeterReading, Registers};
use crate::clock::{Clock, Hand};
use crate::driver::{BatterySource, Counter, CounterTraits, FeederLimits};
use crate::plant::tests::{profiles, spec};
use crate::plant::{Unready, World};
use crate::reading::SignedPower;
use crate::watch::{OfBattery, OfCounter};
use proptest::prelude::*;
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
    fn registers(&self, rows: &[FeederReading]) -> Registers {
        let row = rows.iter().find(|row| row.connection_point == self.1).unwrap();
        Registers { import: row.received, export: row.delivered }
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
        Box::pin(async { Ok(CounterTraits { resolution: Some(wh(1)), ..CounterTraits::default() }) })
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

#[tokio::test]
async fn b9_a_plan_is_delivered_to_the_watt_hour_and_follows_what_is_drawn() {
    // 1.2 kWh are needed evenly; 700 Wh planned; the next slot has no plan.
    let mut bench = Bench::new(&[vec![1_200, 1_200]], MINUTES);
    bench.plan(0, 1, 700);
    for minute in 0..60 {
        bench.cycle().await;
        if minute == 15 {
            let rows = bench.scene.present(|world| world.feeders(BATTERY)).unwrap();
            assert_eq!(rows[0].delivered, MeterRegister::from_wh(600), "at the pace of what is drawn");
        }
        bench.scene.pass(60_000);
    }
    assert_eq!((bench.delivered(0, 1), bench.delivered(1, 1)), (700, 0));
}

#[tokio::test]
async fn b9_no_plan_falls_short_where_together_they_need_the_whole_discharge_limit() {
    // 3 kW for half an hour are 1.5 kWh. Home 1 needs its whole slot for its share, home 2 could draw 8 kW
    // at once; if both drew what they could, home 1 would come too short.
    let mut bench = Bench::new(&[vec![1_000], vec![4_000]], MINUTES);
    bench.plan(0, 1, 1_000);
    bench.plan(0, 2, 500);
    bench.common.battery.state().await.unwrap();
    for _ in 0..30 {
        bench.cycle().await;
        bench.scene.pass(60_000);
    }
    let (first, second) = (bench.delivered(0, 1), bench.delivered(0, 2));
    assert!(first >= 999 && second >= 499, "{first} and {second}");
}

#[tokio::test]
async fn b9_only_changes_and_renewals_are_commanded() {
    let mut bench = Bench::new(&[vec![0, 0]], MINUTES);
    let commands = |bench: &Bench| bench.scene.trouble.lock().unwrap().commands;
    bench.cycle().await;
    assert_eq!(commands(&bench), 1, "closed, whatever it was before");
    for _ in 0..10 {
        bench.scene.pass(60_000);
        bench.cycle().await;
    }
    assert_eq!(commands(&bench), 1);
    // Accepted for this slot and the next one: told once, and now and then again.
    for ahead in 0..2 {
        bench.common.plans.accept(bench.first.plus(ahead), point(1), watts(2_000));
    }
    for _ in 0..7 {
        bench.cycle().await;
        bench.scene.pass(60_000);
    }
    assert_eq!(commands(&bench), 2);
    assert_eq!(bench.scene.present(|world| world.port(point(1))).unwrap().to_battery, watts(2_000));
    // Nobody comes any more; it ends with the second slot.
    bench.scene.hand.set(bench.start_of(2).minus_millis(2_000));
    assert_eq!(bench.scene.present(|world| world.port(point(1))).unwrap().to_battery, watts(2_000));
    bench.scene.hand.set(bench.start_of(2));
    assert_eq!(bench.scene.present(|world| world.port(point(1))).unwrap(), FeederLimits::default());
}

#[tokio::test]
async fn b9_after_a_restart_what_was_delivered_counts_and_a_silent_meter_delivers_nothing() {
    let mut bench = Bench::new(&[vec![1_200, 1_200, 1_200]], MINUTES);
    bench.scene.hand.set(bench.start_of(1));
    bench.plan(1, 1, 700);
    for minute in 0..30 {
        if minute == 8 {
            bench.start(1);
        }
        bench.cycle().await;
        bench.scene.pass(60_000);
    }
    assert_eq!(bench.delivered(1, 1), 700);
    bench.plan(2, 1, 700);
    bench.scene.trouble.lock().unwrap().silent = true;
    for _ in 0..10 {
        bench.cycle().await;
        bench.scene.pass(60_000);
    }
    assert_eq!(bench.scene.present(|world| world.port(point(1))).unwrap(), FeederLimits::default());
    bench.scene.trouble.lock().unwrap().silent = false;
    for _ in 10..30 {
        bench.cycle().await;
        bench.scene.pass(60_000);
    }
    assert_eq!(bench.delivered(2, 1), 700, "made up for when it answers again");
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// A cycle comes after so many milliseconds.
    Cycle(u64),
    /// Nobody comes for that long.
    Away(u64),
    /// The process begins anew.
    Restart,
    /// Commands are refused from now on, or not; obeyed all the same, or not.
    Refuses(bool, bool),
    /// What is planned for the present slot changes: home, more Wh.
    More(u32, u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (1_000..120_000u64).prop_map(Event::Cycle),
        1 => (60_000..2_000_000u64).prop_map(Event::Away),
        1 => Just(Event::Restart),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(refuses, obeys)| Event::Refuses(refuses, obeys)),
        1 => (1..3u32, 0..400u64).prop_map(|(home, more)| Event::More(home, more)),
    ]
}

fn in_a_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// B9: whatever is drawn, missed, refused or late, and whoever dies when, no slot delivers more than was
    /// planned for it.
    #[test]
    fn b9_no_slot_delivers_more_than_was_planned_for_it(
        needs in prop::collection::vec(prop::collection::vec(0..2_500u64, 6), 2),
        plans in prop::collection::vec(0..1_200u64, 12),
        late_ms in prop_oneof![Just(0), 1..8_000u64],
        lease in 2..400u64,
        events in prop::collection::vec(event(), 1..150),
    ) {
        in_a_runtime(async {
            let pace = Pace { lease: Some(lease), late_ms, ..MINUTES };
            let mut bench = Bench::new(&needs, pace);
            bench.scene.trouble.lock().unwrap().late_ms = late_ms;
            let mut planned: Vec<u64> = plans.clone();
            for (place, energy) in plans.iter().enumerate() {
                bench.plan(place as u64 / 2, place as u32 % 2 + 1, *energy);
            }
            bench.common.battery.state().await.unwrap();
            for event in events {
                match event {
                    Event::Cycle(pause) => {
                        bench.cycle().await;
                        bench.scene.pass(pause);
                    }
                    Event::Away(pause) => bench.scene.pass(pause),
                    Event::Restart => {
                        // Until a restart is over, what was leased runs out.
                        bench.scene.pass((lease + 1) * 1_000);
                        bench.start(2);
                    }
                    Event::Refuses(refuses, obeys) => {
                        let mut trouble = bench.scene.trouble.lock().unwrap();
                        (trouble.refuses, trouble.obeys) = (refuses, obeys);
                    }
                    Event::More(home, more) => {
                        let ahead = LENGTH.slot_at(bench.scene.now()).number() - bench.first.number();
                        if let Some(plan) = planned.get_mut(ahead as usize * 2 + home as usize - 1) {
                            *plan += more;
                            bench.plan(ahead, home, *plan);
                        }
                    }
                }
            }
            bench.scene.hand.set(bench.start_of(7));
            prop_assert_eq!(bench.scene.present(|world| world.audit()), Ok(()));
            for (place, plan) in planned.iter().enumerate() {
                let delivered = bench.delivered(place as u64 / 2, place as u32 % 2 + 1);
                prop_assert!(delivered <= *plan, "{delivered} of {plan} in {place}");
            }
            Ok(())
        })?;
    }

    /// B9: with somebody there and enough drawn all the time, a plan is delivered to the watt-hour.
    #[test]
    fn b9_a_plan_is_delivered_whole_where_enough_is_drawn(
        plan in 1..1_400u64,
        drawn_beyond in 0..2_000u64,
        pauses in prop::collection::vec(20_000..90_000u64, 100),
    ) {
        in_a_runtime(async {
            let mut bench = Bench::new(&[vec![plan + drawn_beyond]], MINUTES);
            bench.plan(0, 1, plan);
            for pause in pauses {
                bench.cycle().await;
                let left = bench.start_of(1).millis_since(bench.scene.now());
                bench.scene.pass(pause.min(left / 1_000 * 1_000));
            }
            bench.scene.hand.set(bench.start_of(1));
            let delivered = bench.delivered(0, 1);
            prop_assert!(delivered + 1 >= plan, "{delivered} of {plan}");
            Ok(())
        })?;
    }
}

/// The panel as a whole, with its tasks, on a clock that stands still unless moved.
fn panel(scene: &Arc<Scene>, feeders: u32, memory: Option<std::path::PathBuf>) -> Panel {
    let mut context = Context::new(scene.clock.clone(), LENGTH);
    context.memory = memory;
    let notices = Notices::default();
    let end = |number| {
        let part = Arc::new(Part(Arc::clone(scene), point(number)));
        let address = format!("test://{number}");
        let source = OfCounter(Arc::clone(&part) as _);
        let meter = Watch::new("feeder meter", address.clone(), source, &context, &notices);
        End { at: point(number), address, limiter: part, meter }
    };
    let ends = (1..=feeders).map(end).collect();
    Panel::new("panel".into(), ends, battery(scene, &context, &notices), &context, &notices)
}

#[tokio::test]
async fn b9_the_panel_delivers_what_is_planned_slot_by_slot() {
    let scene = scene(&[vec![1_200; 4], vec![1_200; 4]]);
    let panel = panel(&scene, 2, None);
    let first = LENGTH.slot_at(scene.now());
    panel.deliver(point(1), first, wh(700)).await.unwrap();
    panel.deliver(point(1), first, wh(700)).await.unwrap();
    panel.deliver(point(2), first.next(), wh(300)).await.unwrap();
    for ahead in 1..4 {
        scene.hand.set(first.plus(ahead).start(LENGTH));
        panel.applied().await.unwrap();
    }
    let row = |slot, place: usize| {
        let rows = scene.present(|world| world.feeders_latched(BATTERY, slot)).unwrap();
        rows[place].delivered.wh()
    };
    assert_eq!([row(first, 0), row(first.next(), 0), row(first.plus(2), 0)], [700, 700, 700]);
    assert_eq!([row(first, 1), row(first.next(), 1), row(first.plus(2), 1)], [0, 300, 300]);
    let told = panel.latched(first).await.unwrap().required().unwrap();
    assert_eq!(told.iter().map(|row| row.delivered.wh()).collect::<Vec<_>>(), [700, 0]);
    assert_eq!(panel.plans(first.plus(3)).await.unwrap(), []);
    let unknown = panel.accept(point(9), first.plus(3), watts(1)).await;
    assert!(matches!(unknown, Err(DeviceError::Refused(_))), "{unknown:?}");
    let over = panel.deliver(point(1), first, wh(1)).await;
    assert!(matches!(over, Err(DeviceError::Refused(_))), "{over:?}");
}

#[tokio::test]
async fn s1_what_was_accepted_is_accepted_after_a_restart_too() {
    let folder = std::env::temp_dir().join(format!("wattbook-panel-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let scene = scene(&[vec![0; 4]]);
    let first = LENGTH.slot_at(scene.now());
    let before = panel(&scene, 1, Some(folder.clone()));
    before.accept(point(1), first, watts(2_000)).await.unwrap();
    before.accept(point(1), first.next(), watts(3_000)).await.unwrap();
    before.deliver(point(1), first, wh(50)).await.unwrap();
    drop(before);
    let after = panel(&scene, 1, Some(folder.clone()));
    after.applied().await.unwrap();
    let limits = |to_battery| FeederLimits { to_battery: watts(to_battery), to_home: Power::ZERO };
    assert_eq!(scene.present(|world| world.port(point(1))), Ok(limits(2_000)));
    scene.hand.set(first.next().start(LENGTH));
    after.applied().await.unwrap();
    assert_eq!(scene.present(|world| world.port(point(1))), Ok(limits(3_000)));
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn p3_a_silent_feeder_holds_up_no_other_and_its_register_is_held() {
    let scene = scene(&[vec![1_000; 4], vec![1_000; 4]]);
    let panel = panel(&scene, 2, None);
    let first = LENGTH.slot_at(scene.now());
    panel.deliver(point(1), first, wh(400)).await.unwrap();
    scene.hand.set(first.next().start(LENGTH));
    let before = panel.read().await.unwrap();
    scene.trouble.lock().unwrap().silent = true;
    let held = panel.read().await.unwrap();
    assert_eq!(held.value(), before.value());
    assert_eq!(held.quality(), crate::reading::Quality::Substituted);
}
