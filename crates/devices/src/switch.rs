//! The home's end of a feeder as a switch, over anything that limits it.
//!
//! Always: what was set is what is told, even where the device rounds it; what somebody else has set in the
//! meantime is told as the device says it. Not here: deciding what to set (crate `home`).

use crate::capability::{Answer, FeederState, FeederSwitch};
use crate::driver::{FeederLimiter, FeederLimits};
use crate::reading::DeviceError;
use std::sync::Arc;
use tokio::sync::Mutex;
use wattbook_types::Power;

/// A feeder's end that is set by hand, without a lease: it stays as set until set again.
pub(crate) struct Switch {
    limiter: Arc<dyn FeederLimiter>,
    last: Mutex<Option<Last>>,
}

/// What was set last, and what the device then said.
#[derive(Clone, Copy)]
struct Last {
    set: FeederLimits,
    shown: FeederLimits,
}

impl Switch {
    pub(crate) fn new(limiter: Arc<dyn FeederLimiter>) -> Self {
        Self { limiter, last: Mutex::new(None) }
    }

    async fn change(&self, change: impl FnOnce(&mut FeederLimits)) -> Result<(), DeviceError> {
        let mut last = self.last.lock().await;
        let mut limits = match *last {
            Some(last) => last.set,
            None => self.limiter.limits().await?,
        };
        change(&mut limits);
        *last = None;
        self.limiter.limit(limits, None).await?;
        *last = Some(Last { set: limits, shown: self.limiter.limits().await? });
        Ok(())
    }
}

impl FeederSwitch for Switch {
    fn send_up_to(&self, limit: Power) -> Answer<'_, ()> {
        Box::pin(self.change(move |limits| limits.to_battery = limit))
    }

    fn draw_up_to(&self, limit: Power) -> Answer<'_, ()> {
        Box::pin(self.change(move |limits| limits.to_home = limit))
    }

    fn state(&self) -> Answer<'_, FeederState> {
        Box::pin(async {
            let mut last = self.last.lock().await;
            let shown = self.limiter.limits().await?;
            if last.is_some_and(|last| last.shown != shown) {
                *last = None;
            }
            let limits = last.map_or(shown, |last| last.set);
            Ok(FeederState { send: limits.to_battery, draw: limits.to_home })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Knows hundreds of watts only.
    #[derive(Default)]
    struct Coarse(std::sync::Mutex<FeederLimits>);

    fn hundreds(power: Power) -> Power {
        Power::from_watts(power.watts() / 100 * 100)
    }

    impl FeederLimiter for Coarse {
        fn limit(&self, limits: FeederLimits, _: Option<u32>) -> Answer<'_, ()> {
            let FeederLimits { to_battery, to_home } = limits;
            *self.0.lock().unwrap() =
                FeederLimits { to_battery: hundreds(to_battery), to_home: hundreds(to_home) };
            Box::pin(async { Ok(()) })
        }

        fn limits(&self) -> Answer<'_, FeederLimits> {
            let limits = *self.0.lock().unwrap();
            Box::pin(async move { Ok(limits) })
        }
    }

    fn watts(power: u64) -> Power {
        Power::from_watts(power)
    }

    #[tokio::test]
    async fn s1_what_was_set_is_told_until_somebody_else_sets_the_device() {
        let device = Arc::new(Coarse::default());
        let switch = Switch::new(Arc::clone(&device) as _);
        switch.send_up_to(watts(1_234)).await.unwrap();
        switch.draw_up_to(watts(777)).await.unwrap();
        assert_eq!(switch.state().await.unwrap(), FeederState { send: watts(1_234), draw: watts(777) });
        assert_eq!(device.0.lock().unwrap().to_battery, watts(1_200));
        *device.0.lock().unwrap() = FeederLimits { to_battery: watts(500), to_home: Power::ZERO };
        assert_eq!(switch.state().await.unwrap(), FeederState { send: watts(500), draw: Power::ZERO });
        switch.draw_up_to(watts(100)).await.unwrap();
        assert_eq!(switch.state().await.unwrap(), FeederState { send: watts(500), draw: watts(100) });
    }
}
