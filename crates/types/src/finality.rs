//! Proof that the servers agreed on a block.

use crate::id::{Hash, hash_parts};
use crate::key::PublicKey;

/// The servers that decide together, by ascending key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSet {
    servers: Vec<PublicKey>,
}

impl ServerSet {
    /// From their keys, in any order.
    pub fn new(mut servers: Vec<PublicKey>) -> Self {
        servers.sort_unstable();
        Self { servers }
    }

    /// Their keys, ascending.
    pub fn keys(&self) -> &[PublicKey] {
        &self.servers
    }

    /// The set's name, as headers carry it.
    pub fn hash(&self) -> Hash {
        let bytes = borsh::to_vec(&self.servers).expect("a vector takes every byte");
        Hash::from_bytes(hash_parts("wattbook/servers", &[&bytes]))
    }
}
