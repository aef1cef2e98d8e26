//! A part that answers with who called it, and a call to it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
pub use wattbook_link::fixture::{Town, here, subject};
use wattbook_link::{Failure, Files, Handshakes, Link, Listener, Peer, Stream, plain_files};

/// Seconds in a day.
pub const DAY: i64 = 86_400;

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("some time yet")
}

pub fn open(files: &Files) -> Arc<Link> {
    Link::open(files, plain_files()).expect("good files")
}

/// A part that answers every line with who sent it; ends when dropped.
pub struct Part {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Part {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Part {
    pub async fn start(link: &Arc<Link>, certificate_required: bool) -> Self {
        Self::start_within(link, certificate_required, Handshakes::default()).await
    }

    pub async fn start_within(link: &Arc<Link>, certificate_required: bool, bounds: Handshakes) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let listener = Listener::protected_within(listener, link.clone(), certificate_required, bounds);
        let mut listener = listener.expect("a certificate with hosts");
        let address = listener.address();
        let task = tokio::spawn(async move {
            loop {
                let stream = listener.accept().await;
                tokio::spawn(answer(stream));
            }
        });
        Self { address, task }
    }

    /// Requires a certificate, answers one line of each connection, then ends it.
    pub async fn start_saying_goodbye(link: &Arc<Link>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut listener =
            Listener::protected(listener, link.clone(), true).expect("a certificate with hosts");
        let address = listener.address();
        let task = tokio::spawn(async move {
            loop {
                let mut stream = listener.accept().await;
                tokio::spawn(async move {
                    let who = name(stream.peer());
                    let mut line = [0; 5];
                    if stream.read_exact(&mut line).await.is_ok() {
                        let answer = format!("{} from {who}\n", String::from_utf8_lossy(&line));
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { address, task }
    }

    /// Answers handshakes with whatever certificate there is, as a forger's program would.
    pub async fn start_by_force(link: &Arc<Link>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let acceptor = tokio_rustls::TlsAcceptor::from(link.server(false).expect("a certificate"));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(acceptor.accept(stream).await);
            }
        });
        Self { address, task }
    }
}

async fn answer(stream: Stream) {
    let peer = stream.peer().clone();
    let (reading, mut writing) = tokio::io::split(stream);
    let mut lines = BufReader::new(reading).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = format!("{line} from {}\n", name(&peer));
        if writing.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn name(peer: &Peer) -> String {
    match (peer.check(), peer.identities()) {
        (Err(error), _) => format!("refused: {}", Failure::of(&error).code()),
        (Ok(()), []) => "somebody".to_owned(),
        (Ok(()), identities) => identities[0].to_string(),
    }
}

/// A connection to a part.
pub struct Call(tokio_rustls::client::TlsStream<TcpStream>);

impl Call {
    pub async fn to(address: SocketAddr, host: &str, config: ClientConfig) -> Result<Self, Failure> {
        let tcp = TcpStream::connect(address).await.map_err(|error| failure(&error))?;
        let host = ServerName::try_from(host.to_owned()).expect("a host");
        let connected = TlsConnector::from(Arc::new(config)).connect(host, tcp).await;
        connected.map(Self).map_err(|error| failure(&error))
    }

    /// Sends a line and gives back the answer.
    pub async fn say(&mut self, line: &str) -> Result<String, Failure> {
        let said = async {
            self.0.write_all(format!("{line}\n").as_bytes()).await?;
            let mut answer = Vec::new();
            while !answer.ends_with(b"\n") {
                if self.0.read_buf(&mut answer).await? == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
            }
            Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
        };
        said.await.map_err(|error| failure(&error))
    }
}

/// Calls a part and says one line.
pub async fn exchange(address: SocketAddr, host: &str, config: ClientConfig) -> Result<String, Failure> {
    Call::to(address, host, config).await?.say("hello").await
}

fn failure(error: &io::Error) -> Failure {
    Failure::below(error).unwrap_or_else(|| Failure::Other(error.to_string()))
}
