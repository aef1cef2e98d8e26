//! Single feeders, cycle by cycle.

use super::*;

#[tokio::test]
async fn b9_a_plan_is_delivered_to_the_watt_hour_and_follows_what_is_drawn() {
    // 1.2 kWh are needed evenly; 700 Wh planned; the next slot has no plan.
    let mut bench = Bench::new(&[vec![1_200, 1_200]], MINUTES);
    bench.plan(0, 1, 700);
    for minute in 0..60 {
        bench.cycle().await;
        if minute == 15 {
            let rows = bench.scene.present(|world| world.feeders(BATTERY)).unwrap();
            assert_eq!(rows[0].delivered, MeterRegister::from_wh(600), "at the pace of what is drawn");
        }
        bench.scene.pass(60_000);
    }
    assert_eq!((bench.delivered(0, 1), bench.delivered(1, 1)), (700, 0));
}

#[tokio::test]
async fn b9_no_plan_falls_short_where_together_they_need_the_whole_discharge_limit() {
    // 3 kW for half an hour are 1.5 kWh. Home 1 needs its whole slot for its share, home 2 could draw 8 kW
    // at once; if both drew what they could, home 1 would come too short.
    let mut bench = Bench::new(&[vec![1_000], vec![4_000]], MINUTES);
    bench.plan(0, 1, 1_000);
    bench.plan(0, 2, 500);
    bench.common.battery.state().await.unwrap();
    for _ in 0..30 {
        bench.cycle().await;
        bench.scene.pass(60_000);
    }
    let (first, second) = (bench.delivered(0, 1), bench.delivered(0, 2));
    assert!(first >= 999 && second >= 499, "{first} and {second}");
}

#[tokio::test]
async fn b9_only_changes_and_renewals_are_commanded() {
    let mut bench = Bench::new(&[vec![0, 0]], MINUTES);
    let commands = |bench: &Bench| bench.scene.trouble.lock().unwrap().commands;
    bench.cycle().await;
    assert_eq!(commands(&bench), 1, "closed, whatever it was before");
    for _ in 0..10 {
        bench.scene.pass(60_000);
        bench.cycle().await;
    }
    assert_eq!(commands(&bench), 1);
    // Accepted for this slot and the next one: told once, and now and then again.
    for ahead in 0..2 {
        bench.common.plans.accept(bench.first.plus(ahead), point(1), watts(2_000));
    }
    for _ in 0..7 {
        bench.cycle().await;
        bench.scene.pass(60_000);
    }
    assert_eq!(commands(&bench), 2);
    assert_eq!(bench.scene.present(|world| world.port(point(1))).unwrap().to_battery, watts(2_000));
    // Nobody comes any more; it ends with the second slot.
    bench.scene.hand.set(bench.start_of(2).minus_millis(2_000));
    assert_eq!(bench.scene.present(|world| world.port(point(1))).unwrap().to_battery, watts(2_000));
    bench.scene.hand.set(bench.start_of(2));
    assert_eq!(bench.scene.present(|world| world.port(point(1))).unwrap(), FeederLimits::default());
}

#[tokio::test]
async fn b9_after_a_restart_what_was_delivered_counts_and_a_silent_meter_delivers_nothing() {
    let mut bench = Bench::new(&[vec![1_200, 1_200, 1_200]], MINUTES);
    bench.scene.hand.set(bench.start_of(1));
    bench.plan(1, 1, 700);
    for minute in 0..30 {
        if minute == 8 {
            bench.start(1);
        }
        bench.cycle().await;
        bench.scene.pass(60_000);
    }
    assert_eq!(bench.delivered(1, 1), 700);
    bench.plan(2, 1, 700);
    bench.scene.trouble.lock().unwrap().silent = true;
    for _ in 0..10 {
        bench.cycle().await;
        bench.scene.pass(60_000);
    }
    assert_eq!(bench.scene.present(|world| world.port(point(1))).unwrap(), FeederLimits::default());
    bench.scene.trouble.lock().unwrap().silent = false;
    for _ in 10..30 {
        bench.cycle().await;
        bench.scene.pass(60_000);
    }
    assert_eq!(bench.delivered(2, 1), 700, "made up for when it answers again");
}
