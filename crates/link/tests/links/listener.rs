//! What a protected port does with who is slow, many, or speaks something else; and with somebody in between.

use crate::fixture::{Call, Part, Town, exchange, here, open, subject};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wattbook_link::{Handshakes, Listener, Role};

/// Long enough for everything that ends at all.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn p7_who_speaks_plain_http_is_told_to_use_https() {
    let mut town = Town::new();
    let part = Part::start(&open(&town.issue(&here(Role::Server, "good"))), false).await;
    let mut stream = TcpStream::connect(part.address).await.expect("a connection");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("begins with https://"), "{answer}");
}

#[tokio::test]
async fn f24_who_begins_and_never_goes_on_keeps_nobody_out() {
    let mut town = Town::new();
    let link = open(&town.issue(&here(Role::Server, "good")));
    let home = open(&town.issue(&subject(Role::Home, "home", &[])));
    let bounds = Handshakes { most: 4, most_of_one: 4, time: Duration::from_millis(200) };
    let part = Part::start_within(&link, true, bounds).await;
    let mut slow = Vec::new();
    for _ in 0..12 {
        let mut stream = TcpStream::connect(part.address).await.expect("a connection");
        // The beginning of a handshake, and no more. Some are closed at once: too many of one address.
        let _ = stream.write_all(&[0x16, 3, 1]).await;
        slow.push(stream);
    }
    let config = home.client(&[Role::Server]);
    let served = async {
        while exchange(part.address, "127.0.0.1", config.clone()).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, served).await.expect("served although others are slow");
    for mut stream in slow {
        let mut rest = Vec::new();
        // Closed by the port: an end or an error, but no waiting.
        let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "a slow connection is kept for ever");
    }
}

#[tokio::test]
async fn f24_nonsense_ends_only_its_own_connection() {
    let mut town = Town::new();
    let link = open(&town.issue(&here(Role::Server, "good")));
    let home = open(&town.issue(&subject(Role::Home, "home", &[])));
    let part = Part::start(&link, true).await;
    for nonsense in [&[0x16, 3, 1, 255, 255][..], &[0x16; 64], b"\x16\x03\x01\x00\x05hello", &[0x80, 0x2e, 1]]
    {
        let mut stream = TcpStream::connect(part.address).await.expect("a connection");
        stream.write_all(nonsense).await.expect("sent");
        stream.shutdown().await.expect("ended");
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("closed");
    }
    exchange(part.address, "127.0.0.1", home.client(&[Role::Server])).await.expect("others go on");
}

#[tokio::test]
async fn p7_a_certificate_without_hosts_does_not_listen() {
    let mut town = Town::new();
    let link = open(&town.issue(&subject(Role::Member, "anna", &[])));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let error = Listener::protected(listener, link, true).err().expect("refused");
    assert!(error.to_string().contains("names no host"), "{error}");
}

/// Hands bytes on both ways, counts and keeps what it saw, and changes one byte if told where.
struct Between {
    address: std::net::SocketAddr,
    seen: Arc<std::sync::Mutex<Vec<u8>>>,
}

impl Between {
    /// `change`: the place of the byte to change, among all that come from the part after the handshake
    /// (which takes less than 3,000 bytes).
    async fn start(part: std::net::SocketAddr, change: Option<usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen: Arc<std::sync::Mutex<Vec<u8>>> = Arc::default();
        let all = seen.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(part).await.expect("the part");
                let (near_read, near_write) = near.into_split();
                let (far_read, far_write) = far.into_split();
                tokio::spawn(hand_on(near_read, far_write, all.clone(), None));
                tokio::spawn(hand_on(far_read, near_write, all.clone(), change));
            }
        });
        Self { address, seen }
    }
}

async fn hand_on(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    seen: Arc<std::sync::Mutex<Vec<u8>>>,
    change: Option<usize>,
) {
    let count = AtomicUsize::new(0);
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let bytes = &mut buffer[..length];
        seen.lock().expect("nobody panics").extend_from_slice(bytes);
        let begin = count.fetch_add(length, Ordering::Relaxed);
        if let Some(place) = change.filter(|place| (begin..begin + length).contains(place)) {
            bytes[place - begin] ^= 1;
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn f23_somebody_in_between_reads_nothing_and_cannot_change_anything_unseen() {
    let mut town = Town::new();
    let link = open(&town.issue(&here(Role::Server, "good")));
    let home = open(&town.issue(&subject(Role::Home, "home", &[])));
    let part = Part::start(&link, true).await;
    let secret = "a price that nobody else should read";

    let reader = Between::start(part.address, None).await;
    let mut call = Call::to(reader.address, "127.0.0.1", home.client(&[Role::Server])).await.expect("let in");
    let answer = call.say(secret).await.expect("an answer");
    assert!(answer.starts_with(secret));
    let seen = reader.seen.lock().expect("nobody panics").clone();
    assert!(!seen.windows(8).any(|window| secret.as_bytes().windows(8).any(|part| part == window)));

    let changer = Between::start(part.address, Some(3_000)).await;
    let mut call =
        Call::to(changer.address, "127.0.0.1", home.client(&[Role::Server])).await.expect("let in");
    let failure = loop {
        match call.say(secret).await {
            Ok(answer) => assert!(answer.starts_with(secret), "a changed answer was believed: {answer}"),
            Err(failure) => break failure,
        }
    };
    assert_eq!(failure.code(), "changed-on-the-way", "{failure}");
}

#[tokio::test]
async fn f23_somebody_in_between_with_a_certificate_of_his_own_is_not_believed() {
    let (mut ours, mut theirs) = (Town::new(), Town::new());
    ours.issue(&here(Role::Server, "good"));
    let home = open(&ours.issue(&subject(Role::Home, "home", &[])));
    // He ends the connection himself: with another authority's certificate, and with that of a home.
    for (link, code) in [
        (open(&theirs.issue(&here(Role::Server, "good"))), "certificate-unknown-authority"),
        (open(&ours.issue(&here(Role::Home, "neighbour"))), "certificate-wrong-role"),
    ] {
        let posed = Part::start(&link, false).await;
        let failure = exchange(posed.address, "127.0.0.1", home.client(&[Role::Server]))
            .await
            .expect_err("not believed");
        assert_eq!(failure.code(), code);
    }
}
