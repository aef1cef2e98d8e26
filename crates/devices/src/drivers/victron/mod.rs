//! Meters and solar inverters behind a Victron GX (Venus OS), over the MQTT broker on the GX itself.
//!
//! A GX says its values only to those who keep asking (`keeper`); what it says is read by the MQTT driver, told
//! how by the table in [`registers`].
//!
//! Always: nothing is written to the GX but the request to go on talking. Deliberately absent: its battery and
//! its inverter's set-points; they are reached by SunSpec or not at all, because on its broker whoever reaches
//! the network could give them too.

mod keeper;
pub mod registers;

use crate::address::DeviceAddress;
use crate::capability::{Answer, Generator, GeneratorNameplate, MeterReading};
use crate::driver::{Capability, Context, Counter, CounterTraits, Driver, Finding, Protection};
use crate::drivers::mqtt::{self, MqttMeter};
use crate::mqtt::{Broker, Link};
use crate::reading::{DeviceError, Reading};
use keeper::Keeper;
use registers::{MAX_AGE_S, SERVICES, Service};
use std::sync::Arc;
use std::time::Duration;
use wattbook_types::Power;

const SCHEME: &str = "victron";
const SCHEME_TLS: &str = "victron+tls";
/// How often a GX is asked while one looks at it.
const PROBING: Duration = Duration::from_secs(2);

/// The driver of `victron://` addresses.
pub const DRIVER: Driver = Driver {
    scheme: SCHEME,
    about: "meters and solar inverters behind a Victron GX (Venus OS), over its MQTT broker",
    form: "victron://HOST[:1883]/PORTAL/SERVICE/INSTANCE[?rated_power=WATTS for pvinverter&max_power=WATTS\
           &user=&password_file=] where SERVICE is grid, acload or pvinverter",
    ..DRIVER_TLS
};

/// The same within TLS.
pub const DRIVER_TLS: Driver = Driver {
    scheme: SCHEME_TLS,
    about: "the same over TLS",
    form: "victron+tls://HOST[:8883]/PORTAL/SERVICE/INSTANCE?ca=FILE[&… as victron]",
    protection,
    probe: |address, context| Box::pin(probe(address, context)),
    counter: Some(|address, context| Ok(Arc::new(Device::open(address, context, Capability::Meter)?))),
    generator: Some(|address, context| Ok(Arc::new(Device::open(address, context, Capability::Generator)?))),
    curtail: None,
    feeder: None,
    battery: None,
    battery_control: None,
};

fn protection(address: &DeviceAddress) -> Protection {
    Place::of(address).map_or(Protection::None, |place| (mqtt::DRIVER.protection)(&place.address))
}

/// What an address says.
struct Place {
    portal: String,
    service: &'static Service,
    /// The same for the MQTT driver.
    address: DeviceAddress,
}

impl Place {
    fn of(address: &DeviceAddress) -> Result<Self, DeviceError> {
        let wrong = |what: String| DeviceError::Configuration(format!("{address}: {what}"));
        let [portal, service, instance] = address.path().split('/').collect::<Vec<_>>()[..] else {
            return Err(wrong(
                "after the host stand PORTAL/SERVICE/INSTANCE, such as c0619ab12345/grid/30".to_owned(),
            ));
        };
        if portal.is_empty() || !portal.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(wrong(
                "the portal's name has letters and digits (Settings, VRM online portal)".to_owned(),
            ));
        }
        if instance.parse::<u32>().is_err() {
            return Err(wrong(format!("the instance is a number, not {instance:?}")));
        }
        let service = SERVICES.iter().find(|known| known.name == service).ok_or_else(|| {
            let known: Vec<_> = SERVICES.iter().map(|known| known.name).collect();
            wrong(format!("no service is called {service:?} here; there are: {}", known.join(", ")))
        })?;
        let scheme = if address.scheme() == SCHEME_TLS { "mqtts" } else { "mqtt" };
        let host = address.socket(if address.scheme() == SCHEME_TLS { 8883 } else { 1883 });
        let more = address.option_names().filter_map(|name| Some((name, address.option(name)?)));
        let more: String = more.map(|(name, value)| format!("&{name}={value}")).collect();
        let text = format!(
            "{scheme}://{host}/N/{portal}/{}/{instance}?{}&max_age={MAX_AGE_S}{more}",
            service.name, service.options
        );
        let address = text.parse().map_err(|error| wrong(format!("{error}")))?;
        Ok(Self { portal: portal.to_owned(), service, address })
    }

    fn link(&self, context: &Context) -> Result<Arc<Link>, DeviceError> {
        Ok(Link::of(context, Broker::of_address(&self.address, &context.folder)?))
    }
}

/// A device behind a GX.
struct Device {
    meter: MqttMeter,
    keeper: Arc<Keeper>,
}

impl Device {
    fn open(address: &DeviceAddress, context: &Context, used_as: Capability) -> Result<Self, DeviceError> {
        let place = Place::of(address)?;
        if !place.service.offers.contains(&used_as) {
            let what = format!("{address}: {} is no generator", place.service.about);
            return Err(DeviceError::Configuration(what));
        }
        if used_as == Capability::Generator && address.option("rated_power").is_none() {
            let what = format!("{address}: rated_power=WATTS is missing, the most that it generates");
            return Err(DeviceError::Configuration(what));
        }
        let link = place.link(context)?;
        let meter = MqttMeter::open(&place.address, context)?;
        let key = format!("{} {}", link.label(), place.portal);
        let keeper = context.shared(&key, || Keeper::new(link, &place.portal));
        keeper.start();
        Ok(Self { meter, keeper })
    }
}

impl Counter for Device {
    fn read(&self) -> Answer<'_, Reading<MeterReading>> {
        self.keeper.start();
        self.meter.read()
    }

    fn traits(&self) -> Answer<'_, CounterTraits> {
        self.meter.traits()
    }
}

impl Generator for Device {
    fn nameplate(&self) -> Answer<'_, GeneratorNameplate> {
        self.meter.nameplate()
    }

    fn power(&self) -> Answer<'_, Reading<Power>> {
        self.keeper.start();
        self.meter.power()
    }
}

/// Has the GX say everything while the MQTT driver's probe listens.
async fn probe(address: &DeviceAddress, context: &Context) -> Result<Finding, DeviceError> {
    let place = Place::of(address)?;
    let asking = keeper::ask(place.link(context)?, place.portal.clone(), PROBING);
    let found = tokio::select! {
        found = (mqtt::DRIVER.probe)(&place.address, context) => found?,
        () = asking => unreachable!("asking goes on for ever"),
    };
    let lacks = found.lacks.into_iter().filter(|lack| {
        place.service.offers.contains(&Capability::Generator) || !lack.starts_with("for a generator")
    });
    Ok(Finding {
        manufacturer: Some("Victron Energy".to_owned()),
        model: Some(format!("GX, {}", place.service.about)),
        lacks: lacks.collect(),
        remarks: found.remarks.into_iter().filter(|remark| !remark.starts_with("to be tried")).collect(),
        ..found
    })
}
