//! What a home uses where no meter of its own counts it: computed from the other meters.
//!
//! Used is what was generated, came from the utility and arrived from the battery, less what was given to
//! the utility and sent to the battery. As a register it begins at 2^40 Wh, so that it is a number whatever
//! the other registers began with: only differences of it mean anything.
//!
//! Always: never goes back. The other registers are whole watt-hours, so that their sum may tremble by one
//! or two; then it stands still until it is passed. It is as good as the worst of the readings that it is
//! made of, and missing where one of them is. Deliberately absent: a meter's independence; a fault of one of
//! the others shows here too.

use super::Watch;
use super::memory::{Found, Memory};
use crate::capability::{Answer, Meter, MeterReading, Registers};
use crate::driver::Context;
use crate::reading::{DeviceError, Quality, Reading, SignedPower};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wattbook_types::{MeterRegister, Power, Slot, Timestamp};

/// Where the register begins.
const ORIGIN: i128 = 1 << 40;
/// By how many watt-hours the sum of five registers, each rounded down, may go back.
const TREMBLE: u64 = 4;

/// The meters that it is made of.
#[derive(Clone)]
pub(crate) struct Others {
    pub(crate) generation: Arc<Watch>,
    pub(crate) feeder: Arc<Watch>,
    pub(crate) grid: Arc<Watch>,
}

pub(crate) struct Computed {
    others: Others,
    key: String,
    memory: Option<Memory>,
    marks: Mutex<Marks>,
}

/// What was told last: nothing later may show less.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Marks {
    live: MeterRegister,
    slot: Slot,
    latched: MeterRegister,
}

impl Computed {
    pub(crate) fn new(key: String, others: Others, context: &Context) -> Self {
        let memory = context.memory.as_ref().map(|folder| Memory::of(folder, &key));
        let marks = match memory.as_ref().map(|memory| memory.read(&key)) {
            Some(Found::Remembered(marks)) => marks,
            // Without a memory it may stand a watt-hour lower once: the slot then counts as not measured.
            Some(Found::Nothing | Found::Unreadable(_)) | None => Marks::default(),
        };
        Self { others, key, memory, marks: Mutex::new(marks) }
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self) {
        let marks = *self.marks();
        if let Some(memory) = &self.memory
            && let Err(error) = memory.write(&self.key, &marks)
        {
            tracing::warn!(key = self.key, %error, "what a home used cannot be remembered");
        }
    }
}

impl Drop for Computed {
    fn drop(&mut self) {
        self.remember();
    }
}

/// What was used up to now, by the others' registers.
fn used([generation, feeder, grid]: [Registers; 3]) -> MeterRegister {
    let wh = |register: MeterRegister| i128::from(register.wh());
    let came = wh(generation.export) + wh(grid.import) + wh(feeder.import);
    let went = wh(grid.export) + wh(feeder.export);
    MeterRegister::from_wh(u64::try_from((ORIGIN + came - went).max(0)).unwrap_or(u64::MAX))
}

/// Stands still where the sum of the others trembles; more than that is another meter's doing.
fn steady(used: MeterRegister, mark: MeterRegister) -> MeterRegister {
    let behind = mark.since(used).unwrap_or_default();
    if behind.wh() <= TREMBLE { used.max(mark) } else { used }
}

const fn only_import(import: MeterRegister) -> Registers {
    Registers { import, export: MeterRegister::ZERO }
}

/// All three, with the worst of their qualities and the latest of their times.
fn together<T: Copy>(readings: [&Reading<T>; 3]) -> (Timestamp, Quality, Option<[T; 3]>) {
    let time = readings.iter().map(|reading| reading.time()).max().unwrap_or_default();
    let quality = readings.iter().fold(Quality::Measured, |worst, reading| worst.worse(reading.quality()));
    let [a, b, c] = readings.map(|reading| reading.value().copied());
    (time, quality, a.zip(b).zip(c).map(|((a, b), c)| [a, b, c]))
}

impl Meter for Computed {
    fn read(&self) -> Answer<'_, Reading<MeterReading>> {
        Box::pin(async {
            let Others { generation, feeder, grid } = &self.others;
            let (generation, feeder, grid) = tokio::try_join!(generation.read(), feeder.read(), grid.read())?;
            let (time, quality, all) = together([&generation, &feeder, &grid]);
            let Some(all) = all else { return Ok(Reading::missing(time)) };
            // What leaves the generator comes into the home.
            let [made, carried, taken] = all.map(|reading| i128::from(reading.power.watts()));
            let power = Power::from_watts(u64::try_from(taken + carried - made).unwrap_or(0));
            let mut marks = self.marks();
            marks.live = steady(used(all.map(|reading| reading.registers)), marks.live);
            let registers = only_import(marks.live);
            let power = SignedPower::between(power, Power::ZERO);
            Ok(Reading::new(time, quality, MeterReading { registers, power }))
        })
    }

    fn latched(&self, slot: Slot) -> Answer<'_, Reading<Registers>> {
        Box::pin(async move {
            let Others { generation, feeder, grid } = &self.others;
            let (generation, feeder, grid) =
                tokio::try_join!(generation.latched(slot), feeder.latched(slot), grid.latched(slot))?;
            let (time, quality, all) = together([&generation, &feeder, &grid]);
            let Some(all) = all else { return Ok::<_, DeviceError>(Reading::missing(time)) };
            let mut register = used(all);
            {
                let mut marks = self.marks();
                if slot == marks.slot {
                    register = marks.latched;
                } else if slot > marks.slot {
                    register = steady(register, marks.latched);
                    (marks.slot, marks.latched) = (slot, register);
                }
            }
            self.remember();
            Ok(Reading::new(time, quality, only_import(register)))
        })
    }
}
