//! A device that says on a broker what it has counted and what flows.
//!
//! Always: a reading has the time of the older of its two registers; both registers and the power are young
//! enough, or it is missing. Where a device is silent because the broker cannot be reached, that is said.

use super::book::{Book, Found};
use super::decimal::Decimal;
use super::settings::{Role, Settings};
use crate::address::DeviceAddress;
use crate::capability::{Answer, Generator, GeneratorNameplate, MeterReading, Registers};
use crate::clock::Clock;
use crate::driver::{Context, Counter, CounterTraits};
use crate::mqtt::{Broker, Link};
use crate::reading::{DeviceError, Reading, SignedPower};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;
use wattbook_types::{MeterRegister, Power, Timestamp};

/// A device behind a broker.
pub struct MqttMeter {
    book: Arc<Book>,
    link: Arc<Link>,
}

type Values = BTreeMap<Role, (Decimal, Timestamp)>;

impl MqttMeter {
    /// Begins to listen to a device; one connection per broker and context.
    ///
    /// # Errors
    /// Where the address cannot be understood.
    pub fn open(address: &DeviceAddress, context: &Context) -> Result<Self, DeviceError> {
        let broker = Broker::of_address(address, &context.folder)?;
        let settings = Settings::of_address(address)?;
        Ok(Self::over(Link::of(context, broker), settings, context.clock.clone()))
    }

    /// The same over a connection that there is.
    pub(super) fn over(link: Arc<Link>, settings: Settings, clock: Clock) -> Self {
        let book = Arc::new(Book::new(settings, clock));
        for topic in book.topics() {
            link.listen(topic, &book);
        }
        Self { book, link }
    }

    /// Whether a value was ever said, as a number.
    pub(super) fn has(&self, role: Role) -> bool {
        self.book.has(role)
    }

    /// The connection.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// How many messages of the device were taken in, and word when there are more.
    pub fn heard(&self) -> watch::Receiver<u64> {
        self.book.count()
    }

    /// The values of these roles; `None` where they are missing.
    fn values(&self, roles: &[Role]) -> Result<Option<Values>, DeviceError> {
        self.link.start();
        let why = match self.book.find(roles) {
            Found::All(values) => return Ok(Some(values)),
            Found::Nonsense(words) => return Err(DeviceError::Protocol(words)),
            Found::Missing(why) => why,
        };
        let standing = self.link.standing().borrow().clone();
        if let Some(reason) = standing.trouble {
            return Err(DeviceError::Unreachable { address: self.link.label(), reason });
        }
        why.map_or(Ok(None), |words| Err(DeviceError::Protocol(words)))
    }

    fn meter_reading(&self) -> Result<Reading<MeterReading>, DeviceError> {
        let settings = self.book.settings();
        let registers = settings.register_roles();
        let roles = [registers.as_slice(), settings.power_roles()].concat();
        let Some(values) = self.values(&roles)? else { return Ok(Reading::missing(self.book.now())) };
        let register = |role| register(settings, &values, role);
        let times = registers.iter().filter_map(|role| values.get(role)).map(|(_, time)| *time);
        let reading = MeterReading {
            registers: Registers { import: register(Role::Import)?, export: register(Role::Export)? },
            power: power(settings, &values)?,
        };
        Ok(Reading::measured(times.min().unwrap_or(self.book.now()), reading))
    }

    fn generated(&self) -> Result<Reading<Power>, DeviceError> {
        let settings = self.book.settings();
        let Some(values) = self.values(settings.power_roles())? else {
            return Ok(Reading::missing(self.book.now()));
        };
        let time = values.values().map(|(_, time)| *time).min().unwrap_or(self.book.now());
        // What a generator uses itself, an inverter at night, is no generation.
        let outward = power(settings, &values)?.watts().min(0).unsigned_abs();
        Ok(Reading::measured(time, Power::from_watts(outward)))
    }
}

/// A register in whole Wh; zero for one that the address says does not exist.
fn register(settings: &Settings, values: &Values, role: Role) -> Result<MeterRegister, DeviceError> {
    let Some((value, _)) = values.get(&role) else { return Ok(MeterRegister::ZERO) };
    let wh = value.whole(settings.energy_shift.unwrap_or_default()).and_then(|wh| u64::try_from(wh).ok());
    wh.map(MeterRegister::from_wh)
        .ok_or_else(|| DeviceError::Protocol(format!("a register cannot stand at {value}")))
}

/// The power with its direction, in whole W.
fn power(settings: &Settings, values: &Values) -> Result<SignedPower, DeviceError> {
    let watts = |role: Role| {
        let Some((value, _)) = values.get(&role) else { return Ok(0) };
        let watts = value.whole(settings.power_shift.unwrap_or_default());
        watts.and_then(|watts| i64::try_from(watts).ok()).ok_or_else(|| nonsense(value))
    };
    let nonsense_below_zero = |role: Role| {
        watts(role)
            .and_then(|power| u64::try_from(power).map_err(|_| nonsense(&power)))
            .map(Power::from_watts)
    };
    let net = watts(Role::Power)?;
    let (positive, negative) =
        (Power::from_watts(net.max(0).unsigned_abs()), Power::from_watts(net.min(0).unsigned_abs()));
    let (import, export) = match settings.power_roles() {
        [Role::Power] if settings.positive_is_export == Some(true) => (negative, positive),
        [Role::Power] => (positive, negative),
        _ => (nonsense_below_zero(Role::PowerImport)?, nonsense_below_zero(Role::PowerExport)?),
    };
    Ok(SignedPower::between(import, export))
}

fn nonsense(value: &impl std::fmt::Display) -> DeviceError {
    DeviceError::Protocol(format!("power cannot be {value}"))
}

impl Counter for MqttMeter {
    fn read(&self) -> Answer<'_, Reading<MeterReading>> {
        Box::pin(async { self.meter_reading() })
    }

    fn traits(&self) -> Answer<'_, CounterTraits> {
        Box::pin(async { Ok(self.book.settings().traits) })
    }
}

impl Generator for MqttMeter {
    fn nameplate(&self) -> Answer<'_, GeneratorNameplate> {
        Box::pin(async {
            let nameplate = self.book.settings().nameplate();
            nameplate
                .ok_or_else(|| DeviceError::Configuration("kind= and rated_power= are missing".to_owned()))
        })
    }

    fn power(&self) -> Answer<'_, Reading<Power>> {
        Box::pin(async { self.generated() })
    }
}
