//! Whether a ledger has begun. One that has is not changed by files.
//!
//! Always: a sign that it has is believed; that none is seen is no proof, which is why `--begun` can say it.
//! Not here: what follows from it.

use crate::init::community::Community;
use anyhow::{Result, bail};
use futures::future::join_all;
use std::path::Path;
use std::time::Duration;
use wattbook_client::http::Servers;
use wattbook_link::{Link, Role};
use wattbook_server::store::Store;
use wattbook_types::Height;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
const WHY: &str = "a running ledger takes parties in by its own governance, which is not there yet; a new \
                   community can be made with all of them";

/// Refuses where the ledger has begun, or its beginning is in use.
///
/// # Errors
/// With the sign that was seen.
pub async fn check(community: &Community, said: bool) -> Result<()> {
    if said {
        bail!("the ledger has begun: {WHY}");
    }
    for (role, name, _) in community.parties()? {
        if role == Role::Server {
            in_data(community, &name)?;
        }
    }
    match asked(community).await?.into_iter().max_by_key(|(_, height)| *height) {
        None => Ok(()),
        Some((name, height)) if height > Height::from_number(0) => {
            bail!("the ledger has begun: {name} answers, at block {}. So {WHY}", height.number())
        }
        Some((name, _)) => {
            bail!("{name} runs with the present genesis; stop it first, and remove its data folder")
        }
    }
}

/// Looks into the data folder of a server whose folder is here.
fn in_data(community: &Community, name: &str) -> Result<()> {
    let folder = community.folder(Role::Server, name)?;
    let file = folder.join("server.toml");
    let text = wattbook_setup::read_text(&file)?;
    let Ok(config) = toml::from_str::<wattbook_server::config::Config>(&text) else { return Ok(()) };
    let data = folder.join(config.data);
    let ledger = data.join("ledger");
    if !ledger.exists() {
        return Ok(());
    }
    match last(&ledger) {
        Ok(Some(height)) if height > Height::from_number(0) => {
            bail!(
                "the ledger has begun: {name} has block {} in {}. So {WHY}",
                height.number(),
                data.display()
            )
        }
        Ok(_) => bail!(
            "{name} was started with the present genesis and has agreed on nothing yet; stop it, remove {} and \
             try again",
            data.display()
        ),
        Err(error) => bail!("whether the ledger has begun cannot be seen: {}: {error}", data.display()),
    }
}

fn last(ledger: &Path) -> Result<Option<Height>> {
    Ok(Store::open(ledger)?.last_block()?.map(|block| block.header().height))
}

/// Every server that answers, with its height.
async fn asked(community: &Community) -> Result<Vec<(String, Height)>> {
    let authority = community.dir.join("authority");
    let link = Link::trusting(&authority.join("ca.crt"), Some(&authority.join("revoked.pem")))?;
    let mut questions = Vec::new();
    for server in &community.plan.servers {
        let address = crate::init::configs::server(&community.plan, &server.name)?.api;
        let asked = Servers::linked([format!("https://{address}")], Some(&link))?;
        questions.push(async move {
            let answer = tokio::time::timeout(PATIENCE, asked.status()).await;
            answer.ok()?.ok().map(|status| (server.name.clone(), status.height))
        });
    }
    Ok(join_all(questions).await.into_iter().flatten().collect())
}
