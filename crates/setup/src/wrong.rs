//! What is wrong with a configuration, in words.
//!
//! Always: an error names the file; one about what the file says also names line and column and shows the
//! line. Not here: finding mistakes.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A key whose value reads well but cannot be meant, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The key with its tables, such as `servers[2].address`; list items count from 0.
    pub key: String,
    /// What is wrong, and what to do.
    pub why: String,
}

impl Wrong {
    /// What is wrong with a key.
    pub fn new(key: impl Into<String>, why: impl Into<String>) -> Self {
        Self { key: key.into(), why: why.into() }
    }

    /// The same about a key of a table: its own key follows the table's.
    #[must_use]
    pub fn within(self, table: &str) -> Self {
        Self { key: format!("{table}.{}", self.key), why: self.why }
    }

    /// With the place in the file that the configuration was read from.
    pub fn located(self, path: &Path) -> ConfigError {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        crate::place::of_wrong(path, &text, self).into()
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.why)
    }
}

impl std::error::Error for Wrong {}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{}: {problem}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: io::Error,
    },
    /// A file says something that cannot be.
    #[error(transparent)]
    Mistake(#[from] Box<Mistake>),
    /// A configuration that came from no file says something that cannot be.
    #[error(transparent)]
    Wrong(#[from] Wrong),
}

impl From<Mistake> for ConfigError {
    fn from(mistake: Mistake) -> Self {
        Self::Mistake(Box::new(mistake))
    }
}

/// A mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in letters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What would be right, where that is known.
    pub help: Option<String>,
    /// The line itself, with a mark below the place; empty where there is none.
    pub excerpt: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.path.display(), self.line, self.column, self.what)?;
        if let Some(help) = &self.help {
            write!(f, "; {help}")?;
        }
        if !self.excerpt.is_empty() {
            write!(f, "\n{}", self.excerpt)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistake {}
