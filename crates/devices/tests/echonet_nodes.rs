//! The ECHONET Lite driver against nodes that behave as real ones may: they lose requests, answer others' or
//! in another order or nonsense, are unknown, and other programs take the port.
//!
//! The nodes are scripts that answer from tables.

mod echonet_bench;

use echonet_bench::script::{Script, Table};
use echonet_bench::tables::{at, battery, context, ending, meter, said, solar};
use echonet_bench::{address, counter, driver, own_address, probe};
use proptest::prelude::*;
use std::net::{SocketAddr, UdpSocket};
use wattbook_devices::DeviceError;
use wattbook_devices::driver::Capability;
use wattbook_devices::echonet::{Frame, PORT, Service};

#[tokio::test]
async fn only_the_asked_hosts_answer_to_the_very_question_is_taken() {
    let script = Script::start(vec![solar()]).await;
    let stranger = UdpSocket::bind((own_address(), 0)).expect("a socket");
    script.before_answer(move |answer, controller| {
        let lie = |frame: Frame| {
            let mut frame = frame;
            for property in frame.properties.iter_mut().filter(|property| property.epc == 0xE0) {
                property.edt = vec![0, 1];
            }
            frame.encode()
        };
        stranger.send_to(&lie(answer.clone()), controller).expect("sent");
        let mut others = vec![
            b"nothing".to_vec(),
            lie(Frame { tid: answer.tid.wrapping_add(1), ..answer.clone() }),
            lie(Frame { tid: answer.tid.wrapping_sub(1), ..answer.clone() }),
            lie(Frame { from: answer.to, ..answer.clone() }),
            lie(Frame { service: Service::Inf, ..answer.clone() }),
            lie(Frame { service: Service::SetRes, ..answer.clone() }),
        ];
        let mut long = lie(answer.clone());
        long.push(0);
        others.push(long);
        others
    });
    let reading = counter(&at(&script, "027901"), &context().0).read().await;
    assert_eq!(said(reading), "0 999999 -3000");
}

#[tokio::test]
async fn an_answer_in_another_order_or_from_another_port_is_an_answer() {
    let script = Script::start(vec![solar()]).await;
    script.twist(|mut answer| {
        answer.properties.reverse();
        answer
    });
    assert_eq!(said(counter(&at(&script, "027901"), &context().0).read().await), "0 999999 -3000");
    script.answer_from_another_port();
    assert_eq!(said(counter(&at(&script, "027901"), &context().0).read().await), "0 999999 -3000");
}

#[tokio::test]
async fn a_lost_request_is_sent_again_as_it_was_and_silence_is_said() {
    let script = Script::start(vec![solar()]).await;
    let meter = counter(&at(&script, "027901"), &context().0);
    script.lose(1);
    assert_eq!(said(meter.read().await), "0 999999 -3000");
    let requests = script.requests();
    assert_eq!(requests[0], requests[1], "the same, with one number");
    script.lose(1_000);
    let error = meter.read().await.expect_err("silence");
    assert!(matches!(error, DeviceError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("no answer from 027901 within 1000 ms, asked 3 times"), "{error}");
}

#[tokio::test]
async fn a_node_that_answers_only_one_property_at_a_time_is_asked_one_at_a_time() {
    let script = Script::start(vec![solar()]).await;
    script.twist(|mut answer| {
        if answer.properties.len() > 1 && answer.properties[0].epc != 0x9F {
            answer.service = Service::GetSna;
            for property in &mut answer.properties {
                property.edt.clear();
            }
        }
        answer
    });
    assert_eq!(said(counter(&at(&script, "027901"), &context().0).read().await), "0 999999 -3000");
}

#[tokio::test]
async fn whoever_loses_its_port_to_another_program_is_told_so() {
    let script = Script::start(vec![solar()]).await;
    let mine = own_address();
    let text = format!("echonet://{}/027901?bind={mine}&patience=1", script.address());
    let meter = counter(&address(&text), &context().0);
    assert!(meter.read().await.is_ok());
    let thief = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).expect("a socket");
    thief.set_reuse_address(true).expect("shared");
    thief.bind(&SocketAddr::new(mine.into(), PORT).into()).expect("bound");
    let words = meter.read().await.expect_err("deaf").to_string();
    assert!(words.contains(&format!("took UDP port 3610 of {mine}")) && words.contains("?bind="), "{words}");
    drop(thief);
    assert!(meter.read().await.is_ok());
}

#[tokio::test]
async fn an_address_that_is_not_this_machines_is_said() {
    let text = "echonet://127.0.0.1/027901?bind=192.0.2.1";
    let words = counter(&address(text), &context().0).read().await.expect_err("no such address").to_string();
    assert!(words.contains("192.0.2.1:3610, which cannot be had"), "{words}");
}

#[tokio::test]
async fn a_probe_says_what_an_unknown_object_is_and_what_a_known_one_lacks() {
    let air = Table::new("013001", &["80"]).with(&[("80", "30"), ("B0", "42"), ("8A", "00000B")]);
    let poor = solar().without("E0").without("E1");
    let script = Script::start(vec![air, poor]).await;
    let finding = probe(&at(&script, ""), &context().0).await.expect("a finding");
    assert_eq!(finding.offers, Vec::<Capability>::new());
    assert_eq!(finding.manufacturer.as_deref(), Some("maker 00000B"));
    let words = finding.lacks.join("\n");
    for expected in [
        "013001 is of class 0130, and this driver knows 0279, 027D and 0288",
        "027901 for use as meter: cannot read E0 (power generated); cannot read E1 (energy generated)",
        "027901 for use as generator: cannot read E0",
        "cannot set A1 (output power control in watts) or E6 (output limit in watts) or A0",
    ] {
        assert!(words.contains(expected), "{words}");
    }
    let seen = finding.parts.iter().find(|part| part.place == "013001/B0").expect("what was seen");
    assert_eq!((seen.about.as_str(), seen.used), ("not known here (read)", false));
    let silent = Script::start(vec![]).await;
    silent.lose(1_000);
    assert!(matches!(probe(&at(&silent, ""), &context().0).await, Err(DeviceError::Unreachable { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_node_answers_nothing_panics(
        answers in proptest::collection::vec((0x80..=0xFF_u8, proptest::collection::vec(any::<u8>(), 0..12)), 0..40),
        maps in any::<bool>(),
        days in any::<Option<[u8; 2]>>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let twist = move |mut table: Table| {
                for (code, edt) in answers.iter().filter(|(code, _)| maps || !matches!(code, 0x9D..=0x9F)) {
                    table.answers.insert(*code, edt.clone());
                }
                if let Some(number) = days {
                    let day = [&number[..], &[0; 192][..]].concat();
                    table.answers.insert(0xE2, day.clone());
                    table.answers.insert(0xE4, day);
                }
                table
            };
            let script = Script::start([solar(), battery(), meter()].map(twist).into()).await;
            let (context, _) = context();
            for object in ["027901", "027D01", "028801"] {
                let counter = counter(&at(&script, object), &context);
                let _ = (counter.read().await, counter.kept(ending(3)).await, counter.traits().await);
            }
            let (solar, battery) = (at(&script, "027901"), at(&script, "027D01"));
            let _ = driver().generator.expect("there")(&solar, &context).expect("opens").nameplate().await;
            let _ = driver().curtail.expect("there")(&solar, &context).expect("opens").curtail(None).await;
            let source = driver().battery.expect("there")(&battery, &context).expect("opens");
            let _ = (source.nameplate().await, source.state().await);
            let _ = probe(&at(&script, ""), &context).await;
        });
    }
}
