//! Entries in the order of their keys.

use super::node::{Link, Node};
use wattbook_types::state_proof::{first_difference, side};

/// Entries whose keys begin with a prefix, by ascending key, each found in time of the trie's depth at most.
#[derive(Clone)]
pub struct Range<'a> {
    /// What is still to come, the next on top; all of each comes before what lies below it.
    ahead: Vec<&'a Node>,
    prefix: Vec<u8>,
}

impl<'a> Range<'a> {
    /// From the first key at or after `start` on.
    pub(super) fn new(root: Option<&'a Link>, prefix: &[u8], start: &[u8]) -> Self {
        let start = start.max(prefix);
        let ahead = root.map_or_else(Vec::new, |root| seek(root, start));
        Self { ahead, prefix: prefix.to_vec() }
    }
}

/// The parts of the trie that hold the keys at or after `start`, the last first.
fn seek<'a>(root: &'a Node, start: &[u8]) -> Vec<&'a Node> {
    // Below the point where the search passes the first difference, all keys differ from `start` in
    // that bit first, so all lie on one side of it.
    let difference = first_difference(start, root.search(start).key());
    let mut ahead = Vec::new();
    let mut node = root;
    while let Node::Branch(branch) = node
        && difference.is_none_or(|difference| branch.bit < difference)
    {
        let taken = side(start, branch.bit);
        if taken == 0 {
            ahead.push(&*branch.sides[1]);
        }
        node = &branch.sides[taken];
    }
    if difference.is_none_or(|difference| side(start, difference) == 0) {
        ahead.push(node);
    }
    ahead
}

impl<'a> Iterator for Range<'a> {
    /// Key and value.
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut node = self.ahead.pop()?;
        while let Node::Branch(branch) = node {
            self.ahead.push(&branch.sides[1]);
            node = &branch.sides[0];
        }
        let Node::Leaf(leaf) = node else { unreachable!("the loop ends at a leaf") };
        if !leaf.key().starts_with(&self.prefix) {
            self.ahead.clear();
            return None;
        }
        Some((leaf.key(), leaf.value()))
    }
}
