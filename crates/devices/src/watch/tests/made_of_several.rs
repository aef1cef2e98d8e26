//! Batteries, and meters computed from others.

use super::*;
use crate::capability::{Battery, BatteryNameplate, BatteryState};
use crate::driver::BatterySource;

/// The same device as a battery that stores a tenth of its register.
impl BatterySource for Fake {
    fn nameplate(&self) -> Answer<'_, BatteryNameplate> {
        Box::pin(async { Err(silent()) })
    }

    fn state(&self) -> Answer<'_, Reading<BatteryState>> {
        Box::pin(async {
            let reading = self.read().await?;
            Ok(reading.map(|MeterReading { registers, .. }| BatteryState {
                stored: Energy::from_wh(registers.import.wh() / 10),
                capacity: Energy::from_wh(400),
                registers,
                ..BatteryState::default()
            }))
        })
    }
}

#[tokio::test]
async fn p3_a_battery_is_watched_like_a_meter_and_may_be_counted_by_another() {
    let bench = Bench::new();
    let battery: Arc<dyn BatterySource> = Arc::new(bench.fake.clone());
    let source = |counts| OfBattery { battery: Arc::clone(&battery), counts };
    let watch =
        |counts| Watch::new("battery", "test://b".into(), source(counts), &bench.context, &bench.notices);
    let alone = WatchedBattery::new(Arc::clone(&battery), watch(true), None);
    let counted = WatchedBattery::new(Arc::clone(&battery), watch(false), Some(Arc::clone(&bench.watch)));
    for (seconds, register) in [(1_200, 1_000), (2_400, 2_000)] {
        bench.hand.set(at(seconds));
        bench.script().now = Some((register, 0));
        alone.state().await.unwrap();
        counted.state().await.unwrap();
    }
    for battery in [&alone, &counted] {
        let latched = battery.latched(slot(0)).await.unwrap();
        assert_eq!(latched.quality(), Quality::Substituted);
        let state = latched.required().unwrap();
        assert_eq!((state.registers, state.stored), (import(1_500), Energy::from_wh(150)));
    }
    // A gauge that shows more than full.
    bench.hand.set(at(2_500));
    bench.script().now = Some((2_090, 0));
    bench.script().traits.limit = None;
    let state = alone.state().await.unwrap().required().unwrap();
    assert_eq!(state.stored, Energy::from_wh(209));
}

#[tokio::test]
async fn p3_what_a_home_uses_is_computed_from_its_other_meters() {
    let (clock, hand) = Clock::manual(at(0));
    let context = Context::new(clock.clone(), LENGTH);
    let notices = Notices::default();
    let fake = |address: &str| {
        let fake = Fake(Arc::default(), clock.clone());
        let source = OfCounter(Arc::new(fake.clone()));
        (fake, Watch::new("meter", address.into(), source, &context, &notices))
    };
    let ((grid_fake, grid), (feeder_fake, feeder), (made_fake, generation)) =
        (fake("g"), fake("f"), fake("m"));
    let others = Others { generation, feeder, grid };
    let computed = Computed::new("used".into(), others, &context);
    let show = |fake: &Fake, register, power| fake.0.lock().unwrap().now = Some((register, power));
    show(&made_fake, 0, -700);
    show(&feeder_fake, 10, 200);
    show(&grid_fake, 100, 300);
    let first = computed.read().await.unwrap().required().unwrap();
    assert_eq!(first.power, watts(1_200), "generated, arriving and taken");
    hand.set(at(1_800));
    show(&grid_fake, 199, 0);
    let latched = computed.latched(slot(0)).await.unwrap().required().unwrap();
    assert_eq!(latched.import.since(first.registers.import), Some(Energy::from_wh(99)));
    // The others' last digits tremble: it stands still.
    show(&grid_fake, 198, 0);
    show(&feeder_fake, 9, 0);
    hand.set(at(3_600));
    assert_eq!(computed.latched(slot(1)).await.unwrap().required().unwrap(), latched);
    // One of them is missing, and so is this.
    grid_fake.0.lock().unwrap().now = None;
    assert_eq!(computed.read().await.unwrap().quality(), Quality::Missing);
}
