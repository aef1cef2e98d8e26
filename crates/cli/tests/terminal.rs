//! What is asked on a terminal: `wattbook init` without flags, and a part's passphrase, which is not shown.
//!
//! Python, which has pseudo-terminals at hand, types; the test is skipped, and says so, where it is missing.

use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

const PASSPHRASE: &str = "correct horse battery staple";

/// Runs a program on a terminal and types a line whenever a question ends with a colon; prints what is shown.
const TYPIST: &str = r#"
import os, pty, sys, termios
lines, arguments = sys.argv[1].split("|"), sys.argv[2:]
process, terminal = pty.fork()
if process == 0:
    os.execv(arguments[0], arguments)
shown, asked = b"", 0
while True:
    try:
        piece = os.read(terminal, 1024)
    except OSError:
        break
    if not piece:
        break
    shown += piece
    if shown.endswith(b": ") and len(shown) > asked and lines:
        asked = len(shown)
        os.write(terminal, lines.pop(0).encode() + b"\n")
sys.stdout.buffer.write(shown)
_, status = os.waitpid(process, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"#;

fn is_there(program: &str) -> bool {
    let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// What a terminal shows, and whether the program ended well.
fn typed(lines: &[&str], arguments: &[&str], folder: &Path) -> (bool, String) {
    let mut command = Command::new("python3");
    command.args(["-c", TYPIST, &lines.join("|"), env!("CARGO_BIN_EXE_wattbook")]).args(arguments);
    let output =
        command.current_dir(folder).env_remove("WATTBOOK_PASSPHRASE_FILE").output().expect("python runs");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn p10_questions_are_answered_on_a_terminal_and_the_passphrase_is_not_shown() {
    if !is_there("python3") {
        eprintln!("skipped: python3 is not installed");
        return;
    }
    let folder = TempDir::new().expect("a folder");
    // Name, servers (refused, then three), homes, battery, power, slot, currency, devices, all here, passphrase twice.
    let lines = ["Oak", "2", "3", "1", "20kWh", "", "", "", "", "", PASSPHRASE, PASSPHRASE];
    let (made, shown) = typed(&lines, &["init", "oak", "--work-factor", "6"], folder.path());
    assert!(made, "{shown}");
    assert!(shown.contains("Authentication servers [4]: ") && shown.contains("here are 2"), "{shown}");
    assert!(
        shown.contains("Three servers tolerate none absent") && shown.contains("Made Oak in oak"),
        "{shown}"
    );
    assert!(!shown.contains(PASSPHRASE), "{shown}");
    let config =
        std::fs::read_to_string(folder.path().join("oak/servers/server-3/server.toml")).expect("text");
    assert!(!config.contains("\npassphrase_file = "), "it was typed, not read from a file");

    let config = "oak/homes/home-1/home.toml";
    let (ran, shown) = typed(&["a wrong one altogether"], &["home", "--config", config], folder.path());
    assert!(!ran && shown.contains("Passphrase for ") && shown.contains(".key: "), "{shown}");
    assert_eq!(shown.matches("does not open it").count(), 1, "said once: {shown}");
    assert!(shown.contains("the passphrase from the terminal does not open it"), "{shown}");
    assert!(!shown.contains("a wrong one altogether"), "{shown}");
    // Broken off: nothing runs, and it is said.
    let (ran, shown) = typed(&["\u{3}"], &["home", "--config", config], folder.path());
    assert!(!ran && shown.contains("broken off"), "{shown}");
}

#[test]
fn p10_two_different_passphrases_make_nothing() {
    if !is_there("python3") {
        eprintln!("skipped: python3 is not installed");
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let lines = ["", "", "", "", "", "", "", "", "", PASSPHRASE, "another one altogether"];
    let (made, shown) = typed(&lines, &["init", "oak"], folder.path());
    assert!(!made && shown.contains("the two are not the same; nothing was made"), "{shown}");
    assert!(!folder.path().join("oak").exists());
}
