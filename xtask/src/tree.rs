//! The repository's own files, read once.
//!
//! Always: paths are relative to the root, with `/`; what is built or made by running (`target`,
//! `wattbook-demo`, anything hidden but `.ci` and `.cargo`) is left out. Deliberately absent: git, which
//! a machine that only builds may not have.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold no source.
const SKIPPED: &[&str] = &["target", "wattbook-demo", "__pycache__"];
/// Hidden names that do.
const HIDDEN: &[&str] = &[".ci", ".cargo", ".gitignore"];

/// A text file.
pub struct Text {
    /// Its path from the root.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// Every text file of the repository, by path.
pub struct Tree {
    /// The files, ascending.
    pub files: Vec<Text>,
}

/// The repository's root: the folder above this package.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask stands in the repository").to_owned()
}

impl Tree {
    /// Reads every text file below a root. What is not UTF-8 is no text.
    pub fn read(root: &Path) -> Result<Self, String> {
        let mut files = Vec::new();
        read_folder(root, root, &mut files).map_err(|error| format!("cannot read the tree: {error}"))?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    /// The file at a path.
    pub fn get(&self, path: &str) -> Option<&Text> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Files whose name ends so.
    pub fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = &'a Text> {
        self.files.iter().filter(move |file| file.path.ends_with(end))
    }
}

fn read_folder(root: &Path, folder: &Path, files: &mut Vec<Text>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let hidden = name.starts_with('.') && !HIDDEN.contains(&name.as_str());
        if hidden || SKIPPED.contains(&name.as_str()) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            read_folder(root, &entry.path(), files)?;
        } else if kind.is_file()
            && let Ok(text) = String::from_utf8(fs::read(entry.path())?)
        {
            let path = entry.path().strip_prefix(root).expect("below the root").to_path_buf();
            files.push(Text { path: path.to_string_lossy().replace('\\', "/"), text });
        }
    }
    Ok(())
}
