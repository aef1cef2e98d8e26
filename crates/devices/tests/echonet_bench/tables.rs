//! Objects as scripts have them, and what a test needs to look at them.

use super::script::{Script, Table};
use super::{LENGTH, address, own_address};
use wattbook_devices::capability::MeterReading;
use wattbook_devices::clock::Hand;
use wattbook_devices::driver::Context;
use wattbook_devices::{Clock, DeviceAddress, DeviceError, Quality, Reading};
use wattbook_types::{Slot, Timestamp};

/// 2026-03-10T08:40:00+09:00.
pub const NOW: u64 = 1_773_099_600_000;

pub fn context() -> (Context, Hand) {
    let (clock, hand) = Clock::manual(Timestamp::from_millis(NOW));
    (Context::new(clock, LENGTH), hand)
}

/// The address of a script's object, asked with little patience.
pub fn at(script: &Script, object: &str) -> DeviceAddress {
    let sign = if object.contains('?') { '&' } else { '?' };
    address(&format!("echonet://{}/{object}{sign}bind={}&patience=1", script.address(), own_address()))
}

pub fn meter() -> Table {
    Table::new("028801", &["E5"]).with(&[
        ("D3", "00000001"),
        ("D7", "06"),
        ("E0", "0001E240"),
        ("E1", "01"),
        ("E3", "00000007"),
        ("E7", "FFFFFE0C"),
        ("98", "07EA030A"),
    ])
}

pub fn solar() -> Table {
    Table::new("027901", &[]).with(&[("E0", "0BB8"), ("E1", "000F423F"), ("E8", "157C"), ("C3", "1388")])
}

pub fn battery() -> Table {
    Table::new("027D01", &["DA", "EB", "EC"]).with(&[
        ("A0", "00002710"),
        ("A1", "00001FA4"),
        ("A8", "00000BB8"),
        ("A9", "000007D0"),
        ("C8", "0000000000000FA0"),
        ("C9", "0000000000000BB8"),
        ("D0", "00002710"),
        ("D3", "FFFFFC18"),
        ("DA", "46"),
        ("E2", "00001388"),
        ("EB", "000003E8"),
        ("EC", "00000000"),
    ])
}

/// The slot that ends so many half-hours after midnight of 2026-03-10 in Japan.
pub fn ending(half_hours: i64) -> Slot {
    let midnight = (NOW - 8 * 3_600_000 - 40 * 60_000) as i64;
    LENGTH.slot_at(Timestamp::from_millis((midnight + half_hours * 1_800_000) as u64)).previous()
}

/// What a reading says: registers and power, or that it is missing, or words.
pub fn said(reading: Result<Reading<MeterReading>, DeviceError>) -> String {
    match reading {
        Ok(reading) => reading.value().map_or("missing".to_owned(), |value| {
            assert_eq!(reading.quality(), Quality::Measured);
            let registers = value.registers;
            format!("{} {} {}", registers.import.wh(), registers.export.wh(), value.power.watts())
        }),
        Err(error) => error.to_string(),
    }
}
