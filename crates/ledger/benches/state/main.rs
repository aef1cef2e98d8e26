//! What a state root costs: `cargo bench -p wattbook-ledger --bench state [-- ENTRIES]`.
//!
//! Holds the ledger's state against a tree that is hashed anew for every root, and against the time that
//! its hashes alone take. A third peer, the Jellyfish Merkle Tree, would add seven crates to every test
//! build, so it has a package of its own, which prints the same table with one column more:
//! `cargo run --release --manifest-path crates/ledger/benches/jmt/Cargo.toml --target-dir target/jmt`.
//! The figures behind `docs/adr/0003-state-root.md` come from that one.

mod flat;
mod heap;
mod measure;
mod ours;

use flat::Flat;
use measure::Workload;
use ours::Ours;

fn main() {
    let workload = Workload::from_arguments();
    let ours = workload.measure::<Ours>();
    workload.print(&[ours, workload.measure::<Flat>()]);
}
