//! `cargo xtask tidy`: every check over the tree, findings by file and line.

use crate::tree::Tree;
use crate::{configuration, docs, forms, refusals, requirements, rooms};
use std::path::Path;

/// Runs all checks; an error tells how many findings there were.
pub fn run(root: &Path) -> Result<(), String> {
    let tree = Tree::read(root)?;
    let mut findings = rooms::check(root, &tree)?;
    findings.extend(forms::check(&tree));
    findings.extend(refusals::check(&tree));
    findings.extend(requirements::check(&tree));
    findings.extend(configuration::check(&tree));
    findings.extend(docs::check(root, &tree));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {} files, nothing to mend", tree.files.len());
            Ok(())
        }
        count => Err(format!("tidy: {count} to mend")),
    }
}
