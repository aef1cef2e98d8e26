//! The registers that a smart meter keeps of every half-hour: the latest (EA, EB), and those of today and
//! the 99 days before (E2, E4, chosen by E5).
//!
//! Always: what the meter says of a half-hour carries the half-hour's own date, or the day that it was
//! asked for and the meter's date then; where they do not fit together, the registers are missing and can
//! be asked for again. Another controller may change the day (E5) in between: the answer repeats the day.
//! Not here: moments that are no half-hours of the meter's local time.

use super::object::Maps;
use super::registers::DATE;
use super::registers::meter::{DAY, NORMAL_DAY, NORMAL_FIXED, REVERSE_DAY, REVERSE_FIXED};
use super::smart_meter::SmartMeter;
use super::values::Values;
use crate::capability::Registers;
use crate::echonet::{Property, Session, WallTime};
use crate::reading::{DeviceError, Reading};
use wattbook_types::Timestamp;

/// The oldest day that can be asked for.
const OLDEST: i64 = 99;

/// Bytes of a day: its number, and 48 energies.
const DAY_BYTES: usize = 2 + 48 * 4;

impl SmartMeter {
    /// The registers as they stood at a moment; `None` where that is no half-hour, or the meter keeps none.
    pub(super) async fn kept_at(&self, moment: Timestamp) -> Result<Option<Reading<Registers>>, DeviceError> {
        let wall = self.utc_offset.wall(moment).filter(|_| moment.millis().is_multiple_of(1000));
        let Some((wall, half_hour)) = wall.and_then(|wall| Some((wall, wall.half_hour()?))) else {
            return Ok(None);
        };
        let session = self.object.session().await;
        let Maps { get, set } = self.object.maps(&session).await?;
        let days = get.has(NORMAL_DAY) && set.has(DAY);
        if !days && !get.has(NORMAL_FIXED) {
            return Ok(None);
        }
        let found = match self.latest(&session, wall).await? {
            Latest::Is(registers) => registers,
            Latest::Earlier => None,
            Latest::Later(today) if days => self.of_day(&session, wall, half_hour, today).await?,
            Latest::Later(_) => None,
        };
        let reading = found.map_or(Reading::missing(moment), |it| Reading::measured(moment, it));
        Ok(Some(reading))
    }

    /// What the meter says of its latest half-hour, compared with a moment.
    async fn latest(&self, session: &Session<'_>, wall: WallTime) -> Result<Latest, DeviceError> {
        let codes = self.with_scale(NORMAL_FIXED, REVERSE_FIXED, &[DATE]);
        let values = self.object.read_in(session, &codes).await?;
        let normal = fixed(&values, NORMAL_FIXED)?;
        let reverse = if self.one_way { normal } else { fixed(&values, REVERSE_FIXED)? };
        let (Some((latest, normal)), Some((also, reverse))) = (normal, reverse) else {
            // It does not say now, or never: the day may have it all the same.
            return Ok(Latest::Later(today(&values)?));
        };
        if latest < wall {
            return Ok(Latest::Earlier);
        }
        if latest > wall || also != latest {
            return Ok(Latest::Later(today(&values)?));
        }
        let (normal, reverse) = ((NORMAL_FIXED, Some(normal)), (REVERSE_FIXED, Some(reverse)));
        Ok(Latest::Is(self.registers(&values, normal, reverse)?))
    }

    /// A half-hour of a day, from the meter's history.
    async fn of_day(
        &self,
        session: &Session<'_>,
        wall: WallTime,
        half_hour: usize,
        today: Option<WallTime>,
    ) -> Result<Option<Registers>, DeviceError> {
        let Some(today) = today.or_else(|| self.utc_offset.wall(self.clock.now())) else { return Ok(None) };
        let ago = today.days_after(wall);
        let Some(day) = u8::try_from(ago).ok().filter(|_| ago <= OLDEST) else { return Ok(None) };
        self.object.set_in(session, vec![Property::new(DAY, [day])]).await?;
        let codes = self.with_scale(NORMAL_DAY, REVERSE_DAY, &[DATE]);
        let values = self.object.read_in(session, &codes).await?;
        self.counts(&values, NORMAL_DAY, REVERSE_DAY)?;
        // The day began anew in between, or somebody else asked for another.
        if self::today(&values)?.is_some_and(|now| now.days_after(today) != 0) {
            return Ok(None);
        }
        let normal = half_hour_of(&values, NORMAL_DAY, day, half_hour)?;
        let reverse = if self.one_way { None } else { half_hour_of(&values, REVERSE_DAY, day, half_hour)? };
        self.registers(&values, (NORMAL_DAY, normal), (REVERSE_DAY, reverse))
    }
}

/// The meter's latest half-hour, compared with a moment.
enum Latest {
    /// It is that moment: these are the registers, where they were measured.
    Is(Option<Registers>),
    /// The moment is still to come.
    Earlier,
    /// The moment is past; the meter's date, where it says one.
    Later(Option<WallTime>),
}

/// A half-hour's moment and its register; `None` where it is not said.
fn fixed(values: &Values, code: u8) -> Result<Option<(WallTime, [u8; 4])>, DeviceError> {
    let Some(bytes) = values.bytes::<11>(code)? else { return Ok(None) };
    let [y1, y0, month, day, hour, minute, second, a, b, c, d] = bytes;
    let time = WallTime::from_bytes([y1, y0, month, day, hour, minute, second]);
    let time = time.ok_or_else(|| values.nonsense(code, "a date and time that is none"))?;
    Ok(Some((time, [a, b, c, d])))
}

/// The meter's date, where it says one.
fn today(values: &Values) -> Result<Option<WallTime>, DeviceError> {
    let Some(date) = values.bytes(DATE)? else { return Ok(None) };
    let time = WallTime::from_date_and_minute(date, [0, 0]);
    time.map(Some).ok_or_else(|| values.nonsense(DATE, "a date that is none"))
}

/// A half-hour's register of a day; `None` where the answer is of another day.
fn half_hour_of(
    values: &Values,
    code: u8,
    day: u8,
    half_hour: usize,
) -> Result<Option<[u8; 4]>, DeviceError> {
    let Some(bytes) = values.bytes::<DAY_BYTES>(code)? else { return Ok(None) };
    let (number, registers) = bytes.split_at(2);
    if number != [0, day] {
        return Ok(None);
    }
    Ok(registers.as_chunks::<4>().0.get(half_hour).copied())
}
