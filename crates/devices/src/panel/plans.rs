//! What is planned for a battery's feeders, slot by slot.
//!
//! Always: plans of slots that have ended are gone. What is accepted is remembered across restarts, because
//! nobody says it twice; what is to be delivered is not, because whoever knows it says it again.

use crate::capability::FeederPlan;
use crate::driver::Context;
use crate::watch::{Found, Memory};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use wattbook_types::{ConnectionPoint, Energy, Power, Slot, SlotLength, Timestamp};

type BySlot = BTreeMap<Slot, BTreeMap<ConnectionPoint, FeederPlan>>;

/// The plans of a battery's feeders.
pub(super) struct Plans {
    slots: Mutex<BySlot>,
    length: SlotLength,
    key: String,
    memory: Option<Memory>,
}

/// What is planned for a feeder now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Present {
    pub(super) plan: FeederPlan,
    /// Until when the same is accepted without a break.
    pub(super) accepted_until: Timestamp,
}

impl Plans {
    pub(super) fn new(key: String, context: &Context) -> Self {
        let memory = context.memory.as_ref().map(|folder| Memory::of(folder, &key));
        let remembered: Vec<(Slot, ConnectionPoint, Power)> =
            match memory.as_ref().map(|memory| memory.read(&key)) {
                Some(Found::Remembered(accepted)) => accepted,
                Some(Found::Unreadable(why)) => {
                    tracing::warn!(key, why, "what feeders were to accept is forgotten");
                    Vec::new()
                }
                Some(Found::Nothing) | None => Vec::new(),
            };
        let mut slots = BySlot::new();
        for (slot, at, accept) in remembered {
            slots.entry(slot).or_default().entry(at).or_default().accept = accept;
        }
        Self { slots: Mutex::new(slots), length: context.slot_length, key, memory }
    }

    fn slots(&self) -> MutexGuard<'_, BySlot> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn of(&self, slot: Slot) -> Vec<(ConnectionPoint, FeederPlan)> {
        let slots = self.slots();
        slots.get(&slot).into_iter().flatten().map(|(at, plan)| (*at, *plan)).collect()
    }

    pub(super) fn present(&self, slot: Slot, at: ConnectionPoint) -> Present {
        let mut slots = self.slots();
        *slots = slots.split_off(&slot);
        let of = |slot: Slot| slots.get(&slot).and_then(|plans| plans.get(&at)).copied().unwrap_or_default();
        let plan = of(slot);
        let mut last = slot;
        // What is to be delivered next needs a lease of its own.
        while of(last.next()) == (FeederPlan { accept: plan.accept, deliver: Energy::ZERO })
            && !plan.accept.is_zero()
        {
            last = last.next();
        }
        Present { plan, accepted_until: last.end(self.length) }
    }

    /// Plans what is accepted; says whether that is new.
    pub(super) fn accept(&self, slot: Slot, at: ConnectionPoint, accept: Power) -> bool {
        let mut slots = self.slots();
        let plan = slots.entry(slot).or_default().entry(at).or_default();
        if plan.accept == accept {
            return false;
        }
        plan.accept = accept;
        let all = slots.iter().flat_map(|(slot, plans)| plans.iter().map(|(at, plan)| (*slot, *at, *plan)));
        let accepted: Vec<(Slot, ConnectionPoint, Power)> = all
            .filter(|row| !row.2.accept.is_zero())
            .map(|(slot, at, plan)| (slot, at, plan.accept))
            .collect();
        if let Some(memory) = &self.memory
            && let Err(error) = memory.write(&self.key, &accepted)
        {
            tracing::warn!(key = self.key, %error, "what feeders are to accept cannot be remembered");
        }
        true
    }

    /// Plans what is delivered; says whether that is new.
    pub(super) fn deliver(&self, slot: Slot, at: ConnectionPoint, energy: Energy) -> bool {
        let mut slots = self.slots();
        let plan = slots.entry(slot).or_default().entry(at).or_default();
        let is_new = plan.deliver != energy;
        plan.deliver = energy;
        is_new
    }
}
