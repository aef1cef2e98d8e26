//! Limits of what a storage device takes in and gives out: model 124, or the settings of 702.
//!
//! A feeder's end is a storage device to whoever sits at it, and charging is towards the shared battery at
//! both ends: `InWRte` limits what goes from the home to the battery, `OutWRte` what comes from it.
//!
//! Model 124 has one reference, `WChaMax`; some devices refer discharging to a rating of its own. What is
//! written is a share of the greatest of all that it could mean, so that it is never more than asked for.
//!
//! Always: both limits are written in one request and rounded down; zero is zero; a lease that does not fit
//! its register is cut. A device without a lease is used only where its address says so (`lease=none`).

use super::decode::{Block, Decimal, part, percentage};
use super::tables::ending::ENDING;
use super::tables::{battery, controls, der, inverter};
use super::unit::Unit;
use crate::capability::{Answer, BatteryControl, BatteryLimits};
use crate::driver::{FeederLimiter, FeederLimits};
use crate::reading::DeviceError;
use std::sync::Arc;
use wattbook_types::{Power, Timestamp};

/// Both directions are limited.
const LIMITED: u16 = 3;

/// The longest lease that a register holds.
const LONGEST: u32 = 0xfffe;

const POINTS: [&str; 8] = [
    "WChaMax",
    "StorCtl_Mod",
    "OutWRte",
    "InWRte",
    "InOutWRte_WinTms",
    "InOutWRte_RvrtTms",
    "WChaMax_SF",
    "InOutWRte_SF",
];

/// A device with model 124.
pub(super) struct SunSpecStorage(pub(super) Arc<Unit>);

impl FeederLimiter for SunSpecStorage {
    fn limit(&self, limits: FeederLimits, lease: Option<u32>) -> Answer<'_, ()> {
        Box::pin(async move {
            let block = block(&self.0).await?;
            // A lease of no time at all has run out.
            let limits = if lease == Some(0) { FeederLimits::default() } else { limits };
            set(&self.0, &block, limits, lease).await
        })
    }

    fn limit_until(&self, limits: FeederLimits, lease: u32, until: Timestamp) -> Answer<'_, ()> {
        Box::pin(async move {
            if self.0.map().await?.placed(ENDING.id).is_some() {
                let second = u32::try_from(until.millis() / 1_000).unwrap_or(u32::MAX);
                let words = [(second >> 16) as u16, (second & 0xffff) as u16];
                self.0.write(&ENDING, "InOutWRte_RvrtAt", &words).await?;
            }
            FeederLimiter::limit(self, limits, Some(lease)).await
        })
    }

    fn limits(&self) -> Answer<'_, FeederLimits> {
        Box::pin(async {
            let block = block(&self.0).await?;
            limits(&self.0, &block, references(&self.0, &block).await?)
        })
    }
}

impl BatteryControl for SunSpecStorage {
    fn limit(&self, limits: BatteryLimits) -> Answer<'_, ()> {
        Box::pin(async move {
            let limits = FeederLimits { to_battery: limits.charge, to_home: limits.discharge };
            if self.0.map().await?.placed(controls::STORAGE.id).is_some() {
                return set(&self.0, &block(&self.0).await?, limits, None).await;
            }
            set_rates(&self.0, limits).await
        })
    }
}

async fn block(unit: &Unit) -> Result<Block, DeviceError> {
    let block = unit.block(&[&controls::STORAGE], &POINTS).await?;
    block.ok_or_else(|| unit.lacks("model 124, by which what flows is limited"))
}

/// What charging and discharging percentages refer to.
async fn references(unit: &Unit, block: &Block) -> Result<[Decimal; 2], DeviceError> {
    let positive = |value: Option<Decimal>| value.filter(|value| value.digits > 0);
    let charging = positive(block.value("WChaMax"))
        .ok_or_else(|| unit.odd("model 124 has no WChaMax, which its percentages refer to"))?;
    let mut discharging = charging;
    for (table, point) in [
        (&battery::BATTERY, "WDisChaRteMax"),
        (&der::CAPACITY, "WDisChaRteMaxRtg"),
        (&inverter::NAMEPLATE, "MaxDisChaRte"),
    ] {
        let other = unit.block(&[table], &[point]).await?.and_then(|block| positive(block.value(point)));
        if let Some(other) = other
            && other.whole() > discharging.whole()
        {
            discharging = other;
        }
    }
    Ok([charging, discharging])
}

async fn set(
    unit: &Unit,
    block: &Block,
    limits: FeederLimits,
    lease: Option<u32>,
) -> Result<(), DeviceError> {
    let table = &controls::STORAGE;
    let exponent = block.scale("InOutWRte_SF").ok_or_else(|| unit.odd("model 124 has no InOutWRte_SF"))?;
    let [charging, discharging] = references(unit, block).await?;
    let rate = |power: Power, whole| {
        let units = percentage(power.watts(), whole, exponent).and_then(|units| i16::try_from(units).ok());
        units.map(i16::cast_unsigned).ok_or_else(|| unit.odd("model 124 has a scale that no rate fits"))
    };
    let revert = reverting(unit, block, lease)?;
    let window = if block.raw("InOutWRte_WinTms").is_some() { 0 } else { 0xffff };
    let mut words = vec![rate(limits.to_home, discharging)?, rate(limits.to_battery, charging)?];
    // What the device does not implement is left alone where that is possible.
    if let Some(revert) = revert {
        words.extend([window, revert]);
    }
    unit.write(table, "OutWRte", &words).await?;
    match block.raw("StorCtl_Mod") {
        Some(modes) if modes & i128::from(LIMITED) == i128::from(LIMITED) => Ok(()),
        _ => unit.write(table, "StorCtl_Mod", &[LIMITED]).await,
    }
}

/// What to write as the time after which the limits fall; `None` where the device has none.
fn reverting(unit: &Unit, block: &Block, lease: Option<u32>) -> Result<Option<u16>, DeviceError> {
    let implemented = block.raw("InOutWRte_RvrtTms").is_some();
    match lease {
        Some(_) if !implemented && !unit.options.without_lease => Err(DeviceError::Refused(format!(
            "{} has no InOutWRte_RvrtTms: its limits would stay if nobody renewed them; where that will do, add lease=none to its address",
            unit.address
        ))),
        Some(seconds) if implemented => {
            Ok(Some(u16::try_from(seconds.min(LONGEST)).expect("no longer than the longest")))
        }
        _ => Ok(implemented.then_some(0)),
    }
}

/// How the device is limited.
pub(super) async fn limits_now(unit: &Unit) -> Result<Option<FeederLimits>, DeviceError> {
    let Some(block) = unit.block(&[&controls::STORAGE], &POINTS).await? else { return Ok(None) };
    let references = references(unit, &block).await?;
    limits(unit, &block, references).map(Some)
}

fn limits(unit: &Unit, block: &Block, wholes: [Decimal; 2]) -> Result<FeederLimits, DeviceError> {
    let modes = block.raw("StorCtl_Mod").unwrap_or(0);
    let limit = |mode: i128, point: &str, whole: Decimal| {
        let rate = if modes & mode == 0 { None } else { block.value(point) };
        match rate {
            // Not limited: by its rating.
            None => whole.whole(),
            Some(rate) => part(rate.digits, whole, rate.exponent),
        }
    };
    let [charging, discharging] = wholes;
    match (limit(1, "InWRte", charging), limit(2, "OutWRte", discharging)) {
        (Some(to_battery), Some(to_home)) => Ok(FeederLimits {
            to_battery: Power::from_watts(to_battery),
            to_home: Power::from_watts(to_home),
        }),
        _ => Err(unit.odd("model 124 shows limits that are no power")),
    }
}

/// Limits by the settings of model 702, which have no lease.
async fn set_rates(unit: &Unit, limits: FeederLimits) -> Result<(), DeviceError> {
    let table = &der::CAPACITY;
    let points = ["WChaRteMax", "WDisChaRteMax", "WChaRteMaxRtg", "WDisChaRteMaxRtg"];
    let Some(block) = unit.block(&[table], &points).await? else {
        return Err(unit.lacks("model by which a battery can be limited (124 or 702)"));
    };
    let exponent = block.scale("W_SF").ok_or_else(|| unit.odd("model 702 has no W_SF"))?;
    let rate = |power: Power, rating: &str| {
        let most = block.raw(rating).unwrap_or(0xfffe);
        let watts = Decimal { digits: power.watts().into(), exponent: exponent.saturating_neg() };
        u16::try_from(watts.floor().min(most))
            .map_err(|_| unit.odd("model 702 has a scale that no rate fits"))
    };
    let words = [rate(limits.to_battery, "WChaRteMaxRtg")?, rate(limits.to_home, "WDisChaRteMaxRtg")?];
    unit.write(table, "WChaRteMax", &words).await
}
