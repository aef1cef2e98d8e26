//! When limits end: a model of our own in SunSpec's range for vendors.
//!
//! The lease of model 124 begins when the device hears it, however late that is. What is written here is a
//! moment instead, in seconds after 1970-01-01T00:00:00Z in the device's time: limits that are written to
//! model 124 next fall to zero then at the latest, and never rise where it has passed. 0 is no such moment.
//! In accelerated time, in which a command that is 20 ms late is 18 s late, nothing else keeps a slot's
//! delivery within the slot.
//!
//! Always: it holds for one write of model 124, so that nobody's old word ends somebody else's limits.

use super::Kind::Uint32;
use super::{Point, Table, w};

/// Model 64851.
pub const ENDING: Table = Table { id: 64851, name: "end of limits", length: 2, points: POINTS };

const POINTS: &[Point] = &[w(2, "InOutWRte_RvrtAt", Uint32, "", "Secs")];
