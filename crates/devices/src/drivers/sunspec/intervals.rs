//! Interval registers: registers that the device itself froze when an interval ended (model 64850).
//!
//! Always: an entry is read in one request and counts only under its own number; intervals that do not end
//! where a slot does are not used. Not here: devices without them (`watch` interpolates).

use super::tables::interval::{ENTRY, INTERVALS};
use super::unit::Unit;
use crate::capability::Registers;
use crate::reading::{DeviceError, Reading};
use std::sync::{Arc, Mutex, PoisonError};
use wattbook_types::{Energy, MeterRegister, Slot};

/// The version of the model that is understood.
const VERSION: i128 = 1;

/// What a device keeps, as far as it is known.
pub(super) struct Intervals {
    unit: Arc<Unit>,
    /// By connection: another device may keep others.
    ring: Mutex<Option<(u64, Option<Ring>)>>,
}

#[derive(Clone, Copy)]
struct Ring {
    count: u16,
    seconds: u64,
    scale: u32,
}

/// What was kept of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) registers: Registers,
    /// What was stored, where something is.
    pub(super) stored: Option<Energy>,
}

impl Intervals {
    pub(super) fn new(unit: Arc<Unit>) -> Self {
        Self { unit, ring: Mutex::new(None) }
    }

    /// The registers at the end of a slot. `None`: the device keeps none for such slots.
    pub(super) async fn kept(&self, slot: Slot) -> Result<Option<Reading<Entry>>, DeviceError> {
        let Some(ring) = self.ring().await? else { return Ok(None) };
        let end = slot.end(self.unit.slot_length);
        let seconds = end.millis() / 1000;
        if ring.seconds == 0 || ring.count == 0 || !seconds.is_multiple_of(ring.seconds) {
            return Ok(None);
        }
        let Some(number) = (seconds / ring.seconds).checked_sub(1) else { return Ok(None) };
        let place = u16::try_from(number % u64::from(ring.count)).unwrap_or(0);
        let first = INTERVALS.length + 2 + place * ENTRY;
        let Some(words) = self.unit.registers(&INTERVALS, first, ENTRY).await? else { return Ok(None) };
        Ok(Some(match entry(&words, number, ring.scale) {
            Some(entry) => Reading::measured(end, entry),
            None => Reading::missing(end),
        }))
    }

    async fn ring(&self) -> Result<Option<Ring>, DeviceError> {
        let connection = self.unit.connection().await?;
        let known = *self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, ring)) = known
            && of == connection
        {
            return Ok(ring);
        }
        let ring = self.look().await?;
        *self.ring.lock().unwrap_or_else(PoisonError::into_inner) = Some((connection, ring));
        Ok(ring)
    }

    async fn look(&self) -> Result<Option<Ring>, DeviceError> {
        let Some(block) = self.unit.block(&[&INTERVALS], &["Ver", "Cnt", "IntvSec", "WH_SF"]).await? else {
            return Ok(None);
        };
        let number = |name| block.raw(name).and_then(|value| u64::try_from(value).ok());
        let scale = block.scale("WH_SF").and_then(|scale| u32::try_from(scale).ok());
        let (Some(VERSION), Some(count), Some(seconds), Some(scale)) =
            (block.raw("Ver"), number("Cnt"), number("IntvSec"), scale)
        else {
            return Ok(None);
        };
        // No more than the model can hold in the registers that there are.
        let count = u16::try_from(count).ok().filter(|count| {
            u32::from(*count) * u32::from(ENTRY) + u32::from(INTERVALS.length) <= u32::from(u16::MAX)
        });
        Ok(count.map(|count| Ring { count, seconds, scale }))
    }
}

/// An entry, where it is that of the interval.
fn entry(words: &[u16], number: u64, scale: u32) -> Option<Entry> {
    let value = |from: usize, to: usize| {
        let bits = words[from..to].iter().fold(0_u64, |bits, word| bits << 16 | u64::from(*word));
        let absent = words[from..to].iter().all(|word| *word == 0xffff);
        (!absent).then_some(bits)
    };
    let energy = |from, to| value(from, to)?.checked_mul(10_u64.checked_pow(scale)?);
    if value(0, 2)? != number {
        return None;
    }
    let registers = Registers {
        import: MeterRegister::from_wh(energy(4, 8)?),
        export: MeterRegister::from_wh(energy(8, 12)?),
    };
    Some(Entry { registers, stored: energy(2, 4).map(Energy::from_wh) })
}
