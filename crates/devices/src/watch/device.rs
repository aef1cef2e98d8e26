//! One watched device: its readings, judged, and what stood at the ends of slots.
//!
//! Always: one look at a time, shared by all who wait for it; what was said of a slot's end stays said. Not
//! here: the rules (`belief`, `latches`), and when readings are taken unasked (`sampler`).

use super::belief::{Oddity, Seen, is_possible};
use super::latches::Latch;
use super::memory::{Found, Memory};
use super::notice::{Notice, NoticeKind, Notices};
use super::sampler::sample_for_ever;
use super::source::{Cell, Shown, Source};
use super::state::State;
use super::words;
use crate::capability::{Answer, Meter, MeterReading, Registers};
use crate::clock::Clock;
use crate::driver::Context;
use crate::reading::{DeviceError, Reading};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use wattbook_types::{Energy, Slot, SlotLength, Timestamp};

/// By how much (real time) a reading may be late.
const LATE: Duration = Duration::from_secs(2);
/// So many failures in a row are told.
const FAILURES: u32 = 3;
/// For how long (real time) a device that is silent is not asked again, where slots are not very short:
/// whoever asks it for many things waits once.
const AGAIN: Duration = Duration::from_secs(1);
/// How often (real time) what is remembered is written at most, unless something happened.
const WRITTEN: Duration = Duration::from_secs(30);

/// A watched device.
pub(crate) struct Watch {
    /// What it is called in words, such as `feeder meter`.
    name: &'static str,
    address: String,
    source: Box<dyn Source>,
    clock: Clock,
    length: SlotLength,
    notices: Notices,
    memory: Option<Memory>,
    /// For how long (real time) it is not asked again after it was silent.
    pub(crate) again: Duration,
    state: Mutex<State>,
    /// One look at a time; the last answer and when (real time) it came.
    turn: tokio::sync::Mutex<Option<(Instant, Looked)>>,
}

type Looked = Result<Reading<Shown>, DeviceError>;

impl Watch {
    /// Watches a device from now on, going on from what is remembered of it.
    pub(crate) fn new(
        name: &'static str,
        address: String,
        source: impl Source + 'static,
        context: &Context,
        notices: &Notices,
    ) -> Arc<Self> {
        let memory = context.memory.as_ref().map(|folder| Memory::of(folder, &address));
        let found = memory.as_ref().map_or(Found::Nothing, |memory| memory.read(&address));
        let slack = context.clock.ledger_millis_in(LATE);
        let length = context.slot_length;
        let (state, broken) = match found {
            Found::Remembered(remembered) => (State::remembering(slack, length, remembered), None),
            Found::Nothing => (State::new(slack, length), None),
            Found::Unreadable(why) => (State::new(slack, length), Some(why)),
        };
        let watch = Self {
            name,
            address,
            source: Box::new(source),
            clock: context.clock.clone(),
            length,
            notices: notices.clone(),
            memory,
            again: context.clock.real_duration_of(length.millis() / 20).map_or(AGAIN, |some| some.min(AGAIN)),
            state: Mutex::new(state),
            turn: tokio::sync::Mutex::new(None),
        };
        if let Some(why) = broken {
            watch.notices.tell(watch.notice(NoticeKind::Forgotten, words::forgotten(name, &why)));
        }
        Arc::new(watch)
    }

    /// Takes readings by itself from now on, for as long as anybody holds the watch. Needs a tokio runtime.
    pub(crate) fn keep_sampling(self: &Arc<Self>) {
        tokio::spawn(sample_for_ever(Arc::downgrade(self), self.clock.clone(), self.length));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the device keeps registers itself, as far as it is known.
    pub(super) fn keeps(&self) -> bool {
        self.state().keeps == Some(true)
    }

    /// When a slot ends.
    pub(super) fn end_of(&self, slot: Slot) -> Timestamp {
        slot.end(self.length)
    }

    /// Whether something happened to the registers in a slot, so that its end is not known for good.
    pub(crate) fn is_spoilt(&self, slot: Slot) -> bool {
        self.state().latches.is_spoilt(slot)
    }

    /// The last registers that are known of the time before the end of a slot.
    pub(crate) fn registers_before(&self, slot: Slot) -> Option<Registers> {
        self.state().latches.around(slot).0
    }

    /// The step in which it counts; a watt-hour where that is not known.
    pub(crate) fn resolution(&self) -> Energy {
        self.state().belief.resolution()
    }

    /// How a battery stood when it was looked at last.
    pub(crate) fn last_cell(&self) -> Option<Cell> {
        self.state().latches.last().and_then(|last| last.cell)
    }

    /// The registers that were believed last.
    pub(crate) fn last_registers(&self) -> Option<Registers> {
        self.state().belief.held().map(|held| held.registers())
    }

    fn notice(&self, kind: NoticeKind, words: String) -> Notice {
        Notice { when: self.clock.now(), address: self.address.clone(), kind, words }
    }

    /// Looks at the device now. Who asks while another looks shares the answer.
    pub(crate) async fn look(&self) -> Looked {
        let asked = Instant::now();
        let mut turn = self.turn.lock().await;
        if let Some((came, answer)) = &*turn
            && *came >= asked
        {
            return answer.clone();
        }
        self.may_ask()?;
        self.learn_traits().await;
        let answer = match self.source.look().await {
            Ok(reading) => Ok(self.take(&reading)),
            Err(error) => {
                self.failed(&error);
                Err(error)
            }
        };
        *turn = Some((Instant::now(), answer.clone()));
        drop(turn);
        self.remember_soon().await;
        answer
    }

    /// Refuses to ask a device that was silent only just.
    fn may_ask(&self) -> Result<(), DeviceError> {
        match &self.state().failed {
            Some((when, error)) if when.elapsed() < self.again => Err(error.clone()),
            _ => Ok(()),
        }
    }

    async fn learn_traits(&self) {
        if !self.state().knows_traits
            && let Ok(traits) = self.source.traits().await
        {
            let mut state = self.state();
            state.belief.set_traits(traits);
            state.knows_traits = true;
        }
    }

    /// Judges a reading.
    fn take(&self, reading: &Reading<Shown>) -> Reading<Shown> {
        let now = self.clock.now();
        let ahead = reading.time().millis_since(now) > self.clock.ledger_millis_in(LATE);
        if ahead {
            self.notices.raise(self.notice(NoticeKind::Clock, words::ahead(self.name)));
        } else {
            self.notices.settle(&self.address, NoticeKind::Clock);
        }
        let time = reading.time().min(now);
        let stale = now.millis_since(time) >= self.length.millis();
        let Some(shown) = reading.value().copied().filter(|_| !stale) else {
            self.failed(&DeviceError::Missing { time });
            return Reading::missing(time);
        };
        if !is_possible(&shown.registers) {
            self.failed(&DeviceError::Protocol(words::beyond().into()));
            return Reading::missing(time);
        }
        let mut state = self.state();
        (state.failures, state.failed) = (0, None);
        let verdict = state.belief.take(Seen { time, raw: shown.registers, power: shown.power });
        let reading = state.enter(time, &shown, reading.quality(), &verdict);
        drop(state);
        for kind in [NoticeKind::Silent, NoticeKind::Nonsense] {
            self.notices.settle(&self.address, kind);
        }
        self.tell(&verdict.oddities);
        reading
    }

    fn tell(&self, oddities: &[Oddity]) {
        for oddity in oddities {
            let (kind, words) = match oddity {
                Oddity::Wrapped => (NoticeKind::Wrapped, words::wrapped(self.name)),
                Oddity::Reset => (NoticeKind::Reset, words::reset(self.name)),
                Oddity::Jumped => (NoticeKind::Jumped, words::jumped(self.name)),
                Oddity::Ahead => (NoticeKind::Clock, words::was_ahead(self.name)),
                Oddity::Nonsense => (NoticeKind::Nonsense, words::stray(self.name)),
                Oddity::Frozen => {
                    self.notices.raise(self.notice(NoticeKind::Frozen, words::frozen(self.name)));
                    continue;
                }
                Oddity::Moves => {
                    self.notices.settle(&self.address, NoticeKind::Frozen);
                    continue;
                }
            };
            self.notices.tell(self.notice(kind, words));
        }
    }

    fn failed(&self, error: &DeviceError) {
        let failures = {
            let mut state = self.state();
            state.failures = state.failures.saturating_add(1);
            if matches!(error, DeviceError::Unreachable { .. }) {
                state.failed = Some((Instant::now(), error.clone()));
            }
            state.failures
        };
        if failures < FAILURES {
            return;
        }
        let (kind, words) = match error {
            DeviceError::Protocol(why) | DeviceError::Refused(why) => {
                (NoticeKind::Nonsense, words::nonsense(self.name, why))
            }
            DeviceError::Unreachable { .. } | DeviceError::Missing { .. } | DeviceError::Configuration(_) => {
                (NoticeKind::Silent, words::silent(self.name, error))
            }
        };
        self.notices.raise(self.notice(kind, words));
    }

    /// What stood when a slot ended.
    pub(crate) async fn latch(&self, slot: Slot) -> Result<Option<Latch>, DeviceError> {
        let end = slot.end(self.length);
        let now = self.clock.now();
        if now < end {
            return Ok(None);
        }
        {
            let state = self.state();
            let known = state.latches.of(slot);
            if known.is_some() || state.latches.is_spoilt(slot) {
                return Ok(known);
            }
        }
        match self.kept(slot).await? {
            Kept::Latch(latch) => return Ok(Some(latch)),
            // It keeps registers and may be about to keep these.
            Kept::NotThis if now < end.plus_millis(self.length.millis() / 8) => return Ok(None),
            Kept::NotThis | Kept::None => {}
        }
        let reads_on = self.state().latches.last().is_some_and(|last| last.time < end);
        if reads_on {
            self.look().await?;
        }
        Ok(self.state().latches.of(slot))
    }

    /// What the device itself kept of the end of a slot.
    async fn kept(&self, slot: Slot) -> Result<Kept, DeviceError> {
        if self.state().keeps == Some(false) {
            return Ok(Kept::None);
        }
        self.may_ask()?;
        let Some(reading) = self.source.kept(slot).await.inspect_err(|error| self.failed(error))? else {
            self.state().keeps = Some(false);
            return Ok(Kept::None);
        };
        let mut state = self.state();
        state.keeps = Some(true);
        let Some(shown) = reading.value() else { return Ok(Kept::NotThis) };
        let (earlier, later) = state.latches.around(slot);
        let end = slot.end(self.length);
        let possible = Some(shown.registers).filter(is_possible);
        let believed = possible.and_then(|raw| state.belief.back_then(end, raw, earlier, later));
        let Some(registers) = believed else {
            drop(state);
            self.notices.tell(self.notice(NoticeKind::Nonsense, words::unfitting(self.name)));
            return Ok(Kept::NotThis);
        };
        let latch = Latch { registers, cell: shown.cell, quality: reading.quality() };
        state.latches.keep(slot, latch);
        Ok(Kept::Latch(latch))
    }

    /// Remembers what is new, if it is time for that.
    async fn remember_soon(&self) {
        let Some(memory) = self.memory.clone() else { return };
        let remembered = {
            let mut state = self.state();
            let long_ago = state.written.is_none_or(|written| written.elapsed() >= WRITTEN);
            if !state.pressing && !long_ago {
                return;
            }
            (state.pressing, state.written) = (false, Some(Instant::now()));
            state.remembered()
        };
        let address = self.address.clone();
        let written = tokio::task::spawn_blocking(move || memory.write(&address, &remembered)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(address = self.address, %error, "what is known of a device cannot be remembered");
        }
    }
}

/// What a device keeps.
enum Kept {
    /// No registers at all.
    None,
    /// Not those of this slot.
    NotThis,
    /// These.
    Latch(Latch),
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(memory) = &self.memory {
            let remembered = self.state().remembered();
            // Nobody is left to be told; what was written before stands.
            let _ = memory.write(&self.address, &remembered);
        }
    }
}

impl Meter for Watch {
    fn read(&self) -> Answer<'_, Reading<MeterReading>> {
        Box::pin(async {
            let reading = self.look().await?;
            Ok(reading.map(|Shown { registers, power, .. }| MeterReading {
                registers,
                power: power.unwrap_or_default(),
            }))
        })
    }

    fn latched(&self, slot: Slot) -> Answer<'_, Reading<Registers>> {
        Box::pin(async move {
            let end = slot.end(self.length);
            Ok(match self.latch(slot).await? {
                Some(latch) => Reading::new(end, latch.quality, latch.registers),
                None => Reading::missing(end),
            })
        })
    }
}
