//! Key files: what opens them, what does not, and how it is said; and that another program, Debian's `age`
//! (written in Go), opens ours and makes ones that we open.
//!
//! The tests with `age` are skipped, and say so, where it or Python, which types for it, is missing.

use age::secrecy::SecretString;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;
use wattbook_setup::key_file::{decrypt, encrypt, signing_key_line, write, write_signing_key};
use wattbook_setup::secret::Existing;
use wattbook_setup::{KeyError, KeyProblem, Keyring, Passphrase, Sources};
use wattbook_types::SecretKey;

/// Little work, so that a test can open many.
const QUICK: u8 = 4;

fn key() -> SecretKey {
    SecretKey::from_seed([9; 32])
}

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse battery staple".to_owned(), "the test")
}

fn file(folder: &TempDir, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("written");
    std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
    path
}

fn open(path: &Path) -> Result<SecretKey, KeyError> {
    Keyring::with(passphrase()).signing_key(path)
}

// P10: a key at rest is encrypted, and is opened by its passphrase only.
#[test]
fn p10_a_key_is_encrypted_at_rest_and_opened_with_its_passphrase() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("server.key");
    write_signing_key(&path, &key(), Some(&passphrase()), Existing::Keep).expect("written");
    let text = std::fs::read_to_string(&path).expect("text");
    assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"), "{text}");
    assert!(!text.contains(&wattbook_types::hex::encode(&key().seed())[2..]));
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(open(&path).expect("opens").public_key(), key().public_key());
    let twice = write_signing_key(&path, &key(), None, Existing::Keep).expect_err("kept");
    assert!(twice.to_string().contains("is there already"), "{twice}");
}

#[test]
fn p10_what_does_not_open_a_key_is_said_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = signing_key_line(&key());
    let good = encrypt(secret.as_bytes(), &passphrase(), QUICK);
    let other = encrypt(secret.as_bytes(), &Passphrase::new("another one".into(), "elsewhere"), QUICK);
    let public = encrypted_to_a_key(secret.as_bytes());
    let cut = &good[..good.len() * 2 / 3];
    for (name, bytes, mode, words) in [
        ("other", &other[..], 0o600, "the passphrase from the test does not open it"),
        ("cut", cut, 0o600, "changed or cut short"),
        ("public", &public, 0o600, "encrypted to another key, not with a passphrase"),
        ("wide", secret.as_bytes(), 0o644, "mode is 0644, so that others can read it"),
        ("group", secret.as_bytes(), 0o640, "mode is 0640"),
        ("tls", b"-----BEGIN PRIVATE KEY-----\n", 0o600, "found a key for TLS"),
        ("certificate", b"-----BEGIN CERTIFICATE-----\n", 0o600, "found a certificate"),
        ("digits", b"0x0909", 0o600, "hexadecimal digits without that label"),
        ("short", b"wattbook-secret-key-1 0x0909\n", 0o600, "that label with something else"),
        ("empty", b"", 0o600, "found nothing"),
        ("identity", b"AGE-SECRET-KEY-1QQ", 0o600, "found an identity of age"),
    ] {
        let path = file(&folder, name, bytes, mode);
        let said = open(&path).expect_err(name).to_string();
        assert!(said.contains(words) && said.contains(name), "{name}: {said}");
    }
    assert!(open(&file(&folder, "good", &good, 0o644)).is_ok(), "an encrypted file may be seen");
    assert!(open(&file(&folder, "plain", secret.as_bytes(), 0o600)).is_ok(), "plain, for its owner alone");
    let nobody = Keyring::new(Sources::default()).signing_key(&file(&folder, "asked", &good, 0o600));
    assert!(nobody.expect_err("no passphrase").to_string().contains("it needs a passphrase"));
}

/// Every byte of an encrypted file counts.
#[test]
fn p10_an_encrypted_key_that_was_tampered_with_does_not_open() {
    let secret = signing_key_line(&key());
    let good = encrypt(secret.as_bytes(), &passphrase(), QUICK);
    let text = String::from_utf8(good).expect("text");
    let start = text.find('\n').expect("a line") + 1;
    for place in start..text.rfind("-----END").expect("the end") - 1 {
        let mut bytes = text.clone().into_bytes();
        if bytes[place] == b'\n' {
            continue;
        }
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        match decrypt(&bytes, &passphrase()) {
            Ok(found) => panic!("byte {place} changed, opened all the same: {}", found.len()),
            Err(KeyProblem::WrongPassphrase { .. } | KeyProblem::Damaged | KeyProblem::NotPassphrase) => {}
            Err(KeyProblem::TooMuchWork(_)) => {}
            Err(other) => panic!("byte {place}: {other}"),
        }
    }
}

fn encrypted_to_a_key(secret: &[u8]) -> Vec<u8> {
    let identity = age::x25519::Identity::generate();
    age::encrypt_and_armor(&identity.to_public(), secret).expect("encrypted").into_bytes()
}

#[test]
fn p10_a_file_that_asks_for_too_much_work_is_refused() {
    let mut recipient = age::scrypt::Recipient::new(SecretString::from(passphrase().secret()));
    recipient.set_work_factor(QUICK);
    // The header is text: another number of rounds in it is found before anything else.
    let plain = age::encrypt(&recipient, b"x").expect("encrypted");
    let at = plain.windows(3).position(|three| three == b" 4\n").expect("the work factor");
    let mut heavy = plain[..at].to_vec();
    heavy.extend_from_slice(b" 21\n");
    heavy.extend_from_slice(&plain[at + 3..]);
    assert!(matches!(decrypt(&heavy, &passphrase()), Err(KeyProblem::TooMuchWork(21))));
}

/// Types for `age`, which asks on a terminal only.
const TYPIST: &str = r#"
import os, pty, sys
passphrase, arguments = sys.argv[1], sys.argv[2:]
process, terminal = pty.fork()
if process == 0:
    os.execvp(arguments[0], arguments)
shown = b""
while True:
    try:
        piece = os.read(terminal, 1024)
    except OSError:
        break
    if not piece:
        break
    shown += piece
    if shown.rstrip().endswith(b":"):
        os.write(terminal, passphrase.encode() + b"\n")
        shown = b""
_, status = os.waitpid(process, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"#;

/// Runs `age` with these arguments, or says why not.
fn run_age(passphrase: &str, arguments: &[&Path]) -> Option<bool> {
    let peer = std::env::var_os("WATTBOOK_AGE").unwrap_or_else(|| "age".into());
    for (program, flag) in [(&peer, "--version"), (&"python3".into(), "--version")] {
        if Command::new(program).arg(flag).stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            eprintln!("skipped: {} is not installed (apt-get install age python3)", program.display());
            return None;
        }
    }
    let mut typist = Command::new("python3")
        .args(["-", passphrase])
        .arg(&peer)
        .args(arguments)
        .stdin(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut input = typist.stdin.take().expect("piped");
    input.write_all(TYPIST.as_bytes()).expect("a program");
    drop(input);
    Some(typist.wait().expect("it ends").success())
}

#[test]
fn p10_another_program_opens_our_key_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ours, opened) = (folder.path().join("ours.key"), folder.path().join("opened"));
    write(&ours, signing_key_line(&key()).as_bytes(), Some(&passphrase()), Existing::Keep).expect("written");
    let decrypt = |typed: &str| run_age(typed, &[Path::new("-d"), Path::new("-o"), &opened, &ours]);
    let Some(success) = decrypt(passphrase().secret()) else { return };
    assert!(success, "age opens it");
    assert_eq!(std::fs::read_to_string(&opened).expect("text"), *signing_key_line(&key()));
    assert_eq!(decrypt("another one"), Some(false), "with the passphrase only");
}

#[test]
fn p10_we_open_a_key_file_of_another_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = file(&folder, "plain", signing_key_line(&key()).as_bytes(), 0o600);
    for (armor, name) in [(true, "text"), (false, "binary")] {
        let theirs = folder.path().join(name);
        let mut arguments: Vec<&Path> = vec![Path::new("-p"), Path::new("-o"), &theirs, &plain];
        if armor {
            arguments.insert(0, Path::new("-a"));
        }
        let Some(success) = run_age(passphrase().secret(), &arguments) else { return };
        assert!(success, "age encrypts");
        assert_eq!(open(&theirs).expect("opens").public_key(), key().public_key());
    }
}
