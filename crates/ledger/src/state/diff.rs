//! What differs between two versions, in time proportional to the difference.

use super::node::{Branch, Link, Node};
use std::sync::Arc;
use wattbook_types::state_proof::side;

/// A key and what became of it: its new value, or `None` where it was removed.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// What turns `old` into `new`, by ascending key. Parts that both share are not entered.
pub(super) fn diff(old: Option<&Link>, new: Option<&Link>) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(old, new, &mut changes);
    // Sides are not always visited in the order of keys: two parts may differ above the bits compared.
    changes.sort_unstable();
    changes
}

fn compare(old: Option<&Link>, new: Option<&Link>, changes: &mut Vec<Change>) {
    match (old, new) {
        (None, None) => {}
        (Some(old), None) => each_leaf(old, &mut |key, _| changes.push((key.to_vec(), None))),
        (None, Some(new)) => each_leaf(new, &mut |key, value| changes.push(put(key, value))),
        (Some(old), Some(new)) if Arc::ptr_eq(old, new) => {}
        (Some(old), Some(new)) => compare_nodes(old, new, changes),
    }
}

/// A key that is in both stands on the same side of any bit in both, so parts can be compared side by
/// side. Keys below a branch agree in all bits before its own, so all of the part that splits later
/// stands on one side of the bit that splits earlier.
fn compare_nodes(old: &Link, new: &Link, changes: &mut Vec<Change>) {
    match (&**old, &**new) {
        (Node::Leaf(before), Node::Leaf(after)) => {
            if before.key() != after.key() {
                changes.push((before.key().to_vec(), None));
            } else if before.value() == after.value() {
                return;
            }
            changes.push(put(after.key(), after.value()));
        }
        (Node::Branch(before), Node::Branch(after)) if before.bit == after.bit => {
            for (before, after) in before.sides.iter().zip(&after.sides) {
                compare(Some(before), Some(after), changes);
            }
        }
        (Node::Branch(before), _) if splits_first(before, new) => {
            let taken = side(new.search(&[]).key(), before.bit);
            compare(Some(&before.sides[taken]), Some(new), changes);
            compare(Some(&before.sides[1 - taken]), None, changes);
        }
        (_, Node::Branch(after)) => {
            let taken = side(old.search(&[]).key(), after.bit);
            compare(Some(old), Some(&after.sides[taken]), changes);
            compare(None, Some(&after.sides[1 - taken]), changes);
        }
        (Node::Branch(_), Node::Leaf(_)) => unreachable!("a branch splits before a leaf"),
    }
}

fn splits_first(branch: &Branch, other: &Node) -> bool {
    match other {
        Node::Leaf(_) => true,
        Node::Branch(other) => branch.bit < other.bit,
    }
}

fn put(key: &[u8], value: &[u8]) -> Change {
    (key.to_vec(), Some(value.to_vec()))
}

fn each_leaf(node: &Node, visit: &mut impl FnMut(&[u8], &[u8])) {
    match node {
        Node::Leaf(leaf) => visit(leaf.key(), leaf.value()),
        Node::Branch(branch) => branch.sides.iter().for_each(|side| each_leaf(side, visit)),
    }
}
