//! At a protected port anybody may read, and only who shows a certificate of the community may write (P7).

use super::fake::{Site, client, sale, submission};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wattbook_client::api::Problem;
use wattbook_client::events::{Event, Events};
use wattbook_client::http::{ClientError, Servers};
use wattbook_link::fixture::{Town, here, subject};
use wattbook_link::{Link, Role};
use wattbook_server::api::Limits;
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
        Self::within(Limits::default()).await
    }

    async fn within(limits: Limits) -> Self {
        let mut town = Town::new();
        let server = town.link(&here(Role::Server, "good"));
        let anybody = Link::trusting(&town.path("ca.crt"), None).unwrap();
        let (site, local) = Site::protected(&server, &anybody, limits).await;
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

/// The address of this machine that ends so.
fn from(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

/// A client of its own, with connections of its own, from an address of this machine.
fn client_from(tls: impl std::any::Any, last: u8) -> reqwest::Client {
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy();
    client.local_address(from(last)).build().unwrap()
}

/// Asks by a client that keeps its connection open afterwards; whether it was answered.
async fn is_answered(client: &reqwest::Client, base: &str) -> bool {
    match client.get(format!("{base}/healthz")).send().await {
        Ok(response) => response.bytes().await.is_ok(),
        Err(_) => false,
    }
}

#[tokio::test]
async fn f24_strangers_hold_neither_all_connections_nor_one_of_them_all_of_theirs() {
    let mut scene =
        Scene::within(Limits { connections: 8, connections_of_one: 4, ..Limits::default() }).await;
    let home = scene.town.link(&subject(Role::Home, "home", &[]));
    let stranger = |last| {
        let nobody = Link::trusting(&scene.town.path("ca.crt"), None).unwrap();
        client_from(nobody.client(&[Role::Server]), last)
    };
    let mut held = Vec::new();
    // From each address as many as it gets: one takes what is one's, the next what is left to strangers.
    for (last, gets) in [(1, 4), (2, 2), (3, 0)] {
        let mut answered = Vec::new();
        for _ in 0..10 {
            let client = stranger(last);
            if is_answered(&client, &scene.site.base).await {
                answered.push(client);
            }
        }
        assert_eq!(answered.len(), gets, "from {}", from(last));
        held.push(answered);
    }
    for last in [1, 3] {
        let writer = client_from(home.client(&[Role::Server]), last);
        assert_eq!(scene.post(&writer, &scene.site.base).await, (202, String::new()), "from {}", from(last));
    }
    // The plain port has room of its own; and a stranger's room is given back.
    let local: Vec<_> = (0..8).map(|_| client(wattbook_link::nobody())).collect();
    for client in &local {
        assert!(is_answered(client, &scene.local).await);
    }
    drop(held);
    let again = stranger(3);
    while !is_answered(&again, &scene.site.base).await {}
}

#[tokio::test]
async fn f23_a_strangers_name_for_this_machine_is_not_answered_at_the_plain_port() {
    let scene = Scene::start().await;
    let writer = client(wattbook_link::nobody());
    let ask = |method: &str, path: &str, host: &str| {
        let request = writer.request(method.parse().unwrap(), format!("{}{path}", scene.local));
        let request = request.header("host", host).header("content-type", "application/json");
        if method == "POST" { request.body(submission(&sale())) } else { request }
    };
    let reads = ["/", "/api/v1/prices", "/healthz", "/metrics", "/nothing"].map(|path| ("GET", path));
    for host in ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "192.0.2.1"] {
        for (method, path) in reads.into_iter().chain([("POST", "/api/v1/transactions")]) {
            let response = ask(method, path, host).send().await.unwrap();
            assert_eq!(response.status(), 421, "{method} {path} as {host}");
            assert_eq!(response.json::<Problem>().await.unwrap().code, "foreign-host");
        }
    }
    for host in ["127.0.0.1:1", "[::1]:1", "localhost", "localhost:1"] {
        assert_eq!(ask("GET", "/", host).send().await.unwrap().status(), 200, "{host}");
        let response = ask("POST", "/api/v1/transactions", host).send().await.unwrap();
        assert_eq!(response.status(), 202, "{host}");
    }
    // A protected port is called by whatever name its certificate has.
    let named = scene.site.client.get(format!("{}/healthz", scene.site.base)).header("host", "evil.example");
    assert_eq!(named.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn f23_who_names_no_host_is_not_answered_at_the_plain_port() {
    let scene = Scene::start().await;
    let address = scene.local.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 421"), "{answer}");
}
