//! What notices say to a household.

use crate::reading::DeviceError;

pub(super) fn wrapped(name: &str) -> String {
    format!("The {name} has come to the end of its counter and begun again from zero. It is counted on.")
}

pub(super) fn reset(name: &str) -> String {
    format!(
        "The {name} has begun to count anew, as after an exchange or a fault. What flowed since the reading \
         before is not counted, and nothing is sold for that time."
    )
}

pub(super) fn jumped(name: &str) -> String {
    format!(
        "The {name} has leapt ahead by more than can have flowed. The leap is not counted, and nothing is \
         sold for that time."
    )
}

pub(super) fn stray(name: &str) -> String {
    format!("The {name} showed something impossible once, and then went on as before. It was left out.")
}

pub(super) fn frozen(name: &str) -> String {
    format!(
        "Power flows through the {name}, but its counter stands still. Nothing is sold until it moves; have \
         it looked at."
    )
}

pub(super) fn silent(name: &str, error: &DeviceError) -> String {
    format!("The {name} cannot be read ({error}). A slot whose end is not read well enough is not sold.")
}

pub(super) fn nonsense(name: &str, why: &str) -> String {
    format!("The {name} answers what makes no sense ({why}). Nothing of it is believed.")
}

pub(super) fn unfitting(name: &str) -> String {
    format!("What the {name} kept of the end of a slot does not fit its other readings. It is not believed.")
}

pub(super) fn ahead(name: &str) -> String {
    format!("The clock of the {name} is ahead. Its readings count as of when they came.")
}

pub(super) fn forgotten(name: &str, why: &str) -> String {
    format!("What was remembered of the {name} cannot be read: {why}. It begins anew with what it shows.")
}

pub(super) fn was_ahead(name: &str) -> String {
    format!(
        "The time of the last readings of the {name} was ahead. Its registers go on from where they were, but \
         nothing is sold for the slots that this makes uncertain."
    )
}

pub(super) const fn beyond() -> &'static str {
    "a register beyond what any meter can have counted"
}
