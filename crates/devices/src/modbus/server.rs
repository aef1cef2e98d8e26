//! The server's end: several units on one listener, over plain TCP or TLS.
//!
//! Always: no more than [`MAX_CONNECTIONS`] at once, and whoever comes then is turned away; a handshake
//! that does not end stops nobody else; when `stop` returns, the port is free and nobody is being answered.
//! Not here: what is in the registers.

use super::Exception;
use super::tls::Guard;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_modbus::server::{Service, tcp};
use tokio_modbus::{ExceptionCode, Request, Response, SlaveRequest};

/// The most connections that are served at once.
const MAX_CONNECTIONS: u32 = 64;

/// How long nobody is let in after the system failed to.
const PAUSE: Duration = Duration::from_millis(100);

/// The units behind a listener. A read and a write are each one look at the device, so that what is read
/// belongs together.
pub trait Units: Send + Sync + 'static {
    /// Registers of a unit.
    fn read(&self, unit: u8, first: u16, count: u16) -> Answered<Vec<u16>>;

    /// Sets registers of a unit.
    fn write(&self, unit: u8, first: u16, words: &[u16]) -> Answered<()>;
}

/// What a unit answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered<T> {
    /// This.
    With(T),
    /// It refuses.
    Exception(Exception),
    /// Nothing at all: it is silent.
    Nothing,
}

/// A Modbus TCP server that runs. Stops when it is dropped.
pub struct Server {
    address: SocketAddr,
    permits: Arc<Semaphore>,
    task: Mutex<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.get_mut().abort();
    }
}

impl Server {
    /// Serves units at an address; port 0 chooses one. Needs a tokio runtime.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub async fn start(
        listen: SocketAddr,
        guard: Option<Guard>,
        units: Arc<dyn Units>,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS as usize));
        let task = tokio::spawn(serve(listener, guard, units, Arc::clone(&permits)));
        Ok(Self { address, permits, task: task.into() })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops serving: the port is free and all connections are closed when this returns.
    pub async fn stop(&self) {
        let mut task = self.task.lock().await;
        task.abort();
        if !task.is_finished() {
            // What it returns says only that it was stopped.
            let _ = (&mut *task).await;
        }
        // Every connection holds a permit until it is closed.
        let _ = self.permits.acquire_many(MAX_CONNECTIONS).await;
    }
}

async fn serve(listener: TcpListener, guard: Option<Guard>, units: Arc<dyn Units>, permits: Arc<Semaphore>) {
    let server = tcp::Server::new(listener);
    let connected = |stream: TcpStream, from: SocketAddr| {
        let answering = Arc::clone(&permits)
            .try_acquire_owned()
            .ok()
            .map(|permit| Answering { units: Arc::clone(&units), _permit: permit });
        let guard = guard.clone();
        async move {
            let Some(answering) = answering else {
                tracing::debug!(%from, "a Modbus connection too many is turned away");
                return Ok(None);
            };
            // Without it, it is only slower.
            let _ = stream.set_nodelay(true);
            Ok(Some((answering, super::tls::Incoming::new(stream, guard.as_ref()))))
        }
    };
    let ended = |error| tracing::debug!(%error, "a Modbus connection ended");
    // It returns only where the system gives no more connections, which takes a while to mend.
    while let Err(error) = server.serve(&connected, ended).await {
        tracing::warn!(%error, "a Modbus connection could not be taken");
        tokio::time::sleep(PAUSE).await;
    }
}

/// One connection's view of the units.
struct Answering {
    units: Arc<dyn Units>,
    _permit: OwnedSemaphorePermit,
}

impl Service for Answering {
    type Request = SlaveRequest<'static>;
    type Response = Option<Response>;
    type Exception = ExceptionCode;
    type Future = Pin<Box<dyn Future<Output = Result<Option<Response>, ExceptionCode>> + Send>>;

    fn call(&self, request: SlaveRequest<'static>) -> Self::Future {
        let units = Arc::clone(&self.units);
        Box::pin(async move { answer(&*units, &request) })
    }
}

fn answer(units: &dyn Units, request: &SlaveRequest<'static>) -> Result<Option<Response>, ExceptionCode> {
    let unit = request.slave;
    match &request.request {
        Request::ReadHoldingRegisters(first, count) => {
            given(read(units, unit, *first, *count)?, Response::ReadHoldingRegisters)
        }
        Request::ReadInputRegisters(first, count) => {
            given(read(units, unit, *first, *count)?, Response::ReadInputRegisters)
        }
        Request::WriteSingleRegister(first, word) => {
            given(units.write(unit, *first, &[*word]), |()| Response::WriteSingleRegister(*first, *word))
        }
        Request::WriteMultipleRegisters(first, words) => {
            let count = u16::try_from(words.len()).map_err(|_| ExceptionCode::IllegalDataValue)?;
            if !(1..=super::MAX_WRITE).contains(&count) || first.checked_add(count - 1).is_none() {
                return Err(ExceptionCode::IllegalDataValue);
            }
            given(units.write(unit, *first, words), |()| Response::WriteMultipleRegisters(*first, count))
        }
        _ => Err(ExceptionCode::IllegalFunction),
    }
}

fn read(units: &dyn Units, unit: u8, first: u16, count: u16) -> Result<Answered<Vec<u16>>, ExceptionCode> {
    if !(1..=super::MAX_READ).contains(&count) {
        return Err(ExceptionCode::IllegalDataValue);
    }
    if first.checked_add(count - 1).is_none() {
        return Err(ExceptionCode::IllegalDataAddress);
    }
    Ok(units.read(unit, first, count))
}

fn given<T>(
    answered: Answered<T>,
    reply: impl FnOnce(T) -> Response,
) -> Result<Option<Response>, ExceptionCode> {
    match answered {
        Answered::With(value) => Ok(Some(reply(value))),
        Answered::Exception(exception) => Err(exception),
        Answered::Nothing => Ok(None),
    }
}
