//! What set-points mean: registers that were written turned into commands.
//!
//! Always: what a point cannot mean is refused, and then nothing of the write counts; a time of zero, or one
//! that is not implemented, is no lease. Not here: whether a register can be written at all (`unit`).

use super::fill::{WHOLE, part};
use super::image::Image;
use super::physics::Command;
use super::unit::Unit;
use crate::driver::FeederLimits;
use crate::drivers::sunspec::tables::{Table, controls, der};
use crate::modbus::Exception;
use crate::reading::SignedPower;
use wattbook_types::{Power, Timestamp};

/// What a model says once it is written; `None` where that changes nothing.
pub(super) fn command(unit: &Unit, table: &Table, image: &Image) -> Result<Option<Command>, Exception> {
    match table.id {
        id if id == controls::CONTROLS.id => curtail(unit, image).map(Some),
        id if id == controls::STORAGE.id => limit(unit, image).map(Some),
        id if id == der::POWER_CONTROLS.id => force(unit, image).map(Some),
        id if id == der::CAPACITY.id => rates(image).map(Some),
        _ => Ok(None),
    }
}

/// The second at which limits end that are written next, where one is said.
pub(super) fn end(image: &Image) -> Option<u64> {
    u64::try_from(image.raw("InOutWRte_RvrtAt")).ok().filter(|second| *second != 0)
}

/// Limits that end at a second at the latest; at once where it has passed.
pub(super) fn ending(command: Command, ends: Option<u64>, now: Timestamp) -> Command {
    let (Command::Limit(limits, forced, lease), Some(ends)) = (command, ends) else { return command };
    match u32::try_from(ends.saturating_sub(now.millis() / 1_000)).unwrap_or(u32::MAX) {
        0 => Command::Limit(FeederLimits::default(), None, None),
        left => Command::Limit(limits, forced, Some(lease.map_or(left, |lease| lease.min(left)))),
    }
}

fn lease(image: &Image, name: &str, absent: i128) -> Option<u32> {
    let seconds = image.raw(name);
    (seconds != 0 && seconds != absent).then(|| u32::try_from(seconds).unwrap_or(u32::MAX))
}

fn curtail(unit: &Unit, image: &Image) -> Result<Command, Exception> {
    let limit = match image.raw("WMaxLim_Ena") {
        0 => None,
        1 => match image.raw("WMaxLimPct") {
            hundredths if hundredths <= WHOLE.into() => Some(part(hundredths, unit.nameplate.rating)),
            _ => return Err(Exception::IllegalDataValue),
        },
        _ => return Err(Exception::IllegalDataValue),
    };
    Ok(Command::Curtail(limit, lease(image, "WMaxLimPct_RvrtTms", 0xffff)))
}

fn limit(unit: &Unit, image: &Image) -> Result<Command, Exception> {
    let modes = image.raw("StorCtl_Mod");
    let lease = lease(image, "InOutWRte_RvrtTms", 0xffff);
    let rate = |mode: i128, name: &str| match image.raw(name) {
        _ if modes & mode == 0 => Ok(i128::from(WHOLE)),
        rate if rate.abs() <= WHOLE.into() => Ok(rate),
        _ => Err(Exception::IllegalDataValue),
    };
    let (into, out_of) = (rate(1, "InWRte")?, rate(2, "OutWRte")?);
    let rating = unit.nameplate.rating;
    let limits = FeederLimits { to_battery: part(into, rating), to_home: part(out_of, rating) };
    let forced = match (into < 0, out_of < 0, unit.has(&der::POWER_CONTROLS)) {
        (false, false, _) => None,
        // Less than no discharging is charging, and the other way round.
        (false, true, true) => Some(signed(part(-out_of, rating), Power::ZERO)),
        (true, false, true) => Some(signed(Power::ZERO, part(-into, rating))),
        _ => return Err(Exception::IllegalDataValue),
    };
    Ok(Command::Limit(limits, forced, lease))
}

const fn signed(charge: Power, discharge: Power) -> SignedPower {
    SignedPower::between(charge, discharge)
}

fn force(unit: &Unit, image: &Image) -> Result<Command, Exception> {
    let lease = lease(image, "WSetRvrtTms", 0xffff_ffff);
    let injected = match (image.raw("WSetEna"), image.raw("WSetMod")) {
        (0, _) => return Ok(Command::Force(None, None)),
        // In percent of the greatest power.
        (1, 0) => i128::from(unit.nameplate.rating.watts()) * image.raw("WSetPct") / i128::from(WHOLE),
        (1, 1) => image.raw("WSet"),
        _ => return Err(Exception::IllegalDataValue),
    };
    let power = |watts: i128| Power::from_watts(u64::try_from(watts).unwrap_or(0));
    Ok(Command::Force(Some(signed(power(-injected), power(injected))), lease))
}

fn rates(image: &Image) -> Result<Command, Exception> {
    let power = |name| {
        let watts = image.raw(name) * 10_i128.pow(u32::try_from(image.raw("W_SF")).unwrap_or(0));
        u64::try_from(watts).map(Power::from_watts).map_err(|_| Exception::IllegalDataValue)
    };
    let limits = FeederLimits { to_battery: power("WChaRteMax")?, to_home: power("WDisChaRteMax")? };
    Ok(Command::Limit(limits, None, None))
}
