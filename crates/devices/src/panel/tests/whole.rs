//! The panel as a whole.

use super::*;

/// The panel as a whole, with its tasks, on a clock that stands still unless moved.
fn panel(scene: &Arc<Scene>, feeders: u32, memory: Option<std::path::PathBuf>) -> Panel {
    let mut context = Context::new(scene.clock.clone(), LENGTH);
    context.memory = memory;
    let notices = Notices::default();
    let end = |number| {
        let part = Arc::new(Part(Arc::clone(scene), point(number)));
        let address = format!("test://{number}");
        let source = OfCounter(Arc::clone(&part) as _);
        let meter = Watch::new("feeder meter", address.clone(), source, &context, &notices);
        End { at: point(number), address, limiter: part, meter }
    };
    let ends = (1..=feeders).map(end).collect();
    Panel::new("panel".into(), ends, battery(scene, &context, &notices), &context, &notices)
}

#[tokio::test]
async fn b9_the_panel_delivers_what_is_planned_slot_by_slot() {
    let scene = scene(&[vec![1_200; 4], vec![1_200; 4]]);
    let panel = panel(&scene, 2, None);
    let first = LENGTH.slot_at(scene.now());
    panel.deliver(point(1), first, wh(700)).await.unwrap();
    panel.deliver(point(1), first, wh(700)).await.unwrap();
    panel.deliver(point(2), first.next(), wh(300)).await.unwrap();
    for ahead in 1..4 {
        scene.hand.set(first.plus(ahead).start(LENGTH));
        panel.applied().await.unwrap();
    }
    let row = |slot, place: usize| {
        let rows = scene.present(|world| world.feeders_latched(BATTERY, slot)).unwrap();
        rows[place].delivered.wh()
    };
    assert_eq!([row(first, 0), row(first.next(), 0), row(first.plus(2), 0)], [700, 700, 700]);
    assert_eq!([row(first, 1), row(first.next(), 1), row(first.plus(2), 1)], [0, 300, 300]);
    let told = panel.latched(first).await.unwrap().required().unwrap();
    assert_eq!(told.iter().map(|row| row.delivered.wh()).collect::<Vec<_>>(), [700, 0]);
    assert_eq!(panel.plans(first.plus(3)).await.unwrap(), []);
    let unknown = panel.accept(point(9), first.plus(3), watts(1)).await;
    assert!(matches!(unknown, Err(DeviceError::Refused(_))), "{unknown:?}");
    let over = panel.deliver(point(1), first, wh(1)).await;
    assert!(matches!(over, Err(DeviceError::Refused(_))), "{over:?}");
}

#[tokio::test]
async fn s1_what_was_accepted_is_accepted_after_a_restart_too() {
    let folder = std::env::temp_dir().join(format!("wattbook-panel-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let scene = scene(&[vec![0; 4]]);
    let first = LENGTH.slot_at(scene.now());
    let before = panel(&scene, 1, Some(folder.clone()));
    before.accept(point(1), first, watts(2_000)).await.unwrap();
    before.accept(point(1), first.next(), watts(3_000)).await.unwrap();
    before.deliver(point(1), first, wh(50)).await.unwrap();
    drop(before);
    let after = panel(&scene, 1, Some(folder.clone()));
    after.applied().await.unwrap();
    let limits = |to_battery| FeederLimits { to_battery: watts(to_battery), to_home: Power::ZERO };
    assert_eq!(scene.present(|world| world.port(point(1))), Ok(limits(2_000)));
    scene.hand.set(first.next().start(LENGTH));
    after.applied().await.unwrap();
    assert_eq!(scene.present(|world| world.port(point(1))), Ok(limits(3_000)));
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn p3_a_silent_feeder_holds_up_no_other_and_its_register_is_held() {
    let scene = scene(&[vec![1_000; 4], vec![1_000; 4]]);
    let panel = panel(&scene, 2, None);
    let first = LENGTH.slot_at(scene.now());
    panel.deliver(point(1), first, wh(400)).await.unwrap();
    scene.hand.set(first.next().start(LENGTH));
    let before = panel.read().await.unwrap();
    scene.trouble.lock().unwrap().silent = true;
    let held = panel.read().await.unwrap();
    assert_eq!(held.value(), before.value());
    assert_eq!(held.quality(), crate::reading::Quality::Substituted);
}
