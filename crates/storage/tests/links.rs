//! The storage side at a protected port, and how it meets servers: who is who is proved by certificates.

mod common;

use axum::Router;
use axum::routing::post;
use common::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wattbook_client::api::{Announcement, AnnouncementAnswer, ReportQuery};
use wattbook_client::http::{ClientError, Servers, Storage};
use wattbook_link::fixture::{Town, here, subject};
use wattbook_link::{Link, Listener, Role, Subject};
use wattbook_storage::Manager;
use wattbook_types::Power;

/// The holder of the home at connection point 1 or 2 of the common community.
fn home(number: u8) -> Subject {
    let account = key(200 + number).public_key().account().to_string();
    Subject { role: Role::Home, name: format!("home-{number}"), accounts: vec![account], hosts: vec![] }
}

/// A manager at a protected port.
struct Scene {
    town: Town,
    site: Site,
    own: Arc<Link>,
    manager: Manager,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn start() -> Self {
        let (mut town, site) = (Town::new(), Site::new().await);
        let folder = tempfile::tempdir().unwrap();
        let own = town.link(&here(Role::Storage, "battery"));
        let mut parts = site.parts(folder.path(), FakeLedger::new());
        parts.link = Some(own.clone());
        let manager = Manager::start(parts).await.unwrap();
        Self { town, site, own, manager, _folder: folder }
    }

    fn client(&self, link: &Arc<Link>) -> Storage {
        Storage::linked(&format!("https://{}", self.manager.address()), Some(link)).unwrap()
    }
}

async fn announce(client: &Storage, at: u32) -> Result<AnnouncementAnswer, ClientError> {
    let power = Power::from_watts(1_000);
    client.announce(&Announcement { connection_point: point(at), slot: slot(0), power }).await
}

/// The code of what came of it: `ok`, a problem's, or a link's failure's.
fn code<T>(answer: Result<T, ClientError>) -> String {
    match answer {
        Ok(_) => "ok".to_owned(),
        Err(ClientError::Problem { problem, .. }) => problem.code.clone(),
        Err(error) => match error.link_failure() {
            Some(failure) => failure.code().to_owned(),
            None => error.to_string(),
        },
    }
}

#[tokio::test]
async fn s1_f23_only_the_home_at_a_connection_point_announces_for_it() {
    let mut scene = Scene::start().await;
    let mut other = Town::new();
    let member = Subject { role: Role::Member, ..home(1) };
    let both = Subject { accounts: [home(1), home(2)].map(|home| home.accounts).concat(), ..home(1) };
    let nobody = Link::trusting(&scene.town.path("ca.crt"), None).unwrap();
    let rows = [
        ("home 1", scene.town.link(&home(1)), ["ok", "not-your-connection-point"]),
        ("home 2", scene.town.link(&home(2)), ["not-your-connection-point", "ok"]),
        ("a controller of both", scene.town.link(&both), ["ok", "ok"]),
        ("its owner as a person", scene.town.link(&member), ["not-your-connection-point"; 2]),
        ("a server", scene.town.link(&here(Role::Server, "a")), ["not-your-connection-point"; 2]),
        ("nobody", nobody, ["certificate-required"; 2]),
        ("of another community", other.link(&home(1)), ["certificate-unknown-authority"; 2]),
    ];
    for (who, link, expected) in rows {
        let client = scene.client(&link);
        let came = [code(announce(&client, 1).await), code(announce(&client, 2).await)];
        assert_eq!(came, expected, "{who}");
    }
    scene.manager.stop().await;
    drop(scene.site);
}

#[tokio::test]
async fn p7_servers_ask_for_reports_over_protected_links_and_a_revoked_one_does_no_more() {
    let mut scene = Scene::start().await;
    let server = scene.town.link(&here(Role::Server, "a"));
    let client = scene.client(&server);
    let query = ReportQuery { fresh: Some(true), ..ReportQuery::default() };
    assert_eq!(client.reports(&query).await.unwrap().len(), 1);
    scene.town.revoke(Role::Server, "a");
    scene.own.look();
    // Over the connection that is open.
    assert_eq!(code(client.reports(&query).await), "certificate-required");
    // And over a new one.
    assert_eq!(code(scene.client(&server).reports(&query).await), "certificate-refused");
    scene.manager.stop().await;
}

/// Somebody who answers like a server as far as reports go, and counts what he was sent.
async fn server(link: Arc<Link>) -> (String, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let take = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::ready("{}")
    };
    let router = Router::new().route("/api/v1/transactions", post(take));
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listener = Listener::protected(socket, link, false).unwrap();
    let base = format!("https://{}", listener.address());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (base, sent)
}

#[tokio::test]
async fn f23_a_posed_server_is_sent_no_report() {
    let (mut town, mut other, site) = (Town::new(), Town::new(), Site::new().await);
    let own = town.link(&here(Role::Storage, "battery"));
    let (foreign, told_foreign) = server(other.link(&here(Role::Server, "a"))).await;
    let (neighbour, told_neighbour) =
        server(town.link(&subject(Role::Home, "neighbour", &["127.0.0.1"]))).await;
    let (good, told_good) = server(town.link(&here(Role::Server, "a"))).await;
    let folder = tempfile::tempdir().unwrap();
    let mut parts = site.parts(folder.path(), FakeLedger::new());
    parts.ledger = Arc::new(Servers::linked([foreign, neighbour, good], Some(&own)).unwrap());
    let manager = Manager::start(parts).await.unwrap();
    site.end_slot(0).await;
    let told = async {
        while told_good.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), told).await.expect("the good one is told");
    assert_eq!([told_foreign, told_neighbour].map(|told| told.load(Ordering::Relaxed)), [0, 0]);
    manager.stop().await;
}

#[tokio::test]
async fn p7_when_the_certificate_ends_is_among_the_metrics() {
    let mut scene = Scene::start().await;
    let member = scene.town.link(&subject(Role::Member, "anna", &[]));
    let client = wattbook_client::http::Part::linked(
        &format!("https://{}", scene.manager.address()),
        Some(&member),
        Role::Storage,
    );
    let text = client.unwrap().text("/metrics").await.unwrap();
    assert!(text.contains("wattbook_certificate_expires_seconds{certificate=\"own\"}"), "{text}");
    scene.manager.stop().await;
}
