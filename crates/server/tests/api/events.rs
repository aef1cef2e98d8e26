//! The stream of events brings every block once, in order, with ids to go on from.

use super::fake::{EVENTS_KEPT, Site};
use wattbook_client::api::{BlockSummary, RefusedEvent};
use wattbook_client::events::{Event, Events};
use wattbook_client::http::Servers;
use wattbook_types::{Height, Refusal};

fn events(site: &Site, from: u64) -> Events {
    Events::new(Servers::new([&site.base]).unwrap(), Height::from_number(from))
}

async fn connected(events: &mut Events) {
    assert!(matches!(events.next().await, Event::Connected { .. }));
}

async fn block(events: &mut Events) -> BlockSummary {
    match events.next().await {
        Event::Block(block) => *block,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn blocks_are_replayed_from_a_height_and_then_followed() {
    let site = Site::start().await;
    let mut events = events(&site, 1);
    connected(&mut events).await;
    for height in 1..4 {
        let block = block(&mut events).await;
        assert_eq!(block.height.number(), height);
        assert_eq!(block.records.is_empty(), height != 2);
    }
    site.fake.tell_refused(Refusal::SlotClosed);
    let Event::Refused(RefusedEvent { reason, .. }) = events.next().await else { panic!() };
    assert_eq!(reason, Refusal::SlotClosed);
    site.fake.add(Vec::new(), Vec::new());
    assert_eq!(block(&mut events).await.height.number(), 4);
}

#[tokio::test]
async fn who_asks_for_a_height_to_come_gets_that_one_first() {
    let site = Site::start().await;
    let mut events = events(&site, 6);
    connected(&mut events).await;
    (4..7).for_each(|_| site.fake.add(Vec::new(), Vec::new()));
    assert_eq!(block(&mut events).await.height.number(), 6);
}

#[tokio::test]
async fn a_slow_reader_loses_no_block() {
    let site = Site::start().await;
    let mut events = events(&site, 3);
    connected(&mut events).await;
    assert_eq!(block(&mut events).await.height.number(), 3);
    let more = 40 * EVENTS_KEPT as u64;
    (0..more).for_each(|_| site.fake.add(Vec::new(), Vec::new()));
    for height in 4..4 + more {
        assert_eq!(block(&mut events).await.height.number(), height);
    }
}

/// The first event of a stream, as text.
async fn first(request: reqwest::RequestBuilder) -> String {
    let mut response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while !text.contains("\n\n") {
        text.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
    }
    text
}

#[tokio::test]
async fn a_browser_that_reconnects_goes_on_after_the_last_block_it_saw() {
    let site = Site::start().await;
    let request = site.client.get(format!("{}/api/v1/events?from=0", site.base));
    let text = first(request.header("last-event-id", "1")).await;
    assert!(text.contains("event: block") && text.contains("id: 2\n"), "{text}");
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let mut site = Site::start().await;
    let mut events = events(&site, 4);
    connected(&mut events).await;
    while site.fake.listeners() == 0 {
        tokio::task::yield_now().await;
    }
    site.stop();
    assert!(matches!(events.next().await, Event::Lost { .. }));
    (&mut site.task).await.unwrap();
}
