//! Independent SunSpec implementations: pysunspec2 as a client, and pysunspec2's devices behind pymodbus.

#![allow(dead_code)]

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use wattbook_devices::DeviceAddress;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sunspec_peers")
}

/// The interpreter with a script of `sunspec_peers`; `None`, and says so, where the peers are missing.
pub fn python(script: &str) -> Option<Command> {
    let Some(peers) = std::env::var_os("WATTBOOK_PEERS") else {
        eprintln!("skipped: WATTBOOK_PEERS names no folder with pysunspec2 and pymodbus");
        return None;
    };
    let python = Path::new(&peers).join("python");
    let imports = Command::new(&python).args(["-c", "import sunspec2, pymodbus"]).output();
    if !imports.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {} has no pysunspec2 and pymodbus", python.display());
        return None;
    }
    let mut command = Command::new(python);
    command.arg(folder().join(script));
    Some(command)
}

/// What pysunspec2 reads in a device after it has set points (`124.InWRte=12.5`).
pub async fn read_by_pysunspec2(address: &DeviceAddress, set: &[&str]) -> Option<Value> {
    let mut command = python("client.py")?;
    command.args([address.host(), &address.port()?.to_string(), address.path()]).args(set);
    Some(said(command).await.expect("pysunspec2 reads it"))
}

/// The one line of JSON that a command says, or what it complains of.
pub async fn said(mut command: Command) -> Result<Value, String> {
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it runs");
    let output = output.expect("the interpreter runs");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(serde_json::from_slice(&output.stdout).expect("JSON"))
}

/// The devices of `sunspec_peers/devices.json`, encoded by pysunspec2 and served by pymodbus.
pub struct Devices {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    port: u16,
}

impl Devices {
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    pub fn start_with(args: &[&str]) -> Option<Self> {
        let mut command = python("server.py")?;
        command.arg(folder().join("devices.json")).args(args);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the interpreter runs");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut devices = Self { child, input, output, port: 0 };
        let port = devices.line()["port"].as_u64().expect("a port");
        devices.port = u16::try_from(port).expect("a port");
        Some(devices)
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it answers");
        serde_json::from_str(&line).expect("JSON")
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    pub fn address(&self, unit: u8, options: &str) -> DeviceAddress {
        format!("sunspec://127.0.0.1:{}/{unit}{options}", self.port).parse().expect("an address")
    }

    /// What pysunspec2 reads in a unit's registers now.
    pub fn shown(&mut self, unit: u8) -> Value {
        writeln!(self.input, "{unit}").expect("it listens");
        self.line()
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        // Nothing more can be done about a child that is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
