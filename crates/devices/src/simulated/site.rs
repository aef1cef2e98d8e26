//! Simulated devices behind listeners: units by number, all of one physics.
//!
//! Always: before anything is read or written, the physics is brought up to the present; a request sees one
//! moment. Not here: which devices there are.

use super::fault::Fault;
use super::physics::{Part, Physics};
use super::unit::Unit;
use crate::clock::Clock;
use crate::modbus::{Answered, Exception, Units};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Some physics and its clock.
pub(crate) struct Live<P> {
    physics: Mutex<P>,
    clock: Clock,
}

impl<P: Physics> Live<P> {
    pub(crate) fn new(physics: P, clock: Clock) -> Arc<Self> {
        Arc::new(Self { physics: Mutex::new(physics), clock })
    }

    /// The physics as it is now.
    pub(crate) fn present(&self) -> MutexGuard<'_, P> {
        let mut physics = self.physics.lock().unwrap_or_else(PoisonError::into_inner);
        physics.advance_to(self.clock.now());
        physics
    }
}

/// The units of one listener.
pub(crate) struct Rack<P> {
    live: Arc<Live<P>>,
    units: BTreeMap<u8, Mutex<Unit>>,
}

impl<P: Physics> Rack<P> {
    pub(crate) fn new(live: Arc<Live<P>>, units: impl IntoIterator<Item = (u8, Unit)>) -> Arc<Self> {
        let units = units.into_iter().map(|(number, unit)| (number, Mutex::new(unit))).collect();
        Arc::new(Self { live, units })
    }

    fn with<T>(&self, unit: u8, f: impl FnOnce(&mut Unit, &mut P) -> Answered<T>) -> Answered<T> {
        match self.units.get(&unit) {
            // What a gateway says of a unit that is not there.
            None => Answered::Exception(Exception::GatewayTargetDevice),
            Some(unit) => {
                let mut physics = self.live.present();
                f(&mut unit.lock().unwrap_or_else(PoisonError::into_inner), &mut *physics)
            }
        }
    }
}

/// Units whose devices can be made faulty.
pub(crate) trait Inject: Send + Sync {
    /// From now on something is wrong with the device of a part, or no longer; nothing where it is not here.
    fn inject(&self, part: Part, fault: Option<Fault>);
}

impl<P: Physics> Inject for Rack<P> {
    fn inject(&self, part: Part, fault: Option<Fault>) {
        let physics = self.live.present();
        for unit in self.units.values() {
            let mut unit = unit.lock().unwrap_or_else(PoisonError::into_inner);
            if unit.part == part {
                unit.inject(&*physics, fault);
            }
        }
    }
}

impl<P: Physics> Units for Rack<P> {
    fn read(&self, unit: u8, first: u16, count: u16) -> Answered<Vec<u16>> {
        self.with(unit, |unit, physics| unit.read(physics, first, count))
    }

    fn write(&self, unit: u8, first: u16, words: &[u16]) -> Answered<()> {
        self.with(unit, |unit, physics| unit.write(physics, first, words))
    }
}
