//! The feeders of a battery at its end: plans of slots turned into limits with leases (S1, B9).
//!
//! Always: no slot delivers more than was planned for it, whoever dies at whatever moment, as long as a
//! command takes effect as soon as commands usually do; each feeder has a task of its own, so that a silent
//! one keeps no other waiting. The rules in words are in docs/metering.md. Deliberately absent: deciding
//! what is planned (crate `storage`).
//!
//! `pace` says how fast a feeder may deliver, `plans` keeps what is planned, `feeder` tells one feeder.

mod feeder;
mod pace;
mod plans;
mod rows;
#[cfg(test)]
mod tests;

use crate::capability::{Answer, FeederPanel, FeederPlan, FeederReading};
use crate::driver::{Context, FeederLimiter};
use crate::reading::{DeviceError, Reading};
use crate::watch::{Notices, Watch, WatchedBattery};
use feeder::{Applied, Common, Feeder, Mind, Pace};
use plans::Plans;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wattbook_types::{ConnectionPoint, Energy, Power, Slot};

/// A feeder's end: where it is, what limits it and what counts.
pub(crate) struct End {
    pub(crate) at: ConnectionPoint,
    pub(crate) address: String,
    pub(crate) limiter: Arc<dyn FeederLimiter>,
    pub(crate) meter: Arc<Watch>,
}

/// The feeders of a battery. Needs a tokio runtime; its tasks end with it.
pub(crate) struct Panel {
    common: Arc<Common>,
    /// By ascending connection point.
    feeders: Vec<Told>,
}

/// A feeder and its task.
struct Told {
    feeder: Arc<Feeder>,
    changes: watch::Sender<u64>,
    applied: watch::Receiver<Applied>,
    task: JoinHandle<()>,
}

impl Drop for Told {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Panel {
    /// Takes over the feeders of a battery: from now on nothing flows that is not planned.
    pub(crate) fn new(
        key: String,
        mut ends: Vec<End>,
        battery: Arc<WatchedBattery>,
        context: &Context,
        notices: &Notices,
    ) -> Self {
        ends.sort_by_key(|end| end.at);
        let common = Arc::new(Common {
            clock: context.clock.clone(),
            length: context.slot_length,
            pace: Pace::of(&context.clock, context.slot_length),
            plans: Plans::new(key, context),
            battery,
            notices: notices.clone(),
            ranges: Mutex::new(BTreeMap::new()),
        });
        let feeders = ends.into_iter().map(|end| Told::start(&common, end)).collect();
        Self { common, feeders }
    }

    fn told(&self, at: ConnectionPoint) -> Result<&Told, DeviceError> {
        let place = self.feeders.binary_search_by_key(&at, |told| told.feeder.at);
        let unknown = |_| DeviceError::Refused(format!("no feeder here serves connection point {at}"));
        place.map(|place| &self.feeders[place]).map_err(unknown)
    }

    /// Has a changed plan applied where it is of the present slot.
    async fn apply(&self, at: ConnectionPoint, slot: Slot, changed: bool) -> Result<(), DeviceError> {
        let told = self.told(at)?;
        let present = self.common.length.slot_at(self.common.clock.now());
        if !changed || slot > present.next() {
            return Ok(());
        }
        // That of the next slot may lengthen the present lease.
        let change = told.change();
        if slot == present { told.done(change).await } else { Ok(()) }
    }

    /// Refuses what has ended.
    fn open(&self, at: ConnectionPoint, slot: Slot) -> Result<(), DeviceError> {
        self.told(at)?;
        let present = self.common.length.slot_at(self.common.clock.now());
        if slot < present {
            return Err(DeviceError::Refused("the slot has ended".into()));
        }
        Ok(())
    }
}

impl Told {
    fn start(common: &Arc<Common>, end: End) -> Self {
        let End { at, address, limiter, meter } = end;
        let feeder = Arc::new(Feeder { at, address, limiter, meter });
        let (changes, changed) = watch::channel(0);
        let (done, applied) = watch::channel(Applied::default());
        let mind = Mind::new(Arc::clone(common), Arc::clone(&feeder));
        let task = tokio::spawn(mind.run(changed, done));
        Self { feeder, changes, applied, task }
    }

    /// Says that the plans have changed; which change that is.
    fn change(&self) -> u64 {
        self.changes.send_modify(|change| *change += 1);
        *self.changes.borrow()
    }

    /// What became of a change.
    async fn done(&self, change: u64) -> Result<(), DeviceError> {
        let mut applied = self.applied.clone();
        let gone = || DeviceError::Refused("the feeders are not served any more".into());
        let applied = applied.wait_for(|applied| applied.change >= change).await.map_err(|_| gone())?;
        applied.result.clone().unwrap_or(Ok(()))
    }
}

impl FeederPanel for Panel {
    fn read(&self) -> Answer<'_, Reading<Vec<FeederReading>>> {
        Box::pin(rows::read(self.feeders.iter().map(|told| Arc::clone(&told.feeder)), &self.common))
    }

    fn latched(&self, slot: Slot) -> Answer<'_, Reading<Vec<FeederReading>>> {
        Box::pin(rows::latched(self.feeders.iter().map(|told| Arc::clone(&told.feeder)), &self.common, slot))
    }

    fn accept(&self, at: ConnectionPoint, slot: Slot, limit: Power) -> Answer<'_, ()> {
        Box::pin(async move {
            self.open(at, slot)?;
            let changed = self.common.plans.accept(slot, at, limit);
            self.apply(at, slot, changed).await
        })
    }

    fn deliver(&self, at: ConnectionPoint, slot: Slot, energy: Energy) -> Answer<'_, ()> {
        Box::pin(async move {
            self.open(at, slot)?;
            let changed = self.common.plans.deliver(slot, at, energy);
            self.apply(at, slot, changed).await
        })
    }

    fn plans(&self, slot: Slot) -> Answer<'_, Vec<(ConnectionPoint, FeederPlan)>> {
        Box::pin(async move { Ok(self.common.plans.of(slot)) })
    }

    fn applied(&self) -> Answer<'_, ()> {
        Box::pin(async {
            let present = self.common.length.slot_at(self.common.clock.now());
            for told in &self.feeders {
                let change = *told.changes.borrow();
                let mut applied = told.applied.clone();
                let is_done = |applied: &Applied| {
                    applied.change >= change && applied.slot.is_some_and(|slot| slot >= present)
                };
                let gone = || DeviceError::Refused("the feeders are not served any more".into());
                let applied = applied.wait_for(is_done).await.map_err(|_| gone())?;
                applied.result.clone().unwrap_or(Ok(()))?;
            }
            Ok(())
        })
    }
}
