//! Profiles for simulated homes: a file, or the sample, where ledger time is.
//!
//! Always: noon stays noon and, where the profile is whole weeks long, Monday stays Monday.

use anyhow::{Context, Result, bail};
use std::path::Path;
use wattbook_devices::profile::reader::{self, Fill, Gaps};
use wattbook_devices::profile::{Profiles, sample};
use wattbook_types::{Energy, Power, Timestamp};

const DAY_MS: u64 = 86_400_000;
const WEEK_MS: u64 = 7 * DAY_MS;
/// How long profiles are repeated: simulated homes do nothing after that.
const REPEATED_MS: u64 = 1_000 * DAY_MS;

/// Reads a file; gaps of up to four steps are filled, and said.
pub fn read(file: &Path) -> Result<Profiles> {
    let (profiles, summary) = reader::read(file, Gaps::Fill { with: Fill::Hold, longest: 4 })?;
    for filled in &summary.filled {
        eprintln!(
            "{}:{}: {}: {} steps missing, filled with the step before",
            file.display(),
            filled.line,
            filled.home,
            filled.steps
        );
    }
    Ok(profiles)
}

/// A file's profiles or the sample, moved by whole weeks to a time, and repeated from there on.
pub fn at(file: Option<&Path>, time: Timestamp) -> Result<Profiles> {
    let profiles = file.map_or_else(|| Ok(sample::read()), read)?;
    let first = profiles.start().millis() % WEEK_MS;
    let start = time.millis().saturating_sub(first) / WEEK_MS * WEEK_MS + first;
    // Where the week that `time` lies in began before 1970, at the profile's first week.
    let start = Timestamp::from_millis(if start > time.millis() { first } else { start });
    Ok(profiles.starting_at(start).repeated_until(time.plus_millis(REPEATED_MS)))
}

/// Where a home is among the profiles: by its name, or in its place.
pub fn place(profiles: &Profiles, name: Option<&str>, otherwise: usize) -> Result<usize> {
    let homes = profiles.homes();
    let found = match name {
        Some(name) => homes.iter().position(|home| home.name == name),
        None => Some(otherwise).filter(|place| *place < homes.len()),
    };
    let Some(place) = found else {
        let names: Vec<_> = homes.iter().map(|home| home.name.as_str()).collect();
        let wanted = name.map_or_else(|| format!("home {}", otherwise + 1), |name| format!("home {name:?}"));
        bail!("the profiles have no {wanted}; there are {}", names.join(", "));
    };
    Ok(place)
}

/// The profiles with a home's generation stretched so that its most is a power.
pub fn stretched(profiles: &Profiles, home: usize, power: Power) -> Result<Profiles> {
    let peak = profiles.peak_generation(home).watts();
    if peak == 0 {
        bail!("--power: this home of the profiles generates nothing; name another with --home");
    }
    let mut homes = profiles.homes().to_vec();
    for step in homes.get_mut(home).into_iter().flat_map(|home| &mut home.steps) {
        let wide = u128::from(step.generation.wh()) * u128::from(power.watts()) / u128::from(peak);
        step.generation = Energy::from_wh(u64::try_from(wide)?);
    }
    let made = Profiles::new(profiles.start(), profiles.step_seconds(), homes);
    made.context("the step stays what it was")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noon_stays_noon_wherever_ledger_time_is() {
        let sample = sample::read();
        for time in [0, 1_000, 1_780_315_800_000, 1_746_403_200_000] {
            let time = Timestamp::from_millis(time);
            let moved = at(None, time).unwrap();
            assert!(moved.start() <= time || moved.start().millis() < WEEK_MS);
            assert_eq!(moved.start().millis() % WEEK_MS, sample.start().millis() % WEEK_MS);
            assert!(moved.end() >= time.plus_millis(REPEATED_MS));
        }
    }

    #[test]
    fn a_stretched_profile_reaches_its_power_and_no_more() {
        let sample = sample::read();
        let stretched = stretched(&sample, 1, Power::from_watts(10_000)).unwrap();
        assert_eq!(stretched.peak_generation(1), Power::from_watts(10_000));
        assert_eq!(stretched.homes()[0], sample.homes()[0]);
        assert!(super::stretched(&sample, 5, Power::from_watts(1)).is_err(), "H06 has no panels");
    }

    #[test]
    fn homes_are_found_by_name_or_place() {
        let sample = sample::read();
        assert_eq!(place(&sample, Some("H02"), 0).unwrap(), 1);
        assert_eq!(place(&sample, None, 5).unwrap(), 5);
        let wrong = place(&sample, None, 6).unwrap_err().to_string();
        assert!(wrong.contains("no home 7") && wrong.contains("H06"), "{wrong}");
        assert!(place(&sample, Some("X"), 0).is_err());
    }
}
