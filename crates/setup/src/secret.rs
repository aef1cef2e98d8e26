//! Writing files that only their owner may read.
//!
//! Always: a file is there whole or not at all, with mode 0600; one that is there already stays unless the
//! caller says otherwise. Not here: what is in them.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use tempfile::NamedTempFile;

/// What happens to a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and writing is an error.
    Keep,
    /// It is replaced.
    Replace,
}

/// Writes a file that only its owner may read.
///
/// # Errors
/// With the file's name, also where it is there already and is to be kept.
pub fn write(path: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    write_mode(path, bytes, existing, 0o600)
}

/// Writes a file that everybody may read, as safely.
///
/// # Errors
/// As [`write()`].
pub fn write_public(path: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    write_mode(path, bytes, existing, 0o644)
}

/// Makes a folder that only its owner may enter, and those above it.
///
/// # Errors
/// With the folder's name.
pub fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| named(path, error))
}

fn write_mode(path: &Path, bytes: &[u8], existing: Existing, mode: u32) -> io::Result<()> {
    put(path, bytes, existing, mode).map_err(|error| named(path, error))
}

fn put(path: &Path, bytes: &[u8], existing: Existing, mode: u32) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // It begins with mode 0600, under a name of its own.
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    match existing {
        Existing::Keep => file.persist_noclobber(path),
        Existing::Replace => file.persist(path),
    }
    .map_err(|refused| refused.error)?;
    File::open(folder)?.sync_all()
}

fn named(path: &Path, error: io::Error) -> io::Error {
    let what = match error.kind() {
        io::ErrorKind::AlreadyExists => "it is there already and is not overwritten".to_owned(),
        _ => error.to_string(),
    };
    io::Error::new(error.kind(), format!("{}: {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_for_its_owner_and_is_not_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("a/b");
        super::folder(&inner).expect("folders");
        let file = inner.join("secret");
        let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        write(&file, b"one", Existing::Keep).expect("written");
        assert_eq!((mode(&inner), mode(&file)), (0o700, 0o600));
        let error = write(&file, b"two", Existing::Keep).expect_err("kept");
        assert!(error.to_string().ends_with("secret: it is there already and is not overwritten"), "{error}");
        assert_eq!(std::fs::read(&file).expect("text"), b"one");
        write(&file, b"three", Existing::Replace).expect("written");
        assert_eq!(std::fs::read(&file).expect("text"), b"three");
        write_public(&inner.join("public"), b"four", Existing::Keep).expect("written");
        assert_eq!(mode(&inner.join("public")), 0o644);
        assert_eq!(std::fs::read_dir(&inner).expect("a folder").count(), 2, "nothing is left over");
    }
}
