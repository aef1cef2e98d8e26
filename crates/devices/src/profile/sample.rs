//! The small sample that comes with the project: six homes, eight days, half-hour steps, all made up.
//!
//! Always: whole-number arithmetic from a seed, so that every machine makes the same file; the shipped
//! file `samples/homes6_30min.csv` is exactly what [`make`] and [`csv`] give (a test holds it). The shapes
//! are plain on purpose: a parabola of sun between 6 and 20 o'clock dimmed by the day's clouds, and a base
//! load with a morning and an evening hump, a refrigerator's hum and now and then a washing machine.

use super::reader::{Gaps, Summary, read_from, text};
use super::{HomeProfile, ProfileStep, Profiles};
use crate::reading::Quality;
use wattbook_types::{Energy, Timestamp};

/// The shipped file.
pub const CSV: &str = include_str!("../../samples/homes6_30min.csv");

/// 2025-05-05T00:00:00Z, a Monday; the homes stand where noon is at 13:00 UTC.
const START: u64 = 1_746_403_200;
const STEP: u64 = 1_800;
const DAYS: u64 = 8;
const SEED: u64 = 0x7761_7474;

/// A home's nature: peak of its solar panels and base of its use in watts, and how big its humps are.
struct Nature {
    name: &'static str,
    solar: u64,
    base: u64,
    morning: u64,
    evening: u64,
}

/// Two large roofs, three middling homes, and one without panels.
const HOMES: [Nature; 6] = [
    Nature { name: "H01", solar: 6_200, base: 210, morning: 500, evening: 1_500 },
    Nature { name: "H02", solar: 4_600, base: 260, morning: 900, evening: 1_700 },
    Nature { name: "H03", solar: 5_400, base: 180, morning: 350, evening: 1_100 },
    Nature { name: "H04", solar: 3_300, base: 320, morning: 700, evening: 2_100 },
    Nature { name: "H05", solar: 4_000, base: 240, morning: 1_100, evening: 1_300 },
    Nature { name: "H06", solar: 0, base: 190, morning: 600, evening: 1_400 },
];

/// The sample, read from the shipped file.
pub fn read() -> Profiles {
    let read: Result<(Profiles, Summary), _> = read_from("homes6_30min.csv", CSV.as_bytes(), Gaps::Refuse);
    read.expect("a test holds the shipped file").0
}

/// Makes the sample anew.
pub fn make() -> Profiles {
    let mut clouds = Chance(SEED);
    let sky: Vec<u64> = (0..DAYS).map(|_| clouds.between(350, 1_000)).collect();
    let homes = HOMES.iter().zip(1..).map(|(home, number)| home.profile(&sky, Chance(SEED + number)));
    let homes = homes.collect();
    Profiles::new(Timestamp::from_millis(START * 1000), STEP, homes).expect("half an hour is a step")
}

/// A profile as the text of a file, rows by time and then by home.
pub fn csv(profiles: &Profiles) -> String {
    let mut out = String::from("timestamp_utc,home,generation_wh,consumption_wh,quality\n");
    let longest = profiles.homes().iter().map(|home| home.steps.len()).max().unwrap_or(0);
    for place in 0..longest {
        let time = text(profiles.start().millis() / 1000 + place as u64 * profiles.step_seconds());
        for home in profiles.homes() {
            if let Some(step) = home.steps.get(place) {
                let (made, used) = (step.generation.wh(), step.consumption.wh());
                out.push_str(&format!("{time},{},{made},{used},M\n", home.name));
            }
        }
    }
    out
}

impl Nature {
    fn profile(&self, sky: &[u64], mut chance: Chance) -> HomeProfile {
        let per_day = 86_400 / STEP;
        let mut washing = 0;
        let mut steps = Vec::new();
        for day in sky {
            for minute in (0..per_day).map(|step| step * STEP / 60) {
                let sun = self.solar * sunshine(minute) / 1000 * day / 1000;
                let sun = sun * chance.between(850, 1_000) / 1000;
                if washing == 0 && (480..1_260).contains(&minute) && chance.between(0, 40) == 0 {
                    washing = 3;
                }
                let appliance = if washing > 0 { 1_100 } else { 0 };
                washing = u64::saturating_sub(washing, 1);
                let load = self.base
                    + self.morning * hump(minute, 450, 120) / 1000
                    + self.evening * hump(minute, 1_170, 210) / 1000;
                let load = load * chance.between(800, 1_250) / 1000 + appliance;
                steps.push(ProfileStep {
                    generation: Energy::from_wh(sun * STEP / 3_600),
                    consumption: Energy::from_wh(load * STEP / 3_600),
                    quality: Quality::Measured,
                });
            }
        }
        HomeProfile { name: self.name.to_owned(), steps }
    }
}

/// The sun in thousandths at a minute of the day: a parabola from 6:00 to 20:00.
fn sunshine(minute: u64) -> u64 {
    hump(minute, 780, 420)
}

/// A parabola of height 1000 around `middle` that reaches zero `half` minutes to either side.
fn hump(minute: u64, middle: u64, half: u64) -> u64 {
    let away = minute.abs_diff(middle).min(half);
    1000 * (half * half - away * away) / (half * half)
}

/// Splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` up to, not including, `high`.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_is_what_the_generator_makes() {
        let made = make();
        assert!(CSV == csv(&made), "run the example make_sample to write the file again");
        assert_eq!(read(), made);
        assert_eq!((made.homes().len(), made.homes()[0].steps.len()), (6, 8 * 48));
    }

    #[test]
    fn repeating_keeps_noon_at_noon() {
        let week = 7 * 86_400_000;
        let long = make().repeated_until(Timestamp::from_millis(START * 1000 + 3 * week));
        assert_eq!(long.end(), Timestamp::from_millis(START * 1000 + 3 * week));
        let at = |days: u64| Timestamp::from_millis((START + days * 86_400 + 13 * 3_600) * 1000);
        assert_eq!(long.step_at(0, at(1)), long.step_at(0, at(1 + DAYS)));
    }
}
