//! 

pub mod consensus;
