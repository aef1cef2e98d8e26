//! Orders to transmit, announcements and health, through the HTTP API and into the simulated world.

mod common;

use common::*;
use wattbook_client::api::{Announcement, ReportQuery, SlotsQuery};
use wattbook_types::{MeterRegister, Power, Record};

/// A manager whose battery holds 4 x 931 Wh at the beginning of slot 4.
async fn charged() -> (Site, tempfile::TempDir, wattbook_storage::Manager) {
    let (site, folder) = (Site::new().await, tempfile::tempdir().unwrap());
    site.accept(folder.path(), 4).await;
    let manager = site.manager(folder.path(), FakeLedger::new()).await;
    site.end_slot(3).await;
    (site, folder, manager)
}

// B9, L7, P6.
#[tokio::test]
async fn b9_l7_p6_a_final_reservation_is_delivered_in_its_slot_and_confirmed_in_the_report() {
    let (site, folder, manager) = charged().await;
    let order = Order::new(&site.genesis, reservation(1, 2, slot(5), 800)).make();
    let answer = client(&manager).dispatch(&order).await.unwrap();
    assert!(!answer.known);
    // Any server may send it again, and after a restart too; it counts once.
    assert!(client(&manager).dispatch(&order).await.unwrap().known);
    manager.stop().await;
    let manager = site.manager(folder.path(), FakeLedger::new()).await;
    let client = client(&manager);
    assert!(client.dispatch(&order).await.unwrap().known);
    let second = Order::new(&site.genesis, reservation(2, 2, slot(5), 150)).make();
    assert!(!client.dispatch(&second).await.unwrap().known);
    assert_eq!(client.state().await.unwrap().reservations, 2);
    site.end_slot(6).await;
    let query = |number| ReportQuery { slot: Some(slot(number)), ..ReportQuery::default() };
    let delivered =
        async |number| report_of(&client.reports(&query(number)).await.unwrap()[0]).rows[1].delivered;
    assert_eq!(delivered(4).await, MeterRegister::ZERO);
    assert_eq!(delivered(5).await, MeterRegister::from_wh(950));
    assert_eq!(delivered(6).await, MeterRegister::from_wh(950));
    let list = client.deliveries(&SlotsQuery::default()).await.unwrap();
    assert_eq!((list.len(), list[0].slot, list[0].purchases.len()), (1, slot(5), 2));
    assert_eq!((list[0].reserved, list[0].delivered), (wh(950), wh(950)));
    assert_eq!(site.plant.with(|world| world.audit()), Ok(()));
    manager.stop().await;
}

#[tokio::test]
async fn b9_nothing_is_discharged_without_a_reservation_that_the_servers_agreed_on() {
    let (site, _folder, manager) = charged().await;
    let client = client(&manager);
    let right = || Order::new(&site.genesis, reservation(1, 2, slot(5), 800));
    let mut refused = Vec::new();
    let mut attempt = async |what: &str, order: wattbook_client::api::DispatchOrder| {
        refused.push(format!("{what}: {}", code(client.dispatch(&order).await)));
    };

    let mut order = right();
    order.signers.truncate(2);
    attempt("two of four servers", order.make()).await;
    let mut order = right();
    order.signers = vec![key(1), key(2), key(9)];
    attempt("a stranger among the signers", order.make()).await;
    let mut order = right().make();
    order.record.replace_range(order.record.len() - 4.., "ffff");
    attempt("a damaged record", order).await;
    let mut more = right();
    more.records[1] = Record::Reservation(reservation(1, 2, slot(5), 900));
    let mut order = right().make();
    order.record = more.make().record;
    attempt("more energy than agreed", order).await;
    let mut order = right().make();
    order.path.index = 0;
    attempt("another place in the block", order).await;
    let mut order = right();
    order.genesis.name = "another community".into();
    attempt("a block of another ledger", order.make()).await;
    let mut order = right().make();
    order.finality = "0x00".into();
    attempt("no proof at all", order).await;
    let order = Order::new(&site.genesis, reservation(1, 7, slot(5), 800));
    attempt("an unknown connection point", order.make()).await;
    let order = Order::new(&site.genesis, reservation(1, 2, slot(3), 800));
    attempt("a slot that has ended", order.make()).await;

    assert_eq!(
        refused.join("\n"),
        "\
two of four servers: not-final
a stranger among the signers: not-final
a damaged record: malformed
more energy than agreed: not-final
another place in the block: not-final
a block of another ledger: not-final
no proof at all: malformed
an unknown connection point: wrong-battery
a slot that has ended: too-late-to-dispatch"
    );
    site.end_slot(8).await;
    assert_eq!(site.plant.with(|world| world.totals(point(2)).unwrap().delivered), wh(0));
    manager.stop().await;
}

#[tokio::test]
async fn s1_an_announced_home_may_send_and_a_full_battery_says_so() {
    let (site, folder) = (Site::new().await, tempfile::tempdir().unwrap());
    let manager = site.manager(folder.path(), FakeLedger::new()).await;
    let client = client(&manager);
    let announce = |number, power| Announcement {
        connection_point: point(1),
        slot: slot(number),
        power: Power::from_watts(power),
    };
    let answer = client.announce(&announce(0, 3_000)).await.unwrap();
    assert_eq!((answer.accepted, answer.reason), (Power::from_watts(3_000), None));
    let answer = client.announce(&announce(1, 9_000)).await.unwrap();
    assert_eq!(answer.accepted, Power::from_watts(4_000));
    assert_eq!(answer.reason.unwrap(), "The battery takes in 4.000 kW at most.");
    site.end_slot(2).await;
    let received = site.plant.with(|world| world.totals(point(1)).unwrap().received);
    assert_eq!(received, wh(1_960), "sent in the two announced slots, not in the third");
    // Ten more slots of 931 Wh fill it.
    for number in 3..13 {
        client.announce(&announce(number, 3_000)).await.unwrap();
        site.end_slot(number).await;
    }
    let answer = client.announce(&announce(13, 3_000)).await.unwrap();
    assert_eq!(answer.accepted, Power::ZERO);
    assert!(answer.reason.as_ref().unwrap().starts_with("The battery is full"), "{answer:?}");
    let mut strange = announce(13, 3_000);
    strange.connection_point = point(9);
    assert_eq!(code(client.announce(&strange).await), "wrong-battery");
    assert_eq!(code(client.announce(&announce(3, 3_000)).await), "slot-not-open");
    manager.stop().await;
}
