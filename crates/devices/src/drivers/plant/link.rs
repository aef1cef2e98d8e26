//! A connection to the simulated world that mends itself.
//!
//! Always: one request at a time; a connection that failed in any way is dropped, never used again, so
//! that a late reply cannot be taken for another request's. A request whose connection turns out to be
//! dead is sent once more over a new one, as every request may be repeated.

use crate::plant::protocol::{MAX_LINE, Reply, Request};
use crate::reading::DeviceError;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

/// How long (real time) a reply may take.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) struct Link {
    address: String,
    stream: Mutex<Option<BufReader<TcpStream>>>,
}

impl Link {
    pub(super) fn new(address: String) -> Self {
        Self { address, stream: Mutex::new(None) }
    }

    /// Asks and waits for the reply.
    pub(super) async fn ask(&self, request: &Request) -> Result<Reply, DeviceError> {
        let mut line = serde_json::to_vec(request).expect("a request is JSON");
        line.push(b'\n');
        let mut kept = self.stream.lock().await;
        // Taken out, so that a caller who gives up waiting leaves no half-used connection behind.
        if let Some(stream) = kept.take()
            && let Ok((stream, reply)) = exchange(stream, &line).await
        {
            *kept = Some(stream);
            return read_reply(&reply);
        }
        let fresh = async {
            let stream = TcpStream::connect(&self.address).await?;
            stream.set_nodelay(true)?;
            Ok(BufReader::new(stream))
        };
        let exchanged = match in_time(fresh).await {
            Ok(stream) => exchange(stream, &line).await,
            Err(error) => Err(error),
        };
        let (stream, reply) = exchanged.map_err(|error| DeviceError::Unreachable {
            address: self.address.clone(),
            reason: error.to_string(),
        })?;
        *kept = Some(stream);
        read_reply(&reply)
    }
}

async fn in_time<T>(work: impl Future<Output = std::io::Result<T>>) -> std::io::Result<T> {
    let late = |_| std::io::Error::new(std::io::ErrorKind::TimedOut, "no reply in time");
    tokio::time::timeout(PATIENCE, work).await.map_err(late)?
}

async fn exchange(
    mut stream: BufReader<TcpStream>,
    line: &[u8],
) -> std::io::Result<(BufReader<TcpStream>, Vec<u8>)> {
    in_time(async {
        stream.write_all(line).await?;
        let mut reply = Vec::new();
        (&mut stream).take(MAX_LINE as u64).read_until(b'\n', &mut reply).await?;
        if reply.last() != Some(&b'\n') {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok((stream, reply))
    })
    .await
}

fn read_reply(line: &[u8]) -> Result<Reply, DeviceError> {
    serde_json::from_slice(line).map_err(|error| DeviceError::Protocol(error.to_string()))
}
