//! The way to an MQTT broker, for the driver that reads meters there and for publishing what goes on here.
//!
//! `broker` says where a broker is and how it is reached, `link` is the one connection to it, `publish` keeps
//! what is shown there up to date, and `discovery` tells Home Assistant what it is.
//!
//! Always: MQTT 5; what is to be sent waits in a table by topic, newest only, so that nothing grows while a
//! broker is away; whatever the broker does, nobody here waits for it. Deliberately absent: commands.
//! Nothing that is said on a broker makes a home or a battery trade.

mod broker;
pub mod discovery;
mod link;
mod publish;

pub(crate) use broker::decoded;
pub use broker::{Broker, LINK_OPTIONS};
pub use link::{Link, Listener, Message, Standing};
pub use publish::{Display, Look, Publisher, Publishing, Shown, State};
