//! One part's end of its protected links: certificates that are taken up anew when their files change.
//!
//! Always: new connections use what was read last; open ones go on, and whoever answers requests asks
//! [`Peer::check`](crate::Peer::check) before each, which sees a newer list. A file that turns out bad
//! changes nothing; it is said once, and tried again when it changes. Not here: where the files come from.

use crate::authority::unix_now;
use crate::certificate::Certificate;
use crate::files::{Files, SecretReader};
use crate::identity::{CommunityId, Role};
use crate::material::{Material, Own, Sources};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ServerConfig};
use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(3);
/// From when before its end a certificate is spoken of, in seconds.
const WARNED_BEFORE_S: i64 = 30 * DAY_S;
/// Seconds in a day: how often it is spoken of.
const DAY_S: i64 = 86_400;

/// Why a part's links cannot be protected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what}", .file.display())]
pub struct LinkError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

impl LinkError {
    pub(crate) fn new(file: &Path, what: impl fmt::Display) -> Self {
        Self { file: file.to_owned(), what: what.to_string() }
    }

    pub(crate) fn at<E: fmt::Display>(file: &Path) -> impl Fn(E) -> Self {
        let file = file.to_owned();
        move |what| Self { file: file.clone(), what: what.to_string() }
    }
}

/// What tells one state of a file from another: time of change, length, and which file it is.
type Stamp = Option<(SystemTime, u64, u64)>;

fn stamp(path: &Path) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len(), about.ino()))
}

/// The files' states, in the order of [`Sources::paths`].
struct States {
    /// When they were read last, good or bad.
    seen: Vec<Stamp>,
    /// When they were taken up last.
    used: Vec<Stamp>,
}

/// One part's end of its protected links.
pub struct Link {
    sources: Sources,
    now: RwLock<Arc<Material>>,
    /// Counts up with everything that was taken up.
    generation: AtomicU64,
    /// The files' states.
    states: Mutex<States>,
    /// When expiry was spoken of last, in seconds since 1970.
    warned: Mutex<i64>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({})", self.community())
    }
}

impl Link {
    /// Reads the files of a part. May take a second where the key is encrypted.
    ///
    /// # Errors
    /// Where a file is missing or damaged, or they do not fit each other.
    pub fn open(files: &Files, reader: SecretReader) -> Result<Arc<Self>, LinkError> {
        Self::of(Sources {
            own: Some((files.certificate.clone(), files.key.clone())),
            authority: files.authority.clone(),
            revoked: files.revoked.clone(),
            reader,
        })
    }

    /// The same for a part that is of use only with a certificate of its own role.
    ///
    /// # Errors
    /// As [`Link::open`], or where the certificate is somebody else's.
    pub fn open_as(role: Role, files: &Files, reader: SecretReader) -> Result<Arc<Self>, LinkError> {
        let link = Self::open(files, reader)?;
        match link.certificate().and_then(|certificate| certificate.role()) {
            Some(found) if found != role => {
                let what = format!("it is the certificate of {}, not of {}", found.words(), role.words());
                Err(LinkError::new(&files.certificate, what))
            }
            _ => Ok(link),
        }
    }

    /// For who has no certificate and only wants to know whom he reaches.
    ///
    /// # Errors
    /// Where a file is missing or damaged.
    pub fn trusting(authority: &Path, revoked: Option<&Path>) -> Result<Arc<Self>, LinkError> {
        Self::of(Sources {
            own: None,
            authority: authority.to_owned(),
            revoked: revoked.map(Path::to_owned),
            reader: crate::plain_files(),
        })
    }

    fn of(sources: Sources) -> Result<Arc<Self>, LinkError> {
        let seen: Vec<Stamp> = sources.paths().map(stamp).collect();
        let now = RwLock::new(Arc::new(Material::read(&sources, None)?));
        let states = Mutex::new(States { used: seen.clone(), seen });
        let (generation, warned) = (AtomicU64::new(0), Mutex::new(i64::MIN));
        Ok(Arc::new(Self { sources, now, generation, states, warned }))
    }

    /// Reads the files again, whether they seem changed or not, and takes up what they hold.
    ///
    /// # Errors
    /// Where they are not good; then everything stays as it was.
    pub fn reload(&self) -> Result<(), LinkError> {
        self.take_up(self.sources.paths().map(stamp).collect(), None)
    }

    fn take_up(&self, seen: Vec<Stamp>, known: Option<Arc<Own>>) -> Result<(), LinkError> {
        let read = Material::read(&self.sources, known);
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.seen = seen.clone();
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read?);
        states.used = seen;
        self.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Reads the files again if they changed; says in the log what came of it.
    pub fn look(&self) {
        let present: Vec<Stamp> = self.sources.paths().map(stamp).collect();
        let (is_new, is_own_new) = {
            let States { seen, used } = &*self.states.lock().unwrap_or_else(PoisonError::into_inner);
            // Certificate and key come first, where there are any.
            let own = if self.sources.own.is_some() { 2 } else { 0 };
            (*seen != present, used[..own] != present[..own])
        };
        if is_new {
            let known = if is_own_new { None } else { self.material().own.clone() };
            match self.take_up(present, known) {
                Ok(()) => {
                    tracing::info!(until = %self.until(), "certificates or the list of revoked ones are new")
                }
                Err(error) => tracing::error!(%error, "changed certificates are not used; the old ones stay"),
            }
        }
        self.warn_of_expiry();
    }

    /// Looks at the files for ever.
    pub async fn watch(self: Arc<Self>) -> Infallible {
        let mut pause = tokio::time::interval(LOOK);
        pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            pause.tick().await;
            let link = self.clone();
            // Decrypting a key takes a while.
            if let Err(error) = tokio::task::spawn_blocking(move || link.look()).await {
                tracing::error!(%error, "certificates could not be looked at");
            }
        }
    }

    /// Which community this is.
    pub fn community(&self) -> CommunityId {
        self.material().community()
    }

    /// The part's own certificate.
    pub fn certificate(&self) -> Option<Certificate> {
        self.material().own.as_ref().map(|own| own.certificate.clone())
    }

    /// How a client meets others that have one of the roles.
    pub fn client(&self, roles: &[Role]) -> ClientConfig {
        self.material().client_config(roles)
    }

    /// How connections are met; `None` where the part has no certificate of its own.
    pub fn server(&self, certificate_required: bool) -> Option<Arc<ServerConfig>> {
        self.material().server_config(certificate_required)
    }

    /// Counts up whenever something new was taken up.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether who showed this certificate would still be let in.
    pub(crate) fn check_client(&self, certificate: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        self.material().check_client(certificate)
    }

    /// What is measured of it, for the part's own metrics (Prometheus text).
    pub fn metrics(&self) -> String {
        let material = self.material();
        let own = material.own.as_ref().map(|own| own.certificate.not_after);
        let rows = [("own", own), ("authority", Some(material.authority.not_after))];
        let mut text = "# HELP wattbook_certificate_expires_seconds When a certificate ends (Unix time).\n\
                        # TYPE wattbook_certificate_expires_seconds gauge\n"
            .to_owned();
        for (name, end) in rows {
            if let Some(end) = end {
                text += &format!("wattbook_certificate_expires_seconds{{certificate=\"{name}\"}} {end}\n");
            }
        }
        text
    }

    fn material(&self) -> Arc<Material> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn until(&self) -> String {
        let end = self.certificate().map_or(0, |certificate| certificate.not_after);
        date(end)
    }

    /// Says once a day that a certificate ends soon, or has ended.
    fn warn_of_expiry(&self) {
        let now = unix_now();
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if now < warned.saturating_add(DAY_S) {
            return;
        }
        let material = self.material();
        let own = material.own.as_ref().map(|own| ("this part's certificate", &own.certificate));
        for (what, certificate) in
            own.into_iter().chain([("the authority's certificate", &material.authority)])
        {
            *warned = now;
            if let Some(words) = ending(certificate, now) {
                tracing::warn!("{what} {words}");
            }
        }
    }
}

/// What to say of a certificate's time; `None` where there is nothing to say.
pub(crate) fn ending(certificate: &Certificate, now: i64) -> Option<String> {
    let Certificate { not_before, not_after, .. } = certificate;
    let day = date(*not_after);
    if now > *not_after {
        Some(format!("ended on {day}: others refuse it; renew it with `wattbook cert renew`"))
    } else if now < *not_before {
        Some(format!(
            "begins only on {}: others refuse it; is this machine's clock right?",
            date(*not_before)
        ))
    } else if not_after - now < WARNED_BEFORE_S {
        let days = (not_after - now) / DAY_S;
        Some(format!("ends on {day}, in {days} days: renew it with `wattbook cert renew`"))
    } else {
        None
    }
}

/// A day as people write it, UTC.
pub fn date(unix_seconds: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(unix_seconds).map_or_else(
        |_| "an unknown day".to_owned(),
        |at| format!("{:04}-{:02}-{:02}", at.year(), u8::from(at.month()), at.day()),
    )
}
