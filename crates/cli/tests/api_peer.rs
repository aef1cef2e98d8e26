//! The servers' HTTP interface against an independent reader of its OpenAPI description: schemathesis
//! (PyPI) makes up requests from the description and holds every answer against it.
//!
//! Skipped, and says so, where the program `schemathesis` is not installed.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use tempfile::TempDir;

#[test]
fn f24_the_api_answers_made_up_requests_as_its_description_says() {
    let peer = std::env::var_os("WATTBOOK_SCHEMATHESIS").unwrap_or_else(|| "schemathesis".into());
    if Command::new(&peer).arg("--version").output().is_err() {
        eprintln!("skipped: schemathesis is not installed (pip install schemathesis)");
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let community = folder.path().join("community");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_wattbook"))
        .args(["demo", "--json", "--slot-seconds", "1", "--for", "30d", "--dir"])
        .arg(&community)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the demonstration starts");
    let mut lines = BufReader::new(demo.stdout.take().expect("piped")).lines();
    // It trades: there is something to describe.
    let traded = lines.by_ref().map_while(Result::ok).any(|line| line.contains("was paid"));
    let marker = std::fs::read(community.join("demo.json")).expect("a marker");
    let marker: Value = serde_json::from_slice(&marker).expect("JSON");
    let server = marker["servers"][0].as_str().expect("an address");
    let drained = std::thread::spawn(move || lines.for_each(drop));
    let run = Command::new(&peer)
        .args(["run", &format!("{server}/api/openapi.json"), "--max-examples", "20"])
        .args(["--exclude-path", "/api/v1/events", "--checks"])
        .arg(
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        )
        .current_dir(folder.path())
        .output();
    let id = rustix::process::Pid::from_raw(demo.id().cast_signed()).expect("an id");
    rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it runs");
    assert!(demo.wait().expect("it ends").success(), "the demonstration stops cleanly when it is told to");
    drained.join().expect("read to the end");
    let run = run.expect("schemathesis runs");
    assert!(traded && run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
}
