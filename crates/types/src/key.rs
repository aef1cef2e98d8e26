//! Public keys, secret keys and signatures, each with a tag for its algorithm.
//!
//! Always: Ed25519 signatures are checked by the rules of ZIP 215, one by one or in a batch, with the
//! same answer. Tag 1 is kept for P-256 and refused today. Not here: where secret keys are stored.

use crate::id::{AccountId, hash_parts};
use borsh::{BorshDeserialize, BorshSerialize};
use core::fmt;
use ed25519_zebra as ed25519;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

/// A public key. Encoded as the algorithm's tag (0 = Ed25519) and the key's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum PublicKey {
    /// An Ed25519 point in its 32-byte form.
    Ed25519([u8; 32]) = 0,
}

/// A signature. Encoded as the algorithm's tag (0 = Ed25519) and the signature's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Signature {
    /// R and s, 32 bytes each.
    Ed25519([u8; 64]) = 0,
}

/// A secret key. Never printed, never serialised by serde.
#[derive(Clone)]
pub struct SecretKey(ed25519::SigningKey);

impl SecretKey {
    /// From the 32-byte seed of RFC 8032.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ed25519::SigningKey::from(seed))
    }

    /// The 32-byte seed, for storing it.
    pub fn seed(&self) -> [u8; 32] {
        self.0.into()
    }

    /// The key that checks this one's signatures.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::Ed25519(ed25519::VerificationKeyBytes::from(&self.0).into())
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature::Ed25519(self.0.sign(message).into())
    }
}

impl PublicKey {
    /// The address that belongs to this key as a holder's first one.
    pub fn account(&self) -> AccountId {
        let Self::Ed25519(bytes) = self;
        AccountId::from_bytes(hash_parts("wattbook/account", &[&[0], bytes]))
    }

    /// Whether a signature over a message is this key's.
    pub fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        let (Self::Ed25519(key), Signature::Ed25519(signature)) = (self, signature);
        ed25519::VerificationKey::try_from(*key)
            .is_ok_and(|key| key.verify(&ed25519::Signature::from(*signature), message).is_ok())
    }
}

/// One signature to check in a batch.
pub struct Signed<'a> {
    /// Whose it should be.
    pub key: PublicKey,
    /// What was signed.
    pub message: &'a [u8],
    /// The signature.
    pub signature: Signature,
}

/// Whether every signature of a batch is good. Says no if one is bad, not which.
///
/// The coefficients come from a hash of the whole batch, so that the answer is the same everywhere and
/// nobody can choose signatures that cancel out.
pub fn verify_batch(batch: &[Signed<'_>]) -> bool {
    let mut verifier = ed25519::batch::Verifier::new();
    let mut transcript = Vec::with_capacity(batch.len() * 128);
    for Signed { key: PublicKey::Ed25519(key), message, signature: Signature::Ed25519(signature) } in batch {
        let key = ed25519::VerificationKeyBytes::from(*key);
        verifier.queue((key, ed25519::Signature::from(*signature), message));
        transcript.extend_from_slice(key.as_ref());
        transcript.extend_from_slice(signature);
        transcript.extend_from_slice(&hash_parts("wattbook/batch-message", &[message]));
    }
    let rng = ChaCha20Rng::from_seed(hash_parts("wattbook/batch", &[&transcript]));
    verifier.verify(rng).is_ok()
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    f.write_str("0x")?;
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Ed25519(bytes) = self;
        f.write_str("ed25519:")?;
        hex(f, bytes)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Ed25519(bytes) = self;
        f.write_str("ed25519:")?;
        hex(f, bytes)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

/// A text that is not `ed25519:0x` and hexadecimal digits of the right number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseKeyError;

impl fmt::Display for ParseKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected ed25519:0x and hexadecimal digits (64 for a key, 128 for a signature)")
    }
}

impl core::error::Error for ParseKeyError {}

fn parse_tagged<const N: usize>(text: &str) -> Result<[u8; N], ParseKeyError> {
    let digits = text.strip_prefix("ed25519:0x").ok_or(ParseKeyError)?.as_bytes();
    if digits.len() != 2 * N {
        return Err(ParseKeyError);
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |c: u8| (c as char).to_digit(16).ok_or(ParseKeyError);
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Ok(bytes)
}

impl core::str::FromStr for PublicKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_tagged(text).map(Self::Ed25519)
    }
}

impl core::str::FromStr for Signature {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_tagged(text).map(Self::Ed25519)
    }
}

macro_rules! text_serde {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

text_serde!(PublicKey);
text_serde!(Signature);
