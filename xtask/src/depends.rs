//! Which Debian packages a program needs.
//!
//! Always: `dpkg-shlibdeps` (package dpkg-dev) is asked where it is there. Else the version of the C
//! library is read from the names of the symbols that the program wants, which is at least as strict.

use crate::tools::wrong;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What the C library's symbol versions begin with.
const SYMBOL: &[u8] = b"GLIBC_2.";

/// The value of `Depends:` for a program.
pub fn of(program: &Path) -> Result<String, String> {
    if let Some(depends) = shlibdeps(program) {
        return Ok(depends);
    }
    println!(
        "package: dpkg-shlibdeps (package dpkg-dev) is not here; the C library's version is read from symbols"
    );
    let minor = newest_symbol(&fs::read(program).map_err(wrong(program))?);
    let minor = minor.ok_or("package: the program names no version of the C library")?;
    Ok(format!("libc6 (>= 2.{minor}), libgcc-s1"))
}

/// What `dpkg-shlibdeps` says. It wants to stand in a source package, of which an empty one will do.
fn shlibdeps(program: &Path) -> Option<String> {
    let program = program.canonicalize().ok()?;
    let folder = program.parent()?.join(".shlibdeps");
    fs::create_dir_all(folder.join("debian")).ok()?;
    fs::write(folder.join("debian/control"), "Source: wattbook\n\nPackage: wattbook\nArchitecture: any\n")
        .ok()?;
    let output = Command::new("dpkg-shlibdeps").arg("-O").arg(&program).current_dir(&folder).output();
    fs::remove_dir_all(&folder).ok()?;
    let output = output.ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().find_map(|line| line.strip_prefix("shlibs:Depends=")).map(str::to_owned)
}

/// The greatest N of all `GLIBC_2.N` in a program.
fn newest_symbol(program: &[u8]) -> Option<u32> {
    let mut newest = None;
    for (at, _) in program.windows(SYMBOL.len()).enumerate().filter(|(_, bytes)| *bytes == SYMBOL) {
        let digits = program[at + SYMBOL.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        let number: Vec<u8> = digits.copied().take(3).collect();
        newest = newest.max(String::from_utf8(number).ok().and_then(|number| number.parse().ok()));
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_symbol_counts() {
        let program = b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_2.\0GLIBC_PRIVATE";
        assert_eq!(newest_symbol(program), Some(34));
        assert_eq!(newest_symbol(b"nothing"), None);
    }
}
