//! The outbox loses nothing and counts nothing twice, whatever dies: itself, a server, or the network.

use super::fake::{Ledger, Reply, Server, nobody, sale, sale_records};
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinHandle;
use wattbook_client::api::Stage;
use wattbook_client::http::Servers;
use wattbook_client::outbox::{Outbox, OutboxError};
use wattbook_types::{Height, LedgerClock, Record, Refusal};

/// A validity that does not pass in a test.
const LONG: u64 = u64::MAX / 2;

/// An outbox that runs until this is dropped.
struct Running(JoinHandle<OutboxError>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Running {
    fn start(outbox: &Outbox, servers: &[&str]) -> Self {
        let (outbox, servers) = (outbox.clone(), Servers::new(servers).unwrap());
        Self(tokio::spawn(async move { outbox.run(servers, LedgerClock::REAL).await }))
    }

    /// Ends it and waits until nothing of it is left.
    async fn stop(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

fn file(directory: &tempfile::TempDir) -> std::path::PathBuf {
    directory.path().join("outbox")
}

/// What a disk would hold if the process died now: a copy of the file, opened as another outbox.
fn after_a_crash(path: &Path, length: usize) -> Result<Outbox, OutboxError> {
    let copy = path.with_extension(format!("crash{length}"));
    std::fs::write(&copy, &std::fs::read(path).unwrap()[..length]).unwrap();
    Outbox::open(&copy)
}

#[tokio::test]
async fn s2_what_was_put_survives_a_crash_at_any_byte() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory);
    let outbox = Outbox::open(&path).unwrap();
    let mut lengths = vec![std::fs::metadata(&path).unwrap().len() as usize];
    for nonce in 0..3 {
        outbox.put(sale(nonce, LONG)).await.unwrap();
        lengths.push(std::fs::metadata(&path).unwrap().len() as usize);
    }
    for length in (lengths[0]..=lengths[3]).step_by(7).chain(lengths.clone()) {
        let expected = lengths.iter().filter(|whole| **whole <= length).count() - 1;
        let survivor = after_a_crash(&path, length).unwrap();
        let nonces: Vec<u64> =
            survivor.entries().iter().map(|entry| entry.transaction.payload.nonce).collect();
        assert_eq!(nonces, (0..expected as u64).collect::<Vec<_>>(), "cut at {length}");
        // What was cut off is gone for good: the file can be written on.
        survivor.put(sale(9, LONG)).await.unwrap();
        drop(survivor);
        let again = Outbox::open(&path.with_extension(format!("crash{length}"))).unwrap();
        assert_eq!(again.entries().len(), expected + 1);
    }
}

#[tokio::test]
async fn damage_that_no_crash_makes_is_named_not_repaired() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory);
    let outbox = Outbox::open(&path).unwrap();
    outbox.put(sale(1, LONG)).await.unwrap();
    outbox.put(sale(2, LONG)).await.unwrap();
    drop(outbox);
    let mut bytes = std::fs::read(&path).unwrap();
    let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 40;
    bytes[second] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(Outbox::open(&path), Err(OutboxError::Damaged { line: 2, .. })));
}

#[tokio::test]
async fn an_outbox_belongs_to_one_process_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&file(&directory)).unwrap();
    assert!(matches!(Outbox::open(&file(&directory)), Err(OutboxError::InUse { .. })));
    drop(outbox);
    assert!(Outbox::open(&file(&directory)).is_ok());
}

#[tokio::test]
async fn s2_a_sale_goes_to_the_next_server_when_one_is_down_and_its_end_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::new();
    let server = Server::start(&ledger);
    let outbox = Outbox::open(&file(&directory)).unwrap();
    let running = Running::start(&outbox, &[&nobody(), &server.address]);
    let sale = sale(1, LONG);
    let id = outbox.put(sale.clone()).await.unwrap();
    assert_eq!(outbox.put(sale.clone()).await.unwrap(), id, "putting again changes nothing");
    server.got(id, 1).await;
    ledger.add_sale(1000, &sale);

    let Some(Stage::Final { height, outcome, .. }) = outbox.ended(&id).await else { panic!("not final") };
    assert_eq!(height, Height::from_number(1));
    assert!(outcome.stored.is_some());
    assert_eq!(outcome.payments.len(), 1);
    assert_eq!(server.submissions(), [id], "sent once: what became of it came with the events");

    running.stop().await;
    let stage = outbox.entry(&id).unwrap().stage;
    drop(outbox);
    let reopened = Outbox::open(&file(&directory)).unwrap();
    assert_eq!(reopened.entry(&id).unwrap().stage, stage);
}

#[tokio::test]
async fn s2_a_sale_taken_by_a_server_that_dies_goes_to_another() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::new();
    let (first, second) = (Server::start(&ledger), Server::start(&ledger));
    let outbox = Outbox::open(&file(&directory)).unwrap();
    let _running = Running::start(&outbox, &[&first.address, &second.address]);
    let sale = sale(1, LONG);
    let id = outbox.put(sale.clone()).await.unwrap();
    first.got(id, 1).await;
    drop(first);
    second.got(id, 1).await;
    ledger.add_sale(1000, &sale);
    assert!(matches!(outbox.ended(&id).await, Some(Stage::Final { .. })));
}

#[tokio::test]
async fn s2_what_became_final_while_the_process_was_dead_is_learnt_from_the_blocks() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::new();
    let server = Server::start(&ledger);
    let outbox = Outbox::open(&file(&directory)).unwrap();
    let running = Running::start(&outbox, &[&server.address]);
    let sale = sale(1, LONG);
    let id = outbox.put(sale.clone()).await.unwrap();
    server.got(id, 1).await;
    running.stop().await;
    drop(outbox);
    ledger.add_sale(1000, &sale);
    ledger.add(2000, &[], Vec::new());

    let outbox = Outbox::open(&file(&directory)).unwrap();
    let _running = Running::start(&outbox, &[&server.address]);
    let Some(Stage::Final { outcome, .. }) = outbox.ended(&id).await else { panic!("not final") };
    assert_eq!(outcome.payments.len(), 1, "no payment is counted twice");
}

#[tokio::test]
async fn s2_one_put_again_after_its_block_has_passed_is_found_by_asking() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::new();
    let sale = sale(1, LONG);
    ledger.add_sale(1000, &sale);
    ledger.add(2000, &[], Vec::new());
    let server = Server::start(&ledger);
    let outbox = Outbox::open(&file(&directory)).unwrap();
    let _running = Running::start(&outbox, &[&server.address]);
    let id = outbox.put(sale).await.unwrap();
    let Some(Stage::Final { height, .. }) = outbox.ended(&id).await else { panic!("not final") };
    assert_eq!(height, Height::from_number(1));
}

#[tokio::test]
async fn a_refusal_counts_when_two_servers_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::new();
    let (liar, honest) = (Server::start(&ledger), Server::start(&ledger));
    liar.reply(Reply::Refuse(Refusal::SlotClosed));
    let outbox = Outbox::open(&file(&directory)).unwrap();
    let _running = Running::start(&outbox, &[&liar.address, &honest.address]);

    let good = sale(1, LONG);
    let id = outbox.put(good.clone()).await.unwrap();
    honest.got(id, 1).await;
    ledger.add_sale(1000, &good);
    assert!(
        matches!(outbox.ended(&id).await, Some(Stage::Final { .. })),
        "one server's refusal is not the end"
    );

    honest.reply(Reply::Refuse(Refusal::SlotClosed));
    let id = outbox.put(sale(2, LONG)).await.unwrap();
    assert_eq!(outbox.ended(&id).await, Some(Stage::Refused { reason: Refusal::SlotClosed }));
}

#[tokio::test]
async fn s5_what_waits_says_so_and_is_sent_again() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::new();
    let server = Server::start(&ledger);
    server.reply(Reply::Refuse(Refusal::ReceptionUnknown));
    let outbox = Outbox::open(&file(&directory)).unwrap();
    let mut changes = outbox.changes();
    let _running = Running::start(&outbox, &[&server.address]);
    let sale = sale(1, LONG);
    let id = outbox.put(sale.clone()).await.unwrap();
    let waits = |outbox: &Outbox| {
        outbox.entry(&id).unwrap().stage == Stage::Waiting { reason: Refusal::ReceptionUnknown }
    };
    while !waits(&outbox) {
        changes.changed().await.unwrap();
    }
    server.got(id, 3).await;
    ledger.add_sale(1000, &sale);
    assert!(matches!(outbox.ended(&id).await, Some(Stage::Final { .. })));
}

#[tokio::test]
async fn what_was_valid_until_before_a_block_and_is_in_none_has_expired() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::new();
    let server = Server::start(&ledger);
    let outbox = Outbox::open(&file(&directory)).unwrap();
    let mut events = outbox.events();
    let _running = Running::start(&outbox, &[&server.address]);
    let (short, long) = (sale(1, 5000), sale(2, LONG));
    let id = outbox.put(short).await.unwrap();
    outbox.put(long.clone()).await.unwrap();
    server.got(long.id(), 1).await;
    ledger.add(5000, &[], Vec::new());
    while !matches!(events.recv().await.unwrap(), wattbook_client::events::Event::Block(_)) {}
    assert!(!outbox.entry(&id).unwrap().has_ended(), "a block at that very moment could still have it");
    ledger.add(5001, &[], Vec::new());
    assert_eq!(outbox.ended(&id).await, Some(Stage::Refused { reason: Refusal::Expired }));
    assert!(!outbox.entry(&long.id()).unwrap().has_ended());
}

#[tokio::test]
async fn changes_since_a_version_are_those_and_no_others() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::new();
    let server = Server::start(&ledger);
    let outbox = Outbox::open(&file(&directory)).unwrap();
    let _running = Running::start(&outbox, &[&server.address]);
    let (first, second) = (sale(1, LONG), sale(2, LONG));
    outbox.put(first.clone()).await.unwrap();
    outbox.put(second.clone()).await.unwrap();
    server.got(first.id(), 1).await;
    ledger.add_sale(1000, &first);
    outbox.ended(&first.id()).await.unwrap();
    let version = outbox.entries().iter().map(|entry| entry.version).max().unwrap();
    assert!(outbox.changed_since(version).is_empty());
    server.got(second.id(), 1).await;
    ledger.add_sale(2000, &second);
    outbox.ended(&second.id()).await.unwrap();
    let changed: Vec<_> = outbox.changed_since(version).iter().map(|entry| entry.id).collect();
    assert_eq!(changed, [second.id()]);
}

#[tokio::test]
async fn many_at_once_all_arrive() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::new();
    let server = Server::start(&ledger);
    let outbox = Outbox::open(&file(&directory)).unwrap();
    let running = Running::start(&outbox, &[&server.address]);
    let sales: Vec<_> = (0..400).map(|nonce| sale(nonce, LONG)).collect();
    let puts = sales.iter().map(|sale| outbox.put(sale.clone()));
    futures::future::try_join_all(puts).await.unwrap();
    for sale in &sales {
        server.got(sale.id(), 1).await;
    }
    let records: Vec<Record> = sales.iter().flat_map(sale_records).collect();
    ledger.add(1000, &sales.iter().collect::<Vec<_>>(), records);
    for sale in &sales {
        let stage = tokio::time::timeout(Duration::from_secs(20), outbox.ended(&sale.id())).await.unwrap();
        assert!(matches!(stage, Some(Stage::Final { .. })));
    }
    running.stop().await;
    drop(outbox);
    assert_eq!(
        Outbox::open(&file(&directory)).unwrap().entries().iter().filter(|entry| entry.has_ended()).count(),
        400
    );
}
