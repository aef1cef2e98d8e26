//! What follows in a block from its deadlines and transactions: stored lots, reservations, deliveries,
//! payments, refusals of requests.
//!
//! Always: every server derives the same records from the same block; they carry no signature of their
//! own, the proposer answers for them by signing the header that commits to them. The holder of a record
//! is empty (address P1 of Fig. 6B); `to` and the like name the destination.

use crate::id::{AccountId, BatteryId, ConnectionPoint, TransactionId};
use crate::quantity::{Energy, Money, Price};
use crate::refusal::Refusal;
use crate::time::{Interval, Slot};
use crate::transaction::Generation;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// One derived record. Encoded as its tag and its content.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Record {
    /// A verified sale: a row of the storage list (Fig. 7A).
    Stored(Stored) = 1,
    /// A request that a clearing did not serve, and why (S212).
    NotServed(NotServed) = 2,
    /// Third transaction: matching result with delivery; a row of the purchases list (Fig. 8).
    Delivery(Delivery) = 3,
    /// Fourth transaction: matching result and transmission request.
    Reservation(Reservation) = 4,
    /// Fifth transaction: a payment.
    Payment(Payment) = 5,
    /// A clearing that the contract did not decide; its requests were given back.
    ClearingSkipped(ClearingSkipped) = 6,
}

/// A verified sale.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Stored {
    /// The sale; also names the lot.
    pub sale: TransactionId,
    /// The seller.
    pub seller: AccountId,
    /// The battery.
    pub battery: BatteryId,
    /// Where the energy arrived.
    pub connection_point: ConnectionPoint,
    /// When it was sent.
    pub interval: Interval,
    /// How it was generated.
    pub generation: Generation,
    /// What the seller's meter says was sent.
    pub sent: Energy,
    /// What the battery received, by the storage side's signed report; this is paid.
    pub received: Energy,
    /// The unit price paid.
    pub price: Price,
}

/// A request that was not served.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct NotServed {
    /// The request.
    pub purchase: TransactionId,
    /// Who asked.
    pub buyer: AccountId,
    /// For when.
    pub slot: Slot,
    /// How much of it was not served (all of it, or what a partial reservation leaves).
    pub energy: Energy,
    /// Why.
    pub reason: Refusal,
    /// The lowest offer that was served in the same clearing, where there was one.
    pub lowest_served: Option<Price>,
}

/// One lot's part in a reservation or delivery.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct LotPart {
    /// The lot, by its sale.
    pub sale: TransactionId,
    /// Whose stored power it is.
    pub seller: AccountId,
    /// How it was generated.
    pub generation: Generation,
    /// How much of it, as delivered at the battery's terminals.
    pub energy: Energy,
}

/// Fourth transaction: the matching result and the transmission request. Named by its purchase.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Reservation {
    /// The request that it serves; a request has at most one reservation.
    pub purchase: TransactionId,
    /// Who gets the power.
    pub buyer: AccountId,
    /// From which battery.
    pub battery: BatteryId,
    /// Where.
    pub connection_point: ConnectionPoint,
    /// When.
    pub slot: Slot,
    /// How much, at the battery's terminals.
    pub energy: Energy,
    /// At which unit price.
    pub price: Price,
    /// From whose stored power.
    pub parts: Vec<LotPart>,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum DeliveryEnd {
    /// All of it came.
    Complete = 1,
    /// Less came than was reserved (short delivery, or less drawn).
    Partial = 2,
    /// Nothing came.
    Nothing = 3,
    /// The storage side did not report in time; counted as nothing.
    Unreported = 4,
}

/// Third transaction: what came of a reservation.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Delivery {
    /// The request and reservation.
    pub purchase: TransactionId,
    /// The storage side's report that confirms it; none where it did not report in time.
    pub report: Option<TransactionId>,
    /// Who got the power.
    pub buyer: AccountId,
    /// From which battery.
    pub battery: BatteryId,
    /// Where.
    pub connection_point: ConnectionPoint,
    /// When.
    pub slot: Slot,
    /// How much was reserved.
    pub reserved: Energy,
    /// How much came, at the battery's terminals; this is paid.
    pub delivered: Energy,
    /// At which unit price.
    pub price: Price,
    /// From whose stored power it came.
    pub parts: Vec<LotPart>,
    /// How it ended.
    pub end: DeliveryEnd,
}

/// What a payment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Purpose {
    /// The incentive for a seller.
    Incentive = 1,
    /// A buyer's payment for what was delivered.
    Purchase = 2,
    /// The operator's margin.
    Margin = 3,
    /// What is left, to the community.
    Remainder = 4,
    /// Points issued when the ledger began.
    Opening = 5,
}

/// Fifth transaction: a payment between two accounts.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Payment {
    /// What for.
    pub purpose: Purpose,
    /// The sale or purchase that it is for.
    pub about: TransactionId,
    /// Who pays.
    pub from: AccountId,
    /// Who is paid.
    pub to: AccountId,
    /// How much.
    pub amount: Money,
}

/// A clearing that was not decided.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct ClearingSkipped {
    /// The battery.
    pub battery: BatteryId,
    /// The slot.
    pub slot: Slot,
    /// Why.
    pub reason: Refusal,
}
