//! Meters, and what else counts: models 201 to 204, 701, and 101 to 103.
//!
//! Signs: models 20x show what is imported as positive power, and `TotWhImp` and `TotWhExp` are the import
//! and the export register. Model 701 sees from the grid: what is injected is positive, `TotWhInj` is the
//! export register and `TotWhAbs` the import register. An inverter (10x) has one counter, `WH`, of what it
//! gave: the export register; its import register stays at zero, as does 701's where it has no `TotWhAbs`.
//!
//! Always: power in a direction without a register is none; a register that is not implemented makes the reading missing; a fraction of a Wh is cut off.
//! Not here: whether a reading is to be believed (`watch`).

use super::decode::{Block, Decimal};
use super::intervals::Intervals;
use super::tables::{Table, der, inverter, meter, table};
use super::unit::Unit;
use crate::capability::{Answer, MeterReading, Registers};
use crate::driver::{Counter, CounterTraits};
use crate::reading::{DeviceError, Reading, SignedPower};
use std::sync::Arc;
use wattbook_types::{Energy, MeterRegister, Power, Slot};

/// The models of meters, and of what else counts, the better ones first.
pub(super) const COUNTING: &[&Table] = &[
    &meter::METER_3,
    &meter::METER_1,
    &meter::METER_2,
    &meter::METER_DELTA,
    &der::MEASUREMENT,
    &inverter::INVERTER_3,
    &inverter::INVERTER_2,
    &inverter::INVERTER_1,
];

/// A full turn of a 32-bit counter.
const TURN: i128 = 1 << 32;

/// A device that counts.
pub(super) struct SunSpecCounter {
    unit: Arc<Unit>,
    intervals: Intervals,
}

impl SunSpecCounter {
    pub(super) fn new(unit: Arc<Unit>) -> Self {
        Self { intervals: Intervals::new(Arc::clone(&unit)), unit }
    }
}

impl Counter for SunSpecCounter {
    fn read(&self) -> Answer<'_, Reading<MeterReading>> {
        Box::pin(async {
            let block = counting(&self.unit).await?;
            Ok(match shown(&block) {
                Some(reading) => Reading::measured(block.time, reading),
                None => Reading::missing(block.time),
            })
        })
    }

    fn kept(&self, slot: Slot) -> Answer<'_, Option<Reading<Registers>>> {
        Box::pin(async move {
            let kept = self.intervals.kept(slot).await?;
            Ok(kept.map(|reading| reading.map(|entry| entry.registers)))
        })
    }

    fn traits(&self) -> Answer<'_, CounterTraits> {
        Box::pin(async {
            let limit = super::generator::rated(&self.unit).await?;
            Ok(traits(&counting(&self.unit).await?, limit))
        })
    }
}

/// The registers of what counts.
pub(super) async fn counting(unit: &Unit) -> Result<Block, DeviceError> {
    let wanted = match unit.options.model {
        None => COUNTING.to_vec(),
        Some(id) => match table(id).filter(|table| COUNTING.iter().any(|one| one.id == table.id)) {
            Some(table) => vec![table],
            None => return Err(DeviceError::Configuration(format!("model {id} counts nothing"))),
        },
    };
    let map = unit.map().await?;
    let Some((table, _)) = map.first_of(&wanted) else {
        return Err(unit.lacks("model that counts energy (one of 201 to 204, 701, 101 to 103)"));
    };
    let points: &[&str] = match table.id {
        201..=204 => &["W", "TotWhExp", "TotWhImp"],
        701 => &["W", "TotWhInj", "TotWhAbs"],
        _ => &["W", "WH"],
    };
    match unit.block(&[table], points).await? {
        Some(block) => Ok(block),
        None => Err(unit.lacks(&format!("model {} any more", table.id))),
    }
}

/// What the registers show; `None` where they show nothing.
pub(super) fn shown(block: &Block) -> Option<MeterReading> {
    let register = |name| block.value(name).and_then(Decimal::whole).map(MeterRegister::from_wh);
    let watts = block.value("W")?.towards_zero();
    let (import, export, power) = match block.table.id {
        201..=204 => (register("TotWhImp")?, register("TotWhExp")?, watts),
        701 => {
            let export = register("TotWhInj")?;
            match block.raw("TotWhAbs") {
                None => (MeterRegister::ZERO, export, outward(watts)),
                Some(_) => (register("TotWhAbs")?, export, watts.saturating_neg()),
            }
        }
        _ => (MeterRegister::ZERO, register("WH")?, outward(watts)),
    };
    Some(MeterReading { registers: Registers { import, export }, power: signed(power) })
}

/// Power given out, as power that comes in. What is drawn has no register to count it: it is left out, as
/// power without a count would look like a counter that stands still.
fn outward(watts: i64) -> i64 {
    watts.max(0).saturating_neg()
}

fn signed(watts: i64) -> SignedPower {
    let magnitude = Power::from_watts(watts.unsigned_abs());
    if watts < 0 {
        SignedPower::between(Power::ZERO, magnitude)
    } else {
        SignedPower::between(magnitude, Power::ZERO)
    }
}

/// How the registers count.
pub(super) fn traits(block: &Block, limit: Option<Power>) -> CounterTraits {
    let (scale, turns) = match block.table.id {
        201..=204 => ("TotWh_SF", true),
        701 => ("TotWh_SF", false),
        _ => ("WH_SF", true),
    };
    let energy = |digits| {
        let exponent = block.scale(scale)?;
        Decimal { digits, exponent }.whole().map(Energy::from_wh)
    };
    CounterTraits {
        wraps_at: energy(TURN).filter(|_| turns),
        // Less than a Wh is not shown.
        resolution: energy(1).map(|step| step.max(Energy::from_wh(1))),
        limit,
    }
}
