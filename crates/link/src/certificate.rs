//! What stands in a certificate, as far as the parts use it.
//!
//! Always: reading proves nothing. Who may be believed is decided by `tls` while a connection is made.

use crate::identity::{CommunityId, Identity, Role};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use std::time::Duration;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Why a certificate cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// There is none in the file.
    #[error("there is no certificate in it (PEM, begins with -----BEGIN CERTIFICATE-----)")]
    Missing,
    /// It is damaged.
    #[error("its certificate cannot be read: {why}")]
    Damaged {
        /// What is wrong.
        why: String,
    },
}

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its number among its authority's, hexadecimal.
    pub serial: String,
    /// Whose it is; none in an authority's own.
    pub identities: Vec<Identity>,
    /// By which host names and addresses its holder may be reached.
    pub hosts: Vec<String>,
    /// From when on it is good, in seconds since 1970.
    pub not_before: i64,
    /// Until when it is good, in seconds since 1970.
    pub not_after: i64,
    /// The id that its own public key would give a community.
    pub key_id: CommunityId,
}

impl Certificate {
    /// Reads the first certificate of a PEM file.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        let first = CertificateDer::pem_slice_iter(pem).next().ok_or(CertificateError::Missing)?;
        Self::from_der(&first.map_err(|error| damaged(&error))?)
    }

    /// Reads a certificate.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn from_der(der: &CertificateDer<'_>) -> Result<Self, CertificateError> {
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|error| damaged(&error))?;
        if !rest.is_empty() {
            return Err(damaged(&"something follows it"));
        }
        let (mut identities, mut hosts) = (Vec::new(), Vec::new());
        for extension in parsed.extensions() {
            let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() else {
                continue;
            };
            for name in &names.general_names {
                match name {
                    GeneralName::URI(uri) => identities.extend(uri.parse::<Identity>().ok()),
                    GeneralName::DNSName(host) => hosts.push((*host).to_owned()),
                    GeneralName::IPAddress(bytes) => hosts.extend(address(bytes)),
                    _ => {}
                }
            }
        }
        Ok(Self {
            serial: hex(trimmed(parsed.raw_serial())),
            identities,
            hosts,
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            key_id: CommunityId::of_public_key(parsed.public_key().raw),
        })
    }

    /// The role of its holder: all its identities have the same.
    pub fn role(&self) -> Option<Role> {
        self.identities.first().map(|identity| identity.role)
    }

    /// Whether its holder has this account, in whatever role.
    pub fn has_account(&self, account: &str) -> bool {
        self.identities.iter().any(|identity| identity.name == account)
    }

    /// How long it is still good; nothing where it has expired.
    pub fn left(&self, now: UnixTime) -> Option<Duration> {
        let end = u64::try_from(self.not_after).unwrap_or(0);
        end.checked_sub(now.as_secs()).map(Duration::from_secs)
    }
}

fn damaged(why: &impl ToString) -> CertificateError {
    CertificateError::Damaged { why: why.to_string() }
}

/// A serial number without the zero that keeps it positive.
fn trimmed(serial: &[u8]) -> &[u8] {
    match serial {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|octets| std::net::Ipv4Addr::from(octets).to_string()),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|octets| std::net::Ipv6Addr::from(octets).to_string()),
        _ => None,
    }
}
