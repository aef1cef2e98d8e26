//! What an address of this driver says.
//!
//! Always: an option that this driver does not know is an error that names those that it knows. Not here:
//! sending anything.

use crate::address::DeviceAddress;
use crate::clock::Clock;
use crate::driver::Context;
use crate::echonet::{Bind, Eoj, Ether, Node, PORT, UtcOffset};
use crate::reading::DeviceError;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use wattbook_types::{PerMille, Power, SlotLength};

/// The options' names.
const OPTIONS: [&str; 7] =
    ["bind", "charge_efficiency", "discharge_efficiency", "one_way", "patience", "rated_w", "utc_offset"];

/// How long an answer may take where nothing is said: radio links of a home take a second at times.
const PATIENCE: Duration = Duration::from_secs(4);

/// A node, an object of it, and what else its address says.
pub struct Place {
    /// The node.
    pub node: Arc<Node>,
    /// The object, where one is named.
    pub eoj: Option<Eoj>,
    /// Ledger time.
    pub clock: Clock,
    /// The length of the community's slots.
    pub slot_length: SlotLength,
    /// A smart meter's local time.
    pub utc_offset: UtcOffset,
    /// A smart meter counts one direction, and nothing flows in the other.
    pub one_way: bool,
    /// Rated power of solar generation that does not say its own.
    pub rated: Option<Power>,
    /// Of a battery: what of energy that goes in is stored, in place of what it says.
    pub charge_efficiency: Option<PerMille>,
    /// Of a battery: what of stored energy comes out, in place of what it says.
    pub discharge_efficiency: Option<PerMille>,
}

impl Place {
    /// Reads an address.
    pub fn of(address: &DeviceAddress, context: &Context) -> Result<Self, DeviceError> {
        let wrong = |what: String| DeviceError::Configuration(format!("{address}: {what}"));
        if let Some(unknown) = address.option_names().find(|name| !OPTIONS.contains(name)) {
            return Err(wrong(format!("there is no option {unknown:?}; there are: {}", OPTIONS.join(", "))));
        }
        let option = |name: &str, form: &str| wrong(format!("{name} is {form}"));
        let eoj = match address.path() {
            "" => None,
            path => Some(Eoj::from_hex(path).ok_or_else(|| {
                wrong("after the host stands an object in six hexadecimal digits, such as 027901".to_owned())
            })?),
        };
        let one_way = match address.option("one_way") {
            None => false,
            Some("import") => true,
            Some(_) => return Err(option("one_way", "\"import\", or not said")),
        };
        let share = |name| {
            let thousandths =
                number(address, name, 1..=1000).map_err(|()| option(name, "in thousandths, 1 to 1000"))?;
            Ok(thousandths.and_then(|thousandths| PerMille::checked(u16::try_from(thousandths).ok()?)))
        };
        Ok(Self {
            node: node(address, context).map_err(|(name, form)| option(name, form))?,
            eoj,
            clock: context.clock.clone(),
            slot_length: context.slot_length,
            utc_offset: address
                .option("utc_offset")
                .map_or(Ok(UtcOffset::JAPAN), str::parse)
                .map_err(|()| option("utc_offset", "like +09:00"))?,
            one_way,
            rated: number(address, "rated_w", 1..=u64::from(u16::MAX))
                .map_err(|()| option("rated_w", "in watts, 1 to 65535"))?
                .map(Power::from_watts),
            charge_efficiency: share("charge_efficiency")?,
            discharge_efficiency: share("discharge_efficiency")?,
        })
    }

    /// The object, which must be named and one.
    pub fn object(&self, address: &DeviceAddress) -> Result<Eoj, DeviceError> {
        self.eoj.filter(|eoj| eoj.instance() != 0).ok_or_else(|| {
            DeviceError::Configuration(format!(
                "{address} names no object: add one, such as /027901, 0 being no number of one; wattbook device \
                 probe shows which there are"
            ))
        })
    }
}

/// The node, which all objects of it share.
fn node(address: &DeviceAddress, context: &Context) -> Result<Arc<Node>, (&'static str, &'static str)> {
    let bind = bind(address.option("bind")).ok_or(("bind", "an address of this machine: IP or IP:PORT"))?;
    let seconds =
        number(address, "patience", 1..=60).map_err(|()| ("patience", "in whole seconds, 1 to 60"))?;
    let patience = seconds.map_or(PATIENCE, Duration::from_secs);
    let ether = context.shared("echonet", Ether::default);
    let (host, port) = (address.host().to_owned(), address.port().unwrap_or(PORT));
    let key = format!("{host}|{port}|{bind:?}|{patience:?}");
    Ok(context.shared(&key, || Node::new(host, port, bind, patience, ether)))
}

fn bind(text: Option<&str>) -> Option<Bind> {
    let Some(text) = text else { return Some(Bind::Routed) };
    let with_port = text.parse::<SocketAddr>().ok();
    with_port.or_else(|| text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, PORT))).map(Bind::At)
}

fn number(
    address: &DeviceAddress,
    name: &str,
    range: std::ops::RangeInclusive<u64>,
) -> Result<Option<u64>, ()> {
    let Some(text) = address.option(name) else { return Ok(None) };
    text.parse().ok().filter(|number| range.contains(number)).map(Some).ok_or(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wattbook_types::Timestamp;

    fn place(text: &str) -> Result<Place, DeviceError> {
        let (clock, _) = Clock::manual(Timestamp::from_millis(0));
        let context = Context::new(clock, SlotLength::from_seconds(1800));
        Place::of(&text.parse().expect("an address"), &context)
    }

    #[test]
    fn addresses_say_what_they_may() {
        let said = place(
            "echonet://127.0.0.2/028801?bind=127.0.0.3&utc_offset=+08:00&one_way=import&patience=1&rated_w=5500\
             &charge_efficiency=950",
        )
        .expect("a place");
        assert_eq!(said.eoj, Some(Eoj::new(0x0288, 1)));
        assert_eq!(said.node.place(), "127.0.0.2:3610");
        assert_eq!(said.rated, Some(Power::from_watts(5500)));
        assert!(said.one_way && said.utc_offset != UtcOffset::JAPAN);
        assert_eq!(place("echonet://[::1]").expect("a place").node.place(), "[::1]:3610");
    }

    #[test]
    fn addresses_that_say_something_else_are_refused_in_words() {
        for (text, words) in [
            ("echonet://h/2", "six hexadecimal digits"),
            ("echonet://h/027901?bound=1", "there are: bind, charge_efficiency"),
            ("echonet://h/027901?bind=here", "bind is an address of this machine"),
            ("echonet://h/027901?patience=0", "patience is in whole seconds"),
            ("echonet://h/028801?utc_offset=9", "utc_offset is like +09:00"),
            ("echonet://h/028801?one_way=export", "one_way is \"import\""),
            ("echonet://h/027D01?discharge_efficiency=1001", "discharge_efficiency is in thousandths"),
        ] {
            let error = place(text).err().expect("refused").to_string();
            assert!(error.contains(words) && error.contains("echonet://h"), "{error}");
        }
    }
}
