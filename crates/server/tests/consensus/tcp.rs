//! Four servers over real connections and files, in one process.

use super::toy::{Disk, Toy, keys, ledger, mark};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

use wattbook_server::consensus::{Config, Handle, Running, ServerAddress, TcpConfig, channel, start};

struct Server {
    toy: Arc<Toy>,
    handle: Handle,
    disk: Disk,
    running: Running,
}

fn addresses() -> Vec<ServerAddress> {
    // Held all at once, so that no port is given twice.
    let listeners: Vec<_> = keys(4).iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let address = |listener: &TcpListener| -> SocketAddr { listener.local_addr().unwrap() };
    let named = keys(4).into_iter().zip(&listeners);
    named
        .map(|(key, listener)| ServerAddress { server: key.public_key(), address: address(listener) })
        .collect()
}

fn launch(index: usize, addresses: &[ServerAddress], folder: &Path, disk: Disk) -> Server {
    let keys = keys(4);
    let (handle, inlet) = channel();
    let toy = Toy::new(keys[index].clone(), disk.clone(), handle.clone());
    let servers = keys.iter().map(|key| key.public_key()).collect();
    let mut consensus = Config::new(ledger(), keys[index].clone(), servers);
    consensus.leader_timeout = Duration::from_millis(500);
    let config = TcpConfig {
        consensus,
        listen: addresses[index].address,
        addresses: addresses.to_vec(),
        folder: folder.join(index.to_string()),
    };
    let running = start(config, toy.clone(), inlet).unwrap();
    Server { toy, handle, disk, running }
}

/// Waits until a server holds a mark as final.
async fn has(server: &Server, name: &str) {
    let mut status = server.handle.watch();
    let waited = timeout(Duration::from_secs(60), async {
        while !server.disk.marks().contains_key(&mark(name)) {
            status.changed().await.expect("the engine runs");
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{name} is not final: {:?}", server.handle.status()));
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_four_servers_agree_over_loopback_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let addresses = addresses();
    let mut servers: Vec<_> =
        (0..4).map(|index| launch(index, &addresses, folder.path(), Disk::new())).collect();
    servers[0].toy.submit(mark("one"));
    for server in &servers {
        has(server, "one").await;
    }
    let last = servers.pop().unwrap();
    let disk = last.disk.clone();
    tokio::task::spawn_blocking(move || last.running.stop()).await.unwrap().unwrap();
    servers[1].toy.submit(mark("two"));
    for server in &servers {
        has(server, "two").await;
    }
    servers.push(launch(3, &addresses, folder.path(), disk));
    for server in &servers {
        has(server, "two").await;
    }
    assert!(servers[3].handle.metrics().await.is_some_and(|metrics| metrics.contains("processed_height")));
    tokio::task::spawn_blocking(move || drop(servers)).await.unwrap();
}
