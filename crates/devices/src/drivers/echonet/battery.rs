//! Storage battery (class 027D): its state, its own meter, and its limits.
//!
//! Always: energy at its terminals is AC (A8, A9; older ones D8, D6), energy stored is DC (E2, or the share
//! E4 of D0). Not here: what it should do.

use super::address::Place;
use super::object::{Maps, Object};
use super::registers::WRAPS_AT_WH;
use super::registers::battery::{
    AUTOMATIC, CAPACITY, CHARGE_POWER, CHARGED, CHARGED_AC, CHARGING, DISCHARGE_POWER, DISCHARGED,
    DISCHARGED_AC, DISCHARGING, MODE, POWER, STANDBY, STORED, STORED_PERCENT, TO_EMPTY, TO_FILL,
};
use super::values::Values;
use crate::capability::{
    Answer, BatteryControl, BatteryLimits, BatteryNameplate, BatteryState, MeterReading, Registers,
};
use crate::clock::Clock;
use crate::driver::{BatterySource, Counter, CounterTraits};
use crate::echonet::Property;
use crate::reading::{DeviceError, Reading, SignedPower};
use wattbook_types::{Energy, MeterRegister, PerMille, Power};

/// A battery.
pub struct Battery {
    object: Object,
    clock: Clock,
    /// Of charging and of discharging, where the address says them.
    efficiency: [Option<PerMille>; 2],
}

impl Battery {
    pub fn new(place: Place) -> Self {
        let object = Object::new(place.node, place.eoj.expect("checked before"));
        let efficiency = [place.charge_efficiency, place.discharge_efficiency];
        Self { object, clock: place.clock, efficiency }
    }

    async fn traits(&self) -> Result<CounterTraits, DeviceError> {
        let values = self.object.read(&[CHARGING, DISCHARGING]).await?;
        let most = values.most(CHARGING)?.zip(values.most(DISCHARGING)?);
        Ok(CounterTraits {
            wraps_at: Some(Energy::from_wh(WRAPS_AT_WH)),
            resolution: Some(Energy::from_wh(1)),
            limit: most.map(|(charging, discharging)| Power::from_watts(charging.max(discharging))),
        })
    }

    async fn nameplate(&self) -> Result<BatteryNameplate, DeviceError> {
        let values = self.object.read(&[CAPACITY, CHARGING, DISCHARGING, TO_FILL, TO_EMPTY]).await?;
        let said = |value: Option<u64>, what: &str| {
            value.ok_or_else(|| self.object.cannot(&format!("does not say {what}")))
        };
        let both = values.long(TO_EMPTY)?.zip(values.long(TO_FILL)?);
        let one_way = both.and_then(|(out, into)| one_way(out, into));
        let efficiency = |configured: Option<PerMille>| {
            configured.or(one_way).ok_or_else(|| {
                self.object.cannot(
                    "does not say what it loses (A0, A1); add ?charge_efficiency= and &discharge_efficiency= in \
                     thousandths",
                )
            })
        };
        let [charge, discharge] = self.efficiency;
        Ok(BatteryNameplate {
            capacity: Energy::from_wh(said(values.long(CAPACITY)?, "how much it holds (D0)")?),
            charge_limit: Power::from_watts(said(values.most(CHARGING)?, "its charging power (C8)")?),
            discharge_limit: Power::from_watts(said(
                values.most(DISCHARGING)?,
                "its discharging power (C9)",
            )?),
            charge_efficiency: efficiency(charge)?,
            discharge_efficiency: efficiency(discharge)?,
        })
    }

    async fn state(&self) -> Result<Reading<BatteryState>, DeviceError> {
        let values = self.object.read(STATE).await?;
        let now = self.clock.now();
        for code in [CAPACITY, CHARGING, DISCHARGING] {
            values.must_have(code)?;
        }
        let (Some(capacity), Some(registers)) = (values.long(CAPACITY)?, registers(&values)?) else {
            return Ok(Reading::missing(now));
        };
        let (Some(stored), Some(limits)) = (stored(&values, capacity)?, limits(&values)?) else {
            return Ok(Reading::missing(now));
        };
        let state = BatteryState {
            stored: Energy::from_wh(stored),
            capacity: Energy::from_wh(capacity),
            charge_limit: limits.charge,
            discharge_limit: limits.discharge,
            registers,
        };
        Ok(Reading::measured(now, state))
    }

    async fn limit(&self, limits: BatteryLimits) -> Result<(), DeviceError> {
        let session = self.object.session().await;
        let Maps { set, .. } = self.object.maps(&session).await?;
        if !set.has(MODE) {
            return Err(self.object.cannot("cannot be controlled: its operation mode (DA) cannot be set"));
        }
        let mut properties = Vec::new();
        let stand_by = limits.charge.is_zero() && limits.discharge.is_zero();
        if !stand_by {
            for (code, power) in [(CHARGE_POWER, limits.charge), (DISCHARGE_POWER, limits.discharge)] {
                if !set.has(code) {
                    return Err(self.object.cannot(&format!("cannot be limited: {code:02X} cannot be set")));
                }
                let watts = power.watts().min(999_999_999) as u32;
                properties.push(Property::new(code, watts.to_be_bytes()));
            }
        }
        properties.push(Property::new(MODE, [if stand_by { STANDBY } else { AUTOMATIC }]));
        self.object.set_in(&session, properties).await
    }
}

/// What its state is made of.
const STATE: &[u8] = &[
    CHARGED_AC,
    DISCHARGED_AC,
    CHARGING,
    DISCHARGING,
    CAPACITY,
    DISCHARGED,
    CHARGED,
    MODE,
    STORED,
    STORED_PERCENT,
    CHARGE_POWER,
    DISCHARGE_POWER,
];

/// The share kept one way, where this much comes out of that: the root of it, rounded down. `None` where
/// nothing comes out, or more than goes in.
fn one_way(out: u64, into: u64) -> Option<PerMille> {
    let kept = (out <= into && out > 0).then(|| out.saturating_mul(1_000_000) / into)?;
    PerMille::checked(u16::try_from(kept.isqrt()).ok()?)
}

/// What it has counted at its terminals.
fn registers(values: &Values) -> Result<Option<Registers>, DeviceError> {
    let (into, out) = if values.has.has(CHARGED_AC) && values.has.has(DISCHARGED_AC) {
        (CHARGED_AC, DISCHARGED_AC)
    } else {
        (CHARGED, DISCHARGED)
    };
    let counted = |code: u8| {
        values.must_have(code)?;
        match values.long(code)? {
            Some(wh) if wh >= WRAPS_AT_WH => {
                Err(values.nonsense(code, &format!("{wh} Wh, more than it can count,")))
            }
            wh => Ok(wh.map(MeterRegister::from_wh)),
        }
    };
    Ok(counted(into)?.zip(counted(out)?).map(|(import, export)| Registers { import, export }))
}

/// What it stores, in watt-hours.
fn stored(values: &Values, capacity: u64) -> Result<Option<u64>, DeviceError> {
    if values.has.has(STORED) {
        return values.long(STORED);
    }
    values.must_have(STORED_PERCENT)?;
    Ok(values.percent(STORED_PERCENT)?.map(|share| capacity.saturating_mul(share) / 100))
}

/// What it takes in and gives out as it is set; a power of zero in automatic mode is one never set.
fn limits(values: &Values) -> Result<Option<BatteryLimits>, DeviceError> {
    if values.byte(MODE)? == Some(STANDBY) {
        return Ok(Some(BatteryLimits { charge: Power::ZERO, discharge: Power::ZERO }));
    }
    let most = |range: u8, wanted: u8| {
        let wanted = values.long(wanted)?.filter(|watts| *watts > 0);
        Ok(values.most(range)?.map(|most| Power::from_watts(wanted.map_or(most, |wanted| wanted.min(most)))))
    };
    let (charge, discharge) = (most(CHARGING, CHARGE_POWER)?, most(DISCHARGING, DISCHARGE_POWER)?);
    Ok(charge.zip(discharge).map(|(charge, discharge)| BatteryLimits { charge, discharge }))
}

impl Counter for Battery {
    fn read(&self) -> Answer<'_, Reading<MeterReading>> {
        Box::pin(async move {
            let values = self.object.read(&[CHARGED_AC, DISCHARGED_AC, DISCHARGED, CHARGED, POWER]).await?;
            values.must_have(POWER)?;
            let now = self.clock.now();
            let (Some(registers), Some(watts)) = (registers(&values)?, values.signed(POWER)?) else {
                return Ok(Reading::missing(now));
            };
            Ok(Reading::measured(now, MeterReading { registers, power: signed(watts) }))
        })
    }

    fn traits(&self) -> Answer<'_, CounterTraits> {
        Box::pin(self.traits())
    }
}

/// Power from watts with a sign, positive inwards.
pub fn signed(watts: i64) -> SignedPower {
    let amount = Power::from_watts(watts.unsigned_abs());
    if watts < 0 {
        SignedPower::between(Power::ZERO, amount)
    } else {
        SignedPower::between(amount, Power::ZERO)
    }
}

impl BatterySource for Battery {
    fn nameplate(&self) -> Answer<'_, BatteryNameplate> {
        Box::pin(self.nameplate())
    }

    fn state(&self) -> Answer<'_, Reading<BatteryState>> {
        Box::pin(self.state())
    }

    fn traits(&self) -> Answer<'_, CounterTraits> {
        Box::pin(self.traits())
    }
}

impl BatteryControl for Battery {
    fn limit(&self, limits: BatteryLimits) -> Answer<'_, ()> {
        Box::pin(self.limit(limits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_shared_by_both_ways() {
        assert_eq!(one_way(810, 1000), Some(PerMille::new(900)));
        assert_eq!(one_way(10_000, 11_000), Some(PerMille::new(953)));
        assert_eq!(one_way(7, 7), Some(PerMille::new(1000)));
        for (out, into) in [(0, 10), (11, 10), (0, 0)] {
            assert_eq!(one_way(out, into), None);
        }
    }
}
