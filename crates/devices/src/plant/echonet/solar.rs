//! Simulated household solar power generation (class 0279).
//!
//! Always: what is curtailed is curtailed in the world; powers beyond what two bytes hold are "beyond".
//! Release R of the Appendix, but for the output control schedule.

use super::Thing;
use crate::drivers::echonet::registers::WRAPS_AT_WH;
pub use crate::drivers::echonet::registers::solar::CLASS;
use crate::drivers::echonet::registers::solar::{
    APPROVED, CONTROL_PERCENT, CONTROL_WATTS, GENERATED, POWER, RATED,
};
use crate::echonet::Eoj;
use crate::simulated::physics::{Command, Nameplate, Part, Physics, Shown};
use std::sync::atomic::{AtomicU8, Ordering};
use wattbook_types::Power;

/// Whether surplus purchase is controlled.
const PURCHASE: u8 = 0xA2;
/// Kind of contract.
const CONTRACT: u8 = 0xC1;
/// Whether the home uses what it generates.
const OWN_USE: u8 = 0xC2;
/// How it is connected.
const CONNECTED: u8 = 0xD0;
/// Whether it is held back.
const RESTRAINT: u8 = 0xD1;

/// The most watts that can be said.
const MOST: u64 = 65_533;

/// Solar generation.
pub struct Solar {
    eoj: Eoj,
    part: Part,
    rated: u64,
    contract: AtomicU8,
}

impl Solar {
    pub fn new(eoj: Eoj, part: Part, nameplate: Nameplate) -> Self {
        // 43: nothing is set.
        Self { eoj, part, rated: nameplate.rating.watts().min(MOST), contract: AtomicU8::new(0x43) }
    }

    /// What it is limited to, in watts.
    fn limited(&self, shown: &Shown) -> u64 {
        shown.curtailed.map_or(self.rated, |limit| limit.watts().min(self.rated))
    }
}

impl<P: Physics> Thing<P> for Solar {
    fn eoj(&self) -> Eoj {
        self.eoj
    }

    fn release(&self) -> u8 {
        b'R'
    }

    fn readable(&self) -> Vec<u8> {
        vec![
            CONTROL_PERCENT,
            CONTROL_WATTS,
            PURCHASE,
            CONTRACT,
            OWN_USE,
            APPROVED,
            CONNECTED,
            RESTRAINT,
            POWER,
            GENERATED,
            RATED,
        ]
    }

    fn settable(&self) -> &'static [u8] {
        &[CONTROL_PERCENT, CONTROL_WATTS, CONTRACT]
    }

    fn get(&self, physics: &P, code: u8) -> Option<Vec<u8>> {
        let shown = physics.shown(self.part);
        let limited = self.limited(&shown);
        let short = |watts: u64| u16::try_from(watts).ok().filter(|watts| u64::from(*watts) <= MOST);
        Some(match code {
            CONTROL_PERCENT => vec![(limited * 100 / self.rated.max(1)).min(100) as u8],
            CONTROL_WATTS => short(limited)?.to_be_bytes().to_vec(),
            // Not controlled.
            PURCHASE => vec![0x42],
            CONTRACT => vec![self.contract.load(Ordering::Relaxed)],
            // Not known.
            OWN_USE => vec![0x43],
            APPROVED | RATED => short(self.rated)?.to_be_bytes().to_vec(),
            // What is left over may flow out.
            CONNECTED => vec![0x00],
            RESTRAINT => vec![if limited < self.rated { 0x41 } else { 0x44 }],
            POWER => {
                short(shown.power.watts().min(0).unsigned_abs()).unwrap_or(u16::MAX).to_be_bytes().to_vec()
            }
            GENERATED => ((shown.registers.export.wh() % WRAPS_AT_WH) as u32).to_be_bytes().to_vec(),
            _ => return None,
        })
    }

    fn set(&self, physics: &mut P, code: u8, edt: &[u8]) -> bool {
        let limit = match (code, edt) {
            (CONTROL_WATTS, &[high, low]) => u64::from(u16::from_be_bytes([high, low])),
            (CONTROL_PERCENT, &[share @ 0..=100]) => self.rated * u64::from(share) / 100,
            (CONTRACT, &[contract @ 0x41..=0x43]) => {
                self.contract.store(contract, Ordering::Relaxed);
                return true;
            }
            _ => return false,
        };
        if limit > MOST {
            return false;
        }
        let limit = (limit < self.rated).then(|| Power::from_watts(limit));
        physics.command(self.part, Command::Curtail(limit, None));
        true
    }
}
