//! What docs/configuration.md says of every key: its type, its default, its meaning.
//!
//! Always: the page is the one that belongs to this program, because the program carries it; the page is
//! made from the structures that read the files (`cargo xtask configuration`, held by `cargo xtask tidy`).
//! Not here: any key's name or meaning.

/// The page.
const PAGE: &str = include_str!("../../../docs/configuration.md");

/// A key of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key with its tables: `servers[].address` is `address` of each `[[servers]]`.
    pub path: String,
    /// What its value is.
    pub kind: String,
    /// What holds where it is left out, as it would be written; `None` where it must be there.
    pub default: Option<String>,
    /// What it means.
    pub meaning: String,
}

impl Key {
    /// The key without its tables.
    pub fn name(&self) -> &str {
        self.path.rsplit_once('.').map_or(&self.path, |(_, name)| name)
    }

    /// The tables without the key; empty at the top.
    pub fn table(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(table, _)| table)
    }
}

/// Every key of a file, such as `server.toml`, in the order of the page. None for a file that it does not
/// describe.
pub fn keys(file: &str) -> Vec<Key> {
    section(file).lines().filter_map(row).collect()
}

/// What a file is for.
pub fn about(file: &str) -> String {
    let words = section(file).lines().skip(1).map(str::trim).skip_while(|line| line.is_empty());
    words.take_while(|line| !line.is_empty() && !line.starts_with('|')).collect::<Vec<_>>().join(" ")
}

fn section(file: &str) -> &'static str {
    let heading = format!("## `{file}`\n");
    let Some(start) = PAGE.find(&heading) else { return "" };
    let rest = &PAGE[start + 3..];
    rest.find("\n## ").map_or(rest, |end| &rest[..end])
}

/// `| key | type | default | meaning |`.
fn row(line: &str) -> Option<Key> {
    let inner = line.strip_prefix("| ")?.strip_suffix(" |")?.replace("\\|", "\u{0}");
    let cells: Vec<String> = inner.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect();
    let [path, kind, default, meaning] = &cells[..] else { return None };
    let path = path.strip_prefix('`')?.strip_suffix('`')?;
    let default = (!default.is_empty()).then(|| default.trim_matches('`').to_owned());
    Some(Key { path: path.to_owned(), kind: kind.clone(), default, meaning: meaning.clone() })
}
