//! A server's configuration file.
//!
//! Always: TOML; relative paths are relative to the file's folder; what the genesis says is not said
//! again. The secret key stands in it as it is, so the file is for its owner's eyes only (encrypted keys
//! are planned). Not here: what the community agreed on, which is the genesis.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use wattbook_types::{BatteryId, Genesis, PublicKey, SecretKey, hex};

/// Everything that one server needs to know.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The server's name, for people.
    pub name: String,
    /// `0x` and the 32 bytes of the secret key's seed; its public key stands in the genesis.
    pub secret_key: String,
    /// The file with the genesis, as JSON.
    pub genesis: PathBuf,
    /// The folder for everything that must outlive the process.
    pub data: PathBuf,
    /// Where to listen for homes, the storage side and people.
    pub api: SocketAddr,
    /// Where to listen for the other servers.
    pub consensus: SocketAddr,
    /// Where every server listens for the others, this one among them.
    pub servers: Vec<Peer>,
    /// Where the storage side of each battery answers.
    #[serde(default)]
    pub storage: Vec<StorageSide>,
    /// How long to wait for a leader's block before passing to the next leader, in real milliseconds.
    #[serde(default = "default_leader_timeout_ms")]
    pub leader_timeout_ms: u64,
    /// How long a ledger without work goes without a block, in real milliseconds.
    #[serde(default = "default_heartbeat_ms")]
    pub heartbeat_ms: u64,
}

/// Where a server listens for the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// The server.
    pub key: PublicKey,
    /// Its address.
    pub address: SocketAddr,
}

/// Where the storage side of a battery answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageSide {
    /// The battery.
    pub battery: BatteryId,
    /// The base address of its HTTP API, `http://host:port`.
    pub url: String,
}

fn default_leader_timeout_ms() -> u64 {
    1_500
}

fn default_heartbeat_ms() -> u64 {
    60_000
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{}: {problem}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {problem}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The secret key is not one.
    #[error("secret_key: expected 0x and 64 hexadecimal digits")]
    SecretKey,
    /// The secret key is none of the community's servers'.
    #[error("secret_key: {0} is not a server of this community")]
    NotAServer(PublicKey),
    /// A server of the community has no address.
    #[error("servers: the address of {0} is missing")]
    AddressMissing(PublicKey),
}

impl std::fmt::Debug for Config {
    /// Without the secret key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("name", &self.name).field("data", &self.data).finish_non_exhaustive()
    }
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// With the file's name and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = read(path)?;
        let mut config: Self = toml::from_str(&text).map_err(|problem| ConfigError::Content {
            path: path.to_owned(),
            problem: problem.to_string(),
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        config.genesis = folder.join(&config.genesis);
        config.data = folder.join(&config.data);
        Ok(config)
    }

    /// The genesis that it names.
    ///
    /// # Errors
    /// With the file's name and what is wrong with it.
    pub fn genesis(&self) -> Result<Genesis, ConfigError> {
        let text = read(&self.genesis)?;
        serde_json::from_str(&text).map_err(|problem| ConfigError::Content {
            path: self.genesis.clone(),
            problem: problem.to_string(),
        })
    }

    /// The secret key, which must be one of the community's servers'.
    ///
    /// # Errors
    /// `SecretKey`, `NotAServer`.
    pub fn secret_key(&self, genesis: &Genesis) -> Result<SecretKey, ConfigError> {
        let seed = hex::decode(&self.secret_key).and_then(|bytes| bytes.try_into().ok());
        let key = SecretKey::from_seed(seed.ok_or(ConfigError::SecretKey)?);
        let public = key.public_key();
        let known = genesis.servers.iter().any(|server| server.key == public);
        if known { Ok(key) } else { Err(ConfigError::NotAServer(public)) }
    }

    /// Every server's address.
    ///
    /// # Errors
    /// `AddressMissing`.
    pub fn addresses(&self, genesis: &Genesis) -> Result<Vec<Peer>, ConfigError> {
        let address = |key: PublicKey| {
            let found = self.servers.iter().find(|peer| peer.key == key).cloned();
            found.ok_or(ConfigError::AddressMissing(key))
        };
        genesis.servers.iter().map(|server| address(server.key)).collect()
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|problem| ConfigError::File { path: path.to_owned(), problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_configuration_is_read_back_with_paths_from_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let key = SecretKey::from_seed([3; 32]);
        let address = "127.0.0.1:4000".parse().unwrap();
        let config = Config {
            name: "north".to_owned(),
            secret_key: hex::encode(&key.seed()),
            genesis: "../genesis.json".into(),
            data: "data".into(),
            api: address,
            consensus: address,
            servers: vec![Peer { key: key.public_key(), address }],
            storage: vec![StorageSide { battery: BatteryId::from_number(1), url: "http://x".to_owned() }],
            leader_timeout_ms: 250,
            heartbeat_ms: 30_000,
        };
        let path = folder.path().join("config.toml");
        std::fs::write(&path, toml::to_string(&config).unwrap()).unwrap();
        let found = Config::read(&path).unwrap();
        assert_eq!(found.data, folder.path().join("data"));
        assert_eq!(found.servers, config.servers);
        assert_eq!(found.storage, config.storage);
        assert_eq!(found.leader_timeout_ms, 250);
        assert!(!format!("{found:?}").contains(&found.secret_key));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        assert!(Config::read(&path).unwrap_err().to_string().contains("config.toml"));
        std::fs::write(&path, "name = 3").unwrap();
        assert!(Config::read(&path).unwrap_err().to_string().contains("config.toml"));
    }
}
