//! What becomes of messages: their age, their order, and what is no number.

use super::*;
use crate::clock::Hand;

const START: u64 = 1_700_000_000_000;

fn book(options: &str) -> (Book, Hand) {
    let address = format!("mqtt://broker/m?unit=kWh&power_unit=W&{options}");
    let settings = Settings::of_address(&address.parse().expect("an address")).expect("settings");
    let (clock, hand) = Clock::manual(Timestamp::from_millis(START));
    (Book::new(settings, clock), hand)
}

fn say(book: &Book, topic: &str, payload: &str, retained: bool) {
    book.heard(&Message { topic, payload: payload.as_bytes(), retained });
}

fn after(seconds: u64) -> Timestamp {
    Timestamp::from_millis(START + seconds * 1000)
}

fn found(book: &Book, role: Role) -> Option<(i128, Timestamp)> {
    match book.find(&[role]) {
        Found::All(all) => all.get(&role).map(|(value, time)| (value.whole(3).expect("it fits"), *time)),
        _ => None,
    }
}

fn missing(book: &Book, role: Role) -> String {
    match book.find(&[role]) {
        Found::Missing(why) => why.unwrap_or_default(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_value_has_the_time_of_its_message_and_grows_too_old() {
    let (book, hand) = book("import=total&max_age=120");
    assert_eq!(missing(&book, Role::Import), "");
    hand.set(after(7));
    say(&book, "m/total", "12.345", false);
    hand.set(after(127));
    assert_eq!(found(&book, Role::Import), Some((12_345, after(7))));
    hand.set(Timestamp::from_millis(START + 127_001));
    assert_eq!(missing(&book, Role::Import), "");
    say(&book, "m/total", "12.346", false);
    assert!(found(&book, Role::Import).is_some());
}

#[test]
fn p3_a_kept_message_is_not_believed_until_the_device_speaks() {
    let (book, _hand) = book("import=total");
    say(&book, "m/total", "12.345", true);
    assert_eq!(missing(&book, Role::Import), "");
    say(&book, "m/total", "12.346", false);
    assert_eq!(found(&book, Role::Import), Some((12_346, after(0))));
    say(&book, "m/total", "12.345", true);
    assert_eq!(found(&book, Role::Import), Some((12_346, after(0))), "nor does it replace a live one");
}

#[test]
fn p3_a_kept_message_that_states_its_time_is_as_old_as_that() {
    let (book, hand) = book("import=/total&time=/ts&max_age=60");
    say(&book, "m", r#"{"ts":1699999970,"total":5.001}"#, true);
    assert_eq!(found(&book, Role::Import), Some((5_001, Timestamp::from_millis(START - 30_000))));
    hand.set(after(31));
    assert_eq!(missing(&book, Role::Import), "");
    say(&book, "m", r#"{"ts":1699999900,"total":4.9}"#, true);
    say(&book, "m", r#"{"total":5.2}"#, true);
    assert_eq!(missing(&book, Role::Import), "");
    say(&book, "m", r#"{"total":5.3}"#, false);
    assert_eq!(found(&book, Role::Import), Some((5_300, after(31))), "a live one without time has its own");
}

#[test]
fn an_older_message_does_not_replace_a_newer_one() {
    let (book, hand) = book("import=/total&time=/ts");
    hand.set(after(20));
    say(&book, "m", r#"{"ts":1700000010,"total":5.010}"#, false);
    say(&book, "m", r#"{"ts":1700000005,"total":5.005}"#, false);
    assert_eq!(found(&book, Role::Import), Some((5_010, after(10))));
}

#[test]
fn values_of_several_topics_take_the_time_that_follows_them() {
    let (book, hand) = book("import=in&export=out&time=ts");
    say(&book, "m/in", "1.001", false);
    say(&book, "m/out", "2.002", false);
    assert_eq!(missing(&book, Role::Import), "", "their time has not been said yet");
    hand.set(after(9));
    say(&book, "m/ts", "1700000003", true);
    assert_eq!(missing(&book, Role::Import), "", "a kept time says nothing of these values");
    say(&book, "m/ts", "1700000004", false);
    assert_eq!(found(&book, Role::Import), Some((1_001, after(4))));
    assert_eq!(found(&book, Role::Export), Some((2_002, after(4))));
    say(&book, "m/in", "1.005", false);
    assert_eq!(found(&book, Role::Import), Some((1_001, after(4))), "not mixed with the next");
}

#[test]
fn a_device_whose_clock_is_ahead_is_not_believed_beyond_a_minute() {
    let (book, _hand) = book("import=/total&time=/ts");
    say(&book, "m", r#"{"ts":1700000061,"total":5}"#, false);
    assert!(missing(&book, Role::Import).contains("61 s ahead"));
    say(&book, "m", r#"{"ts":1700000060,"total":5}"#, false);
    assert_eq!(found(&book, Role::Import), Some((5_000, after(0))));
}

#[test]
fn what_is_no_number_is_told_and_quoted_short() {
    let (book, _hand) = book("import=total&power=/p");
    for (topic, payload) in [("m/total", "unavailable"), ("m/total", ""), ("m/total", "1,5")] {
        say(&book, topic, payload, false);
        let Found::Nonsense(words) = book.find(&[Role::Import]) else { panic!("{payload}") };
        assert!(words.contains(payload) && words.contains("m/total"), "{words}");
    }
    say(&book, "m/total", "1.5", false);
    assert!(found(&book, Role::Import).is_some());
    say(&book, "m", &"x".repeat(10_000), false);
    assert!(missing(&book, Role::Power).contains("no JSON") && missing(&book, Role::Power).len() < 200);
    say(&book, "m", r#"{"q":1}"#, false);
    assert!(missing(&book, Role::Power).contains("has no /p"));
    say(&book, "m", r#"{"p":null}"#, false);
    assert!(matches!(book.find(&[Role::Power]), Found::Nonsense(_)));
    book.heard(&Message { topic: "m/total", payload: &[0xff, 0xfe], retained: false });
    assert!(found(&book, Role::Import).is_some(), "what is no text replaces nothing");
}

#[test]
fn a_message_without_the_value_leaves_the_last_one_to_age() {
    let (book, hand) = book("import=/in&max_age=60");
    say(&book, "m", r#"{"in":1}"#, false);
    hand.set(after(40));
    say(&book, "m", r#"{"other":2}"#, false);
    assert_eq!(found(&book, Role::Import), Some((1_000, after(0))));
    hand.set(after(61));
    assert!(missing(&book, Role::Import).contains("has no /in"));
}
