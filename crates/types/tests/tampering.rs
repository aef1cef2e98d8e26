//! Any byte that is changed afterwards is noticed: in a transaction, and in a block.

mod samples;

use wattbook_types::{Block, Transaction};

/// Every copy of some bytes with one bit changed, and which byte it was.
fn changed(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..bytes.len()).map(|place| {
        let mut copy = bytes.to_vec();
        copy[place] ^= 1 << (place % 8);
        (place, copy)
    })
}

#[test]
fn l2_f5_every_changed_byte_of_a_transaction_is_noticed() {
    for (title, holder, transaction) in samples::transactions() {
        let key = samples::key(holder).public_key();
        assert!(key.verifies(&transaction.payload.signing_bytes(), &transaction.signature), "{title}");
        for (place, bytes) in changed(&transaction.to_bytes()) {
            if let Ok(other) = Transaction::from_bytes(&bytes) {
                let good = key.verifies(&other.payload.signing_bytes(), &other.signature);
                assert!(!good, "{title}: byte {place} changed and the signature is still good");
            }
        }
    }
}

#[test]
fn l1_every_changed_byte_of_a_block_is_noticed() {
    let block = samples::block();
    assert!(block.contents_match_header() && block.signed.signature_is_good());
    for (place, bytes) in changed(&borsh::to_vec(&block).unwrap()) {
        if let Ok(other) = borsh::from_slice::<Block>(&bytes) {
            let same = other.id() == block.id() && other.contents_match_header();
            assert!(!same, "byte {place} changed and the block passes for the same");
        }
    }
}

#[test]
fn nothing_may_follow_a_transaction() {
    let (_, _, transaction) = samples::transactions().remove(0);
    let mut bytes = transaction.to_bytes();
    assert_eq!(Transaction::from_bytes(&bytes), Ok(transaction));
    bytes.push(0);
    assert!(Transaction::from_bytes(&bytes).is_err());
}
