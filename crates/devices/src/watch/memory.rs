//! What is remembered of a device across restarts: a small JSON file each (P3).
//!
//! Always: a file is replaced whole or not at all; one that cannot be read is set aside under another name,
//! said so, and begun anew. Not here: what is worth remembering.

use serde::{Serialize, de::DeserializeOwned};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where something is remembered.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    file: PathBuf,
}

/// What was found.
pub(crate) enum Found<T> {
    /// Nothing: it begins.
    Nothing,
    /// What was remembered.
    Remembered(T),
    /// Something that cannot be read; it was set aside, or why not.
    Unreadable(String),
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Page<T> {
    version: u32,
    device: String,
    remembered: T,
}

const VERSION: u32 = 1;

impl Memory {
    /// Where a device is remembered in a folder.
    pub(crate) fn of(folder: &Path, device: &str) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        let name: String = device.chars().map(plain).collect();
        // Two addresses may look alike without their signs; names of files are not endless.
        let sum = device.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let short: String = name.chars().take(80).collect();
        Self { file: folder.join(format!("{short}-{sum:016x}.json")) }
    }

    /// What is remembered.
    pub(crate) fn read<T: DeserializeOwned>(&self, device: &str) -> Found<T> {
        let text = match std::fs::read(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Found::Nothing,
            Err(error) => return Found::Unreadable(error.to_string()),
        };
        let wrong = match serde_json::from_slice::<Page<T>>(&text) {
            Ok(page) if page.version == VERSION && page.device == device => {
                return Found::Remembered(page.remembered);
            }
            Ok(_) => "it is of another device or version".to_owned(),
            Err(error) => error.to_string(),
        };
        Found::Unreadable(match self.set_aside() {
            Ok(aside) => format!("{wrong}; the file is kept as {}", aside.display()),
            Err(error) => format!("{wrong}; and it cannot be set aside: {error}"),
        })
    }

    /// Remembers this in place of what was remembered before.
    ///
    /// # Errors
    /// Where the file cannot be written; what was remembered before stays then.
    pub(crate) fn write<T: Serialize>(&self, device: &str, remembered: &T) -> std::io::Result<()> {
        let page = Page { version: VERSION, device: device.to_owned(), remembered };
        let text = serde_json::to_vec(&page)?;
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let new = self.file.with_extension("new");
        let mut file = std::fs::File::create(&new)?;
        file.write_all(&text)?;
        file.sync_data()?;
        drop(file);
        std::fs::rename(&new, &self.file)
    }

    fn set_aside(&self) -> std::io::Result<PathBuf> {
        let names = (1..1_000).map(|number| self.file.with_extension(format!("bad-{number}")));
        let free = names.into_iter().find(|name| !name.exists());
        let aside = free.ok_or_else(|| std::io::Error::other("too many were set aside before"))?;
        std::fs::rename(&self.file, &aside)?;
        Ok(aside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("wattbook-memory-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn p3_what_was_remembered_is_found_again_and_what_is_broken_is_set_aside() {
        let folder = folder("aside");
        let memory = Memory::of(&folder, "sunspec://a:1/2");
        assert!(matches!(memory.read::<u64>("sunspec://a:1/2"), Found::Nothing));
        memory.write("sunspec://a:1/2", &7_u64).unwrap();
        memory.write("sunspec://a:1/2", &8_u64).unwrap();
        assert!(matches!(memory.read("sunspec://a:1/2"), Found::Remembered(8_u64)));
        assert_ne!(memory.file, Memory::of(&folder, "sunspec://a:1_2").file);
        for broken in ["", "{", "{\"version\":1,\"device\":\"b\",\"remembered\":8}"] {
            std::fs::write(&memory.file, broken).unwrap();
            let Found::Unreadable(why) = memory.read::<u64>("sunspec://a:1/2") else { panic!("{broken}") };
            assert!(why.contains(".bad-"), "{why}");
            assert!(matches!(memory.read::<u64>("sunspec://a:1/2"), Found::Nothing));
        }
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3, "all three were kept");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
