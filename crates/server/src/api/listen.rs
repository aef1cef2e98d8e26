//! Connections: how many, and how slow they may be.
//!
//! Always: a connection that does not send the head of a request in time is closed, idle ones likewise;
//! stopping closes what is idle and lets the rest finish, for a while; every request carries who is at the
//! other end. Each port has room of its own, so that a full one leaves the others open; strangers, who show no
//! certificate at a protected port, take neither all of it nor, from one network, all of theirs (F24). Not
//! here: requests, and how connections are protected (crate `link`).

use super::{Api, Limits};
use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use wattbook_link::{Listener, NetworkPlace, Networks, Peer, Stream};

/// How long requests may go on after the server was told to stop.
const FAREWELL: Duration = Duration::from_secs(5);
/// The largest head of a request, in bytes.
const HEAD_BYTES: usize = 16 << 10;
/// One of so many connections is kept for who shows a certificate.
const KEPT_OF: usize = 4;

pub(super) async fn run(
    api: &Api,
    listeners: Vec<Listener>,
    stopping: watch::Sender<bool>,
    stop: impl Future<Output = ()> + Send,
) {
    let mut ports = JoinSet::new();
    for listener in listeners {
        ports.spawn(keep(api.clone(), listener, stopping.subscribe()));
    }
    stop.await;
    stopping.send_replace(true);
    let all_gone = async { while ports.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(FAREWELL, all_gone).await;
}

/// Answers at one port until the server stops, and then what is still open there.
async fn keep(api: Api, mut listener: Listener, mut stopping: watch::Receiver<bool>) {
    let room = Room::new(&api.0.limits);
    let router = api.router();
    let mut connections = JoinSet::new();
    let told = stopping.clone();
    loop {
        tokio::select! {
            () = stopped(&mut stopping) => break,
            Some(_) = connections.join_next() => {}
            (stream, place) = room.accept(&mut listener) => {
                connections.spawn(serve_one(api.clone(), router.clone(), stream, place, told.clone()));
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The connections that a port has room for.
struct Room {
    all: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    networks: Arc<Networks>,
}

/// A connection's place among all, and a stranger's among strangers; given back when dropped.
type Place = (OwnedSemaphorePermit, Option<(OwnedSemaphorePermit, NetworkPlace)>);

impl Room {
    fn new(limits: &Limits) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.connections)),
            strangers: Arc::new(Semaphore::new(limits.connections - limits.connections / KEPT_OF)),
            networks: Networks::new(limits.connections_of_one),
        }
    }

    /// The next connection for which there is a place.
    async fn accept(&self, listener: &mut Listener) -> (Stream, Place) {
        let mut place = self.all.clone().acquire_owned().await.expect("the semaphore is never closed");
        loop {
            let stream = listener.accept().await;
            match self.admit(place, stream.peer()) {
                Ok(place) => return (stream, place),
                Err(left) => place = left,
            }
            tracing::debug!(address = %stream.peer().address(), "too many strangers: a connection was closed");
        }
    }

    /// Who shows a certificate, or is on this machine, is admitted; a stranger, if there are not too many.
    fn admit(&self, place: OwnedSemaphorePermit, peer: &Peer) -> Result<Place, OwnedSemaphorePermit> {
        if !peer.is_protected() || peer.role().is_some() {
            return Ok((place, None));
        }
        let of_one = self.networks.place(peer.address().ip());
        let of_strangers =
            of_one.and_then(|of_one| Some((self.strangers.clone().try_acquire_owned().ok()?, of_one)));
        match of_strangers {
            Some(of_strangers) => Ok((place, Some(of_strangers))),
            None => Err(place),
        }
    }
}

async fn serve_one(
    api: Api,
    router: Router,
    stream: Stream,
    _place: Place,
    mut stopping: watch::Receiver<bool>,
) {
    let peer = stream.peer().clone();
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(api.0.limits.head_time)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Waits until the server stops.
pub(super) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
