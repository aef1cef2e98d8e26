//! Energy as physics counts it: whole joules (watt-seconds), and lossy ways that never lose a joule.
//!
//! Always: 1 Wh = 3600 J; a way's output is the floor of its input's share over all time, not of each
//! portion, so that how often one looks changes nothing; what does not come out is counted as lost.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use wattbook_types::{Energy, PerMille, Power};

/// Energy in joules. Arithmetic that does not fit panics: it would be energy out of nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Joules(u64);

impl Joules {
    /// Nothing at all.
    pub const ZERO: Self = Self(0);

    /// From whole joules.
    pub const fn new(joules: u64) -> Self {
        Self(joules)
    }

    /// From watt-hours; the largest value where it does not fit (an unlimited energy).
    pub const fn of_energy(energy: Energy) -> Self {
        Self(energy.wh().saturating_mul(3600))
    }

    /// At a power over some seconds; the largest value where it does not fit (an unlimited power).
    pub const fn of_power(power: Power, seconds: u64) -> Self {
        Self(power.watts().saturating_mul(seconds))
    }

    /// As whole joules.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// As whole watt-hours, rounded down: what a register shows.
    pub const fn energy(self) -> Energy {
        Energy::from_wh(self.0 / 3600)
    }

    /// The mean power over some seconds, rounded down; nothing over no time.
    pub const fn power_over(self, seconds: u64) -> Power {
        Power::from_watts(match self.0.checked_div(seconds) {
            Some(watts) => watts,
            None => 0,
        })
    }

    /// The difference, or nothing where it would be less.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `self * part / whole`, rounded down; nothing where the whole is nothing.
    pub fn share(self, part: Self, whole: Self) -> Self {
        if whole.0 == 0 {
            return Self::ZERO;
        }
        Self::from_wide(u128::from(self.0) * u128::from(part.0) / u128::from(whole.0))
    }

    /// From a wide product.
    pub(crate) fn from_wide(joules: u128) -> Self {
        Self(u64::try_from(joules).expect("no community moves 2^64 joules"))
    }
}

impl Add for Joules {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.checked_add(other.0).expect("no community moves 2^64 joules"))
    }
}

impl Sub for Joules {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.checked_sub(other.0).expect("no energy comes out of nothing"))
    }
}

impl AddAssign for Joules {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Joules {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Joules {
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::ZERO, Add::add)
    }
}

/// A way on which a fixed share is lost: a line, or a conversion in a battery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    keeps: PerMille,
    put_in: Joules,
    came_out: Joules,
}

impl Way {
    /// A way that keeps this share.
    pub const fn keeping(keeps: PerMille) -> Self {
        Self { keeps, put_in: Joules::ZERO, came_out: Joules::ZERO }
    }

    /// What would come out if this were put in.
    pub fn output_of(&self, input: Joules) -> Joules {
        let total = u128::from((self.put_in + input).0) * u128::from(self.keeps.get()) / 1000;
        Joules::from_wide(total) - self.came_out
    }

    /// The most that can be put in so that no more than this comes out; all there is where nothing is
    /// ever kept.
    pub fn most_input(&self, output: Joules) -> Joules {
        let keeps = u128::from(self.keeps.get());
        if keeps == 0 {
            return Joules(u64::MAX) - self.put_in;
        }
        // The largest total whose kept share is below the next whole joule.
        let limit = u128::from(self.came_out.0) + u128::from(output.0) + 1;
        let total = (limit * 1000 - 1) / keeps;
        Joules(u64::try_from(total).unwrap_or(u64::MAX)) - self.put_in
    }

    /// The least that must be put in so that exactly this comes out. Nothing ever does where the way
    /// keeps nothing: ask for no output then.
    pub fn input_for(&self, output: Joules) -> Joules {
        if output == Joules::ZERO {
            return Joules::ZERO;
        }
        let total = (self.came_out + output).0;
        Joules::from_wide((u128::from(total) * 1000).div_ceil(u128::from(self.keeps.get()))) - self.put_in
    }

    /// Puts energy in and returns what comes out.
    pub fn pass(&mut self, input: Joules) -> Joules {
        let output = self.output_of(input);
        self.put_in += input;
        self.came_out += output;
        output
    }

    /// All that was ever put in.
    pub const fn put_in(&self) -> Joules {
        self.put_in
    }

    /// All that ever came out.
    pub const fn came_out(&self) -> Joules {
        self.came_out
    }

    /// All that was ever lost.
    pub fn lost(&self) -> Joules {
        self.put_in - self.came_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_loses_its_share_over_all_time_however_it_is_cut_up() {
        for keeps in [1, 3, 500, 970, 999, 1000] {
            let mut way = Way::keeping(PerMille::new(keeps));
            for portion in (0..2000).map(|i| Joules(i * 7 % 13)) {
                let wanted = way.output_of(portion);
                assert!(wanted <= portion);
                assert!(way.input_for(wanted) <= portion);
                assert!(way.most_input(wanted) >= portion);
                assert_eq!(way.output_of(way.input_for(wanted)), wanted);
                assert_eq!(way.output_of(way.most_input(wanted)), wanted);
                way.pass(portion);
            }
            assert_eq!(way.came_out().0, way.put_in().0 * u64::from(keeps) / 1000);
            assert_eq!(way.lost() + way.came_out(), way.put_in());
        }
    }
}
