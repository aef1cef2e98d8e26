//! A community that `wattbook init` made, started by hand: its servers find each other by their
//! configurations and agree; everybody else is told that it runs.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use wattbook_client::api::ServerStatus;
use wattbook_client::http::Servers;
use wattbook_link::Link;
use wattbook_setup::read_config;
use wattbook_types::Height;

/// More than enough on the slowest machine; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(120);

/// A part that runs, and stops with this.
struct Part(Child);

impl Drop for Part {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wattbook(arguments: &[&str], folder: &Path) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wattbook"));
    let output = command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().expect("it runs");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn start(kind: &str, config: &Path) -> Part {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wattbook"));
    command.args([kind, "--log", "off", "--with-parent", "--config"]).arg(config);
    Part(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts"))
}

/// Asks until all answer as wanted.
async fn until(servers: &[Servers], wanted: impl Fn(&[ServerStatus]) -> bool) -> Vec<ServerStatus> {
    let begin = Instant::now();
    loop {
        let mut answers = Vec::new();
        for server in servers {
            answers.extend(server.status().await.ok());
        }
        if answers.len() == servers.len() && wanted(&answers) {
            return answers;
        }
        assert!(begin.elapsed() < PATIENCE, "not in time: {answers:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

// P4, P7: four servers by their configurations alone, keys encrypted, links by certificates.
#[tokio::test]
async fn p4_p7_servers_of_a_community_made_by_hand_agree() {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("passphrase"), "correct horse battery staple").expect("written");
    let init = ["init", "oak", "--yes", "--slot-seconds", "1", "--homes", "1", "--work-factor", "6"];
    let (made, said) = wattbook(&[&init[..], &["--passphrase-file", "passphrase"]].concat(), folder.path());
    assert!(made, "{said}");
    let oak = folder.path().join("oak");
    // As another machine has it that holds the authority and no server.
    let copied = Command::new("cp").arg("-r").arg(&oak).arg(folder.path().join("office")).status();
    assert!(copied.expect("cp runs").success());
    let configs: Vec<_> = (1..=4).map(|n| oak.join(format!("servers/server-{n}/server.toml"))).collect();
    for config in &configs {
        // Nobody trades: blocks come with the heartbeat.
        let text = std::fs::read_to_string(config).expect("text");
        std::fs::write(config, text.replace("heartbeat_ms = 30000", "heartbeat_ms = 1000")).expect("written");
    }
    let settings: Vec<wattbook_server::config::Config> =
        configs.iter().map(|file| read_config(file).expect("a configuration")).collect();
    let parts: Vec<Part> = configs.iter().map(|config| start("server", config)).collect();

    let authority = oak.join("authority/ca.crt");
    let link = Link::trusting(&authority, Some(&oak.join("authority/revoked.pem"))).expect("an authority");
    let far = |config: &wattbook_server::config::Config| {
        Servers::linked([format!("https://{}", config.api)], Some(&link)).expect("an address")
    };
    let near = |config: &wattbook_server::config::Config| {
        Servers::new([format!("http://{}", config.local.expect("one"))]).expect("an address")
    };
    let two = Height::from_number(2);
    let high = |all: &[ServerStatus]| all.iter().all(|status| status.height >= two && status.peers == 3);
    until(&settings.iter().map(far).collect::<Vec<_>>(), high).await;
    let local: Vec<Servers> = settings.iter().map(near).collect();
    until(&local, high).await;
    let mut roots = Vec::new();
    for server in &local {
        let block = server.block(two).await.expect("an answer").expect("a block");
        roots.push((block.id(), block.header().state_root));
    }
    roots.dedup();
    assert_eq!(roots.len(), 1, "all have the same block: {roots:?}");
    let genesis = local[0].genesis().await.expect("a genesis");
    assert_eq!(genesis.ledger_id(), settings[0].genesis().expect("a genesis").ledger_id());

    // Whoever would change it now is told that it runs.
    let (added, said) = wattbook(&["member", "add", "office", "--name", "elm"], folder.path());
    assert!(!added && said.contains("the ledger has begun: server-"), "{said}");
    assert!(said.contains("answers, at block"), "{said}");
    drop(parts);
    let (added, said) = wattbook(&["member", "add", "oak", "--name", "elm"], folder.path());
    assert!(!added && said.contains("the ledger has begun: server-1 has block"), "{said}");
}
