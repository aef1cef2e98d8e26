//! The proofs in `vectors/finality.json` were made by the consensus library; here they are checked by
//! our own code, as they are and after every kind of tampering.

use serde_json::Value;
use wattbook_types::block::SignedHeader;
use wattbook_types::finality::{Certificate, Finality, FinalityError, ServerSet};
use wattbook_types::{Height, LedgerId, PublicKey, hex};

struct Vectors {
    ledger: LedgerId,
    servers: ServerSet,
    proofs: Vec<(Height, Finality)>,
}

fn vectors() -> Vectors {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/finality.json");
    let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let servers = json["servers"].as_array().unwrap().iter();
    let proof = |proof: &Value| {
        let bytes = hex::decode(&text(&proof["finality"])).unwrap();
        let height = Height::from_number(proof["height"].as_u64().unwrap());
        (height, borsh::from_slice(&bytes).unwrap())
    };
    Vectors {
        ledger: text(&json["ledger"]).parse().unwrap(),
        servers: ServerSet::new(servers.map(|key| text(key).parse::<PublicKey>().unwrap()).collect()),
        proofs: json["proofs"].as_array().unwrap().iter().map(proof).collect(),
    }
}

fn check(tamper: impl Fn(&mut Vectors, &mut Finality), expected: FinalityError) {
    for index in 0..vectors().proofs.len() {
        let mut vectors = vectors();
        let (_, mut proof) = vectors.proofs.swap_remove(index);
        tamper(&mut vectors, &mut proof);
        assert_eq!(proof.verify(&vectors.ledger, &vectors.servers).err(), Some(expected), "proof {index}");
    }
}

#[test]
fn the_librarys_certificates_prove_their_blocks() {
    let vectors = vectors();
    assert!(vectors.proofs.len() >= 4);
    for (height, proof) in &vectors.proofs {
        let header = proof.verify(&vectors.ledger, &vectors.servers).unwrap();
        assert_eq!(header.height, *height);
    }
    assert!(vectors.proofs.iter().any(|(_, proof)| proof.headers.len() > 1), "one goes through a child");
}

#[test]
fn every_changed_bit_of_a_certificate_is_noticed() {
    let vectors = vectors();
    let (_, proof) = &vectors.proofs[0];
    for position in 0..proof.certificate.len() {
        for bit in 0..8 {
            let mut changed = proof.clone();
            changed.certificate[position] ^= 1 << bit;
            assert!(changed.verify(&vectors.ledger, &vectors.servers).is_err(), "byte {position}, bit {bit}");
        }
    }
}

#[test]
fn tampering_is_named() {
    use FinalityError as E;
    check(|_, proof| proof.headers.clear(), E::NoHeader);
    check(|vectors, _| vectors.ledger = LedgerId::from_bytes([1; 32]), E::OtherLedger);
    check(|_, proof| proof.headers.push(proof.headers[0].clone()), E::BrokenChain);
    check(|_, proof| proof.certificate.push(0), E::Malformed);
    check(|_, proof| proof.certificate.truncate(proof.certificate.len() - 1), E::Malformed);
    check(|_, proof| proof.certificate.clear(), E::Malformed);
    let other = |signed: &mut SignedHeader| signed.header.time = signed.header.time.plus_millis(1);
    check(|_, proof| other(proof.headers.last_mut().unwrap()), E::OtherBlock);
    let fewer = |vectors: &mut Vectors, _: &mut Finality| {
        vectors.servers = ServerSet::new(vectors.servers.keys()[1..].to_vec());
    };
    check(fewer, E::OtherServers);
    let stranger = |vectors: &mut Vectors, _: &mut Finality| {
        let mut keys = vectors.servers.keys().to_vec();
        keys[1] = PublicKey::Ed25519([0xff; 32]);
        keys[2] = PublicKey::Ed25519([0xfe; 32]);
        vectors.servers = ServerSet::new(keys);
    };
    check(stranger, E::BadSignature);
}

#[test]
fn a_vote_less_than_a_quorum_is_too_few() {
    check(
        |_, proof| {
            let parsed = Certificate::read(&proof.certificate).unwrap();
            proof.certificate = without_one_vote(&parsed, &proof.certificate);
        },
        FinalityError::TooFew,
    );
}

/// The certificate with one signer fewer than a quorum of three, well formed otherwise.
fn without_one_vote(parsed: &Certificate, bytes: &[u8]) -> Vec<u8> {
    let signatures = parsed.votes.len() * 64;
    // For four servers: one byte of bits, one byte that counts the signatures.
    let head = bytes.len() - signatures - 2;
    let kept = &parsed.votes[..2];
    let bits = kept.iter().fold(0u8, |bits, (index, _)| bits | 1 << index);
    let mut shorter = bytes[..head].to_vec();
    shorter.extend_from_slice(&[bits, 2]);
    shorter.extend_from_slice(&bytes[head + 2..head + 2 + 128]);
    shorter
}
