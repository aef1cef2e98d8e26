//! What a simulated world is made of.

use crate::profile::Profiles;
use std::sync::Arc;
use wattbook_types::transaction::Generation;
use wattbook_types::{
    BatteryId, ConnectionPoint, Energy, Genesis, MeterRegister, PerMille, Power, SlotLength, Timestamp,
};

/// A world before its first second.
#[derive(Clone, Debug)]
pub struct WorldSpec {
    /// When it begins (ledger time, cut to whole seconds).
    pub start: Timestamp,
    /// The interval at whose ends meters latch.
    pub slot_length: SlotLength,
    /// The longest time over which power counts as constant.
    pub step_seconds: u64,
    /// For how many slots meters remember.
    pub remembered_slots: usize,
    /// What the homes generate and use; a home whose profile has ended does neither.
    pub profiles: Arc<Profiles>,
    /// The batteries, by ascending number.
    pub batteries: Vec<BatterySpec>,
    /// The homes, by ascending connection point.
    pub homes: Vec<HomeSpec>,
}

/// A simulated battery.
#[derive(Clone, Copy, Debug)]
pub struct BatterySpec {
    /// Its number.
    pub id: BatteryId,
    /// Energy that it can hold.
    pub capacity: Energy,
    /// What it holds at the beginning.
    pub stored: Energy,
    /// Power that it can take in, at its terminals.
    pub charge_limit: Power,
    /// Power that it can give out, at its terminals.
    pub discharge_limit: Power,
    /// What of received energy is stored.
    pub charge_efficiency: PerMille,
    /// What of stored energy is delivered.
    pub discharge_efficiency: PerMille,
    /// What of stored energy is lost per hour, in millionths.
    pub standing_loss_ppm_per_hour: u32,
    /// Its own meter's import register at the beginning.
    pub import: MeterRegister,
    /// Its own meter's export register at the beginning.
    pub export: MeterRegister,
}

/// A simulated home.
#[derive(Clone, Debug)]
pub struct HomeSpec {
    /// Where it joins its battery's terminals.
    pub connection_point: ConnectionPoint,
    /// The battery.
    pub battery: BatteryId,
    /// Which of the profiles it follows, from 0.
    pub profile: usize,
    /// What is lost between home and battery.
    pub line_loss: PerMille,
    /// How it generates.
    pub kind: Generation,
    /// Its feeder's register of received energy at the beginning.
    pub received: MeterRegister,
    /// Its feeder's register of delivered energy at the beginning.
    pub delivered: MeterRegister,
}

/// Why a world cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Fewer profiles than homes.
    #[error("{homes} homes, but the profile file has only {profiles}")]
    TooFewProfiles {
        /// Homes of the community.
        homes: usize,
        /// Homes in the file.
        profiles: usize,
    },
    /// A home joins a battery that is not there.
    #[error("connection point {0} joins a battery that is not there")]
    NoSuchBattery(ConnectionPoint),
    /// Two homes or batteries have one number, or are not in ascending order.
    #[error("homes and batteries must have ascending numbers, each once")]
    NotAscending,
    /// Holds more than it can.
    #[error("battery {0} would hold more than its capacity")]
    Overfull(BatteryId),
}

impl WorldSpec {
    /// The world of a community: its batteries, empty, and its connection points, which follow the
    /// profiles in their order.
    ///
    /// # Errors
    /// Where there are fewer profiles than connection points.
    pub fn of_genesis(genesis: &Genesis, profiles: Arc<Profiles>) -> Result<Self, SpecError> {
        let (homes, profiled) = (genesis.connection_points.len(), profiles.homes().len());
        if profiled < homes {
            return Err(SpecError::TooFewProfiles { homes, profiles: profiled });
        }
        let spec = Self {
            start: genesis.time,
            slot_length: genesis.rules.slot_length,
            step_seconds: 60,
            remembered_slots: 2_048,
            profiles,
            batteries: genesis.batteries.iter().map(BatterySpec::of_genesis).collect(),
            homes: genesis
                .connection_points
                .iter()
                .enumerate()
                .map(|(profile, point)| HomeSpec {
                    connection_point: point.id,
                    battery: point.battery,
                    profile,
                    line_loss: point.line_loss,
                    kind: Generation::Solar,
                    received: point.received,
                    delivered: point.delivered,
                })
                .collect(),
        };
        spec.check().map(|()| spec)
    }

    /// Whether a world can be made of this.
    pub(super) fn check(&self) -> Result<(), SpecError> {
        let ascending = self.homes.windows(2).all(|w| w[0].connection_point < w[1].connection_point)
            && self.batteries.windows(2).all(|w| w[0].id < w[1].id);
        if !ascending {
            return Err(SpecError::NotAscending);
        }
        for home in &self.homes {
            if home.profile >= self.profiles.homes().len() {
                let (homes, profiles) = (self.homes.len(), self.profiles.homes().len());
                return Err(SpecError::TooFewProfiles { homes, profiles });
            }
            if !self.batteries.iter().any(|battery| battery.id == home.battery) {
                return Err(SpecError::NoSuchBattery(home.connection_point));
            }
        }
        match self.batteries.iter().find(|battery| battery.stored > battery.capacity) {
            Some(battery) => Err(SpecError::Overfull(battery.id)),
            None => Ok(()),
        }
    }
}

impl BatterySpec {
    fn of_genesis(battery: &wattbook_types::genesis::Battery) -> Self {
        Self {
            id: battery.id,
            capacity: battery.capacity,
            stored: Energy::ZERO,
            charge_limit: battery.charge_limit,
            discharge_limit: battery.discharge_limit,
            charge_efficiency: battery.charge_efficiency,
            discharge_efficiency: battery.discharge_efficiency,
            standing_loss_ppm_per_hour: battery.standing_loss_ppm_per_hour,
            import: battery.import,
            export: battery.export,
        }
    }
}
