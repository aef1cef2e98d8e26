//! Generators: how much they give (701, 101 to 103), what they are (702, 120, 121) and that they give less
//! (704, 123).
//!
//! Always: a limit is rounded down, so that it is never more than asked for; how it generates is never
//! guessed: SunSpec knows only photovoltaics, wind and gas are said in the address. What an inverter draws
//! for itself at night is no generation and shows as zero.

use super::decode::{Decimal, percentage};
use super::tables::{Table, controls, der, inverter};
use super::unit::Unit;
use crate::capability::{Answer, Curtail, Generator, GeneratorNameplate};
use crate::reading::{DeviceError, Reading};
use std::sync::Arc;
use wattbook_types::Power;
use wattbook_types::transaction::Generation;

/// The models that show what is generated.
pub(super) const GENERATING: &[&Table] =
    &[&der::MEASUREMENT, &inverter::INVERTER_3, &inverter::INVERTER_2, &inverter::INVERTER_1];

/// The models that can be told to give less.
pub(super) const CURTAILING: &[&Table] = &[&der::POWER_CONTROLS, &controls::CONTROLS];

/// What model 120 calls photovoltaics, without and with storage.
const PHOTOVOLTAIC: [i128; 2] = [4, 82];

/// A generator.
pub(super) struct SunSpecGenerator(pub(super) Arc<Unit>);

impl Generator for SunSpecGenerator {
    fn nameplate(&self) -> Answer<'_, GeneratorNameplate> {
        Box::pin(async {
            let kind = kind(&self.0).await?;
            let Some(power) = rated(&self.0).await? else {
                return Err(DeviceError::Configuration(format!(
                    "{} does not say how much it can give (models 702, 120 or 121): add power=…W to its address",
                    self.0.address
                )));
            };
            Ok(GeneratorNameplate { kind, power })
        })
    }

    fn power(&self) -> Answer<'_, Reading<Power>> {
        Box::pin(async {
            let Some(block) = self.0.block(GENERATING, &["W"]).await? else {
                return Err(self.0.lacks("model that shows what it generates (701, or one of 101 to 103)"));
            };
            let watts = block.value("W").map(Decimal::towards_zero);
            Ok(match watts {
                Some(watts) => {
                    Reading::measured(block.time, Power::from_watts(u64::try_from(watts).unwrap_or_default()))
                }
                None => Reading::missing(block.time),
            })
        })
    }
}

async fn kind(unit: &Unit) -> Result<Generation, DeviceError> {
    if let Some(kind) = unit.options.kind {
        return Ok(kind);
    }
    let block = unit.block(&[&inverter::NAMEPLATE], &["DERTyp"]).await?;
    match block.and_then(|block| block.raw("DERTyp")) {
        Some(kind) if PHOTOVOLTAIC.contains(&kind) => Ok(Generation::Solar),
        _ => Err(DeviceError::Configuration(format!(
            "{} does not say how it generates: add kind=solar, kind=wind or kind=gas to its address",
            unit.address
        ))),
    }
}

/// The most that a device can give, by its address or its own nameplate.
pub(super) async fn rated(unit: &Unit) -> Result<Option<Power>, DeviceError> {
    if unit.options.power.is_some() {
        return Ok(unit.options.power);
    }
    let rated = greatest(unit).await?.and_then(Decimal::whole);
    Ok(rated.map(Power::from_watts))
}

/// The same, as the device says it.
async fn greatest(unit: &Unit) -> Result<Option<Decimal>, DeviceError> {
    for (table, point) in
        [(&der::CAPACITY, "WMaxRtg"), (&inverter::NAMEPLATE, "WRtg"), (&inverter::SETTINGS, "WMax")]
    {
        let block = unit.block(&[table], &[point]).await?;
        if let Some(power) = block.and_then(|block| block.value(point)).filter(|power| power.digits > 0) {
            return Ok(Some(power));
        }
    }
    Ok(None)
}

impl Curtail for SunSpecGenerator {
    fn curtail(&self, limit: Option<Power>) -> Answer<'_, ()> {
        Box::pin(async move {
            let map = self.0.map().await?;
            match map.first_of(CURTAILING) {
                Some((table, _)) if table.id == der::POWER_CONTROLS.id => {
                    curtail_by_704(&self.0, limit).await
                }
                Some(_) => curtail_by_123(&self.0, limit).await,
                None => Err(self.0.lacks("model by which it can be curtailed (704 or 123)")),
            }
        })
    }
}

/// What a limit's percentage refers to: the set maximum, else the rating.
async fn reference(unit: &Unit) -> Result<Decimal, DeviceError> {
    for (table, point) in [(&der::CAPACITY, "WMax"), (&inverter::SETTINGS, "WMax")] {
        let block = unit.block(&[table], &[point]).await?;
        if let Some(power) = block.and_then(|block| block.value(point)).filter(|power| power.digits > 0) {
            return Ok(power);
        }
    }
    if let Some(power) = greatest(unit).await? {
        return Ok(power);
    }
    match unit.options.power {
        Some(power) => Ok(Decimal { digits: power.watts().into(), exponent: 0 }),
        None => Err(DeviceError::Configuration(format!(
            "{} is limited in percent but does not say of what (models 702, 121 or 120): add power=…W to its address",
            unit.address
        ))),
    }
}

/// The units of a percentage that a limit is, as a register.
async fn units(unit: &Unit, limit: Option<Power>, exponent: i8) -> Result<u16, DeviceError> {
    let (part, whole) = match limit {
        Some(limit) => (limit.watts(), reference(unit).await?),
        None => (1, Decimal { digits: 1, exponent: 0 }),
    };
    let units = percentage(part, whole, exponent);
    units
        .and_then(|units| u16::try_from(units).ok())
        .ok_or_else(|| unit.odd("its limit's percentage has a scale that no limit fits"))
}

async fn curtail_by_123(unit: &Unit, limit: Option<Power>) -> Result<(), DeviceError> {
    let table = &controls::CONTROLS;
    let points = ["WMaxLimPct", "WMaxLimPct_RvrtTms", "WMaxLim_Ena"];
    let block = unit.block(&[table], &points).await?.ok_or_else(|| unit.lacks("model 123 any more"))?;
    let scale = block.scale("WMaxLimPct_SF");
    let exponent = scale.ok_or_else(|| unit.odd("model 123 has no WMaxLimPct_SF"))?;
    let (first, last) = (table.point("WMaxLimPct").at, table.point("WMaxLim_Ena").at);
    // Written back as they were read: window and ramp times are somebody else's.
    let from = usize::from(first - block.first);
    let mut words = block.words[from..=usize::from(last - block.first)].to_vec();
    words[0] = units(unit, limit, exponent).await?;
    if block.raw("WMaxLimPct_RvrtTms").is_some() {
        words[usize::from(table.point("WMaxLimPct_RvrtTms").at - first)] = 0;
    }
    words[usize::from(last - first)] = u16::from(limit.is_some());
    unit.write(table, "WMaxLimPct", &words).await
}

async fn curtail_by_704(unit: &Unit, limit: Option<Power>) -> Result<(), DeviceError> {
    let table = &der::POWER_CONTROLS;
    let points = ["WMaxLimPctEna", "WMaxLimPct", "WMaxLimPctRvrtTms"];
    let block = unit.block(&[table], &points).await?.ok_or_else(|| unit.lacks("model 704 any more"))?;
    let scale = block.scale("WMaxLimPct_SF");
    let exponent = scale.ok_or_else(|| unit.odd("model 704 has no WMaxLimPct_SF"))?;
    if block.raw("WMaxLimPctRvrtTms").is_some_and(|seconds| seconds != 0) {
        unit.write(table, "WMaxLimPctRvrtTms", &[0, 0]).await?;
    }
    let words = [u16::from(limit.is_some()), units(unit, limit, exponent).await?];
    unit.write(table, "WMaxLimPctEna", &words).await
}
