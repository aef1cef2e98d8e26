//! Keeps a GX talking: it says all of its values when it is asked to, and what changes for a minute after.
//!
//! Always: one question every [`EVERY`] for all devices of a GX, for as long as one of them is in use. Never
//! kept by the broker, which would repeat it for ever. Not here: what the GX says.

use crate::mqtt::Link;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::task::AbortHandle;

/// How often it is asked; it falls silent after 60 s.
pub const EVERY: Duration = Duration::from_secs(30);

/// Whoever keeps one GX talking.
pub struct Keeper {
    link: Arc<Link>,
    portal: String,
    task: OnceLock<AbortHandle>,
}

impl Keeper {
    /// Begins once there is a runtime to do it.
    pub fn new(link: Arc<Link>, portal: &str) -> Self {
        Self { link, portal: portal.to_owned(), task: OnceLock::new() }
    }

    /// Begins asking, if that has not begun.
    pub fn start(&self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let asking = || runtime.spawn(ask(Arc::clone(&self.link), self.portal.clone(), EVERY));
            self.task.get_or_init(|| asking().abort_handle());
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

/// Asks a GX to say everything, again and again.
pub async fn ask(link: Arc<Link>, portal: String, every: Duration) {
    loop {
        link.say(&format!("R/{portal}/keepalive"), Vec::new());
        tokio::time::sleep(every).await;
    }
}
