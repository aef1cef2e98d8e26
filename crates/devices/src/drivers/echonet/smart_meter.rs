//! Low-voltage smart electric energy meter (class 0288): what it shows now, and how it counts.
//!
//! Always: energies are multiples of the meter's own step, which comes with them in one answer; normal
//! direction is import, reverse is export. Not here: half-hours of the past (`history`).

use super::address::Place;
use super::battery::signed;
use super::object::Object;
use super::registers::meter::{COEFFICIENT, DIGITS, NO_ENERGY, NO_POWER, NORMAL, POWER, REVERSE, UNIT};
use super::values::Values;
use crate::capability::{Answer, MeterReading, Registers};
use crate::clock::Clock;
use crate::driver::{Counter, CounterTraits};
use crate::echonet::UtcOffset;
use crate::reading::{DeviceError, Reading};
use wattbook_types::{Energy, MeterRegister, Slot, SlotLength};

/// A smart meter.
pub struct SmartMeter {
    pub(super) object: Object,
    pub(super) clock: Clock,
    pub(super) slot_length: SlotLength,
    pub(super) utc_offset: UtcOffset,
    /// It counts only the normal direction, and nothing flows in the other.
    pub(super) one_way: bool,
}

/// What all energies are multiples of, and where they begin again from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    /// Tenths of a watt-hour in one step.
    step: u64,
    /// Steps that it never shows.
    end: u64,
}

/// The properties that a scale is made of.
pub(super) const SCALE: [u8; 3] = [COEFFICIENT, DIGITS, UNIT];

impl SmartMeter {
    pub fn new(place: Place) -> Self {
        Self {
            object: Object::new(place.node, place.eoj.expect("checked before")),
            clock: place.clock,
            slot_length: place.slot_length,
            utc_offset: place.utc_offset,
            one_way: place.one_way,
        }
    }

    /// Those properties, and what a scale is made of.
    pub(super) fn with_scale(&self, normal: u8, reverse: u8, more: &[u8]) -> Vec<u8> {
        let mut codes = vec![normal];
        codes.extend((!self.one_way).then_some(reverse));
        codes.extend(more);
        codes.extend(SCALE);
        codes
    }

    /// Whether it has a property for each direction that it should count.
    pub(super) fn counts(&self, values: &Values, normal: u8, reverse: u8) -> Result<(), DeviceError> {
        values.must_have(normal)?;
        if self.one_way {
            return Ok(());
        }
        values.must_have(reverse).map_err(|error| {
            self.object.cannot(&format!(
                "counts one direction only ({error}); where nothing can flow in reverse, add ?one_way=import"
            ))
        })
    }

    /// Both registers, from a number of steps each; `None` where one is not measured.
    pub(super) fn registers(
        &self,
        values: &Values,
        (normal_code, normal): (u8, Option<[u8; 4]>),
        (reverse_code, reverse): (u8, Option<[u8; 4]>),
    ) -> Result<Option<Registers>, DeviceError> {
        let Some(scale) = Scale::of(values)? else { return Ok(None) };
        let register = |code: u8, steps: Option<[u8; 4]>| {
            let steps = steps.map(u32::from_be_bytes).filter(|steps| *steps != NO_ENERGY);
            steps.map(|steps| scale.register(values, code, steps)).transpose()
        };
        let import = register(normal_code, normal)?;
        let export = if self.one_way { Some(MeterRegister::ZERO) } else { register(reverse_code, reverse)? };
        Ok(import.zip(export).map(|(import, export)| Registers { import, export }))
    }

    async fn now(&self) -> Result<Reading<MeterReading>, DeviceError> {
        let values = self.object.read(&self.with_scale(NORMAL, REVERSE, &[POWER])).await?;
        self.counts(&values, NORMAL, REVERSE)?;
        values.must_have(POWER)?;
        let now = self.clock.now();
        let (normal, reverse) = (values.bytes(NORMAL)?, values.bytes(REVERSE)?);
        let registers = self.registers(&values, (NORMAL, normal), (REVERSE, reverse))?;
        let power = values.signed(POWER)?.filter(|watts| *watts != i64::from(NO_POWER));
        let (Some(registers), Some(watts)) = (registers, power) else { return Ok(Reading::missing(now)) };
        Ok(Reading::measured(now, MeterReading { registers, power: signed(watts) }))
    }
}

impl Scale {
    /// The scale that goes with other values; `None` where the meter does not say it now.
    fn of(values: &Values) -> Result<Option<Self>, DeviceError> {
        values.must_have(UNIT)?;
        let coefficient = match values.bytes(COEFFICIENT)?.map(u32::from_be_bytes) {
            Some(coefficient @ 1..=999_999) => u64::from(coefficient),
            Some(wrong) => return Err(values.nonsense(COEFFICIENT, &wrong.to_string())),
            None if values.has.has(COEFFICIENT) => return Ok(None),
            None => 1,
        };
        let digits = match values.byte(DIGITS)? {
            Some(digits @ 1..=8) => digits,
            Some(wrong) => return Err(values.nonsense(DIGITS, &wrong.to_string())),
            None if values.has.has(DIGITS) => return Ok(None),
            None => 8,
        };
        let Some(unit) = values.byte(UNIT)? else { return Ok(None) };
        let tenths = tenths_of_wh(unit).ok_or_else(|| values.nonsense(UNIT, &format!("{unit:02X}")))?;
        Ok(Some(Self { step: coefficient * tenths, end: 10_u64.pow(digits.into()) }))
    }

    fn register(self, values: &Values, code: u8, steps: u32) -> Result<MeterRegister, DeviceError> {
        let steps = u64::from(steps);
        if steps >= self.end {
            return Err(values.nonsense(code, &format!("{steps}, more digits than it says that it has,")));
        }
        let wh = u64::try_from(u128::from(steps) * u128::from(self.step) / 10);
        wh.map(MeterRegister::from_wh).map_err(|_| values.nonsense(code, "more than the world uses"))
    }

    /// Where it begins again from zero; `None` beyond what is ever counted.
    fn wraps_at(self) -> Option<Energy> {
        u64::try_from(u128::from(self.end) * u128::from(self.step) / 10).ok().map(Energy::from_wh)
    }

    fn resolution(self) -> Energy {
        Energy::from_wh(self.step.div_ceil(10))
    }
}

/// A unit of energies in tenths of a watt-hour.
pub(super) const fn tenths_of_wh(unit: u8) -> Option<u64> {
    Some(match unit {
        0x00 => 10_000,
        0x01 => 1_000,
        0x02 => 100,
        0x03 => 10,
        0x04 => 1,
        0x0A => 100_000,
        0x0B => 1_000_000,
        0x0C => 10_000_000,
        0x0D => 100_000_000,
        _ => return None,
    })
}

impl Counter for SmartMeter {
    fn read(&self) -> Answer<'_, Reading<MeterReading>> {
        Box::pin(self.now())
    }

    fn kept(&self, slot: Slot) -> Answer<'_, Option<Reading<Registers>>> {
        Box::pin(self.kept_at(slot.end(self.slot_length)))
    }

    fn traits(&self) -> Answer<'_, CounterTraits> {
        Box::pin(async move {
            let scale = Scale::of(&self.object.read(&SCALE).await?)?;
            Ok(CounterTraits {
                wraps_at: scale.and_then(Scale::wraps_at),
                resolution: scale.map(Scale::resolution),
                limit: None,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echonet::{Eoj, PropertyMap};

    fn values(coefficient: Option<u32>, digits: u8, unit: u8) -> Values {
        let mut answers = crate::echonet::Answers::from([(DIGITS, vec![digits]), (UNIT, vec![unit])]);
        answers.extend(coefficient.map(|coefficient| (COEFFICIENT, coefficient.to_be_bytes().to_vec())));
        let has = PropertyMap::of(answers.keys().copied());
        Values { object: Eoj::new(0x0288, 1), has, answers }
    }

    #[test]
    fn energies_are_in_the_meters_own_steps() {
        // Coefficient, digits, unit, steps: watt-hours, step, and where it begins again.
        for (coefficient, digits, unit, steps, wh, step, end) in [
            (None, 6, 0x01, 123_456, 12_345_600, 100, Some(100_000_000)),
            (Some(1), 6, 0x00, 7, 7_000, 1_000, Some(1_000_000_000)),
            (Some(30), 6, 0x02, 7, 2_100, 300, Some(300_000_000)),
            (Some(1), 8, 0x04, 15, 1, 1, Some(10_000_000)),
            (Some(999_999), 8, 0x0D, 1, 9_999_990_000_000, 9_999_990_000_000, None),
        ] {
            let values = values(coefficient, digits, unit);
            let Some(scale) = Scale::of(&values).expect("a scale") else { panic!("no scale") };
            assert_eq!(scale.register(&values, NORMAL, steps).map(MeterRegister::wh), Ok(wh));
            assert_eq!((scale.resolution().wh(), scale.wraps_at().map(Energy::wh)), (step, end));
        }
    }

    #[test]
    fn scales_that_cannot_be_are_errors() {
        for wrong in
            [values(Some(0), 6, 1), values(Some(1_000_000), 6, 1), values(None, 9, 1), values(None, 6, 5)]
        {
            assert!(matches!(Scale::of(&wrong), Err(DeviceError::Protocol(_))));
        }
        let six = values(None, 6, 1);
        let scale = Scale::of(&six).expect("fine").expect("a scale");
        let error = scale.register(&six, NORMAL, 1_000_000).expect_err("seven digits");
        assert!(error.to_string().contains("more digits than it says"), "{error}");
    }
}
