//!

pub mod state;
