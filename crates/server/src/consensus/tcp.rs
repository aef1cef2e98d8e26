//! Consensus in a process of its own: threads, files, and encrypted, authenticated connections.
//!
//! Always: one thread owns the engine; when it ends, [`Running`] says why. Stopping is safe at any
//! moment, also by killing the process. Deliberately absent: finding servers that are not in the
//! configuration.

use super::block::{public_key, secret_key};
use super::engine::{self, Network, RATE, longest_message};
use super::{Chain, Config, Fault, Inlet};
use commonware_cryptography::ChaCha20Poly1305;
use commonware_macros::select;
use commonware_p2p::authenticated::lookup;
use commonware_p2p::{Address, AddressableManager as _};
use commonware_runtime::{Quota, Runner as _, Spawner as _, Supervisor as _, tokio as runtime};
use commonware_stream::cups::{self, Cups};
use commonware_stream::sake::{self, Sake};
use commonware_utils::{NZU32, NZUsize, ordered::Map};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use wattbook_types::PublicKey;

/// Where a server listens for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// The server.
    pub server: PublicKey,
    /// Where the others reach it.
    pub address: SocketAddr,
}

/// What it takes to run consensus in this process.
#[derive(Clone)]
pub struct TcpConfig {
    /// What every server needs to know.
    pub consensus: Config,
    /// Where this server listens.
    pub listen: SocketAddr,
    /// Every server's address, this one's among them.
    pub addresses: Vec<ServerAddress>,
    /// The folder for journal and archives; made if it is not there. No two processes share one.
    pub folder: PathBuf,
}

/// A running engine.
pub struct Running {
    stop: Option<oneshot::Sender<()>>,
    end: watch::Receiver<Option<Result<(), Fault>>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Starts consensus on a thread of its own.
pub fn start(config: TcpConfig, chain: Arc<dyn Chain>, inlet: Inlet) -> std::io::Result<Running> {
    let (stop, stopped) = oneshot::channel();
    let (report, end) = watch::channel(None);
    let thread = thread::Builder::new().name("consensus".to_owned()).spawn(move || {
        // A panic in any of the engine's tasks comes out here.
        let result =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(config, chain, inlet, stopped)));
        let result = result.unwrap_or_else(|panic| Err(Fault::Engine(panic_message(&*panic))));
        report.send_replace(Some(result));
    })?;
    Ok(Running { stop: Some(stop), end, thread: Some(thread) })
}

impl Running {
    /// Waits until the engine has ended: well after [`stop`](Self::stop), else with the fault.
    pub async fn ended(&self) -> Result<(), Fault> {
        let mut end = self.end.clone();
        let ended = end.wait_for(Option::is_some).await;
        ended.map_or_else(
            |_| Err(Fault::Engine("the thread is gone".to_owned())),
            |end| end.clone().expect("waited for"),
        )
    }

    /// Stops the engine and waits until everything is closed. Blocks.
    pub fn stop(mut self) -> Result<(), Fault> {
        self.stop_now();
        self.end.borrow().clone().unwrap_or_else(|| Err(Fault::Engine("the thread is gone".to_owned())))
    }

    fn stop_now(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop_now();
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panicked".to_owned())
}

fn run(
    config: TcpConfig,
    chain: Arc<dyn Chain>,
    inlet: Inlet,
    stopped: oneshot::Receiver<()>,
) -> Result<(), Fault> {
    let runtime_config = runtime::Config::new()
        .with_worker_threads(2)
        .with_max_blocking_threads(64)
        .with_thread_stack_size(2 * 1024 * 1024)
        .with_storage_directory(&config.folder)
        .with_tcp_nodelay(Some(true));
    runtime::Runner::new(runtime_config).start(|context| async move {
        let (mut network, mut oracle) =
            lookup::Network::new(context.child("network"), network_config(&config));
        let addresses = addresses(&config)?;
        let _ = oracle.track(0, addresses);
        let channels = std::array::from_fn(|channel| network.register(channel as u64, RATE));
        let channels = Network::new(channels, oracle.clone(), oracle.clone());
        let mut network = network.start();
        let mut engine = context.child("consensus").spawn(move |context| async move {
            engine::run(context, channels, config.consensus, chain, inlet, "").await
        });
        let result = select! {
            _ = stopped => Ok(()),
            fault = &mut engine => Err(fault.unwrap_or_else(|error| Fault::Engine(error.to_string()))),
            end = &mut network => Err(Fault::Engine(format!("the network stopped: {end:?}"))),
        };
        engine.abort();
        let _ = context.stop(0, Some(Duration::from_secs(2))).await;
        result
    })
}

fn addresses(config: &TcpConfig) -> Result<Map<commonware_cryptography::ed25519::PublicKey, Address>, Fault> {
    let addresses = config.addresses.iter().map(|server| {
        let key = public_key(&server.server)?;
        Some((key, Address::from(server.address)))
    });
    let addresses: Option<Vec<_>> = addresses.collect();
    let addresses = addresses.ok_or_else(|| Fault::Engine("a server's key is not a key".to_owned()))?;
    Map::try_from(addresses).map_err(|_| Fault::Engine("a server has two addresses".to_owned()))
}

fn network_config(
    config: &TcpConfig,
) -> lookup::Config<Cups<Sake<commonware_cryptography::ed25519::PrivateKey>, ChaCha20Poly1305>> {
    let handshake = Cups::<_, ChaCha20Poly1305>::new(
        Sake {
            signer: secret_key(&config.consensus.key),
            synchrony_bound: Duration::from_secs(5),
            max_handshake_age: Duration::from_secs(10),
            version: sake::Version::V1,
        },
        cups::Version::V1,
    );
    let servers = config.consensus.servers.len();
    let mut namespace = config.consensus.ledger.as_bytes().to_vec();
    namespace.extend_from_slice(b"_P2P");
    let mut network = lookup::Config::local(
        handshake,
        &namespace,
        config.listen,
        NZUsize!(1).saturating_add(servers),
        longest_message(servers),
        NZUsize!(512),
    );
    // The set of servers does not change, and each has an address of its own.
    network.tracked_peer_sets = NZUsize!(1);
    network.peer_connection_cooldown = Duration::from_millis(500);
    network.dial_frequency = Duration::from_millis(250);
    network.allowed_handshake_rate_per_ip = Quota::per_second(NZU32!(64));
    network.block_duration = Duration::from_secs(600);
    network
}
