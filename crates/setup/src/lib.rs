//! What a part needs to start: its configuration file, read with words for what is wrong, and its keys,
//! encrypted at rest.
//!
//! `read` reads a file into a part's own structure; what is wrong is named with file, line and column, and
//! with the nearest key or value that would do (`explain`, `nearest`, `place`). `documentation` holds what
//! docs/configuration.md says of every key, and `commented` writes files with it. `keyring` opens key files
//! (`key_file`) with a passphrase that is looked for once (`passphrase`, `terminal`); `secret` writes them.
//! `reach` judges addresses.
//!
//! Always: a relative path in a file begins at the file's folder; a secret is wiped from memory when it is
//! dropped, and never printed. Not here: what the parts' configurations say (their own crates), protected
//! links (crate `link`), and making a community (the command `init`).

pub mod commented;
pub mod documentation;
mod explain;
pub mod key_file;
mod keyring;
pub mod nearest;
mod passphrase;
mod place;
pub mod reach;
mod read;
pub mod secret;
mod terminal;
mod wrong;

pub use key_file::{KeyError, KeyProblem};
pub use keyring::Keyring;
pub use passphrase::{Passphrase, PassphraseError, Sources};
pub use read::{Configuration, read_config, read_genesis, read_text};
pub use terminal::ask_secret;
pub use wrong::{ConfigError, Mistake, Wrong};
