//! The one kind of statement that the storage side signs.
//!
//! Always: registers are cumulative, so that a lost report loses nothing; reports of a battery are
//! numbered without gaps. It serves as reception (S105), delivery (B10) and storage state (B5) at once.
//! Not here: what a report must fulfil to enter the ledger.

use crate::id::{BatteryId, ConnectionPoint};
use crate::quantity::{Energy, MeterRegister, Power};
use crate::time::{Slot, Timestamp};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Why a report was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Occasion {
    /// A slot ended: the registers are those that the meters latched at its end.
    SlotEnd = 1,
    /// Between slots, on change or inquiry: the storage state now; registers as of now.
    Interim = 2,
}

/// A statement of the storage side about one battery.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct StorageReport {
    /// The battery.
    pub battery: BatteryId,
    /// How many times the storage side has started; tells a restart from a forgery.
    pub boot_epoch: u32,
    /// Number of this report among all of the battery's, from 0, without gaps, across restarts.
    pub sequence: u64,
    /// When the registers below were read (for `SlotEnd`: the end of the slot).
    pub time: Timestamp,
    /// The slot that ended, or in which this was made.
    pub slot: Slot,
    /// Why it was made.
    pub occasion: Occasion,
    /// Energy that the battery ever took in at its terminals.
    pub import: MeterRegister,
    /// Energy that the battery ever gave out at its terminals.
    pub export: MeterRegister,
    /// Energy stored now, by the battery's own management.
    pub stored: Energy,
    /// Energy that the battery can hold at most.
    pub capacity: Energy,
    /// Power that it can take in now.
    pub charge_limit: Power,
    /// Power that it can give out now.
    pub discharge_limit: Power,
    /// One row per connection point, by ascending number, each once.
    pub rows: Vec<FeederRow>,
}

/// The most rows with which a report, in its envelope, still fits into a transaction.
pub const MAX_ROWS: usize = (crate::transaction::MAX_TRANSACTION_BYTES - 512) / 20;

/// What one connection point's feeder meter has counted, at the battery's terminals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct FeederRow {
    /// The connection point.
    pub connection_point: ConnectionPoint,
    /// Energy ever received from the home.
    pub received: MeterRegister,
    /// Energy ever delivered to the home.
    pub delivered: MeterRegister,
}
