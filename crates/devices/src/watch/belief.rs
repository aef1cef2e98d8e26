//! Whether a device's registers are to be believed, and what they are taken to be (P3).
//!
//! Always: what is believed never goes back and never gains more than can have flowed; one odd reading
//! alone changes nothing, only a second one that goes on from it does; a register's leap or fall is neither
//! counted nor lost count of, the count goes on from where it was. A pure function of the readings. The
//! rules in words are in docs/metering.md. Not here: what stood at the ends of slots (`latches`), and whether
//! registers stand still though power flows (`still`).

use super::still::Still;
use crate::capability::Registers;
use crate::driver::CounterTraits;
use crate::reading::SignedPower;
use serde::{Deserialize, Serialize};
use wattbook_types::{Energy, MeterRegister, Power, Timestamp};

/// The most power that is believed of a device which does not say how much can flow through it.
const UNSAID_LIMIT: Power = Power::from_watts(1_000_000);
/// So many odd readings in a row, none of which goes on from the one before, make no sense.
const NONSENSE: u32 = 3;
/// So many readings in a row that are earlier than what is held show that the time held is wrong.
const EARLIER: u32 = 3;
/// No meter has counted more than this: beyond it whole numbers with a sign end.
const TOP: u64 = 1 << 62;
/// How many eras are remembered.
const ERAS: usize = 16;

/// A device's registers at a moment, as it shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) time: Timestamp,
    pub(super) raw: Registers,
    pub(super) power: Option<SignedPower>,
}

/// What is added to a device's registers to go on counting where they broke off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offset {
    import: i64,
    export: i64,
}

/// The last reading that was believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) time: Timestamp,
    raw: Registers,
    offset: Offset,
}

/// From when on an offset holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Era {
    began: Timestamp,
    offset: Offset,
}

/// What was odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Oddity {
    Wrapped,
    Reset,
    Jumped,
    Nonsense,
    Frozen,
    /// Moves again after having been frozen.
    Moves,
    /// The time of what was believed last was ahead.
    Ahead,
}

/// What a reading is taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The registers, counted on.
    pub(super) registers: Registers,
    /// Whether the reading itself is believed; otherwise the registers are held from before.
    pub(super) believed: bool,
    /// Whether the registers stand still though power flows.
    pub(super) frozen: bool,
    /// A time of which it is not known what flowed.
    pub(super) gap: Option<(Timestamp, Timestamp)>,
    /// Whether time begins anew at this reading: what was said of later times is void.
    pub(super) time_anew: bool,
    /// What is to be told.
    pub(super) oddities: Vec<Oddity>,
}

/// What is believed of one device.
#[derive(Clone, Debug, Default)]
pub(super) struct Belief {
    traits: CounterTraits,
    /// By how much readings may be late (ledger time).
    slack_ms: u64,
    held: Option<Held>,
    doubted: Option<Seen>,
    doubts: u32,
    /// The last reading that was too early, and how many there were in a row.
    earlier: (Timestamp, u32),
    eras: Vec<Era>,
    still: Still,
}

/// How one register came from one reading to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It counted so much.
    On(u64),
    /// It counted so much and passed its end.
    Wrapped(u64),
    /// It went back.
    Back,
    /// It went on by more than can have flowed.
    Leap,
}

impl Step {
    const fn sound(self) -> bool {
        matches!(self, Self::On(_) | Self::Wrapped(_))
    }

    /// What was counted, as far as it is known.
    const fn counted(self) -> u64 {
        match self {
            Self::On(counted) | Self::Wrapped(counted) => counted,
            Self::Back | Self::Leap => 0,
        }
    }

    const fn oddity(self) -> Option<Oddity> {
        match self {
            Self::On(_) => None,
            Self::Wrapped(_) => Some(Oddity::Wrapped),
            Self::Back => Some(Oddity::Reset),
            Self::Leap => Some(Oddity::Jumped),
        }
    }
}

fn plus(raw: MeterRegister, offset: i64) -> MeterRegister {
    MeterRegister::from_wh(raw.wh().saturating_add_signed(offset))
}

fn signed(wh: u64) -> i64 {
    i64::try_from(wh).unwrap_or(i64::MAX)
}

/// Whether a meter can have counted so much at all.
pub(super) fn is_possible(registers: &Registers) -> bool {
    registers.import.wh() <= TOP && registers.export.wh() <= TOP
}

impl Offset {
    fn of(self, raw: Registers) -> Registers {
        Registers { import: plus(raw.import, self.import), export: plus(raw.export, self.export) }
    }
}

impl Held {
    /// The registers, counted on.
    pub(super) fn registers(&self) -> Registers {
        self.offset.of(self.raw)
    }
}

impl Belief {
    pub(super) fn new(slack_ms: u64, held: Option<Held>, eras: Vec<Era>) -> Self {
        Self { slack_ms, held, eras, ..Self::default() }
    }

    /// What is known of how the device counts.
    pub(super) fn set_traits(&mut self, traits: CounterTraits) {
        self.traits = traits;
    }

    /// The step in which it counts; a watt-hour where that is not known.
    pub(super) fn resolution(&self) -> Energy {
        Energy::from_wh(self.step_wh())
    }

    pub(super) const fn held(&self) -> Option<Held> {
        self.held
    }

    pub(super) fn eras(&self) -> &[Era] {
        &self.eras
    }

    /// Takes in a reading.
    pub(super) fn take(&mut self, seen: Seen) -> Verdict {
        let Some(held) = self.held else {
            let offset = Offset::default();
            self.eras.push(Era { began: Timestamp::default(), offset });
            self.still = Still::since(&seen);
            self.held = Some(Held { time: seen.time, raw: seen.raw, offset });
            return self.verdict(true);
        };
        if seen.time < held.time {
            return self.take_earlier(held, seen);
        }
        self.earlier.1 = 0;
        self.go_or_doubt(held, seen)
    }

    /// A reading from before what is held. A few that follow each other show that the time held is wrong, as
    /// after a clock was ahead: then it begins anew from here, and the registers go on from where they were.
    fn take_earlier(&mut self, held: Held, seen: Seen) -> Verdict {
        let (last, count) = self.earlier;
        let follows = count == 0 || seen.time > last;
        self.earlier = (seen.time, if follows { count + 1 } else { count });
        if held.time.millis_since(seen.time) <= self.slack_ms || self.earlier.1 < EARLIER {
            return self.verdict(false);
        }
        // What is held was counted before the earlier readings came.
        let held = Held { time: last, ..held };
        (self.earlier.1, self.doubted, self.doubts) = (0, None, 0);
        self.held = Some(held);
        self.still = Still::since(&seen);
        for era in &mut self.eras {
            era.began = era.began.min(last);
        }
        let mut verdict = self.go_or_doubt(held, seen);
        (verdict.time_anew, verdict.gap) = (true, Some((last, seen.time)));
        verdict.oddities.insert(0, Oddity::Ahead);
        verdict
    }

    fn go_or_doubt(&mut self, held: Held, seen: Seen) -> Verdict {
        let steps = self.steps(&held.raw, &seen.raw, seen.time.millis_since(held.time));
        if steps.iter().all(|step| step.sound()) {
            let stray = self.doubted.take().is_some() && self.doubts < NONSENSE;
            self.doubts = 0;
            let mut verdict = self.go_on(held, seen, steps);
            if stray {
                verdict.oddities.insert(0, Oddity::Nonsense);
            }
            return verdict;
        }
        match self.doubted.filter(|doubted| doubted.time < seen.time) {
            Some(doubted) if self.goes_on(&doubted, &seen) => self.begin_anew(held, doubted, seen),
            _ => self.doubt(seen),
        }
    }

    /// What the registers that the device kept of a moment are taken for; `None` where they fit neither
    /// what was believed before nor after.
    pub(super) fn back_then(
        &self,
        time: Timestamp,
        raw: Registers,
        earlier: Option<Registers>,
        later: Option<Registers>,
    ) -> Option<Registers> {
        let slack = Energy::from_wh(self.most(0));
        let later = later.map(|later| Registers {
            import: later.import.advanced(slack),
            export: later.export.advanced(slack),
        });
        let fits = |registers: &Registers| {
            let above =
                |floor: Registers| registers.import >= floor.import && registers.export >= floor.export;
            let below = |top: Registers| registers.import <= top.import && registers.export <= top.export;
            earlier.is_none_or(above) && later.is_none_or(below)
        };
        // The era of that moment first; the others because readings are a little late.
        let (then, other): (Vec<Era>, Vec<Era>) = self.eras.iter().rev().partition(|era| era.began <= time);
        let offsets = then.iter().chain(other.iter().rev()).map(|era| era.offset);
        if self.eras.is_empty() {
            Some(raw).filter(fits)
        } else {
            offsets.map(|offset| offset.of(raw)).find(fits)
        }
    }

    fn verdict(&self, believed: bool) -> Verdict {
        Verdict {
            registers: self.held.map(|held| held.registers()).unwrap_or_default(),
            believed,
            frozen: self.still.is_frozen(),
            gap: None,
            time_anew: false,
            oddities: Vec::new(),
        }
    }

    /// The most that can have been counted in some time (Wh).
    fn most(&self, elapsed_ms: u64) -> u64 {
        let limit = self.traits.limit.unwrap_or(UNSAID_LIMIT);
        let millis = u128::from(elapsed_ms.saturating_add(self.slack_ms));
        let flowed = u128::from(limit.watts()) * millis * 5 / 4 / 3_600_000;
        u64::try_from(flowed).unwrap_or(u64::MAX).saturating_add(2 * self.step_wh())
    }

    fn step_wh(&self) -> u64 {
        self.traits.resolution.map_or(1, Energy::wh).max(1)
    }

    fn steps(&self, from: &Registers, to: &Registers, elapsed_ms: u64) -> [Step; 2] {
        [(from.import, to.import), (from.export, to.export)]
            .map(|(from, to)| self.step(from.wh(), to.wh(), elapsed_ms))
    }

    fn step(&self, from: u64, to: u64, elapsed_ms: u64) -> Step {
        let most = self.most(elapsed_ms);
        if to >= from {
            return if to - from <= most { Step::On(to - from) } else { Step::Leap };
        }
        let end = self.traits.wraps_at.map(Energy::wh).filter(|end| *end > from);
        let over = end.map(|end| (end - from).saturating_add(to));
        match over {
            Some(counted) if counted <= most => Step::Wrapped(counted),
            // The last digit may tremble.
            _ if from - to <= self.step_wh() => Step::On(0),
            _ => Step::Back,
        }
    }

    fn goes_on(&self, from: &Seen, to: &Seen) -> bool {
        let elapsed = to.time.millis_since(from.time);
        self.steps(&from.raw, &to.raw, elapsed).iter().all(|step| step.sound())
    }

    /// The registers went on as they should.
    fn go_on(&mut self, held: Held, seen: Seen, steps: [Step; 2]) -> Verdict {
        let mut offset = held.offset;
        let end = signed(self.traits.wraps_at.map(Energy::wh).unwrap_or_default());
        if matches!(steps[0], Step::Wrapped(_)) {
            offset.import = offset.import.saturating_add(end);
        }
        if matches!(steps[1], Step::Wrapped(_)) {
            offset.export = offset.export.saturating_add(end);
        }
        // A last digit that trembles is taken for the larger.
        let kept = |step, from, to| if step == Step::On(0) { from } else { to };
        let raw = Registers {
            import: kept(steps[0], held.raw.import, seen.raw.import),
            export: kept(steps[1], held.raw.export, seen.raw.export),
        };
        if offset != held.offset {
            self.begin_era(seen.time, offset);
        }
        self.held = Some(Held { time: seen.time, raw, offset });
        let moved = steps.iter().any(|step| !matches!(step, Step::On(0)));
        let told = self.still.watch(&seen, seen.time.millis_since(held.time), moved, &self.traits);
        let since = self.still.began();
        let mut verdict = self.verdict(true);
        if told.is_some() || self.still.is_frozen() {
            verdict.gap = Some((since.min(held.time), seen.time));
        }
        verdict.oddities.extend(steps.iter().filter_map(|step| step.oddity()).chain(told));
        verdict.oddities.dedup();
        verdict
    }

    /// An odd reading and another that goes on from it: the device counts anew from there.
    fn begin_anew(&mut self, held: Held, doubted: Seen, seen: Seen) -> Verdict {
        let steps = self.steps(&held.raw, &doubted.raw, doubted.time.millis_since(held.time));
        let believed = held.registers();
        // What came soundly counts, whatever became of the other register.
        let anew = |step: Step, believed: MeterRegister, raw: MeterRegister| {
            signed(believed.wh().saturating_add(step.counted())) - signed(raw.wh())
        };
        let offset = Offset {
            import: anew(steps[0], believed.import, doubted.raw.import),
            export: anew(steps[1], believed.export, doubted.raw.export),
        };
        self.begin_era(doubted.time, offset);
        (self.doubted, self.doubts) = (None, 0);
        let onward = self.steps(&doubted.raw, &seen.raw, seen.time.millis_since(doubted.time));
        let mut verdict = self.go_on(Held { time: doubted.time, raw: doubted.raw, offset }, seen, onward);
        verdict.gap = Some((held.time, doubted.time));
        let odd = steps.iter().filter_map(|step| step.oddity());
        verdict.oddities.splice(0..0, odd);
        verdict.oddities.dedup();
        verdict
    }

    fn doubt(&mut self, seen: Seen) -> Verdict {
        self.doubted = Some(seen);
        self.doubts = self.doubts.saturating_add(1);
        let mut verdict = self.verdict(false);
        if self.doubts == NONSENSE {
            verdict.oddities.push(Oddity::Nonsense);
        }
        verdict
    }

    fn begin_era(&mut self, began: Timestamp, offset: Offset) {
        self.eras.push(Era { began, offset });
        if self.eras.len() > ERAS {
            self.eras.remove(0);
        }
    }
}
