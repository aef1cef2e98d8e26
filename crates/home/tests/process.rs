//! The whole home process against the simulated plant on the loopback, with a storage side that accepts
//! everything and no authentication server: what is sent is recorded, kept through a restart, and never
//! recorded twice.
//!
//! Runs in accelerated time (a slot lasts 0.9 s); waits for ledger time, never for a guess.

mod common;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use common::{config, genesis, home_key};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wattbook_client::api::{Announcement, AnnouncementAnswer};
use wattbook_devices::driver::Context;
use wattbook_devices::plant::{Plant, PlantListen, WorldSpec};
use wattbook_devices::{Clock, HomeDevices, StorageSite, open_home, open_storage, profile};
use wattbook_home::config::{Config, StorageAddress};
use wattbook_home::view::{HomeRecords, HomeStatus};
use wattbook_home::{HomeConfig, HomeError, UtilityTariff, run};
use wattbook_setup::key_file::write_signing_key;
use wattbook_setup::secret::Existing;
use wattbook_types::genesis::Battery;
use wattbook_types::{
    AccountId, BatteryId, Energy, Genesis, LedgerClock, MeterRegister, Money, PerMille, Power, Price,
};

/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
const BATTERY: BatteryId = BatteryId::from_number(1);

/// A community at noon of the sample's first day, 2,000 times as fast as life.
fn at_noon() -> Genesis {
    let profiles = profile::sample::read();
    let noon = profiles.start().plus_millis(12 * 3_600_000);
    let real = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let clock = LedgerClock {
        real_origin: u64::try_from(real).expect("soon enough"),
        ledger_origin: noon,
        rate: 2_000,
        rate_per: 1,
        accelerated: true,
    };
    let mut genesis = Genesis { time: noon, clock, ..genesis() };
    genesis.batteries = vec![Battery {
        id: BATTERY,
        name: "Shed".to_owned(),
        storage: AccountId::default(),
        capacity: Energy::from_wh(100_000),
        charge_limit: Power::from_watts(50_000),
        discharge_limit: Power::from_watts(50_000),
        charge_efficiency: PerMille::new(950),
        discharge_efficiency: PerMille::new(950),
        standing_loss_ppm_per_hour: 0,
        import: MeterRegister::ZERO,
        export: MeterRegister::ZERO,
        pool_limit: Money::MAX,
    }];
    genesis
}

/// A storage side that accepts whatever is announced.
async fn generous_storage(site: StorageSite) -> SocketAddr {
    async fn accept(
        State(site): State<Arc<StorageSite>>,
        Json(announced): Json<Announcement>,
    ) -> Json<AnnouncementAnswer> {
        let Announcement { connection_point, slot, power } = announced;
        site.feeders.accept(connection_point, slot, power).await.expect("a plan");
        Json(AnnouncementAnswer { accepted: power, reason: None })
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let routes = Router::new().route("/api/v1/announcements", post(accept)).with_state(Arc::new(site));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

/// A port that nobody listens at.
async fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address")
}

struct Process {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), HomeError>>,
    base: String,
}

impl Process {
    fn start(config: Config) -> Self {
        let (stop, stopped) = oneshot::channel();
        let base = format!("http://{}/api/v1/homes/oak", config.listen);
        let shutdown = async {
            let _ = stopped.await;
        };
        Self { stop, task: tokio::spawn(run(config, shutdown)), base }
    }

    /// Asks until there is an answer that pleases.
    async fn ask<T: serde::de::DeserializeOwned>(&self, what: &str, pleases: impl Fn(&T) -> bool) -> T {
        let plain = reqwest::Client::builder().tls_backend_preconfigured(wattbook_link::nobody());
        let plain = plain.build().expect("a client");
        let asking = async {
            loop {
                let answer = plain.get(format!("{}/{what}", self.base)).send().await;
                if let Ok(answer) = answer
                    && let Ok(answer) = answer.json::<T>().await
                    && pleases(&answer)
                {
                    return answer;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("an answer in time")
    }

    async fn stop(self) {
        self.stop.send(()).expect("it runs");
        let ended = tokio::time::timeout(PATIENCE, self.task).await.expect("it stops in time");
        ended.expect("no panic").expect("a clean end");
    }
}

fn home_config(
    folder: &Path,
    genesis: &Genesis,
    devices: &HomeDevices,
    storage: SocketAddr,
    ports: [SocketAddr; 2],
) -> Config {
    let file = folder.join("genesis.json");
    std::fs::write(&file, serde_json::to_vec(genesis).expect("JSON")).expect("written");
    let key = folder.join("oak.key");
    write_signing_key(&key, &home_key(), None, Existing::Replace).expect("written");
    Config {
        genesis: file,
        passphrase_file: None,
        data: folder.join("data"),
        listen: ports[0],
        servers: vec![format!("http://{}", ports[1])],
        storage: vec![StorageAddress { battery: BATTERY, url: format!("http://{storage}") }],
        utility: UtilityTariff::flat(Price::from_milli_per_kwh(300)),
        utc_offset_minutes: 0,
        tls: None,
        mqtt: None,
        homes: vec![HomeConfig { key, devices: devices.clone(), ..config() }],
        folder: folder.to_owned(),
    }
}

// P1, P3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_p3_s2_what_the_plant_sent_is_recorded_once_through_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let genesis = at_noon();
    let clock = Clock::system(genesis.clock);
    let profiles = Arc::new(profile::sample::read());
    let spec = WorldSpec::of_genesis(&genesis, profiles).expect("a world");
    let plant = Plant::start(spec, clock.clone(), PlantListen::loopback()).await.expect("a plant");
    let devices = plant.home(config().connection_point).expect("a home").clone();
    let context = Context::new(clock.clone(), genesis.rules.slot_length);
    let battery = plant.storage(BATTERY).expect("a battery");
    let storage = generous_storage(open_storage(battery, BATTERY, &context).expect("a battery")).await;
    let ports = [free_port().await, free_port().await];
    let config = home_config(folder.path(), &genesis, &devices, storage, ports);

    let process = Process::start(config.clone());
    let sold = |records: &HomeRecords| !records.transactions.is_empty();
    let records: HomeRecords = process.ask("records", sold).await;
    assert_eq!(records.address, home_key().public_key().account());
    let status: HomeStatus = process.ask("status", |status: &HomeStatus| status.now.is_some()).await;
    assert!(status.now.expect("live").generation > Power::ZERO, "it is noon");
    process.stop().await;

    // The plant goes on for two slots without its controller.
    let missed = status.slot.plus(2);
    clock.wait_until(missed.end(genesis.rules.slot_length)).await;
    let process = Process::start(config);
    let records: HomeRecords =
        process.ask("records", |records: &HomeRecords| records.next_reading > missed).await;
    process.stop().await;

    check(&records, &genesis, &devices, &context).await;
}

/// One sale for every slot in which the feeder's meter counted, of just what it counted, and no other.
async fn check(records: &HomeRecords, genesis: &Genesis, devices: &HomeDevices, context: &Context) {
    let site = open_home(devices, records.connection_point, context).expect("a home");
    let mut counted = Energy::ZERO;
    for reading in &records.readings {
        counted = counted.saturating_add(reading.sent);
        let sales: Vec<u64> = records
            .transactions
            .iter()
            .filter(|sale| sale.kind == "sale" && sale.slot == reading.slot)
            .map(|sale| sale.energy_wh.wh())
            .collect();
        let expected: &[u64] = if reading.sent.is_zero() { &[] } else { &[reading.sent.wh()] };
        assert_eq!(sales, expected, "{reading:?}");
    }
    assert!(counted > Energy::ZERO);
    let last = records.readings.last().expect("readings").slot;
    let latched = site.feeder_meter.latched(last).await.expect("an answer").required().expect("latched");
    assert_eq!(latched.export.wh(), counted.wh(), "nothing that was sent is left unsold");
    let slots: Vec<u64> = records.readings.iter().map(|reading| reading.slot.number()).collect();
    assert!(slots.windows(2).all(|pair| pair[1] == pair[0] + 1), "no slot is left out: {slots:?}");
    assert!(records.next_reading > genesis.first_slot());
}
