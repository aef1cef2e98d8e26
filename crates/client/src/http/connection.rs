//! The connections of a client, made anew when certificates or the list of revoked ones change.
//!
//! Always: after a change no request goes over a connection that was judged by the old files; what is under
//! way is finished. No redirection is followed: it could lead out of the community. Not here: addresses.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use wattbook_link::{Link, Role};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The connections to parts of one role.
pub(super) struct Connection {
    link: Option<Arc<Link>>,
    role: Role,
    /// Which generation of the files they were made by.
    now: RwLock<(u64, reqwest::Client)>,
}

impl Connection {
    pub(super) fn new(link: Option<Arc<Link>>, role: Role) -> reqwest::Result<Self> {
        let now = RwLock::new(made(link.as_deref(), role)?);
        Ok(Self { link, role, now })
    }

    /// Counts up with the files.
    pub(super) fn generation(&self) -> u64 {
        self.link.as_ref().map_or(0, |link| link.generation())
    }

    /// What to send the next request by.
    pub(super) fn client(&self) -> reqwest::Client {
        let (generation, client) = self.now.read().unwrap_or_else(PoisonError::into_inner).clone();
        if generation == self.generation() {
            return client;
        }
        match made(self.link.as_deref(), self.role) {
            Ok(fresh) => {
                *self.now.write().unwrap_or_else(PoisonError::into_inner) = fresh.clone();
                fresh.1
            }
            // Nothing in it depends on the files that could fail.
            Err(error) => {
                tracing::error!(%error, "connections cannot be made by the new certificates");
                client
            }
        }
    }
}

fn made(link: Option<&Link>, role: Role) -> reqwest::Result<(u64, reqwest::Client)> {
    // Before the files' content: if they change in between, the next request makes it anew.
    let generation = link.map_or(0, Link::generation);
    let tls = link.map_or_else(wattbook_link::nobody, |link| link.client(&[role]));
    // Proxies of the environment have no business between the parts of a community.
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    Ok((generation, client))
}
