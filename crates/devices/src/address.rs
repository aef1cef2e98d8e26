//! Where a device is, and by which driver it is reached: `scheme://host[:port][/path][?key=value&…]`.
//!
//! Always: the scheme is a name in the table of drivers; what the rest means is the driver's business. Not
//! here: opening anything.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A device's address, such as `sunspec://192.0.2.7:502/1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceAddress {
    scheme: String,
    host: String,
    port: Option<u16>,
    path: String,
    options: BTreeMap<String, String>,
}

/// Why a text is no device's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no address of a device: {why}; such an address looks like sunspec://192.0.2.7:502/1")]
pub struct BadAddress {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl DeviceAddress {
    /// The driver's name.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// A name or a number; IPv6 numbers without their brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, where one is said.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// What follows the first slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// An option's value.
    pub fn option(&self, key: &str) -> Option<&str> {
        self.options.get(key).map(String::as_str)
    }

    /// The names of all options, ascending.
    pub fn option_names(&self) -> impl Iterator<Item = &str> {
        self.options.keys().map(String::as_str)
    }

    /// `host:port`, with the port that is usual where none is said.
    pub fn socket(&self, usual: u16) -> String {
        let port = self.port.unwrap_or(usual);
        if self.host.contains(':') {
            format!("[{}]:{port}", self.host)
        } else {
            format!("{}:{port}", self.host)
        }
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
    }
}

impl FromStr for DeviceAddress {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = |why| BadAddress { text: text.to_owned(), why };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("it has no ://"))?;
        if scheme.is_empty()
            || !scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'+')
        {
            return Err(bad("before :// stands the name of a driver"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
        if place.contains('@') {
            // Not shown: addresses are, and so are errors.
            let why = "before @ stands a user or password, which do not belong in an address";
            return Err(BadAddress { text: format!("{scheme}://…"), why });
        }
        let (host, port) = match place.strip_prefix('[') {
            Some(six) => {
                let (host, port) = six.split_once(']').ok_or_else(|| bad("a bracket is not closed"))?;
                (host, port.strip_prefix(':'))
            }
            None => place.rsplit_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() {
            return Err(bad("it names no host"));
        }
        let port = port.map(str::parse).transpose().map_err(|_| bad("its port is no number up to 65535"))?;
        let mut options = BTreeMap::new();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').ok_or_else(|| bad("an option has no ="))?;
            options.insert(key.to_owned(), value.to_owned());
        }
        Ok(Self { scheme: scheme.to_owned(), host: host.to_owned(), port, path: path.to_owned(), options })
    }
}

impl fmt::Display for DeviceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brackets = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{}://{}{}{}", self.scheme, brackets.0, self.host, brackets.1)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        if !self.path.is_empty() {
            write!(f, "/{}", self.path)?;
        }
        for (number, (key, value)) in self.options.iter().enumerate() {
            write!(f, "{}{key}={value}", if number == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl Serialize for DeviceAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_alike_or_refused() {
        for text in [
            "sunspec://127.0.0.1:1502/1",
            "sunspec+tls://[fe80::1]:802/3?cert=a.pem&name=meter",
            "mqtt://broker/home/meter",
            "echonet://192.0.2.9",
        ] {
            assert_eq!(text.parse::<DeviceAddress>().map(|address| address.to_string()), Ok(text.to_owned()));
        }
        let address: DeviceAddress = "sunspec://[::1]/7?a=b".parse().expect("an address");
        assert_eq!((address.host(), address.path(), address.option("a")), ("::1", "7", Some("b")));
        assert_eq!(address.socket(502), "[::1]:502");
        assert!(address.is_loopback());
        for wrong in
            ["", "sunspec", "sunspec://", "Sun://a", "sunspec://a:x", "sunspec://a:70000", "sunspec://a?b"]
        {
            assert!(wrong.parse::<DeviceAddress>().is_err(), "{wrong}");
        }
    }
}
