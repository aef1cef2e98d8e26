//! The stream of events brings each block once, in order, whatever happens to the servers.

use super::fake::{Ledger, Server, nobody};
use wattbook_client::events::{Event, Events};
use wattbook_client::http::{ClientError, Servers};
use wattbook_types::Height;

/// The next block's height, and how often the stream was interrupted before it.
async fn next_block(events: &mut Events) -> (u64, usize) {
    let mut interruptions = 0;
    loop {
        match events.next().await {
            Event::Block(block) => return (block.height.number(), interruptions),
            Event::Lost { .. } => interruptions += 1,
            Event::Connected { .. } | Event::Refused(_) => {}
        }
    }
}

#[tokio::test]
async fn blocks_come_from_the_height_asked_for_and_then_as_they_become_final() {
    let ledger = Ledger::new();
    (1..5).for_each(|time| ledger.add(time, &[], Vec::new()));
    let server = Server::start(&ledger);
    let mut events = Events::new(Servers::new([&server.address]).unwrap(), Height::from_number(2));
    for height in 2..5 {
        assert_eq!(next_block(&mut events).await, (height, 0));
    }
    ledger.add(9, &[], Vec::new());
    assert_eq!(next_block(&mut events).await, (5, 0));
}

#[tokio::test]
async fn when_a_server_dies_the_next_one_goes_on_where_it_stopped() {
    let ledger = Ledger::new();
    let (first, second) = (Server::start(&ledger), Server::start(&ledger));
    let servers = Servers::new([&first.address, &second.address]).unwrap();
    let mut events = Events::new(servers, Height::from_number(0));
    assert_eq!(next_block(&mut events).await, (0, 0));
    drop(first);
    while !matches!(events.next().await, Event::Lost { .. }) {}
    (1..4).for_each(|time| ledger.add(time, &[], Vec::new()));
    assert_eq!(next_block(&mut events).await, (1, 0));
    assert_eq!(next_block(&mut events).await, (2, 0));
    assert_eq!(next_block(&mut events).await, (3, 0));
}

#[tokio::test]
async fn a_server_that_leaves_a_block_out_is_left_for_another() {
    let ledger = Ledger::new();
    (1..4).for_each(|time| ledger.add(time, &[], Vec::new()));
    let (bad, good) = (Server::start(&ledger), Server::start(&ledger));
    bad.leave_out(2);
    let mut events =
        Events::new(Servers::new([&bad.address, &good.address]).unwrap(), Height::from_number(1));
    assert_eq!(next_block(&mut events).await, (1, 0));
    assert_eq!(next_block(&mut events).await, (2, 1));
    assert_eq!(next_block(&mut events).await, (3, 0));
}

#[tokio::test]
async fn who_asks_in_between_loses_nothing() {
    let ledger = Ledger::new();
    (1..50).for_each(|time| ledger.add(time, &[], Vec::new()));
    let server = Server::start(&ledger);
    let mut events =
        Events::new(Servers::new([nobody(), server.address.clone()]).unwrap(), Height::from_number(0));
    let mut seen = Vec::new();
    while seen.len() < 50 {
        // Dropping the wait for an event again and again.
        tokio::select! {
            biased;
            event = events.next() => if let Event::Block(block) = event { seen.push(block.height.number()) },
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(seen, (0..50).collect::<Vec<_>>());
}

#[tokio::test]
async fn when_nobody_answers_every_server_is_named_with_why() {
    let (first, second) = (nobody(), nobody());
    let error = Servers::new([&first, &second]).unwrap().latest().await.unwrap_err();
    let ClientError::Unreachable { tried } = &error else { panic!("{error}") };
    assert_eq!(tried.iter().map(|attempt| attempt.server.as_str()).collect::<Vec<_>>(), [&first, &second]);
    assert!(error.to_string().contains("no connection"), "{error}");
    assert!(matches!(Servers::new(["ftp://x"]), Err(ClientError::BadAddress { .. })));
    assert!(matches!(Servers::new(["http://x/y"]), Err(ClientError::BadAddress { .. })));
}
