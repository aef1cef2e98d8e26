//! Four whole servers, a battery and trading homes, under the faults that a story tells. What is checked in
//! every one of them stands in `town`, `story` and `witness`.

use wattbook_sim::story::Story;

/// Messages lost, a crash and a restart, a partition that heals; homes trade all the time.
fn everything(seed: u64) -> Story {
    Story::new(seed)
        .slots(2)
        .lose(100)
        .slots(2)
        .lose(0)
        .slots(1)
        .crash(1)
        .slots(1)
        .restart(1)
        .part(&[&[0, 1], &[2, 3]])
        .pass(14)
        .heal()
        .slots(2)
}

#[test]
fn s6_l12_nothing_final_is_lost_and_trading_goes_on_after_loss_crash_and_partition() {
    let ending = everything(1).play();
    println!("{ending:?}");
    let sums = &ending.sums;
    assert!(sums.sales > 15 && sums.purchases > 15 && sums.deliveries > 5, "{sums:?}");
}
