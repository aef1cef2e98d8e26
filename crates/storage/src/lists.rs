//! The two lists of the storage side (P6): what was received and what was delivered, from its reports.

use crate::clerk::Office;
use crate::store::StoreError;
use std::collections::BTreeMap;
use wattbook_client::api::{DeliveryRow, ReceptionRow, SlotsQuery};
use wattbook_types::report::FeederRow;
use wattbook_types::{ConnectionPoint, Energy, MeterRegister, Slot, StorageReport};

/// Slots in an answer if the query does not say, and at most.
const USUAL: u32 = 48;
const MOST: u32 = 1_000;

/// The reception list, newest slot first.
pub fn receptions(office: &Office, query: &SlotsQuery) -> Result<Vec<ReceptionRow>, StoreError> {
    let mut rows = Vec::new();
    for (report, before) in slot_ends(office, query)? {
        for row in &report.rows {
            let energy = counted(row.received, before.get(&row.connection_point).map(|row| row.received));
            if !energy.is_zero() {
                let connection_point = row.connection_point;
                rows.push(ReceptionRow {
                    slot: report.slot,
                    connection_point,
                    energy,
                    report: report.sequence,
                });
            }
        }
    }
    Ok(rows)
}

/// The delivery list, newest slot first: whatever was reserved or delivered.
pub fn deliveries(office: &Office, query: &SlotsQuery) -> Result<Vec<DeliveryRow>, StoreError> {
    let mut rows = Vec::new();
    for (report, before) in slot_ends(office, query)? {
        let reservations = office.store.dispatches(report.slot, report.slot.next())?;
        for row in &report.rows {
            let at = row.connection_point;
            let mine = || reservations.iter().filter(|reservation| reservation.connection_point == at);
            let delivered = counted(row.delivered, before.get(&at).map(|row| row.delivered));
            let purchases: Vec<_> = mine().map(|reservation| reservation.purchase).collect();
            if !delivered.is_zero() || !purchases.is_empty() {
                rows.push(DeliveryRow {
                    slot: report.slot,
                    connection_point: at,
                    reserved: mine().map(|reservation| reservation.energy).sum(),
                    delivered,
                    purchases,
                    report: report.sequence,
                });
            }
        }
    }
    Ok(rows)
}

fn counted(now: MeterRegister, before: Option<MeterRegister>) -> Energy {
    now.since(before.unwrap_or_default()).unwrap_or_default()
}

type Rows = BTreeMap<ConnectionPoint, FeederRow>;

/// Slot-end reports, newest first, each with the rows of the one before it.
fn slot_ends(office: &Office, query: &SlotsQuery) -> Result<Vec<(StorageReport, Rows)>, StoreError> {
    let count = query.slots.unwrap_or(USUAL).min(MOST) as usize;
    let before = query.before.unwrap_or(Slot::from_number(u64::MAX));
    let reports = office.store.slot_ends_before(before, count.saturating_add(1))?;
    let rows = |rows: &[FeederRow]| rows.iter().map(|row| (row.connection_point, *row)).collect();
    let earlier = reports.iter().skip(1).map(|report| rows(&report.rows)).collect::<Vec<Rows>>();
    let first = earlier.len() < reports.len() && reports.len() <= count;
    let origin = first.then(|| rows(&beginning(office)));
    Ok(reports.into_iter().zip(earlier.into_iter().chain(origin)).collect())
}

/// The registers with which the ledger began.
fn beginning(office: &Office) -> Vec<FeederRow> {
    let points = office.genesis.connection_points.iter();
    let mine = points.filter(|point| point.battery == office.battery.id);
    mine.map(|point| FeederRow {
        connection_point: point.id,
        received: point.received,
        delivered: point.delivered,
    })
    .collect()
}
