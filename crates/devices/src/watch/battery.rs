//! A battery, watched: its state by itself, its registers by its own meter or by another's.

use super::Watch;
use super::source::{Cell, stateless};
use crate::capability::{Answer, Battery, BatteryNameplate, BatteryState, Registers};
use crate::driver::BatterySource;
use crate::reading::Reading;
use std::sync::Arc;
use wattbook_types::{Power, Slot};

pub(crate) struct WatchedBattery {
    source: Arc<dyn BatterySource>,
    cell: Arc<Watch>,
    /// Counts in place of the battery's own registers.
    meter: Option<Arc<Watch>>,
}

impl WatchedBattery {
    pub(crate) fn new(source: Arc<dyn BatterySource>, cell: Arc<Watch>, meter: Option<Arc<Watch>>) -> Self {
        Self { source, cell, meter }
    }

    /// The most that it gave out when it was asked last.
    pub(crate) fn discharge_limit(&self) -> Option<Power> {
        self.cell.last_cell().map(|cell| cell.discharge_limit)
    }
}

fn state(cell: Cell, registers: Registers) -> BatteryState {
    let Cell { stored, capacity, charge_limit, discharge_limit } = cell;
    BatteryState { stored, capacity, charge_limit, discharge_limit, registers }
}

impl Battery for WatchedBattery {
    fn nameplate(&self) -> Answer<'_, BatteryNameplate> {
        self.source.nameplate()
    }

    fn state(&self) -> Answer<'_, Reading<BatteryState>> {
        Box::pin(async {
            let reading = self.cell.look().await?;
            let (time, quality) = (reading.time(), reading.quality());
            let Some(shown) = reading.value() else { return Ok(Reading::missing(time)) };
            let cell = shown.cell.ok_or_else(stateless)?;
            let Some(meter) = &self.meter else {
                return Ok(Reading::new(time, quality, state(cell, shown.registers)));
            };
            let counted = meter.look().await?;
            let (time, quality) = (time.max(counted.time()), quality.worse(counted.quality()));
            Ok(match counted.value() {
                Some(counted) => Reading::new(time, quality, state(cell, counted.registers)),
                None => Reading::missing(time),
            })
        })
    }

    fn latched(&self, slot: Slot) -> Answer<'_, Reading<BatteryState>> {
        Box::pin(async move {
            let missing = Reading::missing(self.cell.end_of(slot));
            let Some(latch) = self.cell.latch(slot).await? else { return Ok(missing) };
            let cell = latch.cell.ok_or_else(stateless)?;
            let (registers, quality) = match &self.meter {
                None => (latch.registers, latch.quality),
                Some(meter) => match meter.latch(slot).await? {
                    Some(counted) => (counted.registers, latch.quality.worse(counted.quality)),
                    None => return Ok(missing),
                },
            };
            Ok(Reading::new(missing.time(), quality, state(cell, registers)))
        })
    }
}
