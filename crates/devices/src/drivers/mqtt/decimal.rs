//! Decimal numbers as devices write them, and the units they may be in.
//!
//! Always: exact. The text's digits are taken as they stand, never through a binary fraction; what is less
//! than the target's whole unit is cut off, towards zero, as a register that counts whole units would.

use std::fmt;

/// More digits than any device writes, and few enough to be scaled without overflow.
const MOST_DIGITS: usize = 30;
/// The largest exponent of ten that is taken, either way.
const MOST_EXPONENT: i32 = 60;

/// `±digits · 10^exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    digits: u128,
    exponent: i32,
}

impl Decimal {
    /// Reads `-12.50`, `7`, `.5` or `1.2e3`; `None` for everything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let fraction = fraction.trim_end_matches('0');
        let whole = if whole.is_empty() && mantissa.len() > 1 { "0" } else { whole };
        let numeral = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let length = whole.trim_start_matches('0').len() + fraction.len();
        if whole.is_empty() || !numeral(whole) || !numeral(fraction) || length > MOST_DIGITS {
            return None;
        }
        let digits = format!("{whole}{fraction}").parse().ok()?;
        let exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        (exponent.abs() <= MOST_EXPONENT).then_some(Self { negative, digits, exponent })
    }

    /// The number in whole units that are `10^-shift` of the one it is in, cut off towards zero; `None`
    /// where that does not fit.
    pub fn whole(self, shift: i32) -> Option<i128> {
        let exponent = self.exponent.checked_add(shift)?;
        let scale = 10u128.checked_pow(exponent.unsigned_abs());
        let digits = match (exponent < 0, scale) {
            (true, Some(scale)) => self.digits / scale,
            (true, None) => 0,
            (false, Some(scale)) => self.digits.checked_mul(scale)?,
            (false, None) if self.digits == 0 => 0,
            (false, None) => return None,
        };
        let digits = i128::try_from(digits).ok()?;
        Some(if self.negative { -digits } else { digits })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}", self.digits)?;
        if self.exponent == 0 { Ok(()) } else { write!(f, "e{}", self.exponent) }
    }
}

/// By how many powers of ten a unit of energy is larger than a watt-hour.
pub fn energy_unit(name: &str) -> Option<i32> {
    Some(match name {
        "Wh" => 0,
        "kWh" => 3,
        "MWh" => 6,
        _ => return None,
    })
}

/// By how many powers of ten a unit of power is larger than a watt.
pub fn power_unit(name: &str) -> Option<i32> {
    Some(match name {
        "W" => 0,
        "kW" => 3,
        "MW" => 6,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digits_are_taken_as_they_stand() {
        for (text, shift, whole) in [
            ("1234.5678", 3, 1_234_567),
            ("0.29", 3, 290), // a binary fraction would give 289
            ("4.35", 3, 4_350),
            ("16777217", 3, 16_777_217_000),
            ("9007199254740993", 0, 9_007_199_254_740_993),
            ("1.2e3", 0, 1_200),
            ("1.2E-3", 3, 1),
            (" 7 ", 0, 7),
            ("+7.", 0, 7),
            (".5", 3, 500),
            ("-12.9", 0, -12),
            ("-0.4", 0, 0),
            ("000012.30", 1, 123),
            ("1e-60", 6, 0),
        ] {
            assert_eq!(Decimal::parse(text).and_then(|number| number.whole(shift)), Some(whole), "{text}");
        }
    }

    #[test]
    fn everything_else_is_no_number() {
        for text in
            ["", ".", "-", "1,5", "12 kWh", "NaN", "inf", "null", "0x10", "1e", "1e99", "--1", "1.2.3", "٣"]
        {
            assert_eq!(Decimal::parse(text), None, "{text:?}");
        }
        assert_eq!(Decimal::parse(&"9".repeat(31)), None);
        assert_eq!(Decimal::parse("1e40").and_then(|number| number.whole(0)), None, "it does not fit");
    }

    proptest! {
        #[test]
        fn watt_hours_come_back_from_kilowatt_hours(wh in 0u64..=u64::MAX / 2) {
            let text = format!("{}.{:03}", wh / 1000, wh % 1000);
            prop_assert_eq!(Decimal::parse(&text).and_then(|number| number.whole(3)), Some(i128::from(wh)));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}", shift in -6i32..=6) {
            let _ = Decimal::parse(&text).and_then(|number| number.whole(shift));
        }
    }
}
