//! Dates and times as nodes show them: local ones, without a zone.
//!
//! Always: a node's local time is a fixed distance from UTC, which whoever configures it knows; a date that
//! is none is refused. Not here: zones with summer time (Japan has none, and neither should a meter).

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use std::fmt;
use std::str::FromStr;
use wattbook_types::Timestamp;

/// How far local time is ahead of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UtcOffset(Offset);

/// A local date and time, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallTime(DateTime);

impl UtcOffset {
    /// Japan's.
    pub const JAPAN: Self = Self(jiff::tz::offset(9));

    /// The local time at a moment; `None` beyond the calendar.
    pub fn wall(self, time: Timestamp) -> Option<WallTime> {
        let seconds = i64::try_from(time.millis() / 1000).ok()?;
        Some(WallTime(self.0.to_datetime(jiff::Timestamp::from_second(seconds).ok()?)))
    }

    /// The moment of a local time; `None` before 1970.
    pub fn moment(self, wall: WallTime) -> Option<Timestamp> {
        let seconds = self.0.to_timestamp(wall.0).ok()?.as_second();
        Some(Timestamp::from_millis(u64::try_from(seconds).ok()?.checked_mul(1000)?))
    }
}

impl FromStr for UtcOffset {
    type Err = ();

    /// From `+09:00` or `-03:30`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (sign, rest) = match text.split_at_checked(1).ok_or(())? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return Err(()),
        };
        let (hours, minutes) = rest.split_once(':').ok_or(())?;
        let two_digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !two_digits(hours) || !two_digits(minutes) {
            return Err(());
        }
        let (hours, minutes): (i32, i32) = (hours.parse().map_err(drop)?, minutes.parse().map_err(drop)?);
        if hours > 14 || minutes > 59 {
            return Err(());
        }
        Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).map(Self).map_err(drop)
    }
}

impl WallTime {
    /// From seven bytes: year (two), month, day, hour, minute, second. Hour 24 is the next day's beginning.
    pub fn from_bytes(bytes: [u8; 7]) -> Option<Self> {
        let [y1, y0, month, day, hour, minute, second] = bytes;
        let date = date([y1, y0, month, day])?;
        if (hour, minute, second) == (24, 0, 0) {
            return Some(Self(date.tomorrow().ok()?.to_datetime(jiff::civil::Time::midnight())));
        }
        let small = |byte: u8| i8::try_from(byte).ok();
        let time = jiff::civil::Time::new(small(hour)?, small(minute)?, small(second)?, 0).ok()?;
        Some(Self(date.to_datetime(time)))
    }

    /// From a date (four bytes) and a time to the minute (two bytes).
    pub fn from_date_and_minute(date: [u8; 4], minute: [u8; 2]) -> Option<Self> {
        let ([a, b, c, d], [hour, minute]) = (date, minute);
        Self::from_bytes([a, b, c, d, hour, minute, 0])
    }

    /// As seven bytes.
    pub fn bytes(self) -> [u8; 7] {
        let [a, b, c, d] = self.date_bytes();
        let time = self.0.time();
        [a, b, c, d, time.hour() as u8, time.minute() as u8, time.second() as u8]
    }

    /// Its date as four bytes.
    pub fn date_bytes(self) -> [u8; 4] {
        let date = self.0.date();
        let [high, low] = (date.year() as u16).to_be_bytes();
        [high, low, date.month() as u8, date.day() as u8]
    }

    /// Its time to the minute as two bytes.
    pub fn minute_bytes(self) -> [u8; 2] {
        [self.0.hour() as u8, self.0.minute() as u8]
    }

    /// How many days its date is after another's; negative before.
    pub fn days_after(self, other: Self) -> i64 {
        i64::from(self.day_number() - other.day_number())
    }

    /// Which half-hour of its day begins at it, from 0; `None` where none does.
    pub fn half_hour(self) -> Option<usize> {
        let time = self.0.time();
        let whole = time.minute() % 30 == 0 && time.second() == 0;
        whole.then(|| time.hour() as usize * 2 + usize::from(time.minute() == 30))
    }

    /// The beginning of its day, so many days earlier; `None` beyond the calendar.
    pub fn midnight_before(self, days: u8) -> Option<Self> {
        let date = self.0.date().checked_sub(jiff::Span::new().days(i64::from(days))).ok()?;
        Some(Self(date.to_datetime(jiff::civil::Time::midnight())))
    }

    /// So many half-hours later; `None` beyond the calendar.
    pub fn plus_half_hours(self, count: usize) -> Option<Self> {
        let minutes = i64::try_from(count).ok()?.checked_mul(30)?;
        self.0.checked_add(jiff::Span::new().try_minutes(minutes).ok()?).ok().map(Self)
    }

    fn day_number(self) -> i32 {
        let since = self.0.date().since(jiff::civil::date(1970, 1, 1)).expect("days always fit");
        since.get_days()
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

fn date([high, low, month, day]: [u8; 4]) -> Option<Date> {
    let year = i16::try_from(u16::from_be_bytes([high, low])).ok()?;
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn local_time_is_ahead_of_utc_by_a_fixed_distance() {
        // 2026-03-01T00:30:00+09:00, seven and a half hours before that midnight in Greenwich.
        let moment = Timestamp::from_millis(1_772_292_600_000);
        let wall = UtcOffset::JAPAN.wall(moment).expect("a time");
        assert_eq!(wall.to_string(), "2026-03-01T00:30:00");
        assert_eq!(wall.bytes(), [0x07, 0xEA, 3, 1, 0, 30, 0]);
        assert_eq!(UtcOffset::JAPAN.moment(wall), Some(moment));
        assert_eq!(wall.half_hour(), Some(1));
        let midnight = wall.midnight_before(1).expect("a day");
        assert_eq!(midnight.to_string(), "2026-02-28T00:00:00");
        assert_eq!(wall.days_after(midnight), 1);
        assert_eq!(midnight.plus_half_hours(49), Some(wall));
        assert_eq!(WallTime::from_bytes([0x07, 0xEA, 2, 28, 24, 0, 0]), wall.midnight_before(0));
        for wrong in [[0x07, 0xEA, 2, 30, 0, 0, 0], [0x07, 0xEA, 2, 1, 24, 0, 1], [255; 7], [0; 7]] {
            assert_eq!(WallTime::from_bytes(wrong), None);
        }
    }

    #[test]
    fn offsets_are_read_or_refused() {
        assert_eq!("+09:00".parse(), Ok(UtcOffset::JAPAN));
        let india: UtcOffset = "+05:30".parse().expect("an offset");
        assert_eq!(india.wall(Timestamp::from_millis(0)).expect("a time").to_string(), "1970-01-01T05:30:00");
        for wrong in ["", "9", "09:00", "+9:00", "+09:60", "+15:00", "+09:00 ", "+é9:00", "Z"] {
            assert_eq!(wrong.parse::<UtcOffset>(), Err(()), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_seven_bytes_are_a_time_or_none(bytes in any::<[u8; 7]>()) {
            if let Some(wall) = WallTime::from_bytes(bytes) {
                prop_assert_eq!(WallTime::from_bytes(wall.bytes()), Some(wall));
            }
        }
    }
}
