//! The naive peer: a sorted map, and a hash tree over all of its entries for every root.

use crate::measure::{Contender, Entry};
use std::collections::BTreeMap;
use wattbook_types::merkle::{self, MerklePath};

pub struct Flat(BTreeMap<Vec<u8>, Vec<u8>>);

impl Flat {
    fn leaves(&self) -> impl Iterator<Item = Vec<u8>> {
        self.0.iter().map(|(key, value)| [key.as_slice(), value].concat())
    }
}

impl Contender for Flat {
    const NAME: &str = "hash all";
    const ROUNDS: usize = 3;

    fn load(entries: impl Iterator<Item = Entry>) -> Self {
        let map = Self(entries.collect());
        merkle::root(map.leaves());
        map
    }

    fn update(&mut self, batch: &[Entry]) -> [u8; 32] {
        self.0.extend(batch.iter().cloned());
        *merkle::root(self.leaves()).as_bytes()
    }

    fn prove(&self, key: &[u8]) -> Vec<u8> {
        // An absent key's proof would be the paths of both neighbours; the sizes compared are of present ones.
        let index = self.0.range(..key.to_vec()).count();
        let path = merkle::path(self.leaves(), index.min(self.0.len() - 1)).expect("it is one of them");
        let value = self.0.get(key).cloned().unwrap_or_default();
        borsh::to_vec(&(value, path)).expect("in memory")
    }

    fn verify(&self, key: &[u8], proof: &[u8]) -> bool {
        let (value, path): (Vec<u8>, MerklePath) = borsh::from_slice(proof).expect("a proof");
        path.root_from(&[key, &value].concat()).is_some()
    }
}
