//! Whether a transaction may enter the next block.
//!
//! Always: the checks are made in the order of `Refusal`, the first that fails is the answer, and a
//! transaction that passes can be applied without failing. Signatures are checked by the caller, once.

use crate::accounts;
use crate::pool;
use crate::room;
use crate::state::State;
use crate::tables::{
    Batteries, BatteryBook, Claims, Connection, Connections, Parties, Party, PricesInForce, Reception,
    Receptions, Seen, Statements, Tables,
};
use wattbook_types::genesis::{Genesis, Role};
use wattbook_types::report::{Occasion, StorageReport};
use wattbook_types::transaction::{Body, Generation};
use wattbook_types::{
    AccountId, BatteryId, ConnectionPoint, Energy, Hash, Interval, LedgerId, Money, Price, PublicKey,
    Purchase, Refusal, Sale, Slot, Timestamp, Transaction,
};

/// What a check found out, for applying.
pub enum Checked {
    /// A sale and the reception that it claims.
    Sale(CheckedSale),
    /// A purchase and what is to be set aside for it.
    Purchase(Money),
    /// A report.
    Report,
}

/// See `Checked::Sale`.
pub struct CheckedSale {
    /// The slot that is claimed.
    pub slot: Slot,
    /// The slot under which the reception is kept.
    pub reception_slot: Slot,
    /// The reception.
    pub reception: Reception,
    /// What is paid for, of it.
    pub paid: Energy,
    /// The unit price.
    pub price: Price,
    /// What the seller gets.
    pub amount: Money,
}

/// What checks stand on besides the state.
pub struct Checker<'a> {
    /// The rules.
    pub genesis: &'a Genesis,
    /// The ledger's name.
    pub ledger: LedgerId,
    /// The state before.
    pub state: &'a State,
    /// The time of the block that the transaction would enter.
    pub time: Timestamp,
}

impl Checker<'_> {
    /// The key that must have signed; all that can be said about the holder.
    pub fn signer(&self, transaction: &Transaction) -> Result<PublicKey, Refusal> {
        self.party(&transaction.payload.holder).map(|party| party.key)
    }

    /// Every check but the signature.
    pub fn check(&self, transaction: &Transaction) -> Result<Checked, Refusal> {
        let payload = &transaction.payload;
        if payload.ledger != self.ledger {
            return Err(Refusal::WrongLedger);
        }
        if payload.valid_until < self.time {
            return Err(Refusal::Expired);
        }
        if payload.valid_until > self.time.plus_millis(self.genesis.rules.max_validity_ms) {
            return Err(Refusal::ValidTooLong);
        }
        let party = self.party(&payload.holder)?;
        let needs = if matches!(payload.body, Body::Report(_)) { Role::Storage } else { Role::Member };
        if party.role != needs {
            return Err(Refusal::NotYourRole);
        }
        if self.state.has::<Seen>(&transaction.id()) {
            return Err(Refusal::AlreadySeen);
        }
        match &payload.body {
            Body::Sale(sale) => {
                self.battery(sale.battery, payload.destination)?;
                self.sale(&party, sale).map(Checked::Sale)
            }
            Body::Purchase(purchase) => {
                self.battery(purchase.battery, payload.destination)?;
                self.purchase(&payload.holder, &party, purchase).map(Checked::Purchase)
            }
            Body::Report(report) => self.report(&payload.holder, report).map(|()| Checked::Report),
        }
    }

    fn party(&self, id: &AccountId) -> Result<Party, Refusal> {
        let party = self.state.find::<Parties>(id).ok_or(Refusal::UnknownAccount)?;
        let member_suspended = party.member != *id
            && self.state.find::<Parties>(&party.member).is_some_and(|member| member.suspended);
        if party.suspended || member_suspended { Err(Refusal::MemberSuspended) } else { Ok(party) }
    }

    fn battery(&self, id: BatteryId, destination: Option<AccountId>) -> Result<BatteryBook, Refusal> {
        let book = self.state.find::<Batteries>(&id).ok_or(Refusal::UnknownBattery)?;
        if destination == Some(AccountId::pool(id)) { Ok(book) } else { Err(Refusal::WrongDestination) }
    }

    fn connection(
        &self,
        party: &Party,
        id: ConnectionPoint,
        battery: BatteryId,
    ) -> Result<Connection, Refusal> {
        let connection = self.state.find::<Connections>(&id).ok_or(Refusal::UnknownConnectionPoint)?;
        if connection.spec.member != party.member {
            return Err(Refusal::NotYourConnectionPoint);
        }
        if connection.spec.battery != battery { Err(Refusal::WrongBattery) } else { Ok(connection) }
    }

    /// S4: amounts, times, and that this reception was never claimed.
    fn sale(&self, party: &Party, sale: &Sale) -> Result<CheckedSale, Refusal> {
        let rules = &self.genesis.rules;
        let connection = self.connection(party, sale.connection_point, sale.battery)?;
        if sale.sent.is_zero() {
            return Err(Refusal::NothingSent);
        }
        if sale.asked.is_some() {
            return Err(Refusal::PriceNotAskable);
        }
        if sale.generation == Generation::Unstated {
            return Err(Refusal::OriginUnstated);
        }
        let Interval { start, end } = sale.interval;
        if end <= start || end > self.time.plus_millis(rules.time_tolerance_ms) {
            return Err(Refusal::IntervalInvalid);
        }
        let slot = rules.slot_length.slot_at(sale.interval.middle());
        let of_slot = Interval::of_slot(slot, rules.slot_length);
        if start.distance(of_slot.start).max(end.distance(of_slot.end)) > rules.time_tolerance_ms {
            return Err(Refusal::SaleTimesDisagree);
        }
        if self.state.has::<Claims>(&(sale.connection_point, slot)) {
            return Err(Refusal::ReceptionAlreadyClaimed);
        }
        let late = self.time > of_slot.end.plus_millis(rules.sale_deadline_ms);
        let (reception_slot, reception) = self.reception(sale, slot, late)?;
        let paid = self.agree(sale.sent, reception_slot, &reception, &connection)?;
        self.price_sale(sale.battery, paid).map(|(price, amount)| CheckedSale {
            slot,
            reception_slot,
            reception,
            paid,
            price,
            amount,
        })
    }

    /// The reception of a slot, once the battery's report for it is there.
    fn reception(&self, sale: &Sale, slot: Slot, late: bool) -> Result<(Slot, Reception), Refusal> {
        let book = self.state.find::<Batteries>(&sale.battery).ok_or(Refusal::UnknownBattery)?;
        if slot >= book.next_slot {
            return Err(if late { Refusal::ReceptionMissing } else { Refusal::ReceptionUnknown });
        }
        if late || slot < self.genesis.first_slot() {
            return Err(Refusal::SaleTooLate);
        }
        let cp = sale.connection_point;
        let found = self.state.first_from::<Receptions>(&cp, &(cp, slot));
        match found {
            Some(((_, at), reception)) if reception.first_slot <= slot => Ok((at, reception)),
            _ => Err(Refusal::NothingReceived),
        }
    }

    /// Whether sent and received agree, and what is paid. A reception that may span several slots, because
    /// reports were missing, is claimed piece by piece, each up to what is left.
    fn agree(
        &self,
        sent: Energy,
        reception_slot: Slot,
        reception: &Reception,
        connection: &Connection,
    ) -> Result<Energy, Refusal> {
        let rules = &self.genesis.rules;
        let share = |rate: u64| Energy::from_wh((u128::from(sent.wh()) * u128::from(rate) / 1000) as u64);
        let expected = share(u64::from(connection.spec.line_loss.complement().get()));
        let tolerance = share(u64::from(rules.loss_tolerance.get())).saturating_add(rules.loss_tolerance_wh);
        if reception.unclaimed.saturating_add(tolerance) < expected {
            return Err(Refusal::SaleExceedsReception);
        }
        if reception.first_slot != reception_slot {
            return Ok(reception.unclaimed.min(expected));
        }
        if reception.unclaimed > expected.saturating_add(tolerance) {
            return Err(Refusal::SaleBelowReception);
        }
        Ok(reception.unclaimed)
    }

    fn price_sale(&self, battery: BatteryId, paid: Energy) -> Result<(Price, Money), Refusal> {
        let book = self.state.find::<Batteries>(&battery).ok_or(Refusal::UnknownBattery)?;
        let prices = self.state.find::<PricesInForce>(&()).expect("written by the genesis");
        let price = prices.selling.max(prices.seller_floor);
        let amount = price.cost(paid).ok_or(Refusal::PoolLimit)?;
        let owed = accounts::account(self.state, &AccountId::pool(battery)).balance().milli();
        let limit = i128::from(book.spec.pool_limit.milli());
        if i128::from(amount.milli()) - i128::from(owed) > limit {
            return Err(Refusal::PoolLimit);
        }
        Ok((price, amount))
    }

    /// B2: time, amount, price, and funds.
    fn purchase(&self, holder: &AccountId, party: &Party, purchase: &Purchase) -> Result<Money, Refusal> {
        let rules = &self.genesis.rules;
        self.connection(party, purchase.connection_point, purchase.battery)?;
        if purchase.energy < rules.smallest_order {
            return Err(Refusal::OrderTooSmall);
        }
        if purchase.slot.start(rules.slot_length) > self.time.plus_millis(rules.purchase_horizon_ms) {
            return Err(Refusal::SlotTooFar);
        }
        if self.time >= self.genesis.gate(purchase.slot) {
            return Err(Refusal::SlotClosed);
        }
        let prices = self.state.find::<PricesInForce>(&()).expect("written by the genesis");
        if purchase.offered > prices.buyer_cap {
            return Err(Refusal::PriceAboveCap);
        }
        let member = self.state.find::<Parties>(&party.member).ok_or(Refusal::UnknownAccount)?;
        if member.open_orders >= rules.max_open_orders {
            return Err(Refusal::TooManyOrders);
        }
        let in_slot = room::requests(self.state, purchase.battery, purchase.slot);
        if in_slot >= rules.max_orders_per_clearing as usize {
            return Err(Refusal::SlotFull);
        }
        let hold = purchase.offered.cost_rounded_up(purchase.energy).ok_or(Refusal::InsufficientFunds)?;
        let available = accounts::available(self.state, holder).milli();
        if i128::from(available) < i128::from(hold.milli()) {
            Err(Refusal::InsufficientFunds)
        } else {
            Ok(hold)
        }
    }

    fn report(&self, holder: &AccountId, report: &StorageReport) -> Result<(), Refusal> {
        let book = self.state.find::<Batteries>(&report.battery).ok_or(Refusal::UnknownBattery)?;
        if book.spec.storage != *holder {
            return Err(Refusal::NotYourRole);
        }
        self.report_number(&book, report)?;
        self.report_time(&book, report)?;
        self.report_rows(report)?;
        self.report_limits(&book, report)
    }

    fn report_number(&self, book: &BatteryBook, report: &StorageReport) -> Result<(), Refusal> {
        if report.sequence > book.next_sequence {
            return Err(Refusal::ReportOutOfOrder);
        }
        if report.sequence < book.next_sequence {
            let known = self.state.find::<Statements>(&(report.battery, report.sequence));
            let same = known == Some(statement_hash(report));
            return Err(if same { Refusal::ReportSuperseded } else { Refusal::ReportConflict });
        }
        Ok(())
    }

    fn report_time(&self, book: &BatteryBook, report: &StorageReport) -> Result<(), Refusal> {
        let rules = &self.genesis.rules;
        let fits = match report.occasion {
            Occasion::SlotEnd => {
                report.slot >= book.next_slot && report.time == report.slot.end(rules.slot_length)
            }
            Occasion::Interim => {
                report.slot == book.next_slot && rules.slot_length.slot_at(report.time) == report.slot
            }
        };
        let ahead = report.time > self.time.plus_millis(rules.time_tolerance_ms);
        let back = report.time < book.reported_at || report.boot_epoch < book.boot_epoch;
        if fits && !ahead && !back { Ok(()) } else { Err(Refusal::ReportTime) }
    }

    fn report_rows(&self, report: &StorageReport) -> Result<(), Refusal> {
        let mut connections =
            self.state.entries::<Connections>(&()).filter(|(_, found)| found.spec.battery == report.battery);
        for row in &report.rows {
            let (id, connection) = connections.next().ok_or(Refusal::ReportRows)?;
            if id != row.connection_point {
                return Err(Refusal::ReportRows);
            }
            if row.received < connection.spec.received || row.delivered < connection.spec.delivered {
                return Err(Refusal::ReportRegisters);
            }
        }
        if connections.next().is_some() { Err(Refusal::ReportRows) } else { Ok(()) }
    }

    /// What physics and the battery's own meter allow. Registers are whole watt-hours, so every comparison
    /// gives one watt-hour per meter.
    fn report_limits(&self, book: &BatteryBook, report: &StorageReport) -> Result<(), Refusal> {
        let import = report.import.since(book.spec.import).ok_or(Refusal::ReportRegisters)?;
        let export = report.export.since(book.spec.export).ok_or(Refusal::ReportRegisters)?;
        let spec = &book.spec;
        if report.stored > report.capacity
            || report.capacity > spec.capacity
            || report.charge_limit > spec.charge_limit
            || report.discharge_limit > spec.discharge_limit
        {
            return Err(Refusal::ReportBeyondLimits);
        }
        let rules = &self.genesis.rules;
        let slots = report.slot.next().number().saturating_sub(book.next_slot.number());
        let seconds = slots.saturating_mul(rules.slot_length.seconds());
        let most_in = spec.charge_limit.over_seconds(seconds).saturating_add(Energy::from_wh(1));
        let most_out = spec.discharge_limit.over_seconds(seconds).saturating_add(Energy::from_wh(1));
        if import > most_in || export > most_out {
            return Err(Refusal::ReportBeyondLimits);
        }
        let (received, delivered) = self.row_sums(report);
        let slack = Energy::from_wh(report.rows.len() as u64);
        if received > import.saturating_add(slack) || delivered > export.saturating_add(slack) {
            return Err(Refusal::ReportSum);
        }
        self.report_capacity(book, report, received, delivered)
    }

    /// What came in must have had room: stored before, and what went out meanwhile, bound it.
    fn report_capacity(
        &self,
        book: &BatteryBook,
        report: &StorageReport,
        received: Energy,
        delivered: Energy,
    ) -> Result<(), Refusal> {
        if report.occasion == Occasion::Interim {
            return Ok(());
        }
        let came = pool::stored_of(received, book.spec.charge_efficiency);
        let went = pool::needed_for(delivered, book.spec.discharge_efficiency);
        let slack = pool::micro_wh(book.spec.capacity) / 50 + pool::micro_wh(Energy::from_wh(10));
        let room = pool::micro_wh(book.spec.capacity) + went + slack;
        if pool::stored(book) + came > room { Err(Refusal::ReportBeyondLimits) } else { Ok(()) }
    }

    fn row_sums(&self, report: &StorageReport) -> (Energy, Energy) {
        report.rows.iter().fold((Energy::ZERO, Energy::ZERO), |(received, delivered), row| {
            let connection =
                self.state.find::<Connections>(&row.connection_point).expect("rows were checked");
            let plus = |sum: Energy, part: Option<Energy>| sum.saturating_add(part.unwrap_or(Energy::ZERO));
            (
                plus(received, row.received.since(connection.spec.received)),
                plus(delivered, row.delivered.since(connection.spec.delivered)),
            )
        })
    }
}

/// The hash of what a report states, without envelope and signature.
pub fn statement_hash(report: &StorageReport) -> Hash {
    Hash::of("wattbook/statement", &borsh::to_vec(report).expect("in memory"))
}
