//! Asks the made-up meter something: one line to it, one line back, over a connection of its own.
//!
//! Always: a device that is silent, gone or talks without end is an error within [`PATIENCE`], and the next
//! question begins afresh. Not here: what an answer means.

use crate::address::DeviceAddress;
use crate::reading::DeviceError;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The port where an address names none.
const PORT: u16 = 4660;
/// How long a question may take, all in all.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest answer, in bytes.
const LONGEST: u64 = 1024;

/// The way to a device.
pub struct Link {
    socket: String,
}

impl Link {
    /// To the device at an address.
    pub fn new(address: &DeviceAddress) -> Self {
        Self { socket: address.socket(PORT) }
    }

    /// Asks something.
    pub async fn ask(&self, question: &str) -> Result<String, DeviceError> {
        let silent = |reason| DeviceError::Unreachable { address: self.socket.clone(), reason };
        match timeout(PATIENCE, self.exchange(question)).await {
            Ok(Ok(answer)) if answer.ends_with('\n') => Ok(answer.trim_end().to_owned()),
            Ok(Ok(answer)) if answer.is_empty() => Err(silent("it hung up without an answer".to_owned())),
            Ok(Ok(_)) => Err(DeviceError::Protocol("its answer has no end".to_owned())),
            Ok(Err(error)) => Err(silent(error.to_string())),
            Err(_) => Err(silent(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }

    async fn exchange(&self, question: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.socket).await?;
        stream.write_all(format!("{question}\n").as_bytes()).await?;
        let mut answer = String::new();
        BufReader::new(stream.take(LONGEST)).read_line(&mut answer).await?;
        Ok(answer)
    }
}
