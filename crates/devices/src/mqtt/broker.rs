//! Where a broker is and how it is reached: host, authority, certificate, user and password.
//!
//! Always: an address names files, never secrets; they are read when a connection is made, so that a renewed
//! certificate or a changed password counts from the next connection on. Secrets are not kept and not shown.
//! Not here: the connection (`link`).

use crate::address::DeviceAddress;
use crate::driver::Protection;
use crate::reading::DeviceError;
use rumqttc::{Broker as Target, LastWill, MqttOptions, NetworkOptions, QoS, Transport};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The options of an address that say how the broker is reached.
pub const LINK_OPTIONS: &[&str] = &["ca", "cert", "key", "user", "password_file", "client_id"];

/// Seconds of silence after which one asks whether the other is there.
const KEEP_ALIVE: u16 = 30;
/// The largest packet that the broker may send; it keeps larger ones to itself.
const LARGEST_PACKET: u32 = 128 * 1024;
/// How long a connection may take to come about.
const CONNECTING: Duration = Duration::from_secs(10);

/// A broker and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    host: String,
    port: u16,
    tls: Option<Tls>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    client_id: Option<String>,
}

/// What a broker asks for, and by what it is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Credentials {
    pub authority: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub user: Option<String>,
    pub password_file: Option<PathBuf>,
    pub client_id: Option<String>,
}

/// Files in PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tls {
    /// Who signed the broker's certificate; the system's authorities where none is named.
    ca: Option<PathBuf>,
    /// Our own certificate and its key.
    own: Option<(PathBuf, PathBuf)>,
}

impl Broker {
    /// The broker of an address `mqtt://…` or `mqtts://…` with its options; relative paths begin at the
    /// folder.
    ///
    /// # Errors
    /// Where the options do not fit together.
    pub fn of_address(address: &DeviceAddress, folder: &Path) -> Result<Self, DeviceError> {
        let text = |key| address.option(key).map(decoded).transpose();
        let file = |key| text(key).map(|path| path.map(|path| folder.join(path)));
        let credentials = Credentials {
            authority: file("ca")?,
            certificate: file("cert")?,
            key: file("key")?,
            user: text("user")?,
            password_file: file("password_file")?,
            client_id: text("client_id")?,
        };
        Self::new(address, credentials).map_err(|(option, why)| {
            let option = match option {
                "authority" => "ca",
                "certificate" => "cert",
                other => other,
            };
            DeviceError::Configuration(format!("{option}= of an MQTT address: {why}"))
        })
    }

    /// The broker at an address, reached with these.
    ///
    /// # Errors
    /// The name of what does not fit, and why.
    pub(super) fn new(
        address: &DeviceAddress,
        credentials: Credentials,
    ) -> Result<Self, (&'static str, String)> {
        let Credentials { authority, certificate, key, user, password_file, client_id } = credentials;
        let wrong = |what, why: &str| Err((what, why.to_owned()));
        let encrypted = match address.scheme() {
            "mqtts" => true,
            "mqtt" => false,
            _ => return wrong("broker", "it is an address mqtt://HOST or mqtts://HOST"),
        };
        if !encrypted && (authority.is_some() || certificate.is_some() || key.is_some()) {
            return wrong("authority", "certificates are for encrypted links: write mqtts://, not mqtt://");
        }
        let own = match (certificate, key) {
            (Some(certificate), Some(key)) if authority.is_some() => Some((certificate, key)),
            (None, None) => None,
            _ => return wrong("certificate", "it takes all three: authority, certificate and its key"),
        };
        if password_file.is_some() && user.is_none() {
            return wrong("password_file", "a password needs a user as well");
        }
        Ok(Self {
            host: address.host().to_owned(),
            port: address.port().unwrap_or(if encrypted { 8883 } else { 1883 }),
            tls: encrypted.then_some(Tls { ca: authority, own }),
            user,
            password_file,
            client_id,
        })
    }

    /// What those who share a connection have in common.
    pub fn key(&self) -> String {
        format!("{self:?}")
    }

    /// Its address without options, for people.
    pub fn label(&self) -> String {
        let scheme = if self.tls.is_some() { "mqtts" } else { "mqtt" };
        let brackets = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        format!("{scheme}://{}{}{}:{}", brackets.0, self.host, brackets.1, self.port)
    }

    /// How the link to it is protected: by a certificate, or a user's password within TLS, at our end.
    pub fn protection(&self) -> Protection {
        let loopback = self.host == "localhost" || self.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        match &self.tls {
            Some(tls) if tls.own.is_some() || self.password_file.is_some() => Protection::Mutual,
            Some(_) => Protection::Encrypted,
            None if loopback => Protection::Loopback,
            None => Protection::None,
        }
    }

    /// What a connection is made with; reads the files.
    pub(super) fn options(&self, availability: Option<&str>) -> Result<MqttOptions, String> {
        let id = self.client_id.clone().unwrap_or_else(random_id);
        let mut options = MqttOptions::new(id, Target::tcp(self.host.clone(), self.port));
        options.set_keep_alive(KEEP_ALIVE).set_connect_timeout(CONNECTING);
        options.set_max_packet_size(Some(LARGEST_PACKET));
        if let Some(tls) = &self.tls {
            options.set_transport(tls.transport()?);
        }
        if self.host.contains(':') {
            // As a text, host and port of IPv6 would need brackets, which certificates do not have.
            let socket = (self.host.clone(), self.port);
            options.set_socket_connector(move |_: String, _: NetworkOptions| {
                let socket = socket.clone();
                async move { tokio::net::TcpStream::connect(socket).await }
            });
        }
        match (&self.user, &self.password_file) {
            (Some(user), Some(file)) => {
                let password = read(file)?;
                let end =
                    password.iter().rposition(|byte| !b"\r\n".contains(byte)).map_or(0, |last| last + 1);
                options.set_credentials(user.clone(), password[..end].to_vec());
            }
            (Some(user), None) => {
                options.set_username(user.clone());
            }
            (None, _) => {}
        }
        if let Some(topic) = availability {
            options.set_last_will(LastWill::new(topic, "offline", QoS::AtLeastOnce, true, None));
        }
        Ok(options)
    }
}

impl Tls {
    fn transport(&self) -> Result<Transport, String> {
        let own = self.own.as_ref().map(|(cert, key)| Ok::<_, String>((read(cert)?, read(key)?)));
        match &self.ca {
            Some(ca) => Ok(Transport::tls(read(ca)?, own.transpose()?, None)),
            None => Transport::try_tls_with_default_config()
                .map_err(|error| format!("the system's certificate authorities cannot be used: {error}")),
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}

/// A name that no other client has.
fn random_id() -> String {
    format!("wattbook-{:016x}", RandomState::new().build_hasher().finish())
}

/// A text of an address with `%20` and the like turned back.
pub(crate) fn decoded(text: &str) -> Result<String, DeviceError> {
    let wrong = || DeviceError::Configuration(format!("{text:?}: after % stand two hexadecimal digits"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| wrong())?);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(address: &str) -> Result<Broker, DeviceError> {
        Broker::of_address(&address.parse().expect("an address"), Path::new("/etc/wattbook"))
    }

    #[test]
    fn p7_a_link_is_as_protected_as_its_weaker_end() {
        for (address, protection) in [
            ("mqtt://192.0.2.9/a", Protection::None),
            ("mqtt://192.0.2.9/a?user=u&password_file=p", Protection::None),
            ("mqtt://localhost/a", Protection::Loopback),
            ("mqtt://[::1]/a", Protection::Loopback),
            ("mqtts://192.0.2.9/a?ca=ca.pem", Protection::Encrypted),
            ("mqtts://broker.example/a", Protection::Encrypted),
            ("mqtts://192.0.2.9/a?ca=ca.pem&cert=c.pem&key=k.pem", Protection::Mutual),
            ("mqtts://192.0.2.9/a?user=u&password_file=p", Protection::Mutual),
        ] {
            assert_eq!(broker(address).map(|broker| broker.protection()), Ok(protection), "{address}");
        }
    }

    #[test]
    fn options_that_do_not_fit_together_are_refused_in_words() {
        for (address, words) in [
            ("mqtt://broker/a?ca=ca.pem", "mqtts://"),
            ("mqtts://broker/a?cert=c.pem&key=k.pem", "all three"),
            ("mqtts://broker/a?ca=ca.pem&cert=c.pem", "all three"),
            ("mqtt://broker/a?password_file=p", "a user as well"),
            ("mqtt://broker/a?user=a%2", "hexadecimal"),
        ] {
            let error = broker(address).expect_err(address).to_string();
            assert!(error.contains(words), "{address}: {error}");
        }
        let error = "mqtt://u:secret@broker/a".parse::<DeviceAddress>().expect_err("no secrets").to_string();
        assert!(error.contains("do not belong") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn whoever_reaches_a_broker_alike_shares_the_connection() {
        let key = |address| broker(address).expect("a broker").key();
        assert_eq!(key("mqtt://broker/a?unit=Wh"), key("mqtt://broker:1883/b?listen=3"));
        assert_ne!(key("mqtt://broker/a"), key("mqtts://broker/a"));
        assert_ne!(key("mqtt://broker/a"), key("mqtt://broker/a?user=u"));
        assert_eq!(
            broker("mqtts://[2001:db8::7]/a").expect("a broker").label(),
            "mqtts://[2001:db8::7]:8883"
        );
    }

    #[test]
    fn p7_a_missing_password_file_is_named_and_no_connection_is_tried_without() {
        let error = broker("mqtt://broker/a?user=u&password_file=absent").expect("a broker").options(None);
        assert!(error.is_err_and(|words| words.contains("/etc/wattbook/absent")));
    }
}
