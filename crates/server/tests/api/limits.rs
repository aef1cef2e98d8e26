//! What one asks for too much of is refused, and the others are served (F24).

use super::fake::{Site, Submitted, sale, submission};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wattbook_client::api::Problem;
use wattbook_server::api::Limits;

async fn code(response: reqwest::Response) -> (u16, String) {
    let status = response.status().as_u16();
    (status, response.json::<Problem>().await.unwrap().code)
}

#[tokio::test]
async fn f24_a_request_that_takes_too_long_is_given_up() {
    let site = Site::with(Limits { request_time: Duration::from_millis(50), ..Limits::default() }).await;
    *site.fake.submitted.lock().unwrap() = Submitted::NeverAnswer;
    assert_eq!(code(site.post(submission(&sale())).await).await, (503, "timed-out".to_owned()));
}

#[tokio::test]
async fn f24_a_body_that_never_ends_is_given_up() {
    let site = Site::with(Limits { request_time: Duration::from_millis(50), ..Limits::default() }).await;
    let mut stream = TcpStream::connect(site.address()).await.unwrap();
    let head = "POST /api/v1/transactions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");
}

#[tokio::test]
async fn f24_a_head_that_does_not_come_closes_the_connection() {
    let site = Site::with(Limits { head_time: Duration::from_millis(50), ..Limits::default() }).await;
    let mut stream = TcpStream::connect(site.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    let mut answer = Vec::new();
    // Whatever is said before it: the connection ends.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn f24_more_requests_at_once_than_are_served_are_told_to_come_again() {
    let site = Site::with(Limits { requests: 1, ..Limits::default() }).await;
    *site.fake.submitted.lock().unwrap() = Submitted::NeverAnswer;
    let one_too_many = async {
        site.fake.submissions.subscribe().wait_for(|submissions| *submissions == 1).await.unwrap();
        code(site.get("/api/v1/prices").await).await
    };
    tokio::select! {
        refused = one_too_many => assert_eq!(refused, (503, "overloaded".to_owned())),
        _ = site.post(submission(&sale())) => panic!("this is never answered"),
    }
}

#[tokio::test]
async fn f24_more_streams_than_are_served_are_told_to_come_again() {
    let site = Site::with(Limits { streams: 1, ..Limits::default() }).await;
    let first = site.get("/api/v1/events").await;
    assert_eq!(first.status(), 200);
    assert_eq!(code(site.get("/api/v1/events").await).await, (503, "overloaded".to_owned()));
    assert_eq!(site.get("/api/v1/prices").await.status(), 200);
    drop(first);
    while site.get("/api/v1/events").await.status() != 200 {}
}

async fn ask_health(stream: &mut TcpStream) {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
}

async fn read_health(stream: &mut TcpStream) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "the connection was closed");
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn f24_a_connection_beyond_the_limit_waits_for_a_place() {
    let site = Site::with(Limits { connections: 1, ..Limits::default() }).await;
    let mut first = TcpStream::connect(site.address()).await.unwrap();
    ask_health(&mut first).await;
    read_health(&mut first).await;
    let mut second = TcpStream::connect(site.address()).await.unwrap();
    ask_health(&mut second).await;
    for _ in 0..20 {
        ask_health(&mut first).await;
        read_health(&mut first).await;
    }
    assert!(second.try_read(&mut [0]).is_err(), "the second was answered beside the first");
    drop(first);
    read_health(&mut second).await;
}

#[tokio::test]
async fn what_is_being_answered_when_the_server_stops_is_answered() {
    let mut site = Site::start().await;
    let mut stream = TcpStream::connect(site.address()).await.unwrap();
    let body = submission(&sale());
    let head = format!(
        "POST /api/v1/transactions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body.as_bytes()[..1]).await.unwrap();
    // Once another connection is answered, this one has been taken up too: they are accepted in order.
    assert_eq!(site.get("/healthz").await.status(), 200);
    site.stop();
    stream.write_all(&body.as_bytes()[1..]).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 202");
    drop(stream);
    (&mut site.task).await.unwrap();
}
