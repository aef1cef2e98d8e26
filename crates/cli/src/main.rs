//! The `wattbook` command.
fn main() {}
