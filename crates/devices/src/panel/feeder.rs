//! One feeder at the battery's end: tells it again and again what the plan of the present slot wants.
//!
//! Always: what is commanded follows from the plan, the meter and the clock as they are now (`pace`), so
//! that a restart is harmless; nothing is commanded that is so already, but for leases that run out; what
//! cannot be read is not delivered. Not here: plans (`plans`), and what the meter shows (`watch`).

use super::pace::{Order, Range, Situation, share};
use super::plans::{Plans, Present};
use crate::clock::Clock;
use crate::driver::{FeederLimiter, FeederLimits};
use crate::reading::{DeviceError, Quality};
use crate::watch::{Notice, NoticeKind, Notices, Watch, WatchedBattery};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use wattbook_types::{ConnectionPoint, Energy, MeterRegister, Power, Slot, SlotLength, Timestamp};

/// Cycles in a slot, where it is neither too short nor too long for that.
const CYCLES_PER_SLOT: u32 = 20;
const FASTEST: Duration = Duration::from_millis(50);
const SLOWEST: Duration = Duration::from_secs(5);
/// For how many cycles a lease lasts.
const LEASE: u64 = 3;
/// How soon (real time) a command that failed is tried again.
const AGAIN: Duration = Duration::from_millis(250);
/// The least (real time) by which a command is taken to be late.
const LATE: Duration = Duration::from_millis(2);
/// How many commands' delays are kept in mind.
const DELAYS: usize = 8;
/// How many commands that hold no longer are kept in mind: those of two slots.
const PAST: usize = 2 * CYCLES_PER_SLOT as usize;
/// So many failures in a row are told.
const FAILURES: u32 = 3;

/// How often feeders are told, and how long what they are told lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How often (real time); a clock that stands still needs no repeating.
    pub(super) cycle: Option<Duration>,
    /// Seconds (ledger time) for which a delivery is leased; `None`: to the end of its slot.
    pub(super) lease: Option<u64>,
    /// By how much (ledger time) commands are late at least.
    pub(super) late_ms: u64,
}

impl Pace {
    pub(super) fn of(clock: &Clock, length: SlotLength) -> Self {
        let Some(slot) = clock.real_duration_of(length.millis()) else {
            return Self { cycle: None, lease: None, late_ms: 0 };
        };
        let cycle = (slot / CYCLES_PER_SLOT).clamp(FASTEST, SLOWEST);
        let lease = (clock.ledger_millis_in(cycle) * LEASE).div_ceil(1_000).max(2);
        Self { cycle: Some(cycle), lease: Some(lease), late_ms: clock.ledger_millis_in(LATE) }
    }
}

/// What all feeders of a battery share.
pub(super) struct Common {
    pub(super) clock: Clock,
    pub(super) length: SlotLength,
    pub(super) pace: Pace,
    pub(super) plans: Plans,
    pub(super) battery: Arc<WatchedBattery>,
    pub(super) notices: Notices,
    /// What every feeder may have now, to share what is to spare.
    pub(super) ranges: Mutex<BTreeMap<ConnectionPoint, (Slot, Range)>>,
}

/// A feeder at the battery's end.
pub(super) struct Feeder {
    pub(super) at: ConnectionPoint,
    pub(super) address: String,
    pub(super) limiter: Arc<dyn FeederLimiter>,
    pub(super) meter: Arc<Watch>,
}

/// What was done last.
#[derive(Clone, Debug, Default)]
pub(super) struct Applied {
    /// Of which change of plans.
    pub(super) change: u64,
    pub(super) slot: Option<Slot>,
    pub(super) result: Option<Result<(), DeviceError>>,
}

/// What a feeder's task keeps in mind; all of it can be found again after a restart.
pub(super) struct Mind {
    common: Arc<Common>,
    feeder: Arc<Feeder>,
    /// What was set last and until when; `None` where that is not known.
    set: Option<(FeederLimits, Timestamp)>,
    /// When it was set.
    set_at: Timestamp,
    /// What may flow to the home at most by all that was told, and until when.
    may_flow: (Power, Timestamp),
    /// What might flow before, and until when at the latest; the newest last.
    might_flow: VecDeque<(Power, Timestamp)>,
    /// The register of what was delivered when a slot began.
    began: Option<(Slot, MeterRegister)>,
    /// The slot that was opened last, right at its start, when nothing could have been delivered in it yet.
    opened: Option<Slot>,
    /// Since when nothing can have been delivered, where that is so.
    quiet_since: Option<Timestamp>,
    delays: VecDeque<u64>,
    failures: u32,
}

impl Mind {
    pub(super) fn new(common: Arc<Common>, feeder: Arc<Feeder>) -> Self {
        let set_at = common.clock.now();
        Self {
            common,
            feeder,
            set: None,
            set_at,
            may_flow: (Power::ZERO, set_at),
            might_flow: VecDeque::new(),
            began: None,
            opened: None,
            quiet_since: None,
            delays: VecDeque::new(),
            failures: 0,
        }
    }

    /// Goes on for ever.
    pub(super) async fn run(mut self, mut changes: watch::Receiver<u64>, applied: watch::Sender<Applied>) {
        let cycle = self.common.pace.cycle;
        loop {
            let change = *changes.borrow_and_update();
            let slot = self.slot();
            let result = self.apply().await;
            self.take_note(&result);
            let failed = result.is_err();
            applied.send_replace(Applied { change, slot: Some(slot), result: Some(result) });
            let pause = if failed { Some(AGAIN.max(cycle.unwrap_or(AGAIN))) } else { cycle };
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = self.common.clock.wait_until(slot.end(self.common.length)) => {}
                () = sleep(pause) => {}
            }
        }
    }

    fn slot(&self) -> Slot {
        self.common.length.slot_at(self.common.clock.now())
    }

    fn take_note(&mut self, result: &Result<(), DeviceError>) {
        let address = &self.feeder.address;
        let Err(error) = result else {
            self.failures = 0;
            self.common.notices.settle(address, NoticeKind::Uncommanded);
            return;
        };
        self.failures = self.failures.saturating_add(1);
        if self.failures == FAILURES {
            let (when, kind) = (self.common.clock.now(), NoticeKind::Uncommanded);
            let words = format!(
                "The feeder of connection point {} cannot be told what to do ({error}). What it was told \
                 before ends by itself.",
                self.feeder.at
            );
            self.common.notices.raise(Notice { when, address: address.clone(), kind, words });
        }
    }

    /// Brings the feeder to what the plan wants now.
    pub(super) async fn apply(&mut self) -> Result<(), DeviceError> {
        let was_quiet = self.was_quiet(self.slot());
        self.turn().await?;
        // What was just closed, right at the slot's start, can be opened.
        if !was_quiet && self.was_quiet(self.slot()) { self.turn().await } else { Ok(()) }
    }

    async fn turn(&mut self) -> Result<(), DeviceError> {
        let slot = self.slot();
        let present = self.common.plans.present(slot, self.feeder.at);
        let delivered = if present.plan.deliver.is_zero() {
            None
        } else {
            let delivered = self.delivered(slot).await?;
            if self.slot() != slot {
                // The slot ended meanwhile; the next turn comes at once.
                return Ok(());
            }
            delivered
        };
        let now = self.common.clock.now();
        let order = self.decide(slot, now, present, delivered);
        if self.is_so(now, &order, &present) {
            return Ok(());
        }
        self.command(order, now).await
    }

    async fn command(&mut self, order: Order, now: Timestamp) -> Result<(), DeviceError> {
        let before = self.set.take();
        let limiter = &self.feeder.limiter;
        let told = match order.lease {
            // What was decided by the clock as it was then does not hold longer because it comes late.
            Some(lease) => {
                let until = now.plus_millis(u64::from(lease) * 1_000);
                limiter.limit_until(order.limits, lease, until).await
            }
            None => limiter.limit(order.limits, None).await,
        };
        let done = self.common.clock.now();
        self.keep_delay(done.millis_since(now));
        let until = order
            .lease
            .map_or(Timestamp::from_millis(u64::MAX), |lease| done.plus_millis(u64::from(lease) * 1_000));
        if let Err(error) = told {
            // It may have been obeyed all the same.
            let (power, flows_until) = self.may_flow;
            let power = if flows_until > now { power } else { Power::ZERO };
            self.may_flow = (power.max(order.limits.to_home), flows_until.max(until));
            self.quiet_since = None;
            return Err(error);
        }
        self.note_quiet(before, order.limits, now, done);
        (self.set, self.set_at) = (Some((order.limits, until)), done);
        let (power, flows_until) = self.may_flow;
        self.might_flow.push_back((power, flows_until.min(done)));
        if self.might_flow.len() > PAST {
            self.might_flow.pop_front();
        }
        self.may_flow = (order.limits.to_home, until);
        Ok(())
    }

    /// Since when nothing can have flowed to the home.
    fn note_quiet(
        &mut self,
        before: Option<(FeederLimits, Timestamp)>,
        limits: FeederLimits,
        now: Timestamp,
        done: Timestamp,
    ) {
        if !limits.to_home.is_zero() {
            self.quiet_since = None;
        } else if self.quiet_since.is_none() {
            let ended = before.filter(|(limits, until)| limits.to_home.is_zero() || *until <= now);
            self.quiet_since = Some(ended.map_or(done, |(_, until)| until.min(done)));
        }
    }

    fn decide(
        &self,
        slot: Slot,
        now: Timestamp,
        present: Present,
        delivered: Option<(Timestamp, Energy)>,
    ) -> Order {
        let common = &self.common;
        let flowing = self.flowing_since(delivered.map_or(now, |(read, _)| read));
        let situation = Situation {
            now,
            slot_end: slot.end(common.length),
            plan: present.plan,
            accepted_until: present.accepted_until,
            delivered,
            resolution: self.feeder.meter.resolution(),
            flowing,
            margin_ms: self.margin_ms(),
            lease: common.pace.lease,
        };
        let mine = situation.range();
        let mut ranges = common.ranges.lock().unwrap_or_else(PoisonError::into_inner);
        ranges.insert(self.feeder.at, (slot, mine));
        let others = ranges.iter().filter(|(at, (of, _))| **at != self.feeder.at && *of == slot);
        let to_home = share(mine, others.map(|(_, (_, range))| *range), common.battery.discharge_limit());
        mine.order(to_home)
    }

    /// The most that may have flowed to the home at any moment since then.
    fn flowing_since(&self, then: Timestamp) -> Power {
        let all = self.might_flow.iter().chain([&self.may_flow]);
        let since = all.filter(|(_, until)| *until > then).map(|(power, _)| *power);
        since.max().unwrap_or_default()
    }

    /// Whether the feeder is set so already, and for long enough.
    fn is_so(&self, now: Timestamp, order: &Order, present: &Present) -> bool {
        let Some((limits, until)) = self.set else { return false };
        if limits != order.limits {
            // What has run out by itself is as good as nothing.
            return order.lease.is_none() && until <= now;
        }
        let Some(lease) = order.lease else { return true };
        if order.limits.to_home.is_zero() {
            let lasts = until.plus_millis(1_000) >= present.accepted_until;
            // Told again now and then, should the device have forgotten.
            let lately = now.millis_since(self.set_at) < self.common.length.millis() / 4;
            return lasts && (lately || self.common.pace.cycle.is_none());
        }
        until.millis_since(now) >= u64::from(lease) * 1_000 / 2
    }

    /// What the slot has delivered by the meter; `None` where it is not known what it began with. At its very
    /// start that is nothing, and nobody need be asked.
    async fn delivered(&mut self, slot: Slot) -> Result<Option<(Timestamp, Energy)>, DeviceError> {
        if self.was_quiet(slot) {
            self.opened = Some(slot);
            return Ok(Some((self.common.clock.now(), Energy::ZERO)));
        }
        let meter = &self.feeder.meter;
        if self.began.is_none_or(|(of, _)| of != slot) {
            let latched = meter.latch(slot.previous()).await?.map(|latch| latch.registers);
            // Where the end of the slot before is not known, what is known of the time before it is no more.
            let before = || meter.registers_before(slot.previous()).filter(|_| self.opened == Some(slot));
            self.began = latched.or_else(before).map(|registers| (slot, registers.export));
        }
        let reading = meter.look().await?;
        let time = reading.time();
        let whole = matches!(reading.quality(), Quality::Measured | Quality::Estimated);
        let Some(shown) = reading.value().filter(|_| whole) else {
            return Err(DeviceError::Missing { time });
        };
        let delivered = self.began.and_then(|(_, began)| shown.registers.export.since(began));
        Ok(delivered.map(|delivered| (time, delivered)))
    }

    /// Whether nothing can have been delivered in a slot yet.
    fn was_quiet(&self, slot: Slot) -> bool {
        let run_out = self.set.map(|_| self.may_flow.1);
        let since = self.quiet_since.or(run_out);
        since.is_some_and(|since| since <= slot.start(self.common.length))
    }

    fn keep_delay(&mut self, millis: u64) {
        self.delays.push_back(millis);
        if self.delays.len() > DELAYS {
            self.delays.pop_front();
        }
    }

    /// By how much the next command may be late, judging by the last ones.
    fn margin_ms(&self) -> u64 {
        if self.common.pace.cycle.is_none() {
            return 0;
        }
        let usual = self.delays.iter().max().copied().unwrap_or_default().saturating_mul(3) / 2;
        usual.max(self.common.pace.late_ms).min(self.common.length.millis() / 8)
    }
}

async fn sleep(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}
