//! Reading a configuration file.
//!
//! Always: what is unknown, missing or impossible is an error with its place; relative paths come out
//! beginning with the file's folder. Not here: opening keys, which needs a passphrase (`keyring`).

use crate::explain;
use crate::place;
use crate::wrong::{ConfigError, Wrong};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use wattbook_types::Genesis;

/// A part's configuration.
pub trait Configuration: DeserializeOwned {
    /// The name under which docs/configuration.md describes it, such as `server.toml`.
    const FILE: &'static str;

    /// Every path in it.
    fn paths(&mut self) -> Vec<&mut PathBuf>;

    /// What can be told to be wrong without any other file.
    ///
    /// # Errors
    /// The first key whose value cannot be meant.
    fn check(&self) -> Result<(), Wrong>;

    /// The file of the community's genesis, where the configuration is of a community's part.
    fn genesis_file(&self) -> Option<&Path> {
        None
    }

    /// What does not fit the community.
    ///
    /// # Errors
    /// The first key whose value does not.
    fn check_community(&self, _genesis: &Genesis) -> Result<(), Wrong> {
        Ok(())
    }
}

/// Reads a configuration file, and the genesis that it names, and checks that they make sense.
///
/// # Errors
/// With file, line, column, and what would be right.
pub fn read_config<T: Configuration>(path: &Path) -> Result<T, ConfigError> {
    let text = read_text(path)?;
    let mut config: T =
        toml::from_str(&text).map_err(|error| explain::mistake(T::FILE, path, &text, &error))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for inner in config.paths() {
        *inner = folder.join(&inner);
    }
    let located = |wrong| place::of_wrong(path, &text, wrong);
    config.check().map_err(located)?;
    if let Some(file) = config.genesis_file() {
        config.check_community(&read_genesis(file)?).map_err(located)?;
    }
    Ok(config)
}

/// Reads the genesis of a community, a JSON file.
///
/// # Errors
/// With the file and what is wrong with it.
pub fn read_genesis(path: &Path) -> Result<Genesis, ConfigError> {
    let text = read_text(path)?;
    serde_json::from_str(&text).map_err(|error| {
        let before: usize =
            text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let at = before + error.column().saturating_sub(1);
        let what = format!("this is no genesis: {error}");
        // Without an excerpt: the contract is one line of a hundred thousand digits.
        let mut mistake = place::mistake(path, &text, at..at, what, None);
        mistake.excerpt.clear();
        mistake.into()
    })
}

/// Reads a text file.
///
/// # Errors
/// With the file's name.
pub fn read_text(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|problem| ConfigError::Unreadable { path: path.to_owned(), problem })
}
