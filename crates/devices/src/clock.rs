//! Ledger time for processes that live in real time, and for tests that do not.
//!
//! Always: ledger time comes from the genesis' map alone, so that every process on one machine agrees.
//! A manual clock stands still until it is told to go on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use wattbook_types::{LedgerClock, Timestamp};

/// Where ledger time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's clock, through the genesis' map.
    System(LedgerClock),
    /// Somebody's hand.
    Manual(watch::Receiver<Timestamp>),
}

/// Moves a manual clock.
#[derive(Debug)]
pub struct Hand(watch::Sender<Timestamp>);

impl Clock {
    /// The system's clock, through the genesis' map.
    pub const fn system(map: LedgerClock) -> Self {
        Self::System(map)
    }

    /// A clock that stands at `time` until its hand is moved.
    pub fn manual(time: Timestamp) -> (Self, Hand) {
        let (sender, receiver) = watch::channel(time);
        (Self::Manual(receiver), Hand(sender))
    }

    /// Ledger time now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System(map) => map.ledger_at(real_millis()),
            Self::Manual(time) => *time.borrow(),
        }
    }

    /// Returns when ledger time has reached `time`; at once where it has already. Never, where a manual
    /// clock's hand is gone before.
    pub async fn wait_until(&self, time: Timestamp) {
        match self {
            Self::System(map) => {
                // Looked at again after each sleep: the system's clock may have been set.
                while map.ledger_at(real_millis()) < time {
                    let left = map.real_at(time).saturating_sub(real_millis()).clamp(1, 60_000);
                    tokio::time::sleep(Duration::from_millis(left)).await;
                }
            }
            Self::Manual(now) => {
                if now.clone().wait_for(|now| *now >= time).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// How much ledger time passes in some real time; a manual clock counts it as real time.
    pub fn ledger_millis_in(&self, real: Duration) -> u64 {
        let millis = real.as_millis();
        let scaled = match self {
            Self::System(map) => millis * u128::from(map.rate) / u128::from(map.rate_per.max(1)),
            Self::Manual(_) => millis,
        };
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }

    /// How much real time passes in some ledger time; `None` for a manual clock, on which it depends on
    /// the hand.
    pub fn real_duration_of(&self, ledger_millis: u64) -> Option<Duration> {
        let Self::System(map) = self else { return None };
        let millis = u128::from(ledger_millis) * u128::from(map.rate_per.max(1));
        let millis = millis / u128::from(map.rate.max(1));
        Some(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
    }
}

impl Hand {
    /// Moves the clock on; never back.
    pub fn set(&self, time: Timestamp) {
        self.0.send_modify(|now| *now = (*now).max(time));
    }
}

/// Real milliseconds since 1970.
fn real_millis() -> u64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
}
