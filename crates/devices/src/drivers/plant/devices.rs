//! The capability traits over the link.

use super::link::Link;
use crate::capability::{
    Answer, Battery, BatteryControl, BatteryLimits, BatteryNameplate, BatteryState, Curtail, FeederPanel,
    FeederPlan, FeederReading, FeederState, FeederSwitch, Generator, GeneratorNameplate, Meter, MeterReading,
    Registers,
};
use crate::plant::protocol::{Reply, Reported, Request};
use crate::reading::{DeviceError, Reading};
use std::sync::Arc;
use wattbook_types::{BatteryId, ConnectionPoint, Energy, Power, Slot};

/// A home's generator and switch.
pub(super) struct HomeDevice {
    pub(super) link: Arc<Link>,
    pub(super) at: ConnectionPoint,
}

/// One of a home's meters.
pub(super) struct HomeMeter {
    pub(super) link: Arc<Link>,
    pub(super) at: ConnectionPoint,
    pub(super) place: Place,
}

/// Where a home's meter sits.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Generation,
    Consumption,
    Feeder,
    Grid,
}

/// A battery and its meter.
pub(super) struct BatteryDevice {
    pub(super) link: Arc<Link>,
    pub(super) id: BatteryId,
}

/// The feeders at the battery's end.
pub(super) struct FeederPanelDevice {
    pub(super) link: Arc<Link>,
    pub(super) battery: BatteryId,
}

fn unexpected(answer: Reported) -> DeviceError {
    match answer {
        Reported::Refused(why) => DeviceError::Refused(why),
        other => DeviceError::Protocol(format!("an answer to another question: {other:?}")),
    }
}

/// Asks; turns the answer into a reading, missing where the world says so.
async fn read<T>(
    link: &Link,
    request: Request,
    pick: impl FnOnce(Reported) -> Result<T, Reported>,
) -> Result<Reading<T>, DeviceError> {
    let Reply { time, answer } = link.ask(&request).await?;
    match answer {
        Reported::Missing => Ok(Reading::missing(time)),
        answer => pick(answer).map(|value| Reading::measured(time, value)).map_err(unexpected),
    }
}

/// Asks for something to be done.
async fn command(link: &Link, request: Request) -> Result<(), DeviceError> {
    match link.ask(&request).await?.answer {
        Reported::Done => Ok(()),
        answer => Err(unexpected(answer)),
    }
}

macro_rules! pick {
    ($variant:ident) => {
        |answer| match answer {
            Reported::$variant(value) => Ok(value),
            other => Err(other),
        }
    };
}

impl Generator for HomeDevice {
    fn nameplate(&self) -> Answer<'_, GeneratorNameplate> {
        Box::pin(async {
            read(&self.link, Request::Generator { at: self.at }, pick!(Generator)).await?.required()
        })
    }

    fn power(&self) -> Answer<'_, Reading<Power>> {
        Box::pin(async {
            let home = read(&self.link, Request::Home { at: self.at }, pick!(Home)).await?;
            Ok(home.map(|home| Power::from_watts(home.generation.power.watts().unsigned_abs())))
        })
    }
}

impl Curtail for HomeDevice {
    fn curtail(&self, limit: Option<Power>) -> Answer<'_, ()> {
        Box::pin(command(&self.link, Request::Curtail { at: self.at, limit }))
    }
}

impl FeederSwitch for HomeDevice {
    fn send_up_to(&self, limit: Power) -> Answer<'_, ()> {
        Box::pin(command(&self.link, Request::Switch { at: self.at, send: Some(limit), draw: None }))
    }

    fn draw_up_to(&self, limit: Power) -> Answer<'_, ()> {
        Box::pin(command(&self.link, Request::Switch { at: self.at, send: None, draw: Some(limit) }))
    }

    fn state(&self) -> Answer<'_, FeederState> {
        Box::pin(async {
            let home = read(&self.link, Request::Home { at: self.at }, pick!(Home)).await?.required()?;
            Ok(home.switch)
        })
    }
}

impl Meter for HomeMeter {
    fn read(&self) -> Answer<'_, Reading<MeterReading>> {
        Box::pin(async {
            let home = read(&self.link, Request::Home { at: self.at }, pick!(Home)).await?;
            Ok(home.map(|home| match self.place {
                Place::Generation => home.generation,
                Place::Consumption => home.consumption,
                Place::Feeder => home.feeder,
                Place::Grid => home.grid,
            }))
        })
    }

    fn latched(&self, slot: Slot) -> Answer<'_, Reading<Registers>> {
        Box::pin(async move {
            let request = Request::HomeLatched { at: self.at, slot };
            let registers = read(&self.link, request, pick!(HomeRegisters)).await?;
            Ok(registers.map(|registers| match self.place {
                Place::Generation => registers.generation,
                Place::Consumption => registers.consumption,
                Place::Feeder => registers.feeder,
                Place::Grid => registers.grid,
            }))
        })
    }
}

impl Battery for BatteryDevice {
    fn nameplate(&self) -> Answer<'_, BatteryNameplate> {
        Box::pin(async {
            let request = Request::Nameplate { battery: self.id };
            read(&self.link, request, pick!(Nameplate)).await?.required()
        })
    }

    fn state(&self) -> Answer<'_, Reading<BatteryState>> {
        Box::pin(read(&self.link, Request::Battery { battery: self.id }, pick!(Battery)))
    }

    fn latched(&self, slot: Slot) -> Answer<'_, Reading<BatteryState>> {
        let request = Request::BatteryLatched { battery: self.id, slot };
        Box::pin(read(&self.link, request, pick!(Battery)))
    }
}

impl BatteryControl for BatteryDevice {
    fn limit(&self, limits: BatteryLimits) -> Answer<'_, ()> {
        Box::pin(command(&self.link, Request::Limit { battery: self.id, limits }))
    }
}

impl FeederPanel for FeederPanelDevice {
    fn read(&self) -> Answer<'_, Reading<Vec<FeederReading>>> {
        Box::pin(read(&self.link, Request::Feeders { battery: self.battery }, pick!(Feeders)))
    }

    fn latched(&self, slot: Slot) -> Answer<'_, Reading<Vec<FeederReading>>> {
        let request = Request::FeedersLatched { battery: self.battery, slot };
        Box::pin(read(&self.link, request, pick!(Feeders)))
    }

    fn accept(&self, _: ConnectionPoint, _: Slot, _: Power) -> Answer<'_, ()> {
        Box::pin(async { Err(no_plans()) })
    }

    fn deliver(&self, _: ConnectionPoint, _: Slot, _: Energy) -> Answer<'_, ()> {
        Box::pin(async { Err(no_plans()) })
    }

    fn plans(&self, _: Slot) -> Answer<'_, Vec<(ConnectionPoint, FeederPlan)>> {
        Box::pin(async { Err(no_plans()) })
    }
}

fn no_plans() -> DeviceError {
    DeviceError::Refused("the feeders keep no plans; they take limits".into())
}
