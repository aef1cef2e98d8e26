//! Modbus over TCP: the link that drivers ask over, and the server that simulated devices answer with.
//!
//! Always: registers are 16-bit words, numbered from 0 as on the wire; one request at a time on a
//! connection; what a device answers is checked before it is used, whatever it claims. TLS as in the
//! Modbus/TCP Security specification, version 36 (2021): certificates at both ends, port 802. Frames are
//! tokio-modbus'. Deliberately absent: serial lines, coils, and functions that no driver here needs.

mod link;
mod server;
mod tls;

pub use link::{Failure, Link, MAX_READ, MAX_WRITE, Words};
pub use server::{Answered, Server, Units};
pub use tls::{Guard, TlsFiles};

/// The port of Modbus TCP.
pub const PORT: u16 = 502;

/// The port of Modbus/TCP Security.
pub const TLS_PORT: u16 = 802;

pub use tokio_modbus::ExceptionCode as Exception;

/// What an exception means, in words.
pub const fn in_words(exception: Exception) -> &'static str {
    match exception {
        Exception::IllegalFunction => "it does not know this function (exception 1)",
        Exception::IllegalDataAddress => "it has no such registers (exception 2)",
        Exception::IllegalDataValue => "it does not accept this value (exception 3)",
        Exception::ServerDeviceFailure => "it failed while it carried this out (exception 4)",
        Exception::Acknowledge => "it needs longer to carry this out (exception 5)",
        Exception::ServerDeviceBusy => "it is busy (exception 6)",
        Exception::MemoryParityError => "its memory is damaged (exception 8)",
        Exception::GatewayPathUnavailable => "the gateway has no path to this unit (exception 10)",
        Exception::GatewayTargetDevice => "no such unit answers the gateway (exception 11)",
        Exception::Custom(_) => "it refuses with an exception of its own",
    }
}
