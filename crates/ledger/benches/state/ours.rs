//! The ledger's state.

use crate::measure::{Contender, Entry};
use wattbook_ledger::state::State;
use wattbook_types::state_proof::StateProof;

pub struct Ours(State);

impl Contender for Ours {
    const NAME: &str = "wattbook";
    const ROUNDS: usize = 300;

    fn load(entries: impl Iterator<Item = Entry>) -> Self {
        let state = State::load(entries);
        state.root();
        Self(state)
    }

    fn update(&mut self, batch: &[Entry]) -> [u8; 32] {
        let mut next = self.0.begin();
        batch.iter().for_each(|(key, value)| next.insert(key, value));
        self.0 = next;
        *self.0.root().as_bytes()
    }

    fn prove(&self, key: &[u8]) -> Vec<u8> {
        borsh::to_vec(&self.0.prove(key)).expect("in memory")
    }

    fn verify(&self, key: &[u8], proof: &[u8]) -> bool {
        let proof: StateProof = borsh::from_slice(proof).expect("a proof");
        proof.verify(&self.0.root(), key).is_ok()
    }

    fn path(&self, key: &[u8]) -> Vec<u16> {
        self.0.prove(key).branches.iter().map(|branch| branch.bit).collect()
    }
}
