//! Parts as a service manager runs them: told when they serve, kept alive by word, stopped by signal; and
//! what their logs look like and never contain.
//!
//! The parts are those that a short demonstration leaves behind, started again one by one.

use serde_json::Value;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// More than enough on the slowest machine; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(120);
/// Everything that can be logged.
const ALL: &str = "trace,commonware=trace,hyper=trace,hyper_util=trace,reqwest=trace,rustls=trace,axum=trace";

/// Lets a community trade for a moment and end; its folder stays.
fn community(folder: &Path) -> PathBuf {
    let dir = folder.join("community");
    let demo = Command::new(env!("CARGO_BIN_EXE_wattbook"))
        .args(["demo", "--json", "--slot-seconds", "1", "--for", "2h", "--homes", "2", "--dir"])
        .arg(&dir)
        .env("WATTBOOK_LOG", ALL)
        .output()
        .expect("the demonstration starts");
    std::fs::write(dir.join("logs/demo.log"), &demo.stderr).expect("written");
    assert!(dir.join("demo.json").exists(), "{}", String::from_utf8_lossy(&demo.stderr));
    dir
}

/// The subcommand and the configuration of every part, servers first.
fn parts(dir: &Path) -> Vec<(&'static str, PathBuf)> {
    let mut parts = Vec::new();
    for path in files(dir, "toml") {
        let folder = path.strip_prefix(dir).expect("below it").to_string_lossy().into_owned();
        let command = ["server", "storage", "home"].into_iter().find(|part| folder.starts_with(part));
        parts.extend(command.map(|command| (command, path)));
    }
    parts.sort_by_key(|(command, _)| *command != "server");
    parts
}

/// Every file below a folder whose name ends so.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            found.extend(files(&entry, extension));
        } else if entry.extension().is_some_and(|end| end == extension) {
            found.push(entry);
        }
    }
    found.sort();
    found
}

/// A part, and what it tells its service manager.
struct Service {
    child: Child,
    socket: UnixDatagram,
}

impl Service {
    fn start(folder: &Path, number: usize, command: &str, config: &Path) -> Self {
        Self::start_with(folder, number, &[command, "--config", &config.to_string_lossy()], None)
    }

    /// With other arguments, and with a file for its logs that systemd's journal is said to read.
    fn start_with(folder: &Path, number: usize, arguments: &[&str], journal: Option<&Path>) -> Self {
        let path = folder.join(format!("notify-{number}"));
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let mut command = Command::new(env!("CARGO_BIN_EXE_wattbook"));
        command.args(arguments).env_remove("WATTBOOK_LOG").stdin(Stdio::null()).stderr(Stdio::null());
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
        if let Some(journal) = journal {
            let file = File::create(journal).expect("a file");
            let named = file.metadata().expect("its number");
            command.env("JOURNAL_STREAM", format!("{}:{}", named.dev(), named.ino())).stderr(file);
        }
        let child = command.spawn().expect("a part starts");
        Self { child, socket }
    }

    /// What it tells next.
    fn told(&self) -> String {
        let mut words = [0; 512];
        let length = self.socket.recv(&mut words).expect("it tells something");
        String::from_utf8_lossy(&words[..length]).into_owned()
    }

    /// Passes over what it tells until it is this.
    fn until(&self, words: &str) -> String {
        std::iter::repeat_with(|| self.told()).find(|told| told.contains(words)).expect("it tells for ever")
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_raw(self.child.id().cast_signed()).expect("an id");
        rustix::process::kill_process(id, signal).expect("it runs");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn height(server: &str) -> u64 {
    let address = server.strip_prefix("http://").expect("plain");
    let mut stream = TcpStream::connect(address).expect("it answers at once, since it said that it serves");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    write!(stream, "GET /api/v1/status HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    let status: Value = serde_json::from_str(body).expect(body);
    status["height"].as_u64().expect("a height")
}

#[test]
fn parts_say_when_they_serve_and_end_cleanly_when_they_are_told() {
    let folder = TempDir::new().expect("a folder");
    let dir = community(folder.path());
    let marker: Value =
        serde_json::from_slice(&std::fs::read(dir.join("demo.json")).expect("a marker")).expect("JSON");
    let server = marker["servers"][0].as_str().expect("an address");
    let parts = parts(&dir);
    let kinds: Vec<&str> = parts.iter().map(|(command, _)| *command).collect();
    assert!(["server", "storage", "home"].iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    let mut before = 0;
    for _again in 0..2 {
        let start = |(number, (command, config)): (usize, &(&str, PathBuf))| {
            Service::start(folder.path(), number, command, config)
        };
        let mut services: Vec<Service> = parts.iter().enumerate().map(start).collect();
        for service in &services {
            assert!(service.told().starts_with("READY=1\n"), "the first that it tells");
            service.until("WATCHDOG=1");
            service.signal(rustix::process::Signal::HUP);
        }
        // A hang-up ended nothing: all are alive, and what stood in the books still does.
        services.iter().for_each(|service| drop(service.until("WATCHDOG=1")));
        let now = height(server);
        assert!(now >= before, "{now} after {before}");
        before = now;
        services.iter().for_each(|service| service.signal(rustix::process::Signal::TERM));
        for service in &mut services {
            assert!(service.until("STOPPING=1").contains("STATUS=stopping"));
            // A part that cannot end in time ends itself, with exit code 1.
            let status = service.child.wait().expect("it ends");
            assert!(status.success(), "{status}");
        }
    }
    assert!(before > 0, "blocks were made");
}

#[test]
fn a_part_that_cannot_start_never_says_that_it_serves() {
    let folder = TempDir::new().expect("a folder");
    let config = folder.path().join("home.toml");
    std::fs::write(&config, "genesis = \"nowhere.json\"\n").expect("written");
    let mut service = Service::start(folder.path(), 0, "home", &config);
    assert_eq!(service.child.wait().expect("it ends").code(), Some(1));
    service.socket.set_nonblocking(true).expect("set");
    assert!(service.socket.recv(&mut [0; 64]).is_err(), "it told nothing");
}

#[test]
fn f23_logs_contain_no_secret_at_any_level() {
    let folder = TempDir::new().expect("a folder");
    let dir = community(folder.path());
    let mut secrets = Vec::new();
    for key in files(&dir, "key") {
        let text = std::fs::read_to_string(&key).expect("text");
        let words = text.lines().filter(|line| !line.starts_with("-----")).flat_map(str::split_whitespace);
        secrets.extend(
            words.filter(|word| word.len() >= 40).map(|word| word.trim_start_matches("0x").to_owned()),
        );
    }
    assert!(secrets.len() >= 7, "a key for each of four servers, a battery, two homes: {}", secrets.len());
    let logs = files(&dir.join("logs"), "log");
    let text: String = logs.iter().map(|log| std::fs::read_to_string(log).expect("text")).collect();
    // It logs at every level, and where keys are read.
    for word in ["INFO", "DEBUG", "TRACE", ".key"] {
        assert!(text.contains(word), "nothing about {word} in the logs");
    }
    for secret in &secrets {
        let secret = secret.to_lowercase();
        assert!(!text.to_lowercase().contains(&secret), "a secret is in the logs");
        if let Some(bytes) = bytes_of(&secret) {
            assert!(!text.contains(&format!("{bytes:?}")[1..40]), "a secret's bytes are in the logs");
        }
    }
}

/// The bytes that hexadecimal digits stand for, as careless code would print them.
fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let pairs = (0..hex.len() / 2).map(|at| u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok());
    pairs.collect()
}

#[test]
fn lines_are_for_the_journal_and_for_programs() {
    let folder = TempDir::new().expect("a folder");
    let (_, config) = parts(&community(folder.path())).swap_remove(0);
    let config = config.to_string_lossy().into_owned();
    let (text, json) = (folder.path().join("text"), folder.path().join("json"));
    let form = ["server", "--log-format", "json", "--config", &config];
    for (arguments, file) in [(&form[..], &json), (&["server", "--config", &config], &text)] {
        let mut service = Service::start_with(folder.path(), 0, arguments, Some(file));
        service.until("READY=1");
        service.signal(rustix::process::Signal::TERM);
        assert!(service.child.wait().expect("it ends").success());
    }
    let text = std::fs::read_to_string(text).expect("text");
    assert!(text.contains("<6>wattbook::service: serving\n"), "information, without time and level: {text}");
    assert!(text.lines().all(|line| line.starts_with("<6>") || line.starts_with("<4>")), "{text}");
    let json = std::fs::read_to_string(json).expect("text");
    let lines: Vec<Value> = json
        .lines()
        .map(|line| serde_json::from_str(line.get(3..).expect("a priority")).expect("one object a line"))
        .collect();
    let serving = lines.iter().find(|line| line["message"] == "serving").expect("it serves");
    assert_eq!((&serving["level"], &serving["target"]), (&"INFO".into(), &"wattbook::service".into()));
}

/// How a command ends and what it says on the standard error output.
fn ended(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_wattbook"))
        .args(arguments)
        .env_remove("WATTBOOK_LOG")
        .envs(variables.iter().copied())
        .output()
        .expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_level_that_does_not_exist_is_refused_in_words() {
    for (arguments, variables) in [
        (vec!["--log", "inof", "status"], vec![]),
        (vec!["status", "--log", "inof"], vec![]),
        (vec!["status"], vec![("WATTBOOK_LOG", "inof")]),
    ] {
        let (code, words) = ended(&arguments, &variables);
        assert_eq!(code, Some(2), "{words}");
        assert!(
            words.contains("there is no level `inof`; say off, error, warn, info, debug or trace"),
            "{words}"
        );
    }
    let (code, words) = ended(&["--log-format", "xml", "status"], &[]);
    assert!(code == Some(2) && words.contains("text, json"), "{words}");
}
