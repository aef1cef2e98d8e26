//! The interval registers: a model of our own in SunSpec's range for vendors.
//!
//! A device that has it keeps, for every interval that ended, its registers as they stood at the very end:
//! what revenue meters do. Interval `n` begins `n * IntvSec` seconds after 1970-01-01T00:00:00Z in the
//! device's time. The model ends with a ring of `Cnt` entries of [`ENTRY`] registers each; interval `n` is
//! entry `n % Cnt`, and one read of an entry is one look at it.
//!
//! Always: what an entry shows is what the device's own registers showed, wraps and all.

use super::Kind::{Pad, Scale, Uint16, Uint32};
use super::{Point, Table, r};

/// The head of model 64850; the ring follows.
pub const INTERVALS: Table = Table { id: 64850, name: "interval registers", length: 8, points: POINTS };

/// Registers of an entry.
pub const ENTRY: u16 = 12;

const POINTS: &[Point] = &[
    r(2, "Ver", Uint16, "", ""),
    r(3, "Cnt", Uint16, "", ""),
    r(4, "IntvSec", Uint32, "", "Secs"),
    r(6, "Last", Uint32, "", ""),
    r(8, "WH_SF", Scale, "", ""),
    r(9, "Pad", Pad, "", ""),
];
