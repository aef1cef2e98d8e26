//! Protected addresses: only who shows the community's certificate in the right role is believed, and who is
//! not believed gets nothing.

use super::fake::{Ledger, Server, sale};
use std::sync::Arc;
use wattbook_client::events::{Event, Events};
use wattbook_client::http::{ClientError, Servers, Storage};
use wattbook_link::fixture::{Town, here, subject};
use wattbook_link::{Link, Role};
use wattbook_types::Height;

/// A home's link, a good server's, and who poses as one: with another authority's certificate, and with that
/// of a home of the community.
struct Scene {
    town: Town,
    home: Arc<Link>,
    good: Arc<Link>,
    posing: Vec<(Arc<Link>, &'static str)>,
}

impl Scene {
    fn new() -> Self {
        let (mut town, mut theirs) = (Town::new(), Town::new());
        let home = town.link(&subject(Role::Home, "home", &[]));
        let good = town.link(&here(Role::Server, "good"));
        let posing = vec![
            (theirs.link(&here(Role::Server, "good")), "certificate-unknown-authority"),
            (town.link(&here(Role::Home, "neighbour")), "certificate-wrong-role"),
            (town.link(&here(Role::Storage, "battery")), "certificate-wrong-role"),
            (town.link(&subject(Role::Server, "elsewhere", &["192.0.2.1"])), "certificate-wrong-name"),
        ];
        Self { town, home, good, posing }
    }
}

#[tokio::test]
async fn p7_requests_and_the_stream_of_events_go_over_protected_connections() {
    let (ledger, scene) = (Ledger::new(), Scene::new());
    (1..4).for_each(|time| ledger.add(time, &[], Vec::new()));
    let server = Server::start_protected(&ledger, &scene.good, true);
    let servers = Servers::linked([&server.address], Some(&scene.home)).unwrap();
    let sale = sale(1, 1_000);
    servers.submit(&sale).await.unwrap();
    assert_eq!(server.submissions(), [sale.id()]);
    let mut events = Events::new(servers, Height::from_number(1));
    let mut heights = Vec::new();
    while heights.len() < 3 {
        match events.next().await {
            Event::Block(block) => heights.push(block.height.number()),
            Event::Lost { why } => panic!("{why}"),
            Event::Connected { .. } | Event::Refused(_) => {}
        }
    }
    assert_eq!(heights, [1, 2, 3]);
}

#[tokio::test]
async fn f23_a_posed_server_gains_nothing_and_the_next_one_is_asked() {
    let (ledger, scene) = (Ledger::new(), Scene::new());
    let good = Server::start_protected(&ledger, &scene.good, true);
    for (link, code) in &scene.posing {
        let posed = Server::start_protected(&ledger, link, false);
        let sale = sale(1, 1_000);

        let only = Servers::linked([&posed.address], Some(&scene.home)).unwrap();
        let error = only.submit(&sale).await.unwrap_err();
        assert_eq!(error.link_failure().map(|failure| failure.code()), Some(*code), "{error}");
        assert!(error.may_pass(), "it may be repaired");

        let both = Servers::linked([&posed.address, &good.address], Some(&scene.home)).unwrap();
        both.submit(&sale).await.unwrap();
        assert!(posed.submissions().is_empty(), "somebody who poses with {code} was told something");
    }
    assert_eq!(good.submissions().len(), scene.posing.len());
}

#[tokio::test]
async fn f23_a_server_does_not_pass_for_a_storage_side() {
    let (ledger, scene) = (Ledger::new(), Scene::new());
    let server = Server::start_protected(&ledger, &scene.good, false);
    let storage = Storage::linked(&server.address, Some(&scene.home)).unwrap();
    let error = storage.state().await.unwrap_err();
    assert!(error.to_string().contains("it is a server of this community, not a storage side"), "{error}");
}

#[tokio::test]
async fn p7_f23_a_server_that_is_revoked_is_left_at_once() {
    let (ledger, mut scene) = (Ledger::new(), Scene::new());
    (1..4).for_each(|time| ledger.add(time, &[], Vec::new()));
    let other = scene.town.link(&here(Role::Server, "other"));
    let first = Server::start_protected(&ledger, &scene.good, true);
    let second = Server::start_protected(&ledger, &other, true);
    let servers = Servers::linked([&first.address, &second.address], Some(&scene.home)).unwrap();
    servers.submit(&sale(1, 1_000)).await.unwrap();
    let mut events = Events::new(servers.clone(), Height::from_number(0));
    while !matches!(events.next().await, Event::Block(_)) {}

    scene.town.revoke(Role::Server, "good");
    scene.home.look();

    // Not even over the connection that was open.
    servers.submit(&sale(2, 1_000)).await.unwrap();
    assert_eq!((first.submissions().len(), second.submissions().len()), (1, 1));
    ledger.add(9, &[], Vec::new());
    loop {
        if let Event::Connected { server } = events.next().await {
            assert_eq!(server, second.address);
            break;
        }
    }
}

#[tokio::test]
async fn p7_what_a_client_is_told_when_no_protected_connection_comes_about() {
    let (ledger, mut scene) = (Ledger::new(), Scene::new());
    let required = Server::start_protected(&ledger, &scene.good, true);
    let plain = Server::start(&ledger);
    let nobody = Link::trusting(&scene.town.path("ca.crt"), None).unwrap();
    let gone = scene.town.link(&subject(Role::Home, "gone", &[]));
    scene.town.revoke(Role::Home, "gone");
    scene.good.look();
    let as_protected = plain.address.replace("http://", "https://");
    let as_plain = required.address.replace("https://", "http://");
    let rows = [
        (&required.address, Some(&nobody), "it wants a certificate of this community"),
        (&required.address, Some(&gone), "it refuses this part's certificate: it was revoked"),
        (&required.address, None, "it needs the community's certificates; name them in [tls]"),
        (&as_protected, Some(&scene.home), "it does not speak TLS"),
        (&as_plain, None, "status 400"),
    ];
    for (address, link, words) in rows {
        let error = match Servers::linked([address], link) {
            Ok(servers) => servers.latest().await.unwrap_err(),
            Err(error) => error,
        };
        assert!(error.to_string().contains(words), "{address}, expected {words}: {error}");
    }
    assert!(matches!(Servers::new(["ftp://127.0.0.1"]), Err(ClientError::BadAddress { .. })));
}
