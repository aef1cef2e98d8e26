//! What a part says of its links when it starts: each with how it is protected, and advice where it is not.
//!
//! Always: an unprotected link is named (P7). Not here: which links a part has, which it knows itself, and
//! links to devices, which crate `devices` describes.

use std::fmt;

/// How a link is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Encrypted; both ends show certificates of the community.
    Certificates,
    /// Encrypted; the end that answers shows its certificate, who only reads needs none.
    ReadersUnknown,
    /// Encrypted; both ends prove their signing keys by the consensus library's own handshake.
    SigningKeys,
    /// Neither, but it does not leave this machine.
    ThisMachine,
    /// Neither: whoever reaches the network can read and command.
    None {
        /// What to do about it.
        advice: &'static str,
    },
}

/// One link of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// What the link is for, and where it goes.
    pub link: String,
    /// How it is protected.
    pub protection: Protection,
}

impl Described {
    /// A link.
    pub fn new(link: impl Into<String>, protection: Protection) -> Self {
        Self { link: link.into(), protection }
    }

    /// A listener or a call with the community's certificates, or plain on this machine.
    pub fn community(link: impl Into<String>, is_protected: bool) -> Self {
        let protection = if is_protected { Protection::Certificates } else { Protection::ThisMachine };
        Self::new(link, protection)
    }

    /// Whether it needs somebody's attention.
    pub fn is_unprotected(&self) -> bool {
        matches!(self.protection, Protection::None { .. })
    }
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { link, protection } = self;
        match protection {
            Protection::Certificates => write!(f, "{link}: encrypted, both ends show certificates"),
            Protection::ReadersUnknown => {
                write!(f, "{link}: encrypted; anybody may read, only members of the community write")
            }
            Protection::SigningKeys => {
                write!(f, "{link}: encrypted, both ends prove their signing keys (consensus library)")
            }
            Protection::ThisMachine => write!(f, "{link}: plain, on this machine only"),
            Protection::None { advice } => write!(f, "{link}: UNPROTECTED: {advice}"),
        }
    }
}

/// Says all links in the log, unprotected ones as warnings.
pub fn log(links: &[Described]) {
    for link in links {
        if link.is_unprotected() {
            tracing::warn!(target: "wattbook::links", "{link}");
        } else {
            tracing::info!(target: "wattbook::links", "{link}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p7_an_unprotected_link_is_named_with_advice() {
        let advice = "keep it on a wire of its own";
        let link = Described::new("broker 10.0.0.7:1883", Protection::None { advice });
        let words = link.to_string();
        assert_eq!(words, "broker 10.0.0.7:1883: UNPROTECTED: keep it on a wire of its own");
        assert!(link.is_unprotected());
        assert!(!Described::community("servers", true).is_unprotected());
    }
}
