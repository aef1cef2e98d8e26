//! A simulated storage battery (class 027D).
//!
//! Always: energy at its terminals is AC, energy stored is DC. In automatic mode it does what comes, within
//! the powers wanted; charging and discharging do just that, where the physics can. Release R of the
//! Appendix; amounts of charge and discharge (AA, AB) are kept and not obeyed.

use super::Thing;
use crate::driver::FeederLimits;
use crate::drivers::echonet::registers::WRAPS_AT_WH;
pub use crate::drivers::echonet::registers::battery::CLASS;
use crate::drivers::echonet::registers::battery::{
    AUTOMATIC, CAPACITY, CHARGE_POWER, CHARGED, CHARGED_AC, CHARGING, DISCHARGE_POWER, DISCHARGED,
    DISCHARGED_AC, DISCHARGING, MODE, POWER, STANDBY, STORED, STORED_PERCENT, TO_EMPTY, TO_FILL,
};
use crate::echonet::Eoj;
use crate::reading::SignedPower;
use crate::simulated::physics::{Command, Nameplate, Part, Physics, Shown};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use wattbook_types::{PerMille, Power};

/// The same as [`TO_FILL`] in normal times.
const TO_FILL_NORMALLY: u8 = 0xA2;
/// The same as [`TO_EMPTY`] in normal times.
const TO_EMPTY_NORMALLY: u8 = 0xA3;
/// AC energy that it takes now.
const ROOM: u8 = 0xA4;
/// AC energy that it gives now.
const LEFT: u8 = 0xA5;
/// An amount to charge.
const CHARGE_AMOUNT: u8 = 0xAA;
/// An amount to discharge.
const DISCHARGE_AMOUNT: u8 = 0xAB;
/// How it charges.
const CHARGE_METHOD: u8 = 0xC1;
/// How it discharges.
const DISCHARGE_METHOD: u8 = 0xC2;
/// What it does.
const WORKING: u8 = 0xCF;
/// How it is connected.
const CONNECTED: u8 = 0xDB;
/// What it is made of.
const KIND: u8 = 0xE6;
/// Operation mode: it charges.
const CHARGE: u8 = 0x42;
/// Operation mode: it discharges.
const DISCHARGE: u8 = 0x43;

/// A battery.
pub struct Battery {
    eoj: Eoj,
    part: Part,
    nameplate: Nameplate,
    charge_efficiency: u64,
    discharge_efficiency: u64,
    settings: Mutex<Settings>,
}

/// What it was told.
struct Settings {
    mode: u8,
    /// Numbers of four bytes, by property.
    numbers: BTreeMap<u8, u32>,
}

impl Battery {
    pub fn new(eoj: Eoj, part: Part, nameplate: Nameplate, [charge, discharge]: [PerMille; 2]) -> Self {
        let numbers = BTreeMap::from([
            (CHARGE_AMOUNT, 0),
            (DISCHARGE_AMOUNT, 0),
            (CHARGE_POWER, word(nameplate.charge.watts())),
            (DISCHARGE_POWER, word(nameplate.discharge.watts())),
        ]);
        Self {
            eoj,
            part,
            nameplate,
            charge_efficiency: u64::from(charge.get()).max(1),
            discharge_efficiency: u64::from(discharge.get()),
            settings: Mutex::new(Settings { mode: AUTOMATIC, numbers }),
        }
    }

    /// AC energy that stores so much.
    const fn before_loss(&self, stored: u64) -> u64 {
        (stored * 1000).div_ceil(self.charge_efficiency)
    }

    /// AC energy that so much stored gives.
    const fn after_loss(&self, stored: u64) -> u64 {
        stored * self.discharge_efficiency / 1000
    }

    /// A number of four bytes.
    fn number(&self, shown: &Shown, code: u8) -> Option<u32> {
        let (capacity, stored) = (self.nameplate.capacity.wh(), shown.stored.wh());
        Some(word(match code {
            TO_FILL | TO_FILL_NORMALLY => self.before_loss(capacity),
            TO_EMPTY | TO_EMPTY_NORMALLY => self.after_loss(capacity),
            ROOM => self.before_loss(capacity.saturating_sub(stored)),
            LEFT => self.after_loss(stored),
            CHARGED_AC | CHARGED => shown.registers.import.wh() % WRAPS_AT_WH,
            DISCHARGED_AC | DISCHARGED => shown.registers.export.wh() % WRAPS_AT_WH,
            CAPACITY => capacity,
            STORED => stored,
            _ => return None,
        }))
    }

    /// Does what it is told.
    fn obey<P: Physics>(&self, physics: &mut P, settings: &Settings) {
        let power = |code| Power::from_watts(settings.numbers.get(&code).copied().unwrap_or(0).into());
        let (charge, discharge) = (power(CHARGE_POWER), power(DISCHARGE_POWER));
        let limits = match settings.mode {
            STANDBY => FeederLimits::default(),
            CHARGE => FeederLimits { to_battery: charge, ..FeederLimits::default() },
            DISCHARGE => FeederLimits { to_home: discharge, ..FeederLimits::default() },
            _ => FeederLimits { to_battery: charge, to_home: discharge },
        };
        let forced = match settings.mode {
            CHARGE => Some(SignedPower::between(charge, Power::ZERO)),
            DISCHARGE => Some(SignedPower::between(Power::ZERO, discharge)),
            _ => None,
        };
        physics.command(self.part, Command::Limit(limits, forced, None));
    }
}

impl<P: Physics> Thing<P> for Battery {
    fn eoj(&self) -> Eoj {
        self.eoj
    }

    fn release(&self) -> u8 {
        b'R'
    }

    fn readable(&self) -> Vec<u8> {
        let mut codes: Vec<u8> = (TO_FILL..=LEFT).chain(CHARGED_AC..=DISCHARGE_AMOUNT).collect();
        codes.extend([CHARGE_METHOD, DISCHARGE_METHOD, CHARGING, DISCHARGING, WORKING, CAPACITY, POWER]);
        codes.extend([DISCHARGED, CHARGED, MODE, CONNECTED, STORED, STORED_PERCENT, KIND]);
        codes.extend([CHARGE_POWER, DISCHARGE_POWER]);
        codes
    }

    fn settable(&self) -> &'static [u8] {
        &[CHARGE_AMOUNT, DISCHARGE_AMOUNT, MODE, CHARGE_POWER, DISCHARGE_POWER]
    }

    fn get(&self, physics: &P, code: u8) -> Option<Vec<u8>> {
        let shown = physics.shown(self.part);
        let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let range = |most: Power| [[0; 4], word(most.watts()).to_be_bytes()].concat();
        let watts = shown.power.watts();
        Some(match code {
            // Others: it does what comes.
            CHARGE_METHOD | DISCHARGE_METHOD => vec![0x00],
            CHARGING => range(self.nameplate.charge),
            DISCHARGING => range(self.nameplate.discharge),
            WORKING if watts > 0 => vec![CHARGE],
            WORKING if watts < 0 => vec![DISCHARGE],
            WORKING => vec![STANDBY],
            POWER => (watts.clamp(-999_999_999, 999_999_999) as i32).to_be_bytes().to_vec(),
            MODE => vec![settings.mode],
            // What is left over may flow out.
            CONNECTED => vec![0x00],
            STORED_PERCENT => {
                vec![(shown.stored.wh() * 100 / self.nameplate.capacity.wh().max(1)).min(100) as u8]
            }
            // Lithium ion.
            KIND => vec![0x04],
            _ => {
                let set = settings.numbers.get(&code).copied();
                set.or_else(|| self.number(&shown, code))?.to_be_bytes().to_vec()
            }
        })
    }

    fn set(&self, physics: &mut P, code: u8, edt: &[u8]) -> bool {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        match (code, edt) {
            (MODE, &[mode @ (CHARGE | DISCHARGE | STANDBY | AUTOMATIC)]) => settings.mode = mode,
            (MODE, _) => return false,
            (code, &[a, b, c, d]) => {
                let number = u32::from_be_bytes([a, b, c, d]);
                let most = match code {
                    CHARGE_POWER => word(self.nameplate.charge.watts()),
                    DISCHARGE_POWER => word(self.nameplate.discharge.watts()),
                    _ => 999_999_999,
                };
                if number > most {
                    return false;
                }
                settings.numbers.insert(code, number);
            }
            _ => return false,
        }
        self.obey(physics, &settings);
        true
    }
}

/// In four bytes, at most what the class lets them say.
const fn word(number: u64) -> u32 {
    if number > 999_999_999 { 999_999_999 } else { number as u32 }
}
