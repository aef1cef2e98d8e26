//! Changing a configuration that is there, without what somebody else changed in it being lost.
//!
//! Always: values stay as they are but for what is changed; comments are written anew. A file that does not
//! read (devices that are still to be filled in) gets its addition at its end, as text. Not here: what is
//! changed.

use crate::init::community::{Community, write_toml};
use crate::init::configs::{self, BATTERY};
use anyhow::{Context, Result};
use serde::Serialize;
use std::io::Write;
use std::path::Path;
use wattbook_link::Role;
use wattbook_setup::secret::{self, Existing};
use wattbook_setup::{Configuration, read_text};
use wattbook_types::ConnectionPoint;

/// Changes a file's values; false where it does not read.
fn change<T: Configuration + Serialize>(folder: &Path, name: &str, how: impl FnOnce(&mut T)) -> Result<bool> {
    let text = read_text(&folder.join(T::FILE))?;
    let Ok(mut config) = toml::from_str::<T>(&text) else { return Ok(false) };
    how(&mut config);
    write_toml(folder, name, &config)?;
    Ok(true)
}

/// Puts a new home's feeder into the storage manager's configuration, and its devices among the simulated.
///
/// # Errors
/// Where a file cannot be read or written.
pub fn with_home(community: &Community, point: ConnectionPoint) -> Result<()> {
    let plan = &community.plan;
    let folder = community.folder(Role::Storage, crate::init::plan::STORAGE)?;
    let wanted = configs::storage(plan, &community.genesis)?;
    let feeder = wanted.devices.feeders.into_iter().find(|feeder| feeder.connection_point == point);
    let feeder = feeder.context("every connection point has a feeder")?;
    let head = format!("The storage side of {}. Paths are relative to this file.", plan.name);
    let changed = change::<wattbook_storage::Config>(&folder, &head, |config| {
        // It may be there from an attempt that was interrupted.
        config.devices.feeders.retain(|known| known.connection_point != point);
        config.devices.feeders.push(feeder);
    })?;
    if !changed {
        let file = folder.join(wattbook_storage::Config::FILE);
        let text = read_text(&file)?
            + &format!(
                "\n[[devices.feeders]]\nconnection_point = {point}\n# address = \"driver://host:port/unit\"\n"
            );
        secret::write_public(&file, text.as_bytes(), Existing::Replace)?;
    }
    let Some(site) = configs::site(plan, &community.genesis)? else { return Ok(()) };
    let home = site.homes.into_iter().find(|home| home.connection_point == point);
    let home = home.context("every home is simulated")?;
    let head = "The simulated devices: `wattbook device sim site --config` this file.";
    change::<crate::device::site_config::SiteConfig>(&community.dir, head, |site| {
        site.homes.retain(|known| known.connection_point != point);
        site.homes.push(home);
    })?;
    Ok(())
}

/// Tells every party of a new server.
///
/// # Errors
/// Where a file cannot be read or written; the file is named where it has to be changed by hand.
pub fn with_server(community: &Community, new: &str) -> Result<()> {
    let plan = &community.plan;
    let (peers, storage) = (configs::peers(plan)?, configs::storage(plan, &community.genesis)?);
    for (role, name, folder) in community.parties()? {
        if name == new {
            continue;
        }
        let (folder, head) = (
            community.dir.join(folder),
            format!("{name} of {}. Paths are relative to this file.", plan.name),
        );
        let urls = storage.servers.clone();
        let changed = match role {
            Role::Server => change::<wattbook_server::config::Config>(&folder, &head, |config| {
                config.servers.clone_from(&peers);
            }),
            Role::Storage => {
                change::<wattbook_storage::Config>(&folder, &head, |config| config.servers = urls)
            }
            Role::Home | Role::Member => {
                change::<wattbook_home::Config>(&folder, &head, |config| config.servers = urls)
            }
        }?;
        if !changed {
            // Nobody may be listening; the change goes on.
            let said = "its `servers` must be changed by hand, it does not read yet";
            let _ = writeln!(std::io::stderr(), "{}: {said}", folder.display());
        }
    }
    debug_assert_eq!(storage.battery, BATTERY);
    Ok(())
}
