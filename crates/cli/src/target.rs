//! Which community a command talks to: a running demonstration, or servers that are named.
//!
//! Always: who is not there is named together with what to do. Not here: what is asked.

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use wattbook_client::http::{Part, Servers};
use wattbook_types::AccountId;

/// The file that a demonstration leaves in its folder, for finding it.
const MARKER: &str = "demo.json";

/// Options that say whom to talk to.
#[derive(Args, Clone, Debug)]
pub struct Target {
    /// The folder of a running demonstration
    #[arg(long, value_name = "DIR", default_value = "wattbook-demo")]
    dir: PathBuf,
    /// A server to ask instead, such as http://127.0.0.1:8080; may be said several times
    #[arg(long = "server", value_name = "URL")]
    servers: Vec<String>,
}

/// A running demonstration.
#[derive(Deserialize)]
pub struct Demonstration {
    servers: Vec<String>,
    homes: String,
    homes_list: Vec<MarkedHome>,
}

#[derive(Deserialize)]
struct MarkedHome {
    name: String,
    address: AccountId,
}

/// Homes by their addresses, as far as they are known.
#[derive(Default)]
pub struct Names(BTreeMap<AccountId, String>);

impl Names {
    /// A home's name, or an address in short.
    pub fn of(&self, address: &AccountId) -> String {
        self.0.get(address).cloned().unwrap_or_else(|| address.short())
    }
}

impl Target {
    /// The servers.
    pub fn servers(&self) -> Result<Servers> {
        if self.servers.is_empty() {
            return Ok(Servers::new(&self.demonstration()?.servers)?);
        }
        Ok(Servers::new(&self.servers)?)
    }

    /// The homes' names: known in a demonstration only.
    pub fn names(&self) -> Names {
        if !self.servers.is_empty() {
            return Names::default();
        }
        let homes = self.demonstration().map(|found| found.homes_list).unwrap_or_default();
        Names(homes.into_iter().map(|home| (home.address, home.name)).collect())
    }

    /// The homes' own interface, for one that is there.
    pub fn home(&self, name: &str) -> Result<Part> {
        let found = self.demonstration()?;
        if !found.homes_list.iter().any(|home| home.name == name) {
            let names: Vec<&str> = found.homes_list.iter().map(|home| home.name.as_str()).collect();
            bail!("there is no home called {name:?}; there are {}", names.join(", "));
        }
        Ok(Part::new(&found.homes)?)
    }

    /// The homes' own interface.
    pub fn homes(&self) -> Result<Part> {
        Ok(Part::new(&self.demonstration()?.homes)?)
    }

    fn demonstration(&self) -> Result<Demonstration> {
        let marker = self.dir.join(MARKER);
        let text = std::fs::read_to_string(&marker).with_context(|| {
            format!(
                "no demonstration in {}: start one with `wattbook demo`, or name its folder with --dir",
                self.dir.display()
            )
        })?;
        serde_json::from_str(&text).with_context(|| format!("{} cannot be read", marker.display()))
    }
}
