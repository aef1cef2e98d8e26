//! A part under a service manager: says when it serves, that it is alive, and that it stops.
//!
//! Always: systemd's protocol (`sd_notify(3)`: lines to the datagram socket that `NOTIFY_SOCKET` names)
//! without a library; where nobody listens, nothing is said. A hang-up (SIGHUP) ends nothing. A part that
//! was told to stop has ended within [`LAST`], one way or the other. Not here: units (folder `packaging`).

use crate::process::Shutdown;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How long stopping may take. Killing loses nothing that was final or answered for, so this is no more
/// than a bound.
pub const LAST: Duration = Duration::from_secs(15);

/// A service manager that listens.
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Manager {
    /// The one that the environment names.
    fn of_environment() -> Option<Self> {
        let name = std::env::var_os("NOTIFY_SOCKET")?;
        let address = match name.as_bytes() {
            #[cfg(target_os = "linux")]
            [b'@', rest @ ..] => abstract_address(rest)?,
            _ => SocketAddr::from_pathname(&name).ok()?,
        };
        Some(Self { socket: UnixDatagram::unbound().ok()?, address })
    }

    fn say(&self, words: &str) {
        if let Err(error) = self.socket.send_to_addr(words.as_bytes(), &self.address) {
            tracing::warn!(%error, "the service manager cannot be told: {words}");
        }
    }
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> Option<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name).ok()
}

/// How often the service manager wants to hear that this process is alive, where it does: half the time
/// after which it would give it up.
fn watchdog() -> Option<Duration> {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let ours = number("WATCHDOG_PID").is_none_or(|process| process == u64::from(std::process::id()));
    let pause = Duration::from_micros(number("WATCHDOG_USEC")? / 2);
    (ours && !pause.is_zero()).then_some(pause)
}

/// Completes when `stop` does. A part waits for it only once it serves: so the first look at it tells the
/// service manager that the part is ready.
pub fn serving(stop: Shutdown) -> Shutdown {
    let hang_up = signal(SignalKind::hangup()).expect("signals can be handled");
    Box::pin(async move {
        let manager = Manager::of_environment();
        let say = |words: &str| manager.iter().for_each(|manager| manager.say(words));
        say("READY=1\nSTATUS=serving");
        tracing::info!("serving");
        tokio::select! {
            () = stop => {}
            () = keep_alive(&say) => {}
            () = pass_over(hang_up) => {}
        }
        say("STOPPING=1\nSTATUS=stopping");
        tracing::info!("told to stop");
        bound(LAST);
    })
}

async fn keep_alive(say: &impl Fn(&str)) {
    let Some(pause) = watchdog() else { return std::future::pending().await };
    loop {
        tokio::time::sleep(pause).await;
        say("WATCHDOG=1");
    }
}

/// Certificates are read again by themselves when their files change; there is nothing else to reload.
async fn pass_over(mut hang_up: tokio::signal::unix::Signal) {
    while hang_up.recv().await.is_some() {
        tracing::info!("a hang-up changes nothing: certificates are read again when their files change");
    }
    std::future::pending().await
}

/// Ends the process, with words, if it has not ended by itself by then.
fn bound(time: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(time);
        eprintln!("wattbook: did not stop within {} s; what is on disk stays valid", time.as_secs());
        std::process::exit(1);
    });
}
