//! The made-up meter: recorded answers, and a device on loopback that gives them.

use super::DRIVER;
use super::registers::reading;
use crate::address::DeviceAddress;
use crate::clock::Clock;
use crate::driver::{Capability, Context, Protection};
use crate::reading::{DeviceError, Reading};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use wattbook_types::{SlotLength, Timestamp};

const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);

fn context() -> Context {
    // The hand is gone; the clock stands.
    Context::new(Clock::manual(NOW).0, SlotLength::from_seconds(1800))
}

/// A device that answers each question with what the test says, or hangs up. Gives its address.
async fn device(answers: &'static [(&'static str, &'static str)]) -> DeviceAddress {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("template://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut question = String::new();
            BufReader::new(&mut stream).read_line(&mut question).await.expect("a question");
            if let Some((_, answer)) = answers.iter().find(|(asked, _)| *asked == question.trim_end()) {
                stream.write_all(answer.as_bytes()).await.expect("an answer");
            }
        }
    });
    address.parse().expect("an address")
}

#[test]
fn recorded_answers_become_values_or_words() {
    for (answer, expected) in [
        ("in=1234567 out=42 now=-1500", Ok(Some((12_345_670, 420, -1500)))),
        ("in=0 out=0 now=0 note=fine", Ok(Some((0, 0, 0)))),
        ("in=9999999 out=0 now=7", Ok(Some((99_999_990, 0, 7)))),
        ("in=1 now=7", Ok(None)),
        ("", Ok(None)),
        ("in=10000000 out=0 now=7", Err("it says in=10000000, which is no such number")),
        (
            "in=18446744073709551615 out=0 now=7",
            Err("it says in=18446744073709551615, which is no such number"),
        ),
        ("in=1 out=-1 now=7", Err("it says out=-1, which is no such number")),
        ("in=1 out=1 now=much", Err("it says now=much, which is no such number")),
    ] {
        let read = reading(answer).map(|read| {
            let wh = |read: crate::MeterReading| (read.registers.import.wh(), read.registers.export.wh());
            read.map(|read| (wh(read).0, wh(read).1, read.power.watts()))
        });
        let expected = expected.map_err(|words: &str| DeviceError::Protocol(words.to_owned()));
        assert_eq!(read, expected, "{answer}");
    }
}

#[tokio::test]
async fn p3_a_meter_is_read_over_the_wire() {
    let address = device(&[("read", "in=100 out=42 now=-1500\n")]).await;
    let meter = DRIVER.counter.expect("it counts")(&address, &context()).expect("it opens");
    let read = meter.read().await.expect("it answers");
    assert_eq!(read.time(), NOW);
    let value = read.required().expect("all registers");
    assert_eq!((value.registers.import.wh(), value.registers.export.wh()), (1000, 420));
    assert_eq!(value.power.watts(), -1500);
}

#[tokio::test]
async fn what_the_device_does_not_say_is_missing_and_what_it_says_wrongly_an_error() {
    let half = device(&[("read", "in=100\n")]).await;
    let meter = DRIVER.counter.expect("it counts")(&half, &context()).expect("it opens");
    assert_eq!(meter.read().await, Ok(Reading::missing(NOW)));
    for (answers, words) in [
        (&[("read", "in=x out=1 now=1\n")][..], "it says in=x"),
        (&[("read", "in=1 out=1 now=1")][..], "its answer has no end"),
        (&[][..], "it hung up without an answer"),
    ] {
        let meter = DRIVER.counter.expect("it counts")(&device(answers).await, &context()).expect("it opens");
        let error = meter.read().await.expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_probe_says_what_it_is_and_what_is_missing() {
    const WHO: (&str, &str) = ("who", "maker=Example model=M1 serial=007\n");
    let whole = device(&[WHO, ("read", "in=1 out=2 now=3\n")]).await;
    let finding = (DRIVER.probe)(&whole, &context()).await.expect("it answers");
    assert_eq!(finding.model.as_deref(), Some("M1"));
    assert_eq!(finding.offers, [Capability::Meter]);
    assert_eq!(finding.parts[0].place, "shows 1");
    let half = device(&[("who", "maker=Example\n"), ("read", "in=1\n")]).await;
    let finding = (DRIVER.probe)(&half, &context()).await.expect("it answers");
    assert!(finding.offers.is_empty() && finding.lacks[0].contains("does not say all"), "{finding:?}");
}

#[test]
fn addresses_are_read_or_refused_in_words() {
    let open = DRIVER.counter.expect("it counts");
    let address = |text: &str| text.parse::<DeviceAddress>().expect(text);
    // Nobody is there, and nobody needs to be yet.
    assert!(open(&address("template://192.0.2.1?max_power=5000"), &context()).is_ok());
    for (text, words) in [
        ("template://192.0.2.1?max_pwoer=5000", "there are: max_power"),
        ("template://192.0.2.1?max_power=5kW", "max_power is in whole watts"),
        ("template://192.0.2.1/1", "nothing stands after the host"),
    ] {
        let error = open(&address(text), &context()).err().expect(text).to_string();
        assert!(error.contains(words), "{error}");
    }
    assert_eq!((DRIVER.protection)(&address("template://127.0.0.1")), Protection::Loopback);
    assert_eq!((DRIVER.protection)(&address("template://192.0.2.1")), Protection::None);
}
