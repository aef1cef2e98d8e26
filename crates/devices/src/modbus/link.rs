//! The client's end: one connection to a host, shared by all drivers of its units.
//!
//! Always: one request at a time; a request takes at most [`PATIENCE`]; a connection on which anything went
//! wrong, or whose caller gave up waiting, is dropped and made anew at the next request, under a new number,
//! so that whoever remembers something of the device can tell; a count of words is checked before they are
//! handed on. Not here: what the registers mean.

use super::tls::Guard;
use super::{Exception, in_words};
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_modbus::client::{Client as _, Context, tcp};
use tokio_modbus::prelude::SlaveContext as _;
use tokio_modbus::{Error, ExceptionCode, ProtocolError, Request, Response, Slave};

/// How long (real time) connecting, and then a reply, may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most registers in one read.
pub const MAX_READ: u16 = 125;

/// The most registers in one write.
pub const MAX_WRITE: u16 = 123;

/// A connection to a Modbus TCP server, or to a gateway with many units.
pub struct Link {
    place: String,
    guard: Option<Guard>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    context: Option<Context>,
    /// Of the present connection; the first is 1.
    number: u64,
}

/// Registers, and the number of the connection that they came over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The registers' words.
    pub words: Vec<u16>,
    /// The connection's number.
    pub connection: u64,
}

/// Why a request was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No connection, or no reply in time.
    #[error("{0}")]
    Unreachable(String),
    /// The connection that the request was meant for is gone; there is a new one.
    #[error("the connection was made anew")]
    Reconnected,
    /// The device refuses.
    #[error("{}", in_words(*.0))]
    Exception(ExceptionCode),
    /// What answers does not speak Modbus as it should.
    #[error("{0}")]
    Nonsense(String),
}

impl Link {
    /// A link to `place` (`host:port`). Connects at the first request.
    pub fn new(place: String, guard: Option<Guard>) -> Self {
        Self { place, guard, state: Mutex::default() }
    }

    /// Where it leads.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Reads holding registers, at most [`MAX_READ`]. With a connection's number, only over that one.
    ///
    /// # Errors
    /// Where they could not be read; the next call tries again.
    pub async fn read(&self, unit: u8, on: Option<u64>, first: u16, count: u16) -> Result<Words, Failure> {
        debug_assert!((1..=MAX_READ).contains(&count));
        let (reply, connection) = self.ask(unit, on, Request::ReadHoldingRegisters(first, count)).await?;
        match reply {
            Response::ReadHoldingRegisters(words) if words.len() == usize::from(count) => {
                Ok(Words { words, connection })
            }
            Response::ReadHoldingRegisters(words) => {
                self.drop_connection(connection).await;
                let got = words.len();
                Err(Failure::Nonsense(format!(
                    "{got} registers where {count} from {first} on were asked for"
                )))
            }
            _ => Err(Failure::Nonsense("a reply to something else".into())),
        }
    }

    /// Writes holding registers, at most [`MAX_WRITE`], in one request.
    ///
    /// # Errors
    /// Where it is not known that they were written.
    pub async fn write(&self, unit: u8, on: Option<u64>, first: u16, words: &[u16]) -> Result<(), Failure> {
        debug_assert!((1..=usize::from(MAX_WRITE)).contains(&words.len()));
        let (reply, connection) =
            self.ask(unit, on, Request::WriteMultipleRegisters(first, words.into())).await?;
        match reply {
            Response::WriteMultipleRegisters(at, count)
                if at == first && usize::from(count) == words.len() =>
            {
                Ok(())
            }
            _ => {
                self.drop_connection(connection).await;
                Err(Failure::Nonsense("it confirms to have written something else".into()))
            }
        }
    }

    async fn ask(&self, unit: u8, on: Option<u64>, request: Request<'_>) -> Result<(Response, u64), Failure> {
        let mut state = self.state.lock().await;
        // Taken out, so that a caller who gives up waiting leaves no half-used connection behind.
        let mut context = match state.context.take() {
            Some(context) => context,
            None => {
                let fresh = self.connect().await?;
                state.number += 1;
                fresh
            }
        };
        if on.is_some_and(|number| number != state.number) {
            state.context = Some(context);
            return Err(Failure::Reconnected);
        }
        context.set_slave(Slave(unit));
        let outcome = match tokio::time::timeout(PATIENCE, context.call(request)).await {
            Ok(Ok(Ok(reply))) => Ok((reply, state.number)),
            Ok(Ok(Err(exception))) => Err(Failure::Exception(exception)),
            Ok(Err(Error::Transport(error))) => return Err(transport(&error)),
            Ok(Err(Error::Protocol(error))) => return Err(Failure::Nonsense(mismatch(&error))),
            Err(_) => return Err(Failure::Unreachable("no reply in time".into())),
        };
        state.context = Some(context);
        outcome
    }

    async fn connect(&self) -> Result<Context, Failure> {
        let connecting = async {
            let stream = TcpStream::connect(&self.place).await?;
            stream.set_nodelay(true)?;
            io::Result::Ok(match &self.guard {
                None => tcp::attach(stream),
                Some(guard) => tcp::attach(guard.connect(stream).await?),
            })
        };
        match tokio::time::timeout(PATIENCE, connecting).await {
            Ok(connected) => connected.map_err(|error| Failure::Unreachable(error.to_string())),
            Err(_) => Err(Failure::Unreachable("no connection in time".into())),
        }
    }

    async fn drop_connection(&self, number: u64) {
        let mut state = self.state.lock().await;
        if state.number == number {
            state.context = None;
        }
    }
}

fn transport(error: &io::Error) -> Failure {
    // With TLS 1.3 a client learns only after its first request that its certificate is not taken.
    if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        return Failure::Unreachable(format!("TLS: {error}"));
    }
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            Failure::Nonsense(format!("this is no Modbus: {error}"))
        }
        _ => Failure::Unreachable(format!("the connection broke: {error}")),
    }
}

fn mismatch(error: &ProtocolError) -> String {
    match error {
        ProtocolError::HeaderMismatch { message, .. } => format!("a reply to another request: {message}"),
        ProtocolError::FunctionCodeMismatch { .. } => "a reply to another function".into(),
    }
}

impl From<Exception> for Failure {
    fn from(exception: Exception) -> Self {
        Self::Exception(exception)
    }
}
