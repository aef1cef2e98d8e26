//! Where a part's passphrase is found.
//!
//! Always: looked for in this order: the file that the configuration names, `passphrase` in the folder
//! that the service manager hands over (`$CREDENTIALS_DIRECTORY`), the file that
//! `$WATTBOOK_PASSPHRASE_FILE` names, a question on the terminal. A place that has none is passed over, and
//! named when there is none anywhere. A passphrase is wiped from memory when it is dropped. Not here: what
//! it opens.

use crate::terminal::ask_secret;
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// What encrypts a party's key files. Shown to nobody.
#[derive(Clone)]
pub struct Passphrase {
    text: Arc<Zeroizing<String>>,
    source: Arc<str>,
}

impl Passphrase {
    /// The fewest letters of a passphrase for new keys: short ones are guessed from a copied file.
    pub const LEAST: usize = 12;

    /// A passphrase, and where it came from, in words.
    pub fn new(text: String, source: &str) -> Self {
        Self { text: Arc::new(Zeroizing::new(text)), source: source.into() }
    }

    /// The first line of a file.
    ///
    /// # Errors
    /// Where the file cannot be read or its first line is empty.
    pub fn read(path: &Path) -> Result<Self, PassphraseError> {
        let file = || path.to_owned();
        let bytes = std::fs::read(path)
            .map(Zeroizing::new)
            .map_err(|problem| PassphraseError::Unreadable { path: file(), problem })?;
        let text = std::str::from_utf8(&bytes).map_err(|_| PassphraseError::NotText { path: file() })?;
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() {
            return Err(PassphraseError::Empty { path: file() });
        }
        let mode = std::fs::metadata(path).map_or(0, |found| found.permissions().mode());
        if mode & 0o077 != 0 {
            tracing::warn!(file = %path.display(), "others can read the passphrase: chmod 600 it");
        }
        Ok(Self::new(line.to_owned(), &path.display().to_string()))
    }

    /// The passphrase itself.
    pub fn secret(&self) -> &str {
        &self.text
    }

    /// Where it came from.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Passphrase(from {}, hidden)", self.source)
    }
}

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// Its file cannot be read.
    #[error("the passphrase's file {}: {problem}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: io::Error,
    },
    /// Its file is no text.
    #[error("the passphrase's file {} is not text (UTF-8)", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// Its file begins with an empty line.
    #[error("the passphrase's file {} begins with an empty line", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The terminal gave none.
    #[error("no passphrase was typed: {0}")]
    Terminal(io::Error),
    /// There is none anywhere.
    #[error(
        "it needs a passphrase, and none was found: {}; name a file with `passphrase_file` in the \
         configuration or with WATTBOOK_PASSPHRASE_FILE, or start it on a terminal", looked.join(", ")
    )]
    Nowhere {
        /// Where it was looked for, and what was there.
        looked: Vec<String>,
    },
}

/// Where to look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The file that the configuration names.
    pub configured: Option<PathBuf>,
    /// The folder of the service manager's credentials.
    pub credentials: Option<PathBuf>,
    /// The file that the environment names.
    pub environment: Option<PathBuf>,
    /// Whether to ask on the terminal, where there is one.
    pub terminal: bool,
}

impl Sources {
    /// Where a process looks whose configuration names this file, or none.
    pub fn of_process(configured: Option<PathBuf>) -> Self {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            configured,
            credentials: path("CREDENTIALS_DIRECTORY"),
            environment: path("WATTBOOK_PASSPHRASE_FILE"),
            terminal: true,
        }
    }

    /// The first that there is. `what` is opened with it, for the question on the terminal.
    ///
    /// # Errors
    /// Where there is none, or one is there that cannot be read.
    pub fn find(&self, what: &Path) -> Result<Passphrase, PassphraseError> {
        let credentials = self.credentials.as_ref().map(|folder| folder.join("passphrase"));
        let places = [
            ("passphrase_file", &self.configured),
            ("$CREDENTIALS_DIRECTORY", &credentials),
            ("$WATTBOOK_PASSPHRASE_FILE", &self.environment),
        ];
        let mut looked = Vec::new();
        for (name, place) in places {
            match place {
                Some(file) if file.exists() => return Passphrase::read(file),
                Some(file) => looked.push(format!("{name} (there is no {})", file.display())),
                None => looked.push(format!("{name} (not set)")),
            }
        }
        if !self.terminal {
            return Err(PassphraseError::Nowhere { looked });
        }
        match ask_secret(&format!("Passphrase for {}: ", what.display())) {
            Ok(Some(text)) => Ok(Passphrase::new(text, "the terminal")),
            Ok(None) => {
                looked.push("no terminal to ask on".to_owned());
                Err(PassphraseError::Nowhere { looked })
            }
            Err(error) => Err(PassphraseError::Terminal(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_that_has_one_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("a file");
            path
        };
        let what = Path::new("some.key");
        let mut sources = Sources {
            configured: Some(file("configured", "one two three\nrest")),
            credentials: Some(folder.path().to_owned()),
            environment: Some(file("environment", "from the environment")),
            terminal: false,
        };
        file("passphrase", "from the service manager\n");
        assert_eq!(sources.find(what).expect("one").secret(), "one two three");
        sources.configured = Some(folder.path().join("gone"));
        assert_eq!(sources.find(what).expect("one").secret(), "from the service manager");
        sources.credentials = None;
        let found = sources.find(what).expect("one");
        assert_eq!(found.secret(), "from the environment");
        assert!(!format!("{found:?}").contains("from the environment"));
        sources.environment = None;
        let words = sources.find(what).expect_err("none").to_string();
        for part in ["there is no", "gone", "$CREDENTIALS_DIRECTORY (not set)", "WATTBOOK_PASSPHRASE_FILE"] {
            assert!(words.contains(part), "{part} is not in {words}");
        }
        sources.configured = Some(file("empty", "\nlater"));
        assert!(sources.find(what).expect_err("empty").to_string().contains("begins with an empty line"));
    }
}
