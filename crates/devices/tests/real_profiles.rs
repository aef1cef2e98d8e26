//! Real profiles, where they are at hand: the reader takes them and the bound is sensible.
//!
//! The data are not part of the project. They are looked for in the folder named by `WATTBOOK_DATA`, else
//! in `../shared/data` beside the workspace; without them the test says so and passes.

use std::path::PathBuf;
use std::sync::Arc;
use wattbook_devices::bound::most_covered;
use wattbook_devices::plant::{BatterySpec, HomeSpec, WorldSpec};
use wattbook_devices::profile::reader::{Gaps, read};
use wattbook_types::transaction::Generation;
use wattbook_types::{
    BatteryId, ConnectionPoint, Energy, Interval, MeterRegister, PerMille, Power, SlotLength,
};

fn data() -> PathBuf {
    match std::env::var_os("WATTBOOK_DATA") {
        Some(folder) => folder.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    }
}

#[test]
fn seventeen_real_homes_are_read_and_bounded() {
    let file = data().join("homes17_30min.csv");
    if !file.exists() {
        println!("skipped: no real profiles (set WATTBOOK_DATA to a folder with homes17_30min.csv)");
        return;
    }
    let (profiles, summary) = read(&file, Gaps::Refuse).unwrap();
    assert_eq!((profiles.homes().len(), profiles.step_seconds(), summary.rows), (17, 1_800, 74_834));
    assert!(summary.ended_early.is_empty() && summary.unknown_quality == 0);
    let start = profiles.start();
    let battery = BatterySpec {
        id: BatteryId::from_number(1),
        capacity: Energy::from_wh(100_000),
        stored: Energy::ZERO,
        charge_limit: Power::from_watts(50_000),
        discharge_limit: Power::from_watts(50_000),
        charge_efficiency: PerMille::new(970),
        discharge_efficiency: PerMille::new(970),
        standing_loss_ppm_per_hour: 20,
        import: MeterRegister::ZERO,
        export: MeterRegister::ZERO,
    };
    let homes = (0..17).map(|profile| HomeSpec {
        connection_point: ConnectionPoint::from_number(profile as u32 + 1),
        battery: battery.id,
        profile,
        line_loss: PerMille::new(10),
        kind: Generation::Solar,
        received: MeterRegister::ZERO,
        delivered: MeterRegister::ZERO,
    });
    let spec = WorldSpec {
        start,
        slot_length: SlotLength::from_seconds(1_800),
        step_seconds: 60,
        remembered_slots: 2_048,
        batteries: vec![battery],
        homes: homes.collect(),
        profiles: Arc::new(profiles),
    };
    let bound = most_covered(&spec, Interval { start, end: start.plus_millis(7 * 86_400_000) });
    println!("seven days: {bound:?}, at most {} per mille covered", bound.covered_per_mille());
    assert!(bound.arrived <= bound.needed && bound.arrived < bound.surplus);
    assert!((100..1000).contains(&bound.covered_per_mille()), "{bound:?}");
}
