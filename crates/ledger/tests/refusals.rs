//! What is refused, one row each: a story, what is tried, and the reason given.

mod common;

use common::{BATTERY, FIRST, Village, home_key, key, plan};
use wattbook_types::report::Occasion;
use wattbook_types::transaction::Body;
use wattbook_types::{AccountId, ConnectionPoint, Energy, MeterRegister, Refusal, Slot, Transaction};

/// A village where 5 kWh of home 1 and 3 kWh of home 2 arrived in the first slot.
fn village() -> Village {
    let mut genesis = plan(4).genesis();
    genesis.accounts[3].suspended = true;
    let mut village = Village::with(genesis);
    let report = village.slot_end(&[(1, 4_950), (2, 2_970)], &[]);
    assert_eq!(village.block(Village::at(FIRST + 1, 1), &[report]), []);
    village
}

fn signed_by(
    transaction: Transaction,
    home: u32,
    change: impl FnOnce(&mut wattbook_types::Payload),
) -> Transaction {
    let mut payload = transaction.payload;
    change(&mut payload);
    payload.sign(&home_key(home))
}

type Attempt = fn(&mut Village) -> Transaction;

// S4, S5 for sales, B2, B3 for requests to buy.
#[test]
fn s4_s5_b2_b3_f1_f3_f4_f5_f10_f15_f20_every_fraud_has_its_reason() {
    let table: &[(&str, Attempt, Option<Refusal>)] = &[
        ("S6 an honest sale", |v| v.sale(1, FIRST, 5_000), None),
        ("S4 within the loss tolerance", |v| v.sale(1, FIRST, 5_130), None),
        ("F1 more than was received", |v| v.sale(1, FIRST, 5_400), Some(Refusal::SaleExceedsReception)),
        ("S4 less than was received", |v| v.sale(1, FIRST, 4_500), Some(Refusal::SaleBelowReception)),
        ("S4 nothing at all", |v| v.sale(1, FIRST, 0), Some(Refusal::NothingSent)),
        ("F3 another home's reception", claim_of_another, Some(Refusal::NotYourConnectionPoint)),
        ("F4 the wrong slot", |v| v.sale(3, FIRST, 5_000), Some(Refusal::NothingReceived)),
        ("F4 shifted by ten minutes", shifted, Some(Refusal::SaleTimesDisagree)),
        ("S5 no report yet", |v| v.sale(1, FIRST + 1, 5_000), Some(Refusal::IntervalInvalid)),
        ("F20 a suspended member", |v| v.purchase(4, FIRST + 3, 500, 200), Some(Refusal::MemberSuspended)),
        ("F20 a stranger", stranger, Some(Refusal::UnknownAccount)),
        ("F5 another community", other_ledger, Some(Refusal::WrongLedger)),
        (
            "F15 more than one has",
            |v| v.purchase(3, FIRST + 3, 300_000, 200),
            Some(Refusal::InsufficientFunds),
        ),
        ("B2 too small", |v| v.purchase(3, FIRST + 3, 99, 200), Some(Refusal::OrderTooSmall)),
        ("B2 too far", |v| v.purchase(3, FIRST + 120, 500, 200), Some(Refusal::SlotTooFar)),
        ("B2 closed", |v| v.purchase(3, FIRST + 1, 500, 200), Some(Refusal::SlotClosed)),
        ("F10 above the cap", |v| v.purchase(3, FIRST + 3, 500, 301), Some(Refusal::PriceAboveCap)),
        ("L2 no destination", no_destination, Some(Refusal::WrongDestination)),
        ("L2 valid for ever", valid_for_ever, Some(Refusal::ValidTooLong)),
    ];
    for (story, attempt, reason) in table {
        let mut village = village();
        let transaction = attempt(&mut village);
        let refused = village.block(Village::at(FIRST + 1, 5), &[transaction]);
        assert_eq!(refused.first().map(|(_, reason)| *reason), *reason, "{story}");
    }
}

fn claim_of_another(village: &mut Village) -> Transaction {
    let sale = village.sale(3, FIRST, 5_000);
    signed_by(sale, 3, |payload| {
        let Body::Sale(sale) = &mut payload.body else { unreachable!() };
        sale.connection_point = ConnectionPoint::from_number(1);
    })
}

fn shifted(village: &mut Village) -> Transaction {
    let sale = village.sale(1, FIRST, 5_000);
    signed_by(sale, 1, |payload| {
        let Body::Sale(sale) = &mut payload.body else { unreachable!() };
        sale.interval.start = sale.interval.start.minus_millis(600_000);
        sale.interval.end = sale.interval.end.minus_millis(600_000);
    })
}

fn stranger(village: &mut Village) -> Transaction {
    let mut payload = village.purchase(3, FIRST + 3, 500, 200).payload;
    payload.holder = key(200).public_key().account();
    payload.sign(&key(200))
}

fn other_ledger(village: &mut Village) -> Transaction {
    let other = plan(5).genesis().ledger_id();
    signed_by(village.sale(1, FIRST, 5_000), 1, |payload| payload.ledger = other)
}

fn no_destination(village: &mut Village) -> Transaction {
    signed_by(village.sale(1, FIRST, 5_000), 1, |payload| payload.destination = Some(AccountId::operator()))
}

fn valid_for_ever(village: &mut Village) -> Transaction {
    signed_by(village.sale(1, FIRST, 5_000), 1, |payload| {
        payload.valid_until = payload.valid_until.plus_millis(100 * 3_600_000);
    })
}

#[test]
fn f2_one_reception_is_sold_once() {
    let mut village = village();
    let (first, second) = (village.sale(1, FIRST, 5_000), village.sale(1, FIRST, 5_000));
    let refused = village.block(Village::at(FIRST + 1, 5), &[first.clone(), second.clone()]);
    assert_eq!(refused, [(second.id(), Refusal::ReceptionAlreadyClaimed)]);
    let refused = village.block(Village::at(FIRST + 1, 6), std::slice::from_ref(&first));
    assert_eq!(refused, [(first.id(), Refusal::AlreadySeen)], "F5: a copy counts once");
}

#[test]
fn f15_what_is_set_aside_cannot_be_spent_again() {
    let mut village = village();
    let first = village.purchase(3, FIRST + 3, 200_000, 200);
    let second = village.purchase(3, FIRST + 4, 100_000, 200);
    let refused = village.block(Village::at(FIRST + 1, 5), &[first, second.clone()]);
    assert_eq!(refused, [(second.id(), Refusal::InsufficientFunds)]);
}

#[test]
fn s5_a_sale_waits_for_the_report_until_its_deadline() {
    let mut village = village();
    let sale = village.sale(1, FIRST + 1, 5_000);
    let check = |village: &Village, slot| {
        village.ledger.check_transaction(&village.state, &sale, Village::at(slot, 0))
    };
    assert_eq!(check(&village, FIRST + 2), Err(Refusal::ReceptionUnknown));
    let mut late = sale.payload.clone();
    late.valid_until = Village::at(FIRST + 60, 0);
    let late = late.sign(&home_key(1));
    let at = Village::at(FIRST + 51, 0);
    assert_eq!(village.ledger.check_transaction(&village.state, &late, at), Err(Refusal::ReceptionMissing));
}

#[test]
fn f7_reports_are_numbered_and_two_stories_are_told_apart() {
    type Change = fn(&mut wattbook_types::StorageReport);
    let table: &[(&str, Change, Option<Refusal>)] = &[
        ("as it is", |_| {}, None),
        ("one is missing", |r| r.sequence += 1, Some(Refusal::ReportOutOfOrder)),
        ("another story", |r| r.sequence -= 1, Some(Refusal::ReportConflict)),
        ("the wrong slot", |r| r.slot = Slot::from_number(FIRST), Some(Refusal::ReportTime)),
        ("a row missing", |r| r.rows.truncate(3), Some(Refusal::ReportRows)),
        ("backwards", |r| r.rows[0].received = MeterRegister::from_wh(1), Some(Refusal::ReportRegisters)),
        ("too full", |r| r.stored = Energy::from_wh(200_000), Some(Refusal::ReportBeyondLimits)),
        (
            "too fast",
            |r| r.import = r.import.advanced(Energy::from_wh(30_000)),
            Some(Refusal::ReportBeyondLimits),
        ),
        ("rows exceed the battery's meter", rows_exceed, Some(Refusal::ReportSum)),
    ];
    for (story, change, reason) in table {
        let mut village = village();
        let transaction = village.slot_end(&[(1, 100)], &[]);
        let mut payload = transaction.payload;
        let Body::Report(report) = &mut payload.body else { unreachable!() };
        change(report);
        let transaction = payload.sign(&key(9));
        let refused = village.block(Village::at(FIRST + 2, 1), &[transaction]);
        assert_eq!(refused.first().map(|(_, reason)| *reason), *reason, "{story}");
    }
}

fn rows_exceed(report: &mut wattbook_types::StorageReport) {
    report.rows[0].received = report.rows[0].received.advanced(Energy::from_wh(1_000));
}

#[test]
fn l9_the_storage_state_between_slots_is_reported_in_the_open_slot() {
    let mut village = village();
    let open = Slot::from_number(FIRST + 1);
    let report = village.report(open, Village::at(FIRST + 1, 15), Occasion::Interim);
    village.expect(Village::at(FIRST + 1, 15), &report, None);
    let _ = BATTERY;
}
