//! Key files: a secret in a file, encrypted with a passphrase or, named as such, plain.
//!
//! An encrypted file is an age file (age-encryption.org/v1: scrypt, ChaCha20-Poly1305) in its text form, so
//! that other programs open it as well. What a signing key's file holds, after decryption, is one line:
//! `wattbook-secret-key-1 0x<64 hexadecimal digits>`. Keys for TLS are PEM inside.
//!
//! Always: a plain file is read only where nobody but its owner can (mode 0600); what was decrypted is
//! wiped from memory when it is dropped. Not here: where the passphrase comes from.

use crate::passphrase::{Passphrase, PassphraseError};
use crate::secret::{self, Existing};
use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, Encryptor, scrypt};
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use wattbook_types::{SecretKey, hex};
use zeroize::Zeroizing;

/// How much work it takes to try one passphrase: 2^17 rounds of scrypt, 128 MiB of memory.
pub const WORK_FACTOR: u8 = 17;
/// The most work that is done for opening a file: 1 GiB of memory.
const MOST_WORK: u8 = 20;
/// How an age file in text form begins.
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
/// How an age file in binary form begins.
const BINARY: &[u8] = b"age-encryption.org/";
/// What stands before a signing key.
const LABEL: &str = "wattbook-secret-key-1";
/// No secret of ours is as long.
const LONGEST: u64 = 1 << 20;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct KeyError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub problem: KeyProblem,
}

/// What is wrong with a key file.
#[derive(Debug, thiserror::Error)]
pub enum KeyProblem {
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// It is plain, and others can read it.
    #[error(
        "the key is not encrypted and its file's mode is {mode:04o}, so that others can read it; \
         `chmod 600` it, and think about whether it is a secret still"
    )]
    Exposed {
        /// The file's mode.
        mode: u32,
    },
    /// There is no passphrase for it.
    #[error(transparent)]
    NoPassphrase(#[from] PassphraseError),
    /// The passphrase does not open it.
    #[error("the passphrase from {found} does not open it; it is another one, or the file was changed")]
    WrongPassphrase {
        /// Where the passphrase came from.
        found: String,
    },
    /// It was changed.
    #[error("it was changed or cut short after it was encrypted; take it from a copy")]
    Damaged,
    /// It is encrypted, but to a key of age.
    #[error("it is encrypted to another key, not with a passphrase")]
    NotPassphrase,
    /// Opening it would take too long.
    #[error("it asks for 2^{0} rounds of work, more than 2^20; encrypt it again with less")]
    TooMuchWork(u8),
    /// It holds something else.
    #[error("expected a signing key (a line `{label} 0x` and 64 hexadecimal digits), found {found}", label = LABEL)]
    NotAKey {
        /// What it looks like.
        found: &'static str,
    },
}

/// How a secret lies in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Encrypted with a passphrase.
    Encrypted,
    /// Plain; only the file's mode protects it.
    Plain,
}

/// A secret that was read from a file. Shown to nobody.
pub struct Secret {
    /// What the file holds, decrypted.
    pub bytes: Zeroizing<Vec<u8>>,
    /// How it lay there.
    pub protection: Protection,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({:?}, hidden)", self.protection)
    }
}

/// Reads a secret. `passphrase` is asked only where the file is encrypted.
///
/// # Errors
/// Where the file cannot be read or opened, or is open to others.
pub fn read(
    path: &Path,
    passphrase: impl FnOnce() -> Result<Passphrase, PassphraseError>,
) -> Result<Secret, KeyError> {
    let at = |problem| KeyError { path: path.to_owned(), problem };
    let bytes = Zeroizing::new(std::fs::read(path).map_err(|error| at(error.into()))?);
    if is_encrypted(&bytes) {
        let passphrase = passphrase().map_err(|error| at(error.into()))?;
        let bytes = decrypt(&bytes, &passphrase).map_err(at)?;
        return Ok(Secret { bytes, protection: Protection::Encrypted });
    }
    let mode = std::fs::metadata(path).map_err(|error| at(error.into()))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(at(KeyProblem::Exposed { mode }));
    }
    Ok(Secret { bytes, protection: Protection::Plain })
}

/// Whether bytes are an age file.
pub fn is_encrypted(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    text.starts_with(ARMOR) || text.starts_with(BINARY)
}

/// Encrypts a secret: an age file in text form. `work_factor` is [`WORK_FACTOR`] but in tests.
///
/// # Panics
/// Never: nothing is written but memory.
pub fn encrypt(secret: &[u8], passphrase: &Passphrase, work_factor: u8) -> Vec<u8> {
    let mut recipient = scrypt::Recipient::new(SecretString::from(passphrase.secret()));
    recipient.set_work_factor(work_factor);
    let write = || -> io::Result<Vec<u8>> {
        let encryptor = Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
            .map_err(io::Error::other)?;
        let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armor)?;
        writer.write_all(secret)?;
        writer.finish()?.finish()
    };
    write().expect("memory takes every byte and one passphrase is a valid list of recipients")
}

/// Opens an age file, in text or binary form.
///
/// # Errors
/// Where the passphrase is not the one, or the file was changed or is not encrypted with any.
pub fn decrypt(bytes: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, KeyProblem> {
    let damaged = |_: io::Error| KeyProblem::Damaged;
    let problem = |error: DecryptError| match error {
        DecryptError::ExcessiveWork { required, .. } => KeyProblem::TooMuchWork(required),
        DecryptError::NoMatchingKeys | DecryptError::KeyDecryptionFailed | DecryptError::DecryptionFailed => {
            KeyProblem::WrongPassphrase { found: passphrase.source().to_owned() }
        }
        _ => KeyProblem::Damaged,
    };
    let decryptor = Decryptor::new(ArmoredReader::new(bytes.trim_ascii_start())).map_err(problem)?;
    if !decryptor.is_scrypt() {
        return Err(KeyProblem::NotPassphrase);
    }
    let mut identity = scrypt::Identity::new(SecretString::from(passphrase.secret()));
    identity.set_max_work_factor(MOST_WORK);
    let reader = decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).map_err(problem)?;
    let mut secret = Zeroizing::new(Vec::with_capacity(4096));
    reader.take(LONGEST).read_to_end(&mut secret).map_err(damaged)?;
    Ok(secret)
}

/// A signing key as its file holds it.
pub fn signing_key_line(key: &SecretKey) -> Zeroizing<String> {
    let digits = Zeroizing::new(hex::encode(&key.seed()));
    Zeroizing::new(format!("{LABEL} {}\n", *digits))
}

/// Writes a secret, encrypted where there is a passphrase, with mode 0600.
///
/// # Errors
/// Where the file cannot be written, or is there already and is to be kept.
pub fn write(
    path: &Path,
    secret: &[u8],
    passphrase: Option<&Passphrase>,
    existing: Existing,
) -> io::Result<()> {
    match passphrase {
        Some(passphrase) => secret::write(path, &encrypt(secret, passphrase, WORK_FACTOR), existing),
        None => secret::write(path, secret, existing),
    }
}

/// Writes a signing key, as [`write()`].
///
/// # Errors
/// As [`write()`].
pub fn write_signing_key(
    path: &Path,
    key: &SecretKey,
    passphrase: Option<&Passphrase>,
    existing: Existing,
) -> io::Result<()> {
    write(path, signing_key_line(key).as_bytes(), passphrase, existing)
}

/// The signing key that a file holds.
///
/// # Errors
/// `NotAKey`, with what it looks like.
pub fn signing_key(bytes: &[u8]) -> Result<SecretKey, KeyProblem> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(KeyProblem::NotAKey { found: "bytes that are no text" });
    };
    let text = text.trim();
    let digits = text.strip_prefix(LABEL).map(str::trim);
    let seed = digits.and_then(hex::decode).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    match seed {
        Some(seed) => Ok(SecretKey::from_seed(seed)),
        None => Err(KeyProblem::NotAKey { found: looks_like(text) }),
    }
}

fn looks_like(text: &str) -> &'static str {
    match text {
        "" => "nothing",
        _ if text.starts_with(LABEL) => "that label with something else behind it",
        _ if text.starts_with("-----BEGIN CERTIFICATE") => "a certificate",
        _ if text.starts_with("-----BEGIN") => "a key for TLS or another PEM file",
        _ if text.starts_with("AGE-SECRET-KEY-") => "an identity of age",
        _ if text.strip_prefix("0x").unwrap_or(text).bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            "hexadecimal digits without that label"
        }
        _ => "something else",
    }
}
