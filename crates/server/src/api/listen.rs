//! Connections: how many, and how slow they may be.
//!
//! Always: a connection that does not send the head of a request in time is closed, idle ones likewise;
//! stopping closes what is idle and lets the rest finish, for a while. Not here: requests.

use super::Api;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

/// How long requests may go on after the server was told to stop.
const FAREWELL: Duration = Duration::from_secs(5);
/// The largest head of a request, in bytes.
const HEAD_BYTES: usize = 16 << 10;
/// The pause after a connection could not be accepted (no file handles, usually).
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn run(
    api: &Api,
    listener: TcpListener,
    stopping: watch::Sender<bool>,
    stop: impl Future<Output = ()> + Send,
) {
    let room = Arc::new(Semaphore::new(api.0.limits.connections));
    let router = api.router();
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            (stream, place) = accept(&listener, &room) => {
                let stopping = stopping.subscribe();
                connections.spawn(serve_one(api.clone(), router.clone(), stream, place, stopping));
            }
        }
    }
    stopping.send_replace(true);
    let all_gone = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(FAREWELL, all_gone).await;
}

async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let place = room.clone().acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn serve_one(
    api: Api,
    router: Router,
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
    mut stopping: watch::Receiver<bool>,
) {
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(api.0.limits.head_time)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
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
