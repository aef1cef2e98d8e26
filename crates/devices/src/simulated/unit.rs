//! One simulated SunSpec device: its models one after another, and what writing them does.
//!
//! Always: it begins at register 40000 with the marker, model 1 first and the interval registers last; a
//! write is obeyed whole or refused; read-only registers cannot be written. Not here: what is in the models
//! (`fill`) and what set-points mean (`obey`).

use super::fault::{FULL, Fault, Since};
use super::image::Image;
use super::physics::{Kept, Nameplate, Part, Physics, Shown};
use super::{fill, obey};
use crate::capability::Registers;
use crate::drivers::sunspec::tables::Table;
use crate::drivers::sunspec::tables::controls;
use crate::drivers::sunspec::tables::ending::ENDING;
use crate::drivers::sunspec::tables::interval::{ENTRY, INTERVALS};
use crate::modbus::{Answered, Exception};
use std::collections::BTreeMap;
use wattbook_types::{MeterRegister, Slot};

/// Where devices begin.
pub(crate) const BASE: u16 = 40_000;

/// "SunS".
const MARKER: [u16; 2] = [0x5375, 0x6e53];

/// What stands behind the last model.
const END: [u16; 2] = [0xffff, 0];

/// The models whose registers have 32 bits.
const WRAPPING: [u16; 2] = [103, 203];

/// A simulated device.
pub(crate) struct Unit {
    pub(super) part: Part,
    pub(super) nameplate: Nameplate,
    pub(super) name: Name,
    pub(super) intervals: (u32, u16),
    models: Vec<&'static Table>,
    /// What was written, by model.
    set: BTreeMap<u16, Vec<u16>>,
    since: Option<Since>,
    /// The second at which limits end that are written next, where one was said.
    ends: Option<u64>,
}

/// How a device calls itself.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) model: &'static str,
    pub(crate) serial: String,
}

impl Unit {
    pub(crate) fn new(
        physics: &impl Physics,
        part: Part,
        nameplate: Nameplate,
        name: Name,
        models: &[&'static Table],
    ) -> Self {
        let (length, count) = physics.intervals();
        let intervals = (u32::try_from(length.seconds()).unwrap_or(u32::MAX), count);
        Self {
            part,
            nameplate,
            name,
            intervals,
            models: models.to_vec(),
            set: BTreeMap::new(),
            since: None,
            ends: None,
        }
    }

    /// From now on something is wrong with it, or no longer.
    pub(crate) fn inject(&mut self, physics: &impl Physics, fault: Option<Fault>) {
        let Shown { registers, power, .. } = physics.shown(self.part);
        let interval = physics.intervals().0.slot_at(physics.now()).number();
        self.since = fault.map(|fault| Since { fault, interval, registers, power });
    }

    /// Whether it has a model.
    pub(super) fn has(&self, table: &Table) -> bool {
        self.models.iter().any(|model| model.id == table.id)
    }

    pub(super) fn written(&self, table: &Table) -> Option<&[u16]> {
        self.set.get(&table.id).map(Vec::as_slice)
    }

    fn shown(&self, physics: &impl Physics) -> Shown {
        let mut shown = physics.shown(self.part);
        if let Some(since) = &self.since {
            shown.registers = since.registers(shown.registers);
            if since.fault == Fault::Freeze {
                shown.power = since.power;
            }
        }
        shown
    }

    /// What was kept of an interval.
    fn kept(&self, physics: &impl Physics, interval: u64) -> Option<Kept> {
        let mut kept = physics.kept(self.part, Slot::from_number(interval))?;
        if let Some(since) = &self.since {
            if since.forgets(interval) {
                return None;
            }
            if since.touches(interval) {
                kept.registers = since.registers(kept.registers);
            }
        }
        if self.models.iter().any(|table| WRAPPING.contains(&table.id)) {
            let turned = |register: MeterRegister| MeterRegister::from_wh(register.wh() % FULL);
            kept.registers =
                Registers { import: turned(kept.registers.import), export: turned(kept.registers.export) };
        }
        Some(kept)
    }

    /// How many registers a model takes, its id and length included.
    fn registers(&self, table: &Table) -> u16 {
        let ring = if table.id == INTERVALS.id { self.intervals.1 * ENTRY } else { 0 };
        table.length + 2 + ring
    }

    /// Registers, all of the same moment.
    pub(crate) fn read(&self, physics: &impl Physics, first: u16, count: u16) -> Answered<Vec<u16>> {
        if self.since.is_some_and(|since| since.fault == Fault::Silent) {
            return Answered::Nothing;
        }
        let shown = self.shown(physics);
        let mut window = Window { first, words: vec![None; usize::from(count)] };
        window.put(BASE, &MARKER);
        let mut at = BASE + 2;
        for table in &self.models {
            if window.sees(at, table.length + 2) {
                window.put(at, &self.image(physics, table, &shown).into_words());
            }
            if table.id == INTERVALS.id {
                self.ring(physics, at + table.length + 2, &mut window);
            }
            at += self.registers(table);
        }
        window.put(at, &END);
        match window.words.into_iter().collect() {
            Some(words) => Answered::With(words),
            None => Answered::Exception(Exception::IllegalDataAddress),
        }
    }

    fn image(&self, physics: &impl Physics, table: &'static Table, shown: &Shown) -> Image {
        let mut image = fill::image(self, physics, table, shown);
        if self.since.is_some_and(|since| since.fault == Fault::Nonsense) && table.id != 1 {
            let second = physics.now().millis() / 1000;
            for at in 2..table.length + 2 {
                image.overlay(at, &[Since::noise(at, second)]);
            }
        }
        image
    }

    /// The entries of the ring that are seen.
    fn ring(&self, physics: &impl Physics, begin: u16, window: &mut Window) {
        let (length, count) = physics.intervals();
        let present = length.slot_at(physics.now()).number();
        for place in 0..count {
            let at = begin + place * ENTRY;
            if window.sees(at, ENTRY) {
                // The newest interval that has ended and has its place here.
                let back = (present + u64::from(count) - 1 - u64::from(place)) % u64::from(count);
                let interval = (present - 1).checked_sub(back);
                let kept = interval.and_then(|number| Some((number, self.kept(physics, number)?)));
                window.put(at, &fill::entry(kept));
            }
        }
    }

    /// Sets registers.
    pub(crate) fn write(&mut self, physics: &mut impl Physics, first: u16, words: &[u16]) -> Answered<()> {
        if self.since.is_some_and(|since| since.fault == Fault::Silent) {
            return Answered::Nothing;
        }
        let Some((table, at)) = self.settable(first, words.len()) else {
            return Answered::Exception(Exception::IllegalDataAddress);
        };
        let mut image = fill::image(self, physics, table, &physics.shown(self.part));
        image.overlay(first - at, words);
        match obey::command(self, table, &image) {
            Ok(command) => {
                if table.id == ENDING.id {
                    self.ends = obey::end(&image);
                }
                let ends = if table.id == controls::STORAGE.id { self.ends.take() } else { None };
                self.set.insert(table.id, image.into_words());
                if let Some(command) = command {
                    physics.command(self.part, obey::ending(command, ends, physics.now()));
                }
                Answered::With(())
            }
            Err(exception) => Answered::Exception(exception),
        }
    }

    /// The model that so many registers lie in, where all of them can be set, and where it begins.
    fn settable(&self, first: u16, count: usize) -> Option<(&'static Table, u16)> {
        let mut at = BASE + 2;
        for table in &self.models {
            let end = usize::from(at) + usize::from(table.length) + 2;
            if first >= at && usize::from(first) + count <= end {
                let asked = usize::from(first - at)..usize::from(first - at) + count;
                let mut set = vec![false; usize::from(table.length) + 2];
                for point in table.points.iter().filter(|point| point.set) {
                    set[usize::from(point.at)..][..usize::from(point.kind.registers())].fill(true);
                }
                return set[asked].iter().all(|set| *set).then_some((*table, at));
            }
            at += self.registers(table);
        }
        None
    }
}

/// The registers that were asked for, as far as they are known.
struct Window {
    first: u16,
    words: Vec<Option<u16>>,
}

impl Window {
    fn sees(&self, at: u16, count: u16) -> bool {
        let (first, end) = (usize::from(self.first), usize::from(self.first) + self.words.len());
        usize::from(at) < end && usize::from(at) + usize::from(count) > first
    }

    fn put(&mut self, at: u16, words: &[u16]) {
        for (place, word) in (usize::from(at)..).zip(words) {
            if let Some(slot) =
                place.checked_sub(usize::from(self.first)).and_then(|index| self.words.get_mut(index))
            {
                *slot = Some(*word);
            }
        }
    }
}
