//! What the state root commits to, and how anyone checks a single entry against it.
//!
//! The state is a map from byte keys to byte values, hashed as a crit-bit trie (binary Patricia trie).
//!
//! **Bits of a key.** Each byte stands for nine bits: a one, then the byte's own bits, highest first. After
//! the last byte follow zeros without end. So no key's bits are the beginning of another's, any set of
//! keys has a trie, and the order of the bits is the order of the keys as byte strings. Bit `i` of a key
//! belongs to byte `i / 9`.
//!
//! **The trie.** One entry: a leaf. More: a branch, which names the first bit in which its keys differ; keys
//! with a zero there stand left, with a one right. The set of keys alone decides the shape, so the root
//! depends on the content and not on how it came about.
//!
//! **Hashes** (see [`hash_parts`]; integers little-endian):
//! - value: `wattbook/state-value`, the value
//! - leaf: `wattbook/state-leaf`, length of the key (u32), key, hash of the value
//! - branch: `wattbook/state-branch`, bit (u16), left hash, right hash
//! - no entries: `wattbook/state-empty`, nothing
//!
//! **Why a proof can be trusted.** A search takes, at each branch, the side that the key's own bit names, and
//! ends at a leaf. A proof lists the branches of that search and its leaf; the verifier takes the sides from
//! the key that *he* asks for, never from the proof. The hash is collision resistant and kinds of nodes have
//! labels of their own, so under a given root the first branch is given, hence the side, hence the next
//! node, and so on down to the leaf, its key and its value's hash; where that key is his, at most one value
//! has that hash. So for each root and key there is at most one proof that passes. Nobody,
//! not even who made the root, can show a key present to one and absent to another, or with two
//! values. If moreover the trie is well-formed, which servers ensure by executing every block, then a key
//! that is in it stands at the end of its own search; so a search that ends at another key proves absence.
//! That the bits named on the way increase and lie within keys, that the leaf found agrees with the searched key in all of them,
//! and that nothing is empty below a branch follow from well-formedness; they are checked nevertheless,
//! so that a malformed trie shows itself.
//!
//! **What a proof of absence shows.** Of the other key that the search ends at only the hash of the value is
//! needed. So whatever values hold, such a proof has at most nine branches a byte of the longest key, that key and a
//! hash, and it shows no neighbour's value. Who can guess that value can see from the hash that he is right.
//!
//! Not here: the trie itself (crate `ledger`), and whether a root is final (see `finality`). Not
//! proved: how many entries there are, or that a list of entries under a prefix is complete.

use crate::id::{Hash, hash_parts};
use borsh::{BorshDeserialize, BorshSerialize};
use core::fmt;
use serde::{Deserialize, Serialize};

/// The longest key, in bytes. Bounds the trie's depth to nine times as many branches.
pub const MAX_KEY_LENGTH: usize = 128;

/// Every bit in which two keys can differ is less than this.
const BITS: u16 = 9 * MAX_KEY_LENGTH as u16;

/// Bit `index` of a key (see the module), as the side that a search takes: 0 or 1.
pub fn side(key: &[u8], index: u16) -> usize {
    let (byte, place) = (usize::from(index / 9), index % 9);
    match (key.get(byte), place) {
        (None, _) => 0,
        (Some(_), 0) => 1,
        (Some(byte), place) => usize::from(byte >> (8 - place) & 1),
    }
}

/// The first bit in which two keys of at most [`MAX_KEY_LENGTH`] differ; `None` where they are equal.
pub fn first_difference(a: &[u8], b: &[u8]) -> Option<u16> {
    let common = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let within = match (a.get(common), b.get(common)) {
        (None, None) => return None,
        (Some(a), Some(b)) => 1 + (a ^ b).leading_zeros() as usize,
        _ => 0,
    };
    Some(u16::try_from(9 * common + within).expect("keys are short"))
}

/// The hash of a value, which stands for it in its entry's.
pub fn value_hash(value: &[u8]) -> Hash {
    Hash::of("wattbook/state-value", value)
}

/// The hash of an entry, from the hash of its value.
pub fn leaf_hash(key: &[u8], value_hash: &Hash) -> Hash {
    let length = u32::try_from(key.len()).expect("keys are short").to_le_bytes();
    Hash::from_bytes(hash_parts("wattbook/state-leaf", &[&length, key, value_hash.as_bytes()]))
}

/// The hash of a branch.
pub fn branch_hash(bit: u16, left: &Hash, right: &Hash) -> Hash {
    let parts: [&[u8]; 3] = [&bit.to_le_bytes(), left.as_bytes(), right.as_bytes()];
    Hash::from_bytes(hash_parts("wattbook/state-branch", &parts))
}

/// The root of a state without entries.
pub fn empty_root() -> Hash {
    Hash::of("wattbook/state-empty", &[])
}

/// A branch that a search passes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct ProofBranch {
    /// The bit that it decides by.
    pub bit: u16,
    /// The hash of the side not taken.
    pub other_side: Hash,
}

/// Where a search ends.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchEnd {
    /// Nowhere: the state has no entries.
    Empty,
    /// At the key itself, with this value.
    Found {
        /// The key's value.
        #[serde(with = "hex_text")]
        value: Vec<u8>,
    },
    /// At another key: the one searched is not in the state.
    Other {
        /// The key found instead.
        #[serde(with = "hex_text")]
        key: Vec<u8>,
        /// The hash of its value, which itself is not shown.
        value_hash: Hash,
    },
}

/// Shows that a key has a certain value in the state, or that it is not there.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct StateProof {
    /// The branches on the way, from the root down.
    pub branches: Vec<ProofBranch>,
    /// What stands at the end.
    pub end: SearchEnd,
}

/// Why a proof shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofError {
    /// It leads to another root: it belongs to another state or key, or has been altered.
    WrongRoot,
    /// It cannot come from a well-formed trie, whatever the root.
    Malformed,
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongRoot => "the proof does not lead to this state root",
            Self::Malformed => "the proof is not one of a well-formed state",
        })
    }
}

impl core::error::Error for ProofError {}

impl StateProof {
    /// What the state with this root holds under the key: its value, or `None` where the key is absent.
    ///
    /// # Errors
    /// [`ProofError`] where this proof shows neither.
    pub fn verify(&self, root: &Hash, key: &[u8]) -> Result<Option<&[u8]>, ProofError> {
        let (leaf, answer) = self.end_for(key)?;
        let ascending = self.branches.is_sorted_by(|above, below| above.bit < below.bit);
        let within_keys = self.branches.iter().all(|branch| branch.bit < BITS);
        if key.len() > MAX_KEY_LENGTH || !ascending || !within_keys {
            return Err(ProofError::Malformed);
        }
        let top = self.branches.iter().rev().fold(leaf, |below, branch| match side(key, branch.bit) {
            0 => branch_hash(branch.bit, &below, &branch.other_side),
            _ => branch_hash(branch.bit, &branch.other_side, &below),
        });
        if top == *root { Ok(answer) } else { Err(ProofError::WrongRoot) }
    }

    /// The hash at the end of the search for a key, and what it would mean.
    fn end_for(&self, key: &[u8]) -> Result<(Hash, Option<&[u8]>), ProofError> {
        match &self.end {
            SearchEnd::Empty if self.branches.is_empty() => Ok((empty_root(), None)),
            SearchEnd::Found { value } => Ok((leaf_hash(key, &value_hash(value)), Some(value))),
            SearchEnd::Other { key: other, value_hash } if self.could_end_at(key, other) => {
                Ok((leaf_hash(other, value_hash), None))
            }
            _ => Err(ProofError::Malformed),
        }
    }

    /// Whether the search for a key can end at another one: it differs, but not in any bit decided by.
    fn could_end_at(&self, key: &[u8], other: &[u8]) -> bool {
        let agree = |branch: &ProofBranch| side(key, branch.bit) == side(other, branch.bit);
        other.len() <= MAX_KEY_LENGTH && key != other && self.branches.iter().all(agree)
    }
}

/// Byte strings in JSON.
mod hex_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&crate::hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        crate::hex::decode(&text).ok_or_else(|| D::Error::custom("expected hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(vec![0, 1, 0x80, 0xff]), 0..4)
    }

    fn bits(key: &[u8]) -> Vec<usize> {
        (0..9 * 5).map(|index| side(key, index)).collect()
    }

    /// Any nodes at all above some entries: bits in any order, keys on any side.
    #[derive(Clone, Debug)]
    enum Forged {
        Leaf(Vec<u8>, Vec<u8>),
        Branch(u16, Box<[Forged; 2]>),
    }

    fn forged() -> impl Strategy<Value = Forged> {
        let leaf = (key(), prop::collection::vec(any::<u8>(), 0..2)).prop_map(|(k, v)| Forged::Leaf(k, v));
        leaf.prop_recursive(5, 24, 2, |below| {
            (0..40_u16, below.clone(), below)
                .prop_map(|(bit, left, right)| Forged::Branch(bit, Box::new([left, right])))
        })
    }

    impl Forged {
        fn hash(&self) -> Hash {
            match self {
                Self::Leaf(key, value) => leaf_hash(key, &value_hash(value)),
                Self::Branch(bit, sides) => branch_hash(*bit, &sides[0].hash(), &sides[1].hash()),
            }
        }

        /// Every way down to every leaf, ended in every way that its maker could state.
        fn proofs(&self, above: &[ProofBranch]) -> Vec<StateProof> {
            match self {
                Self::Leaf(key, value) => {
                    let found = SearchEnd::Found { value: value.clone() };
                    let other = SearchEnd::Other { key: key.clone(), value_hash: value_hash(value) };
                    let with = |end| StateProof { branches: above.to_vec(), end };
                    vec![with(found), with(other), with(SearchEnd::Empty)]
                }
                Self::Branch(bit, sides) => {
                    let way = |taken: usize| {
                        let branch = ProofBranch { bit: *bit, other_side: sides[1 - taken].hash() };
                        sides[taken].proofs(&[above, &[branch]].concat())
                    };
                    [way(0), way(1)].concat()
                }
            }
        }
    }

    proptest! {
        #[test]
        fn bits_order_keys_as_bytes_do(a in key(), b in key()) {
            prop_assert_eq!(bits(&a).cmp(&bits(&b)), a.cmp(&b));
            let first = bits(&a).iter().zip(bits(&b)).position(|(a, b)| *a != b);
            prop_assert_eq!(first_difference(&a, &b).map(usize::from), first);
        }

        #[test]
        fn no_root_however_made_gives_two_answers_for_one_key(forged in forged(), key in key()) {
            let root = forged.hash();
            let proofs = forged.proofs(&[]);
            let mut passing: Vec<_> = proofs.iter().filter(|proof| proof.verify(&root, &key).is_ok()).collect();
            passing.dedup();
            prop_assert!(passing.len() <= 1, "{passing:?}");
        }
    }

    #[test]
    fn the_golden_proofs_verify_without_the_trie() {
        let text = include_str!("../vectors/state.json");
        let golden: serde_json::Value = serde_json::from_str(text).unwrap();
        let bytes = |value: &serde_json::Value| value.as_str().map(|text| crate::hex::decode(text).unwrap());
        let mut answers = [0, 0];
        for case in golden["cases"].as_array().unwrap() {
            let root: Hash = case["root"].as_str().unwrap().parse().unwrap();
            for row in case["proofs"].as_array().unwrap() {
                let proof: StateProof = borsh::from_slice(&bytes(&row["encoded"]).unwrap()).unwrap();
                assert_eq!(proof, serde_json::from_value(row["proof"].clone()).unwrap());
                let (key, value) = (bytes(&row["key"]).unwrap(), bytes(&row["value"]));
                assert_eq!(proof.verify(&root, &key), Ok(value.as_deref()));
                answers[usize::from(value.is_some())] += 1;
            }
        }
        assert!(answers.iter().all(|count| *count > 0));
    }

    #[test]
    fn an_absence_that_ends_at_the_searched_key_is_malformed() {
        let (key, value_hash) = (b"key".to_vec(), value_hash(b"value"));
        let root = leaf_hash(&key, &value_hash);
        let absent = StateProof { branches: vec![], end: SearchEnd::Other { key: key.clone(), value_hash } };
        assert_eq!(absent.verify(&root, &key), Err(ProofError::Malformed));
        assert_eq!(absent.verify(&root, b"kez"), Ok(None));
    }

    #[test]
    fn the_hash_of_a_value_does_not_pass_for_the_value() {
        let (key, hash) = (b"key".to_vec(), value_hash(b"value"));
        let root = leaf_hash(&key, &hash);
        let found =
            |value: &[u8]| StateProof { branches: vec![], end: SearchEnd::Found { value: value.to_vec() } };
        assert_eq!(found(b"value").verify(&root, &key), Ok(Some(&b"value"[..])));
        assert_eq!(found(hash.as_bytes()).verify(&root, &key), Err(ProofError::WrongRoot));
    }

    #[test]
    fn a_branch_beyond_the_longest_key_is_malformed() {
        let (value_hash, other_side) = (value_hash(b"value"), empty_root());
        let decided_by = |bit: u16| {
            let root = branch_hash(bit, &leaf_hash(b"key", &value_hash), &other_side);
            let end = SearchEnd::Other { key: b"key".to_vec(), value_hash };
            let proof = StateProof { branches: vec![ProofBranch { bit, other_side }], end };
            proof.verify(&root, b"kez").map(|value| value.is_some())
        };
        assert_eq!(decided_by(1151), Ok(false));
        assert_eq!(decided_by(1152), Err(ProofError::Malformed));
    }

    #[test]
    fn an_absence_that_ends_at_a_key_too_long_is_malformed() {
        let ends_at = |length: usize| {
            let (key, value_hash) = (vec![7; length], value_hash(b"value"));
            let root = leaf_hash(&key, &value_hash);
            let proof = StateProof { branches: vec![], end: SearchEnd::Other { key, value_hash } };
            proof.verify(&root, b"searched").map(|value| value.is_some())
        };
        assert_eq!(ends_at(MAX_KEY_LENGTH), Ok(false));
        assert_eq!(ends_at(MAX_KEY_LENGTH + 1), Err(ProofError::Malformed));
    }
}
