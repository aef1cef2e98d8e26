//! Household solar power generation (class 0279): as a generator, as its own meter, and curtailed.
//!
//! Always: it only ever gives, as the class has it: what it imports is zero. A limit in per cent is rounded
//! down. Not here: what it draws itself at night, which the class does not count.

use super::address::Place;
use super::object::{Maps, Object};
use super::registers::WRAPS_AT_WH;
use super::registers::solar::{
    APPROVED, CONTROL_PERCENT, CONTROL_WATTS, GENERATED, LIMIT_PERCENT, LIMIT_WATTS, POWER, RATED,
};
use super::values::Values;
use crate::capability::{Answer, Curtail, Generator, GeneratorNameplate, MeterReading, Registers};
use crate::clock::Clock;
use crate::driver::{Counter, CounterTraits};
use crate::echonet::Property;
use crate::reading::{DeviceError, Reading, SignedPower};
use wattbook_types::transaction::Generation;
use wattbook_types::{Energy, MeterRegister, Power};

/// The most that its limits in watts can say.
const NO_LIMIT: u64 = 65_533;

/// Solar generation.
pub struct Solar {
    object: Object,
    clock: Clock,
    rated: Option<Power>,
}

/// How an object is told to give less, the best first.
const WAYS: [(u8, Scale); 4] = [
    (CONTROL_WATTS, Scale::Watts),
    (LIMIT_WATTS, Scale::Watts),
    (CONTROL_PERCENT, Scale::PerCentOf(APPROVED)),
    (LIMIT_PERCENT, Scale::PerCentOf(RATED)),
];

#[derive(Clone, Copy)]
enum Scale {
    Watts,
    PerCentOf(u8),
}

impl Solar {
    pub fn new(place: Place) -> Self {
        let object = Object::new(place.node, place.eoj.expect("checked before"));
        Self { object, clock: place.clock, rated: place.rated }
    }

    async fn rated(&self) -> Result<Power, DeviceError> {
        let values = self.object.read(&[RATED, APPROVED]).await?;
        self.rated_of(&values)?.ok_or_else(|| {
            self.object.cannot("does not say its rated power (E8, C3); add ?rated_w= in watts")
        })
    }

    fn rated_of(&self, values: &Values) -> Result<Option<Power>, DeviceError> {
        let said = match values.short(RATED)? {
            Some(watts) => Some(watts),
            None => values.short(APPROVED)?,
        };
        Ok(said.filter(|watts| *watts > 0).map(Power::from_watts).or(self.rated))
    }

    async fn limit(&self, limit: Option<Power>) -> Result<(), DeviceError> {
        let session = self.object.session().await;
        let Maps { set, .. } = self.object.maps(&session).await?;
        let Some((code, scale)) = WAYS.into_iter().find(|(code, _)| set.has(*code)) else {
            return Err(self.object.cannot("cannot be told to give less: none of A1, E6, A0, E5 can be set"));
        };
        let values = self.object.read_in(&session, &[RATED, APPROVED]).await?;
        let whole = self.rated_of(&values)?;
        let edt = match scale {
            Scale::Watts => {
                let watts = limit.or(whole).map_or(NO_LIMIT, |limit| limit.watts().min(NO_LIMIT));
                (watts as u16).to_be_bytes().to_vec()
            }
            Scale::PerCentOf(of) => {
                let whole = values.short(of)?.map(Power::from_watts).or(whole);
                vec![per_cent(limit, whole).ok_or_else(|| {
                    self.object
                        .cannot("is limited in per cent, and does not say of what; add ?rated_w= in watts")
                })?]
            }
        };
        self.object.set_in(&session, vec![Property::new(code, edt)]).await
    }
}

/// A limit as a share of the whole, rounded down; `None` where the whole is not known.
fn per_cent(limit: Option<Power>, whole: Option<Power>) -> Option<u8> {
    let Some(limit) = limit else { return Some(100) };
    let share = u128::from(limit.watts()) * 100 / u128::from(whole?.watts().max(1));
    Some(share.min(100) as u8)
}

impl Counter for Solar {
    fn read(&self) -> Answer<'_, Reading<MeterReading>> {
        Box::pin(async move {
            let values = self.object.read(&[POWER, GENERATED]).await?;
            values.must_have(POWER)?;
            values.must_have(GENERATED)?;
            let now = self.clock.now();
            let (power, generated) = (values.short(POWER)?, values.long(GENERATED)?);
            let (Some(power), Some(generated)) = (power, generated) else { return Ok(Reading::missing(now)) };
            if generated >= WRAPS_AT_WH {
                return Err(values.nonsense(GENERATED, &format!("{generated} Wh, more than it can count,")));
            }
            let registers = Registers { export: MeterRegister::from_wh(generated), ..Registers::default() };
            let power = SignedPower::between(Power::ZERO, Power::from_watts(power));
            Ok(Reading::measured(now, MeterReading { registers, power }))
        })
    }

    fn traits(&self) -> Answer<'_, CounterTraits> {
        Box::pin(async move {
            let values = self.object.read(&[RATED, APPROVED]).await?;
            Ok(CounterTraits {
                wraps_at: Some(Energy::from_wh(WRAPS_AT_WH)),
                resolution: Some(Energy::from_wh(1)),
                limit: self.rated_of(&values)?,
            })
        })
    }
}

impl Generator for Solar {
    fn nameplate(&self) -> Answer<'_, GeneratorNameplate> {
        Box::pin(
            async move { Ok(GeneratorNameplate { kind: Generation::Solar, power: self.rated().await? }) },
        )
    }

    fn power(&self) -> Answer<'_, Reading<Power>> {
        Box::pin(async move {
            let values = self.object.read(&[POWER]).await?;
            values.must_have(POWER)?;
            let now = self.clock.now();
            Ok(match values.short(POWER)? {
                Some(watts) => Reading::measured(now, Power::from_watts(watts)),
                None => Reading::missing(now),
            })
        })
    }
}

impl Curtail for Solar {
    fn curtail(&self, limit: Option<Power>) -> Answer<'_, ()> {
        Box::pin(self.limit(limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_down() {
        let watts = |watts| Some(Power::from_watts(watts));
        for (limit, whole, share) in [
            (watts(0), watts(5500), Some(0)),
            (watts(3000), watts(5500), Some(54)),
            (watts(5500), watts(5500), Some(100)),
            (watts(9000), watts(5500), Some(100)),
            (None, None, Some(100)),
            (watts(3000), None, None),
        ] {
            assert_eq!(per_cent(limit, whole), share, "{limit:?} of {whole:?}");
        }
    }
}
