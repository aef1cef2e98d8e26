//! Tests of `server::consensus` with a toy ledger: in the deterministic world, and over real connections.

mod tcp;
mod toy;
mod world;
