//! The secrets of a new community or member: made here, written once, encrypted.
//!
//! Always: a secret is in a file before anything that names its public part is; a file that is there stays.
//! Encrypting is slow on purpose (`key_file::WORK_FACTOR`), so several are encrypted at once.

use anyhow::{Result, bail};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use wattbook_setup::key_file::{encrypt, signing_key_line};
use wattbook_setup::secret::{self, Existing};
use wattbook_setup::{Passphrase, ask_secret};
use wattbook_types::SecretKey;
use zeroize::Zeroizing;

/// How secrets are kept.
#[derive(Clone, Debug)]
pub struct Protection {
    /// What encrypts them; nothing for a trial on one's own machine.
    pub passphrase: Option<Passphrase>,
    /// How much work it is to try a passphrase: the power of two of scrypt's rounds.
    pub work_factor: u8,
}

/// Secrets that wait for being written.
#[derive(Default)]
pub struct Secrets(Vec<(PathBuf, Zeroizing<Vec<u8>>)>);

impl Secrets {
    /// A new signing key that will be written there.
    pub fn signing_key(&mut self, path: PathBuf) -> SecretKey {
        let seed = Zeroizing::new(rand::random::<[u8; 32]>());
        let key = SecretKey::from_seed(*seed);
        self.add(path, signing_key_line(&key).as_bytes());
        key
    }

    /// Something secret that will be written there.
    pub fn add(&mut self, path: PathBuf, bytes: &[u8]) {
        self.0.push((path, Zeroizing::new(bytes.to_vec())));
    }

    /// Writes all of them. `quiet` says nothing of how far it is.
    ///
    /// # Errors
    /// Where one cannot be written.
    pub fn write(self, protection: &Protection, quiet: bool) -> Result<()> {
        let (next, count) = (AtomicUsize::new(0), self.0.len());
        let failures = Mutex::new(Vec::new());
        let show = !quiet && std::io::stderr().is_terminal() && protection.passphrase.is_some();
        let work = || {
            while let Some((path, bytes)) = self.0.get(next.fetch_add(1, Ordering::Relaxed)) {
                let done = next.load(Ordering::Relaxed).min(count);
                if show {
                    eprint!("\rEncrypting keys: {done} of {count} ");
                }
                let written = match &protection.passphrase {
                    Some(passphrase) => {
                        let encrypted = encrypt(bytes, passphrase, protection.work_factor);
                        secret::write(path, &encrypted, Existing::Keep)
                    }
                    None => secret::write(path, bytes, Existing::Keep),
                };
                if let Err(error) = written {
                    failures.lock().expect("nobody panics").push(error);
                }
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
        if show {
            eprint!("\r\x1b[K");
        }
        match failures.into_inner().expect("nobody panics").into_iter().next() {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}

/// Where a passphrase for new keys comes from.
#[derive(clap::Args, Clone, Debug)]
pub struct PassphraseOptions {
    /// The file whose first line is the passphrase for the keys; asked on the terminal otherwise
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Leave the keys unencrypted, protected by the mode of their files only: for trials
    #[arg(long, conflicts_with = "passphrase_file")]
    pub plain_keys: bool,
    /// How much work it is to try a passphrase: the power of two of scrypt's rounds
    #[arg(long, value_name = "N", default_value_t = wattbook_setup::key_file::WORK_FACTOR,
        value_parser = clap::value_parser!(u8).range(4..=20))]
    pub work_factor: u8,
}

impl PassphraseOptions {
    /// The protection of new keys; asks for a passphrase where none was said.
    ///
    /// # Errors
    /// Where there is none, it is too short, or it was not typed twice alike.
    pub fn protection(&self, may_ask: bool) -> Result<Protection> {
        let passphrase = match &self.passphrase_file {
            _ if self.plain_keys => None,
            Some(file) => Some(long_enough(Passphrase::read(file)?)?),
            None if may_ask => Some(asked()?),
            None => bail!(NONE),
        };
        Ok(Protection { passphrase, work_factor: self.work_factor })
    }

    /// The file's name, to be found from anywhere.
    pub fn file(&self) -> Option<PathBuf> {
        self.passphrase_file.as_ref().map(|file| file.canonicalize().unwrap_or_else(|_| file.clone()))
    }
}

const NONE: &str = "the keys need a passphrase: name a file with --passphrase-file, run it on a terminal without \
                    --yes to be asked, or say --plain-keys for a trial";

fn asked() -> Result<Passphrase> {
    println!(
        "The keys of all parties are encrypted with a passphrase, which is needed whenever a part starts."
    );
    let Some(first) = ask_secret("Passphrase: ")?.map(Zeroizing::new) else { bail!(NONE) };
    let first = long_enough(Passphrase::new(first.to_string(), "the terminal"))?;
    let again = ask_secret("The same again: ")?.map(Zeroizing::new);
    if again.as_deref().map(String::as_str) != Some(first.secret()) {
        bail!("the two are not the same; nothing was made");
    }
    Ok(first)
}

fn long_enough(passphrase: Passphrase) -> Result<Passphrase> {
    let letters = passphrase.secret().chars().count();
    if letters < Passphrase::LEAST {
        bail!(
            "the passphrase from {} has {letters} letters: a shorter one than {} is guessed from a stolen key \
             file; four random words are easy to keep in mind",
            passphrase.source(),
            Passphrase::LEAST
        );
    }
    Ok(passphrase)
}
