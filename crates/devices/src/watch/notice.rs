//! What is wrong with a device, in words that a household understands.
//!
//! Always: a state that lasts (silent, frozen) is told once when it begins and stands until it ends; what
//! happens at a moment (a reset, a jump) is told once. Bounded, the oldest are forgotten. Not here: deciding
//! that something is wrong (`belief`, `latches`).

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wattbook_types::Timestamp;

/// The most notices that are kept.
const KEPT: usize = 200;

/// What kind of thing is wrong. The rules are in docs/metering.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A register reached its end and began again; it is counted on.
    Wrapped,
    /// A register went back; what flowed meanwhile is not counted.
    Reset,
    /// A register leapt by more than can have flowed; the leap is not counted.
    Jumped,
    /// Power flows, but the registers stand still.
    Frozen,
    /// Nobody answers.
    Silent,
    /// The answers make no sense.
    Nonsense,
    /// The device's clock is ahead, or the time of its last readings was.
    Clock,
    /// What was remembered of a device could not be read.
    Forgotten,
    /// A feeder's register was held where its meter could not say.
    Held,
    /// Feeder registers were fitted to the battery's own meter.
    Fitted,
    /// A command was not taken.
    Uncommanded,
}

impl NoticeKind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::Wrapped,
        Self::Reset,
        Self::Jumped,
        Self::Frozen,
        Self::Silent,
        Self::Nonsense,
        Self::Clock,
        Self::Forgotten,
        Self::Held,
        Self::Fitted,
        Self::Uncommanded,
    ];

    /// The word for it, as in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Wrapped => "wrapped",
            Self::Reset => "reset",
            Self::Jumped => "jumped",
            Self::Frozen => "frozen",
            Self::Silent => "silent",
            Self::Nonsense => "nonsense",
            Self::Clock => "clock",
            Self::Forgotten => "forgotten",
            Self::Held => "held",
            Self::Fitted => "fitted",
            Self::Uncommanded => "uncommanded",
        }
    }
}

/// What is or was wrong with a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// When it was seen (ledger time).
    pub when: Timestamp,
    /// The device.
    pub address: String,
    /// What kind of thing.
    pub kind: NoticeKind,
    /// In words.
    pub words: String,
}

/// The notices of a site. Clones are handles to the same ones.
#[derive(Clone, Debug, Default)]
pub struct Notices(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    recent: VecDeque<Notice>,
    standing: BTreeMap<(String, NoticeKind), Notice>,
    counts: BTreeMap<NoticeKind, u64>,
}

impl Notices {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of what happened at a moment.
    pub fn tell(&self, notice: Notice) {
        tracing::warn!(
            address = notice.address,
            kind = notice.kind.word(),
            ledger_ms = notice.when.millis(),
            "{}",
            notice.words
        );
        let mut book = self.book();
        *book.counts.entry(notice.kind).or_default() += 1;
        book.recent.push_back(notice);
        if book.recent.len() > KEPT {
            book.recent.pop_front();
        }
    }

    /// Tells of what lasts from now on, unless it is told already.
    pub fn raise(&self, notice: Notice) {
        let key = (notice.address.clone(), notice.kind);
        if self.book().standing.insert(key, notice.clone()).is_none() {
            self.tell(notice);
        }
    }

    /// What lasted has ended.
    pub fn settle(&self, address: &str, kind: NoticeKind) {
        if self.book().standing.remove(&(address.to_owned(), kind)).is_some() {
            tracing::info!(address, kind = kind.word(), "the device is as it should be again");
        }
    }

    /// What is wrong now.
    pub fn standing(&self) -> Vec<Notice> {
        self.book().standing.values().cloned().collect()
    }

    /// What was told lately, the newest first.
    pub fn recent(&self) -> Vec<Notice> {
        self.book().recent.iter().rev().cloned().collect()
    }

    /// How many were told of each kind.
    pub fn count(&self, kind: NoticeKind) -> u64 {
        self.book().counts.get(&kind).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(kind: NoticeKind, at: u64) -> Notice {
        Notice { when: Timestamp::from_millis(at), address: "a".into(), kind, words: "so".into() }
    }

    #[test]
    fn what_lasts_is_told_once_until_it_has_ended_and_the_list_is_bounded() {
        let notices = Notices::default();
        for at in 0..5 {
            notices.raise(notice(NoticeKind::Silent, at));
        }
        assert_eq!((notices.recent().len(), notices.standing().len()), (1, 1));
        notices.settle("b", NoticeKind::Silent);
        assert_eq!(notices.standing().len(), 1);
        notices.settle("a", NoticeKind::Silent);
        assert!(notices.standing().is_empty());
        notices.raise(notice(NoticeKind::Silent, 9));
        assert_eq!(notices.count(NoticeKind::Silent), 2);
        for at in 0..1_000 {
            notices.tell(notice(NoticeKind::Reset, at));
        }
        assert_eq!(notices.recent().len(), KEPT);
        assert_eq!(notices.recent()[0].when, Timestamp::from_millis(999));
    }
}
