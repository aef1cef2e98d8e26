//! What is believed of devices that wrap, reset, jump, freeze, fall silent or answer nonsense, and what
//! stood at the ends of slots (P3).

use super::belief::{Belief, Seen};
use super::*;
use crate::capability::{Answer, BatteryNameplate, BatteryState, Meter, MeterReading, Registers};
use crate::clock::{Clock, Hand};
use crate::driver::{BatterySource, Context, Counter, CounterTraits};
use crate::reading::{DeviceError, Quality, Reading, SignedPower};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use wattbook_types::{Energy, MeterRegister, Power, Slot, SlotLength, Timestamp};

const LENGTH: SlotLength = SlotLength::from_seconds(1_800);
/// Seconds at which slot 0 of the tests begins.
const START: u64 = 1_800 * 1_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis((START + seconds) * 1_000)
}

fn slot(number: u64) -> Slot {
    LENGTH.slot_at(at(0)).plus(number)
}

fn wh(number: u64) -> MeterRegister {
    MeterRegister::from_wh(number)
}

fn import(number: u64) -> Registers {
    Registers { import: wh(number), export: MeterRegister::ZERO }
}

fn watts(power: i64) -> SignedPower {
    let magnitude = Power::from_watts(power.unsigned_abs());
    if power < 0 {
        SignedPower::between(Power::ZERO, magnitude)
    } else {
        SignedPower::between(magnitude, Power::ZERO)
    }
}

/// Lines of `seconds register [watts]`; gives `register quality oddities` a line. A meter for up to 3.6 kW
/// with a resolution of 1 Wh.
fn judged(wraps_at: Option<u64>, rows: &str) -> String {
    let mut belief = Belief::new(0, None, Vec::new());
    belief.set_traits(CounterTraits {
        wraps_at: wraps_at.map(Energy::from_wh),
        resolution: Some(Energy::from_wh(1)),
        limit: Some(Power::from_watts(3_600)),
    });
    let mut said = Vec::new();
    for row in rows.lines().filter(|row| !row.trim().is_empty()) {
        let fields: Vec<i64> = row.split_whitespace().map(|field| field.parse().unwrap()).collect();
        let seen = Seen {
            time: at(fields[0].unsigned_abs()),
            raw: import(fields[1].unsigned_abs()),
            power: fields.get(2).map(|power| watts(*power)),
        };
        let verdict = belief.take(seen);
        let state = match (verdict.believed, verdict.frozen) {
            (true, false) => "believed",
            (true, true) => "frozen",
            (false, _) => "held",
        };
        let odd = verdict.oddities.iter().map(|oddity| format!(" {oddity:?}")).collect::<String>();
        said.push(format!("{} {state}{odd}", verdict.registers.import.wh()));
    }
    said.join("; ")
}

#[test]
fn p3_a_register_that_wraps_is_counted_on() {
    let rows = "0 9990\n10 9996\n20 4\n30 9";
    assert_eq!(
        judged(Some(10_000), rows),
        "9990 believed; 9996 believed; 10004 believed Wrapped; 10009 believed"
    );
    // Far from its end it cannot have wrapped.
    assert_eq!(judged(Some(10_000), "0 5000\n10 5\n20 9"), "5000 believed; 5000 held; 5004 believed Reset");
}

#[test]
fn p3_a_register_that_was_reset_goes_on_from_where_it_was() {
    let rows = "0 5000\n10 5008\n20 0\n30 6\n40 14";
    assert_eq!(
        judged(None, rows),
        "5000 believed; 5008 believed; 5008 held; 5014 believed Reset; 5022 believed"
    );
}

#[test]
fn p3_a_leap_is_not_believed_until_the_count_goes_on_from_there() {
    let rows = "0 5000\n10 9000\n20 9008\n30 9010";
    assert_eq!(judged(None, rows), "5000 believed; 5000 held; 5008 believed Jumped; 5010 believed");
}

#[test]
fn p3_one_odd_reading_changes_nothing() {
    for odd in [0, 4_294_967_295_u64] {
        let rows = format!("0 5000\n10 {odd}\n20 5008\n30 5009");
        assert_eq!(judged(None, &rows), "5000 believed; 5000 held; 5008 believed Nonsense; 5009 believed");
    }
    // Nor do many that have nothing to do with each other; it is said once.
    let rows = "0 5000\n10 77777\n20 13\n30 999999\n40 4\n50 88888\n60 5009";
    let said = judged(None, rows);
    assert_eq!(said.matches("Nonsense").count(), 1, "{said}");
    assert!(said.ends_with("5009 believed"), "{said}");
}

#[test]
fn p3_a_last_digit_that_trembles_is_no_reset() {
    assert_eq!(
        judged(None, "0 5000\n10 4999\n20 5000\n30 5001"),
        "5000 believed; 5000 believed; 5000 believed; 5001 believed"
    );
}

#[test]
fn p3_a_register_that_stands_still_while_power_flows_is_frozen_until_it_moves() {
    // 3 kW over a minute are 50 Wh.
    let rows = "0 5000 3000\n60 5000 3000\n120 5000 3000\n180 5000 3000\n240 5000 3000\n300 5040 3000";
    let said = judged(None, rows);
    let states: Vec<&str> = said.split("; ").collect();
    assert_eq!(states[3], "5000 believed");
    assert_eq!(states[4], "5000 frozen Frozen");
    assert_eq!(states[5], "5040 believed Moves");
    // Without power there is nothing to count.
    let still: String = (0..50).map(|minute| format!("{} 5000 0\n", minute * 60)).collect();
    assert!(!judged(None, &still).contains("frozen"));
    // Nor is it frozen where power only changes its sign all the time.
    let swing = |minute: u64| {
        format!("{} 5000 {}\n", minute * 60, if minute.is_multiple_of(2) { 3_000 } else { -3_000 })
    };
    assert!(!judged(None, &(0..50).map(swing).collect::<String>()).contains("frozen"));
}

proptest! {
    /// Whatever a device shows, what is believed never goes back and never gains what cannot have flowed.
    #[test]
    fn p3_believed_registers_never_go_back_nor_gain_what_cannot_have_flowed(
        rows in prop::collection::vec(
            (1..600u64, prop_oneof![0..20u64, 0..100_000u64, 4_294_967_000..4_294_967_296u64]),
            2..60,
        ),
        wraps in any::<bool>(),
    ) {
        let mut belief = Belief::new(0, None, Vec::new());
        let limit = Power::from_watts(3_600);
        belief.set_traits(CounterTraits {
            wraps_at: wraps.then_some(Energy::from_wh(1 << 32)),
            resolution: Some(Energy::from_wh(1)),
            limit: Some(limit),
        });
        let (mut seconds, mut before) = (0, None);
        for (pause, register) in rows {
            seconds += pause;
            let now = belief.take(Seen { time: at(seconds), raw: import(register), power: None });
            let now = now.registers.import;
            let (since, was) = *before.get_or_insert((seconds, now));
            let gained = now.since(was);
            prop_assert!(gained.is_some(), "{was:?} then {now:?}");
            let most = (seconds - since + 1) * 3_600 * 5 / 4 / 3_600 + 4;
            prop_assert!(gained.unwrap().wh() <= most, "{gained:?} in {} s", seconds - since);
            if gained.unwrap().wh() > 0 {
                before = Some((seconds, now));
            }
        }
    }
}

/// A device that answers as the test says.
#[derive(Clone)]
struct Fake(Arc<Mutex<Script>>, Clock);

#[derive(Default)]
struct Script {
    now: Option<(u64, i64)>,
    error: Option<DeviceError>,
    kept: Option<BTreeMap<Slot, u64>>,
    traits: CounterTraits,
    looks: u32,
}

fn silent() -> DeviceError {
    DeviceError::Unreachable { address: "here".into(), reason: "it is unplugged".into() }
}

impl Counter for Fake {
    fn read(&self) -> Answer<'_, Reading<MeterReading>> {
        let mut script = self.0.lock().unwrap();
        script.looks += 1;
        let answer = match (script.error.clone(), script.now) {
            (Some(error), _) => Err(error),
            (None, Some((register, power))) => {
                let reading = MeterReading { registers: import(register), power: watts(power) };
                Ok(Reading::measured(self.1.now(), reading))
            }
            (None, None) => Ok(Reading::missing(self.1.now())),
        };
        Box::pin(async {
            tokio::task::yield_now().await;
            answer
        })
    }

    fn kept(&self, slot: Slot) -> Answer<'_, Option<Reading<Registers>>> {
        let script = self.0.lock().unwrap();
        let end = slot.end(LENGTH);
        let kept = script.kept.as_ref().map(|kept| match kept.get(&slot) {
            Some(register) => Reading::measured(end, import(*register)),
            None => Reading::missing(end),
        });
        let answer = script.error.clone().map_or(Ok(kept), Err);
        Box::pin(std::future::ready(answer))
    }

    fn traits(&self) -> Answer<'_, CounterTraits> {
        let traits = self.0.lock().unwrap().traits;
        Box::pin(std::future::ready(Ok(traits)))
    }
}

/// A watched fake.
struct Bench {
    fake: Fake,
    hand: Hand,
    context: Context,
    notices: Notices,
    watch: Arc<Watch>,
}

impl Bench {
    fn new() -> Self {
        Self::remembering(None)
    }

    fn remembering(memory: Option<PathBuf>) -> Self {
        let (clock, hand) = Clock::manual(at(0));
        let traits = CounterTraits {
            wraps_at: None,
            resolution: Some(Energy::from_wh(1)),
            limit: Some(Power::from_watts(3_600)),
        };
        let script = Arc::new(Mutex::new(Script { traits, ..Script::default() }));
        let fake = Fake(script, clock.clone());
        let mut context = Context::new(clock, LENGTH);
        context.memory = memory;
        let notices = Notices::default();
        let watch = watch(&fake, &context, &notices);
        Self { fake, hand, context, notices, watch }
    }

    /// The process ends and begins again.
    fn restart(&mut self) {
        let memory = self.context.memory.take();
        // The old one is gone, and what it knew written, before the new one begins.
        self.watch = watch(&self.fake, &self.context, &self.notices);
        self.context.memory = memory;
        self.watch = watch(&self.fake, &self.context, &self.notices);
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.fake.0.lock().unwrap()
    }

    /// The device shows this at that second, and is looked at.
    async fn shows(&self, seconds: u64, register: u64) -> Result<Reading<MeterReading>, DeviceError> {
        self.hand.set(at(seconds));
        self.script().now = Some((register, 0));
        self.watch.read().await
    }

    async fn latched(&self, number: u64) -> Option<(u64, Quality)> {
        let reading = self.watch.latched(slot(number)).await.unwrap();
        reading.value().map(|registers| (registers.import.wh(), reading.quality()))
    }

    fn told(&self) -> Vec<NoticeKind> {
        self.notices.recent().iter().rev().map(|notice| notice.kind).collect()
    }
}

fn watch(fake: &Fake, context: &Context, notices: &Notices) -> Arc<Watch> {
    let source = OfCounter(Arc::new(fake.clone()));
    let mut watch = Watch::new("feeder meter", "test://a".into(), source, context, notices);
    // Tests have no time to wait for what was silent.
    Arc::get_mut(&mut watch).unwrap().again = Duration::ZERO;
    watch
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("wattbook-watch-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

#[tokio::test]
async fn p3_a_slots_end_is_taken_from_the_readings_around_it() {
    let bench = Bench::new();
    bench.shows(0, 1_000).await.unwrap();
    assert_eq!(bench.latched(0).await, None, "it has not ended");
    // Ten seconds before the end, and ten after.
    bench.shows(1_790, 1_100).await.unwrap();
    bench.shows(1_810, 1_102).await.unwrap();
    assert_eq!(bench.latched(0).await, Some((1_101, Quality::Measured)));
    // Ten minutes before, and ten after.
    bench.shows(3_000, 1_200).await.unwrap();
    bench.shows(4_200, 1_300).await.unwrap();
    assert_eq!(bench.latched(1).await, Some((1_250, Quality::Substituted)));
    // Nothing for more than a slot; what came is not lost, only not said of a slot.
    bench.shows(9_200, 1_900).await.unwrap();
    assert_eq!((bench.latched(2).await, bench.latched(3).await), (None, None));
    assert_eq!(bench.latched(4).await, None);
    bench.shows(10_805, 2_000).await.unwrap();
    assert_eq!(bench.latched(5).await, Some((1_999, Quality::Measured)));
}

#[tokio::test]
async fn p3_asking_for_a_slots_end_looks_at_the_meter_where_that_helps() {
    let bench = Bench::new();
    bench.shows(1_700, 500).await.unwrap();
    bench.hand.set(at(1_801));
    bench.script().now = Some((520, 0));
    assert_eq!(bench.latched(0).await, Some((519, Quality::Measured)));
    let looks = bench.script().looks;
    // What was said stays said, and costs nothing.
    bench.script().now = Some((540, 0));
    assert_eq!(bench.latched(0).await, Some((519, Quality::Measured)));
    assert_eq!(bench.script().looks, looks);
}

#[tokio::test]
async fn p3_a_meter_that_keeps_its_registers_is_asked_for_them() {
    let bench = Bench::new();
    bench.script().kept = Some(BTreeMap::new());
    bench.shows(1_000, 700).await.unwrap();
    bench.hand.set(at(1_801));
    bench.script().now = Some((780, 0));
    // It may be about to keep them.
    assert_eq!(bench.latched(0).await, None);
    bench.script().kept = Some(BTreeMap::from([(slot(0), 777)]));
    assert_eq!(bench.latched(0).await, Some((777, Quality::Measured)));
    // After an absence of many slots too.
    bench.hand.set(at(1_800 * 50));
    let kept = (0..50).map(|number| (slot(number), 777 + 100 * number)).collect();
    bench.script().kept = Some(kept);
    bench.script().now = Some((777 + 4_950, 0));
    bench.watch.read().await.unwrap();
    assert_eq!(bench.latched(20).await, Some((2_777, Quality::Measured)));
    // What it keeps must fit what it showed.
    bench.script().kept = Some(BTreeMap::from([(slot(30), 999_999), (slot(10), 3)]));
    assert_eq!((bench.latched(30).await, bench.latched(10).await), (None, None));
    assert_eq!(bench.told(), [NoticeKind::Nonsense, NoticeKind::Nonsense]);
}

#[tokio::test]
async fn p3_nothing_is_said_of_the_slot_in_which_a_register_was_reset() {
    let bench = Bench::new();
    bench.shows(10, 5_000).await.unwrap();
    bench.shows(1_795, 5_100).await.unwrap();
    bench.shows(1_805, 5_100).await.unwrap();
    assert!(bench.latched(0).await.is_some());
    bench.shows(2_400, 0).await.unwrap();
    let held = bench.watch.read().await.unwrap();
    assert_eq!((held.quality(), held.value().unwrap().registers), (Quality::Substituted, import(5_100)));
    bench.shows(2_500, 10).await.unwrap();
    bench.shows(3_601, 90).await.unwrap();
    assert_eq!(bench.latched(1).await, None);
    bench.shows(5_401, 190).await.unwrap();
    assert_eq!(bench.latched(2).await, Some((5_289, Quality::Measured)), "counted on");
    assert_eq!(bench.told(), [NoticeKind::Reset]);
    assert!(bench.notices.recent()[0].words.starts_with("The feeder meter has begun to count anew"));
}

#[tokio::test]
async fn p3_a_meter_that_kept_registers_before_and_after_a_reset_is_understood() {
    let bench = Bench::new();
    bench.script().kept = Some(BTreeMap::from([(slot(0), 5_050), (slot(2), 200)]));
    bench.shows(100, 5_000).await.unwrap();
    bench.shows(2_000, 5_060).await.unwrap();
    bench.shows(2_100, 0).await.unwrap();
    bench.shows(2_200, 10).await.unwrap();
    bench.shows(5_600, 210).await.unwrap();
    assert_eq!(bench.latched(0).await, Some((5_050, Quality::Measured)), "of the time before");
    assert_eq!(bench.latched(1).await, None);
    assert_eq!(bench.latched(2).await, Some((5_260, Quality::Measured)), "of the time after");
}

#[tokio::test]
async fn p3_a_frozen_meter_is_missing_and_told_until_it_moves() {
    let bench = Bench::new();
    for minute in 0..8 {
        bench.hand.set(at(minute * 60));
        bench.script().now = Some((5_000, 3_000));
        let reading = bench.watch.read().await.unwrap();
        assert_eq!(reading.value().is_none(), minute >= 4, "minute {minute}");
    }
    assert_eq!(bench.notices.standing()[0].kind, NoticeKind::Frozen);
    bench.shows(1_801, 5_000).await.unwrap();
    assert_eq!(bench.latched(0).await, None);
    bench.shows(1_900, 5_001).await.unwrap();
    assert!(bench.notices.standing().is_empty());
    bench.shows(3_601, 5_002).await.unwrap();
    assert_eq!(bench.latched(1).await, None, "the slot in which it moved again");
    bench.shows(5_401, 5_003).await.unwrap();
    assert_eq!(bench.latched(2).await, Some((5_002, Quality::Measured)));
}

#[tokio::test]
async fn p3_a_silent_or_senseless_meter_is_told_once_and_forgiven_when_it_answers() {
    let bench = Bench::new();
    bench.shows(1_700, 5_000).await.unwrap();
    let protocol = DeviceError::Protocol("not a number".into());
    for (error, kind) in [(silent(), NoticeKind::Silent), (protocol, NoticeKind::Nonsense)] {
        bench.script().error = Some(error.clone());
        for _ in 0..9 {
            assert_eq!(bench.watch.read().await, Err(error.clone()));
        }
        assert_eq!(bench.notices.standing().iter().map(|notice| notice.kind).collect::<Vec<_>>(), [kind]);
        assert_eq!(bench.notices.count(kind), 1);
        bench.script().error = None;
        bench.watch.read().await.unwrap();
        assert!(bench.notices.standing().is_empty());
    }
    // Asked for a slot's end meanwhile, it is the meter that does not answer.
    bench.hand.set(at(1_900));
    bench.script().error = Some(silent());
    assert_eq!(bench.watch.latched(slot(0)).await, Err(silent()));
    // A short silence is bridged.
    bench.script().error = None;
    bench.hand.set(at(2_000));
    bench.script().now = Some((5_030, 0));
    assert_eq!(bench.latched(0).await, Some((5_010, Quality::Substituted)));
    // No value is no reading.
    bench.script().now = None;
    assert_eq!(bench.watch.read().await.unwrap().quality(), Quality::Missing);
}

#[tokio::test]
async fn p3_a_restart_loses_neither_offset_nor_the_last_reading() {
    let folder = folder("restart");
    let mut bench = Bench::remembering(Some(folder.clone()));
    bench.shows(10, 5_000).await.unwrap();
    bench.shows(600, 0).await.unwrap();
    bench.shows(700, 10).await.unwrap();
    bench.shows(3_590, 100).await.unwrap();
    bench.restart();
    bench.hand.set(at(3_620));
    bench.script().now = Some((103, 0));
    assert_eq!(bench.latched(1).await, Some((5_101, Quality::Measured)));
    // What was said of a slot is said again after a restart.
    bench.script().now = Some((200, 0));
    bench.restart();
    assert_eq!(bench.latched(1).await, Some((5_101, Quality::Measured)));
    assert_eq!(bench.latched(0).await, None, "in which it was reset");
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn p3_a_broken_memory_is_set_aside_and_said() {
    let folder = folder("broken");
    let mut bench = Bench::remembering(Some(folder.clone()));
    bench.shows(10, 5_000).await.unwrap();
    bench.restart();
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let memory = bench.context.memory.take();
    bench.restart();
    std::fs::write(&file, "{\"version\":1,").unwrap();
    bench.context.memory = memory;
    bench.restart();
    assert_eq!(bench.told(), [NoticeKind::Forgotten]);
    assert_eq!(bench.shows(20, 5_001).await.unwrap().value().unwrap().registers, import(5_001));
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn p3_who_asks_while_another_looks_shares_the_answer() {
    let bench = Bench::new();
    bench.script().now = Some((1, 0));
    let (first, second) = tokio::join!(bench.watch.read(), bench.watch.read());
    assert_eq!(first, second);
    assert_eq!(bench.script().looks, 1);
}

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
    use crate::capability::Battery;
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
