//! The secrets of a process: key files, opened with one passphrase that is looked for once.
//!
//! Always: nobody is asked for a passphrase unless a file is encrypted; a plain file is named in the log.
//! Not here: keys in removable modules, which sign without giving the key away (P10, to come).

use crate::key_file::{self, KeyError, Protection};
use crate::passphrase::{Passphrase, PassphraseError, Sources};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use wattbook_types::SecretKey;
use zeroize::Zeroizing;

/// Reads a file that may be encrypted and gives back what it holds, or says why it cannot.
pub type Reader = Arc<dyn Fn(&Path) -> Result<Zeroizing<Vec<u8>>, String> + Send + Sync>;

/// Opens key files. Clones share the passphrase.
#[derive(Clone, Debug)]
pub struct Keyring {
    sources: Sources,
    found: Arc<Mutex<Option<Passphrase>>>,
}

impl Keyring {
    /// Of a process whose configuration names a passphrase's file, or none.
    pub fn of_process(passphrase_file: Option<&Path>) -> Self {
        Self::new(Sources::of_process(passphrase_file.map(Path::to_owned)))
    }

    /// That looks for its passphrase there.
    pub fn new(sources: Sources) -> Self {
        Self { sources, found: Arc::default() }
    }

    /// With a passphrase that is known.
    pub fn with(passphrase: Passphrase) -> Self {
        Self { sources: Sources::default(), found: Arc::new(Mutex::new(Some(passphrase))) }
    }

    /// A party's signing key.
    ///
    /// # Errors
    /// Where the file cannot be opened or holds something else.
    pub fn signing_key(&self, path: &Path) -> Result<SecretKey, KeyError> {
        let secret = self.read(path)?;
        key_file::signing_key(&secret).map_err(|problem| KeyError { path: path.to_owned(), problem })
    }

    /// Whatever a secret file holds, such as a key for TLS.
    ///
    /// # Errors
    /// Where the file cannot be opened.
    pub fn read(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let secret = key_file::read(path, || self.passphrase(path))?;
        if secret.protection == Protection::Plain {
            tracing::warn!(file = %path.display(), "this key is not encrypted: only its file's mode protects it");
        }
        Ok(secret.bytes)
    }

    /// [`Self::read`] as a function that can be handed on, with its error in words; whoever uses it names the
    /// file.
    pub fn reader(&self) -> Reader {
        let keyring = self.clone();
        Arc::new(move |path| keyring.read(path).map_err(|error| error.problem.to_string()))
    }

    fn passphrase(&self, path: &Path) -> Result<Passphrase, PassphraseError> {
        // Held while it is asked for, so that nobody is asked twice.
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(passphrase) = &*found {
            return Ok(passphrase.clone());
        }
        let passphrase = self.sources.find(path)?;
        *found = Some(passphrase.clone());
        Ok(passphrase)
    }
}
