//! The register tables of the models that are read, written or served here.
//!
//! Source: the SunSpec Alliance's model definitions (github.com/sunspec/models, `json/model_<id>.json`, as
//! shipped with pysunspec2 1.3.7; a test compares every row with them). Offsets count from the register
//! that holds the model's id, as the definitions do.
//!
//! Always: rows ascend and leave no gap; a table holds all points of its model, also those that nobody
//! here uses, as a device must fill them. Not here: repeating groups, and models of floating numbers
//! (111 to 113, 211 to 214).

pub mod battery;
pub mod common;
pub mod controls;
pub mod der;
pub mod ending;
pub mod interval;
pub mod inverter;
pub mod meter;

/// A model.
#[derive(Debug)]
pub struct Table {
    /// Its number.
    pub id: u16,
    /// What it is about.
    pub name: &'static str,
    /// How many registers follow its id and length.
    pub length: u16,
    /// Its points, ascending.
    pub points: &'static [Point],
}

/// A point: one value in a model.
#[derive(Debug)]
pub struct Point {
    /// Its first register, counted from the model's id.
    pub at: u16,
    /// Its name in the definitions; of a point in a group `group.name`.
    pub name: &'static str,
    /// How it is encoded.
    pub kind: Kind,
    /// The point that scales it; empty where none does.
    pub scale: &'static str,
    /// Its unit; empty where it has none.
    pub unit: &'static str,
    /// Whether it can be set.
    pub set: bool,
}

/// How a value is encoded, most significant register first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Two's complement; 0x8000 is not implemented.
    Int16,
    /// 0xFFFF is not implemented.
    Uint16,
    /// Two's complement; 0x80000000 is not implemented.
    Int32,
    /// 0xFFFFFFFF is not implemented.
    Uint32,
    /// All ones are not implemented.
    Uint64,
    /// Counts up and begins again from zero; zero is also what is not implemented.
    Acc32,
    /// One of several; 0xFFFF is not implemented.
    Enum16,
    /// Bits; 0xFFFF is not implemented.
    Bits16,
    /// Bits; 0xFFFFFFFF is not implemented.
    Bits32,
    /// A power of ten, from -10 to 10; 0x8000 is not implemented.
    Scale,
    /// So many registers of two characters each, filled up with zero.
    Text(u16),
    /// Fills a place; always 0x8000.
    Pad,
}

impl Kind {
    /// How many registers it takes.
    pub const fn registers(self) -> u16 {
        match self {
            Self::Int16 | Self::Uint16 | Self::Enum16 | Self::Bits16 | Self::Scale | Self::Pad => 1,
            Self::Int32 | Self::Uint32 | Self::Acc32 | Self::Bits32 => 2,
            Self::Uint64 => 4,
            Self::Text(registers) => registers,
        }
    }

    /// What stands there where it is not implemented: the first register's word and that of the rest.
    pub const fn absent(self) -> (u16, u16) {
        match self {
            Self::Int16 | Self::Scale | Self::Pad => (0x8000, 0x8000),
            Self::Int32 => (0x8000, 0),
            Self::Uint16 | Self::Uint32 | Self::Uint64 | Self::Enum16 | Self::Bits16 | Self::Bits32 => {
                (0xffff, 0xffff)
            }
            Self::Acc32 | Self::Text(_) => (0, 0),
        }
    }
}

impl Table {
    /// A point by its name. A name that is not in the table is a mistake in this program.
    pub fn point(&self, name: &str) -> &'static Point {
        match self.points.iter().find(|point| point.name == name) {
            Some(point) => point,
            None => unreachable!("model {} has no point {name}", self.id),
        }
    }
}

/// All models that are known here.
pub const ALL: &[&Table] = &[
    &common::COMMON,
    &inverter::INVERTER_1,
    &inverter::INVERTER_2,
    &inverter::INVERTER_3,
    &inverter::NAMEPLATE,
    &inverter::SETTINGS,
    &controls::CONTROLS,
    &controls::STORAGE,
    &meter::METER_1,
    &meter::METER_2,
    &meter::METER_3,
    &meter::METER_DELTA,
    &der::MEASUREMENT,
    &der::CAPACITY,
    &der::POWER_CONTROLS,
    &der::STORED,
    &battery::BATTERY,
    &ending::ENDING,
    &interval::INTERVALS,
];

/// The table of a model, where it is known.
pub fn table(id: u16) -> Option<&'static Table> {
    ALL.iter().copied().find(|table| table.id == id)
}

/// A point that is only read.
const fn r(at: u16, name: &'static str, kind: Kind, scale: &'static str, unit: &'static str) -> Point {
    Point { at, name, kind, scale, unit, set: false }
}

/// A point that can be set.
const fn w(at: u16, name: &'static str, kind: Kind, scale: &'static str, unit: &'static str) -> Point {
    Point { at, name, kind, scale, unit, set: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_neither_gaps_nor_overlaps_and_their_scales_exist() {
        for table in ALL {
            let mut next = 2;
            for point in table.points {
                assert_eq!(point.at, next, "model {} {}", table.id, point.name);
                next += point.kind.registers();
                if !point.scale.is_empty() {
                    assert_eq!(table.point(point.scale).kind, Kind::Scale);
                }
            }
            assert_eq!(next, table.length + 2, "model {}", table.id);
        }
    }
}
