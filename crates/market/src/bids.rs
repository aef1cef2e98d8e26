//! Requests and lots as a rule sees them: with the loss of their way, and in the rule's order.
//!
//! Always: the outcome is the same in whatever order the clearing lists them. It does list requests by id
//! and lots by age and id, which is found out in one pass.

use crate::order::{sort, sort_by_name};
use crate::template::{Bid, Offer, Rule};
use alloc::vec;
use alloc::vec::Vec;
use wattbook_types::clearing::{Clearing, Lot, Request};
use wattbook_types::{ConnectionPoint, PerMille};

/// The requests that have a way to the battery, in the rule's order; among equals the least loss comes
/// first, then the lowest id.
pub(crate) fn bids<R: Rule>(clearing: &Clearing) -> Vec<Bid> {
    let ways = Ways::new(clearing);
    let mut by_id: Vec<(u32, &Request)> = (0..).zip(&clearing.requests).collect();
    sort_by_name(&mut by_id, |(_, request)| request.purchase.as_bytes());
    let mut bids: Vec<Bid> = Vec::with_capacity(by_id.len());
    for (place, asked) in by_id {
        if let Some(loss) = ways.loss(asked.connection_point) {
            let price = asked.offered.min(clearing.prices.buyer_cap);
            bids.push(Bid { price, energy: asked.energy, loss, place });
        }
    }
    sort(&mut bids, |bid| u64::from(bid.loss.get()));
    sort(&mut bids, |bid| R::request(bid)[1]);
    sort(&mut bids, |bid| R::request(bid)[0]);
    bids
}

/// The lots that still have something, in the rule's order; among equals the oldest comes first, then the
/// lowest id.
pub(crate) fn offers<R: Rule>(clearing: &Clearing) -> Vec<Offer> {
    let ways = Ways::new(clearing);
    let mut by_age: Vec<(u32, &Lot)> = (0..).zip(&clearing.lots).collect();
    by_age.retain(|(_, lot)| !lot.deliverable.is_zero());
    if !by_age.is_sorted_by_key(|(_, lot)| (lot.slot, lot.sale)) {
        sort_by_name(&mut by_age, |(_, lot)| lot.sale.as_bytes());
        sort(&mut by_age, |(_, lot)| lot.slot.number());
    }
    let mut offers: Vec<Offer> = Vec::with_capacity(by_age.len());
    for (place, lot) in by_age {
        let loss = ways.loss(lot.connection_point).unwrap_or(PerMille::ZERO.complement());
        offers.push(Offer { floor: lot.floor, energy: lot.deliverable, loss, slot: lot.slot, place });
    }
    sort(&mut offers, |offer| R::lot(offer)[1]);
    sort(&mut offers, |offer| R::lot(offer)[0]);
    offers
}

/// The loss on the way to each connection point.
enum Ways {
    /// By number from the lowest on, where numbers lie close together as they mostly do: found at once.
    Close(u32, Vec<Option<PerMille>>),
    /// By ascending number.
    Far(Vec<(ConnectionPoint, PerMille)>),
}

impl Ways {
    fn new(clearing: &Clearing) -> Self {
        let mut ways: Vec<_> = clearing.paths.iter().map(|path| (path.connection_point, path.loss)).collect();
        sort(&mut ways, |(point, _)| u64::from(point.number()));
        let (Some((lowest, _)), Some((highest, _))) = (ways.first(), ways.last()) else {
            return Self::Far(ways);
        };
        let lowest = lowest.number();
        let span = (highest.number() - lowest) as usize;
        if span / 4 > ways.len() {
            return Self::Far(ways);
        }
        let mut by_number = vec![None; span + 1];
        for (point, loss) in ways {
            if let Some(place) = by_number.get_mut((point.number() - lowest) as usize) {
                // Should a point be listed twice, its first way counts.
                place.get_or_insert(loss);
            }
        }
        Self::Close(lowest, by_number)
    }

    fn loss(&self, to: ConnectionPoint) -> Option<PerMille> {
        match self {
            Self::Close(lowest, by_number) => *by_number.get(to.number().checked_sub(*lowest)? as usize)?,
            Self::Far(ways) => {
                let place = ways.partition_point(|(point, _)| *point < to);
                ways.get(place).filter(|(point, _)| *point == to).map(|(_, loss)| *loss)
            }
        }
    }
}
