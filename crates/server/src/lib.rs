//! 

pub mod api;
pub mod consensus;
