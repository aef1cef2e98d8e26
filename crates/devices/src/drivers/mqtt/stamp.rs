//! The times that devices put into their messages.
//!
//! Always: a time without its distance from UTC is understood only where the address says the distance.
//! Forms: seconds or milliseconds since 1970, and ISO 8601 dates with a time.

use super::decimal::Decimal;
use crate::clock::Clock;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use wattbook_types::Timestamp;

/// Numbers from here on are milliseconds: as seconds they would lie beyond the year 5000.
const MILLISECONDS_FROM: i128 = 100_000_000_000;

/// Reads a time as milliseconds since 1970.
pub fn parse(text: &str, offset: Option<Offset>) -> Result<u64, &'static str> {
    let text = text.trim();
    if let Some(number) = Decimal::parse(text) {
        let whole = number.whole(0).unwrap_or(-1);
        let millis = if whole < MILLISECONDS_FROM { number.whole(3) } else { Some(whole) };
        return millis.and_then(|millis| u64::try_from(millis).ok()).ok_or("it lies before 1970");
    }
    let instant = match (text.parse::<jiff::Timestamp>(), text.parse::<DateTime>(), offset) {
        (Ok(instant), _, _) => instant,
        (Err(_), Ok(local), Some(offset)) => {
            let zoned = local.to_zoned(TimeZone::fixed(offset));
            zoned.map_err(|_| "it is out of range")?.timestamp()
        }
        (Err(_), Ok(_), None) => {
            return Err("it does not say how far it is from UTC: say time_offset=+01:00 or the like");
        }
        (Err(_), Err(_), _) => {
            return Err("it is neither a number of seconds since 1970 nor an ISO 8601 time");
        }
    };
    u64::try_from(instant.as_millisecond()).map_err(|_| "it lies before 1970")
}

/// Reads a distance from UTC such as `+01:00`, `-0330` or `Z`.
pub fn offset(text: &str) -> Option<Offset> {
    if text == "Z" {
        return Some(Offset::UTC);
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replacen(':', "", 1);
    if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok().filter(|_| hours < 24 && minutes < 60)
}

/// The ledger time of a real time.
pub fn ledger_time(clock: &Clock, millis: u64) -> Timestamp {
    match clock {
        Clock::System(map) => map.ledger_at(millis),
        Clock::Manual(_) => Timestamp::from_millis(millis),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_forms_that_devices_use() {
        let offset = offset("+01:00");
        for (text, millis) in [
            ("1700000000", 1_700_000_000_000),
            ("1700000000.25", 1_700_000_000_250),
            ("1700000000123", 1_700_000_000_123),
            ("2023-11-14T22:13:20Z", 1_700_000_000_000),
            ("2023-11-14T23:13:20+01:00", 1_700_000_000_000),
            ("2023-11-14T23:13:20+0100", 1_700_000_000_000),
            ("2023-11-14T23:13:20", 1_700_000_000_000),
            ("2023-11-14 23:13:20", 1_700_000_000_000),
        ] {
            assert_eq!(parse(text, offset), Ok(millis), "{text}");
        }
        assert!(parse("2023-11-14T23:13:20", None).is_err_and(|why| why.contains("time_offset")));
        for text in ["", "noon", "-5", "1969-01-01T00:00:00Z"] {
            assert!(parse(text, offset).is_err(), "{text}");
        }
    }

    #[test]
    fn distances_from_utc_are_read_or_refused() {
        for (text, seconds) in [("+01:00", 3600), ("-0330", -12_600), ("Z", 0), ("+00:00", 0)] {
            assert_eq!(offset(text).map(Offset::seconds), Some(seconds), "{text}");
        }
        for text in ["", "1", "+1", "+24:00", "+01:60", "01:00", "+0a:00", "é"] {
            assert!(offset(text).is_none(), "{text}");
        }
    }
}
