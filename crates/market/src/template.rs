//! What all market rules have in common: groups of requests in a rule's order, each sharing what the
//! lots that its price covers can still give.
//!
//! A rule says three things ([`Rule`]): which requests come first, which lots are used first, and what is
//! paid. The rest holds for every rule made from this template: no lot gives more than it has, the
//! battery promises no more than it can deliver, no buyer pays more than it offered or than the cap, no
//! lot goes below its floor, and no match is smaller than is worth the trouble unless it fills its request.
//! Cost: O((requests + lots) log (requests + lots)) while prices fall along a rule's order, and one pass
//! over the lots for every time that they rise.

use crate::bids::bids;
use crate::share::share;
use crate::stock::Stock;
use alloc::vec::Vec;
use wattbook_types::clearing::{Answer, Clearing, Match, Part, Unserved, UnservedReason};
use wattbook_types::{Energy, PerMille, Price, Slot};

/// What makes one market rule differ from another. Orders are by ascending pairs of numbers.
pub trait Rule {
    /// Which request comes first. Those with the same pair form one group and share in proportion to the
    /// energy that they ask. Must not look at [`Bid::place`].
    fn request(bid: &Bid) -> [u64; 2];

    /// Which lot is used first; among those with the same pair the oldest, then the lowest id.
    fn lot(offer: &Offer) -> [u64; 2];

    /// The unit price that a served request pays, from its own (offered, at most the cap) and the lowest
    /// own price of all that are served. Must not exceed its own.
    fn price(own: Price, lowest_served: Price) -> Price;
}

/// A request as a rule sees it.
#[derive(Clone, Copy, Debug)]
pub struct Bid {
    /// What it offers, at most the community's cap.
    pub price: Price,
    /// What it asks.
    pub energy: Energy,
    /// Its place in the clearing.
    pub place: u32,
    /// What is lost on the way from the battery to it.
    pub loss: PerMille,
}

/// A lot as a rule sees it.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// The lowest price at which it may be used.
    pub floor: Price,
    /// What it can deliver.
    pub energy: Energy,
    /// When it arrived.
    pub slot: Slot,
    /// Its place in the clearing.
    pub place: u32,
    /// What was lost on its way to the battery; the whole where no way is known.
    pub loss: PerMille,
}

/// What becomes of a request.
enum Fate {
    Served(Price, Vec<Part>),
    Unserved(UnservedReason),
}

/// Decides about one battery and slot by a rule.
pub fn clear<R: Rule>(clearing: &Clearing) -> Answer {
    let mut fates: Vec<Fate> = Vec::new();
    fates.resize_with(clearing.requests.len(), || Fate::Unserved(UnservedReason::NoPath));
    let mut stock = Stock::new::<R>(clearing);
    let bids = bids::<R>(clearing);
    for group in bids.chunk_by(|a, b| R::request(a) == R::request(b)) {
        serve(group, clearing.prices.smallest, &mut stock, &mut fates);
    }
    answer::<R>(fates)
}

/// Serves the requests of one group, which may differ in price only where a rule's order ignores it.
fn serve(group: &[Bid], smallest: Energy, stock: &mut Stock, fates: &mut [Fate]) {
    let Some(lowest) = group.iter().map(|bid| bid.price).min() else { return };
    stock.at(lowest);
    let asked: Vec<Energy> = group.iter().map(|bid| bid.energy).collect();
    let granted = share(&asked, stock.available(), smallest);
    for (bid, granted) in group.iter().zip(granted) {
        let fate = if granted.is_zero() {
            Fate::Unserved(why(bid.energy, smallest, stock))
        } else {
            Fate::Served(bid.price, stock.draw(granted))
        };
        if let Some(place) = fates.get_mut(bid.place as usize) {
            *place = fate;
        }
    }
}

/// Why a request got nothing: what would it have got, had it been alone?
fn why(asked: Energy, smallest: Energy, stock: &Stock) -> UnservedReason {
    let least = asked.min(smallest).max(Energy::from_wh(1));
    if asked.is_zero() {
        UnservedReason::ByRule
    } else if stock.at_first() < least {
        UnservedReason::NothingStored
    } else if stock.at_first_for_price() < least {
        UnservedReason::BelowFloor
    } else {
        UnservedReason::Outbid
    }
}

/// The fates in the order of the requests, with the prices that the rule sets.
fn answer<R: Rule>(fates: Vec<Fate>) -> Answer {
    let served = |fate: &Fate| match fate {
        Fate::Served(price, _) => Some(*price),
        Fate::Unserved(_) => None,
    };
    let lowest = fates.iter().filter_map(served).min().unwrap_or_default();
    let mut answer = Answer::default();
    for (request, fate) in (0..).zip(fates) {
        match fate {
            Fate::Served(own, parts) => {
                answer.matches.push(Match { request, price: R::price(own, lowest), parts });
            }
            Fate::Unserved(reason) => answer.refused.push(Unserved { request, reason }),
        }
    }
    answer
}
