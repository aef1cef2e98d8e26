//! `cargo xtask package`: builds the Debian package `target/debian/wattbook_VERSION_ARCHITECTURE.deb`.
//!
//! Always: what goes in stands in [`FILES`] and below `packaging`; the same binary gives the same package
//! where `SOURCE_DATE_EPOCH` or git says when. Needs Debian's own `dpkg-deb`, which every Debian and Ubuntu
//! has. Deliberately absent: debhelper and a source package (a crate's build fetches other crates, which
//! Debian's own archive would not allow).

use crate::depends;
use crate::tools::{copy, run, said, wrong};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is put where, as it is.
const FILES: &[(&str, &str)] = &[
    ("packaging/systemd/wattbook-server@.service", "lib/systemd/system/wattbook-server@.service"),
    ("packaging/systemd/wattbook-storage@.service", "lib/systemd/system/wattbook-storage@.service"),
    ("packaging/systemd/wattbook-home@.service", "lib/systemd/system/wattbook-home@.service"),
    ("README.md", "usr/share/doc/wattbook/README.md"),
];
/// Folders of documents that are put there whole.
const DOCUMENTS: (&str, &str) = ("docs", "usr/share/doc/wattbook/docs");
const SCRIPTS: &[&str] = &["postinst", "prerm", "postrm"];
const BINARY: &str = "usr/bin/wattbook";

/// Builds the package; arguments `--binary PATH` (instead of a release build) and `--out FOLDER`.
pub fn build(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let options = Options::read(arguments)?;
    if Command::new("dpkg-deb").arg("--version").output().is_err() {
        return Err("package: dpkg-deb is not here; on Debian and Ubuntu it always is".to_owned());
    }
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => release(root)?,
    };
    let out = options.out.unwrap_or_else(|| root.join("target/debian"));
    let stage = out.join("stage");
    let _ = fs::remove_dir_all(&stage);
    let moment = moment(root)?;
    stage_files(root, &stage, &binary, &moment)?;
    let architecture = said(Command::new("dpkg").arg("--print-architecture"))?;
    control(root, &stage, &architecture)?;
    let package = out.join(format!("wattbook_{}_{architecture}.deb", env!("CARGO_PKG_VERSION")));
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", if options.quick { "-z1" } else { "-z6" }, "-Zxz", "--build"])
        .args([&stage, &package])
        .env("SOURCE_DATE_EPOCH", &moment))?;
    fs::remove_dir_all(&stage).map_err(wrong(&stage))?;
    println!("{}", package.display());
    Ok(())
}

/// The options of the command line.
#[derive(Default)]
struct Options {
    binary: Option<PathBuf>,
    out: Option<PathBuf>,
    quick: bool,
}

impl Options {
    fn read(arguments: &[&str]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut path =
                || rest.next().map(PathBuf::from).ok_or_else(|| format!("package: {argument} wants a path"));
            match *argument {
                "--binary" => options.binary = Some(path()?),
                "--out" => options.out = Some(path()?),
                "--quick" => options.quick = true,
                other => return Err(format!("package: {other} is not known; --binary, --out, --quick are")),
            }
        }
        Ok(options)
    }
}

fn release(root: &Path) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = ["build", "--release", "--locked", "--package", "wattbook-cli"];
    run(Command::new(cargo).args(build).current_dir(root))?;
    Ok(root.join("target/release/wattbook"))
}

/// When the package was made, as far as its bytes tell: seconds since 1970.
fn moment(root: &Path) -> Result<String, String> {
    if let Ok(moment) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(moment);
    }
    let commit = said(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root));
    commit.or_else(|_| said(Command::new("date").arg("+%s")))
}

/// Everything that is installed.
fn stage_files(root: &Path, stage: &Path, binary: &Path, moment: &str) -> Result<(), String> {
    for (from, to) in FILES {
        copy(&root.join(from), &stage.join(to), 0o644)?;
    }
    let documents = root.join(DOCUMENTS.0);
    for from in walk(&documents)? {
        let name = from.strip_prefix(&documents).expect("below it");
        copy(&from, &stage.join(DOCUMENTS.1).join(name), 0o644)?;
    }
    let installed = stage.join(BINARY);
    copy(binary, &installed, 0o755)?;
    let strip = Command::new("strip")
        .args(["--strip-unneeded", "--remove-section=.comment"])
        .arg(&installed)
        .status();
    if !strip.is_ok_and(|status| status.success()) {
        println!("package: `strip` (binutils) could not be run: the program keeps what debuggers read");
    }
    let texts = stage.join("usr/share/doc/wattbook");
    let expat = read(&root.join("LICENSE-MIT"))?;
    let copyright = read(&root.join("packaging/debian/copyright"))?.replace("@EXPAT@", &indented(&expat));
    write(&texts.join("copyright"), &copyright, 0o644)?;
    compressed(&texts.join("changelog"), &changelog(moment)?)?;
    let page = read(&root.join("packaging/wattbook.1"))?.replace("@COMMANDS@\n", &commands(binary)?);
    compressed(&stage.join("usr/share/man/man1/wattbook.1"), &page)?;
    let configurations = stage.join("etc/wattbook");
    fs::create_dir_all(&configurations).map_err(wrong(&configurations))?;
    // Whatever the caller's umask is.
    run(Command::new("chmod").args(["-R", "u+rwX,go+rX,go-w"]).arg(stage))
}

/// The commands of the program with what they are for, as it says itself.
fn commands(binary: &Path) -> Result<String, String> {
    let help = said(Command::new(binary).arg("--help"))?;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let mut page = String::new();
    for line in listed.take_while(|line| line.starts_with("  ")) {
        match line.trim_start().split_once("  ").filter(|_| !line.starts_with("     ")) {
            Some((name, what)) => page.push_str(&format!(".TP\n.B {}\n{}\n", roff(name), roff(what.trim()))),
            None => page.push_str(&format!("{}\n", roff(line.trim()))),
        }
    }
    if page.is_empty() { Err("package: `wattbook --help` lists no commands".to_owned()) } else { Ok(page) }
}

fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// A Debian changelog with one entry, which points to ours.
fn changelog(moment: &str) -> Result<String, String> {
    let date = said(Command::new("date").args(["-u", "-R", "-d"]).arg(format!("@{moment}")))?;
    let version = env!("CARGO_PKG_VERSION");
    let who = "The wattbook developers <maintainers@wattbook.example.org>";
    Ok(format!(
        "wattbook ({version}) unstable; urgency=medium\n\n  * What changed stands in CHANGELOG.md of the repository.\n\n -- {who}  {date}\n"
    ))
}

/// What dpkg reads: control, scripts, sums.
fn control(root: &Path, stage: &Path, architecture: &str) -> Result<(), String> {
    let mut kilobytes = 0;
    let mut names = Vec::new();
    for file in walk(stage)? {
        kilobytes += fs::metadata(&file).map_err(wrong(&file))?.len().div_ceil(1024);
        names.push(file.strip_prefix(stage).expect("below it").to_owned());
    }
    let sums = said(Command::new("md5sum").args(&names).current_dir(stage))?;
    let folder = stage.join("DEBIAN");
    let text = read(&root.join("packaging/debian/control"))?
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@ARCHITECTURE@", architecture)
        .replace("@SIZE@", &kilobytes.to_string())
        .replace("@DEPENDS@", &depends::of(&stage.join(BINARY))?);
    write(&folder.join("control"), &text, 0o644)?;
    write(&folder.join("md5sums"), &format!("{sums}\n"), 0o644)?;
    for script in SCRIPTS {
        copy(&root.join("packaging/debian").join(script), &folder.join(script), 0o755)?;
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).map_err(wrong(&folder))
}

/// Every file below a folder, in order.
fn walk(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(wrong(folder))?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files.extend(walk(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(wrong(path))
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), String> {
    fs::create_dir_all(path.parent().expect("a file has a folder")).map_err(wrong(path))?;
    fs::write(path, text).map_err(wrong(path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(wrong(path))
}

/// Writes a file and packs it, without time and name, as Debian's documents are.
fn compressed(path: &Path, text: &str) -> Result<(), String> {
    write(path, text, 0o644)?;
    run(Command::new("gzip").args(["-9", "--no-name", "--force"]).arg(path))
}

/// A text as Debian's copyright format wants it: indented, with a full stop on empty lines.
fn indented(text: &str) -> String {
    let line = |line: &str| if line.trim().is_empty() { " .".to_owned() } else { format!(" {line}") };
    text.trim().lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_others_refused() {
        let options = Options::read(&["--binary", "a/b", "--quick"]).expect("known");
        assert_eq!((options.binary, options.out, options.quick), (Some(PathBuf::from("a/b")), None, true));
        assert!(Options::read(&["--binary"]).is_err_and(|problem| problem.contains("wants a path")));
        assert!(Options::read(&["--bianry", "x"]).is_err_and(|problem| problem.contains("is not known")));
    }
}
