//! What homes generate and use over time: profiles, read from files or made up.
//!
//! Always: all homes of one set share start and step; power is constant within a step and a whole number
//! of watts; after its last step a home generates and uses nothing. `reader` reads files, `sample` makes
//! the small set that comes with the project. Deliberately absent: forecasts.

pub mod reader;
pub mod sample;

use crate::reading::Quality;
use wattbook_types::{Energy, Power, Timestamp};

/// The steps that profiles may have, in seconds.
pub const STEPS: [u64; 3] = [900, 1_800, 3_600];

/// Profiles of several homes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profiles {
    start: Timestamp,
    step_seconds: u64,
    homes: Vec<HomeProfile>,
}

/// One home's profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HomeProfile {
    /// The home's name in the file.
    pub name: String,
    /// Step by step.
    pub steps: Vec<ProfileStep>,
}

/// What a home generated and used in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileStep {
    /// Generated.
    pub generation: Energy,
    /// Used.
    pub consumption: Energy,
    /// How the two numbers came about.
    pub quality: Quality,
}

impl Profiles {
    /// From their parts; `None` where the step is none of [`STEPS`].
    pub fn new(start: Timestamp, step_seconds: u64, homes: Vec<HomeProfile>) -> Option<Self> {
        STEPS.contains(&step_seconds).then_some(Self { start, step_seconds, homes })
    }

    /// When the first step begins.
    pub const fn start(&self) -> Timestamp {
        self.start
    }

    /// When the last home's last step ends.
    pub fn end(&self) -> Timestamp {
        let longest = self.homes.iter().map(|home| home.steps.len()).max().unwrap_or(0);
        self.start.plus_millis(longest as u64 * self.step_seconds * 1000)
    }

    /// The length of a step.
    pub const fn step_seconds(&self) -> u64 {
        self.step_seconds
    }

    /// The homes.
    pub fn homes(&self) -> &[HomeProfile] {
        &self.homes
    }

    /// The same homes at another time.
    #[must_use]
    pub fn starting_at(mut self, start: Timestamp) -> Self {
        self.start = start;
        self
    }

    /// Only the first homes, all where there are no more.
    #[must_use]
    pub fn first_homes(mut self, count: usize) -> Self {
        self.homes.truncate(count);
        self
    }

    /// The same again and again until `end`: whole days of it, so that noon stays noon.
    #[must_use]
    pub fn repeated_until(mut self, end: Timestamp) -> Self {
        let per_day = usize::try_from(86_400 / self.step_seconds).expect("at most 96");
        let wanted = end.millis_since(self.start).div_ceil(self.step_seconds * 1000);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        for home in &mut self.homes {
            let period = home.steps.len() / per_day * per_day;
            if period > 0 {
                home.steps.truncate(period);
                home.steps = home.steps.iter().copied().cycle().take(wanted).collect();
            }
        }
        self
    }

    /// A home's step at a time; `None` before the first and after the last.
    pub fn step_at(&self, home: usize, time: Timestamp) -> Option<&ProfileStep> {
        let into = time.millis().checked_sub(self.start.millis())?;
        let place = usize::try_from(into / (self.step_seconds * 1000)).ok()?;
        self.homes.get(home)?.steps.get(place)
    }

    /// A home's generation and use at a time; nothing outside its profile.
    pub fn power_at(&self, home: usize, time: Timestamp) -> (Power, Power) {
        match self.step_at(home, time) {
            Some(step) => (self.power(step.generation), self.power(step.consumption)),
            None => (Power::ZERO, Power::ZERO),
        }
    }

    /// The most that a home ever generates.
    pub fn peak_generation(&self, home: usize) -> Power {
        let steps = self.homes.get(home).into_iter().flat_map(|home| &home.steps);
        self.power(steps.map(|step| step.generation).max().unwrap_or(Energy::ZERO))
    }

    /// The constant power that brings an energy in one step: a whole number, as every step divides an
    /// hour.
    const fn power(&self, energy: Energy) -> Power {
        Power::from_watts(energy.wh().saturating_mul(3_600 / self.step_seconds))
    }
}
