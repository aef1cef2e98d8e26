//! Reads profile files: CSV with a header and the columns `timestamp_utc,home,generation_wh,
//! consumption_wh,quality`, one row per home and step of 15, 30 or 60 minutes.
//!
//! Always: a file is taken whole or refused with every bad row named by file and line (the first twenty);
//! a gap is refused unless the caller allows filling it, and then it is counted. Rows of one home are in
//! ascending order; homes may be interleaved or one after another. Deliberately absent: quoted fields,
//! time zones, fractions of a watt-hour.

use super::{HomeProfile, ProfileStep, Profiles, STEPS};
use crate::reading::Quality;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;
use wattbook_types::{Energy, Timestamp};

/// No home uses or generates more than this on average over a step; a larger number is an error of units.
pub const MOST_WATTS: u64 = 200_000;

/// How many problems are told one by one.
const TOLD: usize = 20;

/// What to do with gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gaps {
    /// Refuse the file.
    Refuse,
    /// Fill gaps of at most so many steps, and count them; refuse longer ones.
    Fill {
        /// With what.
        with: Fill,
        /// The longest gap that is filled.
        longest: u64,
    },
}

/// What a gap is filled with. The quality of filled steps is `Substituted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Nothing generated, nothing used.
    Zero,
    /// What the step before the gap had; nothing where there is none.
    Hold,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows.
    pub rows: u64,
    /// Gaps that were filled.
    pub filled: Vec<Filled>,
    /// Homes that end before the file does, and when; they do nothing afterwards.
    pub ended_early: Vec<(String, Timestamp)>,
    /// Rows whose quality is a word that this reader does not know; taken as estimated.
    pub unknown_quality: u64,
}

/// A gap that was filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// The home.
    pub home: String,
    /// The line after the gap.
    pub line: usize,
    /// Its length.
    pub steps: u64,
}

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// It cannot be read.
    #[error("{file}: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// What stands in it is wrong.
    #[error("{0}")]
    Bad(Problems),
}

/// What is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// The file.
    pub file: String,
    /// Line by line, the first twenty.
    pub told: Vec<Problem>,
    /// How many more there are.
    pub more: usize,
}

/// What is wrong in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.told.iter().enumerate() {
            let newline = if place == 0 { "" } else { "\n" };
            write!(f, "{newline}{}:{}: {}", self.file, problem.line, problem.what)?;
        }
        if self.more > 0 {
            write!(f, "\n{}: and {} more", self.file, self.more)?;
        }
        Ok(())
    }
}

/// Reads a profile file.
///
/// # Errors
/// Where it cannot be opened, or any row is bad or missing.
pub fn read(path: &Path, gaps: Gaps) -> Result<(Profiles, Summary), ProfileError> {
    let file = path.display().to_string();
    match std::fs::File::open(path) {
        Ok(open) => read_from(&file, BufReader::new(open), gaps),
        Err(source) => Err(ProfileError::Unreadable { file, source }),
    }
}

/// Reads a profile from anywhere; `file` is its name in messages.
///
/// # Errors
/// As [`read`].
pub fn read_from(file: &str, input: impl BufRead, gaps: Gaps) -> Result<(Profiles, Summary), ProfileError> {
    let mut reader = Reader { gaps, ..Reader::default() };
    for (number, line) in input.lines().enumerate() {
        let line = line.map_err(|source| ProfileError::Unreadable { file: file.to_owned(), source })?;
        reader.take_line(number + 1, line.trim_start_matches('\u{feff}').trim_end());
    }
    let profiles = reader.finish();
    match profiles {
        Some(profiles) if reader.problems.is_empty() => Ok((profiles, reader.summary)),
        _ => Err(ProfileError::Bad(Problems {
            file: file.to_owned(),
            told: reader.problems,
            more: reader.untold,
        })),
    }
}

/// One row.
#[derive(Clone, Copy)]
struct Row {
    line: usize,
    /// Seconds since 1970.
    time: u64,
    step: ProfileStep,
}

/// Where the columns are.
#[derive(Clone, Copy)]
struct Columns {
    time: usize,
    home: usize,
    generation: usize,
    consumption: usize,
    quality: Option<usize>,
}

impl Columns {
    fn of_header(text: &str) -> Result<Self, String> {
        let names: Vec<&str> = text.split(',').map(str::trim).collect();
        let place = |name: &str| names.iter().position(|candidate| *candidate == name);
        let required = |name: &str| {
            let expected = "timestamp_utc,home,generation_wh,consumption_wh,quality";
            place(name).ok_or_else(|| format!("the header has no column {name:?}; expected {expected}"))
        };
        Ok(Self {
            time: required("timestamp_utc")?,
            home: required("home")?,
            generation: required("generation_wh")?,
            consumption: required("consumption_wh")?,
            quality: place("quality"),
        })
    }
}

struct Reader {
    gaps: Gaps,
    columns: Option<Columns>,
    header_is_bad: bool,
    homes: Vec<(String, Vec<Row>)>,
    places: HashMap<String, usize>,
    problems: Vec<Problem>,
    untold: usize,
    summary: Summary,
    last_line: usize,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            gaps: Gaps::Refuse,
            columns: None,
            header_is_bad: false,
            homes: Vec::new(),
            places: HashMap::new(),
            problems: Vec::new(),
            untold: 0,
            summary: Summary::default(),
            last_line: 1,
        }
    }
}

impl Reader {
    fn problem(&mut self, line: usize, what: String) {
        if self.problems.len() < TOLD {
            self.problems.push(Problem { line, what });
        } else {
            self.untold += 1;
        }
    }

    fn take_line(&mut self, line: usize, text: &str) {
        self.last_line = line;
        if text.is_empty() || self.header_is_bad {
            return;
        }
        let taken = match self.columns {
            None => self.take_header(text),
            Some(columns) => self.take_row(line, text, columns),
        };
        if let Err(what) = taken {
            self.problem(line, what);
        }
    }

    fn take_header(&mut self, text: &str) -> Result<(), String> {
        let columns = Columns::of_header(text);
        self.header_is_bad = columns.is_err();
        self.columns = Some(columns?);
        Ok(())
    }

    fn take_row(&mut self, line: usize, text: &str, columns: Columns) -> Result<(), String> {
        if text.contains('"') {
            return Err("quoted fields are not read; write the names without quotes".into());
        }
        let fields: Vec<&str> = text.split(',').map(str::trim).collect();
        let field = |place: usize| fields.get(place).copied().ok_or("a column is missing in this row");
        let time = instant(field(columns.time)?)?;
        let home = field(columns.home)?;
        if home.is_empty() {
            return Err("the home has no name".into());
        }
        let quality = self.quality(columns.quality.and_then(|place| fields.get(place)).unwrap_or(&""));
        let mut energy = |column: usize, name: &str| {
            if quality == Quality::Missing {
                return Energy::ZERO;
            }
            // A row with a bad number is there all the same: it is not a gap as well.
            let read = field(column).map_err(str::to_owned).and_then(|text| watt_hours(name, text));
            read.unwrap_or_else(|what| {
                self.problem(line, what);
                Energy::ZERO
            })
        };
        let generation = energy(columns.generation, "generation_wh");
        let consumption = energy(columns.consumption, "consumption_wh");
        self.summary.rows += 1;
        self.place_row(home, Row { line, time, step: ProfileStep { generation, consumption, quality } })
    }

    fn quality(&mut self, word: &str) -> Quality {
        match word.to_ascii_lowercase().as_str() {
            // An hour that was split into its halves was measured all the same.
            "" | "s" | "m" | "measured" => Quality::Measured,
            "f" | "filled" | "substituted" => Quality::Substituted,
            "e" | "estimated" => Quality::Estimated,
            "n" | "x" | "missing" => Quality::Missing,
            _ => {
                self.summary.unknown_quality += 1;
                Quality::Estimated
            }
        }
    }

    fn place_row(&mut self, home: &str, row: Row) -> Result<(), String> {
        let place = match self.places.get(home) {
            Some(place) => *place,
            None => {
                self.homes.push((home.to_owned(), Vec::new()));
                self.places.insert(home.to_owned(), self.homes.len() - 1);
                self.homes.len() - 1
            }
        };
        let rows = &mut self.homes[place].1;
        if let Some(before) = rows.last() {
            if row.time == before.time {
                return Err(format!("home {home}: the same time stands in line {} already", before.line));
            }
            if row.time < before.time {
                return Err(format!("home {home}: earlier than line {}; rows must ascend", before.line));
            }
        }
        rows.push(row);
        Ok(())
    }

    fn finish(&mut self) -> Option<Profiles> {
        if self.homes.is_empty() {
            if self.problems.is_empty() {
                self.problem(self.last_line, "there are no rows".into());
            }
            return None;
        }
        let step = self.step()?;
        self.refuse_absurd(step);
        let homes = std::mem::take(&mut self.homes);
        let start = homes.iter().filter_map(|(_, rows)| rows.first()).map(|row| row.time).min()?;
        let end = homes.iter().filter_map(|(_, rows)| rows.last()).map(|row| row.time + step).max()?;
        let homes = homes.into_iter().map(|(name, rows)| {
            let steps = self.without_gaps(&name, &rows, start, step);
            let ended = start + steps.len() as u64 * step;
            if ended < end {
                let at = Timestamp::from_millis(ended * 1000);
                self.summary.ended_early.push((name.clone(), at));
            }
            HomeProfile { name, steps }
        });
        let homes = homes.collect();
        Profiles::new(Timestamp::from_millis(start * 1000), step, homes)
    }

    /// The most frequent distance between two rows of one home.
    fn step(&mut self) -> Option<u64> {
        let mut distances: BTreeMap<u64, (u64, usize)> = BTreeMap::new();
        for (_, rows) in &self.homes {
            for pair in rows.windows(2) {
                let entry = distances.entry(pair[1].time - pair[0].time).or_insert((0, pair[1].line));
                entry.0 += 1;
            }
        }
        // Of equally frequent ones the shortest.
        let (step, line) = match distances.iter().max_by_key(|(step, (count, _))| (*count, u64::MAX - **step))
        {
            Some((step, (_, line))) => (*step, *line),
            None => {
                if self.problems.is_empty() {
                    self.problem(self.last_line, "no home has two rows, so the step is unknown".into());
                }
                return None;
            }
        };
        if !STEPS.contains(&step) {
            self.problem(line, format!("rows are {step} s apart; steps of 15, 30 or 60 minutes are read"));
            return None;
        }
        Some(step)
    }

    fn refuse_absurd(&mut self, step: u64) {
        let most = MOST_WATTS * step / 3_600;
        let absurd = |row: &&Row| row.step.generation.wh().max(row.step.consumption.wh()) > most;
        let lines: Vec<(usize, String)> = self
            .homes
            .iter()
            .flat_map(|(name, rows)| rows.iter().filter(absurd).map(move |row| (row.line, name.clone())))
            .collect();
        for (line, home) in lines {
            self.problem(
                line,
                format!("home {home}: more than {most} Wh in {} minutes is absurd", step / 60),
            );
        }
    }

    /// A home's steps from `start` on, gaps filled where that is allowed and named where not.
    fn without_gaps(&mut self, home: &str, rows: &[Row], start: u64, step: u64) -> Vec<ProfileStep> {
        let mut steps: Vec<ProfileStep> = Vec::with_capacity(rows.len());
        let mut expected = start;
        let mut first_missing = None;
        for row in rows {
            if !(row.time - start).is_multiple_of(step) {
                let what = format!("home {home}: {} is not on the {}-minute grid", text(row.time), step / 60);
                self.problem(row.line, what);
                continue;
            }
            if row.step.quality == Quality::Missing {
                first_missing = first_missing.or(Some(row.line));
                continue;
            }
            let line = first_missing.take().unwrap_or(row.line);
            let count = row.time.saturating_sub(expected) / step;
            if count > 0 {
                let fill = self.filling(home, Gap { line, count, from: expected }, steps.last());
                steps.extend(fill);
            }
            steps.push(row.step);
            expected = row.time + step;
        }
        steps
    }

    /// What goes into a gap; nothing where it is refused, which may be centuries long.
    fn filling(&mut self, home: &str, gap: Gap, before: Option<&ProfileStep>) -> Vec<ProfileStep> {
        let Gap { line, count, from } = gap;
        let with = match self.gaps {
            Gaps::Fill { with, longest } if count <= longest => with,
            _ => {
                let plural = if count == 1 { "step is" } else { "steps are" };
                self.problem(line, format!("home {home}: {count} {plural} missing from {} on", text(from)));
                return Vec::new();
            }
        };
        self.summary.filled.push(Filled { home: home.to_owned(), line, steps: count });
        let zero = (Energy::ZERO, Energy::ZERO);
        let (generation, consumption) = match (with, before) {
            (Fill::Hold, Some(step)) => (step.generation, step.consumption),
            _ => zero,
        };
        (0..count).map(|_| ProfileStep { generation, consumption, quality: Quality::Substituted }).collect()
    }
}

/// Steps that are missing.
#[derive(Clone, Copy)]
struct Gap {
    /// The line after them, or of the first row that says that its values are missing.
    line: usize,
    /// How many.
    count: u64,
    /// When the first should begin, in seconds since 1970.
    from: u64,
}

/// Strict RFC 3339 in UTC without fractions: `2016-08-01T07:00:00Z`, nothing else. In seconds since 1970.
fn instant(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a time like 2016-08-01T07:00:00Z");
    let parsed: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
    if parsed.to_string() != text {
        return Err(wrong());
    }
    u64::try_from(parsed.as_second()).map_err(|_| format!("{text} is before 1970"))
}

/// The text of a time.
pub(super) fn text(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

fn watt_hours(name: &str, text: &str) -> Result<Energy, String> {
    match text.parse::<i128>() {
        Ok(number) if number < 0 => Err(format!("{name} is negative: {text}")),
        Ok(number) => {
            u64::try_from(number).map(Energy::from_wh).map_err(|_| format!("{name} is absurd: {text}"))
        }
        Err(_) if text.is_empty() => Err(format!("{name} is empty")),
        Err(_) => Err(format!("{name} is not a whole number of Wh: {text:?}")),
    }
}

#[cfg(test)]
mod tests;
