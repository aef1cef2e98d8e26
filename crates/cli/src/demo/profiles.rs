//! Which profiles a demonstration's homes follow.

use super::options::Options;
use crate::device::sim::profiles;
use anyhow::{Result, bail};
use std::time::Duration;
use wattbook_devices::profile::{HomeProfile, Profiles, sample};

/// How many homes a demonstration has where nothing else is said.
const HOMES: usize = 6;
/// When the sun rises in the sample.
const SUNRISE: Duration = Duration::from_secs(7 * 3600);

/// Reads or makes the profiles, as many homes as wanted, long enough.
pub fn chosen(options: &Options) -> Result<Profiles> {
    let (profiles, count) = match &options.profiles {
        Some(file) => {
            let profiles = profiles::read(file)?;
            let count = options.homes.unwrap_or(profiles.homes().len());
            (profiles, count)
        }
        None => (sample_from_sunrise(), options.homes.unwrap_or(HOMES)),
    };
    if count == 0 || count > profiles.homes().len() {
        bail!("--homes {count}: the profiles have 1 to {} homes", profiles.homes().len());
    }
    let lasting = options.duration.unwrap_or(Duration::from_secs(400 * 86_400)).as_millis();
    let until = profiles.start().plus_millis(u64::try_from(lasting)?).plus_millis(2 * 86_400_000);
    Ok(profiles.first_homes(count).repeated_until(until))
}

/// The sample, beginning with the first sunrise, so that a visitor sees trade at once.
fn sample_from_sunrise() -> Profiles {
    let sample = sample::read();
    let steps = usize::try_from(SUNRISE.as_secs() / sample.step_seconds()).expect("a few");
    let homes = sample.homes().iter().map(|home| HomeProfile {
        name: home.name.clone(),
        steps: home.steps.iter().skip(steps).copied().collect(),
    });
    let start = sample.start().plus_millis(steps as u64 * sample.step_seconds() * 1000);
    Profiles::new(start, sample.step_seconds(), homes.collect()).expect("the step stays what it was")
}
