//! Servers as processes run them: configuration, files, real connections on loopback, HTTP, a storage side
//! that is asked and given orders.

mod village;

use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use village::{BATTERY, FIRST, LENGTH, People, genesis, home_key, server_key};
use wattbook_client::api::transaction_to_hex;
use wattbook_client::api::{
    DispatchAnswer, DispatchOrder, ReportQuery, SignedReport, Stage, TransactionStatus,
};
use wattbook_client::http::Servers;
use wattbook_server::config::{Config, Peer, StorageSide};
use wattbook_server::run::{RunError, serve};
use wattbook_setup::key_file::write_signing_key;
use wattbook_setup::read_config;
use wattbook_setup::secret::Existing;
use wattbook_types::finality::Finality;
use wattbook_types::genesis::Genesis;
use wattbook_types::record::Reservation;
use wattbook_types::transaction::Body;
use wattbook_types::{LedgerClock, Record, SecretKey, Slot, Transaction, TransactionId, hex};

/// Real seconds that a slot lasts.
const SLOT_SECONDS: u64 = 2;
const PATIENCE: Duration = Duration::from_secs(60);

fn real_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// The usual village in which a slot lasts two seconds, beginning now.
fn fast_genesis() -> Genesis {
    let mut genesis = genesis();
    genesis.clock = LedgerClock {
        real_origin: real_now(),
        ledger_origin: genesis.time,
        rate: (LENGTH.seconds() / SLOT_SECONDS) as u32,
        rate_per: 1,
        accelerated: true,
    };
    genesis
}

/// A storage side that reports each slot when it is asked, and believes only what is proven final.
struct StorageSideDouble {
    genesis: Genesis,
    people: Mutex<People>,
    reports: Mutex<Vec<Transaction>>,
    ordered: Mutex<Vec<Reservation>>,
}

impl StorageSideDouble {
    /// Makes the reports of all slots that have ended.
    fn catch_up(&self) {
        let now = self.genesis.clock.ledger_at(real_now());
        let (mut people, mut reports) = (self.people.lock().unwrap(), self.reports.lock().unwrap());
        let ordered = self.ordered.lock().unwrap();
        loop {
            let slot = Slot::from_number(FIRST + reports.len() as u64);
            if slot.end(LENGTH) > now {
                return;
            }
            let delivered: Vec<(u32, u64)> = ordered
                .iter()
                .filter(|order| order.slot == slot)
                .map(|order| (order.connection_point.number(), order.energy.wh()))
                .collect();
            reports.push(people.slot_end(&[(1, 2_000)], &delivered));
        }
    }

    fn believe(&self, order: &DispatchOrder) -> Reservation {
        let finality: Finality = borsh::from_slice(&hex::decode(&order.finality).unwrap()).unwrap();
        let header = finality.verify(&self.genesis.ledger_id(), &self.genesis.server_set()).unwrap();
        let record = hex::decode(&order.record).unwrap();
        assert_eq!(order.path.root_from(&record), Some(header.records_root));
        match borsh::from_slice(&record).unwrap() {
            Record::Reservation(reservation) => reservation,
            other => panic!("{other:?} is no reservation"),
        }
    }
}

async fn reports(
    State(side): State<Arc<StorageSideDouble>>,
    Query(query): Query<ReportQuery>,
) -> Json<Vec<SignedReport>> {
    side.catch_up();
    let reports = side.reports.lock().unwrap();
    let from = query.from.unwrap_or(0) as usize;
    let found = reports.iter().skip(from).take(query.limit.unwrap_or(100) as usize);
    Json(found.map(|report| SignedReport { transaction: transaction_to_hex(report) }).collect())
}

async fn dispatch(
    State(side): State<Arc<StorageSideDouble>>,
    Json(order): Json<DispatchOrder>,
) -> Json<DispatchAnswer> {
    let reservation = side.believe(&order);
    let mut ordered = side.ordered.lock().unwrap();
    let known = ordered.iter().any(|one| one.purchase == reservation.purchase);
    let purchase = reservation.purchase;
    if !known {
        ordered.push(reservation);
    }
    Json(DispatchAnswer { purchase, known })
}

async fn storage_side(genesis: &Genesis) -> (Arc<StorageSideDouble>, SocketAddr, JoinHandle<()>) {
    let side = Arc::new(StorageSideDouble {
        genesis: genesis.clone(),
        people: Mutex::new(People::of(genesis)),
        reports: Mutex::default(),
        ordered: Mutex::default(),
    });
    let router = Router::new()
        .route("/api/v1/reports", get(reports))
        .route("/api/v1/dispatch", post(dispatch))
        .with_state(side.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (side, address, task)
}

/// A server that runs.
struct Running {
    stop: oneshot::Sender<()>,
    end: JoinHandle<Result<(), RunError>>,
}

/// Four servers and their files.
struct Town {
    configs: Vec<PathBuf>,
    running: Vec<Option<Running>>,
    servers: Vec<Servers>,
    all: Servers,
}

impl Town {
    fn build(folder: &Path, genesis: &Genesis, storage: SocketAddr) -> Self {
        std::fs::write(folder.join("genesis.json"), serde_json::to_vec(genesis).unwrap()).unwrap();
        // Held all at once, so that no port is given twice.
        let listeners: Vec<_> = (0..8).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let address = |at: usize| listeners[at].local_addr().unwrap();
        let peers = (0..4).map(|at| Peer { key: server_key(at).public_key(), address: address(at) });
        let peers: Vec<_> = peers.collect();
        let configs = (0..4).map(|at| {
            let path = folder.join(format!("server-{at}"));
            std::fs::create_dir_all(&path).unwrap();
            write_signing_key(&path.join("server.key"), &server_key(at), None, Existing::Replace).unwrap();
            let config = Config {
                name: format!("server-{at}"),
                key: "server.key".into(),
                passphrase_file: None,
                genesis: "../genesis.json".into(),
                data: "data".into(),
                api: address(4 + at),
                local: None,
                consensus: address(at),
                servers: peers.clone(),
                storage: vec![StorageSide { battery: BATTERY, url: format!("http://{storage}") }],
                leader_timeout_ms: 250,
                heartbeat_ms: 30_000,
                tls: None,
            };
            let path = path.join("config.toml");
            std::fs::write(&path, toml::to_string(&config).unwrap()).unwrap();
            path
        });
        let urls: Vec<_> = (4..8).map(|at| format!("http://{}", address(at))).collect();
        Self {
            configs: configs.collect(),
            running: (0..4).map(|_| None).collect(),
            servers: urls.iter().map(|url| Servers::new([url]).unwrap()).collect(),
            all: Servers::new(&urls).unwrap(),
        }
    }

    fn start(&mut self, index: usize) {
        let config = read_config::<Config>(&self.configs[index]).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let end = tokio::spawn(serve(config, async move {
            let _ = stopped.await;
        }));
        self.running[index] = Some(Running { stop, end });
    }

    async fn stop(&mut self, index: usize) {
        let Running { stop, end } = self.running[index].take().expect("it runs");
        let _ = stop.send(());
        end.await.unwrap().unwrap();
    }

    /// Asks until somebody takes a transaction, as an outbox does.
    async fn submit(&self, transaction: &Transaction) -> TransactionId {
        patiently("taking a transaction", async || {
            let taken = self.all.submit(transaction).await;
            taken.inspect_err(|problem| println!("not taken: {problem}")).ok()
        })
        .await;
        transaction.id()
    }

    async fn outcome(&self, id: &TransactionId) -> TransactionStatus {
        patiently("an outcome", async || match self.all.transaction(id).await {
            Ok(status) => match &status.stage {
                Stage::Final { outcome, .. } if outcome.ended => Some(status),
                Stage::Refused { reason } => panic!("refused: {reason}"),
                _ => None,
            },
            Err(_) => None,
        })
        .await
    }
}

/// Asks again until there is an answer; fails where none comes.
async fn patiently<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{what}: not in time"))
}

fn signed(genesis: &Genesis, nonce: u64, key: &SecretKey, body: Body) -> Transaction {
    let mut payload = People::of(genesis).payload(key, village::time(FIRST, 20 * 60), body);
    payload.nonce = nonce;
    payload.sign(key)
}

// S3, B4, B8, L12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b8_s3_b4_l12_four_servers_ask_for_reports_trade_and_dispatch_and_one_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = fast_genesis();
    let (side, storage, storage_task) = storage_side(&genesis).await;
    let mut town = Town::build(folder.path(), &genesis, storage);
    (0..4).for_each(|index| town.start(index));

    // S3: the report is asked for, because a sale waits for it.
    let first_end = genesis.clock.real_at(Slot::from_number(FIRST).end(LENGTH));
    patiently("the end of the first slot", async || (real_now() >= first_end).then_some(())).await;
    let mut people = People::of(&genesis);
    let sale = town.submit(&people.sale(1, FIRST, 2_020)).await;
    assert!(matches!(town.outcome(&sale).await.stage, Stage::Final { .. }));

    // B8, B9: what is reserved reaches the storage side with its proof.
    let now = genesis.rules.slot_length.slot_at(genesis.clock.ledger_at(real_now())).number();
    let body = People::purchase_body(2, now + 2, 1_000, 200);
    let bought = town.submit(&signed(&genesis, 1_000, &home_key(2), body)).await;
    let Stage::Final { outcome, .. } = town.outcome(&bought).await.stage else { panic!("it is final") };
    assert!(outcome.delivery.is_some_and(|delivery| delivery.delivered.wh() == 1_000));
    assert_eq!(side.ordered.lock().unwrap().iter().map(|one| one.purchase).collect::<Vec<_>>(), [bought]);

    // One server is away while the others trade on, and comes back.
    town.stop(3).await;
    let now = genesis.rules.slot_length.slot_at(genesis.clock.ledger_at(real_now())).number();
    let body = People::purchase_body(2, now + 2, 500, 200);
    let bought = town.submit(&signed(&genesis, 1_001, &home_key(2), body)).await;
    town.outcome(&bought).await;
    town.start(3);
    let height = town.servers[0].status().await.unwrap().height;
    patiently("catching up", async || {
        let status = town.servers[3].status().await.ok()?;
        (status.height >= height && town.servers[3].is_ready().await).then_some(())
    })
    .await;
    let mut roots = Vec::new();
    for server in &town.servers {
        let block = server.block(height).await.unwrap().unwrap();
        roots.push(block.header().state_root);
        let proof = server.finality(height).await.unwrap().unwrap();
        let proof: Finality = borsh::from_slice(&hex::decode(&proof.finality).unwrap()).unwrap();
        assert_eq!(proof.verify(&genesis.ledger_id(), &genesis.server_set()), Ok(block.header()));
        assert!(server.status().await.unwrap().totals.conserved);
        patiently("hearing all others", async || {
            server.status().await.is_ok_and(|status| status.peers == 3).then_some(())
        })
        .await;
    }
    roots.dedup();
    let quantiles = town.servers[0].status().await.unwrap().finality_ms;
    println!("finality: {quantiles:?}");
    assert_eq!(roots.len(), 1);
    for index in 0..4 {
        town.stop(index).await;
    }
    storage_task.abort();
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = fast_genesis();
    let town = Town::build(folder.path(), &genesis, "127.0.0.1:9".parse().unwrap());
    let mut config = read_config::<Config>(&town.configs[0]).unwrap();
    let stranger = SecretKey::from_seed([77; 32]);
    write_signing_key(&config.key, &stranger, None, Existing::Replace).unwrap();
    let error = serve(config.clone(), std::future::pending()).await.unwrap_err();
    assert!(error.to_string().contains("no server's of this community"), "{error}");
    config.genesis = folder.path().join("nowhere.json");
    let error = serve(config, std::future::pending()).await.unwrap_err();
    assert!(error.to_string().contains("nowhere.json"), "{error}");
}
