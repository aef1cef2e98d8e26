//! Registers into values: exact, in whole numbers and powers of ten.
//!
//! Always: what is not implemented, or has a scale that is not, is `None`; nothing is rounded but where a
//! function says so. Not here: where the registers come from.

use super::tables::{Kind, Table};
use wattbook_types::Timestamp;

/// Registers of a model, read in one request.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) table: &'static Table,
    /// The first register, counted from the model's id.
    pub(super) first: u16,
    pub(super) words: Vec<u16>,
    /// Ledger time half-way between the request and its reply.
    pub(super) time: Timestamp,
}

/// A whole number times a power of ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) digits: i128,
    /// From -10 to 10.
    pub(super) exponent: i8,
}

impl Block {
    fn words_of(&self, at: u16, count: u16) -> Option<&[u16]> {
        let from = usize::from(at.checked_sub(self.first)?);
        self.words.get(from..from + usize::from(count))
    }

    /// A point's words.
    pub(super) fn words(&self, name: &str) -> Option<&[u16]> {
        let point = self.table.point(name);
        self.words_of(point.at, point.kind.registers())
    }

    /// A value as it stands, without its scale.
    pub(super) fn raw(&self, name: &str) -> Option<i128> {
        let kind = self.table.point(name).kind;
        let words = self.words(name)?;
        let (first, rest) = kind.absent();
        let absent = words[0] == first && words[1..].iter().all(|word| *word == rest);
        // A counter at zero and one that is not there look alike; the former is more useful.
        if absent && kind != Kind::Acc32 {
            return None;
        }
        let bits = words.iter().fold(0_i128, |bits, word| bits << 16 | i128::from(*word));
        Some(match kind {
            Kind::Int16 | Kind::Scale => i128::from(bits as i16),
            Kind::Int32 => i128::from(bits as i32),
            _ => bits,
        })
    }

    /// A value with its scale.
    pub(super) fn value(&self, name: &str) -> Option<Decimal> {
        let scale = self.table.point(name).scale;
        let exponent = if scale.is_empty() { 0 } else { self.scale(scale)? };
        Some(Decimal { digits: self.raw(name)?, exponent })
    }

    /// A power of ten.
    pub(super) fn scale(&self, name: &str) -> Option<i8> {
        let exponent = self.raw(name)?;
        (-10..=10).contains(&exponent).then_some(exponent as i8)
    }

    /// A text without what fills it up; `None` where it is empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let bytes: Vec<u8> = self.words(name)?.iter().flat_map(|word| word.to_be_bytes()).collect();
        let text = String::from_utf8_lossy(&bytes);
        // Devices fill up with zeros, some with blanks, and some with both.
        let text = text.split('\0').next().unwrap_or_default().trim();
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        (!text.is_empty()).then_some(text)
    }
}

impl Decimal {
    /// As a whole number, rounded towards less.
    pub(super) fn floor(self) -> i128 {
        if self.exponent >= 0 { self.digits * self.power() } else { self.digits.div_euclid(self.power()) }
    }

    /// As a whole number that is not negative, rounded towards less; `None` where it is none, or too large.
    pub(super) fn whole(self) -> Option<u64> {
        u64::try_from(self.floor()).ok()
    }

    /// As a whole number with a sign, rounded towards zero; the extreme one where it does not fit.
    pub(super) fn towards_zero(self) -> i64 {
        let magnitude = Self { digits: self.digits.abs(), ..self }.floor();
        let magnitude = i64::try_from(magnitude).unwrap_or(i64::MAX);
        if self.digits < 0 { -magnitude } else { magnitude }
    }

    fn power(self) -> i128 {
        10_i128.pow(self.exponent.unsigned_abs().into())
    }
}

/// So many units of a percentage's register as make up `part` of `whole`: rounded down, so that it is never
/// more than asked for, and never more than all. `exponent` is the percentage's scale. `None` where the
/// whole is nothing.
pub(super) fn percentage(part: u64, whole: Decimal, exponent: i8) -> Option<i128> {
    if whole.digits <= 0 {
        return None;
    }
    // part / (digits * 10^e) * 100 / 10^exponent, as one fraction.
    let shift = 2 - i32::from(whole.exponent) - i32::from(exponent);
    let ten = 10_i128.pow(shift.unsigned_abs());
    let (over, under) = if shift >= 0 { (ten, 1) } else { (1, ten) };
    let all = Decimal { digits: 100, exponent: exponent.saturating_neg() }.floor();
    Some((i128::from(part).checked_mul(over)? / (whole.digits * under)).min(all))
}

/// What so many units of a percentage's register are of `whole`, rounded down.
pub(super) fn part(units: i128, whole: Decimal, exponent: i8) -> Option<u64> {
    let shift = i32::from(whole.exponent) + i32::from(exponent) - 2;
    let ten = 10_i128.pow(shift.unsigned_abs());
    let product = units.max(0).checked_mul(whole.digits.max(0))?;
    u64::try_from(if shift >= 0 { product.checked_mul(ten)? } else { product / ten }).ok()
}

#[cfg(test)]
mod tests {
    use super::super::tables;
    use super::*;
    use proptest::prelude::*;

    fn block(words: &[(u16, u16)]) -> Block {
        let mut block = Block {
            table: &tables::meter::METER_3,
            first: 0,
            words: vec![0x8000; 107],
            time: Timestamp::from_millis(0),
        };
        for (at, word) in words {
            block.words[usize::from(*at)] = *word;
        }
        block
    }

    #[test]
    fn values_are_exact_and_what_is_not_implemented_is_nothing() {
        let tenth = 0xffff;
        let block = block(&[(18, 0xffce), (22, tenth), (46, 0x0001), (47, 0x0005), (54, 2)]);
        let power = block.value("W").expect("implemented");
        assert_eq!(
            (power, power.floor(), power.towards_zero()),
            (Decimal { digits: -50, exponent: -1 }, -5, -5)
        );
        assert_eq!(block.value("TotWhImp").and_then(Decimal::whole), Some(6_554_100));
        // Not implemented itself; implemented, but its scale is not; a scale beyond all scales.
        assert_eq!((block.value("WphA"), block.value("PhV")), (None, None));
        let strange = self::block(&[(18, 1), (22, 11)]);
        assert_eq!(strange.value("W"), None);
    }

    #[test]
    fn rounding_says_where_it_goes() {
        let minus = Decimal { digits: -15, exponent: -1 };
        assert_eq!((minus.floor(), minus.towards_zero(), minus.whole()), (-2, -1, None));
        assert_eq!(Decimal { digits: 7, exponent: 3 }.whole(), Some(7_000));
        assert_eq!(Decimal { digits: i128::from(u64::MAX), exponent: 1 }.whole(), None);
    }

    proptest! {
        #[test]
        fn a_limit_in_percent_is_never_more_than_asked_and_zero_is_zero(
            limit in 0_u64..10_000_000, digits in 1_i128..70_000, exponent in -2_i8..4, scale in -4_i8..=0,
        ) {
            let whole = Decimal { digits, exponent };
            let units = percentage(limit, whole, scale).expect("the whole is something");
            let granted = part(units, whole, scale).expect("it fits");
            prop_assert!(granted <= limit);
            prop_assert_eq!(percentage(0, whole, scale), Some(0));
            // And no less than a unit below it, or everything.
            let more = part(units + 1, whole, scale).expect("it fits");
            prop_assert!(more >= limit || units == 100 * 10_i128.pow(u32::from(scale.unsigned_abs())));
        }
    }
}
