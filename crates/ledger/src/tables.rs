//! What the ledger remembers between blocks: one table per subject, each with its key and value.
//!
//! Always: a key is the table's tag and a fixed number of bytes, numbers big-endian, so that the order of
//! keys is the order of things; a value is the canonical encoding of its type. Both are part of the
//! protocol, because proofs are about them. Not here: what may change them.

use crate::state::State;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use wattbook_types::genesis::{Battery, ConnectionPointSpec, Prices, Role};
use wattbook_types::transaction::Generation;
use wattbook_types::{
    AccountId, Balance, BatteryId, ConnectionPoint, Energy, Hash, Money, Power, Price, PublicKey, Slot,
    Timestamp, TransactionId,
};

/// A subject that the state remembers.
pub trait Table {
    /// First byte of every key.
    const TAG: u8;
    /// What finds an entry.
    type Key: Key;
    /// What is found.
    type Value: BorshSerialize + BorshDeserialize;
}

/// Something that is written into keys: a fixed number of bytes whose order is the order of things.
pub trait Key: Sized {
    /// Appends the bytes.
    fn write(&self, bytes: &mut Vec<u8>);
    /// Takes the bytes off the front; `None` where there are too few.
    fn read(bytes: &mut &[u8]) -> Option<Self>;
}

macro_rules! table {
    ($(#[$doc:meta])* $name:ident, $tag:literal, $key:ty, $value:ty) => {
        $(#[$doc])*
        pub struct $name;
        impl Table for $name {
            const TAG: u8 = $tag;
            type Key = $key;
            type Value = $value;
        }
    };
}

table!(/** Sums since the ledger began. */ TotalsTable, 1, (), Totals);
table!(/** Who may do what. */ Parties, 2, AccountId, Party);
table!(/** Points. */ Accounts, 3, AccountId, MoneyAccount);
table!(/** Where homes join a battery. */ Connections, 4, ConnectionPoint, Connection);
table!(/** The batteries and the books of their energy. */ Batteries, 5, BatteryId, BatteryBook);
table!(/** What was received and when, by the slot whose report said so. */ Receptions, 6, (ConnectionPoint, Slot), Reception);
table!(/** Which sale claimed a slot's reception. */ Claims, 7, (ConnectionPoint, Slot), TransactionId);
table!(/** Stored energy that can be sold. */ Lots, 8, (BatteryId, Slot, TransactionId), StoredLot);
table!(/** Open requests to buy. */ Requests, 9, (BatteryId, Slot, TransactionId), OpenRequest);
table!(/** Reservations that have not ended. */ Reservations, 10, (BatteryId, Slot, TransactionId), OpenReservation);
table!(/** Deadlines that need a block. */ Deadlines, 11, (Timestamp, DeadlineKind, BatteryId, Slot), ());
table!(/** Names of transactions in the ledger, until they are forgotten. */ Seen, 12, TransactionId, Timestamp);
table!(/** When names are forgotten. */ Forgetting, 13, (Timestamp, TransactionId), ());
table!(/** Statements of the storage side, by battery and number: the hash of what was stated. */ Statements, 14, (BatteryId, u64), Hash);
table!(/** When unclaimed receptions of a slot go to the community. */ Sweeps, 15, (Timestamp, BatteryId, Slot), ());
table!(/** The market contract in force. */ ContractInForce, 16, (), Hash);
table!(/** Contract modules. */ Contracts, 17, Hash, Vec<u8>);
table!(/** Prices in force. */ PricesInForce, 18, (), Prices);

impl Key for () {
    fn write(&self, _: &mut Vec<u8>) {}
    fn read(_: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

impl Key for u64 {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_be_bytes());
    }
    fn read(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes).map(Self::from_be_bytes)
    }
}

macro_rules! number_key {
    ($name:ty, $inner:ty, $from:path, $to:path) => {
        impl Key for $name {
            fn write(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&$to(*self).to_be_bytes());
            }
            fn read(bytes: &mut &[u8]) -> Option<Self> {
                take(bytes).map(<$inner>::from_be_bytes).map($from)
            }
        }
    };
}

number_key!(Slot, u64, Slot::from_number, Slot::number);
number_key!(Timestamp, u64, Timestamp::from_millis, Timestamp::millis);
number_key!(BatteryId, u16, BatteryId::from_number, BatteryId::number);
number_key!(ConnectionPoint, u32, ConnectionPoint::from_number, ConnectionPoint::number);

macro_rules! hash_key {
    ($($name:ty),*) => {$(
        impl Key for $name {
            fn write(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(self.as_bytes());
            }
            fn read(bytes: &mut &[u8]) -> Option<Self> {
                take(bytes).map(Self::from_bytes)
            }
        }
    )*};
}

hash_key!(AccountId, TransactionId, Hash);

macro_rules! tuple_key {
    ($($part:ident $name:ident),*) => {
        impl<$($part: Key),*> Key for ($($part,)*) {
            fn write(&self, bytes: &mut Vec<u8>) {
                let ($($name,)*) = self;
                $($name.write(bytes);)*
            }
            fn read(bytes: &mut &[u8]) -> Option<Self> {
                Some(($($part::read(bytes)?,)*))
            }
        }
    };
}

tuple_key!(A a, B b);
tuple_key!(A a, B b, C c);
tuple_key!(A a, B b, C c, D d);

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = bytes.split_first_chunk::<N>()?;
    *bytes = tail;
    Some(*head)
}

/// The bytes of a key, or of the first parts of one.
pub fn key_bytes<T: Table>(key: &impl Key) -> Vec<u8> {
    let mut bytes = vec![T::TAG];
    key.write(&mut bytes);
    bytes
}

/// Typed reading and writing of tables.
pub trait Tables {
    /// An entry, where there is one.
    fn find<T: Table>(&self, key: &T::Key) -> Option<T::Value>;
    /// Whether there is an entry.
    fn has<T: Table>(&self, key: &T::Key) -> bool;
    /// The entries whose key begins with `prefix`, in order.
    fn entries<T: Table>(&self, prefix: &impl Key) -> impl Iterator<Item = (T::Key, T::Value)>;
    /// The first entry whose key begins with `prefix` and is not before `key`.
    fn first_from<T: Table>(&self, prefix: &impl Key, key: &impl Key) -> Option<(T::Key, T::Value)>;
    /// Writes an entry.
    fn put<T: Table>(&mut self, key: &T::Key, value: &T::Value);
    /// Takes an entry away.
    fn delete<T: Table>(&mut self, key: &T::Key);
}

fn decode<T: Table>(key: &[u8], value: &[u8]) -> (T::Key, T::Value) {
    let key = T::Key::read(&mut &key[1..]).expect("keys are written by this module");
    (key, decode_value::<T>(value))
}

fn decode_value<T: Table>(value: &[u8]) -> T::Value {
    borsh::from_slice(value).expect("values are written by this module")
}

impl Tables for State {
    fn find<T: Table>(&self, key: &T::Key) -> Option<T::Value> {
        self.get(&key_bytes::<T>(key)).map(decode_value::<T>)
    }

    fn has<T: Table>(&self, key: &T::Key) -> bool {
        self.get(&key_bytes::<T>(key)).is_some()
    }

    fn entries<T: Table>(&self, prefix: &impl Key) -> impl Iterator<Item = (T::Key, T::Value)> {
        self.range(&key_bytes::<T>(prefix)).map(|(key, value)| decode::<T>(key, value))
    }

    fn first_from<T: Table>(&self, prefix: &impl Key, key: &impl Key) -> Option<(T::Key, T::Value)> {
        self.first_at_or_after(&key_bytes::<T>(prefix), &key_bytes::<T>(key))
            .map(|(key, value)| decode::<T>(key, value))
    }

    fn put<T: Table>(&mut self, key: &T::Key, value: &T::Value) {
        self.insert(&key_bytes::<T>(key), &borsh::to_vec(value).expect("in memory"));
    }

    fn delete<T: Table>(&mut self, key: &T::Key) {
        self.remove(&key_bytes::<T>(key));
    }
}

/// Sums since the ledger began.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Totals {
    /// What sellers' meters say was sent, of verified sales.
    pub sent: Energy,
    /// What batteries received, by their reports.
    pub received: Energy,
    /// What batteries delivered, by their reports.
    pub delivered: Energy,
    /// Of that, what no reservation covered.
    pub uncovered: Energy,
    /// What was lost, in millionths of a watt-hour.
    pub lost_micro_wh: u128,
    /// Paid to sellers.
    pub sellers_paid: Money,
    /// Paid by buyers.
    pub buyers_paid: Money,
    /// Points issued.
    pub issued: Money,
    /// Numbers of transactions and records.
    pub counts: Counts,
}

impl Totals {
    /// Books as lost what was taken out of storage beyond what it delivered.
    ///
    /// Where less was taken than delivered, either rounding has taken a few millionths before, which are
    /// booked as lost already and are lost no longer, or the operator has put energy in that nobody was
    /// credited for, which is booked as received from him.
    pub fn deliver(&mut self, taken_micro_wh: u128, delivered: Energy) {
        let delivered = u128::from(delivered.wh()) * 1_000_000;
        let missing = delivered.saturating_sub(taken_micro_wh);
        let rounded = if missing < 1_000_000 { missing.min(self.lost_micro_wh) } else { 0 };
        let gift = (missing - rounded).div_ceil(1_000_000);
        self.received = self
            .received
            .saturating_add(Energy::from_wh(u64::try_from(gift).expect("less than was delivered")));
        self.lost_micro_wh = self.lost_micro_wh + taken_micro_wh + gift * 1_000_000 - delivered;
    }
}

/// Numbers of transactions and records since the ledger began.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Counts {
    /// First transactions.
    pub sale: u64,
    /// Second transactions.
    pub purchase: u64,
    /// Third transactions.
    pub delivery: u64,
    /// Fourth transactions.
    pub reservation: u64,
    /// Fifth transactions.
    pub payment: u64,
    /// Storage-side transactions.
    pub report: u64,
    /// Requests not served, wholly or in part.
    pub not_served: u64,
    /// Clearings decided in time.
    pub slots_traded: u64,
    /// Clearings that could not be decided in time.
    pub slots_missed: u64,
    /// Reservations that ended without a report.
    pub unreported: u64,
}

/// Who an address is.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Party {
    /// The key that signs for it now.
    pub key: PublicKey,
    /// What it may do.
    pub role: Role,
    /// The member that it belongs to.
    pub member: AccountId,
    /// Whether it is suspended.
    pub suspended: bool,
    /// How far its balance may fall below zero.
    pub credit: Money,
    /// How many open requests its addresses have; counted where the address is the member itself.
    pub open_orders: u32,
}

/// Points of one account: posted totals, and what is set aside.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MoneyAccount {
    /// Set aside for what the holder may have to pay.
    pub debits_pending: Money,
    /// Paid out since the ledger began.
    pub debits_posted: Money,
    /// Received since the ledger began.
    pub credits_posted: Money,
}

impl MoneyAccount {
    /// What it holds, or owes.
    pub fn balance(&self) -> Balance {
        let balance = i128::from(self.credits_posted.milli()) - i128::from(self.debits_posted.milli());
        Balance::from_milli(i64::try_from(balance).expect("balances are far smaller"))
    }

    /// What it may still spend with this credit.
    pub fn available(&self, credit: Money) -> Balance {
        let free = i128::from(self.balance().milli()) + i128::from(credit.milli())
            - i128::from(self.debits_pending.milli());
        Balance::from_milli(i64::try_from(free).expect("balances are far smaller"))
    }
}

/// A connection point.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Connection {
    /// What it is; registers in it are those of the last slot-end report.
    pub spec: ConnectionPointSpec,
}

/// A battery and the book of its energy. Millionths of a watt-hour keep charging and discharging losses
/// exact; see `pool` for how lots share in it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BatteryBook {
    /// What it is; registers in it are those of the last slot-end report.
    pub spec: Battery,
    /// The slot whose end is to be reported next.
    pub next_slot: Slot,
    /// The number of the next report.
    pub next_sequence: u64,
    /// The highest boot epoch reported.
    pub boot_epoch: u32,
    /// Time of the last report, the genesis' before the first.
    pub reported_at: Timestamp,
    /// Energy stored by the last report.
    pub reported_stored: Energy,
    /// Power that it can give out by the last report.
    pub discharge_limit: Power,
    /// Millionths of a watt-hour that 10^12 shares are worth.
    pub index: u64,
    /// Shares held by lots, receptions and `spare`.
    pub shares: u128,
    /// Shares left over from lots too small to be sold; the next lot gets them.
    pub spare: u128,
    /// Promised to reservations, in millionths of a watt-hour, as stored.
    pub reserved_micro_wh: u128,
    /// What buyers offered on average in the last clearing.
    pub average_offered: Option<Price>,
}

/// What arrived at a connection point.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Reception {
    /// The battery.
    pub battery: BatteryId,
    /// The first slot that it may have arrived in; before the key's slot where reports were missing.
    pub first_slot: Slot,
    /// How much arrived.
    pub received: Energy,
    /// How much of it was not claimed yet.
    pub unclaimed: Energy,
    /// Shares of the battery's energy that the unclaimed part holds.
    pub shares: u128,
}

/// Stored energy that can be sold.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct StoredLot {
    /// Whose it was.
    pub seller: AccountId,
    /// Where it arrived.
    pub connection_point: ConnectionPoint,
    /// How it was generated.
    pub generation: Generation,
    /// How much was received.
    pub received: Energy,
    /// Shares of the battery's energy.
    pub shares: u128,
    /// What the pool paid for what is left of it.
    pub cost: Money,
}

/// An open request to buy.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct OpenRequest {
    /// Who asks.
    pub buyer: AccountId,
    /// Where it is wanted.
    pub connection_point: ConnectionPoint,
    /// How much.
    pub energy: Energy,
    /// The unit price offered.
    pub offered: Price,
    /// Set aside on the buyer's account.
    pub hold: Money,
}

/// A reservation that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct OpenReservation {
    /// Who gets the power.
    pub buyer: AccountId,
    /// Where.
    pub connection_point: ConnectionPoint,
    /// The unit price.
    pub price: Price,
    /// Set aside on the buyer's account.
    pub hold: Money,
    /// From which lots.
    pub parts: Vec<ReservedPart>,
}

/// One lot's part in an open reservation.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ReservedPart {
    /// The lot's sale.
    pub sale: TransactionId,
    /// The slot in which the lot was received.
    pub slot: Slot,
    /// Whose it was.
    pub seller: AccountId,
    /// Where the lot arrived.
    pub connection_point: ConnectionPoint,
    /// How it was generated.
    pub generation: Generation,
    /// How much, as delivered.
    pub energy: Energy,
    /// What was taken from the lot for it, in millionths of a watt-hour, as stored.
    pub taken_micro_wh: u128,
    /// What the pool paid for it.
    pub cost: Money,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeadlineKind {
    /// A slot's requests are cleared.
    Gate,
    /// A slot's reservations are closed.
    Close,
}

impl Key for DeadlineKind {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(match self {
            Self::Gate => 1,
            Self::Close => 2,
        });
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        match take::<1>(bytes)? {
            [1] => Some(Self::Gate),
            [2] => Some(Self::Close),
            _ => None,
        }
    }
}
