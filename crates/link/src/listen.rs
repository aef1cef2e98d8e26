//! Takes connections and makes them protected before anybody reads from them.
//!
//! Always: handshakes go on beside each other and beside requests; how many, how many of one network, and
//! how long each may take is bounded (F24); who speaks plain HTTP to a protected port is told so. What
//! fails here never reaches the HTTP side. Not here: how many connections stay open (the parts' own limits).

use crate::live::Link;
use crate::network::{NetworkPlace, Networks};
use crate::stream::{Inner, Peer, Stream};
use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

/// What handshakes may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshakes {
    /// At once.
    pub most: usize,
    /// At once, of one network: an IPv4 address, or a /64 of IPv6.
    pub most_of_one: usize,
    /// How long each may take.
    pub time: Duration,
}

impl Default for Handshakes {
    fn default() -> Self {
        Self { most: 256, most_of_one: 64, time: Duration::from_secs(5) }
    }
}

/// Connections with a finished handshake that may wait to be taken.
const READY: usize = 32;
/// The pause after a connection could not be accepted (no file handles, usually).
const PAUSE: Duration = Duration::from_millis(100);
/// The first byte of everything that begins a TLS connection.
const TLS_HANDSHAKE: u8 = 0x16;
/// What who speaks plain HTTP to a protected port is told.
const PLAIN_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\
    Content-Length: 73\r\n\r\nThis port is protected: the address begins with https:// and not http://\n";

/// A port of a part, plain or protected.
pub struct Listener {
    address: SocketAddr,
    kind: Kind,
}

enum Kind {
    Plain(TcpListener),
    Tls { link: Arc<Link>, ready: mpsc::Receiver<Stream>, accepting: JoinHandle<()> },
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Kind::Tls { accepting, .. } = &self.kind {
            accepting.abort();
        }
    }
}

impl Listener {
    /// A plain one.
    ///
    /// # Errors
    /// Where the socket has no address.
    pub fn plain(listener: TcpListener) -> io::Result<Self> {
        Ok(Self { address: listener.local_addr()?, kind: Kind::Plain(listener) })
    }

    /// A protected one. Where no certificate is required, who shows none is a [`Peer`] without identities.
    ///
    /// # Errors
    /// Where the socket has no address, or the part no certificate by which others could reach it.
    pub fn protected(listener: TcpListener, link: Arc<Link>, certificate_required: bool) -> io::Result<Self> {
        Self::protected_within(listener, link, certificate_required, Handshakes::default())
    }

    /// The same with other bounds.
    ///
    /// # Errors
    /// As [`Listener::protected`].
    pub fn protected_within(
        listener: TcpListener,
        link: Arc<Link>,
        certificate_required: bool,
        bounds: Handshakes,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        if link.certificate().is_none_or(|certificate| certificate.hosts.is_empty()) {
            let why = "its certificate names no host by which others could reach it; issue one that does";
            return Err(io::Error::other(why));
        }
        let (done, ready) = mpsc::channel(READY);
        let door = Arc::new(Door {
            link: link.clone(),
            certificate_required,
            bounds,
            networks: Networks::new(bounds.most_of_one),
            done,
        });
        let accepting = tokio::spawn(accept_all(listener, door));
        Ok(Self { address, kind: Kind::Tls { link, ready, accepting } })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// By which certificates it is protected.
    pub fn link(&self) -> Option<&Arc<Link>> {
        match &self.kind {
            Kind::Plain(_) => None,
            Kind::Tls { link, .. } => Some(link),
        }
    }

    /// The next connection. May be dropped and asked again without losing one.
    pub async fn accept(&mut self) -> Stream {
        match &mut self.kind {
            Kind::Plain(listener) => {
                let (stream, address) = accept_one(listener).await;
                Stream::plain(stream, address)
            }
            // The other end lives in a task that ends with this listener.
            Kind::Tls { ready, .. } => match ready.recv().await {
                Some(stream) => stream,
                None => std::future::pending().await,
            },
        }
    }
}

impl axum::serve::Listener for Listener {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        let stream = Self::accept(self).await;
        let address = stream.peer().address();
        (stream, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Connected<IncomingStream<'_, Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        stream.io().peer().clone()
    }
}

/// What every handshake needs.
struct Door {
    link: Arc<Link>,
    certificate_required: bool,
    bounds: Handshakes,
    networks: Arc<Networks>,
    done: mpsc::Sender<Stream>,
}

/// A handshake's place among all and among those of its network; given back when dropped.
type Place = (OwnedSemaphorePermit, NetworkPlace);

async fn accept_one(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // Answers are small and waited for.
                let _ = stream.set_nodelay(true);
                return (stream, address);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn accept_all(listener: TcpListener, door: Arc<Door>) {
    let room = Arc::new(Semaphore::new(door.bounds.most));
    loop {
        let of_all = room.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (stream, address) = accept_one(&listener).await;
        match door.networks.place(address.ip()) {
            Some(of_one) => {
                drop(tokio::spawn(shake_hands(stream, address, door.clone(), (of_all, of_one))));
            }
            None => tracing::debug!(%address, "too many handshakes of one network: a connection was closed"),
        }
    }
}

async fn shake_hands(stream: TcpStream, address: SocketAddr, door: Arc<Door>, _place: Place) {
    let done = tokio::select! {
        done = tokio::time::timeout(door.bounds.time, protect(&door, stream, address)) => done,
        () = door.done.closed() => return,
    };
    match done {
        // The place is kept until somebody takes the connection.
        Ok(Ok(stream)) => drop(door.done.send(stream).await),
        Ok(Err(error)) => tracing::debug!(%address, %error, "no protected connection came about"),
        Err(_) => tracing::debug!(%address, "a handshake took too long"),
    }
}

async fn protect(door: &Door, mut stream: TcpStream, address: SocketAddr) -> io::Result<Stream> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first[0] != TLS_HANDSHAKE {
        stream.write_all(PLAIN_ANSWER).await?;
        part_from(stream).await?;
        return Err(io::Error::other("it does not speak TLS"));
    }
    let generation = door.link.generation();
    let config = door.link.server(door.certificate_required);
    let config = config.ok_or_else(|| io::Error::other("there is no certificate"))?;
    let tls = match tokio_rustls::TlsAcceptor::from(config).accept(stream).into_fallible().await {
        Ok(tls) => tls,
        Err((error, stream)) => {
            let _ = part_from(stream).await;
            return Err(error);
        }
    };
    let certificate = tls.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let peer = match certificate {
        Some(der) => Peer::proven(address, der.clone().into_owned(), door.link.clone(), generation),
        None => Peer::unknown(address),
    };
    Ok(Stream { peer, inner: Inner::Tls(Box::new(tls)) })
}

/// Ends a connection so that the other end reads why: closing with unread bytes would take back what was
/// said last. The handshake's time bounds it.
async fn part_from(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::PLAIN_ANSWER;

    #[test]
    fn the_answer_to_plain_http_says_its_length() {
        let text = std::str::from_utf8(PLAIN_ANSWER).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("head and body");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{} bytes", body.len());
    }
}
