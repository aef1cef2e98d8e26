//! Takes readings of a device unasked: around the ends of slots, and now and then.
//!
//! Always: ends by itself when nobody holds the watch any more. Not here: what is made of the readings.

use super::device::Watch;
use crate::clock::Clock;
use std::sync::Weak;
use std::time::Duration;
use wattbook_types::SlotLength;

/// Readings in a slot of a device that keeps no registers itself, where a slot is neither too short nor too
/// long for that.
const READINGS_PER_SLOT: u32 = 20;
const FASTEST: Duration = Duration::from_millis(50);
const SLOWEST: Duration = Duration::from_secs(10);

/// Takes readings around the ends of slots and, of devices that keep no registers, in between.
pub(super) async fn sample_for_ever(watch: Weak<Watch>, clock: Clock, length: SlotLength) {
    let between = interval(&clock, length);
    loop {
        let slot = length.slot_at(clock.now());
        let keeps = match watch.upgrade() {
            Some(watch) => watch.keeps(),
            None => return,
        };
        // Those that keep registers are looked at now and then, for what else may be wrong.
        let pause = between.map(|pause| if keeps { pause * (READINGS_PER_SLOT / 4) } else { pause });
        let ended = tokio::select! {
            () = clock.wait_until(slot.end(length)) => true,
            () = sleep(pause) => false,
        };
        let Some(watch) = watch.upgrade() else { return };
        // What fails is counted and told by the watch itself.
        if ended {
            let _ = watch.latch(slot).await;
        }
        if !ended || !keeps {
            let _ = watch.look().await;
        }
    }
}

async fn sleep(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}

/// How often (real time) readings are taken within a slot; a clock that stands still needs none.
fn interval(clock: &Clock, length: SlotLength) -> Option<Duration> {
    let slot = clock.real_duration_of(length.millis())?;
    Some((slot / READINGS_PER_SLOT).clamp(FASTEST, SLOWEST))
}
