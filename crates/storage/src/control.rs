//! Tells the feeders what to do, again and again from a fresh look, so that a restart does no harm.
//!
//! Always: one cycle at a time; a cycle reads what is set, computes what should be, and commands only the
//! difference; deliveries come from kept reservations alone. Not here: the decisions (`planner`).

use crate::clerk::{ClerkError, Office};
use crate::metrics::count;
use crate::planner::{Accepted, Arrival, deliveries};
use std::sync::Arc;
use tokio::sync::Mutex;
use wattbook_client::api::Announcement;
use wattbook_devices::BatteryNameplate;
use wattbook_types::{Power, Slot};

/// For how many slots beyond the present one the feeders are told ahead.
const AHEAD: u64 = 1;

/// Controls a battery's feeders.
pub struct Control {
    office: Arc<Office>,
    /// Held through a cycle; the nameplate once it is read.
    turn: Mutex<Option<BatteryNameplate>>,
}

impl Control {
    pub fn new(office: Arc<Office>) -> Self {
        Self { office, turn: Mutex::new(None) }
    }

    /// The slot that it is now.
    pub fn present(&self) -> Slot {
        self.office.genesis.rules.slot_length.slot_at(self.office.clock.now())
    }

    /// One cycle over the present slot and those after it.
    pub async fn cycle(&self) -> Result<(), ClerkError> {
        let _turn = self.turn.lock().await;
        let present = self.present();
        for ahead in 0..=AHEAD {
            self.plan_deliveries(present.plus(ahead)).await?;
        }
        Ok(())
    }

    /// The same for one slot, after a reservation for it was kept.
    pub async fn cycle_of(&self, slot: Slot) -> Result<(), ClerkError> {
        let _turn = self.turn.lock().await;
        self.plan_deliveries(slot).await
    }

    async fn plan_deliveries(&self, slot: Slot) -> Result<(), ClerkError> {
        let feeders = &self.office.site.feeders;
        let reservations = self.office.store.dispatches(slot, slot.next())?;
        let plans = feeders.plans(slot).await?;
        for (at, energy) in deliveries(&plans, &reservations) {
            feeders.deliver(at, slot, energy).await?;
        }
        Ok(())
    }

    /// Opens a feeder for a home that announced to send (S1), as far as the battery allows. The slot has
    /// not ended and the connection point is the battery's.
    pub async fn welcome(&self, announcement: &Announcement) -> Result<Accepted, ClerkError> {
        let mut turn = self.turn.lock().await;
        let Announcement { connection_point, slot, power } = *announcement;
        let (site, rules) = (&self.office.site, &self.office.genesis.rules);
        let nameplate = match *turn {
            Some(nameplate) => nameplate,
            None => *turn.insert(site.battery.nameplate().await?),
        };
        let battery = site.battery.state().await?.required()?;
        let plans = site.feeders.plans(slot).await?;
        let start = slot.start(rules.slot_length).max(self.office.clock.now());
        let accepted = Arrival {
            power,
            battery: &battery,
            nameplate: &nameplate,
            plans: &plans,
            seconds_left: slot.end(rules.slot_length).millis_since(start).div_ceil(1000),
            full_below: rules.smallest_order,
        }
        .decide();
        site.feeders.accept(connection_point, slot, accepted.power).await?;
        count(&self.office.metrics.announcements);
        if accepted.power == Power::ZERO {
            count(&self.office.metrics.announcements_refused);
        }
        Ok(accepted)
    }
}
