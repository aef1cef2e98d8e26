//! At a protected port anybody may read, and only who shows a certificate of the community may write (P7).

use super::fake::{Site, client, sale, submission};
use std::sync::Arc;
use wattbook_client::api::Problem;
use wattbook_client::events::{Event, Events};
use wattbook_client::http::{ClientError, Servers};
use wattbook_link::fixture::{Town, here, subject};
use wattbook_link::{Link, Role};
use wattbook_types::Height;

struct Scene {
    town: Town,
    site: Site,
    /// The base address of the plain port.
    local: String,
    server: Arc<Link>,
}

impl Scene {
    async fn start() -> Self {
        let mut town = Town::new();
        let server = town.link(&here(Role::Server, "good"));
        let anybody = Link::trusting(&town.path("ca.crt"), None).unwrap();
        let (site, local) = Site::protected(&server, &anybody).await;
        Self { town, site, local, server }
    }

    /// Sends a transaction; the status and, of an error, the code.
    async fn post(&self, client: &reqwest::Client, base: &str) -> (u16, String) {
        let request = client.post(format!("{base}/api/v1/transactions"));
        let request = request.header("content-type", "application/json").body(submission(&sale()));
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let code = if status < 400 { String::new() } else { response.json::<Problem>().await.unwrap().code };
        (status, code)
    }
}

#[tokio::test]
async fn p7_anybody_may_read_at_a_protected_port() {
    let scene = Scene::start().await;
    for path in ["/api/v1/prices", "/api/v1/blocks", "/healthz", "/"] {
        assert_eq!(scene.site.get(path).await.status(), 200, "{path}");
    }
    let servers = Link::trusting(&scene.town.path("ca.crt"), None).unwrap();
    let servers = Servers::linked([&scene.site.base], Some(&servers)).unwrap();
    let mut events = Events::new(servers, Height::from_number(0));
    assert!(matches!(events.next().await, Event::Connected { .. }));
    assert!(matches!(events.next().await, Event::Block(_)));
}

#[tokio::test]
async fn p7_f23_who_writes_shows_a_certificate_of_the_community() {
    let mut scene = Scene::start().await;
    let refused = (403, "certificate-required".to_owned());
    assert_eq!(scene.post(&scene.site.client, &scene.site.base).await, refused);
    for role in [Role::Server, Role::Storage, Role::Home, Role::Member] {
        let hosts: &[&str] = if role < Role::Home { &["127.0.0.1"] } else { &[] };
        let link = scene.town.link(&subject(role, "a-writer", hosts));
        let writer = client(link.client(&[Role::Server]));
        assert_eq!(scene.post(&writer, &scene.site.base).await, (202, String::new()), "{role}");
    }
    // People and programs on the machine itself need none.
    assert_eq!(scene.post(&client(wattbook_link::nobody()), &scene.local).await, (202, String::new()));
}

#[tokio::test]
async fn p7_f23_who_is_revoked_writes_no_more_even_over_an_open_connection() {
    let mut scene = Scene::start().await;
    let home = scene.town.link(&subject(Role::Home, "home", &[]));
    let writer = client(home.client(&[Role::Server]));
    assert_eq!(scene.post(&writer, &scene.site.base).await.0, 202);
    scene.town.revoke(Role::Home, "home");
    scene.server.look();
    // The client's pool has the connection still: this goes over it.
    assert_eq!(scene.post(&writer, &scene.site.base).await, (403, "certificate-required".to_owned()));
    let again = Servers::linked([&scene.site.base], Some(&home)).unwrap();
    let error = again.submit(&sale()).await.unwrap_err();
    assert_eq!(error.link_failure().map(|failure| failure.code()), Some("certificate-refused"), "{error}");
}

#[tokio::test]
async fn p7_what_a_home_is_told_that_shows_no_certificate() {
    let scene = Scene::start().await;
    let nobody = Link::trusting(&scene.town.path("ca.crt"), None).unwrap();
    let servers = Servers::linked([&scene.site.base], Some(&nobody)).unwrap();
    let error = servers.submit(&sale()).await.unwrap_err();
    assert!(matches!(&error, ClientError::Problem { .. }) && !error.may_pass(), "{error}");
    assert!(error.to_string().contains("Who writes shows a certificate of the community"), "{error}");
}

#[tokio::test]
async fn p7_a_renewed_certificate_interrupts_no_stream_of_events() {
    let mut scene = Scene::start().await;
    let home = scene.town.link(&subject(Role::Home, "home", &[]));
    let servers = Servers::linked([&scene.site.base], Some(&home)).unwrap();
    let mut events = Events::new(servers, Height::from_number(0));
    while !matches!(events.next().await, Event::Block(_)) {}
    scene.town.issue(&here(Role::Server, "good"));
    scene.server.look();
    scene.site.fake.add(vec![], vec![]);
    loop {
        match events.next().await {
            Event::Block(block) if block.height == Height::from_number(scene.site.fake_height()) => break,
            Event::Lost { why } => panic!("interrupted: {why}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_stop_ends_streams_at_the_protected_port_too() {
    let mut scene = Scene::start().await;
    let mut stream = scene.site.get("/api/v1/events").await;
    assert_eq!(stream.status(), 200);
    scene.site.stop();
    while stream.chunk().await.unwrap().is_some() {}
    (&mut scene.site.task).await.unwrap();
}

#[tokio::test]
async fn p7_when_the_certificate_ends_is_among_the_metrics() {
    let scene = Scene::start().await;
    let text = scene.site.get("/metrics").await.text().await.unwrap();
    assert!(text.contains("wattbook_certificate_expires_seconds{certificate=\"own\"}"), "{text}");
}
