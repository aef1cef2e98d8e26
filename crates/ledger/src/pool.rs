//! The book of a battery's energy: lots and receptions hold shares of it, reservations fixed amounts.
//!
//! Always: `received = stored + delivered + lost`, in millionths of a watt-hour, to the last one. A share
//! is worth `index / 10^12` millionths of a watt-hour; standing loss lowers the index and touches no lot.
//! Reserved energy is senior: losses fall on what is not reserved first. Whatever rounding takes from
//! a holder is booked as lost. Not here: money.

use crate::state::State;
use crate::tables::{BatteryBook, Lots, Receptions, Tables};
use wattbook_types::{BatteryId, Energy, PerMille};

/// Worth of 10^12 shares in millionths of a watt-hour when a book is new.
pub const INDEX_ONE: u64 = 1_000_000_000_000;
/// Below this the index is set back to one, so that it never loses its digits.
const INDEX_LOW: u64 = 1_000_000_000;
const MICRO: u128 = 1_000_000;

/// Energy in millionths of a watt-hour.
pub fn micro_wh(energy: Energy) -> u128 {
    u128::from(energy.wh()) * MICRO
}

/// Whole watt-hours in some millionths, rounded down.
pub fn whole_wh(micro: u128) -> Energy {
    Energy::from_wh(u64::try_from(micro / MICRO).expect("no battery holds so much"))
}

/// What of received energy is stored, in millionths of a watt-hour: exact, since efficiency is in
/// thousandths.
pub fn stored_of(received: Energy, efficiency: PerMille) -> u128 {
    micro_wh(received) / 1000 * u128::from(efficiency.get())
}

/// What must be taken out of storage to deliver some energy, in millionths, rounded up.
pub fn needed_for(delivered: Energy, efficiency: PerMille) -> u128 {
    (micro_wh(delivered) * 1000).div_ceil(u128::from(efficiency.get().max(1)))
}

/// What can be delivered from some stored millionths, rounded down to whole watt-hours.
pub fn deliverable_from(micro: u128, efficiency: PerMille) -> Energy {
    whole_wh(micro * u128::from(efficiency.get()) / 1000)
}

/// Millionths of a watt-hour that some shares are worth, rounded down.
pub fn worth(book: &BatteryBook, shares: u128) -> u128 {
    shares * u128::from(book.index) / u128::from(INDEX_ONE)
}

/// Everything that the book says is stored.
pub fn stored(book: &BatteryBook) -> u128 {
    worth(book, book.shares) + book.reserved_micro_wh
}

/// Shares for energy that comes in; returns them and what rounding lost.
pub fn put_in(book: &mut BatteryBook, micro: u128) -> (u128, u128) {
    let before = worth(book, book.shares);
    let shares = micro * u128::from(INDEX_ONE) / u128::from(book.index);
    book.shares += shares;
    (shares, micro - (worth(book, book.shares) - before))
}

/// Shares that must go to take some energy out; returns them and what rounding lost. The energy must not
/// be more than the shares that it is taken from are worth.
pub fn take_out(book: &mut BatteryBook, micro: u128) -> (u128, u128) {
    let before = worth(book, book.shares);
    let shares = (micro * u128::from(INDEX_ONE)).div_ceil(u128::from(book.index));
    book.shares -= shares;
    (shares, before - worth(book, book.shares) - micro)
}

/// Takes energy off everything that is not reserved, by lowering the index. Returns what was really
/// taken: at most what is there, at least what was asked where it is there.
pub fn shrink(state: &mut State, id: BatteryId, book: &mut BatteryBook, micro: u128) -> u128 {
    let before = worth(book, book.shares);
    let kept = before.saturating_sub(micro);
    if let Some(index) = (u128::from(book.index) * kept).checked_div(before) {
        book.index = u64::try_from(index).expect("it only falls");
    }
    if book.index < INDEX_LOW {
        set_back_index(state, id, book);
    }
    before - worth(book, book.shares)
}

/// Sets the index back to one by counting every holder's shares anew, at their present worth.
fn set_back_index(state: &mut State, id: BatteryId, book: &mut BatteryBook) {
    let index = book.index;
    let renew = |shares: u128| shares * u128::from(index) / u128::from(INDEX_ONE);
    book.spare = renew(book.spare);
    let mut sum = book.spare;
    let lots: Vec<_> = state.entries::<Lots>(&id).collect();
    let receptions: Vec<_> =
        state.entries::<Receptions>(&()).filter(|(_, reception)| reception.battery == id).collect();
    for (key, mut lot) in lots {
        lot.shares = renew(lot.shares);
        sum += lot.shares;
        state.put::<Lots>(&key, &lot);
    }
    for (key, mut reception) in receptions {
        reception.shares = renew(reception.shares);
        sum += reception.shares;
        state.put::<Receptions>(&key, &reception);
    }
    book.shares = sum;
    book.index = INDEX_ONE;
}

/// Standing loss of some hours' worth of seconds, taken off; returns what was lost.
pub fn stand(state: &mut State, id: BatteryId, book: &mut BatteryBook, seconds: u64) -> u128 {
    let rate = u128::from(book.spec.standing_loss_ppm_per_hour) * u128::from(seconds);
    let due = stored(book) * rate / (3600 * 1_000_000);
    shrink(state, id, book, due)
}
