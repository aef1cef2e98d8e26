//! ECHONET Lite (ISO/IEC 14543-4-3): frames, property maps, dates, and asking nodes over UDP.
//!
//! Always: what comes in is checked to the last byte before it is used; a reply belongs to a request only
//! if it comes from the host that was asked and carries its number. Source: ECHONET Lite Specification 1.14,
//! part II. Deliberately absent: frames of format 2, TCP, looking for unknown nodes by multicast, and
//! acting on notifications. What properties mean is the business of `drivers::echonet` and of the simulated
//! nodes in `plant`.

mod frame;
mod node;
mod property_map;
mod socket;
mod wall_time;

pub use frame::{Eoj, Frame, Malformed, Property, Service};
pub use node::{Answers, Node, NodeError, Session};
pub use property_map::PropertyMap;
pub use socket::{Bind, Ether};
pub(crate) use socket::{LARGEST, bind_shared};
pub use wall_time::{UtcOffset, WallTime};

/// The port that every node listens at, and to which it answers, whatever port asked.
pub const PORT: u16 = 3610;

/// The node itself, among its objects.
pub const NODE_PROFILE: Eoj = Eoj::new(0x0EF0, 1);

/// What asks: a controller.
pub const CONTROLLER: Eoj = Eoj::new(0x05FF, 1);
