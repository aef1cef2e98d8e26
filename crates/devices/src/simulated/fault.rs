//! What can be wrong with a simulated device's registers.
//!
//! Always: what really flows is as before; only what is shown is wrong. Not here: meters that cheat, which
//! the world does (`plant::Faults`).

use crate::capability::Registers;
use crate::reading::SignedPower;
use std::str::FromStr;
use wattbook_types::MeterRegister;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The registers stand a thousand Wh before their 32 bits are full, and always did.
    Wrap,
    /// The registers begin again from zero, as after an exchange of the device.
    Reset,
    /// Nothing that it shows changes any more.
    Freeze,
    /// The registers jump by [`JUMP`].
    Jump,
    /// It no longer answers.
    Silent,
    /// Its values are noise.
    Nonsense,
}

/// By how much registers jump, in Wh.
pub const JUMP: u64 = 1_000_000_000;

/// How far from full registers stand that are about to wrap, in Wh.
const BEFORE_WRAP: u64 = 1_000;

/// The energy at which registers of 32 bits begin again, in Wh.
pub(super) const FULL: u64 = 1 << 32;

/// No fault of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fault is one of wrap, reset, freeze, jump, silent, nonsense")]
pub struct NoSuchFault;

impl FromStr for Fault {
    type Err = NoSuchFault;

    fn from_str(text: &str) -> Result<Self, NoSuchFault> {
        Ok(match text {
            "wrap" => Self::Wrap,
            "reset" => Self::Reset,
            "freeze" => Self::Freeze,
            "jump" => Self::Jump,
            "silent" => Self::Silent,
            "nonsense" => Self::Nonsense,
            _ => return Err(NoSuchFault),
        })
    }
}

/// A fault and what the device showed when it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since {
    pub(super) fault: Fault,
    /// The first interval that ends with the fault.
    pub(super) interval: u64,
    pub(super) registers: Registers,
    pub(super) power: SignedPower,
}

impl Since {
    /// What is shown in place of true registers, now or at the end of an interval that the fault touches.
    pub(super) fn registers(&self, truth: Registers) -> Registers {
        let shown = |truth: MeterRegister, then: MeterRegister| {
            MeterRegister::from_wh(match self.fault {
                Fault::Wrap => (FULL - BEFORE_WRAP + truth.wh().saturating_sub(then.wh())) % FULL,
                Fault::Reset => truth.wh().saturating_sub(then.wh()),
                Fault::Freeze => then.wh(),
                Fault::Jump => truth.wh().saturating_add(JUMP),
                Fault::Silent | Fault::Nonsense => truth.wh(),
            })
        };
        Registers {
            import: shown(truth.import, self.registers.import),
            export: shown(truth.export, self.registers.export),
        }
    }

    /// Whether what was kept of an interval is gone or was never kept.
    pub(super) fn forgets(&self, interval: u64) -> bool {
        match self.fault {
            Fault::Reset => interval < self.interval,
            Fault::Freeze => interval >= self.interval,
            _ => false,
        }
    }

    /// Whether what was kept of an interval is touched.
    pub(super) fn touches(&self, interval: u64) -> bool {
        self.fault == Fault::Wrap || interval >= self.interval
    }

    /// The noise that stands at a register in a second.
    pub(super) fn noise(register: u16, second: u64) -> u16 {
        let mixed = (second ^ u64::from(register) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 48) as u16
    }
}
