//! The state bench with the Jellyfish Merkle Tree beside it (see `../../state/main.rs` for the command).

#[path = "../../state/flat.rs"]
mod flat;
#[path = "../../state/heap.rs"]
mod heap;
mod jellyfish;
#[path = "../../state/measure.rs"]
mod measure;
#[path = "../../state/ours.rs"]
mod ours;

use flat::Flat;
use jellyfish::Jellyfish;
use measure::Workload;
use ours::Ours;

fn main() {
    let workload = Workload::from_arguments();
    let ours = workload.measure::<Ours>();
    workload.print(&[ours, workload.measure::<Jellyfish>(), workload.measure::<Flat>()]);
}
