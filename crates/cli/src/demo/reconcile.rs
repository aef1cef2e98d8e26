//! Holds the ledger against what the storage side and the homes recorded.
//!
//! Always: everything that a home accepted must have ended; every sale and delivery in the ledger must
//! stand in the storage side's and the homes' own records with the same energy; nothing twice.

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use wattbook_types::record::{Delivery, Purpose, Record, Stored};
use wattbook_types::report::Occasion;
use wattbook_types::transaction::Body;
use wattbook_types::{Block, ConnectionPoint, Energy, Money, Slot, SlotLength, StorageReport, TransactionId};

/// Something that does not match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which record.
    pub about: String,
    /// What does not match.
    pub what: String,
}

/// A transaction as a home has it in its own record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeTransaction {
    /// The home.
    pub home: String,
    /// The transaction.
    pub id: TransactionId,
    /// Whether, by the home's record, nothing more can follow.
    pub ended: bool,
    /// Whether, by the home's record, it is in the ledger.
    pub in_ledger: bool,
}

/// What the ledger says, block by block.
#[derive(Default)]
pub struct Books {
    transactions: BTreeSet<TransactionId>,
    stored: BTreeMap<TransactionId, Stored>,
    deliveries: BTreeMap<TransactionId, Delivery>,
    reservations: BTreeSet<TransactionId>,
    incentives: BTreeMap<TransactionId, Money>,
    received: BTreeMap<(ConnectionPoint, Slot), Energy>,
    delivered: BTreeMap<(ConnectionPoint, Slot), Energy>,
    last: BTreeMap<ConnectionPoint, (u64, u64)>,
    findings: Vec<Finding>,
}

impl Books {
    /// Reads one more block.
    pub fn block(&mut self, block: &Block) {
        for transaction in &block.transactions {
            let id = transaction.id();
            if !self.transactions.insert(id) {
                self.find(id, "stands in the ledger twice");
            }
            if let Body::Report(report) = &transaction.payload.body {
                self.report(report);
            }
        }
        for record in &block.records {
            self.record(record);
        }
    }

    fn find(&mut self, about: impl ToString, what: impl Into<String>) {
        self.findings.push(Finding { about: about.to_string(), what: what.into() });
    }

    /// The registers' differences from report to report are the storage side's own account.
    fn report(&mut self, report: &StorageReport) {
        if report.occasion != Occasion::SlotEnd {
            return;
        }
        for row in &report.rows {
            let last = self.last.entry(row.connection_point).or_insert((0, 0));
            let key = (row.connection_point, report.slot);
            self.received.insert(key, Energy::from_wh(row.received.wh() - last.0));
            self.delivered.insert(key, Energy::from_wh(row.delivered.wh() - last.1));
            *last = (row.received.wh(), row.delivered.wh());
        }
    }

    fn record(&mut self, record: &Record) {
        let (known, about, what) = match record {
            Record::Stored(stored) => {
                (self.stored.insert(stored.sale, stored.clone()).is_some(), stored.sale, "is stored twice")
            }
            Record::Reservation(found) => {
                (!self.reservations.insert(found.purchase), found.purchase, "is reserved twice")
            }
            Record::Delivery(found) => {
                let known = self.deliveries.insert(found.purchase, found.clone()).is_some();
                (known, found.purchase, "is delivered twice")
            }
            Record::Payment(payment) if payment.purpose == Purpose::Incentive => {
                let known = self.incentives.insert(payment.about, payment.amount).is_some();
                (known, payment.about, "is paid twice")
            }
            _ => return,
        };
        if known {
            self.find(about, what);
        }
    }

    /// Compares everything; what homes recorded is given, the storage side's account is in its reports.
    pub fn compare(mut self, homes: &[HomeTransaction], slot_length: SlotLength) -> Vec<Finding> {
        self.compare_sales(slot_length);
        self.compare_deliveries();
        for found in homes {
            let name = format!("{} of {}", found.id, found.home);
            if !found.ended {
                self.find(&name, "has not ended by the home's record");
            }
            if found.in_ledger != self.transactions.contains(&found.id) {
                self.find(&name, "is in the ledger by one record and not by the other");
            }
        }
        self.findings
    }

    fn compare_sales(&mut self, slot_length: SlotLength) {
        let stored: Vec<Stored> = self.stored.values().cloned().collect();
        for stored in stored {
            let slot = slot_length.slot_at(stored.interval.middle());
            let received = self.received.get(&(stored.connection_point, slot)).copied();
            if received != Some(stored.received) {
                self.find(stored.sale, "was not received like this by the storage side's reports");
            }
            let due = stored.price.cost(stored.received).unwrap_or(Money::MAX);
            if self.incentives.get(&stored.sale).copied().unwrap_or(Money::ZERO) != due {
                self.find(stored.sale, format!("should have been paid {due}"));
            }
        }
    }

    fn compare_deliveries(&mut self) {
        let mut sums = BTreeMap::<(ConnectionPoint, Slot), Energy>::new();
        for delivery in self.deliveries.values() {
            let sum = sums.entry((delivery.connection_point, delivery.slot)).or_default();
            *sum = sum.saturating_add(delivery.delivered);
        }
        let delivered = std::mem::take(&mut self.delivered);
        for ((point, slot), energy) in delivered {
            let sold = sums.remove(&(point, slot)).unwrap_or(Energy::ZERO);
            if sold != energy {
                let about = format!("connection point {point}, slot {}", slot.number());
                self.find(about, format!("the battery delivered {energy}, the ledger has {sold}"));
            }
        }
        let open: Vec<_> =
            self.reservations.iter().filter(|id| !self.deliveries.contains_key(id)).copied().collect();
        for id in open {
            self.find(id, "is reserved and was never settled");
        }
    }
}
