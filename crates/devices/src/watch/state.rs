//! What is known of one watched device, and what of it outlives the process.
//!
//! Always: a reading that is not believed changes neither registers nor latches. Not here: asking the device
//! (`device`), writing files (`memory`).

use super::belief::{Belief, Era, Held, Verdict};
use super::latches::{Latch, Latches, Sample};
use super::source::Shown;
use crate::reading::{DeviceError, Quality, Reading};
use serde::{Deserialize, Serialize};
use std::time::Instant;
use wattbook_types::{Slot, SlotLength, Timestamp};

/// How many latches are remembered across restarts.
const REMEMBERED: usize = 100;

/// What is known of a device.
pub(super) struct State {
    pub(super) belief: Belief,
    pub(super) latches: Latches,
    pub(super) knows_traits: bool,
    /// Whether the device keeps registers itself, once it is known.
    pub(super) keeps: Option<bool>,
    pub(super) failures: u32,
    /// When it failed last, and how.
    pub(super) failed: Option<(Instant, DeviceError)>,
    pub(super) written: Option<Instant>,
    /// Whether there is something new to be remembered at once.
    pub(super) pressing: bool,
}

/// What is remembered of a device.
#[derive(Serialize, Deserialize)]
pub(super) struct Remembered {
    held: Option<Held>,
    eras: Vec<Era>,
    last: Option<Sample>,
    pub(super) latches: Vec<(Slot, Latch)>,
    spoilt: Vec<Slot>,
}

impl State {
    /// Of a device that is seen for the first time.
    pub(super) fn new(slack_ms: u64, length: SlotLength) -> Self {
        Self::with(Belief::new(slack_ms, None, Vec::new()), Latches::new(length))
    }

    /// Of a device that was seen before.
    pub(super) fn remembering(slack_ms: u64, length: SlotLength, remembered: Remembered) -> Self {
        let Remembered { held, eras, last, latches, spoilt } = remembered;
        let latches = Latches::remembered(length, latches, spoilt, last);
        Self::with(Belief::new(slack_ms, held, eras), latches)
    }

    fn with(belief: Belief, latches: Latches) -> Self {
        Self {
            belief,
            latches,
            knows_traits: false,
            keeps: None,
            failures: 0,
            failed: None,
            written: None,
            pressing: false,
        }
    }

    /// Enters a judged reading.
    pub(super) fn enter(
        &mut self,
        time: Timestamp,
        shown: &Shown,
        quality: Quality,
        verdict: &Verdict,
    ) -> Reading<Shown> {
        if verdict.time_anew {
            self.latches.forget_after(time);
        }
        if let Some((from, until)) = verdict.gap {
            self.latches.spoil(from, until);
        }
        self.pressing |= !verdict.oddities.is_empty();
        let shown = Shown { registers: verdict.registers, ..*shown };
        if !verdict.believed {
            return Reading::new(time, Quality::Substituted.worse(quality), shown);
        }
        let before = self.latches.last().map(|last| last.time);
        let sample = Sample { time, registers: shown.registers, cell: shown.cell, quality };
        if before.is_none_or(|before| before <= time) {
            self.latches.pass(sample);
            // A device that keeps its registers remembers its latches itself.
            let ended = before.is_some_and(|before| self.latches.ends_between(before, time));
            self.pressing |= ended && self.keeps == Some(false);
        }
        let quality = if verdict.frozen { Quality::Missing } else { quality };
        Reading::new(time, quality, shown)
    }

    pub(super) fn remembered(&self) -> Remembered {
        let count = if self.keeps == Some(true) { 0 } else { REMEMBERED };
        let (latches, _) = self.latches.newest(count);
        let (_, spoilt) = self.latches.newest(REMEMBERED);
        Remembered {
            held: self.belief.held(),
            eras: self.belief.eras().to_vec(),
            last: self.latches.last().copied(),
            latches,
            spoilt,
        }
    }
}
