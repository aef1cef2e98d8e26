//! Whether every joule is accounted for.
//!
//! Always: each sum is made from counters that are kept apart, so that a joule booked once too often or
//! too seldom shows.

use super::world::{BatteryUnit, Home, World};
use crate::joules::Joules;
use wattbook_types::{BatteryId, ConnectionPoint};

/// Where energy appeared or vanished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Imbalance {
    /// At a home: generated + from grid + arrived is not consumed + to grid + sent.
    #[error("home at connection point {0}: what came in is not what went out")]
    Home(ConnectionPoint),
    /// In a battery: initial + received is not stored + delivered + losses.
    #[error("battery {0}: what came in is not what is stored, went out or was lost")]
    Battery(BatteryId),
    /// At a battery's terminals: the feeders' sums are not the battery's.
    #[error("battery {0}: the feeders together carried something else than the battery")]
    Terminals(BatteryId),
    /// A battery holds more than it can.
    #[error("battery {0} holds more than its capacity")]
    Overfull(BatteryId),
}

impl World {
    /// Checks that no energy appeared or vanished since the world began.
    ///
    /// # Errors
    /// The first place where some did.
    pub fn audit(&self) -> Result<(), Imbalance> {
        for home in &self.homes {
            home.audit()?;
        }
        for unit in &self.batteries {
            unit.audit()?;
            let homes = || self.homes.iter().filter(|home| home.spec.battery == unit.spec.id);
            let received: Joules = homes().map(|home| home.up.came_out()).sum();
            let delivered: Joules = homes().map(|home| home.down.put_in()).sum();
            if received != unit.charging.put_in() || delivered != unit.discharging.came_out() {
                return Err(Imbalance::Terminals(unit.spec.id));
            }
        }
        Ok(())
    }
}

impl Home {
    fn audit(&self) -> Result<(), Imbalance> {
        let came_in = self.generated + self.grid_import + self.down.came_out();
        let went_out = self.consumed + self.grid_export + self.up.put_in();
        if came_in == went_out { Ok(()) } else { Err(Imbalance::Home(self.spec.connection_point)) }
    }
}

impl BatteryUnit {
    fn audit(&self) -> Result<(), Imbalance> {
        let lost = self.charging.lost() + self.discharging.lost() + self.standing_loss;
        let came_in = Joules::of_energy(self.spec.stored) + self.charging.put_in();
        let accounted = self.stored + self.discharging.came_out() + lost;
        if came_in != accounted {
            return Err(Imbalance::Battery(self.spec.id));
        }
        if self.stored > Joules::of_energy(self.spec.capacity) {
            return Err(Imbalance::Overfull(self.spec.id));
        }
        Ok(())
    }
}
