//! The Victron driver against Debian's mosquitto, behind which a GX is played: it says its values only when it
//! is asked to, as `dbus-flashmq` documents.

mod mqtt_peer;

use mqtt_peer::{Ask, Listening, Mosquitto, PATIENCE, mosquitto};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::time::timeout;
use wattbook_devices::driver::{Capability, Context, Protection};
use wattbook_devices::{Clock, DeviceAddress, DeviceError, Reading, registry};
use wattbook_types::{Power, SlotLength, Timestamp};

const NOW: Timestamp = Timestamp::from_millis(1_795_521_600_000);
const PORTAL: &str = "c0619ab12345";

/// What a GX says of a grid meter, as its document has it: energy in kWh, power in W.
const GRID: &[(&str, &str)] = &[
    ("grid/30/ProductName", r#"{"value":"Grid meter"}"#),
    ("grid/30/Ac/L2/Power", r#"{"value":null}"#),
    ("grid/30/Ac/Power", r#"{"value":-1520.4}"#),
    ("grid/30/Ac/Energy/Forward", r#"{"value":4523.32}"#),
    ("grid/30/Ac/Energy/Reverse", r#"{"value":781.0}"#),
];
const SOLAR: &[(&str, &str)] = &[
    ("pvinverter/20/Ac/Power", r#"{"value":936}"#),
    ("pvinverter/20/Ac/Energy/Forward", r#"{"value":12.5}"#),
];

fn context() -> Context {
    Context::new(Clock::manual(NOW).0, SlotLength::from_seconds(1800))
}

fn address(broker: &Mosquitto, rest: &str) -> DeviceAddress {
    format!("victron://127.0.0.1:{}/{PORTAL}/{rest}", broker.port).parse().expect("an address")
}

/// Listens for requests to the GX. There is a message to begin with: `mosquitto_sub` says that it listens only
/// when it has something to print.
fn requests(broker: &Mosquitto) -> Listening {
    broker.say_kept("R/begin", "now");
    broker.listen("R/#")
}

/// Has the GX answer the next request to go on talking.
fn answer(broker: &Mosquitto, requests: &Listening, values: &[(&str, &str)]) {
    let wanted = format!("R/{PORTAL}/keepalive");
    let request = requests.next("a keep-alive", |heard| heard.topic == wanted);
    assert!(!request.kept && request.payload.is_empty(), "{request:?}");
    for (path, payload) in values {
        broker.say(&format!("N/{PORTAL}/{path}"), payload);
    }
}

/// Asks until something is there: messages take their time through the broker.
async fn until<T, F: Future<Output = Result<Reading<T>, DeviceError>>>(read: impl Fn() -> F) -> Reading<T> {
    let there = async {
        loop {
            match read().await {
                Ok(reading) if reading.value().is_some() => return reading,
                Ok(_) | Err(DeviceError::Unreachable { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(PATIENCE, there).await.expect("it says something in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_a_grid_meter_behind_a_gx_is_read_once_it_is_asked_to_talk() {
    let Some(broker) = mosquitto(Ask::Nothing) else { return };
    let requests = requests(&broker);
    let address = address(&broker, "grid/30");
    let open = registry::driver(&address).expect("in the table").counter.expect("it counts");
    let meter = open(&address, &context()).expect("it opens");
    answer(&broker, &requests, GRID);
    let reading = until(|| meter.read()).await;
    assert_eq!(reading.time(), NOW);
    let value = reading.required().expect("a value");
    assert_eq!((value.registers.import.wh(), value.registers.export.wh()), (4_523_320, 781_000));
    assert_eq!(value.power.watts(), -1520);
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_a_solar_inverter_behind_a_gx_counts_outwards_and_has_the_power_that_the_address_rates() {
    let Some(broker) = mosquitto(Ask::Nothing) else { return };
    let requests = requests(&broker);
    let address = address(&broker, "pvinverter/20?rated_power=5000");
    let (driver, context) = (registry::driver(&address).expect("in the table"), context());
    let generator = driver.generator.expect("it generates")(&address, &context).expect("it opens");
    let counter = driver.counter.expect("it counts")(&address, &context).expect("it opens");
    answer(&broker, &requests, SOLAR);
    assert_eq!(until(|| generator.power()).await.value(), Some(&Power::from_watts(936)));
    let counted = until(|| counter.read()).await.required().expect("a value");
    assert_eq!((counted.registers.import.wh(), counted.registers.export.wh()), (0, 12_500));
    assert_eq!(generator.nameplate().await.expect("said").power, Power::from_watts(5000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_null_is_no_zero() {
    let Some(broker) = mosquitto(Ask::Nothing) else { return };
    let requests = requests(&broker);
    let address = address(&broker, "grid/30");
    let open = registry::driver(&address).expect("in the table").counter.expect("it counts");
    let meter = open(&address, &context()).expect("it opens");
    let null: Vec<_> = GRID.iter().map(|(path, _)| (*path, r#"{"value":null}"#)).collect();
    answer(&broker, &requests, &null);
    let nonsense = async {
        loop {
            match meter.read().await {
                Err(DeviceError::Protocol(words)) => return words,
                Ok(reading) => assert_eq!(reading, Reading::missing(NOW)),
                Err(_) => {}
            }
            tokio::task::yield_now().await;
        }
    };
    let words = timeout(PATIENCE, nonsense).await.expect("in time");
    assert!(words.contains("null"), "{words}");
}

#[test]
fn a_probe_wakes_the_gx_and_lists_what_it_says() {
    let Some(broker) = mosquitto(Ask::Nothing) else { return };
    let requests = requests(&broker);
    let address = address(&broker, "grid/30");
    let probe = registry::driver(&address).expect("in the table").probe;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let seen = AtomicBool::new(false);
    let finding = std::thread::scope(|scope| {
        // It answers until the probe has seen enough; the first request may come before the probe listens.
        let (broker, seen) = (&broker, &seen);
        scope.spawn(move || {
            while !seen.load(Ordering::SeqCst) {
                requests.next("a keep-alive", |heard| heard.topic.ends_with("/keepalive"));
                GRID.iter().for_each(|(path, payload)| broker.say(&format!("N/{PORTAL}/{path}"), payload));
            }
        });
        let finding = runtime.block_on(probe(&address, &context()));
        seen.store(true, Ordering::SeqCst);
        broker.say(&format!("R/{PORTAL}/keepalive"), "the last");
        finding.expect("it answers")
    });
    assert_eq!(finding.offers, [Capability::Meter], "{finding:?}");
    let names: Vec<_> =
        finding.parts.iter().filter(|part| part.used).map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["Ac/Energy/Forward:/value", "Ac/Energy/Reverse:/value", "Ac/Power:/value"]);
    assert!(finding.lacks.is_empty(), "{finding:?}");
}

#[test]
fn addresses_are_read_or_refused_in_words() {
    let driver = |text: &str| {
        let address: DeviceAddress = text.parse().expect(text);
        (registry::driver(&address).expect("in the table"), address)
    };
    for (text, words) in [
        ("victron://gx/grid/30", "PORTAL/SERVICE/INSTANCE"),
        ("victron://gx/+/grid/30", "letters and digits"),
        ("victron://gx/c0619ab12345/vebus/257", "there are: grid, acload, pvinverter"),
        ("victron://gx/c0619ab12345/grid/main", "the instance is a number"),
        ("victron://gx/c0619ab12345/grid/30?max_pwoer=1", "max_pwoer"),
    ] {
        let (driver, address) = driver(text);
        let error = driver.counter.expect("it counts")(&address, &context()).err().expect(text).to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
    for (text, words) in [
        ("victron://gx/c0619ab12345/grid/30?rated_power=1", "is no generator"),
        ("victron://gx/c0619ab12345/pvinverter/20", "rated_power=WATTS is missing"),
    ] {
        let (driver, address) = driver(text);
        let error = driver.generator.expect("some")(&address, &context()).err().expect(text).to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
    let (driver, address) = driver("victron://192.0.2.1/c0619ab12345/grid/30");
    assert_eq!((driver.protection)(&address), Protection::None);
}
