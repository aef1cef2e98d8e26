//! Debian's mosquitto as the broker, and its own clients as the others on it: independent of the client that
//! is tested. Started by a test on a free loopback port, with a configuration in a folder of its own.
//!
//! Always: children are ended by their id; whatever is waited for is waited for at most [`PATIENCE`].

#![allow(dead_code)] // Each test program uses its part.

pub mod rules;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What the broker asks of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Nothing.
    Nothing,
    /// The user `wattbook` and his password, within TLS.
    Password,
    /// A certificate of the same authority.
    Certificate,
    /// Nothing, but only what is below `open` may be written.
    Permission,
}

/// The user's password.
pub const PASSWORD: &str = "correct horse & battery";

/// A broker that runs.
pub struct Mosquitto {
    child: Child,
    /// Its folder, with `ca.crt`, `client.crt`, `client.key` and `password` where it asks for them.
    pub folder: TempDir,
    /// Where it listens.
    pub port: u16,
    ask: Ask,
}

/// A broker, or `None` with a word where mosquitto is not installed.
pub fn mosquitto(ask: Ask) -> Option<Mosquitto> {
    for program in ["mosquitto", "mosquitto_pub", "mosquitto_sub", "openssl"] {
        if found(program).is_none() {
            eprintln!("skipped: {program} is not installed (Debian: mosquitto, mosquitto-clients, openssl)");
            return None;
        }
    }
    let folder = TempDir::new().expect("a folder");
    if ask != Ask::Nothing && ask != Ask::Permission {
        certificates(folder.path());
    }
    for _ in 0..20 {
        // Somebody may take the port before the broker does; then another one.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        configure(folder.path(), port, ask);
        if let Some(child) = begin(folder.path()) {
            return Some(Mosquitto { child, folder, port, ask });
        }
    }
    panic!("mosquitto does not start");
}

fn found(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&folders).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn program(name: &str) -> Command {
    Command::new(found(name).expect("it is installed"))
}

fn configure(folder: &Path, port: u16, ask: Ask) {
    let file = |name: &str| folder.join(name).display().to_string();
    let mut lines =
        vec![format!("listener {port} 127.0.0.1"), "log_dest stderr".to_owned(), "user root".to_owned()];
    lines.push(format!("allow_anonymous {}", ask != Ask::Password));
    if ask == Ask::Permission {
        std::fs::write(folder.join("acl"), "topic read #\ntopic write open/#\n").expect("written");
        lines.push(format!("acl_file {}", file("acl")));
    } else if ask != Ask::Nothing {
        let files = [("cafile", "ca.crt"), ("certfile", "broker.crt"), ("keyfile", "broker.key")];
        lines.extend(files.map(|(key, name)| format!("{key} {}", file(name))));
    }
    if ask == Ask::Password {
        run(program("mosquitto_passwd").args(["-b", "-c", &file("users"), "wattbook", PASSWORD]));
        std::fs::write(folder.join("password"), format!("{PASSWORD}\n")).expect("written");
        lines.push(format!("password_file {}", file("users")));
    }
    if ask == Ask::Certificate {
        lines.push("require_certificate true".to_owned());
    }
    std::fs::write(folder.join("mosquitto.conf"), lines.join("\n") + "\n").expect("written");
}

/// Starts it; `None` where it ends at once.
fn begin(folder: &Path) -> Option<Child> {
    let mut child = program("mosquitto")
        .arg("-c")
        .arg(folder.join("mosquitto.conf"))
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("mosquitto starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
    if lines.by_ref().any(|line| line.contains("running")) {
        std::thread::spawn(move || lines.for_each(drop));
        return Some(child);
    }
    child.wait().expect("it ended");
    None
}

/// An authority, and certificates of it for the broker and a client.
fn certificates(folder: &Path) {
    let openssl = |arguments: &[&str]| run(program("openssl").args(arguments).current_dir(folder));
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    openssl(
        &[
            &["req", "-x509", "-days", "2", "-subj", "/CN=authority"][..],
            &key,
            &["-keyout", "ca.key", "-out", "ca.crt"],
        ]
        .concat(),
    );
    for (name, extension) in
        [("broker", "subjectAltName=IP:127.0.0.1"), ("client", "extendedKeyUsage=clientAuth")]
    {
        let [private, request, public] = ["key", "csr", "crt"].map(|end| format!("{name}.{end}"));
        std::fs::write(folder.join("extension"), extension).expect("written");
        openssl(
            &[&["req", "-subj", &format!("/CN={name}")][..], &key, &["-keyout", &private, "-out", &request]]
                .concat(),
        );
        openssl(&[
            "x509",
            "-req",
            "-days",
            "2",
            "-in",
            &request,
            "-out",
            &public,
            "-extfile",
            "extension",
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
        ]);
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Mosquitto {
    /// An address on it, with options after `?` or without.
    pub fn address(&self, rest: &str) -> String {
        let scheme = if matches!(self.ask, Ask::Nothing | Ask::Permission) { "mqtt" } else { "mqtts" };
        format!("{scheme}://127.0.0.1:{}/{rest}", self.port)
    }

    /// Ends it as a broken machine would.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ended");
    }

    /// Starts it again at the same place; it has forgotten everything.
    pub fn restart(&mut self) {
        self.child = begin(self.folder.path()).expect("the port is still free");
    }

    fn client(&self, name: &str) -> Command {
        let mut command = program(name);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).current_dir(self.folder.path());
        if self.ask == Ask::Password {
            command.args(["--cafile", "ca.crt", "-u", "wattbook", "-P", PASSWORD]);
        }
        if self.ask == Ask::Certificate {
            command.args(["--cafile", "ca.crt", "--cert", "client.crt", "--key", "client.key"]);
        }
        command
    }

    /// Has `mosquitto_pub` say something, acknowledged by the broker.
    pub fn say(&self, topic: &str, payload: &str) {
        self.publish(topic, payload, &[]);
    }

    /// The same, to be kept by the broker.
    pub fn say_kept(&self, topic: &str, payload: &str) {
        self.publish(topic, payload, &["-r"]);
    }

    fn publish(&self, topic: &str, payload: &str, more: &[&str]) {
        let mut command = self.client("mosquitto_pub");
        let mut child = command
            .args(["-q", "1", "-s", "-t", topic])
            .args(more)
            .stdin(Stdio::piped())
            .spawn()
            .expect("mosquitto_pub starts");
        child.stdin.take().expect("piped").write_all(payload.as_bytes()).expect("it reads");
        assert!(child.wait().expect("it ends").success(), "mosquitto_pub says {topic}");
    }

    /// Has `mosquitto_pub` say something ten times a second until the guard is dropped.
    pub fn say_often(&self, topic: &str, payload: &str) -> Guard {
        let arguments = ["--repeat", "600", "--repeat-delay", "0.1", "-t", topic, "-m", payload];
        Guard(self.client("mosquitto_pub").args(arguments).spawn().expect("mosquitto_pub starts"))
    }

    /// Has `mosquitto_sub` listen; returns once the broker has acknowledged that.
    pub fn listen(&self, filter: &str) -> Listening {
        let mut command = self.client("mosquitto_sub");
        let mut child = command
            .args(["-d", "-q", "1", "-t", filter, "-F", "heard %r %t %p"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("mosquitto_sub starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        assert!(lines.by_ref().any(|line| line.starts_with("Subscribed")), "the broker takes {filter}");
        let (sender, heard) = channel();
        std::thread::spawn(move || {
            for line in lines {
                let Some(line) = line.strip_prefix("heard ") else { continue };
                let mut parts = line.splitn(3, ' ').map(str::to_owned);
                let mut next = || parts.next().unwrap_or_default();
                let heard = Heard { kept: next() == "1", topic: next(), payload: next() };
                if sender.send(heard).is_err() {
                    return;
                }
            }
        });
        Listening { guard: Guard(child), heard }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A child that ends with this.
pub struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A `mosquitto_sub`.
pub struct Listening {
    #[allow(dead_code)] // Ends the child.
    guard: Guard,
    heard: Receiver<Heard>,
}

/// A message that it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Whether the broker had kept it.
    pub kept: bool,
    /// Its topic.
    pub topic: String,
    /// What it says.
    pub payload: String,
}

impl Listening {
    /// The next message that is as wanted; those before it are dropped.
    pub fn next(&self, what: &str, wanted: impl Fn(&Heard) -> bool) -> Heard {
        loop {
            let heard = self.heard.recv_timeout(PATIENCE);
            let heard = heard.unwrap_or_else(|_| panic!("mosquitto_sub was not sent {what}"));
            if wanted(&heard) {
                return heard;
            }
        }
    }

    /// What is said under each of these topics next, in whatever order it comes.
    pub fn each<const N: usize>(&self, topics: [&str; N], wanted: impl Fn(&Heard) -> bool) -> [String; N] {
        let mut said = topics.map(|_| None);
        while let Some(open) = said.iter().position(Option::is_none) {
            let heard =
                self.next(topics[open], |heard| topics.contains(&heard.topic.as_str()) && wanted(heard));
            let at = topics.iter().position(|topic| *topic == heard.topic).expect("one of them");
            said[at].get_or_insert(heard.payload);
        }
        said.map(|payload| payload.expect("all were said"))
    }
}
