//! One home's knowledge and what it makes of it: readings become sales and signed arrivals, expectations
//! become requests, answers of servers become progress.
//!
//! Always: no input or output and no clock; every change comes back as pieces to be recorded, and nothing
//! may be sent before they are. A slot that has a reading is never read, or sold, again. Not here: when
//! things are done (`control`, `trade`) and how they are kept (`record`).

use crate::buying::{self, NoOrder};
use crate::config::{HomeConfig, UtilityTariff, slots_per_day};
use crate::forecast::{self, Expected};
use crate::record::{
    Beginning, Change, Origin, Progress, Remembered, SellOrder, Settings, SlotReading, TransactionRecord,
    Write,
};
use crate::selling::OnceAmount;
use crate::signing::{Identity, PurchaseOrder};
use crate::words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wattbook_client::api::{AccountInfo, PricesNow, Stage};
use wattbook_devices::{Notices, Registers};
use wattbook_types::genesis::{Genesis, Rules};
use wattbook_types::transaction::Body;
use wattbook_types::{
    BatteryId, Energy, Interval, Money, Power, Refusal, Slot, SlotLength, Timestamp, Transaction,
    TransactionId,
};

/// Ended transactions that are kept at hand for the page.
const RECENT_TRANSACTIONS: usize = 100;
/// Days of readings that are kept at hand for the forecast.
const RECENT_DAYS: u64 = 8;

/// One home.
#[derive(Debug)]
pub struct Home {
    /// Its name.
    pub name: String,
    /// Who it is in its community.
    pub identity: Identity,
    /// The most that its feeder carries.
    pub feeder_limit: Power,
    /// What the owner has set.
    pub settings: Settings,
    /// The most that its generator gives, by its nameplate; `None` while it has not been asked.
    pub generator_limit: Option<Power>,
    /// What the devices said last.
    pub live: Option<Live>,
    /// What the storage side said to announcements, by slot.
    pub grants: BTreeMap<Slot, Grant>,
    /// What the account holds, as a server said last.
    pub account: Option<AccountInfo>,
    /// What keeps the controller from working, in words.
    pub trouble: Option<String>,
    /// What is or was wrong with its devices.
    pub notices: Notices,
    /// Why the last decision about buying was not to, and for which slot.
    pub not_bought: Option<(Slot, NoOrder)>,
    /// Totals since the record began.
    pub totals: Totals,
    rules: Rules,
    utility: UtilityTariff,
    utc_offset_minutes: i32,
    readings: BTreeMap<Slot, SlotReading>,
    beginning: Option<Beginning>,
    next_slot: Slot,
    latched: Option<(Slot, Latched)>,
    transactions: BTreeMap<u64, TransactionRecord>,
    sell_orders: BTreeMap<u64, SellOrder>,
    next_transaction: u64,
    next_sell_order: u64,
    decided: Slot,
    too_low: u32,
}

/// What the devices say now (D5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// When (ledger time).
    pub time: Timestamp,
    /// Generated, in watts.
    pub generation: Power,
    /// Used, in watts.
    pub load: Power,
    /// Sent to the battery, in watts.
    pub sending: Power,
    /// Arriving from the battery, in watts.
    pub drawing: Power,
    /// Taken from the utility, in watts.
    pub grid_import: Power,
    /// Given to the utility, in watts.
    pub grid_export: Power,
    /// The feeder meter's registers.
    pub feeder: Registers,
}

/// The registers that a home's meters latched when a slot ended; `None` for a meter that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latched {
    /// What was generated (`export`).
    pub generation: Option<Registers>,
    /// What was used (`import`).
    pub consumption: Option<Registers>,
    /// What was sent (`export`) and arrived (`import`).
    pub feeder: Option<Registers>,
    /// What was taken from (`import`) and given to (`export`) the utility.
    pub grid: Option<Registers>,
    /// Whether one of them was worked out from readings before and after.
    #[serde(default)]
    pub substituted: bool,
}

impl Latched {
    /// Whether every meter has its registers.
    pub const fn complete(&self) -> bool {
        self.generation.is_some()
            && self.consumption.is_some()
            && self.feeder.is_some()
            && self.grid.is_some()
    }
}

/// What the storage side said to an announcement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Power announced, at the terminals.
    pub announced: Power,
    /// Power accepted, at the terminals.
    pub accepted: Power,
    /// Why it is less.
    pub reason: Option<String>,
}

/// Totals since the record began (D3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Generated.
    pub generated: Energy,
    /// Used.
    pub consumed: Energy,
    /// Sent to the battery.
    pub sent: Energy,
    /// Arrived from the battery.
    pub arrived: Energy,
    /// Taken from the utility.
    pub grid_import: Energy,
    /// Given to the utility.
    pub grid_export: Energy,
    /// Sold: what the battery received of verified sales.
    pub sold: Energy,
    /// Bought: what the battery delivered.
    pub bought: Energy,
    /// Earned by selling.
    pub earned: Money,
    /// Paid for what was delivered.
    pub paid: Money,
    /// What the utility would have charged for what arrived from the battery.
    pub utility_instead: Money,
    /// What the utility charges for what was taken from it.
    pub utility_cost: Money,
}

/// What servers said about the market.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Market {
    /// Prices in force.
    pub prices: Option<PricesNow>,
    /// Stored energy for sale, by battery.
    pub for_sale: BTreeMap<BatteryId, Energy>,
}

/// Changes to be recorded, and the transactions to be sent once they are.
#[derive(Debug, Default)]
pub struct Changes {
    /// To be recorded in one step.
    pub writes: Vec<Write>,
    /// To be sent afterwards.
    pub send: Vec<Transaction>,
}

/// Why a request of the owner cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotAsk {
    /// The community would refuse it.
    #[error("{}", words::advice(*.0))]
    Refusal(Refusal),
    /// It is not something that can be asked.
    #[error("{0}")]
    Invalid(String),
}

impl Home {
    /// A home as it remembers itself.
    pub fn new(
        config: &HomeConfig,
        identity: Identity,
        genesis: &Genesis,
        utility: (UtilityTariff, i32),
        remembered: Remembered,
    ) -> Self {
        let rules = genesis.rules.clone();
        let settings = remembered.settings.unwrap_or(Settings { sell: config.sell, buy: config.buy });
        let mut home = Self {
            name: config.name.clone(),
            identity,
            feeder_limit: config.feeder_limit,
            settings,
            generator_limit: None,
            live: None,
            grants: BTreeMap::new(),
            account: None,
            trouble: None,
            notices: Notices::default(),
            not_bought: None,
            totals: Totals::default(),
            rules,
            utility: utility.0,
            utc_offset_minutes: utility.1,
            readings: BTreeMap::new(),
            beginning: remembered.beginning,
            next_slot: genesis.first_slot(),
            latched: None,
            transactions: BTreeMap::new(),
            sell_orders: BTreeMap::new(),
            next_transaction: 0,
            next_sell_order: 0,
            decided: Slot::default(),
            too_low: 0,
        };
        home.remember(remembered);
        home
    }

    fn remember(&mut self, remembered: Remembered) {
        if let Some(beginning) = remembered.beginning {
            self.next_slot = beginning.slot;
        }
        for reading in remembered.readings {
            self.next_slot = self.next_slot.max(reading.slot.next());
            self.count_reading(&reading);
            self.readings.insert(reading.slot, reading);
        }
        for record in remembered.transactions {
            self.next_transaction = self.next_transaction.max(record.number + 1);
            count_progress(&mut self.totals, &record);
            if let (Body::Purchase(purchase), Origin::Rule) =
                (&record.transaction.payload.body, record.origin)
            {
                self.decided = self.decided.max(purchase.slot);
            }
            self.transactions.insert(record.number, record);
        }
        for order in remembered.sell_orders {
            self.next_sell_order = self.next_sell_order.max(order.number + 1);
            self.sell_orders.insert(order.number, order);
        }
        self.forget();
    }

    /// Keeps at hand what the forecast and the page need; the rest stays in the record.
    fn forget(&mut self) {
        let keep = RECENT_DAYS * slots_per_day(self.rules.slot_length);
        let oldest = Slot::from_number(self.next_slot.number().saturating_sub(keep));
        self.readings = self.readings.split_off(&oldest);
        self.grants = self.grants.split_off(&self.next_slot.previous());
        let ended: Vec<u64> = self
            .transactions
            .values()
            .filter(|record| record.progress.ended())
            .map(|record| record.number)
            .collect();
        for number in ended.iter().take(ended.len().saturating_sub(RECENT_TRANSACTIONS)) {
            self.transactions.remove(number);
        }
    }

    /// Transactions that have not ended: to be handed to the outbox again after a restart.
    pub fn unfinished(&self) -> Vec<Transaction> {
        let open = self.transactions.values().filter(|record| !record.progress.ended());
        open.map(|record| record.transaction.clone()).collect()
    }

    /// Transactions at hand, newest first.
    pub fn transactions(&self) -> impl Iterator<Item = &TransactionRecord> {
        self.transactions.values().rev()
    }

    /// Things asked to be sold once that have not ended, oldest first.
    pub fn open_sell_orders(&self) -> impl Iterator<Item = &SellOrder> {
        self.sell_orders.values().filter(|order| !order.ended)
    }

    /// Readings at hand, by slot.
    pub const fn readings(&self) -> &BTreeMap<Slot, SlotReading> {
        &self.readings
    }

    /// The first slot that has no reading yet.
    pub const fn next_slot(&self) -> Slot {
        self.next_slot
    }

    /// Length of a slot.
    pub const fn slot_length(&self) -> SlotLength {
        self.rules.slot_length
    }

    /// The community's rules.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How times are written for this home.
    pub const fn calendar(&self) -> words::Calendar {
        words::Calendar { utc_offset_minutes: self.utc_offset_minutes, slot_length: self.rules.slot_length }
    }

    /// Whether the record of this home has begun.
    pub const fn has_begun(&self) -> bool {
        self.beginning.is_some()
    }

    /// Begins the record in a slot, with the registers as they are before anything has been sent.
    pub fn begin(&mut self, slot: Slot, registers: Latched) -> Changes {
        let beginning = Beginning { slot, registers };
        self.beginning = Some(beginning);
        self.next_slot = slot;
        Changes { writes: vec![Write::Beginning(beginning)], send: Vec::new() }
    }

    /// The registers when a slot began, where they are known without asking the meters: from the slot
    /// absorbed last, or from the beginning of the record.
    pub fn registers_before(&self, slot: Slot) -> Option<Latched> {
        let latched = self.latched.filter(|(at, _)| at.next() == slot).map(|(_, latched)| latched);
        let beginning = self.beginning.filter(|beginning| beginning.slot == slot);
        latched.or(beginning.map(|beginning| beginning.registers))
    }

    /// What is expected of a slot.
    pub fn expected(&self, slot: Slot) -> Option<Expected> {
        forecast::expected(&self.readings, slot, slots_per_day(self.rules.slot_length))
    }

    /// What the utility charges in a slot.
    pub fn utility_price(&self, slot: Slot) -> wattbook_types::Price {
        self.utility.at(slot.start(self.rules.slot_length), self.utc_offset_minutes)
    }

    /// Takes in the ended slot `next_slot`: the registers when it began and when it ended. What is missing
    /// counts as not measured, and nothing can be sold for it.
    pub fn absorb(&mut self, before: &Latched, after: &Latched, now: Timestamp) -> Changes {
        let slot = self.next_slot;
        let mut changes = Changes::default();
        let mut reading = reading(slot, before, after);
        if reading.sent > Energy::ZERO {
            let end = slot.end(self.rules.slot_length);
            let sale = self.identity.sale(slot, reading.sent, end);
            reading.sale = Some(sale.id());
            let origin = self.origin_of_sale(slot);
            self.make(sale, origin, now, &mut changes);
        }
        if let (true, Some(before), Some(after)) =
            (reading.arrived > Energy::ZERO, before.feeder, after.feeder)
        {
            let arrival = self.identity.arrival(slot, before.import, after.import);
            changes.writes.push(Write::Arrival(arrival));
        }
        self.progress_sell_orders(&reading, &mut changes);
        changes.writes.push(Write::Reading(reading));
        self.count_reading(&reading);
        self.readings.insert(slot, reading);
        self.next_slot = slot.next();
        self.latched = after.complete().then_some((slot, *after));
        self.forget();
        changes
    }

    fn origin_of_sale(&self, slot: Slot) -> Origin {
        let asked = self.open_sell_orders().any(|order| order.from <= slot);
        if asked { Origin::Owner } else { Origin::Rule }
    }

    fn progress_sell_orders(&mut self, reading: &SlotReading, changes: &mut Changes) {
        let mut sent = reading.sent;
        for order in self.sell_orders.values_mut() {
            if order.ended || order.from > reading.slot {
                continue;
            }
            match order.amount {
                OnceAmount::Energy(amount) => {
                    let part = sent.min(amount.saturating_sub(order.sent));
                    order.sent = order.sent.saturating_add(part);
                    sent = sent.saturating_sub(part);
                    order.ended = order.sent >= amount;
                }
                OnceAmount::Share(_) => {
                    order.sent = sent;
                    order.ended = true;
                }
            }
            changes.writes.push(Write::SellOrder(order.clone()));
        }
        self.sell_orders.retain(|_, order| !order.ended);
    }

    fn count_reading(&mut self, reading: &SlotReading) {
        let price = self.utility_price(reading.slot);
        let totals = &mut self.totals;
        let energies = [
            (&mut totals.generated, reading.generated),
            (&mut totals.consumed, reading.consumed),
            (&mut totals.sent, reading.sent),
            (&mut totals.arrived, reading.arrived),
            (&mut totals.grid_import, reading.grid_import),
            (&mut totals.grid_export, reading.grid_export),
        ];
        for (total, energy) in energies {
            *total = total.saturating_add(energy);
        }
        let cost = |energy| price.cost(energy).unwrap_or(Money::MAX);
        totals.utility_instead = totals.utility_instead.saturating_add(cost(reading.arrived));
        totals.utility_cost = totals.utility_cost.saturating_add(cost(reading.grid_import));
    }

    fn make(&mut self, transaction: Transaction, origin: Origin, now: Timestamp, changes: &mut Changes) {
        let record = TransactionRecord {
            number: self.next_transaction,
            id: transaction.id(),
            transaction: transaction.clone(),
            origin,
            made_at: now,
            progress: Progress::Recorded,
            history: vec![Change { at: now, state: Progress::Recorded.word().to_owned() }],
        };
        self.next_transaction += 1;
        changes.writes.push(Write::Transaction(Box::new(record.clone())));
        changes.send.push(transaction);
        self.transactions.insert(record.number, record);
    }

    /// Takes in what is known of a transaction now. Where that is nothing new, nothing changes.
    pub fn progressed(&mut self, id: &TransactionId, progress: Progress, now: Timestamp) -> Changes {
        let mut changes = Changes::default();
        if progress.stage() == Some(&Stage::Unknown) {
            return changes;
        }
        let Some(record) = self.transactions.values_mut().rev().find(|record| record.id == *id) else {
            return changes;
        };
        if record.progress.ended() || record.progress == progress || goes_back(&record.progress, &progress) {
            return changes;
        }
        uncount_progress(&mut self.totals, record);
        if record.progress.word() != progress.word() {
            record.history.push(Change { at: now, state: progress.word().to_owned() });
        }
        record.progress = progress;
        count_progress(&mut self.totals, record);
        let record = record.clone();
        changes.writes.push(Write::Transaction(Box::new(record.clone())));
        self.draw_conclusions(&record, now, &mut changes);
        self.forget();
        changes
    }

    /// A sale that expired outside the ledger is made again while it may still count; a purchase by rule
    /// that was too low makes the next offer higher.
    fn draw_conclusions(&mut self, record: &TransactionRecord, now: Timestamp, changes: &mut Changes) {
        match &record.transaction.payload.body {
            Body::Sale(sale) if record.progress.failure() == Some(Refusal::Expired) => {
                let deadline = sale.interval.end.plus_millis(self.rules.sale_deadline_ms);
                let slot = self.rules.slot_length.slot_at(sale.interval.start);
                if now < deadline
                    && let Some(mut reading) = self.readings.get(&slot).copied()
                {
                    let again = self.identity.sale(slot, sale.sent, now);
                    reading.sale = Some(again.id());
                    self.readings.insert(slot, reading);
                    changes.writes.push(Write::Reading(reading));
                    self.make(again, record.origin, now, changes);
                }
            }
            Body::Purchase(_) if record.origin == Origin::Rule => match record.progress.failure() {
                Some(Refusal::Outbid | Refusal::BelowFloor) => self.too_low = self.too_low.saturating_add(1),
                Some(_) => (),
                None if record.progress.word() == "reserved" => self.too_low = 0,
                None => (),
            },
            _ => (),
        }
    }

    /// The slot for which it is to be decided about buying at `now`, where that has not been done and
    /// there is time left before its gate.
    pub fn slot_to_decide(&self, now: Timestamp) -> Option<Slot> {
        let slot = slot_to_decide(&self.rules, self.settings.buy.lead_per_mille, now);
        let gate = gate(&self.rules, slot);
        let margin = lead_ms(&self.rules, self.settings.buy.lead_per_mille) / 4;
        (slot > self.decided && now < gate.minus_millis(margin)).then_some(slot)
    }

    /// Decides about buying for a slot by rule (B1).
    pub fn decide_purchase(&mut self, slot: Slot, market: &Market, now: Timestamp, nonce: u64) -> Changes {
        let mut changes = Changes::default();
        self.decided = self.decided.max(slot);
        let feeder = &self.identity.feeder;
        let situation = buying::Situation {
            rule: self.settings.buy,
            need: self.expected(slot).map(|expected| expected.need()),
            asked: self.asked_for(slot),
            line_loss: feeder.line_loss,
            prices: market.prices.as_ref(),
            for_sale: market.for_sale.get(&feeder.battery).copied(),
            available: self.account.as_ref().map(|account| account.available),
            utility: self.utility_price(slot),
            smallest: self.rules.smallest_order,
            too_low: self.too_low,
        };
        match buying::decide(&situation) {
            Ok(order) => {
                self.not_bought = None;
                let order = PurchaseOrder { slot, energy: order.energy, offered: order.offered };
                let purchase = self.identity.purchase(&order, now, nonce);
                self.make(purchase, Origin::Rule, now, &mut changes);
            }
            Err(reason) => self.not_bought = Some((slot, reason)),
        }
        changes
    }

    /// Energy asked for in a slot and not refused, at the terminals.
    fn asked_for(&self, slot: Slot) -> Energy {
        self.live_purchases(slot).map(|(_, energy)| energy).sum()
    }

    fn live_purchases(&self, slot: Slot) -> impl Iterator<Item = (&TransactionRecord, Energy)> {
        self.transactions.values().filter_map(move |record| match &record.transaction.payload.body {
            Body::Purchase(purchase) if purchase.slot == slot && record.progress.failure().is_none() => {
                Some((record, purchase.energy))
            }
            _ => None,
        })
    }

    /// Whether the feeder should let in what the battery sends: there is a request, not known to have
    /// failed, for this slot or the next. Nothing comes that the battery does not send.
    pub fn should_draw(&self, slot: Slot) -> bool {
        [slot, slot.next()].into_iter().any(|slot| self.live_purchases(slot).next().is_some())
    }

    /// What is left of what the owner asked to sell once, in a slot in which `sent` has gone already.
    pub fn once(&self, slot: Slot, sent: Energy) -> Option<OnceAmount> {
        let open: Vec<&SellOrder> = self.open_sell_orders().filter(|order| order.from <= slot).collect();
        let share = open.iter().find(|order| matches!(order.amount, OnceAmount::Share(_)));
        if let Some(order) = share {
            return Some(order.amount);
        }
        let left = open.iter().filter_map(|order| match order.amount {
            OnceAmount::Energy(energy) => Some(energy.saturating_sub(order.sent)),
            OnceAmount::Share(_) => None,
        });
        let left: Energy = left.sum::<Energy>().saturating_sub(sent);
        (!open.is_empty()).then_some(OnceAmount::Energy(left))
    }

    /// The owner asks to sell once (D1). Energy counts from now on, a share of generation in the next slot.
    pub fn ask_to_sell(&mut self, amount: OnceAmount, now: Timestamp) -> Result<(u64, Changes), CannotAsk> {
        match amount {
            OnceAmount::Energy(energy) if energy.is_zero() => {
                return Err(CannotAsk::Invalid("The amount to sell must be more than nothing.".to_owned()));
            }
            OnceAmount::Share(share) if share.get() == 0 => {
                return Err(CannotAsk::Invalid("The share to sell must be more than nothing.".to_owned()));
            }
            _ => (),
        }
        let slot = self.rules.slot_length.slot_at(now);
        let from = if matches!(amount, OnceAmount::Share(_)) { slot.next() } else { slot };
        let number = self.next_sell_order;
        let order = SellOrder { number, asked_at: now, amount, from, sent: Energy::ZERO, ended: false };
        self.next_sell_order += 1;
        self.sell_orders.insert(number, order.clone());
        Ok((number, Changes { writes: vec![Write::SellOrder(order)], send: Vec::new() }))
    }

    /// The owner withdraws what was asked to be sold once and not sent yet.
    pub fn withdraw_sell_order(&mut self, number: u64) -> Option<Changes> {
        let mut order = self.sell_orders.remove(&number)?;
        order.ended = true;
        Some(Changes { writes: vec![Write::SellOrder(order)], send: Vec::new() })
    }

    /// The owner asks to buy (D1). Refused here, with the community's own words, where it is plain that
    /// the community would refuse it.
    pub fn ask_to_buy(
        &mut self,
        order: PurchaseOrder,
        market: &Market,
        now: Timestamp,
        nonce: u64,
    ) -> Result<(TransactionId, Changes), CannotAsk> {
        let refuse = |refusal| Err(CannotAsk::Refusal(refusal));
        if order.energy < self.rules.smallest_order {
            return Err(CannotAsk::Invalid(format!(
                "{} The smallest is {}.",
                Refusal::OrderTooSmall.text(),
                self.rules.smallest_order
            )));
        }
        let length = self.rules.slot_length;
        if now >= gate(&self.rules, order.slot) {
            return refuse(Refusal::SlotClosed);
        }
        if order.slot.start(length) > now.plus_millis(self.rules.purchase_horizon_ms) {
            return refuse(Refusal::SlotTooFar);
        }
        if market.prices.as_ref().is_some_and(|prices| order.offered > prices.buyer_cap) {
            return refuse(Refusal::PriceAboveCap);
        }
        let cost =
            order.offered.cost_rounded_up(order.energy).and_then(|cost| i64::try_from(cost.milli()).ok());
        let funds = self.account.as_ref().map(|account| account.available.milli());
        match (cost, funds) {
            (None, _) => return refuse(Refusal::InsufficientFunds),
            (Some(cost), Some(funds)) if cost > funds => return refuse(Refusal::InsufficientFunds),
            _ => (),
        }
        let mut changes = Changes::default();
        let purchase = self.identity.purchase(&order, now, nonce);
        let id = purchase.id();
        self.make(purchase, Origin::Owner, now, &mut changes);
        Ok((id, changes))
    }

    /// The owner changes the rules.
    pub fn set(&mut self, settings: Settings) -> Changes {
        self.settings = settings;
        Changes { writes: vec![Write::Settings(settings)], send: Vec::new() }
    }

    /// The first slot that can still be bought for at `now`, with time for the servers to agree.
    pub fn first_open_slot(&self, now: Timestamp) -> Slot {
        let margin = self.rules.slot_length.millis() / 8;
        self.rules.slot_length.slot_at(now.plus_millis(self.rules.gate_lead_ms + margin)).next()
    }

    /// The interval of a slot.
    pub fn interval(&self, slot: Slot) -> Interval {
        Interval::of_slot(slot, self.rules.slot_length)
    }
}

/// When requests for a slot are closed.
pub fn gate(rules: &Rules, slot: Slot) -> Timestamp {
    slot.start(rules.slot_length).minus_millis(rules.gate_lead_ms)
}

fn lead_ms(rules: &Rules, lead_per_mille: u16) -> u64 {
    rules.slot_length.millis() * u64::from(lead_per_mille) / 1000
}

/// The slot whose time of decision is the last one reached at `now`.
pub fn slot_to_decide(rules: &Rules, lead_per_mille: u16, now: Timestamp) -> Slot {
    rules.slot_length.slot_at(now.plus_millis(rules.gate_lead_ms + lead_ms(rules, lead_per_mille)))
}

/// When it is decided about buying for a slot.
pub fn decision_time(rules: &Rules, lead_per_mille: u16, slot: Slot) -> Timestamp {
    gate(rules, slot).minus_millis(lead_ms(rules, lead_per_mille))
}

/// What lies between two sets of registers. What was sent counts even where other meters are silent; a
/// register that went backwards counts as missing.
fn reading(slot: Slot, before: &Latched, after: &Latched) -> SlotReading {
    let import = |before: Option<Registers>, after: Option<Registers>| after?.import.since(before?.import);
    let export = |before: Option<Registers>, after: Option<Registers>| after?.export.since(before?.export);
    let generated = export(before.generation, after.generation);
    let consumed = import(before.consumption, after.consumption);
    let (sent, arrived) = (export(before.feeder, after.feeder), import(before.feeder, after.feeder));
    SlotReading {
        slot,
        measured: generated.is_some() && consumed.is_some(),
        generated: generated.unwrap_or_default(),
        consumed: consumed.unwrap_or_default(),
        counted: sent.is_some() && arrived.is_some(),
        substituted: before.substituted || after.substituted,
        sent: sent.unwrap_or_default(),
        arrived: arrived.unwrap_or_default(),
        grid_import: import(before.grid, after.grid).unwrap_or_default(),
        grid_export: export(before.grid, after.grid).unwrap_or_default(),
        sale: None,
    }
}

/// Whether news is older than what is known: another server may lag behind.
fn goes_back(known: &Progress, news: &Progress) -> bool {
    let rank = |progress: &Progress| match progress {
        Progress::Recorded | Progress::Known { stage: Stage::Unknown } => 0,
        Progress::Known { stage: Stage::Waiting { .. } | Stage::Verifying } => 1,
        Progress::Known { stage: Stage::Final { outcome, .. } } => {
            2 + u32::from(outcome.reservation.is_some() || outcome.stored.is_some())
                + u32::from(outcome.delivery.is_some())
                + u32::try_from(outcome.payments.len()).unwrap_or(u32::MAX / 2)
        }
        Progress::Known { stage: Stage::Refused { .. } } => u32::MAX,
    };
    let known_final = rank(known) >= 2;
    rank(news) < rank(known) || (known_final && rank(news) == u32::MAX)
}

/// What a transaction adds to the totals: energy sold, energy bought, earned, paid.
fn contribution(record: &TransactionRecord) -> (Energy, Energy, Money, Money) {
    let Progress::Known { stage: Stage::Final { outcome, .. } } = &record.progress else {
        return Default::default();
    };
    let sold = outcome.stored.as_ref().map(|stored| stored.received).unwrap_or_default();
    let bought = outcome.delivery.as_ref().map(|delivery| delivery.delivered).unwrap_or_default();
    (sold, bought, words::paid_to_seller(record, outcome), words::paid_by_buyer(record, outcome))
}

fn count_progress(totals: &mut Totals, record: &TransactionRecord) {
    let (sold, bought, earned, paid) = contribution(record);
    totals.sold = totals.sold.saturating_add(sold);
    totals.bought = totals.bought.saturating_add(bought);
    totals.earned = totals.earned.saturating_add(earned);
    totals.paid = totals.paid.saturating_add(paid);
}

fn uncount_progress(totals: &mut Totals, record: &TransactionRecord) {
    let (sold, bought, earned, paid) = contribution(record);
    totals.sold = totals.sold.saturating_sub(sold);
    totals.bought = totals.bought.saturating_sub(bought);
    totals.earned = totals.earned.saturating_sub(earned);
    totals.paid = totals.paid.saturating_sub(paid);
}
