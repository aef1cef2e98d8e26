//! What a storage manager is told when it starts.
//!
//! Always: the key is the one that the genesis names for the battery, or nothing starts. Not here: how the
//! file is written; any format that serde reads will do.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use wattbook_devices::DeviceConfig;
use wattbook_types::{BatteryId, Genesis, SecretKey, hex};

/// A storage manager's configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// The community's genesis, a JSON file.
    pub genesis: PathBuf,
    /// Which of its batteries this is.
    pub battery: BatteryId,
    /// The key that signs its reports.
    pub key: SecretSeed,
    /// Where its HTTP API listens.
    pub listen: SocketAddr,
    /// The folder of its records.
    pub data: PathBuf,
    /// The authentication servers, `http://host:port` each.
    pub servers: Vec<String>,
    /// The battery's devices.
    pub devices: DeviceConfig,
}

/// A secret key's seed as `0x` and 64 hexadecimal digits. Shown to nobody.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretSeed(String);

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The genesis cannot be read.
    #[error("{}: {source}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The genesis is no genesis.
    #[error("{}: {source}", .file.display())]
    BadGenesis {
        /// The file.
        file: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The community has no such battery.
    #[error("the community has no battery {0}")]
    NoSuchBattery(BatteryId),
    /// The key is not `0x` and 64 hexadecimal digits.
    #[error("the key is not 0x and 64 hexadecimal digits")]
    BadKey,
    /// The key is not that of the battery's storage side.
    #[error("the key's address is not the one that the community names for battery {0}")]
    OtherKey(BatteryId),
}

impl SecretSeed {
    /// The seed of a key.
    pub fn of(key: &SecretKey) -> Self {
        Self(hex::encode(&key.seed()))
    }

    /// The key.
    ///
    /// # Errors
    /// Where the text is no seed.
    pub fn key(&self) -> Result<SecretKey, ConfigError> {
        let seed = hex::decode(&self.0).and_then(|bytes| bytes.try_into().ok());
        seed.map(SecretKey::from_seed).ok_or(ConfigError::BadKey)
    }
}

impl fmt::Debug for SecretSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretSeed(hidden)")
    }
}

/// Reads a genesis file.
pub(crate) fn read_genesis(file: &Path) -> Result<Genesis, ConfigError> {
    let text =
        std::fs::read(file).map_err(|source| ConfigError::Unreadable { file: file.to_owned(), source })?;
    serde_json::from_slice(&text).map_err(|source| ConfigError::BadGenesis { file: file.to_owned(), source })
}
