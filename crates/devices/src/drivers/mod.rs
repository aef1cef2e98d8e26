//! Drivers, one folder for each kind of equipment. The table of them is in `registry`.

pub mod echonet;
pub mod mqtt;
pub mod sunspec;
pub mod template;
pub mod victron;
