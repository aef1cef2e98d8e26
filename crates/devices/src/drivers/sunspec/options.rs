//! The options of a SunSpec address.
//!
//! Always: an option that nobody knows is refused, and the error names those that there are.

use crate::address::DeviceAddress;
use crate::driver::Context;
use crate::modbus::{Guard, TlsFiles};
use crate::reading::DeviceError;
use wattbook_types::transaction::Generation;
use wattbook_types::{PerMille, Power};

const OPTIONS: &[&str] =
    &["base", "charge_efficiency", "discharge_efficiency", "kind", "lease", "model", "power"];
const TLS_OPTIONS: &[&str] = &["ca", "cert", "key", "name"];

/// What batteries keep of what passes through them either way, where the address says nothing.
const USUAL_EFFICIENCY: PerMille = PerMille::new(950);

/// What an address says besides the place.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) unit: u8,
    /// Where the marker is.
    pub(super) base: Option<u16>,
    /// The model that counts.
    pub(super) model: Option<u16>,
    pub(super) kind: Option<Generation>,
    pub(super) power: Option<Power>,
    pub(super) charge_efficiency: PerMille,
    pub(super) discharge_efficiency: PerMille,
    /// Whether limits without a lease will do.
    pub(super) without_lease: bool,
}

impl Options {
    pub(super) fn of(address: &DeviceAddress) -> Result<Self, DeviceError> {
        refuse_unknown(address)?;
        let unit = match address.path() {
            "" => 1,
            path => path.parse().map_err(|_| {
                wrong(address, &format!("after the slash stands a unit's number up to 255, not {path:?}"))
            })?,
        };
        let number = |text: &str| text.parse::<u16>().ok();
        let thousandths = |text: &str| number(text).and_then(PerMille::checked);
        let efficiency = |name| {
            let said = read(address, name, "in thousandths, at most 1000", thousandths)?;
            Ok(said.unwrap_or(USUAL_EFFICIENCY))
        };
        let without_lease = |text: &str| (text == "none").then_some(true);
        Ok(Self {
            unit,
            base: read(address, "base", "a register's number up to 65535", number)?,
            model: read(address, "model", "a model's number up to 65535", number)?,
            kind: read(address, "kind", "solar, wind or gas", kind)?,
            power: read(address, "power", "in watts, as 4000W or 4kW", power)?,
            charge_efficiency: efficiency("charge_efficiency")?,
            discharge_efficiency: efficiency("discharge_efficiency")?,
            without_lease: read(address, "lease", "none or left out", without_lease)?.unwrap_or(false),
        })
    }
}

fn wrong(address: &DeviceAddress, what: &str) -> DeviceError {
    DeviceError::Configuration(format!("{address}: {what}"))
}

fn refuse_unknown(address: &DeviceAddress) -> Result<(), DeviceError> {
    let secured = address.scheme() == super::SCHEME_TLS;
    let known: Vec<&str> = OPTIONS.iter().chain(TLS_OPTIONS.iter().filter(|_| secured)).copied().collect();
    match address.option_names().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => {
            Err(wrong(address, &format!("no option is called {name:?}; there are: {}", known.join(", "))))
        }
    }
}

/// An option's value, where it is said.
fn read<T>(
    address: &DeviceAddress,
    name: &str,
    form: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, DeviceError> {
    let Some(text) = address.option(name) else { return Ok(None) };
    match parse(text) {
        Some(value) => Ok(Some(value)),
        None => Err(wrong(address, &format!("{name} is {form}, not {text:?}"))),
    }
}

fn kind(text: &str) -> Option<Generation> {
    match text {
        "solar" => Some(Generation::Solar),
        "wind" => Some(Generation::Wind),
        "gas" => Some(Generation::Gas),
        _ => None,
    }
}

fn power(text: &str) -> Option<Power> {
    let (digits, factor) = match (text.strip_suffix("kW"), text.strip_suffix('W')) {
        (Some(kilowatts), _) => (kilowatts, 1_000),
        (None, Some(watts)) => (watts, 1),
        (None, None) => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(factor).map(Power::from_watts)
}

/// The protection of the link, where the address asks for one.
pub(super) fn guard(address: &DeviceAddress, context: &Context) -> Result<Option<Guard>, DeviceError> {
    if address.scheme() != super::SCHEME_TLS {
        return Ok(None);
    }
    let file = |name: &str| match address.option(name) {
        Some(path) => Ok(context.folder.join(path)),
        None => Err(DeviceError::Configuration(format!(
            "{address}: Modbus over TLS needs the options ca, cert and key, each the name of a PEM file; {name} is missing"
        ))),
    };
    let files = TlsFiles { authority: file("ca")?, certificate: file("cert")?, key: file("key")? };
    let name = address.option("name").unwrap_or_else(|| address.host());
    let guard = Guard::client(&files, name);
    guard.map(Some).map_err(|why| DeviceError::Configuration(format!("{address}: {why}")))
}
