//! A watched device: the ends of slots, silence, restarts.

use super::*;

#[tokio::test]
async fn p3_a_slots_end_is_taken_from_the_readings_around_it() {
    let bench = Bench::new();
    bench.shows(0, 1_000).await.unwrap();
    assert_eq!(bench.latched(0).await, None, "it has not ended");
    // Ten seconds before the end, and ten after.
    bench.shows(1_790, 1_100).await.unwrap();
    bench.shows(1_810, 1_102).await.unwrap();
    assert_eq!(bench.latched(0).await, Some((1_101, Quality::Measured)));
    // Ten minutes before, and ten after.
    bench.shows(3_000, 1_200).await.unwrap();
    bench.shows(4_200, 1_300).await.unwrap();
    assert_eq!(bench.latched(1).await, Some((1_250, Quality::Substituted)));
    // Nothing for more than a slot; what came is not lost, only not said of a slot.
    bench.shows(9_200, 1_900).await.unwrap();
    assert_eq!((bench.latched(2).await, bench.latched(3).await), (None, None));
    assert_eq!(bench.latched(4).await, None);
    bench.shows(10_805, 2_000).await.unwrap();
    assert_eq!(bench.latched(5).await, Some((1_999, Quality::Measured)));
}

#[tokio::test]
async fn p3_asking_for_a_slots_end_looks_at_the_meter_where_that_helps() {
    let bench = Bench::new();
    bench.shows(1_700, 500).await.unwrap();
    bench.hand.set(at(1_801));
    bench.script().now = Some((520, 0));
    assert_eq!(bench.latched(0).await, Some((519, Quality::Measured)));
    let looks = bench.script().looks;
    // What was said stays said, and costs nothing.
    bench.script().now = Some((540, 0));
    assert_eq!(bench.latched(0).await, Some((519, Quality::Measured)));
    assert_eq!(bench.script().looks, looks);
}

#[tokio::test]
async fn p3_a_meter_that_keeps_its_registers_is_asked_for_them() {
    let bench = Bench::new();
    bench.script().kept = Some(BTreeMap::new());
    bench.shows(1_000, 700).await.unwrap();
    bench.hand.set(at(1_801));
    bench.script().now = Some((780, 0));
    // It may be about to keep them.
    assert_eq!(bench.latched(0).await, None);
    bench.script().kept = Some(BTreeMap::from([(slot(0), 777)]));
    assert_eq!(bench.latched(0).await, Some((777, Quality::Measured)));
    // After an absence of many slots too.
    bench.hand.set(at(1_800 * 50));
    let kept = (0..50).map(|number| (slot(number), 777 + 100 * number)).collect();
    bench.script().kept = Some(kept);
    bench.script().now = Some((777 + 4_950, 0));
    bench.watch.read().await.unwrap();
    assert_eq!(bench.latched(20).await, Some((2_777, Quality::Measured)));
    // What it keeps must fit what it showed.
    bench.script().kept = Some(BTreeMap::from([(slot(30), 999_999), (slot(10), 3)]));
    assert_eq!((bench.latched(30).await, bench.latched(10).await), (None, None));
    assert_eq!(bench.told(), [NoticeKind::Nonsense, NoticeKind::Nonsense]);
}

#[tokio::test]
async fn p3_nothing_is_said_of_the_slot_in_which_a_register_was_reset() {
    let bench = Bench::new();
    bench.shows(10, 5_000).await.unwrap();
    bench.shows(1_795, 5_100).await.unwrap();
    bench.shows(1_805, 5_100).await.unwrap();
    assert!(bench.latched(0).await.is_some());
    bench.shows(2_400, 0).await.unwrap();
    let held = bench.watch.read().await.unwrap();
    assert_eq!((held.quality(), held.value().unwrap().registers), (Quality::Substituted, import(5_100)));
    bench.shows(2_500, 10).await.unwrap();
    bench.shows(3_601, 90).await.unwrap();
    assert_eq!(bench.latched(1).await, None);
    bench.shows(5_401, 190).await.unwrap();
    assert_eq!(bench.latched(2).await, Some((5_289, Quality::Measured)), "counted on");
    assert_eq!(bench.told(), [NoticeKind::Reset]);
    assert!(bench.notices.recent()[0].words.starts_with("The feeder meter has begun to count anew"));
}

#[tokio::test]
async fn p3_a_meter_that_kept_registers_before_and_after_a_reset_is_understood() {
    let bench = Bench::new();
    bench.script().kept = Some(BTreeMap::from([(slot(0), 5_050), (slot(2), 200)]));
    bench.shows(100, 5_000).await.unwrap();
    bench.shows(2_000, 5_060).await.unwrap();
    bench.shows(2_100, 0).await.unwrap();
    bench.shows(2_200, 10).await.unwrap();
    bench.shows(5_600, 210).await.unwrap();
    assert_eq!(bench.latched(0).await, Some((5_050, Quality::Measured)), "of the time before");
    assert_eq!(bench.latched(1).await, None);
    assert_eq!(bench.latched(2).await, Some((5_260, Quality::Measured)), "of the time after");
}

#[tokio::test]
async fn p3_a_frozen_meter_is_missing_and_told_until_it_moves() {
    let bench = Bench::new();
    for minute in 0..8 {
        bench.hand.set(at(minute * 60));
        bench.script().now = Some((5_000, 3_000));
        let reading = bench.watch.read().await.unwrap();
        assert_eq!(reading.value().is_none(), minute >= 4, "minute {minute}");
    }
    assert_eq!(bench.notices.standing()[0].kind, NoticeKind::Frozen);
    bench.shows(1_801, 5_000).await.unwrap();
    assert_eq!(bench.latched(0).await, None);
    bench.shows(1_900, 5_001).await.unwrap();
    assert!(bench.notices.standing().is_empty());
    bench.shows(3_601, 5_002).await.unwrap();
    assert_eq!(bench.latched(1).await, None, "the slot in which it moved again");
    bench.shows(5_401, 5_003).await.unwrap();
    assert_eq!(bench.latched(2).await, Some((5_002, Quality::Measured)));
}

#[tokio::test]
async fn p3_a_silent_or_senseless_meter_is_told_once_and_forgiven_when_it_answers() {
    let bench = Bench::new();
    bench.shows(1_700, 5_000).await.unwrap();
    let protocol = DeviceError::Protocol("not a number".into());
    for (error, kind) in [(silent(), NoticeKind::Silent), (protocol, NoticeKind::Nonsense)] {
        bench.script().error = Some(error.clone());
        for _ in 0..9 {
            assert_eq!(bench.watch.read().await, Err(error.clone()));
        }
        assert_eq!(bench.notices.standing().iter().map(|notice| notice.kind).collect::<Vec<_>>(), [kind]);
        assert_eq!(bench.notices.count(kind), 1);
        bench.script().error = None;
        bench.watch.read().await.unwrap();
        assert!(bench.notices.standing().is_empty());
    }
    // Asked for a slot's end meanwhile, it is the meter that does not answer.
    bench.hand.set(at(1_900));
    bench.script().error = Some(silent());
    assert_eq!(bench.watch.latched(slot(0)).await, Err(silent()));
    // A short silence is bridged.
    bench.script().error = None;
    bench.hand.set(at(2_000));
    bench.script().now = Some((5_030, 0));
    assert_eq!(bench.latched(0).await, Some((5_010, Quality::Substituted)));
    // No value is no reading.
    bench.script().now = None;
    assert_eq!(bench.watch.read().await.unwrap().quality(), Quality::Missing);
}

#[tokio::test]
async fn p3_a_restart_loses_neither_offset_nor_the_last_reading() {
    let folder = folder("restart");
    let mut bench = Bench::remembering(Some(folder.clone()));
    bench.shows(10, 5_000).await.unwrap();
    bench.shows(600, 0).await.unwrap();
    bench.shows(700, 10).await.unwrap();
    bench.shows(3_590, 100).await.unwrap();
    bench.restart();
    bench.hand.set(at(3_620));
    bench.script().now = Some((103, 0));
    assert_eq!(bench.latched(1).await, Some((5_101, Quality::Measured)));
    // What was said of a slot is said again after a restart.
    bench.script().now = Some((200, 0));
    bench.restart();
    assert_eq!(bench.latched(1).await, Some((5_101, Quality::Measured)));
    assert_eq!(bench.latched(0).await, None, "in which it was reset");
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn p3_a_broken_memory_is_set_aside_and_said() {
    let folder = folder("broken");
    let mut bench = Bench::remembering(Some(folder.clone()));
    bench.shows(10, 5_000).await.unwrap();
    bench.restart();
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let memory = bench.context.memory.take();
    bench.restart();
    std::fs::write(&file, "{\"version\":1,").unwrap();
    bench.context.memory = memory;
    bench.restart();
    assert_eq!(bench.told(), [NoticeKind::Forgotten]);
    assert_eq!(bench.shows(20, 5_001).await.unwrap().value().unwrap().registers, import(5_001));
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn p3_who_asks_while_another_looks_shares_the_answer() {
    let bench = Bench::new();
    bench.script().now = Some((1, 0));
    let (first, second) = tokio::join!(bench.watch.read(), bench.watch.read());
    assert_eq!(first, second);
    assert_eq!(bench.script().looks, 1);
}

#[tokio::test]
async fn p3_a_register_that_no_meter_can_have_counted_is_nonsense() {
    let bench = Bench::new();
    for (second, register) in [(0, u64::MAX), (10, 1 << 63), (20, (1 << 62) + 1)] {
        let reading = bench.shows(second, register).await.unwrap();
        assert_eq!(reading.quality(), Quality::Missing);
    }
    let reading = bench.shows(30, 1_000).await.unwrap();
    assert_eq!(reading.value().unwrap().registers.import.wh(), 1_000);
}
