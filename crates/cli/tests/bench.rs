//! The measurement of finality as it is typed: with a server killed on the way nothing is lost, and nothing
//! is left behind. Not here: any judgement on times, which depend on the machine.

use serde_json::Value;
use std::process::Command;

#[test]
fn trades_become_final_with_a_server_killed_before_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_wattbook"))
        .args(["bench", "finality", "--dead", "1", "--seconds", "2", "--idle", "1", "--json", "--dir"])
        .arg(folder.path())
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["agree"], true, "{report}");
    let phases = report["phases"].as_array().expect("phases");
    assert_eq!(phases.len(), 2);
    for (phase, dead) in phases.iter().zip(0..) {
        assert_eq!(phase["dead"], dead);
        assert_eq!(phase["trades"], 20);
        assert_eq!((&phase["lost"], &phase["refused"]), (&0.into(), &0.into()), "{report}");
        assert!(phase["final_ms"]["p50"].as_f64() > Some(0.0), "{report}");
    }
    let left = std::fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!(left, 0, "the measurement leaves something behind");
}

#[test]
fn more_dead_servers_than_can_be_borne_are_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_wattbook"))
        .args(["bench", "finality", "--servers", "4", "--dead", "2"])
        .output()
        .expect("it starts");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("--dead 2"));
}
