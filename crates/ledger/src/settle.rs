//! What a slot-end report brings about: standing loss, receptions, and the settlement of reservations.
//!
//! Always: what was delivered is attributed to a connection point's reservations in the order of slot and
//! name; a buyer pays for what came, never more than was reserved; what did not come goes back to the lots
//! it was taken from. Not here: whether a report is to be believed (`check`).

use crate::accounts;
use crate::execute::Execution;
use crate::pool;
use crate::state::State;
use crate::tables::{
    Batteries, BatteryBook, Connections, DeadlineKind, Deadlines, Lots, OpenReservation, Reception,
    Receptions, Reservations, ReservedPart, StoredLot, Sweeps, Tables,
};
use std::collections::BTreeMap;
use wattbook_types::genesis::Genesis;
use wattbook_types::record::{Delivery, DeliveryEnd, LotPart, Purpose, Record};
use wattbook_types::report::StorageReport;
use wattbook_types::{AccountId, BatteryId, ConnectionPoint, Energy, Money, Slot, Timestamp, TransactionId};

/// The connection points of a battery, ascending.
pub fn connection_points(state: &State, battery: BatteryId) -> Vec<ConnectionPoint> {
    let all = state.entries::<Connections>(&());
    all.filter(|(_, connection)| connection.spec.battery == battery).map(|(id, _)| id).collect()
}

/// Books a slot-end report that was checked.
pub fn slot_end(execution: &mut Execution<'_>, id: TransactionId, report: &StorageReport) {
    let rules = &execution.genesis.rules;
    let mut book = execution.state.find::<Batteries>(&report.battery).expect("checked");
    let first_slot = book.next_slot;
    let slots = report.slot.next().number() - first_slot.number();
    let seconds = slots * rules.slot_length.seconds();
    execution.totals.lost_micro_wh += pool::stand(&mut execution.state, report.battery, &mut book, seconds);
    book.next_slot = report.slot.next();
    book.spec.import = report.import;
    book.spec.export = report.export;
    execution.state.put::<Batteries>(&report.battery, &book);
    let mut open = open_until(&execution.state, report.battery, report.slot);
    for row in &report.rows {
        let mut connection = execution.state.find::<Connections>(&row.connection_point).expect("checked");
        let received = row.received.since(connection.spec.received).expect("checked");
        let delivered = row.delivered.since(connection.spec.delivered).expect("checked");
        connection.spec.received = row.received;
        connection.spec.delivered = row.delivered;
        if !received.is_zero() || !delivered.is_zero() {
            execution.state.put::<Connections>(&row.connection_point, &connection);
        }
        receive(execution, report, first_slot, row.connection_point, received);
        let reservations = open.remove(&row.connection_point).unwrap_or_default();
        deliver(execution, id, report.battery, reservations, delivered);
    }
    let sweep = report.slot.end(rules.slot_length).plus_millis(rules.sale_deadline_ms);
    execution.state.put::<Sweeps>(&(sweep, report.battery, report.slot), &());
}

fn receive(
    execution: &mut Execution<'_>,
    report: &StorageReport,
    first_slot: Slot,
    cp: ConnectionPoint,
    received: Energy,
) {
    if received.is_zero() {
        return;
    }
    let mut book = execution.state.find::<Batteries>(&report.battery).expect("checked");
    let stored = pool::stored_of(received, book.spec.charge_efficiency);
    let (shares, lost) = pool::put_in(&mut book, stored);
    execution.totals.lost_micro_wh += pool::micro_wh(received) - stored + lost;
    execution.totals.received = execution.totals.received.saturating_add(received);
    execution.state.put::<Batteries>(&report.battery, &book);
    let reception = Reception { battery: report.battery, first_slot, received, unclaimed: received, shares };
    execution.state.put::<Receptions>(&(cp, report.slot), &reception);
}

/// Settles a connection point's reservations up to the report's slot with what was delivered to it.
fn deliver(
    execution: &mut Execution<'_>,
    id: TransactionId,
    battery: BatteryId,
    reservations: Vec<Open>,
    delivered: Energy,
) {
    execution.totals.delivered = execution.totals.delivered.saturating_add(delivered);
    let mut left = delivered;
    for (key, reservation) in reservations {
        let reserved: Energy = reservation.parts.iter().map(|part| part.energy).sum();
        let came = left.min(reserved);
        left = left.saturating_sub(came);
        let end = match came {
            Energy::ZERO => DeliveryEnd::Nothing,
            _ if came == reserved => DeliveryEnd::Complete,
            _ => DeliveryEnd::Partial,
        };
        settle(execution, key, &reservation, came, Some(id), end);
    }
    if !left.is_zero() {
        uncovered(execution, battery, left);
    }
}

/// Energy that left the battery without a reservation is taken off everything that is not reserved, and
/// counted against the operator.
fn uncovered(execution: &mut Execution<'_>, battery: BatteryId, energy: Energy) {
    let mut book = execution.state.find::<Batteries>(&battery).expect("checked");
    let needed = pool::needed_for(energy, book.spec.discharge_efficiency);
    let taken = pool::shrink(&mut execution.state, battery, &mut book, needed);
    execution.totals.deliver(taken, energy);
    execution.totals.uncovered = execution.totals.uncovered.saturating_add(energy);
    execution.state.put::<Batteries>(&battery, &book);
}

type Open = ((BatteryId, Slot, TransactionId), OpenReservation);

/// Open reservations up to a slot, by connection point, in the order of slot and name.
fn open_until(state: &State, battery: BatteryId, slot: Slot) -> BTreeMap<ConnectionPoint, Vec<Open>> {
    let mut open = BTreeMap::<_, Vec<Open>>::new();
    let all = state.entries::<Reservations>(&battery);
    for (key, reservation) in all.take_while(|((_, reserved, _), _)| *reserved <= slot) {
        open.entry(reservation.connection_point).or_default().push((key, reservation));
    }
    open
}

/// When what is still open of a slot is closed.
pub fn close_deadline(genesis: &Genesis, slot: Slot) -> Timestamp {
    slot.end(genesis.rules.slot_length).plus_millis(genesis.rules.delivery_grace_ms)
}

/// A slot's grace is over: what is still open was never reported.
pub fn close(execution: &mut Execution<'_>, battery: BatteryId, slot: Slot) {
    let open: Vec<Open> = execution.state.entries::<Reservations>(&(battery, slot)).collect();
    for (key, reservation) in open {
        execution.totals.counts.unreported += 1;
        settle(execution, key, &reservation, Energy::ZERO, None, DeliveryEnd::Unreported);
    }
}

/// Third and fifth transactions: what came is paid, the rest goes back (B10, B11).
fn settle(
    execution: &mut Execution<'_>,
    key: (BatteryId, Slot, TransactionId),
    reservation: &OpenReservation,
    came: Energy,
    report: Option<TransactionId>,
    end: DeliveryEnd,
) {
    let (battery, slot, purchase) = key;
    execution.state.delete::<Reservations>(&key);
    if execution.state.entries::<Reservations>(&(battery, slot)).next().is_none() {
        let close = close_deadline(execution.genesis, slot);
        execution.state.delete::<Deadlines>(&(close, DeadlineKind::Close, battery, slot));
    }
    accounts::release(&mut execution.state, &reservation.buyer, reservation.hold);
    let (parts, cost) = use_parts(execution, battery, reservation, came);
    execution.totals.counts.delivery += 1;
    execution.records.push(Record::Delivery(Delivery {
        purchase,
        report,
        buyer: reservation.buyer,
        battery,
        connection_point: reservation.connection_point,
        slot,
        reserved: reservation.parts.iter().map(|part| part.energy).sum(),
        delivered: came,
        price: reservation.price,
        parts,
        end,
    }));
    pay(execution, battery, purchase, reservation, came, cost);
}

/// The buyer pays the pool what the energy cost, the operator his margin, the community the rest.
fn pay(
    execution: &mut Execution<'_>,
    battery: BatteryId,
    purchase: TransactionId,
    reservation: &OpenReservation,
    came: Energy,
    cost: Money,
) {
    let due = reservation.price.cost(came).expect("less than what was set aside");
    // Splitting a lot may round its cost up by a thousandth a part; the community makes that up.
    let short = cost.saturating_sub(due);
    let (cost, spread) = (cost.min(due), due.saturating_sub(cost));
    let margin = due.per_mille(execution.genesis.prices.operator_margin).min(spread);
    let rest = spread.checked_sub(margin).expect("the margin is a part of it");
    execution.totals.buyers_paid = execution.totals.buyers_paid.saturating_add(due);
    let buyer = reservation.buyer;
    execution.pay(Purpose::Purchase, purchase, buyer, AccountId::pool(battery), cost);
    execution.pay(Purpose::Margin, purchase, buyer, AccountId::operator(), margin);
    execution.pay(Purpose::Remainder, purchase, buyer, AccountId::community(), rest);
    execution.pay(Purpose::Remainder, purchase, AccountId::community(), AccountId::pool(battery), short);
}

/// Uses up what came, part by part, and gives the rest back to its lots. Returns the parts that came and
/// what the pool had paid for them.
fn use_parts(
    execution: &mut Execution<'_>,
    battery: BatteryId,
    reservation: &OpenReservation,
    came: Energy,
) -> (Vec<LotPart>, Money) {
    let (mut parts, mut cost, mut left) = (Vec::new(), Money::ZERO, came);
    for part in &reservation.parts {
        let used = left.min(part.energy);
        left = left.saturating_sub(used);
        let used_cost = cost_share(part.cost, used, part.energy);
        cost = cost.saturating_add(used_cost);
        let mut book = execution.state.find::<Batteries>(&battery).expect("it has reservations");
        book.reserved_micro_wh -= part.taken_micro_wh;
        let needed = pool::needed_for(used, book.spec.discharge_efficiency).min(part.taken_micro_wh);
        execution.totals.deliver(needed, used);
        let back = part.taken_micro_wh - needed;
        let back_cost = part.cost.saturating_sub(used_cost);
        give_back(execution, battery, &mut book, part, back, back_cost);
        execution.state.put::<Batteries>(&battery, &book);
        if !used.is_zero() {
            parts.push(LotPart {
                sale: part.sale,
                seller: part.seller,
                generation: part.generation,
                energy: used,
            });
        }
    }
    (parts, cost)
}

/// A part of a cost in proportion to energy, rounded down.
pub fn cost_share(cost: Money, part: Energy, whole: Energy) -> Money {
    let share = u128::from(cost.milli()) * u128::from(part.wh()) / u128::from(whole.wh().max(1));
    Money::from_milli(u64::try_from(share).expect("a part of it"))
}

fn give_back(
    execution: &mut Execution<'_>,
    battery: BatteryId,
    book: &mut BatteryBook,
    part: &ReservedPart,
    micro: u128,
    cost: Money,
) {
    if micro == 0 && cost.is_zero() {
        return;
    }
    let (shares, lost) = pool::put_in(book, micro);
    execution.totals.lost_micro_wh += lost;
    let key = (battery, part.slot, part.sale);
    let mut lot = execution.state.find::<Lots>(&key).unwrap_or(StoredLot {
        seller: part.seller,
        connection_point: part.connection_point,
        generation: part.generation,
        received: part.energy,
        shares: 0,
        cost: Money::ZERO,
    });
    lot.shares += shares;
    lot.cost = lot.cost.saturating_add(cost);
    execution.state.put::<Lots>(&key, &lot);
}
