//! What stands in the models of a simulated device.
//!
//! Always: counters in whole Wh; powers scaled so that the rating fits; percentages in hundredths. What a
//! device of this simple kind does not have (phases, reactive power, temperatures) is not implemented.

use super::image::{Image, scale_for};
use super::physics::{Kept, Physics, Shown};
use super::unit::Unit;
use crate::driver::FeederLimits;
use crate::drivers::sunspec::tables::interval::{ENTRY, INTERVALS};
use crate::drivers::sunspec::tables::{Table, battery, common, controls, der, ending, inverter, meter};
use wattbook_types::transaction::Generation;
use wattbook_types::{MeterRegister, Power};

/// A whole in hundredths of a percent.
pub(super) const WHOLE: u64 = 10_000;

/// The largest value of an unsigned register.
const MOST: u64 = 0xfffe;

/// The largest value of a signed register.
const MOST_SIGNED: u64 = 0x7fff;

const VOLTS: i64 = 230;

/// A model's registers.
pub(super) fn image(unit: &Unit, physics: &impl Physics, table: &'static Table, shown: &Shown) -> Image {
    let behind = if table.id == INTERVALS.id { unit.intervals.1 * ENTRY } else { 0 };
    let mut image = Image::new(table, behind);
    if let Some(words) = unit.written(table) {
        for point in table.points.iter().filter(|point| point.set) {
            let (at, count) = (usize::from(point.at), usize::from(point.kind.registers()));
            image.overlay(point.at, &words[at..at + count]);
        }
    } else {
        first_settings(unit, table, &mut image);
    }
    let image_of = &mut image;
    match table.id {
        id if id == common::COMMON.id => name(unit, image_of),
        id if id == inverter::INVERTER_3.id => generated(unit, shown, image_of),
        id if id == inverter::NAMEPLATE.id => nameplate(unit, image_of),
        id if id == inverter::SETTINGS.id => {
            image_of.scaled(
                "WMax",
                watts(unit.nameplate.rating),
                scale_for(unit.nameplate.rating.watts(), MOST),
            );
        }
        id if id == controls::CONTROLS.id => curtailed(unit, shown, image_of),
        id if id == controls::STORAGE.id => limited(unit, shown, image_of),
        id if id == meter::METER_3.id => counted(unit, shown, image_of),
        id if id == der::MEASUREMENT.id => measured(unit, shown, image_of),
        id if id == der::CAPACITY.id => capacity(unit, image_of),
        id if id == der::POWER_CONTROLS.id => {
            image_of.set("WSet_SF", 0).set("WSetPct_SF", -2);
            image_of.set("WSetEna", i64::from(shown.forced.by_power));
        }
        id if id == der::STORED.id => stored(unit, shown, image_of),
        id if id == battery::BATTERY.id => battery_state(unit, shown, image_of),
        id if id == ending::ENDING.id => {}
        id if id == INTERVALS.id => intervals(unit, physics, image_of),
        id => unreachable!("no simulated device has model {id}"),
    }
    image
}

/// What set-points stand at before anybody writes them.
fn first_settings(unit: &Unit, table: &Table, image: &mut Image) {
    match table.id {
        id if id == controls::CONTROLS.id => {
            image.set("Conn", 1).set("WMaxLim_Ena", 0).set("WMaxLimPct_RvrtTms", 0);
        }
        id if id == controls::STORAGE.id => {
            image.set("StorCtl_Mod", 3).set("InOutWRte_WinTms", 0).set("InOutWRte_RvrtTms", 0);
        }
        id if id == der::POWER_CONTROLS.id => {
            image.set("WSetEna", 0).set("WSetMod", 1).set("WSet", 0).set("WSetRvrtTms", 0);
        }
        id if id == common::COMMON.id => {
            image.set("DA", 1);
        }
        id if id == der::CAPACITY.id => {
            let scale = scale_for(unit.nameplate.rating.watts(), MOST);
            image.scaled("WMax", watts(unit.nameplate.rating), scale);
            image.scaled("WChaRteMax", watts(unit.nameplate.charge), scale);
            image.scaled("WDisChaRteMax", watts(unit.nameplate.discharge), scale);
        }
        id if id == ending::ENDING.id => {
            image.set("InOutWRte_RvrtAt", 0);
        }
        _ => {}
    }
}

fn watts(power: Power) -> i128 {
    power.watts().into()
}

fn name(unit: &Unit, image: &mut Image) {
    image.text("Mn", "wattbook").text("Md", unit.name.model).text("SN", &unit.name.serial);
    image.text("Opt", "simulated").text("Vr", "1");
}

/// Voltages against the neutral, in tenths of a volt, and frequency, in hundredths of a hertz.
fn grid(voltages: &[&str], image: &mut Image) {
    image.set("V_SF", -1).set("Hz_SF", -2).set("Hz", 5_000);
    for voltage in voltages {
        image.set(voltage, VOLTS * 10);
    }
}

/// Active power, and the current of a balanced load in tenths of an ampere.
fn flow(unit: &Unit, power: i128, image: &mut Image) {
    image.scaled("W", power, scale_for(unit.nameplate.rating.watts(), MOST_SIGNED));
    image.set("A_SF", -1).set("A", power.abs() * 10 / i128::from(3 * VOLTS));
}

/// At an inverter what it gives is positive, and its one counter counts what it gave.
fn generated(unit: &Unit, shown: &Shown, image: &mut Image) {
    let power = -i128::from(shown.power.watts());
    flow(unit, power, image);
    grid(&["PhVphA", "PhVphB", "PhVphC"], image);
    image.set("WH_SF", 0).set("WH", register(shown.registers.export));
    // 2 is asleep, 5 throttled, 4 at its maximum power point.
    image.set(
        "St",
        if power == 0 {
            2
        } else if shown.curtailed.is_some() {
            5
        } else {
            4
        },
    );
    image.set("Evt1", 0).set("Evt2", 0);
}

fn register(register: MeterRegister) -> i128 {
    register.wh().into()
}

fn nameplate(unit: &Unit, image: &mut Image) {
    if unit.nameplate.kind == Generation::Solar {
        // Photovoltaic; the definition has no numbers for the others.
        image.set("DERTyp", 4);
    }
    image.scaled("WRtg", watts(unit.nameplate.rating), scale_for(unit.nameplate.rating.watts(), MOST));
}

fn curtailed(unit: &Unit, shown: &Shown, image: &mut Image) {
    image.set("WMaxLimPct_SF", -2).set("WMaxLim_Ena", i64::from(shown.curtailed.is_some()));
    if let Some(limit) = shown.curtailed {
        image.set("WMaxLimPct", share(limit, unit.nameplate.rating));
    } else if unit.written(&controls::CONTROLS).is_none() {
        image.set("WMaxLimPct", i128::from(WHOLE));
    }
}

/// A power in hundredths of a percent of another, rounded up: what was set by [`part`] comes out again.
pub(super) fn share(power: Power, whole: Power) -> i128 {
    let whole = i128::from(whole.watts()).max(1);
    ((i128::from(power.watts()) * i128::from(WHOLE) + whole - 1) / whole).min(WHOLE.into())
}

/// Hundredths of a percent of a power, rounded down.
pub(super) fn part(hundredths: i128, whole: Power) -> Power {
    let watts = i128::from(whole.watts()) * hundredths / i128::from(WHOLE);
    Power::from_watts(u64::try_from(watts).unwrap_or(0))
}

/// Charging is towards the battery, whoever looks.
fn limited(unit: &Unit, shown: &Shown, image: &mut Image) {
    let rating = unit.nameplate.rating;
    image.scaled("WChaMax", watts(rating), scale_for(rating.watts(), MOST)).set("InOutWRte_SF", -2);
    let FeederLimits { to_battery, to_home } = shown.limits;
    let modes = image.raw("StorCtl_Mod");
    for (mode, rate, limit) in [(1, "InWRte", to_battery), (2, "OutWRte", to_home)] {
        // A negative rate forces the other way and stands as it was written.
        if modes & mode != 0 && !(shown.forced.by_rates && (-0x7fff..0).contains(&image.raw(rate))) {
            image.set(rate, share(limit, rating));
        }
    }
    image.set("ChaSt", charging(shown));
    if unit.nameplate.capacity.wh() > 0 {
        image.set("ChaState_SF", -2).set("ChaState", filled(unit, shown));
    }
}

/// 2 is empty, 3 gives out, 4 takes in, 5 is full, 6 holds.
fn charging(shown: &Shown) -> i64 {
    match shown.power.watts() {
        watts if watts > 0 => 4,
        watts if watts < 0 => 3,
        _ => 6,
    }
}

/// How full a battery is, in hundredths of a percent, rounded down.
fn filled(unit: &Unit, shown: &Shown) -> i128 {
    i128::from(shown.stored.wh()) * i128::from(WHOLE) / i128::from(unit.nameplate.capacity.wh().max(1))
}

/// At a meter what is imported is positive.
fn counted(unit: &Unit, shown: &Shown, image: &mut Image) {
    flow(unit, shown.power.watts().into(), image);
    grid(&["PhV", "PhVphA", "PhVphB", "PhVphC"], image);
    image.set("TotWh_SF", 0);
    image.set("TotWhImp", register(shown.registers.import));
    image.set("TotWhExp", register(shown.registers.export));
    image.set("Evt", 0);
}

/// In the newer family what is injected into the grid is positive: a battery's discharging.
fn measured(unit: &Unit, shown: &Shown, image: &mut Image) {
    flow(unit, -i128::from(shown.power.watts()), image);
    grid(&["LNV", "VL1", "VL2", "VL3"], image);
    image.set("ACType", 2).set("St", 1).set("ConnSt", 1).set("Alrm", 0).set("TotWh_SF", 0);
    image.set("TotWhInj", register(shown.registers.export));
    image.set("TotWhAbs", register(shown.registers.import));
}

fn capacity(unit: &Unit, image: &mut Image) {
    let plate = &unit.nameplate;
    let scale = scale_for(plate.rating.watts(), MOST);
    image.scaled("WMaxRtg", watts(plate.rating), scale);
    image.scaled("WChaRteMaxRtg", watts(plate.charge), scale);
    image.scaled("WDisChaRteMaxRtg", watts(plate.discharge), scale);
}

fn stored(unit: &Unit, shown: &Shown, image: &mut Image) {
    let capacity = unit.nameplate.capacity.wh();
    let scale = scale_for(capacity, MOST);
    image.scaled("WHRtg", capacity.into(), scale).scaled("WHAvail", shown.stored.wh().into(), scale);
    image.set("Pct_SF", -2).set("SoC", filled(unit, shown)).set("SoH", 10_000).set("Sta", 0);
}

fn battery_state(unit: &Unit, shown: &Shown, image: &mut Image) {
    let plate = &unit.nameplate;
    image.scaled("WHRtg", plate.capacity.wh().into(), scale_for(plate.capacity.wh(), MOST));
    let scale = scale_for(plate.charge.max(plate.discharge).watts(), MOST);
    image.scaled("WChaRteMax", watts(plate.charge), scale);
    image.scaled("WDisChaRteMax", watts(plate.discharge), scale);
    image.set("SoC_SF", -2).set("SoC", filled(unit, shown)).set("SoCMax", 10_000).set("SoCMin", 0);
    image.set("SoH_SF", 0).set("SoH", 100).set("ChaSt", charging(shown)).set("LocRemCtl", 0);
    // 3 is connected, and 4 lithium ions.
    image.set("State", 3).set("Typ", 4).set("Evt1", 0).set("Evt2", 0).set("AlmRst", 0);
    image.scaled("W", -i128::from(shown.power.watts()), scale_for(plate.rating.watts(), MOST_SIGNED));
}

fn intervals(unit: &Unit, physics: &impl Physics, image: &mut Image) {
    let present = physics.intervals().0.slot_at(physics.now()).number();
    image.set("Ver", 1).set("Cnt", unit.intervals.1).set("IntvSec", unit.intervals.0).set("WH_SF", 0);
    image.set("Last", present.saturating_sub(1));
}

/// An entry of the ring: the interval's number, what was stored, imported and exported.
pub(super) fn entry(kept: Option<(u64, Kept)>) -> [u16; ENTRY as usize] {
    let mut words = [0xffff; ENTRY as usize];
    if let Some((interval, kept)) = kept {
        let short = |value: u64| u32::try_from(value).unwrap_or(u32::MAX - 1);
        put(&mut words[0..2], short(interval).into());
        put(&mut words[2..4], short(kept.stored.wh()).into());
        put(&mut words[4..8], kept.registers.import.wh());
        put(&mut words[8..12], kept.registers.export.wh());
    }
    words
}

fn put(words: &mut [u16], value: u64) {
    let count = words.len();
    for (number, word) in words.iter_mut().enumerate() {
        *word = (value >> (16 * (count - 1 - number))) as u16;
    }
}
