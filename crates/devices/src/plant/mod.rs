//! A simulated physical world: homes with generation, use and a feeder, batteries, meters and the utility.
//!
//! Always: the world is a pure function of its specification, the commands and their times; energy is
//! whole joules and every joule is accounted for (`World::audit`); set-points stay and meters count
//! whoever else is dead, as real equipment would. Deliberately absent: voltages, reactive power, and any
//! decision.
//!
//! `world` holds the parts and their clock, `step` moves energy for some seconds, `audit` checks that none
//! appeared or vanished, `server` lets
//! processes talk to it.

mod audit;
pub(crate) mod echonet;
mod listen;
pub(crate) mod lone;
pub(crate) mod physics;
mod server;
mod spec;
mod step;
mod world;

#[cfg(test)]
pub(crate) mod tests;

pub use audit::Imbalance;
pub use echonet::{EchonetFace, EchonetNode, MeterFace, serve_echonet};
pub(crate) use listen::address;
pub use listen::{PlantListen, PlantTls};
pub use server::{Plant, PlantDevice, PlantError};
pub use spec::{BatterySpec, HomeSpec, SpecError, WorldSpec};
pub use world::{Faults, HomeState, HomeTotals, Unready, World};
