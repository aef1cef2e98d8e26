//! A simulated low-voltage smart electric energy meter (class 0288).
//!
//! Always: it counts in its own steps, rounded down, and begins again from zero after its significant
//! digits; half-hours that the world does not remember are "not measured". Release Q of the Appendix
//! (before registers of every minute). Not here: currents, which the world has none of.

use super::{MeterFace, Thing};
pub use crate::drivers::echonet::registers::meter::CLASS;
use crate::drivers::echonet::registers::meter::{
    COEFFICIENT, DAY, DIGITS, NO_ENERGY, NORMAL, NORMAL_DAY, NORMAL_FIXED, POWER, REVERSE, REVERSE_DAY,
    REVERSE_FIXED, UNIT,
};
use crate::echonet::{Eoj, UtcOffset, WallTime};
use crate::simulated::physics::{Part, Physics};
use std::sync::atomic::{AtomicU8, Ordering};
use wattbook_types::{MeterRegister, Timestamp};

/// Currents of both phases.
const CURRENTS: u8 = 0xE8;
/// In place of a current: it is not measured.
const NO_CURRENT: [u8; 2] = [0x7F, 0xFE];
/// In place of a day: none was ever asked for.
const NO_DAY: u8 = 0xFF;
/// The oldest day that can be asked for.
const OLDEST: u8 = 99;

/// A smart meter.
pub struct SmartMeter {
    eoj: Eoj,
    part: Part,
    face: MeterFace,
    day: AtomicU8,
}

impl SmartMeter {
    pub const fn new(eoj: Eoj, part: Part, face: MeterFace) -> Self {
        Self { eoj, part, face, day: AtomicU8::new(NO_DAY) }
    }

    /// A register in the meter's steps.
    fn steps(&self, register: MeterRegister) -> [u8; 4] {
        let tenths_of_wh: u128 = match self.face.unit {
            unit @ 0x00..=0x04 => 10_u128.pow(4 - u32::from(unit)),
            unit @ 0x0A..=0x0D => 10_u128.pow(u32::from(unit) - 5),
            // None of the class': as if it were the default.
            _ => 1_000,
        };
        let step = tenths_of_wh * u128::from(self.face.coefficient.max(1));
        let end = 10_u128.pow(self.face.digits.clamp(1, 8).into());
        ((u128::from(register.wh()) * 10 / step % end) as u32).to_be_bytes()
    }

    /// A register as it stood at a moment.
    fn kept<P: Physics>(&self, physics: &P, at: Timestamp, reverse: bool) -> [u8; 4] {
        let (length, _) = physics.intervals();
        let ends_slot = at.millis().is_multiple_of(length.millis()) && at <= physics.now();
        let slot = length.slot_at(at).previous();
        let kept = ends_slot.then(|| physics.kept(self.part, slot)).flatten();
        kept.map_or(NO_ENERGY.to_be_bytes(), |kept| {
            self.steps(if reverse { kept.registers.export } else { kept.registers.import })
        })
    }

    /// The latest half-hour: its time and its register.
    fn fixed<P: Physics>(&self, physics: &P, reverse: bool) -> Option<Vec<u8>> {
        let now = self.face.utc_offset.wall(physics.now())?;
        let midnight = now.midnight_before(0)?;
        let latest = (0..48).filter_map(|count| midnight.plus_half_hours(count)).rfind(|at| *at <= now)?;
        let mut edt = latest.bytes().to_vec();
        edt.extend(self.kept(physics, self.face.utc_offset.moment(latest)?, reverse));
        Some(edt)
    }

    /// The half-hours of the day that was asked for.
    fn day<P: Physics>(&self, physics: &P, reverse: bool) -> Option<Vec<u8>> {
        let day = self.day.load(Ordering::Relaxed);
        let mut edt = vec![0, day];
        let now = self.face.utc_offset.wall(physics.now())?;
        let midnight = (day <= OLDEST).then(|| now.midnight_before(day)).flatten();
        let moment = |count| {
            let wall: WallTime = midnight?.plus_half_hours(count)?;
            self.face.utc_offset.moment(wall)
        };
        for count in 0..48 {
            let register = moment(count).map(|at| self.kept(physics, at, reverse));
            edt.extend(register.unwrap_or(NO_ENERGY.to_be_bytes()));
        }
        Some(edt)
    }
}

impl<P: Physics> Thing<P> for SmartMeter {
    fn eoj(&self) -> Eoj {
        self.eoj
    }

    fn release(&self) -> u8 {
        b'Q'
    }

    fn readable(&self) -> Vec<u8> {
        let mut codes =
            vec![COEFFICIENT, DIGITS, NORMAL, UNIT, NORMAL_DAY, DAY, POWER, CURRENTS, NORMAL_FIXED];
        if self.face.reverse {
            codes.extend([REVERSE, REVERSE_DAY, REVERSE_FIXED]);
        }
        codes
    }

    fn settable(&self) -> &'static [u8] {
        &[DAY]
    }

    fn get(&self, physics: &P, code: u8) -> Option<Vec<u8>> {
        let shown = physics.shown(self.part);
        Some(match code {
            COEFFICIENT => self.face.coefficient.to_be_bytes().to_vec(),
            DIGITS => vec![self.face.digits],
            UNIT => vec![self.face.unit],
            NORMAL => self.steps(shown.registers.import).to_vec(),
            REVERSE => self.steps(shown.registers.export).to_vec(),
            NORMAL_DAY => self.day(physics, false)?,
            REVERSE_DAY => self.day(physics, true)?,
            DAY => vec![self.day.load(Ordering::Relaxed)],
            POWER => {
                let watts = shown.power.watts().clamp(-2_147_483_647, 2_147_483_645);
                (watts as i32).to_be_bytes().to_vec()
            }
            CURRENTS => [NO_CURRENT, NO_CURRENT].concat(),
            NORMAL_FIXED => self.fixed(physics, false)?,
            REVERSE_FIXED => self.fixed(physics, true)?,
            _ => return None,
        })
    }

    fn set(&self, _: &mut P, code: u8, edt: &[u8]) -> bool {
        match (code, edt) {
            (DAY, &[day @ 0..=OLDEST]) => {
                self.day.store(day, Ordering::Relaxed);
                true
            }
            _ => false,
        }
    }

    fn utc_offset(&self) -> UtcOffset {
        self.face.utc_offset
    }
}
