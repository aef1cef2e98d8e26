//! What the feeders' meters show together, also where one of them does not answer.
//!
//! Always: a meter that cannot say keeps the register that was believed last, so that one silent feeder
//! holds up nobody else's reports; its home sells nothing for that time. One that never said anything has no
//! row: whoever states rows knows what was stated last. The end of a slot is waited for a
//! quarter of a slot before a register is held. Not here: whether all of it fits the battery's own meter
//! (crate `storage`).

use super::feeder::{Common, Feeder};
use crate::capability::{FeederReading, Registers};
use crate::reading::{DeviceError, Quality, Reading};
use crate::watch::{Notice, NoticeKind};
use std::sync::Arc;
use tokio::task::JoinSet;
use wattbook_types::{Slot, Timestamp};

/// What one feeder's meter said: registers and quality, or why there are none.
type Said = Result<Option<(Timestamp, Quality, Registers)>, DeviceError>;

/// What all meters show now.
pub(super) async fn read(
    feeders: impl Iterator<Item = Arc<Feeder>>,
    common: &Arc<Common>,
) -> Result<Reading<Vec<FeederReading>>, DeviceError> {
    let said = together(feeders, |feeder| async move {
        let reading = feeder.meter.look().await?;
        let registers = reading.value().map(|shown| shown.registers);
        Ok(registers.map(|registers| (reading.time(), reading.quality(), registers)))
    });
    let now = common.clock.now();
    let (mut rows, mut silent) = (Rows::default(), None);
    for (feeder, said) in said.await {
        match (said, feeder.meter.last_registers()) {
            (Ok(Some((time, quality, registers))), _) => rows.push(&feeder, time, quality, registers),
            (_, Some(held)) => rows.push(&feeder, now, Quality::Substituted, held),
            (Err(error), None) => silent = Some(Err(error)),
            (Ok(None), None) => silent = silent.or(Some(Ok(Reading::missing(now)))),
        }
    }
    match silent {
        Some(nobody_said) if rows.rows.is_empty() => nobody_said,
        _ => Ok(rows.reading(now)),
    }
}

/// What all meters showed when a slot ended.
pub(super) async fn latched(
    feeders: impl Iterator<Item = Arc<Feeder>>,
    common: &Arc<Common>,
    slot: Slot,
) -> Result<Reading<Vec<FeederReading>>, DeviceError> {
    let end = slot.end(common.length);
    let said = together(feeders, move |feeder| async move {
        let latch = feeder.meter.latch(slot).await?;
        Ok(latch.map(|latch| (end, latch.quality, latch.registers)))
    })
    .await;
    let long_ago = common.clock.now() >= end.plus_millis(common.length.millis() / 4);
    let somebody_knows = said.iter().any(|(_, said)| matches!(said, Ok(Some(_))));
    let mut rows = Rows::default();
    for (feeder, said) in said {
        let may_be_held = somebody_knows && (long_ago || feeder.meter.is_spoilt(slot));
        match (said, feeder.meter.registers_before(slot)) {
            (Ok(Some((time, quality, registers))), _) => {
                common.notices.settle(&feeder.address, NoticeKind::Held);
                rows.push(&feeder, time, quality, registers);
            }
            (_, Some(held)) if may_be_held => {
                common.notices.raise(holding(&feeder, end));
                rows.push(&feeder, end, Quality::Substituted, held);
            }
            (_, None) if may_be_held => {
                common.notices.raise(holding(&feeder, end));
                rows.quality = rows.quality.max(Some(Quality::Substituted));
            }
            (Err(error), _) => return Err(error),
            (Ok(None), _) => return Ok(Reading::missing(end)),
        }
    }
    Ok(rows.reading(end))
}

fn holding(feeder: &Feeder, when: Timestamp) -> Notice {
    let words = format!(
        "The feeder meter of connection point {} could not say what it stood at when a slot ended. Nothing \
         counts as received there until it can.",
        feeder.at
    );
    Notice { when, address: feeder.address.clone(), kind: NoticeKind::Held, words }
}

/// Asks all feeders at once; the answers in their order.
async fn together<F>(
    feeders: impl Iterator<Item = Arc<Feeder>>,
    ask: impl Fn(Arc<Feeder>) -> F,
) -> Vec<(Arc<Feeder>, Said)>
where
    F: Future<Output = Said> + Send + 'static,
{
    let mut asking = JoinSet::new();
    let mut answers: Vec<(Arc<Feeder>, Said)> = Vec::new();
    for (place, feeder) in feeders.enumerate() {
        let answer = ask(Arc::clone(&feeder));
        asking.spawn(async move { (place, answer.await) });
        answers.push((feeder, Ok(None)));
    }
    while let Some(answered) = asking.join_next().await {
        // A task that is cut off with its runtime has nobody to answer to.
        if let Ok((place, said)) = answered {
            answers[place].1 = said;
        }
    }
    answers
}

#[derive(Default)]
struct Rows {
    rows: Vec<FeederReading>,
    time: Option<Timestamp>,
    quality: Option<Quality>,
}

impl Rows {
    fn push(&mut self, feeder: &Feeder, time: Timestamp, quality: Quality, registers: Registers) {
        let Registers { import: received, export: delivered } = registers;
        self.rows.push(FeederReading { connection_point: feeder.at, received, delivered });
        self.time = self.time.max(Some(time));
        self.quality = self.quality.max(Some(quality));
    }

    fn reading(self, otherwise: Timestamp) -> Reading<Vec<FeederReading>> {
        let (time, quality) = (self.time.unwrap_or(otherwise), self.quality.unwrap_or(Quality::Measured));
        Reading::new(time, quality, self.rows)
    }
}
