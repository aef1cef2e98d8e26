//! Tells the feeders what to do, again and again from a fresh look, so that a restart does no harm.
//!
//! Always: one cycle at a time; a cycle reads what is set, computes what should be, and commands only the
//! difference; deliveries come from kept reservations alone. Not here: the decisions (`planner`).

use crate::clerk::{ClerkError, Office};
use crate::metrics::count;
use crate::planner::{Accepted, Arrival, deliveries};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use wattbook_client::api::Announcement;
use wattbook_devices::{BatteryNameplate, DeviceError};
use wattbook_types::{Power, Slot};

/// For how many slots beyond the present one the feeders are told ahead.
const AHEAD: u64 = 1;

/// How often (real time) the battery is looked at, to know whether the devices answer.
const LOOK: Duration = Duration::from_secs(5);

/// Controls a battery's feeders.
pub struct Control {
    office: Arc<Office>,
    /// Held through a cycle.
    turn: Mutex<Known>,
}

/// What is known of the battery.
#[derive(Default)]
struct Known {
    nameplate: Option<BatteryNameplate>,
    /// When it answered last.
    answered: Option<Instant>,
}

impl Control {
    pub fn new(office: Arc<Office>) -> Self {
        Self { office, turn: Mutex::default() }
    }

    /// The slot that it is now.
    pub fn present(&self) -> Slot {
        self.office.genesis.rules.slot_length.slot_at(self.office.clock.now())
    }

    /// One cycle over the present slot and those after it.
    pub async fn cycle(&self) -> Result<(), ClerkError> {
        let mut turn = self.turn.lock().await;
        let present = self.present();
        for ahead in 0..=AHEAD {
            self.plan_deliveries(present.plus(ahead)).await?;
        }
        if turn.answered.is_none_or(|answered| answered.elapsed() >= LOOK) {
            turn.answered = None;
            self.office.site.battery.state().await?;
            turn.answered = Some(Instant::now());
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
        // All at once, so that a feeder that does not answer keeps no other waiting.
        let mut telling = JoinSet::new();
        for (at, energy) in deliveries(&plans, &reservations) {
            let feeders = Arc::clone(feeders);
            telling.spawn(async move { feeders.deliver(at, slot, energy).await });
        }
        let mut result = Ok(());
        while let Some(told) = telling.join_next().await {
            result = result.and(told.unwrap_or_else(|gone| Err(DeviceError::Refused(gone.to_string()))));
        }
        Ok(result?)
    }

    /// Opens a feeder for a home that announced to send (S1), as far as the battery allows. The slot has
    /// not ended and the connection point is the battery's.
    pub async fn welcome(&self, announcement: &Announcement) -> Result<Accepted, ClerkError> {
        let mut turn = self.turn.lock().await;
        let Announcement { connection_point, slot, power } = *announcement;
        let (site, rules) = (&self.office.site, &self.office.genesis.rules);
        let nameplate = match turn.nameplate {
            Some(nameplate) => nameplate,
            None => *turn.nameplate.insert(site.battery.nameplate().await?),
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
