//! A home over SunSpec devices that begin anew, jump, freeze, fall silent or talk nonsense: what is sold is
//! what was counted, nothing is sent that is not, and the page says why (P3, S1).

mod common;

use common::{FIRST, Running, SLOT, Shared, at, config, genesis, start, world};
use std::ops::Range;
use std::sync::Arc;
use wattbook_devices::clock::Hand;
use wattbook_devices::driver::{Context, FeederLimits};
use wattbook_devices::plant::{Plant, PlantDevice, PlantListen, WorldSpec};
use wattbook_devices::profile::{HomeProfile, ProfileStep, Profiles};
use wattbook_devices::simulated::Fault;
use wattbook_devices::{Clock, Quality, open_home};
use wattbook_home::control::lock;
use wattbook_types::genesis::Battery;
use wattbook_types::{AccountId, BatteryId, Energy, MeterRegister, Money, PerMille, Power};

/// Makes 1.5 kWh in each of the first 40 slots and uses 0.5 kWh of it.
fn spec() -> WorldSpec {
    let wh = Energy::from_wh;
    let step = ProfileStep { generation: wh(1_500), consumption: wh(500), quality: Quality::Measured };
    let home = HomeProfile { name: String::new(), steps: vec![step; 40] };
    let mut genesis = genesis();
    genesis.batteries = vec![Battery {
        id: BatteryId::from_number(1),
        name: "Shed".to_owned(),
        storage: AccountId::default(),
        capacity: wh(100_000),
        charge_limit: Power::from_watts(50_000),
        discharge_limit: Power::from_watts(50_000),
        charge_efficiency: PerMille::new(950),
        discharge_efficiency: PerMille::new(950),
        standing_loss_ppm_per_hour: 0,
        import: MeterRegister::ZERO,
        export: MeterRegister::ZERO,
        pool_limit: Money::MAX,
    }];
    let profiles = Profiles::new(genesis.time, 1_800, vec![home]).expect("a profile");
    WorldSpec::of_genesis(&genesis, Arc::new(profiles)).expect("a world")
}

struct Scene {
    plant: Plant,
    hand: Hand,
    home: Running,
    world: Shared,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let (clock, hand) = Clock::manual(at(0, 0));
        let plant = Plant::start(spec(), clock.clone(), PlantListen::loopback()).await.expect("a plant");
        let point = config().connection_point;
        // The battery's side takes everything.
        let all = FeederLimits { to_battery: Power::from_watts(10_000), to_home: Power::ZERO };
        plant.with(|world| world.set_port(point, all, None)).expect("a port");
        let (folder, world) = (tempfile::tempdir().expect("a folder"), world());
        let mut home = start(folder.path(), &world).await;
        let context = Context::new(clock, SLOT);
        home.controller.site = open_home(plant.home(point).expect("a home"), point, &context).expect("open");
        home.cycle(at(0, 0)).await;
        Self { plant, hand, home, world, _folder: folder }
    }

    fn inject(&self, fault: Option<Fault>) {
        self.plant.inject(PlantDevice::HomeFeeder(config().connection_point), fault);
    }

    /// Slots pass with a control cycle every three minutes, the first at a slot's very start.
    async fn pass(&self, slots: Range<u64>) {
        for slot in slots {
            for minutes in (0..30).step_by(3) {
                self.hand.set(at(slot, minutes * 60));
                self.home.cycle(at(slot, minutes * 60)).await;
            }
            self.hand.set(at(slot + 1, 0));
            self.home.cycle(at(slot + 1, 0)).await;
        }
    }

    /// Sold: slot and energy.
    fn sold(&self) -> Vec<(u64, u64)> {
        let world = self.world.lock().unwrap();
        let slot = |start| SLOT.slot_at(start).number() - FIRST.number();
        world.sales().iter().map(|sale| (slot(sale.interval.start), sale.sent.wh())).collect()
    }

    /// Slots of which it is known that nothing was counted.
    fn uncounted(&self) -> Vec<u64> {
        let home = lock(&self.home.home);
        let lost = home.readings().values().filter(|reading| !reading.counted);
        lost.map(|reading| reading.slot.number() - FIRST.number()).collect()
    }

    fn trouble(&self) -> String {
        lock(&self.home.home).trouble.clone().unwrap_or_default()
    }

    fn sends(&self) -> Power {
        self.plant.with(|world| world.home(config().connection_point)).expect("a home").switch.send
    }
}

/// 1 kWh in each of these slots; in the very first one the home begins to send only with its second cycle.
fn whole(slots: Range<u64>) -> Vec<(u64, u64)> {
    slots.map(|slot| (slot, if slot == 0 { 900 } else { 1_000 })).collect()
}

#[tokio::test]
async fn p3_s1_a_frozen_feeder_meter_stops_sending_and_nothing_uncounted_is_sold() {
    let scene = Scene::new().await;
    scene.pass(0..3).await;
    assert_eq!(scene.sold(), whole(0..3));
    scene.inject(Some(Fault::Freeze));
    scene.pass(3..5).await;
    assert!(scene.trouble().contains("counter stands still"), "{}", scene.trouble());
    assert_eq!(scene.sends(), Power::ZERO, "what is not counted is not sent");
    assert_eq!(scene.sold(), whole(0..3));
    scene.inject(None);
    scene.pass(5..8).await;
    assert_eq!(scene.sold().last(), Some(&(7, 1_000)));
    assert!(scene.uncounted().contains(&3) && scene.uncounted().contains(&4), "{:?}", scene.uncounted());
    assert_eq!(scene.trouble(), "");
}

#[tokio::test]
async fn p3_s2_a_feeder_meter_that_is_exchanged_or_jumps_costs_two_slots_and_says_so() {
    for (fault, word) in [(Fault::Reset, "count anew"), (Fault::Jump, "leapt ahead")] {
        let scene = Scene::new().await;
        scene.pass(0..3).await;
        scene.inject(Some(fault));
        scene.pass(3..8).await;
        let expected: Vec<_> = whole(0..3).into_iter().chain(whole(5..8)).collect();
        assert_eq!(scene.sold(), expected, "{fault:?}");
        assert_eq!(scene.uncounted(), [3, 4], "{fault:?}");
        let notices = scene.home.controller.site.notices.recent();
        assert!(notices.iter().any(|notice| notice.words.contains(word)), "{notices:?}");
    }
}

#[tokio::test]
async fn p3_s2_a_feeder_meter_that_wraps_costs_nothing() {
    let scene = Scene::new().await;
    scene.pass(0..1).await;
    scene.inject(Some(Fault::Wrap));
    scene.pass(1..6).await;
    // To the meter's readers it was exchanged for one that stands close to its end.
    assert_eq!(scene.sold().last(), Some(&(5, 1_000)), "{:?}", scene.sold());
    let notices = scene.home.controller.site.notices.recent();
    assert!(notices.iter().any(|notice| notice.words.contains("end of its counter")), "{notices:?}");
}

#[tokio::test]
async fn p3_s2_a_senseless_feeder_meter_sells_nothing_wrong() {
    let scene = Scene::new().await;
    scene.pass(0..2).await;
    scene.inject(Some(Fault::Nonsense));
    scene.pass(2..4).await;
    assert_ne!(scene.trouble(), "");
    scene.inject(None);
    scene.pass(4..8).await;
    assert!(scene.sold().iter().all(|sale| sale.1 <= 1_000), "{:?}", scene.sold());
    assert_eq!(scene.sold().last(), Some(&(7, 1_000)));
    assert_eq!(scene.trouble(), "");
}

#[tokio::test]
async fn p3_s2_a_silent_feeder_meter_sells_what_it_counted_when_it_answers() {
    let mut scene = Scene::new().await;
    scene.pass(0..2).await;
    scene.inject(Some(Fault::Silent));
    scene.hand.set(at(3, 0));
    scene.home.cycle(at(3, 0)).await;
    assert!(scene.trouble().contains("does not answer"), "{}", scene.trouble());
    assert_eq!(scene.sold(), whole(0..2));
    scene.inject(None);
    // As after a restart: nobody remembers that it was silent a moment ago.
    let point = config().connection_point;
    let (clock, _hand) = Clock::manual(at(3, 60));
    let devices = scene.plant.home(point).expect("a home");
    scene.home.controller.site = open_home(devices, point, &Context::new(clock, SLOT)).expect("open");
    scene.hand.set(at(3, 60));
    scene.home.cycle(at(3, 60)).await;
    assert_eq!(scene.sold(), whole(0..3));
}
