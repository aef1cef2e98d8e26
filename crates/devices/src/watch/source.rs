//! What is watched: anything that counts, a battery's state with it or not.

use crate::capability::{Answer, BatteryState, MeterReading, Registers};
use crate::driver::{BatterySource, Counter, CounterTraits};
use crate::reading::{DeviceError, Reading, SignedPower};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wattbook_types::{Energy, Power, Slot};

/// How a battery stands, but for its meter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) stored: Energy,
    pub(crate) capacity: Energy,
    pub(crate) charge_limit: Power,
    pub(crate) discharge_limit: Power,
}

/// What a device shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) registers: Registers,
    pub(crate) power: Option<SignedPower>,
    pub(crate) cell: Option<Cell>,
}

/// Something that can be watched.
pub(crate) trait Source: Send + Sync {
    fn look(&self) -> Answer<'_, Reading<Shown>>;
    fn kept(&self, slot: Slot) -> Answer<'_, Option<Reading<Shown>>>;
    fn traits(&self) -> Answer<'_, CounterTraits>;
}

/// A device that counts.
pub(crate) struct OfCounter(pub(crate) Arc<dyn Counter>);

impl Source for OfCounter {
    fn look(&self) -> Answer<'_, Reading<Shown>> {
        Box::pin(async {
            let shown =
                |MeterReading { registers, power }| Shown { registers, power: Some(power), cell: None };
            Ok(self.0.read().await?.map(shown))
        })
    }

    fn kept(&self, slot: Slot) -> Answer<'_, Option<Reading<Shown>>> {
        Box::pin(async move {
            let shown = |registers| Shown { registers, power: None, cell: None };
            Ok(self.0.kept(slot).await?.map(|reading| reading.map(shown)))
        })
    }

    fn traits(&self) -> Answer<'_, CounterTraits> {
        self.0.traits()
    }
}

/// A battery, with its own registers or without (where another meter counts for it).
pub(crate) struct OfBattery {
    pub(crate) battery: Arc<dyn BatterySource>,
    pub(crate) counts: bool,
}

impl OfBattery {
    fn shown(&self, state: BatteryState) -> Shown {
        let BatteryState { stored, capacity, charge_limit, discharge_limit, registers } = state;
        // More than full is full: gauges tremble.
        let stored = stored.min(capacity);
        Shown {
            registers: if self.counts { registers } else { Registers::default() },
            power: None,
            cell: Some(Cell { stored, capacity, charge_limit, discharge_limit }),
        }
    }
}

impl Source for OfBattery {
    fn look(&self) -> Answer<'_, Reading<Shown>> {
        Box::pin(async { Ok(self.battery.state().await?.map(|state| self.shown(state))) })
    }

    fn kept(&self, slot: Slot) -> Answer<'_, Option<Reading<Shown>>> {
        Box::pin(async move {
            let reading = self.battery.kept(slot).await?;
            Ok(reading.map(|reading| reading.map(|state| self.shown(state))))
        })
    }

    fn traits(&self) -> Answer<'_, CounterTraits> {
        self.battery.traits()
    }
}

/// What a reading that must have a battery's state lacks when it has none.
pub(crate) fn stateless() -> DeviceError {
    DeviceError::Protocol("a battery that says nothing of its state".into())
}
