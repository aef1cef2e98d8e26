//! Bytes on the wire: a recorder between a client and a server, and a server that replays what it recorded.
//!
//! A recording is a text: `>` and a request in hexadecimal digits, `<` and its reply; `#` begins a remark.
//! A request without a reply gets none, and a reply of `close` ends the connection.

#![allow(dead_code)]

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request and its reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    pub request: Vec<u8>,
    pub reply: Vec<u8>,
    pub close: bool,
}

pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sunspec_frames").join(name)
}

/// Reads a recording.
pub fn recording(name: &str) -> Vec<Exchange> {
    parse(&std::fs::read_to_string(file(name)).expect("a recording"))
}

pub fn parse(text: &str) -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        match line.split_at_checked(1) {
            Some((">", hex)) => exchanges.push(Exchange { request: bytes(hex), ..Exchange::default() }),
            Some(("<", hex)) => {
                let last = exchanges.last_mut().expect("a request comes first");
                match hex.trim() {
                    "close" => last.close = true,
                    hex => last.reply = bytes(hex),
                }
            }
            Some((_, _)) => panic!("no line of a recording: {line:?}"),
            None => {}
        }
    }
    exchanges
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digit = |byte: u8| (byte as char).to_digit(16).expect("a hexadecimal digit") as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// A recording as text, the header of each frame apart from the rest.
pub fn text(exchanges: &[Exchange]) -> String {
    let mut text = String::new();
    for Exchange { request, reply, .. } in exchanges {
        for (mark, frame) in [('>', request), ('<', reply)] {
            let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
            let (header, rest) = hex.split_at(hex.len().min(14));
            writeln!(text, "{mark} {header} {rest}").expect("a text takes it");
        }
    }
    text
}

/// One frame of Modbus TCP, or what is left where the connection ends within it.
async fn frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut frame = vec![0; 6];
    stream.read_exact(&mut frame).await.ok()?;
    let mut rest = vec![0; usize::from(u16::from_be_bytes([frame[4], frame[5]]))];
    stream.read_exact(&mut rest).await.ok()?;
    frame.extend(rest);
    Some(frame)
}

/// Passes frames on to a server and records them.
pub async fn record(server: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<Exchange>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let recorded = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&recorded);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(server).await.expect("the server is there");
            let into = Arc::clone(&into);
            tokio::spawn(async move {
                while let Some(request) = frame(&mut client).await {
                    server.write_all(&request).await.expect("the server listens");
                    let reply = frame(&mut server).await.expect("the server answers");
                    client.write_all(&reply).await.expect("the client listens");
                    into.lock().unwrap().push(Exchange { request, reply, close: false });
                }
            });
        }
    });
    (address, recorded)
}

/// Replays a recording: each request must come just as it was recorded, over whatever connection. Ends with
/// the recording, and gives back what came that was not recorded.
pub async fn replay(exchanges: Vec<Exchange>) -> (SocketAddr, JoinHandle<Result<(), String>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let replayed = tokio::spawn(async move {
        let mut left = exchanges.into_iter();
        let Some(mut next) = left.next() else { return Ok(()) };
        loop {
            let (mut client, _) = listener.accept().await.map_err(|error| error.to_string())?;
            while let Some(request) = frame(&mut client).await {
                if request != next.request {
                    let shown = |request| text(&[Exchange { request, ..Exchange::default() }]);
                    return Err(format!("{} came in place of {}", shown(request), shown(next.request)));
                }
                client.write_all(&next.reply).await.map_err(|error| error.to_string())?;
                let close = next.close;
                match left.next() {
                    Some(exchange) => next = exchange,
                    None => {
                        // Until the client is done, so that its last reply is not lost.
                        if !close {
                            let _ = frame(&mut client).await;
                        }
                        return Ok(());
                    }
                }
                if close {
                    break;
                }
            }
        }
    });
    (address, replayed)
}

/// Sends the requests of a recording to a server; gives back what it answers.
pub async fn ask(server: SocketAddr, exchanges: &[Exchange]) -> Vec<Exchange> {
    let mut stream = TcpStream::connect(server).await.expect("the server is there");
    let mut answered = Vec::new();
    for Exchange { request, .. } in exchanges {
        stream.write_all(request).await.expect("the server listens");
        let reply = frame(&mut stream).await.expect("the server answers");
        answered.push(Exchange { request: request.clone(), reply, close: false });
    }
    answered
}
