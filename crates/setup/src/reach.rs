//! Whether addresses in a configuration make sense: where a part listens, whom it calls.
//!
//! Always: what is not protected by certificates stays on this machine (P7). Not here: connecting.

use crate::wrong::Wrong;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// What is at the far end of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Whether it is `https`.
    pub protected: bool,
    /// A name or a number; IPv6 numbers without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Reach {
    /// Reads `http://host:port` or `https://host:port`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn of_url(url: &str) -> Result<Self, String> {
        const FORM: &str = "an address looks like https://192.0.2.7:8443";
        let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("{url:?} has no ://; {FORM}"))?;
        let protected = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(format!("{url:?} begins with neither http nor https; {FORM}")),
        };
        let place = rest.strip_suffix('/').unwrap_or(rest);
        if place.contains(['/', '?', '#', '@']) {
            return Err(format!("{url:?} has more than host and port; {FORM}"));
        }
        let (host, port) = match place.strip_prefix('[').and_then(|six| six.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => place.rsplit_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() {
            return Err(format!("{url:?} names no host; {FORM}"));
        }
        let port = match port {
            Some(port) => port.parse().map_err(|_| format!("{port:?} is no port; {FORM}"))?,
            None => return Err(format!("{url:?} names no port; {FORM}")),
        };
        Ok(Self { protected, host: host.to_owned(), port })
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }
}

/// Whether a URL can be called: plain only on this machine, protected only with certificates.
///
/// # Errors
/// Why not.
pub fn can_call(key: &str, url: &str, has_tls: bool) -> Result<(), Wrong> {
    let reach = Reach::of_url(url).map_err(|why| Wrong::new(key, why))?;
    if reach.protected && !has_tls {
        return Err(Wrong::new(key, "https needs certificates: add the table [tls]"));
    }
    if !reach.protected && !reach.is_loopback() {
        let why = format!(
            "{url} is plain and leads away from this machine: anybody between could read and change what is \
             sent; use https and the table [tls]"
        );
        return Err(Wrong::new(key, why));
    }
    Ok(())
}

/// Whether a part may listen there: without certificates on this machine only.
///
/// # Errors
/// Why not.
pub fn can_listen(key: &str, address: SocketAddr, has_tls: bool) -> Result<(), Wrong> {
    if has_tls || address.ip().is_loopback() {
        return Ok(());
    }
    let why = format!(
        "{address} can be reached from other machines, and without certificates nobody's identity is known: \
         add the table [tls], or listen at 127.0.0.1"
    );
    Err(Wrong::new(key, why))
}

/// Whether listening addresses can be had at once. Port 0 is any free one.
///
/// # Errors
/// The later of two that cannot.
pub fn distinct(listeners: &[(&str, SocketAddr)]) -> Result<(), Wrong> {
    let mut taken: BTreeMap<u16, Vec<(&str, SocketAddr)>> = BTreeMap::new();
    for (key, address) in listeners.iter().filter(|(_, address)| address.port() != 0) {
        let others = taken.entry(address.port()).or_default();
        let clash = |other: &SocketAddr| {
            other.ip() == address.ip() || other.ip().is_unspecified() || address.ip().is_unspecified()
        };
        if let Some((other, _)) = others.iter().find(|(_, other)| clash(other)) {
            let why = format!("port {} is `{other}`'s already; give it another", address.port());
            return Err(Wrong::new(*key, why));
        }
        others.push((key, *address));
    }
    Ok(())
}

/// Whether nothing is named twice in a list.
///
/// # Errors
/// The later of two that are alike: `list[2].key is the same as in list[0]`.
pub fn each_once<T: Ord>(list: &str, key: &str, values: impl IntoIterator<Item = T>) -> Result<(), Wrong> {
    let mut seen = BTreeMap::new();
    for (number, value) in values.into_iter().enumerate() {
        if let Some(first) = seen.insert(value, number) {
            let dotted = if key.is_empty() { String::new() } else { format!(".{key}") };
            let why = format!("it is the same as {list}[{first}]{dotted}; each may be there once");
            return Err(Wrong::new(format!("{list}[{number}]{dotted}"), why));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p7_what_is_plain_stays_on_this_machine() {
        for (url, tls, wrong) in [
            ("http://127.0.0.1:80", false, None),
            ("http://localhost:80/", true, None),
            ("https://192.0.2.7:443", true, None),
            ("https://[2001:db8::7]:443", true, None),
            ("https://a.example:443", false, Some("https needs certificates")),
            ("http://192.0.2.7:80", true, Some("is plain and leads away")),
            ("http://127.0.0.1", true, Some("names no port")),
            ("127.0.0.1:80", true, Some("has no ://")),
            ("ftp://127.0.0.1:80", true, Some("neither http nor https")),
            ("https://a:443/path", true, Some("more than host and port")),
            ("https://:443", true, Some("names no host")),
            ("https://a:70000", true, Some("is no port")),
        ] {
            let found = can_call("servers[0]", url, tls).err().map(|wrong| wrong.to_string());
            match wrong {
                None => assert_eq!(found, None, "{url}"),
                Some(words) => {
                    assert!(found.as_ref().is_some_and(|found| found.contains(words)), "{url}: {found:?}")
                }
            }
        }
        let at = |text: &str| text.parse().expect("an address");
        assert!(can_listen("api", at("192.0.2.7:443"), true).is_ok());
        assert!(can_listen("api", at("[::1]:443"), false).is_ok());
        assert!(can_listen("api", at("0.0.0.0:443"), false).is_err());
    }

    #[test]
    fn ports_are_given_once() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let clash = |one: &str, other: &str| distinct(&[("api", at(one)), ("local", at(other))]).is_err();
        assert!(clash("127.0.0.1:80", "127.0.0.1:80"));
        assert!(clash("0.0.0.0:80", "127.0.0.1:80"));
        assert!(!clash("127.0.0.2:80", "127.0.0.1:80"));
        assert!(!clash("127.0.0.1:0", "127.0.0.1:0"));
        let twice = each_once("servers", "key", [1, 2, 1]).expect_err("twice");
        assert_eq!(
            twice.to_string(),
            "servers[2].key: it is the same as servers[0].key; each may be there once"
        );
    }
}
