//! The last final block and the blocks on top of it that are not final yet, each with the state after it.
//!
//! Always: every version descends from the last final one; a version never changes; states share what
//! they have in common, so that a version costs what its block changed. Bounded: what falls out is
//! executed again when it is needed. Not here: disk.

use crate::consensus::RealTime;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use wattbook_ledger::State;
use wattbook_types::{BlockId, Height, SignedHeader, TransactionId};

/// How many blocks that are not final are kept.
const CAPACITY: usize = 256;

/// A block's header and the state after it.
pub struct Version {
    /// The block's name.
    pub id: BlockId,
    /// Its header.
    pub signed: SignedHeader,
    /// The state after it.
    pub state: State,
    /// Its transactions.
    pub included: HashSet<TransactionId>,
    /// Transactions that cannot follow this block, and until when that need not be looked at again.
    unfit: Mutex<HashMap<TransactionId, RealTime>>,
}

impl Version {
    /// A version.
    pub fn new(signed: SignedHeader, state: State, included: HashSet<TransactionId>) -> Self {
        Self { id: signed.id(), signed, state, included, unfit: Mutex::default() }
    }

    /// The block's height.
    pub fn height(&self) -> Height {
        self.signed.header.height
    }

    /// Notes that a transaction cannot follow this block, for now.
    pub fn note_unfit(&self, id: TransactionId, until: RealTime) {
        self.unfit.lock().expect("no panic while it is held").insert(id, until);
    }

    /// Until when a transaction is known not to be able to follow this block.
    pub fn unfit_until(&self, id: &TransactionId) -> Option<RealTime> {
        self.unfit.lock().expect("no panic while it is held").get(id).copied()
    }
}

/// All versions.
pub struct Versions {
    last: Arc<Version>,
    open: BTreeMap<BlockId, Arc<Version>>,
    order: VecDeque<BlockId>,
}

impl Versions {
    /// Only the last final one.
    pub fn new(last: Version) -> Self {
        Self { last: Arc::new(last), open: BTreeMap::new(), order: VecDeque::new() }
    }

    /// The last final one.
    pub fn last(&self) -> &Arc<Version> {
        &self.last
    }

    /// The version after a block.
    pub fn get(&self, block: &BlockId) -> Option<Arc<Version>> {
        if self.last.id == *block {
            return Some(self.last.clone());
        }
        self.open.get(block).cloned()
    }

    /// Keeps the version after a block that was found valid on a version that is kept.
    pub fn insert(&mut self, version: Version) {
        let parent = version.signed.header.parent;
        if parent != self.last.id && !self.open.contains_key(&parent) {
            return;
        }
        let id = version.id;
        if self.open.insert(id, Arc::new(version)).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > CAPACITY {
            let oldest = self.order.pop_front().expect("longer than its capacity");
            self.open.remove(&oldest);
        }
    }

    /// A child of the last final version has become final: drops what does not descend from it.
    pub fn advance(&mut self, last: Arc<Version>) {
        let mut kept: HashSet<BlockId> = HashSet::from([last.id]);
        // Parents before children: by height.
        let mut open: Vec<Arc<Version>> = std::mem::take(&mut self.open).into_values().collect();
        open.sort_by_key(|version| version.height());
        for version in open {
            if version.id != last.id && kept.contains(&version.signed.header.parent) {
                kept.insert(version.id);
                self.open.insert(version.id, version);
            }
        }
        self.order.retain(|id| self.open.contains_key(id));
        self.last = last;
    }

    /// The versions from a block down to the last final one, without that.
    pub fn lineage(&self, block: &BlockId) -> Vec<Arc<Version>> {
        let mut lineage = Vec::new();
        let mut cursor = *block;
        while let Some(version) = self.open.get(&cursor) {
            lineage.push(version.clone());
            cursor = version.signed.header.parent;
        }
        lineage
    }

    /// How many blocks that are not final are kept.
    pub fn open(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wattbook_types::{BlockHeader, Hash, LedgerId, SecretKey, Timestamp};

    fn version(height: u64, parent: BlockId, time: u64) -> Version {
        let key = SecretKey::from_seed([1; 32]);
        let header = BlockHeader {
            protocol_version: 1,
            ledger: LedgerId::default(),
            height: Height::from_number(height),
            parent,
            time: Timestamp::from_millis(time),
            transactions_root: Hash::default(),
            records_root: Hash::default(),
            state_root: Hash::default(),
            contract: Hash::default(),
            next_servers: Hash::default(),
            proposer: key.public_key(),
        };
        Version::new(header.sign(&key), State::new(), HashSet::new())
    }

    #[test]
    fn what_does_not_descend_from_the_final_block_is_dropped() {
        let genesis = version(0, BlockId::default(), 0);
        let root = genesis.id;
        let mut versions = Versions::new(genesis);
        let (a, b) = (version(1, root, 1), version(1, root, 2));
        let (a_id, b_id) = (a.id, b.id);
        let on_a = version(2, a_id, 3);
        let (on_a_id, on_b) = (on_a.id, version(2, b_id, 3));
        let on_b_id = on_b.id;
        for one in [a, b, on_a, on_b] {
            versions.insert(one);
        }
        assert_eq!(versions.lineage(&on_a_id).iter().map(|one| one.id).collect::<Vec<_>>(), [on_a_id, a_id]);
        versions.advance(versions.get(&a_id).unwrap());
        assert_eq!(versions.last().id, a_id);
        assert!(versions.get(&on_a_id).is_some());
        assert!(versions.get(&b_id).is_none() && versions.get(&on_b_id).is_none());
        assert!(versions.get(&root).is_none());
        versions.insert(version(2, b_id, 4));
        assert_eq!(versions.open(), 1, "nothing is kept on what was dropped");
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let genesis = version(0, BlockId::default(), 0);
        let root = genesis.id;
        let mut versions = Versions::new(genesis);
        let first = version(1, root, 1);
        let first_id = first.id;
        versions.insert(first);
        for time in 2..=CAPACITY as u64 + 1 {
            versions.insert(version(1, root, time));
        }
        assert_eq!(versions.open(), CAPACITY);
        assert!(versions.get(&first_id).is_none());
    }
}
