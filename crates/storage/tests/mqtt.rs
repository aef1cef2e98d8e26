//! A battery on an MQTT broker: what it shows, as Home Assistant would read it, and that it goes on reporting
//! when the broker is killed. The broker is Debian's mosquitto, with its own client as the reader.

mod common;
#[path = "../../devices/tests/mqtt_peer/mod.rs"]
mod mqtt_peer;

use common::{FakeLedger, Site, client, slot};
use mqtt_peer::{Ask, Heard, PATIENCE, mosquitto, rules};
use serde_json::Value;
use tokio::time::timeout;
use wattbook_client::api::ReportQuery;

async fn blocking<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(wait).await.expect("it does not panic")
}

fn with_stored(wh: u64) -> impl Fn(&Heard) -> bool {
    let wanted = format!("\"stored\":{wh},");
    move |heard| heard.topic == "wattbook/battery/1/state" && heard.payload.contains(&wanted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d5_p6_home_assistant_is_shown_the_battery_and_reports_go_on_when_the_broker_is_killed() {
    let Some(broker) = mosquitto(Ask::Nothing) else { return };
    let (site, folder) = (Site::new().await, tempfile::tempdir().expect("a folder"));
    let mut manager = site.manager(folder.path(), FakeLedger::new()).await;
    site.accept(folder.path(), 10).await;
    site.end_slot(0).await;
    let config = format!(r#"{{"broker":"{}"}}"#, broker.address(""));
    let config = serde_json::from_str(&config).expect("a configuration");
    let mut standing = manager.show(&config).expect("it can be used").link().standing();
    let (mut broker, state) = blocking(move || {
        // 1 kWh sent, less 2 % on the line; of that 95 % are stored.
        let state = broker.listen("#").next("the battery", with_stored(931)).payload;
        let config = broker.listen("homeassistant/device/+/config").next("discovery", |heard| heard.kept);
        let mistakes = rules::mistakes("homeassistant", &config.topic, &config.payload, &state);
        assert_eq!(mistakes, Vec::<String>::new());
        (broker, serde_json::from_str::<Value>(&state).expect("JSON"))
    })
    .await;
    let wanted = serde_json::json!({
        "stored": 931, "capacity": 10_000, "charge": 9, "charge_limit": 4_000, "discharge_limit": 4_000,
        "import": 980, "export": 0, "reservations": 0, "reserved": 0, "trouble": null,
    });
    for (key, value) in wanted.as_object().expect("an object") {
        assert_eq!(&state[key], value, "{key}");
    }

    broker.kill();
    timeout(PATIENCE, standing.wait_for(|now| !now.connected)).await.expect("soon").expect("it is there");
    site.end_slot(1).await;
    let query = ReportQuery { slot: Some(slot(1)), ..ReportQuery::default() };
    let reports = timeout(PATIENCE, client(&manager).reports(&query)).await.expect("it answers");
    assert_eq!(reports.expect("an answer").len(), 1, "it reports without the broker");
    broker.restart();
    blocking(move || broker.listen("#").next("the battery again", with_stored(1_862))).await;
    manager.stop().await;
}
