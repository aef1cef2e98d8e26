//! What the market contract is given and what it answers.
//!
//! Always: both are canonical bytes, the same for the native rule and the contract; quantities in an
//! answer are deliverable energy at the battery's terminals. The host checks every answer against
//! conservation and price bounds: a hostile rule can favour somebody, never create.
//! Built without the feature `ledger` as well, because the contract is.

use crate::id::{AccountId, BatteryId, ConnectionPoint, TransactionId};
use crate::quantity::{Energy, PerMille, Power, Price};
use crate::time::{Slot, SlotLength};
use alloc::vec::Vec;
use borsh::{BorshDeserialize, BorshSerialize};

/// Version of this interface; the first field of every clearing.
pub const CLEARING_VERSION: u16 = 1;

/// Everything that a rule may look at when it decides about one battery and slot.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Clearing {
    /// Version of the interface.
    pub version: u16,
    /// The slot that is cleared.
    pub slot: Slot,
    /// How long it is.
    pub slot_length: SlotLength,
    /// The battery.
    pub battery: BatteryState,
    /// The bounds and the tariff in force.
    pub prices: PriceLimits,
    /// Stored lots, by ascending (slot, sale).
    pub lots: Vec<Lot>,
    /// Requests, by ascending id, so that the order in which they came means nothing.
    pub requests: Vec<Request>,
    /// The way from the battery to each connection point that appears in a request or a lot, ascending.
    pub paths: Vec<Path>,
}

/// The battery as the ledger and its last report know it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BatteryState {
    /// The battery.
    pub battery: BatteryId,
    /// Energy stored by its last report.
    pub stored: Energy,
    /// Energy that it can hold.
    pub capacity: Energy,
    /// The most that this clearing may promise in all, at the terminals: what is stored and not promised,
    /// after discharging loss, and what the discharge limit lets through in a slot.
    pub deliverable: Energy,
    /// Power that it can give out.
    pub discharge_limit: Power,
}

/// Bounds that no match may leave.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PriceLimits {
    /// The most that a buyer may be asked.
    pub buyer_cap: Price,
    /// The smallest energy that is worth a match; less is left unserved unless it fills a request.
    pub smallest: Energy,
}

/// Stored energy of one sale.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Lot {
    /// The sale that it comes from.
    pub sale: TransactionId,
    /// Whose it is or was.
    pub seller: AccountId,
    /// Where it arrived.
    pub connection_point: ConnectionPoint,
    /// When it arrived.
    pub slot: Slot,
    /// How much of it can still be delivered, at the terminals.
    pub deliverable: Energy,
    /// The lowest price at which it covers what was paid for it.
    pub floor: Price,
}

/// A request to buy.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Request {
    /// The purchase.
    pub purchase: TransactionId,
    /// Who asks.
    pub buyer: AccountId,
    /// Where it is wanted.
    pub connection_point: ConnectionPoint,
    /// How much, at the terminals.
    pub energy: Energy,
    /// The unit price offered.
    pub offered: Price,
}

/// The way between a battery and a connection point.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Path {
    /// The connection point.
    pub connection_point: ConnectionPoint,
    /// What is lost on the way.
    pub loss: PerMille,
    /// How long it is, in metres.
    pub distance: u32,
}

/// A rule's decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Answer {
    /// Requests that are served, by ascending request; at most one match per request.
    pub matches: Vec<Match>,
    /// Requests that are not served at all, by ascending request, and why.
    pub refused: Vec<Unserved>,
}

/// One request served.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Match {
    /// Place of the request in the clearing.
    pub request: u32,
    /// The unit price that the buyer pays.
    pub price: Price,
    /// From which lots, by ascending lot, and how much from each; never nothing.
    pub parts: Vec<Part>,
}

/// One lot's part in a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Part {
    /// Place of the lot in the clearing.
    pub lot: u32,
    /// How much of it, at the terminals.
    pub energy: Energy,
}

/// One request not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Unserved {
    /// Place of the request in the clearing.
    pub request: u32,
    /// Why.
    pub reason: UnservedReason,
}

/// Why a rule did not serve a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum UnservedReason {
    /// Nothing that could be delivered is stored, or less than is worth a match.
    NothingStored = 1,
    /// Others offered more for what there is, or as much and too little was left to share.
    Outbid = 2,
    /// The offer does not cover what was paid for the stored energy, or for enough of it.
    BelowFloor = 3,
    /// The connection point has no way to the battery.
    NoPath = 4,
    /// The rule itself decides otherwise.
    ByRule = 5,
}
