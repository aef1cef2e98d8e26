//! A model's registers, filled in by the names of its points.
//!
//! Always: what nobody fills in says that it is not implemented; a value that its point cannot hold is cut
//! to what it can, never wrapped, but for counters, which begin again. Not here: what the values are.

use crate::drivers::sunspec::tables::{Kind, Point, Table};

/// The registers of one model, from its id on.
pub(crate) struct Image {
    table: &'static Table,
    words: Vec<u16>,
}

impl Image {
    /// A model that implements nothing yet, with so many registers behind its table.
    pub(crate) fn new(table: &'static Table, behind: u16) -> Self {
        let mut words = vec![0; usize::from(table.length) + 2];
        words[0] = table.id;
        words[1] = table.length + behind;
        for point in table.points {
            let (first, rest) = point.kind.absent();
            let at = usize::from(point.at);
            words[at..at + usize::from(point.kind.registers())].fill(rest);
            words[at] = first;
        }
        Self { table, words }
    }

    /// The registers.
    pub(crate) fn into_words(self) -> Vec<u16> {
        self.words
    }

    /// Fills in a value in the units that its scale makes (a scale that is not set is none).
    pub(crate) fn set(&mut self, name: &str, value: impl Into<i128>) -> &mut Self {
        let value = value.into();
        let point = self.table.point(name);
        let (low, high): (i128, i128) = match point.kind {
            Kind::Int16 => (-0x7fff, 0x7fff),
            Kind::Scale => (-10, 10),
            Kind::Int32 => (-0x7fff_ffff, 0x7fff_ffff),
            Kind::Uint16 | Kind::Enum16 | Kind::Bits16 => (0, 0xfffe),
            Kind::Uint32 | Kind::Bits32 => (0, 0xffff_fffe),
            Kind::Uint64 => (0, i128::from(u64::MAX) - 1),
            Kind::Acc32 => (i128::MIN, i128::MAX),
            Kind::Text(_) | Kind::Pad => unreachable!("{name} is no number"),
        };
        self.put(point, value.clamp(low, high));
        self
    }

    /// Sets a scale, and fills in a value of it in units, rounded towards zero.
    pub(crate) fn scaled(&mut self, name: &str, value: i128, scale: u8) -> &mut Self {
        let point = self.table.point(name);
        self.set(point.scale, scale);
        self.set(name, value / 10_i128.pow(scale.into()))
    }

    /// Fills in a text, cut to its place.
    pub(crate) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        let point = self.table.point(name);
        let room = usize::from(point.kind.registers());
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(room * 2, 0);
        for (word, pair) in self.words[usize::from(point.at)..][..room].iter_mut().zip(bytes.chunks(2)) {
            *word = u16::from_be_bytes([pair[0], pair[1]]);
        }
        self
    }

    fn put(&mut self, point: &Point, value: i128) {
        let registers = usize::from(point.kind.registers());
        for (number, word) in self.words[usize::from(point.at)..][..registers].iter_mut().enumerate() {
            // Two's complement and beginning again are both the low bits.
            *word = (value >> (16 * (registers - 1 - number))) as u16;
        }
    }

    /// Puts registers in their places, such as what was written.
    pub(crate) fn overlay(&mut self, at: u16, words: &[u16]) -> &mut Self {
        self.words[usize::from(at)..][..words.len()].copy_from_slice(words);
        self
    }

    /// A value as it stands, without its scale.
    pub(crate) fn raw(&self, name: &str) -> i128 {
        let point = self.table.point(name);
        let words = &self.words[usize::from(point.at)..][..usize::from(point.kind.registers())];
        let bits = words.iter().fold(0_i128, |bits, word| bits << 16 | i128::from(*word));
        match point.kind {
            Kind::Int16 | Kind::Scale => i128::from(bits as i16),
            Kind::Int32 => i128::from(bits as i32),
            _ => bits,
        }
    }
}

/// The smallest scale in which a value fits a register that holds no more than `most`.
pub(crate) fn scale_for(value: u64, most: u64) -> u8 {
    let mut scale = 0;
    while scale < 10 && value / 10_u64.pow(scale.into()) > most {
        scale += 1;
    }
    scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drivers::sunspec::tables;

    #[test]
    fn what_is_not_filled_in_is_not_implemented_and_what_does_not_fit_is_cut() {
        let mut image = Image::new(&tables::meter::METER_3, 0);
        image.set("W", -70_000).set("Hz", -1).set("TotWhImp", (1_i64 << 32) + 7).scaled("PhV", 2_399, 1);
        let words = image.into_words();
        assert_eq!(words[..2], [203, 105]);
        assert_eq!((words[18], words[16], words[15], words[7]), (0x8001, 0xffff, 1, 239));
        assert_eq!((words[46], words[47], words[22], words[2]), (0, 7, 0x8000, 0x8000));
        assert_eq!(
            [scale_for(32_767, 32_767), scale_for(32_768, 32_767), scale_for(7_000_000, 65_534)],
            [0, 1, 3]
        );
    }
}
