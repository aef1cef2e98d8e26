//! Ledger time and the slots that trading is cut into.
//!
//! Always: a time is a whole number of milliseconds of ledger time since 1970-01-01T00:00:00Z; a slot is
//! numbered from that same instant. Not here: any clock. Time is an argument.

use crate::bounded::decode_checked;
use borsh::{BorshDeserialize, BorshSerialize};

/// A moment of ledger time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "ledger", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "ledger", serde(transparent))]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// As milliseconds since 1970-01-01T00:00:00Z.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Later by so many milliseconds; the last representable moment on overflow.
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Earlier by so many milliseconds; the first representable moment on underflow.
    pub const fn minus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_sub(millis))
    }

    /// Milliseconds since an earlier moment, zero where that one is later.
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Milliseconds between two moments, whichever comes first.
    pub const fn distance(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }
}

/// How long a slot is, in whole seconds (1800 by default, never 0); bytes or JSON that say 0 are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize)]
#[cfg_attr(feature = "ledger", derive(serde::Serialize))]
#[cfg_attr(feature = "ledger", serde(transparent))]
pub struct SlotLength(u32);

decode_checked!(SlotLength, u32, "a slot of no length");

impl SlotLength {
    /// From seconds; a slot lasts at least one.
    pub const fn from_seconds(seconds: u32) -> Self {
        Self(if seconds == 0 { 1 } else { seconds })
    }

    /// From seconds, or `None` where there are none.
    pub const fn checked(seconds: u32) -> Option<Self> {
        if seconds == 0 { None } else { Some(Self(seconds)) }
    }

    /// As seconds.
    pub const fn seconds(self) -> u64 {
        self.0 as u64
    }

    /// As milliseconds.
    pub const fn millis(self) -> u64 {
        self.seconds() * 1000
    }

    /// The slot that a moment lies in.
    pub const fn slot_at(self, time: Timestamp) -> Slot {
        Slot(time.0 / self.millis())
    }
}

/// A trading interval, numbered by whole slot lengths since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "ledger", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "ledger", serde(transparent))]
pub struct Slot(u64);

impl Slot {
    /// From its number.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// When it begins.
    pub const fn start(self, length: SlotLength) -> Timestamp {
        Timestamp(self.0.saturating_mul(length.millis()))
    }

    /// When it ends, which is when the next one begins.
    pub const fn end(self, length: SlotLength) -> Timestamp {
        self.next().start(length)
    }

    /// The slot after this one.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The slot before this one; slot 0 has none and stays.
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The slot so many later.
    pub const fn plus(self, slots: u64) -> Self {
        Self(self.0.saturating_add(slots))
    }
}

/// An interval of ledger time: from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "ledger", derive(serde::Serialize, serde::Deserialize))]
pub struct Interval {
    /// The first moment in it.
    pub start: Timestamp,
    /// The first moment after it.
    pub end: Timestamp,
}

impl Interval {
    /// The interval of a slot.
    pub const fn of_slot(slot: Slot, length: SlotLength) -> Self {
        Self { start: slot.start(length), end: slot.end(length) }
    }

    /// The moment halfway through it.
    pub const fn middle(self) -> Timestamp {
        Timestamp(self.start.0 + self.end.0.saturating_sub(self.start.0) / 2)
    }
}

/// How ledger time follows real time: `ledger = ledger_origin + (real - real_origin) * rate`.
///
/// A real community has a rate of 1; a demonstration runs faster and says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "ledger", derive(serde::Serialize, serde::Deserialize))]
pub struct LedgerClock {
    /// Real milliseconds since 1970 at which the map is anchored.
    pub real_origin: u64,
    /// Ledger time at that moment.
    pub ledger_origin: Timestamp,
    /// Ledger milliseconds per `rate_per` real milliseconds.
    pub rate: u32,
    /// See `rate`; never 0.
    pub rate_per: u32,
    /// Whether time runs other than in reality.
    pub accelerated: bool,
}

impl LedgerClock {
    /// Ledger time equal to real time.
    pub const REAL: Self =
        Self { real_origin: 0, ledger_origin: Timestamp(0), rate: 1, rate_per: 1, accelerated: false };

    /// Ledger time at a real moment (milliseconds since 1970), rounded down; before the anchor, the
    /// ledger's origin.
    pub fn ledger_at(&self, real_millis: u64) -> Timestamp {
        let passed = u128::from(real_millis.saturating_sub(self.real_origin));
        let scaled = passed * u128::from(self.rate) / u128::from(self.rate_per.max(1));
        self.ledger_origin.plus_millis(u64::try_from(scaled).unwrap_or(u64::MAX))
    }

    /// The first real moment (milliseconds since 1970) at which ledger time has reached `time`.
    pub fn real_at(&self, time: Timestamp) -> u64 {
        let passed = u128::from(time.millis_since(self.ledger_origin));
        let scaled = (passed * u128::from(self.rate_per.max(1))).div_ceil(u128::from(self.rate.max(1)));
        self.real_origin.saturating_add(u64::try_from(scaled).unwrap_or(u64::MAX))
    }
}
