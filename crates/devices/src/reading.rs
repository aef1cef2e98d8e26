//! What a device answers: a value with its time and quality, or word that there is none.
//!
//! Always: a reading that is missing has no value, so that nobody takes an absent reading for zero.

use serde::{Deserialize, Serialize};
use wattbook_types::{Power, Timestamp};

/// How a value came about; the later, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Read from the device.
    Measured,
    /// Put in place of a reading by a stated rule.
    Substituted,
    /// Somebody's estimate, or of unknown origin.
    Estimated,
    /// There is none.
    Missing,
}

impl Quality {
    /// The worse of two: what is made of both is no better than either.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        self.max(other)
    }
}

/// A value, when it was so, and how it came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading<T> {
    time: Timestamp,
    quality: Quality,
    value: Option<T>,
}

impl<T> Reading<T> {
    /// A measured value.
    pub const fn measured(time: Timestamp, value: T) -> Self {
        Self { time, quality: Quality::Measured, value: Some(value) }
    }

    /// A value of any quality; missing where it is said to be.
    pub fn new(time: Timestamp, quality: Quality, value: T) -> Self {
        Self { time, quality, value: (quality != Quality::Missing).then_some(value) }
    }

    /// Word that there is no value for that time.
    pub const fn missing(time: Timestamp) -> Self {
        Self { time, quality: Quality::Missing, value: None }
    }

    /// The time that the value belongs to (ledger time).
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// How it came about.
    pub const fn quality(&self) -> Quality {
        self.quality
    }

    /// The value, where there is one.
    pub const fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// The value, or an error that says that it is missing.
    pub fn required(self) -> Result<T, DeviceError> {
        self.value.ok_or(DeviceError::Missing { time: self.time })
    }

    /// Another value of the same time and quality.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Reading<U> {
        Reading { time: self.time, quality: self.quality, value: self.value.map(f) }
    }
}

/// Power with a direction, in watts: positive into what is measured, negative out of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignedPower(i64);

impl SignedPower {
    /// What flows in less what flows out; the extreme value where that does not fit.
    pub const fn between(import: Power, export: Power) -> Self {
        let watts = import.watts() as i128 - export.watts() as i128;
        Self(if watts > i64::MAX as i128 {
            i64::MAX
        } else if watts < i64::MIN as i128 {
            i64::MIN
        } else {
            watts as i64
        })
    }

    /// As watts.
    pub const fn watts(self) -> i64 {
        self.0
    }
}

/// Why a device did not do or answer what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// Nobody answers; the next call tries again.
    #[error("the device at {address} does not answer: {reason}")]
    Unreachable {
        /// Where it should be.
        address: String,
        /// What went wrong.
        reason: String,
    },
    /// The device answers that it has no such value (yet).
    #[error("no reading for {} ms of ledger time", time.millis())]
    Missing {
        /// The time asked for.
        time: Timestamp,
    },
    /// The device refuses, or has no such part.
    #[error("the device refuses: {0}")]
    Refused(String),
    /// The device answers something that its protocol does not allow.
    #[error("the device answers wrongly: {0}")]
    Protocol(String),
    /// The configuration names no driver, or one that cannot do this.
    #[error("{0}")]
    Configuration(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_reading_is_never_a_zero() {
        let reading: Reading<u64> = Reading::missing(Timestamp::from_millis(7));
        assert_eq!(reading.value(), None);
        assert_eq!(reading.required(), Err(DeviceError::Missing { time: Timestamp::from_millis(7) }));
    }
}
