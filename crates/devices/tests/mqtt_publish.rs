//! Publishing against Debian's mosquitto, with its own client in the place of Home Assistant: what it is sent,
//! what is kept for it, what it hears when the publisher or the broker is gone.

mod mqtt_peer;

use mqtt_peer::{Ask, Listening, Mosquitto, PATIENCE, mosquitto, rules};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::timeout;
use wattbook_devices::Clock;
use wattbook_devices::driver::Context;
use wattbook_devices::mqtt::discovery::{Entity, Kind};
use wattbook_devices::mqtt::{Display, Look, Publisher, Publishing, Shown, State};
use wattbook_types::{SlotLength, Timestamp};

const ENTITIES: &[Entity] = &[
    Entity { key: "generation", name: "Generation", kind: Kind::Power },
    Entity { key: "limit", name: "Charge limit", kind: Kind::PowerLimit },
    Entity { key: "sent", name: "Sent", kind: Kind::Counted },
    Entity { key: "stored", name: "Stored", kind: Kind::Stored },
    Entity { key: "charge", name: "Charge", kind: Kind::Charge },
    Entity { key: "balance", name: "Balance", kind: Kind::Balance },
    Entity { key: "earned", name: "Earned", kind: Kind::Sum },
    Entity { key: "price", name: "Price", kind: Kind::Price },
    Entity { key: "reservations", name: "Reservations", kind: Kind::Count },
    Entity { key: "trouble", name: "Trouble", kind: Kind::Words },
    Entity { key: "trouble", name: "Trouble", kind: Kind::Problem },
];

const CONFIG: &str = "homeassistant/device/wattbook_home_1/config";
const STATE: &str = "wattbook/home/north/state";
const AVAILABILITY: &str = "wattbook/home-north/availability";

fn shown(watts: u64) -> Shown {
    let display = Display {
        id: "wattbook_home_1".to_owned(),
        path: "home/north".to_owned(),
        name: "North".to_owned(),
        model: "home",
        entities: ENTITIES,
    };
    let mut state = State::default();
    state.number("generation", Some(watts));
    state.number("limit", None::<u64>);
    state.number("sent", Some(12_345u64));
    state.number("stored", Some(5_000u64));
    state.number("charge", Some(50u64));
    state.thousandths("balance", Some(-1_500i64));
    state.thousandths("earned", Some(7_250i64));
    state.thousandths("price", Some(215i64));
    state.number("reservations", Some(2u64));
    state.words("trouble", Some(&"The grid meter does not answer. ".repeat(20)));
    Shown { display, state, time: Timestamp::from_millis(watts) }
}

/// Publishes what is in the cell, looking often.
fn publish(broker: &Mosquitto, cell: &Arc<Mutex<u64>>) -> Publisher {
    let text = format!(r#"{{"broker":"{}","interval_seconds":3600}}"#, broker.address(""));
    let config: Publishing = serde_json::from_str(&text).expect("a configuration");
    let cell = Arc::clone(cell);
    let look: Look = Box::new(move || {
        let watts = *cell.lock().expect("nobody panicked");
        Box::pin(async move { vec![shown(watts)] })
    });
    let (clock, _hand) = Clock::manual(Timestamp::from_millis(0));
    let context = Context::new(clock, SlotLength::from_seconds(1800));
    let pause = Duration::from_millis(20);
    Publisher::start(&config, "home-north", &context, pause, look).expect("it can be used")
}

/// The next state that says so much power.
fn generation(heard: &Listening, watts: u64) -> String {
    let wanted = format!("\"generation\":{watts},");
    let what = format!("{watts} W");
    heard.next(&what, |heard| heard.topic == STATE && heard.payload.contains(&wanted)).payload
}

/// Waits in a thread where blocking does no harm.
async fn blocking<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(wait).await.expect("it does not panic")
}

#[tokio::test]
async fn d5_state_and_discovery_are_said_kept_and_as_home_assistant_asks() {
    let Some(broker) = mosquitto(Ask::Nothing) else { return };
    let cell = Arc::new(Mutex::new(700));
    let publisher = publish(&broker, &cell);
    timeout(PATIENCE, publisher.link().settled()).await.expect("it connects");
    blocking(move || {
        let live = broker.listen("wattbook/#");
        generation(&live, 700);
        *cell.lock().expect("nobody panicked") = 900;
        let state = generation(&live, 900);
        // Whoever comes later is told all of it by the broker.
        let later = broker.listen("#");
        let [config, kept, availability] = later.each([CONFIG, STATE, AVAILABILITY], |heard| heard.kept);
        assert_eq!((kept, availability.as_str()), (state.clone(), "online"));
        assert_eq!(rules::mistakes("homeassistant", CONFIG, &config, &state), Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn d5_everything_is_said_again_when_home_assistant_starts() {
    let Some(broker) = mosquitto(Ask::Nothing) else { return };
    let publisher = publish(&broker, &Arc::new(Mutex::new(700)));
    timeout(PATIENCE, publisher.link().settled()).await.expect("it connects");
    blocking(move || {
        let live = broker.listen("#");
        generation(&live, 700);
        broker.say("homeassistant/status", "offline");
        broker.say("homeassistant/status", "online");
        live.each([CONFIG, AVAILABILITY, STATE], |heard| !heard.kept);
    })
    .await;
}

#[tokio::test]
async fn p7_the_broker_says_offline_for_a_publisher_that_is_gone() {
    let Some(broker) = mosquitto(Ask::Nothing) else { return };
    let publisher = publish(&broker, &Arc::new(Mutex::new(700)));
    timeout(PATIENCE, publisher.link().settled()).await.expect("it connects");
    let (broker, live) = blocking(move || {
        let live = broker.listen(AVAILABILITY);
        live.next("that it is online", |heard| heard.payload == "online");
        (broker, live)
    })
    .await;
    drop(publisher);
    blocking(move || {
        live.next("that it is offline", |heard| heard.payload == "offline" && !heard.kept);
        let later = broker.listen(AVAILABILITY);
        later.next("that it is offline still", |heard| heard.payload == "offline" && heard.kept);
    })
    .await;
}

#[tokio::test]
async fn p7_a_broker_that_was_killed_and_has_forgotten_everything_is_told_again() {
    let Some(mut broker) = mosquitto(Ask::Nothing) else { return };
    let cell = Arc::new(Mutex::new(700));
    let publisher = publish(&broker, &cell);
    timeout(PATIENCE, publisher.link().settled()).await.expect("it connects");
    broker.kill();
    let mut standing = publisher.link().standing();
    timeout(PATIENCE, standing.wait_for(|standing| !standing.connected))
        .await
        .expect("soon")
        .expect("it is there");
    *cell.lock().expect("nobody panicked") = 1099;
    broker.restart();
    blocking(move || {
        let live = broker.listen("#");
        generation(&live, 1099);
        broker.listen("#").each([CONFIG, AVAILABILITY, STATE], |heard| heard.kept);
    })
    .await;
}

#[tokio::test]
async fn p7_what_the_broker_does_not_permit_is_told_and_the_rest_goes_on() {
    let Some(broker) = mosquitto(Ask::Permission) else { return };
    let text = format!(r#"{{"broker":"{}","topic":"open"}}"#, broker.address(""));
    let config: Publishing = serde_json::from_str(&text).expect("a configuration");
    let look: Look = Box::new(|| Box::pin(async { vec![shown(700)] }));
    let (clock, _hand) = Clock::manual(Timestamp::from_millis(0));
    let context = Context::new(clock, SlotLength::from_seconds(1800));
    let publisher = Publisher::start(&config, "home-north", &context, Duration::from_millis(20), look)
        .expect("it starts");
    let mut standing = publisher.link().standing();
    let told = timeout(PATIENCE, standing.wait_for(|standing| standing.trouble.is_some())).await;
    let trouble = told.expect("soon").expect("it is there").trouble.clone().expect("a trouble");
    assert!(trouble.contains("refuses writing homeassistant/device/wattbook_home_1/config"), "{trouble}");
    blocking(move || {
        broker.listen("open/#").next("the state", |heard| heard.topic == "open/home/north/state")
    })
    .await;
}

#[test]
fn the_rules_find_what_is_wrong() {
    let good = r#"{"device":{"identifiers":["a"],"name":"A"},"origin":{"name":"w"},"availability_topic":"w/a",
        "state_topic":"w/s","components":{"p":{"platform":"sensor","unique_id":"p","name":"P",
        "value_template":"{{ value_json.p }}","device_class":"power","state_class":"measurement",
        "unit_of_measurement":"W"}}}"#;
    let topic = "homeassistant/device/a/config";
    let mistakes = |config: &str| rules::mistakes("homeassistant", topic, config, r#"{"p":1}"#).join("; ");
    assert_eq!(mistakes(good), "");
    for (from, to, words) in [
        (r#""origin":{"name":"w"},"#, "", "origin is missing"),
        (r#"["a"]"#, "[]", "identifiers cannot be"),
        (r#""unique_id":"p","#, "", "unique_id is missing"),
        (r#""unit_of_measurement":"W""#, r#""unit_of_measurement":"Wh""#, "power cannot be in"),
        ("measurement\",", "total\",", "power cannot be Some(\"total\")"),
        ("\"power\"", "\"energy\"", "energy cannot be in"),
        ("value_json.p", "value_json.q", "the state has no"),
        ("w/s", "w/#", "state_topic cannot be"),
        (r#""name":"P","#, r#""nme":"P","#, "nme is not known"),
    ] {
        let found = mistakes(&good.replacen(from, to, 1));
        assert!(found.contains(words), "{to}: {found}");
    }
    assert!(
        !rules::mistakes("homeassistant", "homeassistant/device/a b/config", good, r#"{"p":1}"#).is_empty()
    );
}
