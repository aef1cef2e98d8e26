//! The MQTT driver against Debian's mosquitto, with messages as real devices send them.
//!
//! The messages are written by hand after the makers' documentation: Tasmota (Smart Meter Interface; Commands,
//! TelePeriod), Shelly (Gen2+ API: EM and EMData status, MQTT status notifications), zigbee2mqtt (MQTT topics
//! and messages; a plug with power monitoring).

mod mqtt_peer;

use mqtt_peer::{Ask, Mosquitto, PATIENCE, mosquitto};
use std::future::Future;
use tokio::time::timeout;
use wattbook_devices::capability::{GeneratorNameplate, MeterReading, Registers};
use wattbook_devices::clock::Hand;
use wattbook_devices::driver::{Capability, Context, Counter as _, Finding};
use wattbook_devices::drivers::mqtt::MqttMeter;
use wattbook_devices::{Clock, DeviceAddress, DeviceError, Generator as _, Reading, SignedPower, registry};
use wattbook_types::transaction::Generation;
use wattbook_types::{MeterRegister, Power, SlotLength, Timestamp};

/// A time in the messages below: 2026-11-24T12:00:00Z.
const NOON: u64 = 1_795_521_600_000;

const TASMOTA_SML: &str = r#"{"Time":"2026-11-24T12:59:50","SML":{"Total_in":4523.3231,"Total_out":781.0042,"Power_curr":-1520,"Meter_Id":"0a014954520003a1b2c3"}}"#;
const TASMOTA_PLUG: &str = r#"{"Time":"2026-11-24T12:59:50","ENERGY":{"TotalStartTime":"2025-02-11T08:30:00","Total":3.185,"Yesterday":0.058,"Today":0.127,"Period":0,"Power":16,"ApparentPower":21,"ReactivePower":14,"Factor":0.76,"Voltage":233,"Current":0.091}}"#;
const SHELLY_EM: &str = r#"{"id":0,"a_current":4.029,"a_voltage":236.1,"a_act_power":951.2,"a_aprt_power":951.9,"a_pf":1.00,"a_freq":50.0,"b_current":4.027,"b_voltage":236.201,"b_act_power":-951.1,"b_aprt_power":951.8,"b_pf":-1.00,"b_freq":50.0,"c_current":3.03,"c_voltage":236.402,"c_active_power":715.4,"c_aprt_power":716.2,"c_pf":1.00,"c_freq":50.0,"n_current":null,"total_current":11.083,"total_act_power":715.494,"total_aprt_power":2619.900,"user_calibrated_phase":[]}"#;
const SHELLY_EMDATA: &str = r#"{"id":0,"a_total_act_energy":2301.50,"a_total_act_ret_energy":11.00,"b_total_act_energy":400.25,"b_total_act_ret_energy":180.75,"c_total_act_energy":0.00,"c_total_act_ret_energy":0.00,"total_act":2701.75,"total_act_ret":191.75}"#;
const ZIGBEE_PLUG: &str = r#"{"child_lock":"UNLOCK","current":1.92,"energy":123.45,"indicator_mode":"off/on","last_seen":"2026-11-24T12:59:55+01:00","linkquality":112,"power":441,"power_outage_memory":"restore","state":"ON","update":{"installed_version":192,"latest_version":192,"state":"idle"},"voltage":229}"#;

fn context() -> (Context, Hand) {
    let (clock, hand) = Clock::manual(Timestamp::from_millis(NOON));
    (Context::new(clock, SlotLength::from_seconds(1800)), hand)
}

async fn soon<T>(what: &str, wanted: impl Future<Output = T>) -> T {
    timeout(PATIENCE, wanted).await.unwrap_or_else(|_| panic!("{what} takes too long"))
}

async fn open(broker: &Mosquitto, rest: &str, context: &Context) -> MqttMeter {
    let address = broker.address(rest).parse().expect("an address");
    let meter = MqttMeter::open(&address, context).expect("an address that can be used");
    soon("listening", meter.link().settled()).await;
    meter
}

/// Returns when so many messages were taken in.
async fn heard(meter: &MqttMeter, count: u64) {
    let mut heard = meter.heard();
    soon("a message", heard.wait_for(|heard| *heard >= count)).await.expect("the meter is there");
}

fn reading(time: u64, import: u64, export: u64, watts: i64) -> Reading<MeterReading> {
    let part = |watts: i64| Power::from_watts(watts.max(0).unsigned_abs());
    let (import, export) = (MeterRegister::from_wh(import), MeterRegister::from_wh(export));
    let power = SignedPower::between(part(watts), part(-watts));
    Reading::measured(
        Timestamp::from_millis(time),
        MeterReading { registers: Registers { import, export }, power },
    )
}

/// Reads a device after it has said its messages.
async fn read(broker: &Mosquitto, rest: &str, messages: &[(&str, &str)]) -> Reading<MeterReading> {
    let (context, _hand) = context();
    let meter = open(broker, rest, &context).await;
    for (topic, payload) in messages {
        broker.say(topic, payload);
    }
    heard(&meter, messages.len() as u64).await;
    meter.read().await.unwrap_or_else(|error| panic!("{rest}: {error}"))
}

#[tokio::test]
async fn p3_what_three_makers_devices_say_is_read_to_the_watt_hour() {
    let Some(broker) = mosquitto(Ask::Nothing) else { return };
    let sml = "tele/meter/SENSOR?import=/SML/Total_in&export=/SML/Total_out&unit=kWh&power=/SML/Power_curr\
               &power_unit=W";
    let said = [("tele/meter/SENSOR", TASMOTA_SML)];
    assert_eq!(read(&broker, sml, &said).await, reading(NOON, 4_523_323, 781_004, -1520));
    let with_time = format!("{sml}&time=/Time&time_offset=+01:00");
    assert_eq!(read(&broker, &with_time, &said).await, reading(NOON - 10_000, 4_523_323, 781_004, -1520));

    let plug = "tele/plug/SENSOR?import=/ENERGY/Total&export=none&unit=kWh&power=/ENERGY/Power&power_unit=W";
    let said = [("tele/plug/SENSOR", TASMOTA_PLUG)];
    assert_eq!(read(&broker, plug, &said).await, reading(NOON, 3_185, 0, 16));

    let shelly = "shellypro3em-0123/status?import=emdata:0:/total_act&export=emdata:0:/total_act_ret&unit=Wh\
                  &power=em:0:/total_act_power&power_unit=W";
    let said =
        [("shellypro3em-0123/status/em:0", SHELLY_EM), ("shellypro3em-0123/status/emdata:0", SHELLY_EMDATA)];
    assert_eq!(read(&broker, shelly, &said).await, reading(NOON, 2_701, 191, 715));

    let balcony = "zigbee2mqtt/Balcony%20plug?import=none&export=/energy&unit=kWh&power=/power&power_unit=W\
                   &power_sign=export&time=/last_seen";
    let said = [("zigbee2mqtt/Balcony plug", ZIGBEE_PLUG)];
    assert_eq!(read(&broker, balcony, &said).await, reading(NOON - 5_000, 0, 123_450, -441));
}

#[tokio::test]
async fn p3_values_in_topics_of_their_own_are_read_with_the_time_that_follows_them() {
    let Some(broker) = mosquitto(Ask::Nothing) else { return };
    let rest = "meters/grid?import=energy_import&export=energy_export&power_import=in&power_export=out\
                &unit=MWh&power_unit=kW&time=ts";
    let said = [
        ("meters/grid/energy_import", "12.345678"),
        ("meters/grid/energy_export", "0.29"),
        ("meters/grid/in", "0"),
        ("meters/grid/out", "2.5"),
        ("meters/grid/ts", "1795521590"),
    ];
    assert_eq!(read(&broker, rest, &said).await, reading(NOON - 10_000, 12_345_678, 290_000, -2500));
}

#[tokio::test]
async fn p2_a_generator_has_the_nameplate_that_its_address_says() {
    let Some(broker) = mosquitto(Ask::Nothing) else { return };
    let rest = "zigbee2mqtt/plug?power=/power&power_unit=W&power_sign=export&kind=solar&rated_power=800";
    let (context, _hand) = context();
    let generator = open(&broker, rest, &context).await;
    let nameplate = GeneratorNameplate { kind: Generation::Solar, power: Power::from_watts(800) };
    assert_eq!(generator.nameplate().await, Ok(nameplate));
    broker.say("zigbee2mqtt/plug", ZIGBEE_PLUG);
    heard(&generator, 1).await;
    let noon = Timestamp::from_millis(NOON);
    assert_eq!(generator.power().await, Ok(Reading::measured(noon, Power::from_watts(441))));
    broker.say("zigbee2mqtt/plug", r#"{"power":-3}"#);
    heard(&generator, 2).await;
    assert_eq!(generator.power().await, Ok(Reading::measured(noon, Power::ZERO)), "at night it uses some");
}

#[tokio::test]
async fn p3_a_kept_message_and_an_old_one_are_missing() {
    let Some(broker) = mosquitto(Ask::Nothing) else { return };
    let rest = "m?import=/in&export=none&unit=Wh&power=/p&power_unit=W&max_age=120";
    broker.say_kept("m", r#"{"in":10,"p":1}"#);
    let (context, hand) = context();
    let meter = open(&broker, rest, &context).await;
    heard(&meter, 1).await;
    let noon = Timestamp::from_millis(NOON);
    assert_eq!(meter.read().await, Ok(Reading::missing(noon)));
    broker.say_kept("m", r#"{"in":11,"p":1}"#);
    heard(&meter, 2).await;
    assert_eq!(meter.read().await, Ok(reading(NOON, 11, 0, 1)), "who listens already is told live");
    let later = noon.plus_millis(120_001);
    hand.set(later);
    assert_eq!(meter.read().await, Ok(Reading::missing(later)));
    broker.say("m", r#"{"in":"much","p":1}"#);
    heard(&meter, 3).await;
    let error = meter.read().await.expect_err("no number").to_string();
    assert!(error.contains("\"much\"") && error.contains("no number"), "{error}");
}

#[tokio::test]
async fn p3_a_broker_that_is_killed_and_comes_back_is_found_again() {
    let Some(mut broker) = mosquitto(Ask::Nothing) else { return };
    let rest = "m?import=/in&export=none&unit=Wh&power=/p&power_unit=W&max_age=60";
    let (context, hand) = context();
    let meter = open(&broker, rest, &context).await;
    broker.say("m", r#"{"in":10,"p":1}"#);
    heard(&meter, 1).await;
    broker.kill();
    let mut standing = meter.link().standing();
    soon("the break", standing.wait_for(|standing| !standing.connected)).await.expect("the link is there");
    assert_eq!(meter.read().await, Ok(reading(NOON, 10, 0, 1)), "what was said is young still");
    hand.set(Timestamp::from_millis(NOON + 61_000));
    let error = meter.read().await.expect_err("nobody answers");
    assert!(
        matches!(&error, DeviceError::Unreachable { address, .. } if address.starts_with("mqtt://127.0.0.1"))
    );
    broker.restart();
    soon("the return", meter.link().settled()).await;
    broker.say("m", r#"{"in":12,"p":2}"#);
    heard(&meter, 2).await;
    assert_eq!(meter.read().await, Ok(reading(NOON + 61_000, 12, 0, 2)));
}

#[tokio::test]
async fn p3_devices_of_one_broker_share_a_connection() {
    let Some(broker) = mosquitto(Ask::Nothing) else { return };
    let (context, _hand) = context();
    let rest = "import=/in&export=none&unit=Wh&power=/p&power_unit=W";
    let first = open(&broker, &format!("a?{rest}"), &context).await;
    let second = open(&broker, &format!("b?{rest}"), &context).await;
    assert!(std::ptr::eq(first.link(), second.link()));
    broker.say("a", r#"{"in":1,"p":1}"#);
    broker.say("b", r#"{"in":2,"p":2}"#);
    heard(&first, 1).await;
    heard(&second, 1).await;
    assert_eq!(first.read().await, Ok(reading(NOON, 1, 0, 1)));
    assert_eq!(second.read().await, Ok(reading(NOON, 2, 0, 2)));
}

async fn probe(address: &str) -> Result<Finding, DeviceError> {
    let (context, _hand) = context();
    let address: DeviceAddress = address.parse().expect("an address");
    let driver = registry::driver(&address).expect("a driver");
    soon("the probe", (driver.probe)(&address, &context)).await
}

#[tokio::test]
async fn p3_a_probe_says_what_there_is_and_what_would_read_it() {
    let Some(broker) = mosquitto(Ask::Nothing) else { return };
    broker.say_kept("shellypro3em-0123/status/em:0", SHELLY_EM);
    broker.say_kept("shellypro3em-0123/status/emdata:0", SHELLY_EMDATA);
    let finding = probe(&broker.address("shellypro3em-0123/status?listen=1")).await.expect("a finding");
    let part = finding.parts.iter().find(|part| part.name == "emdata:0:/total_act").expect("the register");
    assert!(part.about.contains("2701.75") && part.about.contains("unknown age"), "{part:?}");
    assert!(part.about.contains("import=emdata:0:/total_act&unit=Wh") && !part.used, "{part:?}");
    assert!(finding.offers.is_empty() && finding.lacks.iter().any(|lack| lack.contains("unit=")));
    let tried = finding.remarks.iter().find_map(|remark| remark.strip_prefix("to be tried: "));
    let tried = tried.expect("a proposal").to_owned();

    // What it proposes reads the device, as soon as it speaks.
    let _speaking = broker.say_often("shellypro3em-0123/status/em:0", SHELLY_EM);
    let _as_well = broker.say_often("shellypro3em-0123/status/emdata:0", SHELLY_EMDATA);
    let finding = probe(&format!("{tried}&listen=50")).await.expect("a finding");
    assert_eq!(
        (finding.offers, finding.parts.iter().filter(|part| part.used).count()),
        (vec![Capability::Meter], 3)
    );
}

#[tokio::test]
async fn p3_a_probe_of_silence_says_so() {
    let Some(mut broker) = mosquitto(Ask::Nothing) else { return };
    let whole = "nobody?import=/in&export=none&unit=Wh&power=/p&power_unit=W&listen=1";
    let finding = probe(&broker.address(whole)).await.expect("a finding");
    assert!(finding.offers.is_empty() && finding.parts.is_empty());
    assert!(
        finding.lacks.iter().any(|lack| lack.contains("import= was not said at nobody:/in")),
        "{finding:?}"
    );
    assert!(finding.remarks.iter().any(|remark| remark.contains("nothing was said under \"nobody\"")));
    broker.kill();
    let error = probe(&broker.address(whole)).await.expect_err("no broker").to_string();
    assert!(error.contains("does not answer") && error.contains("refused"), "{error}");
}
