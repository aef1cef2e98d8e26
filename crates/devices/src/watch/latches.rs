//! What registers stood at the ends of slots, from readings around them, for devices that keep none (P3).
//!
//! Always: a latch is worked out once and never changes afterwards, unless time itself was wrong; between two readings energy is taken to
//! have flowed evenly; a slot in which something happened to the registers has none. Rules: measured where
//! a reading lies within a hundredth of a slot from its end; substituted where the two readings around the
//! end are less than a slot apart; else missing. Not here: whether readings are to be believed (`belief`).

use super::source::Cell;
use crate::capability::Registers;
use crate::reading::Quality;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use wattbook_types::{Energy, MeterRegister, Slot, SlotLength, Timestamp};

/// How many are remembered.
const KEPT: usize = 2_048;

/// Believed registers at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sample {
    pub(super) time: Timestamp,
    pub(super) registers: Registers,
    pub(super) cell: Option<Cell>,
    pub(super) quality: Quality,
}

/// What stood at the end of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Latch {
    pub(crate) registers: Registers,
    pub(crate) cell: Option<Cell>,
    pub(crate) quality: Quality,
}

/// The ends of slots.
#[derive(Clone, Debug)]
pub(super) struct Latches {
    length: SlotLength,
    known: BTreeMap<Slot, Latch>,
    /// Slots in which something happened to the registers.
    spoilt: BTreeSet<Slot>,
    last: Option<Sample>,
}

impl Latches {
    pub(super) const fn new(length: SlotLength) -> Self {
        Self { length, known: BTreeMap::new(), spoilt: BTreeSet::new(), last: None }
    }

    /// As they were remembered.
    pub(super) fn remembered(
        length: SlotLength,
        known: impl IntoIterator<Item = (Slot, Latch)>,
        spoilt: impl IntoIterator<Item = Slot>,
        last: Option<Sample>,
    ) -> Self {
        Self { length, known: known.into_iter().collect(), spoilt: spoilt.into_iter().collect(), last }
    }

    pub(super) fn of(&self, slot: Slot) -> Option<Latch> {
        self.known.get(&slot).filter(|_| !self.spoilt.contains(&slot)).copied()
    }

    pub(super) fn is_spoilt(&self, slot: Slot) -> bool {
        self.spoilt.contains(&slot)
    }

    pub(super) const fn last(&self) -> Option<&Sample> {
        self.last.as_ref()
    }

    /// The newest latches, at most so many, and spoilt slots, to be remembered.
    pub(super) fn newest(&self, count: usize) -> (Vec<(Slot, Latch)>, Vec<Slot>) {
        let known = self.known.iter().rev().take(count).map(|(slot, latch)| (*slot, *latch));
        (known.collect(), self.spoilt.iter().rev().take(count).copied().collect())
    }

    /// What is known of the registers before and after the end of a slot.
    pub(super) fn around(&self, slot: Slot) -> (Option<Registers>, Option<Registers>) {
        let end = slot.end(self.length);
        let before = self.known.range(..slot).next_back().map(|(_, latch)| latch.registers);
        let after = self.known.range(slot.next()..).next().map(|(_, latch)| latch.registers);
        let last = self.last.map(|last| (last.time, last.registers));
        let last_before = last.filter(|(time, _)| *time <= end).map(|(_, registers)| registers);
        let last_after = last.filter(|(time, _)| *time >= end).map(|(_, registers)| registers);
        (last_before.or(before), after.or(last_after))
    }

    /// Something happened between two moments: their slots, and those between, have no latch.
    pub(super) fn spoil(&mut self, from: Timestamp, until: Timestamp) {
        let (first, last) = (self.length.slot_at(from), self.length.slot_at(until));
        let first = first.max(Slot::from_number(last.number().saturating_sub(KEPT as u64)));
        for number in first.number()..=last.number() {
            let slot = Slot::from_number(number);
            if !self.known.contains_key(&slot) {
                self.spoilt.insert(slot);
            }
        }
        while self.spoilt.len() > KEPT {
            self.spoilt.pop_first();
        }
    }

    /// Time begins anew: slots that have not ended by then were never seen.
    pub(super) fn forget_after(&mut self, time: Timestamp) {
        let present = self.length.slot_at(time);
        self.known.split_off(&present);
        self.spoilt.split_off(&present);
        self.last = self.last.filter(|last| last.time <= time);
    }

    /// Takes in a believed reading, later than all before it.
    pub(super) fn pass(&mut self, sample: Sample) {
        if let Some(last) = self.last.replace(sample) {
            let (first, end) = (self.length.slot_at(last.time), self.length.slot_at(sample.time));
            // Of many slots between two readings only the ends beside them can be known.
            for slot in [first, end.previous()] {
                if slot >= first && slot < end && !self.known.contains_key(&slot) {
                    self.latch(slot, &last, &sample);
                }
            }
        }
    }

    /// Whether a slot ends between two moments.
    pub(super) const fn ends_between(&self, from: Timestamp, until: Timestamp) -> bool {
        self.length.slot_at(from).number() != self.length.slot_at(until).number()
    }

    /// Keeps what the device itself kept.
    pub(super) fn keep(&mut self, slot: Slot, latch: Latch) {
        self.known.insert(slot, latch);
        while self.known.len() > KEPT {
            self.known.pop_first();
        }
    }

    fn latch(&mut self, slot: Slot, before: &Sample, after: &Sample) {
        let end = slot.end(self.length);
        let nearest = end.millis_since(before.time).min(after.time.millis_since(end));
        let apart = after.time.millis_since(before.time);
        let by_rule = if nearest <= self.length.millis() / 100 {
            Quality::Measured
        } else if apart < self.length.millis() {
            Quality::Substituted
        } else {
            return;
        };
        let quality = by_rule.worse(before.quality).worse(after.quality);
        let registers = Registers {
            import: evenly(before.registers.import, after.registers.import, before, after, end),
            export: evenly(before.registers.export, after.registers.export, before, after, end),
        };
        let cell = cell(before, after, end);
        self.keep(slot, Latch { registers, cell, quality });
    }
}

/// What a register stood at a moment between two readings, rounded down.
fn evenly(
    from: MeterRegister,
    to: MeterRegister,
    before: &Sample,
    after: &Sample,
    at: Timestamp,
) -> MeterRegister {
    let counted = to.since(from).unwrap_or_default();
    let (part, whole) = (at.millis_since(before.time), after.time.millis_since(before.time).max(1));
    let share = u128::from(counted.wh()) * u128::from(part) / u128::from(whole);
    from.advanced(Energy::from_wh(u64::try_from(share).unwrap_or(u64::MAX)))
}

/// How a battery stood at a moment between two readings: what it held evenly, the rest as read nearest.
fn cell(before: &Sample, after: &Sample, at: Timestamp) -> Option<Cell> {
    let (Some(first), Some(second)) = (before.cell, after.cell) else { return None };
    let (part, whole) = (at.millis_since(before.time), after.time.millis_since(before.time).max(1));
    let weigh = |wh: Energy, weight: u64| u128::from(wh.wh()) * u128::from(weight);
    let stored = (weigh(first.stored, whole - part.min(whole)) + weigh(second.stored, part.min(whole)))
        / u128::from(whole);
    let near = if part * 2 < whole { first } else { second };
    Some(Cell { stored: Energy::from_wh(u64::try_from(stored).unwrap_or(u64::MAX)), ..near })
}
