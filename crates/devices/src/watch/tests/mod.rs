//! What is believed of devices that wrap, reset, jump, freeze, fall silent or answer nonsense, and what
//! stood at the ends of slots (P3). Here a bench with a device that does as it is told.

mod belief;
mod device;
mod made_of_several;

use super::*;
use crate::capability::{Answer, Meter, MeterReading, Registers};
use crate::clock::{Clock, Hand};
use crate::driver::{Context, Counter, CounterTraits};
use crate::reading::{DeviceError, Quality, Reading, SignedPower};
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
