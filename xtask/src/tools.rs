//! Running other programs and copying files, with words for what went wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Says which file the system refused something with.
pub fn wrong(path: &Path) -> impl Fn(std::io::Error) -> String {
    let path = path.display().to_string();
    move |error| format!("{path}: {error}")
}

/// Runs a program that must succeed.
pub fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{}: {error}", name(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} failed ({status})", name(command))) }
}

/// What a program that must succeed prints, without the end of the last line.
pub fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{}: {error}", name(command)))?;
    if !output.status.success() {
        let problem = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed ({}): {}", name(command), output.status, problem.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

/// Copies a file into a folder that need not be there yet.
pub fn copy(from: &Path, to: &Path, mode: u32) -> Result<(), String> {
    fs::create_dir_all(to.parent().expect("a file has a folder")).map_err(wrong(to))?;
    fs::copy(from, to).map_err(wrong(from))?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode)).map_err(wrong(to))
}
