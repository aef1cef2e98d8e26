//! Model 1, which says what a device is; every SunSpec device begins with it.

use super::Kind::{Pad, Text, Uint16};
use super::{Point, Table, r, w};

/// Model 1.
pub const COMMON: Table = Table { id: 1, name: "common", length: 66, points: POINTS };

const POINTS: &[Point] = &[
    r(2, "Mn", Text(16), "", ""),
    r(18, "Md", Text(16), "", ""),
    r(34, "Opt", Text(8), "", ""),
    r(42, "Vr", Text(8), "", ""),
    r(50, "SN", Text(16), "", ""),
    w(66, "DA", Uint16, "", ""),
    r(67, "Pad", Pad, "", ""),
];
