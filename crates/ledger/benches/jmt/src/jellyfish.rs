//! The Jellyfish Merkle Tree of crates.io over a hash map in memory.
//!
//! Stale nodes and values are dropped at once. What it would need beside it to take our state's place is
//! left out, to its favour: a sorted index over the keys themselves, which it knows only by their hashes,
//! and versions of the values.

use crate::measure::{Contender, Entry};
use jmt::storage::{LeafNode, Node, NodeKey, TreeReader, TreeUpdateBatch};
use jmt::{JellyfishMerkleTree, KeyHash, OwnedValue, RootHash, Version};
use sha2::Sha256;
use std::collections::HashMap;

/// Entries in one version while loading: all at once would hold the tree twice.
const CHUNK: usize = 10_000;

#[derive(Default)]
struct Store {
    nodes: HashMap<NodeKey, Node>,
    values: HashMap<KeyHash, OwnedValue>,
}

impl TreeReader for Store {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(self.nodes.get(key).cloned())
    }

    fn get_value_option(&self, _version: Version, key: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(self.values.get(&key).cloned())
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        Ok(None)
    }
}

impl Store {
    fn apply(&mut self, batch: TreeUpdateBatch) {
        for stale in &batch.stale_node_index_batch {
            self.nodes.remove(&stale.node_key);
        }
        self.nodes.extend(batch.node_batch.nodes().iter().map(|(key, node)| (key.clone(), node.clone())));
        for ((_, key), value) in batch.node_batch.values() {
            self.values.insert(*key, value.clone().expect("nothing is removed"));
        }
    }
}

pub struct Jellyfish {
    store: Store,
    version: Version,
    root: RootHash,
}

impl Jellyfish {
    fn tree(&self) -> JellyfishMerkleTree<'_, Store, Sha256> {
        JellyfishMerkleTree::new(&self.store)
    }

    fn put(&mut self, entries: impl Iterator<Item = Entry>) {
        let hashed = entries.map(|(key, value)| (KeyHash::with::<Sha256>(key), Some(value)));
        let (root, batch) = self.tree().put_value_set(hashed, self.version).expect("the store never fails");
        self.store.apply(batch);
        (self.root, self.version) = (root, self.version + 1);
    }
}

impl Contender for Jellyfish {
    const NAME: &str = "jmt";
    const ROUNDS: usize = 100;

    fn load(entries: impl Iterator<Item = Entry>) -> Self {
        let mut tree = Self { store: Store::default(), version: 0, root: RootHash([0; 32]) };
        let mut entries = entries.peekable();
        while entries.peek().is_some() {
            tree.put(entries.by_ref().take(CHUNK));
        }
        tree
    }

    fn update(&mut self, batch: &[Entry]) -> [u8; 32] {
        self.put(batch.iter().cloned());
        self.root.0
    }

    fn prove(&self, key: &[u8]) -> Vec<u8> {
        let (value, proof) =
            self.tree().get_with_proof(KeyHash::with::<Sha256>(key), self.version - 1).expect("it is there");
        borsh::to_vec(&(value, proof)).expect("in memory")
    }

    fn verify(&self, key: &[u8], proof: &[u8]) -> bool {
        let (value, proof): (Option<OwnedValue>, jmt::proof::SparseMerkleProof<Sha256>) =
            borsh::from_slice(proof).expect("a proof");
        proof.verify(self.root, KeyHash::with::<Sha256>(key), value).is_ok()
    }
}
