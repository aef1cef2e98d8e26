//! The properties that this driver uses: code, size, unit, and what stands for no value.
//!
//! Always: checked against the Machine Readable Appendix of the ECHONET Consortium, version 1.3.1 of
//! 2025-03-14 (Appendix "Detailed requirements for ECHONET device objects", Release R); property maps and
//! the node profile against ECHONET Lite Specification 1.14, part II. "Since" is the first release with the
//! property; what is required only since a later release is asked for as if it were optional. Of numbers,
//! the two values at the end of the range that the Appendix leaves free say "beyond" and "below" the range:
//! FFFF and FFFE, FFFFFFFF and FFFFFFFE, 7FFFFFFF and 80000000.
//!
//! | object | code | bytes | what | unit | since | no value |
//! |---|---|---|---|---|---|---|
//! | any | 82 | 4 | release of the Appendix, third byte its letter | | A | |
//! | any | 8A | 3 | maker code | | A | |
//! | any | 8C | 12 | product code | ASCII | A | |
//! | any | 8D | 12 | production number | ASCII | A | |
//! | any | 97 | 2 | present time: hour, minute | local | A | |
//! | any | 98 | 4 | present date: year (2), month, day | local | A | |
//! | any | 9E, 9F | 1-17 | which properties can be set, read | | A | |
//! | 0EF0 | 82 | 4 | version of the specification | | A | |
//! | 0EF0 | 83 | 17 | identification number | | A | |
//! | 0EF0 | D6 | 1+3n | instances: count, then objects | | A | |
//! | 0279 | A0 | 1 | output power control 1: of the capacity approved | % | K | |
//! | 0279 | A1 | 2 | output power control 2 | W | K | |
//! | 0279 | C3 | 2 | capacity approved by equipment | W | K | FFFF |
//! | 0279 | E0 | 2 | power generated | W | A | FFFE, FFFF |
//! | 0279 | E1 | 4 | energy generated, 0 after 999,999,999 | 0.001 kWh | A | FFFFFFFE, FFFFFFFF |
//! | 0279 | E5 | 1 | output limit 1: of the rated power | % | A | |
//! | 0279 | E6 | 2 | output limit 2 | W | A | |
//! | 0279 | E8 | 2 | rated power (interconnected) | W | A | FFFF |
//! | 027D | A0 | 4 | AC energy that fills it from empty | Wh | H | FFFFFFFE, FFFFFFFF |
//! | 027D | A1 | 4 | AC energy that it gives from full | Wh | H | FFFFFFFE, FFFFFFFF |
//! | 027D | A8, A9 | 4 | energy charged, discharged (AC) | 0.001 kWh | H | FFFFFFFE, FFFFFFFF |
//! | 027D | C8, C9 | 4+4 | least and most charging, discharging power (AC) | W | B | FFFFFFFE, FFFFFFFF |
//! | 027D | D0 | 4 | rated energy (DC) | Wh | A | FFFFFFFE, FFFFFFFF |
//! | 027D | D3 | 4 | power, positive charges (AC, signed) | W | A | 7FFFFFFF, 80000000 |
//! | 027D | D6, D8 | 4 | energy discharged, charged; where A9, A8 are not there | 0.001 kWh | A | FFFFFFFE, FFFFFFFF |
//! | 027D | DA | 1 | operation mode: 44 stands by, 46 automatic (since D), … | | A | |
//! | 027D | E2 | 4 | stored (DC) | Wh | A | FFFFFFFE, FFFFFFFF |
//! | 027D | E4 | 1 | stored | % | A | FE, FF |
//! | 027D | EB, EC | 4 | charging, discharging power wanted (AC) | W | B | FFFFFFFE, FFFFFFFF |
//! | 0288 | D3 | 4 | coefficient of all energies, 1 where it is not there | | F | |
//! | 0288 | D7 | 1 | significant digits of energies, 1-8 | | F | |
//! | 0288 | E0, E3 | 4 | energy in normal, in reverse direction | D3 * E1 | F | FFFFFFFE |
//! | 0288 | E1 | 1 | unit of energies: 00-04 = 1, 0.1, … 0.0001; 0A-0D = 10, … 10,000 | kWh | F | |
//! | 0288 | E2, E4 | 2+48*4 | day as in E5; energies at 00:00, 00:30, … 23:30 of that day, as E0, E3 | D3 * E1 | F | day FF; FFFFFFFE |
//! | 0288 | E5 | 1 | day that E2 and E4 tell of: 0 today, 1 yesterday, … 99 | | F | FF |
//! | 0288 | E7 | 4 | power, positive in normal direction (signed) | W | F | 7FFFFFFE |
//! | 0288 | EA, EB | 7+4 | latest half-hour: date (4), time (3), energy as E0, E3 | D3 * E1 | F | FFFFFFFE |
//!
//! Not here: what is done with them.

/// Of any object: release of the Appendix.
pub const RELEASE: u8 = 0x82;
/// Of any object: identification number.
pub const IDENTIFICATION: u8 = 0x83;
/// Of any object: maker code.
pub const MAKER: u8 = 0x8A;
/// Of any object: product code.
pub const PRODUCT: u8 = 0x8C;
/// Of any object: production number.
pub const SERIAL: u8 = 0x8D;
/// Of any object: present time.
pub const TIME: u8 = 0x97;
/// Of any object: present date.
pub const DATE: u8 = 0x98;
/// Of any object: what it tells by itself when it changes.
pub const INF_MAP: u8 = 0x9D;
/// Of any object: what can be set.
pub const SET_MAP: u8 = 0x9E;
/// Of any object: what can be read.
pub const GET_MAP: u8 = 0x9F;

/// The node profile.
pub mod node {
    /// Its objects.
    pub const INSTANCES: u8 = 0xD6;
}

/// Household solar power generation.
pub mod solar {
    /// Its class.
    pub const CLASS: u16 = 0x0279;
    /// Output power control 1, in per cent of [`APPROVED`].
    pub const CONTROL_PERCENT: u8 = 0xA0;
    /// Output power control 2, in watts.
    pub const CONTROL_WATTS: u8 = 0xA1;
    /// Capacity approved by equipment.
    pub const APPROVED: u8 = 0xC3;
    /// Power now.
    pub const POWER: u8 = 0xE0;
    /// Energy generated.
    pub const GENERATED: u8 = 0xE1;
    /// Output limit 1, in per cent of [`RATED`].
    pub const LIMIT_PERCENT: u8 = 0xE5;
    /// Output limit 2, in watts.
    pub const LIMIT_WATTS: u8 = 0xE6;
    /// Rated power.
    pub const RATED: u8 = 0xE8;
}

/// Storage battery.
pub mod battery {
    /// Its class.
    pub const CLASS: u16 = 0x027D;
    /// AC energy that fills it.
    pub const TO_FILL: u8 = 0xA0;
    /// AC energy that it gives until it is empty.
    pub const TO_EMPTY: u8 = 0xA1;
    /// Energy charged (AC).
    pub const CHARGED_AC: u8 = 0xA8;
    /// Energy discharged (AC).
    pub const DISCHARGED_AC: u8 = 0xA9;
    /// Least and most charging power.
    pub const CHARGING: u8 = 0xC8;
    /// Least and most discharging power.
    pub const DISCHARGING: u8 = 0xC9;
    /// Rated energy.
    pub const CAPACITY: u8 = 0xD0;
    /// Power now.
    pub const POWER: u8 = 0xD3;
    /// Energy discharged.
    pub const DISCHARGED: u8 = 0xD6;
    /// Energy charged.
    pub const CHARGED: u8 = 0xD8;
    /// Operation mode.
    pub const MODE: u8 = 0xDA;
    /// Energy stored.
    pub const STORED: u8 = 0xE2;
    /// Share stored.
    pub const STORED_PERCENT: u8 = 0xE4;
    /// Charging power wanted.
    pub const CHARGE_POWER: u8 = 0xEB;
    /// Discharging power wanted.
    pub const DISCHARGE_POWER: u8 = 0xEC;
    /// Operation mode: it neither charges nor discharges.
    pub const STANDBY: u8 = 0x44;
    /// Operation mode: it follows what there is and what is used.
    pub const AUTOMATIC: u8 = 0x46;
}

/// Low-voltage smart electric energy meter.
pub mod meter {
    /// Its class.
    pub const CLASS: u16 = 0x0288;
    /// Coefficient.
    pub const COEFFICIENT: u8 = 0xD3;
    /// Significant digits.
    pub const DIGITS: u8 = 0xD7;
    /// Energy in normal direction.
    pub const NORMAL: u8 = 0xE0;
    /// Unit of energies.
    pub const UNIT: u8 = 0xE1;
    /// Half-hours of a day in normal direction.
    pub const NORMAL_DAY: u8 = 0xE2;
    /// Energy in reverse direction.
    pub const REVERSE: u8 = 0xE3;
    /// Half-hours of a day in reverse direction.
    pub const REVERSE_DAY: u8 = 0xE4;
    /// Which day.
    pub const DAY: u8 = 0xE5;
    /// Power now.
    pub const POWER: u8 = 0xE7;
    /// Latest half-hour in normal direction.
    pub const NORMAL_FIXED: u8 = 0xEA;
    /// Latest half-hour in reverse direction.
    pub const REVERSE_FIXED: u8 = 0xEB;
    /// In place of an energy: it is not measured.
    pub const NO_ENERGY: u32 = 0xFFFF_FFFE;
    /// In place of a power: it is not measured.
    pub const NO_POWER: i32 = 0x7FFF_FFFE;
}

/// Energies of the classes 0279 and 027D begin again at zero after 999,999.999 kWh.
pub const WRAPS_AT_WH: u64 = 1_000_000_000;
