//! A device that was opened by its address, and everything that it shows now.
//!
//! Always: only what the device offers is asked for; what it does not answer is named in `troubles`, and
//! hinders nothing else. Not here: how it is printed (`show`).

use super::drivers::capabilities;
use serde::Serialize;
use std::sync::Arc;
use wattbook_devices::driver::{
    BatterySource, Capability, Counter, FeederLimiter, FeederLimits, Finding, Open, Protection,
};
use wattbook_devices::watch::{Notices, judged};
use wattbook_devices::{
    BatteryNameplate, BatteryState, Clock, Context, DeviceAddress, DeviceError, Driver, Generator, Meter,
    MeterReading, Quality, Reading, SignedPower, registry,
};
use wattbook_types::transaction::Generation;
use wattbook_types::{Energy, LedgerClock, MeterRegister, PerMille, Power, SlotLength, Timestamp};

/// A device behind its address.
pub struct Device {
    address: DeviceAddress,
    driver: &'static Driver,
    finding: Finding,
    meter: Option<Arc<dyn Counter>>,
    /// The same, as it is to be believed.
    judged: Option<Arc<dyn Meter>>,
    generator: Option<Arc<dyn Generator>>,
    feeder: Option<Arc<dyn FeederLimiter>>,
    battery: Option<Arc<dyn BatterySource>>,
    troubles: Vec<String>,
}

/// Everything that a device shows at one time.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// Where it is.
    pub address: DeviceAddress,
    /// By which driver it was read.
    pub driver: &'static str,
    /// How the link to it is protected.
    pub protection: Protection,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// Which type it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The version of its software.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// As a meter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meter: Option<MeterPart>,
    /// As a generator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generator: Option<GeneratorPart>,
    /// As one end of a feeder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feeder: Option<FeederPart>,
    /// As a battery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub battery: Option<BatteryPart>,
    /// What it did not answer, in words.
    pub troubles: Vec<String>,
}

/// What a meter shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MeterPart {
    /// Energy that came in, ever.
    pub import_wh: Option<MeterRegister>,
    /// Energy that went out, ever.
    pub export_wh: Option<MeterRegister>,
    /// What flows now; positive comes in.
    pub power_w: Option<SignedPower>,
    /// How the values came about.
    pub quality: Quality,
    /// When they were so.
    pub time: Timestamp,
}

/// What a generator shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GeneratorPart {
    /// How it generates.
    pub kind: Generation,
    /// The most that it gives.
    pub rated_w: Power,
    /// What it gives now.
    pub power_w: Option<Power>,
    /// How the value came about.
    pub quality: Quality,
    /// When it was so.
    pub time: Timestamp,
    /// Whether it can be told to give less.
    pub curtailable: bool,
}

/// How one end of a feeder is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FeederPart {
    /// The most that may flow from the home to the battery.
    pub to_battery_w: Power,
    /// The most that may flow from the battery to the home.
    pub to_home_w: Power,
}

/// What a battery shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BatteryPart {
    /// Energy stored.
    pub stored_wh: Option<Energy>,
    /// Energy that it can hold.
    pub capacity_wh: Energy,
    /// Power that it takes in at most, as it stands.
    pub charge_limit_w: Power,
    /// Power that it gives out at most, as it stands.
    pub discharge_limit_w: Power,
    /// What of received energy is stored, in thousandths.
    pub charge_efficiency_per_mille: PerMille,
    /// What of stored energy is delivered, in thousandths.
    pub discharge_efficiency_per_mille: PerMille,
    /// Its own meter: energy that came in, ever.
    pub import_wh: Option<MeterRegister>,
    /// Its own meter: energy that went out, ever.
    pub export_wh: Option<MeterRegister>,
    /// How the values came about.
    pub quality: Quality,
    /// When they were so.
    pub time: Timestamp,
    /// Whether it can be told to take in and give out less.
    pub controllable: bool,
}

/// The clock of this machine; slots of half an hour.
pub fn context() -> Context {
    Context::new(Clock::system(LedgerClock::REAL), SlotLength::from_seconds(1800))
}

impl Device {
    /// Looks at what is there and opens everything that it can be used as.
    ///
    /// # Errors
    /// Where no driver has such addresses, or nobody answers.
    pub async fn open(address: &DeviceAddress, context: &Context) -> Result<Self, DeviceError> {
        let driver = registry::driver(address)?;
        let finding = (driver.probe)(address, context).await?;
        let mut device = Self {
            address: address.clone(),
            driver,
            finding,
            meter: None,
            judged: None,
            generator: None,
            feeder: None,
            battery: None,
            troubles: Vec::new(),
        };
        device.meter = device.part(Capability::Meter, driver.counter, context);
        device.generator = device.part(Capability::Generator, driver.generator, context);
        device.feeder = device.part(Capability::Feeder, driver.feeder, context);
        device.battery = device.part(Capability::Battery, driver.battery, context);
        Ok(device)
    }

    fn part<T: ?Sized>(
        &mut self,
        capability: Capability,
        open: Option<Open<T>>,
        context: &Context,
    ) -> Option<Arc<T>> {
        let open = open.filter(|_| self.offers(capability))?;
        open(&self.address, context).map_err(|error| self.troubles.push(error.to_string())).ok()
    }

    fn offers(&self, capability: Capability) -> bool {
        self.finding.offers.contains(&capability) && capabilities(self.driver).contains(&capability)
    }

    /// From now on its meter shows what is to be believed of it; what is wrong is told in the notices.
    pub fn judge(&mut self, context: &Context) -> Notices {
        let notices = Notices::default();
        let judged = |meter: &Arc<dyn Counter>| judged(Arc::clone(meter), &self.address, context, &notices);
        self.judged = self.meter.as_ref().map(judged);
        notices
    }

    /// What the probe found.
    pub const fn finding(&self) -> &Finding {
        &self.finding
    }

    /// Asks for everything.
    pub async fn read(&self) -> Shown {
        let mut troubles = self.troubles.clone();
        Shown {
            address: self.address.clone(),
            driver: self.driver.scheme,
            protection: (self.driver.protection)(&self.address),
            manufacturer: self.finding.manufacturer.clone(),
            model: self.finding.model.clone(),
            serial: self.finding.serial.clone(),
            version: self.finding.version.clone(),
            meter: noted(self.read_meter().await, &mut troubles),
            generator: noted(self.read_generator().await, &mut troubles),
            feeder: noted(self.read_feeder().await, &mut troubles),
            battery: noted(self.read_battery().await, &mut troubles),
            troubles,
        }
    }

    async fn read_meter(&self) -> Option<Result<MeterPart, DeviceError>> {
        let reading = match (&self.judged, &self.meter) {
            (Some(meter), _) => meter.read().await,
            (None, Some(meter)) => meter.read().await,
            (None, None) => return None,
        };
        Some(reading.map(MeterPart::from))
    }

    async fn read_generator(&self) -> Option<Result<GeneratorPart, DeviceError>> {
        let generator = self.generator.as_ref()?;
        let answers = async {
            let (plate, power) = (generator.nameplate().await?, generator.power().await?);
            Ok(GeneratorPart {
                kind: plate.kind,
                rated_w: plate.power,
                power_w: power.value().copied(),
                quality: power.quality(),
                time: power.time(),
                curtailable: self.offers(Capability::Curtailment),
            })
        };
        Some(answers.await)
    }

    async fn read_feeder(&self) -> Option<Result<FeederPart, DeviceError>> {
        let feeder = self.feeder.as_ref()?;
        Some(feeder.limits().await.map(FeederPart::from))
    }

    async fn read_battery(&self) -> Option<Result<BatteryPart, DeviceError>> {
        let battery = self.battery.as_ref()?;
        let controllable = self.offers(Capability::BatteryControl);
        let answers = async {
            let (plate, state) = (battery.nameplate().await?, battery.state().await?);
            Ok(BatteryPart::new(&plate, &state, controllable))
        };
        Some(answers.await)
    }
}

/// An answer, or a note of why there is none.
fn noted<T>(answer: Option<Result<T, DeviceError>>, troubles: &mut Vec<String>) -> Option<T> {
    answer?.map_err(|error| troubles.push(error.to_string())).ok()
}

impl Shown {
    /// Whether it has said nothing yet of all that it could.
    pub fn is_silent(&self) -> bool {
        let qualities = [
            self.meter.map(|part| part.quality),
            self.generator.map(|part| part.quality),
            self.battery.map(|part| part.quality),
        ];
        let mut there = qualities.into_iter().flatten().peekable();
        self.feeder.is_none() && there.peek().is_some() && there.all(|quality| quality == Quality::Missing)
    }

    /// Whether anything was read at all.
    pub const fn is_anything(&self) -> bool {
        self.meter.is_some() || self.generator.is_some() || self.feeder.is_some() || self.battery.is_some()
    }
}

impl From<Reading<MeterReading>> for MeterPart {
    fn from(reading: Reading<MeterReading>) -> Self {
        let value = reading.value();
        Self {
            import_wh: value.map(|shown| shown.registers.import),
            export_wh: value.map(|shown| shown.registers.export),
            power_w: value.map(|shown| shown.power),
            quality: reading.quality(),
            time: reading.time(),
        }
    }
}

impl From<FeederLimits> for FeederPart {
    fn from(limits: FeederLimits) -> Self {
        Self { to_battery_w: limits.to_battery, to_home_w: limits.to_home }
    }
}

impl BatteryPart {
    /// Where the state is missing, the limits are those of the nameplate.
    fn new(plate: &BatteryNameplate, state: &Reading<BatteryState>, controllable: bool) -> Self {
        let now = state.value();
        Self {
            stored_wh: now.map(|now| now.stored),
            capacity_wh: now.map_or(plate.capacity, |now| now.capacity),
            charge_limit_w: now.map_or(plate.charge_limit, |now| now.charge_limit),
            discharge_limit_w: now.map_or(plate.discharge_limit, |now| now.discharge_limit),
            charge_efficiency_per_mille: plate.charge_efficiency,
            discharge_efficiency_per_mille: plate.discharge_efficiency,
            import_wh: now.map(|now| now.registers.import),
            export_wh: now.map(|now| now.registers.export),
            quality: state.quality(),
            time: state.time(),
            controllable,
        }
    }
}
