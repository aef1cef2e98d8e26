//! Requests and lots as a rule sees them: with the loss of their way, and in the rule's order.
//!
//! Always: the outcome is the same in whatever order the clearing lists them. The clearing does list them
//! by ascending id, which the sorts here find out in one pass.

use crate::template::{Bid, Offer, Rule};
use alloc::vec::Vec;
use wattbook_types::clearing::{Clearing, Lot, Request};
use wattbook_types::{ConnectionPoint, PerMille};

/// The requests that have a way to the battery, in the rule's order; among equals the least loss comes
/// first, then the lowest id.
pub(crate) fn bids<R: Rule>(clearing: &Clearing) -> Vec<Bid> {
    let ways = Ways::new(clearing);
    let mut by_id: Vec<(u32, &Request)> = (0..).zip(&clearing.requests).collect();
    by_id.sort_unstable_by(|(_, a), (_, b)| a.purchase.cmp(&b.purchase));
    let mut bids: Vec<Bid> = Vec::with_capacity(by_id.len());
    for (place, (request, asked)) in (0..).zip(by_id) {
        if let Some(loss) = ways.loss(asked.connection_point) {
            let price = asked.offered.min(clearing.prices.buyer_cap);
            bids.push(Bid { price, loss, place, request });
        }
    }
    bids.sort_unstable_by(|a, b| {
        R::requests(a, b).then_with(|| a.loss.cmp(&b.loss)).then_with(|| a.place.cmp(&b.place))
    });
    bids
}

/// The lots that still have something, in the rule's order; among equals the lowest id comes first.
pub(crate) fn offers<R: Rule>(clearing: &Clearing) -> Vec<Offer> {
    let ways = Ways::new(clearing);
    let offer = |(lot, stored): (u32, &Lot)| Offer {
        floor: stored.floor,
        loss: ways.loss(stored.connection_point).unwrap_or(PerMille::ZERO.complement()),
        slot: stored.slot,
        lot,
    };
    let mut offers: Vec<(Offer, &Lot)> = (0..)
        .zip(&clearing.lots)
        .filter(|(_, lot)| !lot.deliverable.is_zero())
        .map(|entry| (offer(entry), entry.1))
        .collect();
    offers.sort_unstable_by(|(a, lot_a), (b, lot_b)| R::lots(a, b).then_with(|| lot_a.sale.cmp(&lot_b.sale)));
    offers.into_iter().map(|(offer, _)| offer).collect()
}

/// The loss on the way to each connection point.
struct Ways(Vec<(ConnectionPoint, PerMille)>);

impl Ways {
    fn new(clearing: &Clearing) -> Self {
        let mut ways: Vec<_> = clearing.paths.iter().map(|path| (path.connection_point, path.loss)).collect();
        ways.sort_unstable();
        Self(ways)
    }

    fn loss(&self, to: ConnectionPoint) -> Option<PerMille> {
        let first = self.0.partition_point(|(point, _)| *point < to);
        self.0.get(first).filter(|(point, _)| *point == to).map(|(_, loss)| *loss)
    }
}
