//! The market's rules: who gets how much of the stored energy, from which lots and at what price.
//!
//! Always: pure functions from a [`Clearing`] to an [`Answer`]; whole numbers only, no floating point, no
//! hashed order; nothing depends on the order in which requests or lots are given. Built twice from the
//! same source: natively, and as the WebAssembly contract [`CONTRACT`] that stands on the ledger.
//! Not here: what may be asked or offered (the ledger checks that before) and whether an answer is
//! acceptable (the ledger checks that after, whichever rule gave it).
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod bids;
#[cfg(target_arch = "wasm32")]
mod contract;
pub mod input;
mod order;
mod share;
mod stock;
pub mod template;

use template::{Bid, Offer, Rule};
use wattbook_types::Price;
use wattbook_types::clearing::{Answer, Clearing};

/// The default rule as a WebAssembly module, as it stands in a genesis. Interface: `docs/contract-abi.md`.
#[cfg(not(target_arch = "wasm32"))]
pub const CONTRACT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/contract.wasm"));

/// Decides about one battery and slot by the default rule, [`PricePriority`].
pub fn clear(clearing: &Clearing) -> Answer {
    template::clear::<PricePriority>(clearing)
}

/// The default rule, "price priority": the highest offer first; who offers the same shares in proportion
/// to the energy asked; every buyer pays what it offered, at most the community's cap.
#[derive(Clone, Copy, Debug)]
pub struct PricePriority;

impl Rule for PricePriority {
    fn request(bid: &Bid) -> [u64; 2] {
        [u64::MAX - bid.price.milli_per_kwh(), 0]
    }

    fn lot(offer: &Offer) -> [u64; 2] {
        [u64::from(offer.loss.get()), 0]
    }

    fn price(own: Price, _lowest_served: Price) -> Price {
        own
    }
}
