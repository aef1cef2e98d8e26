//! What members and a storage side with good keys may try, and books that are as large as any may be.
//!
//! Always: the village's blocks are built by one server and applied by another, with every invariant
//! counted after each. Not here: plain refusals, which stand in `refusals.rs`.

mod common;

use common::{FIRST, Village, plan};
use wattbook_ledger::{invariants, view};
use wattbook_types::{PerMille, Record};

/// What the last block reserved in all.
fn reserved(village: &Village) -> u64 {
    let energy = |record: &Record| match record {
        Record::Reservation(found) => found.energy.wh(),
        _ => 0,
    };
    village.records.iter().map(energy).sum()
}

/// Each part of a lot takes shares by rounding up, so the last part finds a few millionths of a watt-hour
/// less than it delivers. No loss in the battery hides that here.
#[test]
fn m10_a_lossless_batterys_lot_is_delivered_in_parts_to_the_last_watt_hour() {
    let mut genesis = plan(4).genesis();
    genesis.batteries[0].charge_efficiency = PerMille::new(1000);
    genesis.batteries[0].discharge_efficiency = PerMille::new(1000);
    // A thousandth each half hour: a share is worth a little less than a millionth, 1,000 Wh become 999.
    genesis.batteries[0].standing_loss_ppm_per_hour = 2_000;
    let mut village = Village::with(genesis);
    let report = village.slot_end(&[(1, 1_000)], &[]);
    let sale = village.sale(1, FIRST, 1_010);
    assert_eq!(village.block(Village::at(FIRST + 1, 1), &[report, sale]), []);
    let wanted = [(2, 102), (3, 221), (4, 676)];
    let purchases = wanted.map(|(home, wh)| village.purchase(home, FIRST + 3, wh, 300));
    assert_eq!(village.block(Village::at(FIRST + 1, 2), &purchases), []);
    village.stored = 1_000;
    let quiet = village.slot_end(&[], &[]);
    village.expect(Village::at(FIRST + 2, 1), &quiet, None);
    village.block(Village::at(FIRST + 2, 21), &[]);
    assert_eq!(reserved(&village), 999);
    let quiet = village.slot_end(&[], &[]);
    village.expect(Village::at(FIRST + 3, 1), &quiet, None);
    let delivered = village.slot_end(&[], &wanted);
    village.expect(Village::at(FIRST + 4, 1), &delivered, None);
    assert_eq!(invariants::audit(&village.state), Ok(()));
    assert_eq!(view::sums(&village.state).delivered.wh(), 999);
}
