//! What holds whatever happens.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Event {
    /// A cycle comes after so many milliseconds.
    Cycle(u64),
    /// Nobody comes for that long.
    Away(u64),
    /// The process begins anew.
    Restart,
    /// Commands are refused from now on, or not; obeyed all the same, or not.
    Refuses(bool, bool),
    /// What is planned for the present slot changes: home, more Wh.
    More(u32, u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (1_000..120_000u64).prop_map(Event::Cycle),
        1 => (60_000..2_000_000u64).prop_map(Event::Away),
        1 => Just(Event::Restart),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(refuses, obeys)| Event::Refuses(refuses, obeys)),
        1 => (1..3u32, 0..400u64).prop_map(|(home, more)| Event::More(home, more)),
    ]
}

fn in_a_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// B9: whatever is drawn, missed, refused or late, however coarsely it is counted, and whoever dies when, no slot delivers more than was
    /// planned for it.
    #[test]
    fn b9_no_slot_delivers_more_than_was_planned_for_it(
        needs in prop::collection::vec(prop::collection::vec(0..2_500u64, 6), 2),
        plans in prop::collection::vec(0..1_200u64, 12),
        late_ms in prop_oneof![Just(0), 1..8_000u64],
        lease in 2..400u64,
        step in prop_oneof![4 => Just(1), 1 => Just(10), 2 => Just(100), 1 => Just(1_000u64)],
        events in prop::collection::vec(event(), 1..150),
    ) {
        in_a_runtime(async {
            let pace = Pace { lease: Some(lease), late_ms, ..MINUTES };
            let mut bench = Bench::new(&needs, pace);
            {
                let mut trouble = bench.scene.trouble.lock().unwrap();
                (trouble.late_ms, trouble.step) = (late_ms, step);
            }
            let mut planned: Vec<u64> = plans.clone();
            for (place, energy) in plans.iter().enumerate() {
                bench.plan(place as u64 / 2, place as u32 % 2 + 1, *energy);
            }
            bench.common.battery.state().await.unwrap();
            for event in events {
                match event {
                    Event::Cycle(pause) => {
                        bench.cycle().await;
                        bench.scene.pass(pause);
                    }
                    Event::Away(pause) => bench.scene.pass(pause),
                    Event::Restart => {
                        // Until a restart is over, what was leased runs out.
                        bench.scene.pass((lease + 1) * 1_000);
                        bench.start(2);
                    }
                    Event::Refuses(refuses, obeys) => {
                        let mut trouble = bench.scene.trouble.lock().unwrap();
                        (trouble.refuses, trouble.obeys) = (refuses, obeys);
                    }
                    Event::More(home, more) => {
                        let ahead = LENGTH.slot_at(bench.scene.now()).number() - bench.first.number();
                        if let Some(plan) = planned.get_mut(ahead as usize * 2 + home as usize - 1) {
                            *plan += more;
                            bench.plan(ahead, home, *plan);
                        }
                    }
                }
            }
            bench.scene.hand.set(bench.start_of(7));
            prop_assert_eq!(bench.scene.present(|world| world.audit()), Ok(()));
            for (place, plan) in planned.iter().enumerate() {
                let delivered = bench.delivered(place as u64 / 2, place as u32 % 2 + 1);
                prop_assert!(delivered <= *plan, "{delivered} of {plan} in {place}");
            }
            Ok(())
        })?;
    }

    /// B9: with somebody there and enough drawn all the time, a plan is delivered to the watt-hour.
    #[test]
    fn b9_a_plan_is_delivered_whole_where_enough_is_drawn(
        plan in 1..1_400u64,
        drawn_beyond in 0..2_000u64,
        pauses in prop::collection::vec(20_000..90_000u64, 100),
    ) {
        in_a_runtime(async {
            let mut bench = Bench::new(&[vec![plan + drawn_beyond]], MINUTES);
            bench.plan(0, 1, plan);
            for pause in pauses {
                bench.cycle().await;
                let left = bench.start_of(1).millis_since(bench.scene.now());
                bench.scene.pass(pause.min(left / 1_000 * 1_000));
            }
            bench.scene.hand.set(bench.start_of(1));
            let delivered = bench.delivered(0, 1);
            prop_assert!(delivered + 1 >= plan, "{delivered} of {plan}");
            Ok(())
        })?;
    }
}
