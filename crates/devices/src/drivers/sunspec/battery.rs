//! Batteries: what they are and hold (802, 713), and what their own meter counted (20x or 701).
//!
//! SunSpec does not say what a battery loses: its address does (`charge_efficiency`,
//! `discharge_efficiency`, in thousandths), and 950 stands for what is not said.
//!
//! Always: what is stored is rounded down; the registers are read last, after what is stored. Not here:
//! limiting it (`storage`).

use super::counter::{counting, shown, traits};
use super::decode::{Block, Decimal, part};
use super::intervals::Intervals;
use super::tables::{Table, battery, der, inverter};
use super::unit::Unit;
use crate::capability::{Answer, BatteryNameplate, BatteryState};
use crate::driver::{BatterySource, CounterTraits};
use crate::reading::{DeviceError, Reading};
use std::sync::{Arc, Mutex, PoisonError};
use wattbook_types::{Energy, Power, Slot};

/// The models that say what is stored.
pub(super) const STORING: &[&Table] = &[&der::STORED, &battery::BATTERY];

/// A battery.
pub(super) struct SunSpecBattery {
    unit: Arc<Unit>,
    intervals: Intervals,
    /// By connection.
    nameplate: Mutex<Option<(u64, BatteryNameplate)>>,
}

impl SunSpecBattery {
    pub(super) fn new(unit: Arc<Unit>) -> Self {
        Self { intervals: Intervals::new(Arc::clone(&unit)), unit, nameplate: Mutex::new(None) }
    }

    async fn plate(&self) -> Result<BatteryNameplate, DeviceError> {
        let connection = self.unit.connection().await?;
        let known = *self.nameplate.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, nameplate)) = known
            && of == connection
        {
            return Ok(nameplate);
        }
        let nameplate = nameplate(&self.unit).await?;
        *self.nameplate.lock().unwrap_or_else(PoisonError::into_inner) = Some((connection, nameplate));
        Ok(nameplate)
    }

    /// What it may take in and give out now.
    async fn limits(&self, plate: &BatteryNameplate) -> Result<(Power, Power), DeviceError> {
        let limits = super::storage::limits_now(&self.unit).await?;
        let settings = ["WChaRteMax", "WDisChaRteMax"];
        Ok(match limits {
            Some(limits) => {
                (limits.to_battery.min(plate.charge_limit), limits.to_home.min(plate.discharge_limit))
            }
            None => match self.unit.block(&[&der::CAPACITY], &settings).await? {
                Some(block) => {
                    let set = |point, most: Power| power(&block, point).map_or(most, |set| set.min(most));
                    (set(settings[0], plate.charge_limit), set(settings[1], plate.discharge_limit))
                }
                None => (plate.charge_limit, plate.discharge_limit),
            },
        })
    }

    async fn read(&self) -> Result<Reading<BatteryState>, DeviceError> {
        let plate = self.plate().await?;
        let stored = stored(&self.unit, plate.capacity).await?;
        let (charge_limit, discharge_limit) = self.limits(&plate).await?;
        let block = counting(&self.unit).await?;
        let (Some(stored), Some(reading)) = (stored, shown(&block)) else {
            return Ok(Reading::missing(block.time));
        };
        Ok(Reading::measured(
            block.time,
            BatteryState {
                stored,
                capacity: plate.capacity,
                charge_limit,
                discharge_limit,
                registers: reading.registers,
            },
        ))
    }
}

impl BatterySource for SunSpecBattery {
    fn nameplate(&self) -> Answer<'_, BatteryNameplate> {
        Box::pin(self.plate())
    }

    fn state(&self) -> Answer<'_, Reading<BatteryState>> {
        Box::pin(self.read())
    }

    fn kept(&self, slot: Slot) -> Answer<'_, Option<Reading<BatteryState>>> {
        Box::pin(async move {
            let Some(kept) = self.intervals.kept(slot).await? else { return Ok(None) };
            let plate = self.plate().await?;
            Ok(Some(match kept.value().and_then(|entry| Some((entry.stored?, entry.registers))) {
                Some((stored, registers)) => Reading::measured(
                    kept.time(),
                    BatteryState {
                        stored,
                        capacity: plate.capacity,
                        charge_limit: plate.charge_limit,
                        discharge_limit: plate.discharge_limit,
                        registers,
                    },
                ),
                None => Reading::missing(kept.time()),
            }))
        })
    }

    fn traits(&self) -> Answer<'_, CounterTraits> {
        Box::pin(async {
            let plate = self.plate().await?;
            let limit = plate.charge_limit.max(plate.discharge_limit);
            Ok(traits(&counting(&self.unit).await?, Some(limit)))
        })
    }
}

fn power(block: &Block, point: &str) -> Option<Power> {
    block.value(point).and_then(Decimal::whole).map(Power::from_watts)
}

async fn nameplate(unit: &Unit) -> Result<BatteryNameplate, DeviceError> {
    let lacking = |what: &str, models: &str| unit.lacks(&format!("{what} ({models}), as a battery has"));
    let mut capacity = None;
    for (table, point) in
        [(&battery::BATTERY, "WHRtg"), (&der::STORED, "WHRtg"), (&inverter::NAMEPLATE, "WHRtg")]
    {
        let block = unit.block(&[table], &[point]).await?;
        capacity = capacity.or(block.and_then(|block| block.value(point)?.whole()));
    }
    let mut rates = (None, None);
    for (table, charge, discharge) in [
        (&battery::BATTERY, "WChaRteMax", "WDisChaRteMax"),
        (&der::CAPACITY, "WChaRteMaxRtg", "WDisChaRteMaxRtg"),
        (&inverter::NAMEPLATE, "MaxChaRte", "MaxDisChaRte"),
    ] {
        if let Some(block) = unit.block(&[table], &[charge, discharge]).await? {
            rates = (rates.0.or(power(&block, charge)), rates.1.or(power(&block, discharge)));
        }
    }
    Ok(BatteryNameplate {
        capacity: capacity
            .map(Energy::from_wh)
            .ok_or_else(|| lacking("capacity", "WHRtg of 802, 713 or 120"))?,
        charge_limit: rates.0.ok_or_else(|| lacking("charging power", "in 802, 702 or 120"))?,
        discharge_limit: rates.1.ok_or_else(|| lacking("discharging power", "in 802, 702 or 120"))?,
        charge_efficiency: unit.options.charge_efficiency,
        discharge_efficiency: unit.options.discharge_efficiency,
    })
}

/// What is stored; `None` where the device does not know.
async fn stored(unit: &Unit, capacity: Energy) -> Result<Option<Energy>, DeviceError> {
    if let Some(block) = unit.block(&[&der::STORED], &["WHRtg", "WHAvail", "SoC"]).await? {
        if let Some(available) = block.value("WHAvail").and_then(Decimal::whole) {
            return Ok(Some(Energy::from_wh(available).min(capacity)));
        }
        if let Some(charge) = block.value("SoC") {
            return Ok(filled(charge, capacity));
        }
    }
    let block = unit.block(&[&battery::BATTERY], &["SoC"]).await?;
    Ok(block.and_then(|block| filled(block.value("SoC")?, capacity)))
}

/// A state of charge in percent, as energy.
fn filled(charge: Decimal, capacity: Energy) -> Option<Energy> {
    let whole = Decimal { digits: capacity.wh().into(), exponent: 0 };
    part(charge.digits, whole, charge.exponent).map(|stored| Energy::from_wh(stored).min(capacity))
}
