//! A trade from sale to payment, and what may go wrong on the way.

mod common;

use common::{FIRST, Village, address};
use wattbook_ledger::{invariants, view};
use wattbook_types::record::{DeliveryEnd, Purpose, Record};
use wattbook_types::{Energy, Refusal};

/// Home 1 sends 10 kWh in the first slot, of which 9.9 arrive.
fn stocked(homes: u32) -> Village {
    let mut village = Village::new(homes);
    let report = village.slot_end(&[(1, 9_900)], &[]);
    let sale = village.sale(1, FIRST, 10_000);
    assert_eq!(village.block(Village::at(FIRST + 1, 1), &[report, sale]), []);
    village
}

// S4, S7.
#[test]
fn s4_s7_a_sale_is_stored_and_paid_when_the_battery_received_it() {
    let village = stocked(2);
    let [Record::Stored(stored), Record::Payment(paid)] = village.records.as_slice() else {
        panic!("{:?}", village.records)
    };
    assert_eq!(stored.received, Energy::from_wh(9_900));
    assert_eq!(paid.purpose, Purpose::Incentive);
    assert_eq!(paid.amount.milli(), 9_900 * 110 / 1000);
    let seller = view::account(&village.state, &address(1)).unwrap();
    assert_eq!(seller.balance.milli(), 20_000 + 1_089);
}

// B8, B10, B11.
#[test]
fn b8_b10_b11_a_purchase_is_reserved_delivered_in_part_and_paid() {
    let mut village = stocked(2);
    let purchase = village.purchase(2, FIRST + 3, 2_000, 200);
    village.expect(Village::at(FIRST + 1, 2), &purchase, None);
    let quiet = village.slot_end(&[], &[]);
    village.expect(Village::at(FIRST + 2, 1), &quiet, None);
    village.block(Village::at(FIRST + 2, 20), &[]);
    let [Record::Reservation(reservation)] = village.records.as_slice() else {
        panic!("{:?}", village.records)
    };
    assert_eq!(reservation.energy, Energy::from_wh(2_000));
    assert_eq!(reservation.parts[0].seller, address(1));
    let quiet = village.slot_end(&[], &[]);
    village.expect(Village::at(FIRST + 3, 1), &quiet, None);
    let delivered = village.slot_end(&[], &[(2, 1_500)]);
    village.expect(Village::at(FIRST + 4, 1), &delivered, None);
    let Record::Delivery(delivery) = &village.records[0] else { panic!("{:?}", village.records) };
    assert_eq!((delivery.delivered, delivery.end), (Energy::from_wh(1_500), DeliveryEnd::Partial));
    let buyer = view::account(&village.state, &address(2)).unwrap();
    assert_eq!(buyer.balance.milli(), 20_000 - 300);
    assert!(buyer.pending.is_zero());
    let sums = view::sums(&village.state);
    assert_eq!(sums.received.wh(), sums.stored.wh() + sums.delivered.wh() + sums.lost.wh());
    assert_eq!((sums.money_sum.milli(), sums.delivered.wh()), (0, 1_500));
    assert_eq!(invariants::audit(&village.state), Ok(()));
}

#[test]
fn b11_a_reservation_without_a_report_is_closed_and_released() {
    let mut village = stocked(2);
    let purchase = village.purchase(2, FIRST + 2, 2_000, 200);
    village.expect(Village::at(FIRST + 1, 2), &purchase, None);
    village.block(Village::at(FIRST + 1, 20), &[]);
    assert!(matches!(village.records.as_slice(), [Record::Reservation(_)]));
    village.block(Village::at(FIRST + 3 + 25, 0), &[]);
    let [Record::Delivery(delivery)] = village.records.as_slice() else { panic!("{:?}", village.records) };
    assert_eq!(delivery.end, DeliveryEnd::Unreported);
    let buyer = view::account(&village.state, &address(2)).unwrap();
    assert_eq!((buyer.balance.milli(), buyer.pending.milli()), (20_000, 0));
}

#[test]
fn b7_a_request_that_cannot_be_served_is_told_why() {
    let mut village = stocked(3);
    let rich = village.purchase(2, FIRST + 2, 8_000, 250);
    let poor = village.purchase(3, FIRST + 2, 8_000, 200);
    let low = village.purchase(3, FIRST + 2, 1_000, 90);
    assert_eq!(village.block(Village::at(FIRST + 1, 2), &[low.clone(), poor.clone(), rich.clone()]), []);
    village.block(Village::at(FIRST + 1, 20), &[]);
    let reasons: Vec<_> = village
        .records
        .iter()
        .filter_map(|record| match record {
            Record::NotServed(not) => Some((not.purchase, not.reason)),
            _ => None,
        })
        .collect();
    assert!(reasons.contains(&(poor.id(), Refusal::Outbid)), "{reasons:?}");
    assert!(reasons.iter().any(|(id, _)| *id == low.id()), "{reasons:?}");
    let served: Vec<_> =
        village.records.iter().filter(|record| matches!(record, Record::Reservation(_))).collect();
    assert!(
        matches!(served[0], Record::Reservation(found) if found.purchase == rich.id() || found.purchase == poor.id())
    );
}

#[test]
fn m10_slots_that_passed_while_the_ledger_stood_still_are_given_back() {
    let mut village = stocked(2);
    let purchase = village.purchase(2, FIRST + 2, 2_000, 200);
    village.expect(Village::at(FIRST + 1, 2), &purchase, None);
    village.block(Village::at(FIRST + 2, 1), &[]);
    let [Record::NotServed(not)] = village.records.as_slice() else { panic!("{:?}", village.records) };
    assert_eq!(not.reason, Refusal::SlotPassed);
    assert_eq!(view::sums(&village.state).counts.slots_missed, 1);
}

#[test]
fn f8_power_that_no_reservation_covers_is_counted_against_the_operator() {
    let mut village = stocked(2);
    let taken = village.slot_end(&[], &[(2, 500)]);
    village.expect(Village::at(FIRST + 2, 1), &taken, None);
    let sums = view::sums(&village.state);
    assert_eq!(sums.uncovered.wh(), 500);
    assert_eq!(sums.received.wh(), sums.stored.wh() + sums.delivered.wh() + sums.lost.wh());
}
