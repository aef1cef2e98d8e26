//! What cannot be (M10), counted anew from the whole state.
//!
//! Always: this module reads entries and adds them up; it shares no arithmetic with what wrote them beyond
//! the worth of a share. A broken invariant is a fault of the program: the server halts and keeps the
//! evidence.

use crate::pool;
use crate::state::State;
use crate::tables::{
    Accounts, Batteries, BatteryBook, Lots, Parties, Receptions, Requests, Reservations, Tables, TotalsTable,
};
use std::collections::BTreeMap;
use wattbook_types::genesis::Role;
use wattbook_types::{AccountId, BatteryId, Money};

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Energy came from nowhere or went nowhere.
    #[error(
        "energy: received {received} but stored, delivered and lost are {accounted} (millionths of a Wh)"
    )]
    Energy {
        /// What was received.
        received: u128,
        /// What is accounted for.
        accounted: u128,
    },
    /// Shares of a battery and their holders disagree.
    #[error("battery {battery}: {book} shares in the book, {held} held")]
    Shares {
        /// The battery.
        battery: BatteryId,
        /// By the book.
        book: u128,
        /// By the holders.
        held: u128,
    },
    /// Reserved energy and the reservations disagree.
    #[error("battery {battery}: {book} reserved in the book, {held} in reservations (millionths of a Wh)")]
    Reserved {
        /// The battery.
        battery: BatteryId,
        /// By the book.
        book: u128,
        /// By the reservations.
        held: u128,
    },
    /// The signed sum of all accounts is not zero.
    #[error("money: {debits} debited but {credits} credited")]
    Money {
        /// Posted debits.
        debits: u128,
        /// Posted credits.
        credits: u128,
    },
    /// A pool owes more or less than its stored energy cost.
    #[error("battery {battery}: the pool's balance is {balance}, its energy cost {cost}")]
    Pool {
        /// The battery.
        battery: BatteryId,
        /// The pool's balance.
        balance: i64,
        /// What lots and reservations cost.
        cost: u64,
    },
    /// What is set aside and what it is set aside for disagree.
    #[error("account {account}: {pending} set aside, {needed} needed")]
    Pending {
        /// The account.
        account: AccountId,
        /// Set aside.
        pending: u64,
        /// Needed by open requests and reservations.
        needed: u64,
    },
    /// A member owes more than agreed.
    #[error("account {account} is overdrawn")]
    Overdrawn {
        /// The account.
        account: AccountId,
    },
}

/// Counts everything anew.
pub fn audit(state: &State) -> Result<(), Broken> {
    energy(state)?;
    for (id, book) in state.entries::<Batteries>(&()) {
        holders(state, id, &book)?;
        pool_cost(state, id)?;
    }
    money(state)?;
    pending(state)
}

fn energy(state: &State) -> Result<(), Broken> {
    let totals = state.find::<TotalsTable>(&()).expect("written by the genesis");
    let stored: u128 = state.entries::<Batteries>(&()).map(|(_, book)| pool::stored(&book)).sum();
    let received = pool::micro_wh(totals.received);
    let accounted = stored + pool::micro_wh(totals.delivered) + totals.lost_micro_wh;
    if received == accounted { Ok(()) } else { Err(Broken::Energy { received, accounted }) }
}

fn holders(state: &State, battery: BatteryId, book: &BatteryBook) -> Result<(), Broken> {
    let lots: u128 = state.entries::<Lots>(&battery).map(|(_, lot)| lot.shares).sum();
    let receptions = state.entries::<Receptions>(&()).filter(|(_, found)| found.battery == battery);
    let held = lots + receptions.map(|(_, found)| found.shares).sum::<u128>() + book.spare;
    if held != book.shares {
        return Err(Broken::Shares { battery, book: book.shares, held });
    }
    let parts = state.entries::<Reservations>(&battery).flat_map(|(_, reservation)| reservation.parts);
    let held: u128 = parts.map(|part| part.taken_micro_wh).sum();
    if held == book.reserved_micro_wh {
        Ok(())
    } else {
        Err(Broken::Reserved { battery, book: book.reserved_micro_wh, held })
    }
}

/// The pool paid for every lot and was paid for what it sold, so it owes exactly what is left cost.
fn pool_cost(state: &State, battery: BatteryId) -> Result<(), Broken> {
    let lots: Money = state.entries::<Lots>(&battery).map(|(_, lot)| lot.cost).sum();
    let parts = state.entries::<Reservations>(&battery).flat_map(|(_, reservation)| reservation.parts);
    let cost = lots.saturating_add(parts.map(|part| part.cost).sum()).milli();
    let pool = state.find::<Accounts>(&AccountId::pool(battery)).unwrap_or_default();
    let balance = pool.balance().milli();
    if i128::from(balance) + i128::from(cost) == 0 {
        Ok(())
    } else {
        Err(Broken::Pool { battery, balance, cost })
    }
}

fn money(state: &State) -> Result<(), Broken> {
    let (mut debits, mut credits) = (0u128, 0u128);
    for (account, found) in state.entries::<Accounts>(&()) {
        debits += u128::from(found.debits_posted.milli());
        credits += u128::from(found.credits_posted.milli());
        let party = state.find::<Parties>(&account).filter(|party| party.role == Role::Member);
        if party.is_some_and(|party| found.available(party.credit).milli() < 0) {
            return Err(Broken::Overdrawn { account });
        }
    }
    if debits == credits { Ok(()) } else { Err(Broken::Money { debits, credits }) }
}

fn pending(state: &State) -> Result<(), Broken> {
    let mut needed = BTreeMap::<AccountId, u64>::new();
    for (_, request) in state.entries::<Requests>(&()) {
        *needed.entry(request.buyer).or_default() += request.hold.milli();
    }
    for (_, reservation) in state.entries::<Reservations>(&()) {
        *needed.entry(reservation.buyer).or_default() += reservation.hold.milli();
    }
    for (account, found) in state.entries::<Accounts>(&()) {
        let (pending, needed) = (found.debits_pending.milli(), needed.remove(&account).unwrap_or(0));
        if pending != needed {
            return Err(Broken::Pending { account, pending, needed });
        }
    }
    match needed.into_iter().find(|(_, needed)| *needed > 0) {
        Some((account, needed)) => Err(Broken::Pending { account, pending: 0, needed }),
        None => Ok(()),
    }
}
