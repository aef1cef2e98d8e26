//! Why a protected connection did not come about, in words that say what to do.
//!
//! Always: the cause is looked for below whatever wraps it, because clients hide it. Not here: connections
//! that fail for other reasons.

use crate::live::date;
use crate::verify::{NoCertificates, WrongHolder};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};
use std::error::Error as AnyError;
use std::io;

/// Why two parts did not come to a protected connection. Codes are stable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The other end's certificate has ended.
    #[error("its certificate ended on {0}: it must be renewed there")]
    Expired(String),
    /// The other end's certificate is not good yet.
    #[error("its certificate begins only on {0}: is one of the clocks wrong?")]
    NotYetValid(String),
    /// It is a good certificate, but not of the host that was asked for.
    #[error("its certificate is for {presented}, not for {wanted}")]
    WrongName {
        /// The host that was asked for.
        wanted: String,
        /// For which it is.
        presented: String,
    },
    /// Its certificate is of another authority.
    #[error("its certificate is not of this community's authority: somebody poses as it, or a file is wrong")]
    UnknownAuthority,
    /// Its certificate stands on the list of revoked ones.
    #[error("its certificate was revoked")]
    Revoked,
    /// It is of this community, but not who was wanted.
    #[error("{0}: somebody poses as it, or an address is wrong")]
    WrongHolder(WrongHolder),
    /// Its certificate is not meant for answering.
    #[error("its certificate is only for calling others, not for answering: somebody poses as it")]
    WrongPurpose,
    /// This end has no certificates of the community.
    #[error("{0}")]
    NoCertificates(NoCertificates),
    /// The other end wants a certificate and got none.
    #[error("it wants a certificate of this community: name one in [tls]")]
    CertificateRequired,
    /// The other end does not take our certificate.
    #[error("it refuses this part's certificate: {0}")]
    Refused(&'static str),
    /// The other end speaks no TLS 1.3.
    #[error("it does not speak TLS 1.3")]
    OldProtocol,
    /// The other end speaks no TLS at all.
    #[error("it does not speak TLS: does its address begin with http:// there?")]
    NotTls,
    /// What came was changed on the way, or a bug.
    #[error("what came is not what was sent: {0}")]
    Changed(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// The failure below an error of a client, if it was one of protection.
    pub fn below(error: &(dyn AnyError + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<Error>() {
                return Some(Self::of(found));
            }
            if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                return Self::below(inner);
            }
            next = error.source();
        }
        None
    }

    /// The code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Expired(_) => "certificate-expired",
            Self::NotYetValid(_) => "certificate-not-yet-valid",
            Self::WrongName { .. } => "certificate-wrong-name",
            Self::UnknownAuthority => "certificate-unknown-authority",
            Self::Revoked => "certificate-revoked",
            Self::WrongHolder(_) => "certificate-wrong-role",
            Self::WrongPurpose => "certificate-wrong-purpose",
            Self::NoCertificates(_) => "no-certificates",
            Self::CertificateRequired => "certificate-required",
            Self::Refused(_) => "certificate-refused",
            Self::OldProtocol => "old-protocol",
            Self::NotTls => "not-tls",
            Self::Changed(_) => "changed-on-the-way",
            Self::Other(_) => "tls",
        }
    }

    /// What an error of rustls means.
    pub fn of(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(problem) => Self::of_certificate(problem),
            Error::AlertReceived(alert) => Self::of_alert(*alert),
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::NotTls,
            Error::PeerIncompatible(_) => Self::OldProtocol,
            Error::DecryptError | Error::InvalidMessage(_) | Error::PeerMisbehaved(_) => {
                Self::Changed(error.to_string())
            }
            other => Self::Other(other.to_string()),
        }
    }

    fn of_certificate(problem: &CertificateError) -> Self {
        use CertificateError as Problem;
        match problem {
            Problem::ExpiredContext { not_after, .. } => Self::Expired(day(not_after)),
            Problem::Expired => Self::Expired("a day in the past".to_owned()),
            Problem::NotValidYetContext { not_before, .. } => Self::NotYetValid(day(not_before)),
            Problem::NotValidYet => Self::NotYetValid("a day to come".to_owned()),
            Problem::NotValidForNameContext { expected, presented } => {
                Self::WrongName { wanted: host(expected), presented: names(presented) }
            }
            Problem::NotValidForName => {
                Self::WrongName { wanted: "this host".to_owned(), presented: "another".to_owned() }
            }
            Problem::UnknownIssuer | Problem::BadSignature => Self::UnknownAuthority,
            Problem::Revoked => Self::Revoked,
            Problem::InvalidPurpose | Problem::InvalidPurposeContext { .. } => Self::WrongPurpose,
            Problem::Other(other) => match other.0.downcast_ref::<WrongHolder>() {
                Some(wrong) => Self::WrongHolder(wrong.clone()),
                None if other.0.is::<NoCertificates>() => Self::NoCertificates(NoCertificates),
                None => Self::Other(other.to_string()),
            },
            other => Self::Other(other.to_string()),
        }
    }

    fn of_alert(alert: AlertDescription) -> Self {
        use AlertDescription as Alert;
        match alert {
            Alert::CertificateRequired => Self::CertificateRequired,
            Alert::CertificateExpired => Self::Refused("it is not good at this time"),
            Alert::CertificateRevoked => Self::Refused("it was revoked"),
            Alert::UnknownCA => Self::Refused("it is of another authority"),
            Alert::BadCertificate | Alert::CertificateUnknown | Alert::UnsupportedCertificate => {
                Self::Refused("it is not of somebody whom it lets in")
            }
            Alert::ProtocolVersion | Alert::HandshakeFailure => Self::OldProtocol,
            Alert::BadRecordMac | Alert::DecryptError => Self::Changed(format!("{alert:?}")),
            other => Self::Other(format!("the other end ended the connection ({other:?})")),
        }
    }
}

fn day(time: &UnixTime) -> String {
    date(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

fn host(name: &ServerName<'_>) -> String {
    name.to_str().into_owned()
}

/// For which hosts a certificate is, as rustls lists them: `DnsName("a")`, `IpAddress(127.0.0.1)`.
fn names(presented: &[String]) -> String {
    let bare = presented.iter().map(|name| {
        let inner = name.split_once('(').map_or(name.as_str(), |(_, rest)| rest.trim_end_matches(')'));
        inner.trim_matches('"').to_owned()
    });
    let bare: Vec<String> = bare.collect();
    if bare.is_empty() { "no host at all".to_owned() } else { bare.join(", ") }
}
