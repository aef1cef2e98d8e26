//! p7, f23: links to a broker within TLS, with a password or a certificate; and who is not let in, or not
//! trusted. The broker is Debian's mosquitto, the certificates are made by openssl.
//!
//! Always: whatever happens, no password is logged, by us or by the library beneath; one program of its own,
//! because what is logged is watched for the whole process.

mod mqtt_peer;

use mqtt_peer::{Ask, Mosquitto, PASSWORD, PATIENCE, mosquitto};
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::time::timeout;
use wattbook_devices::driver::{Context, Counter as _, Protection};
use wattbook_devices::drivers::mqtt::MqttMeter;
use wattbook_devices::{Clock, DeviceAddress, DeviceError, registry};
use wattbook_types::{SlotLength, Timestamp};

/// Everything that was logged, at the finest level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        let fine = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
        fine.with_writer(move || writer.clone()).init();
        log
    })
}

const VALUES: &str = "import=/in&export=none&unit=Wh&power=/p&power_unit=W";

fn meter(broker: &Mosquitto, options: &str) -> (MqttMeter, Protection) {
    let (clock, _hand) = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
    let mut context = Context::new(clock, SlotLength::from_seconds(1800));
    context.folder = broker.folder.path().to_owned();
    let address: DeviceAddress = broker.address(&format!("m?{VALUES}{options}")).parse().expect("an address");
    let protection = (registry::driver(&address).expect("a driver").protection)(&address);
    (MqttMeter::open(&address, &context).expect("an address that can be used"), protection)
}

/// What is read once the device has spoken.
async fn reads(broker: &Mosquitto, options: &str) -> Protection {
    let (meter, protection) = meter(broker, options);
    timeout(PATIENCE, meter.link().settled()).await.expect("it connects");
    broker.say("m", r#"{"in":10,"p":-5}"#);
    timeout(PATIENCE, meter.heard().wait_for(|heard| *heard > 0))
        .await
        .expect("it hears")
        .expect("it is there");
    let reading = meter.read().await.and_then(|reading| reading.required()).expect("a reading");
    assert_eq!((reading.registers.import.wh(), reading.power.watts()), (10, -5));
    protection
}

/// Why there is no connection.
async fn refused(broker: &Mosquitto, options: &str) -> String {
    let (meter, _) = meter(broker, options);
    let mut standing = meter.link().standing();
    let told =
        timeout(PATIENCE, standing.wait_for(|standing| standing.trouble.is_some() || standing.connected));
    told.await.expect("an end").expect("the link is there");
    match meter.read().await {
        Err(DeviceError::Unreachable { reason, .. }) => reason,
        other => panic!("{options}: {other:?}"),
    }
}

#[tokio::test]
async fn p7_a_password_lets_in_and_is_shown_nowhere() {
    let Some(broker) = mosquitto(Ask::Password) else { return };
    let log = log();
    let credentials = "&ca=ca.crt&user=wattbook&password_file=password";
    assert_eq!(reads(&broker, credentials).await, Protection::Mutual);
    std::fs::write(broker.folder.path().join("wrong"), "guess\n").expect("written");
    for options in ["&ca=ca.crt&user=wattbook&password_file=wrong", "&ca=ca.crt&user=wattbook", "&ca=ca.crt"]
    {
        assert_eq!(
            refused(&broker, options).await,
            "the broker refuses the user or the password",
            "{options}"
        );
    }
    let gone = refused(&broker, "&ca=ca.crt&user=wattbook&password_file=gone").await;
    assert!(gone.contains("gone") && gone.contains("No such file"), "{gone}");
    let logged = String::from_utf8_lossy(&log.0.lock().expect("nobody panicked")).into_owned();
    for words in ["connected to the MQTT broker", "rustls"] {
        assert!(logged.contains(words), "this program and those beneath it are heard: {logged}");
    }
    assert!(!logged.contains(PASSWORD) && !logged.contains("guess"), "{logged}");
}

#[tokio::test]
async fn p7_a_renewed_password_counts_from_the_next_attempt_on() {
    let Some(broker) = mosquitto(Ask::Password) else { return };
    let file = broker.folder.path().join("renewed");
    std::fs::write(&file, "old").expect("written");
    let (meter, _) = meter(&broker, "&ca=ca.crt&user=wattbook&password_file=renewed");
    let mut standing = meter.link().standing();
    let told = timeout(PATIENCE, standing.wait_for(|standing| standing.trouble.is_some())).await;
    told.expect("an end").expect("the link is there");
    std::fs::write(&file, PASSWORD).expect("written");
    timeout(PATIENCE, meter.link().settled()).await.expect("it connects with the new one");
}

#[tokio::test]
async fn p7_a_certificate_lets_in_and_no_other_does() {
    let Some(broker) = mosquitto(Ask::Certificate) else { return };
    let own = "&ca=ca.crt&cert=client.crt&key=client.key";
    assert_eq!(reads(&broker, own).await, Protection::Mutual);
    let none = refused(&broker, "&ca=ca.crt").await;
    assert!(none.to_lowercase().contains("certificate"), "{none}");
}

#[tokio::test]
async fn f23_who_poses_as_the_broker_is_not_trusted() {
    let Some(broker) = mosquitto(Ask::Password) else { return };
    let Some(other) = mosquitto(Ask::Password) else { return };
    let strange = other.folder.path().join("ca.crt").display().to_string();
    let credentials = "&user=wattbook&password_file=password";
    let posed = refused(&broker, &format!("&ca={strange}{credentials}")).await;
    assert!(posed.contains("invalid peer certificate"), "{posed}");
    let unknown = refused(&broker, credentials).await;
    assert!(unknown.contains("certificate"), "the system's authorities do not know it: {unknown}");
    // A broker that speaks TLS is not spoken to without.
    let plain = broker.address(&format!("m?{VALUES}")).replace("mqtts://", "mqtt://");
    let (clock, _hand) = Clock::manual(Timestamp::from_millis(0));
    let context = Context::new(clock, SlotLength::from_seconds(1800));
    let meter = MqttMeter::open(&plain.parse().expect("an address"), &context).expect("an address");
    let mut standing = meter.link().standing();
    let told = timeout(PATIENCE, standing.wait_for(|standing| standing.trouble.is_some())).await;
    told.expect("an end").expect("the link is there");
    assert!(matches!(meter.read().await, Err(DeviceError::Unreachable { .. })));
}
