//! Connections: how many, and how slow they may be.
//!
//! Always: a connection that does not send the head of a request in time is closed, idle ones likewise;
//! stopping closes what is idle and lets the rest finish, for a while; every request carries who is at the
//! other end. Each port has room of its own, so that a full one leaves the others open. Not here: requests,
//! and how connections are protected (crate `link`).

use super::Api;
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
use wattbook_link::{Listener, Stream};

/// How long requests may go on after the server was told to stop.
const FAREWELL: Duration = Duration::from_secs(5);
/// The largest head of a request, in bytes.
const HEAD_BYTES: usize = 16 << 10;

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
    let room = Arc::new(Semaphore::new(api.0.limits.connections));
    let router = api.router();
    let mut connections = JoinSet::new();
    let told = stopping.clone();
    loop {
        tokio::select! {
            () = stopped(&mut stopping) => break,
            Some(_) = connections.join_next() => {}
            (stream, place) = accept(&mut listener, &room) => {
                connections.spawn(serve_one(api.clone(), router.clone(), stream, place, told.clone()));
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn accept(listener: &mut Listener, room: &Arc<Semaphore>) -> (Stream, OwnedSemaphorePermit) {
    let place = room.clone().acquire_owned().await.expect("the semaphore is never closed");
    (listener.accept().await, place)
}

async fn serve_one(
    api: Api,
    router: Router,
    stream: Stream,
    _place: OwnedSemaphorePermit,
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
