//! What a certificate says about its holder: of which community, in which role, by which name.
//!
//! Always: written as a URI among the certificate's alternative names,
//! `wattbook://<community>/<role>/<name or account>`; a controller of several homes has one for each account.
//! Not here: host names, which only say where somebody may be reached.

use std::fmt;
use std::str::FromStr;

/// The scheme of an identity's URI, with what follows it.
const SCHEME: &str = "wattbook://";
/// Bytes of the hash of the authority's public key that name a community.
const ID_BYTES: usize = 8;
/// The longest name, in bytes.
const LONGEST_NAME: usize = 100;

/// In which role a party takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// An authentication server.
    Server,
    /// The storage side of a battery.
    Storage,
    /// A controller of one or more homes.
    Home,
    /// A person: somebody who looks at pages and trades from a shell.
    Member,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Server, Self::Storage, Self::Home, Self::Member];

    /// As it is written in certificates.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Storage => "storage",
            Self::Home => "home",
            Self::Member => "member",
        }
    }

    /// As people say it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Server => "a server",
            Self::Storage => "a storage side",
            Self::Home => "a home",
            Self::Member => "a member",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| ParseIdentityError::Role { role: text.to_owned() })
    }
}

/// Which community: the beginning of the SHA-256 hash of its authority's public key. It does not depend on
/// the ledger, so that certificates can be made before the genesis.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommunityId([u8; ID_BYTES]);

impl CommunityId {
    /// From the authority's public key (its `SubjectPublicKeyInfo`, DER).
    pub(crate) fn of_public_key(key: &[u8]) -> Self {
        let hash = ring::digest::digest(&ring::digest::SHA256, key);
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&hash.as_ref()[..ID_BYTES]);
        Self(id)
    }
}

impl fmt::Display for CommunityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CommunityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommunityId({self})")
    }
}

impl FromStr for CommunityId {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseIdentityError::Community { id: text.to_owned() };
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 2 * ID_BYTES || !text.bytes().all(is_digit) {
            return Err(bad());
        }
        let value = u64::from_str_radix(text, 16).map_err(|_| bad())?;
        Ok(Self(value.to_be_bytes()))
    }
}

/// Who somebody is, as the community's authority has confirmed it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The community.
    pub community: CommunityId,
    /// The role.
    pub role: Role,
    /// The name of a server or storage side; the account of a home or member.
    pub name: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}/{}", self.community, self.role, self.name)
    }
}

impl FromStr for Identity {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shape = || ParseIdentityError::Shape { text: text.to_owned() };
        let rest = text.strip_prefix(SCHEME).ok_or_else(shape)?;
        let mut parts = rest.splitn(3, '/');
        let mut part = || parts.next().ok_or_else(shape);
        let (community, role, name) = (part()?.parse()?, part()?.parse()?, part()?);
        check_name(name)?;
        Ok(Self { community, role, name: name.to_owned() })
    }
}

/// Whether a name may stand in an identity: letters, digits, `-`, `_` and `.`, not too many.
///
/// # Errors
/// Where it may not.
pub fn check_name(name: &str) -> Result<(), ParseIdentityError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(good) {
        return Err(ParseIdentityError::Name { name: name.chars().take(LONGEST_NAME).collect() });
    }
    Ok(())
}

/// Why a text is no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdentityError {
    /// Not of that shape at all.
    #[error("{text:?} is not of the form wattbook://<community>/<role>/<name>")]
    Shape {
        /// The text.
        text: String,
    },
    /// The community's id cannot be read.
    #[error("{id:?} is no community: expected 16 hexadecimal digits, lower case")]
    Community {
        /// What stood there.
        id: String,
    },
    /// There is no such role.
    #[error("{role:?} is no role: expected server, storage, home or member")]
    Role {
        /// What stood there.
        role: String,
    },
    /// The name may not stand there.
    #[error("{name:?} is no name: expected 1 to 100 letters, digits, '-', '_' or '.'")]
    Name {
        /// What stood there.
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_reads_as_it_is_written() {
        let community = CommunityId::of_public_key(b"a key");
        for role in Role::ALL {
            let identity = Identity { community, role, name: "north-1.example".to_owned() };
            assert_eq!(identity.to_string().parse(), Ok(identity));
        }
    }

    /// Text | what it is refused for.
    const BAD: &[(&str, &str)] = &[
        ("", "not of the form"),
        ("https://0123456789abcdef/server/a", "not of the form"),
        ("wattbook://0123456789abcdef/server", "not of the form"),
        ("wattbook://0123456789ABCDEF/server/a", "no community"),
        ("wattbook://+123456789abcdef/server/a", "no community"),
        ("wattbook://0123456789abcde/server/a", "no community"),
        ("wattbook://0123456789abcdef/Server/a", "no role"),
        ("wattbook://0123456789abcdef/auditor/a", "no role"),
        ("wattbook://0123456789abcdef/server/", "no name"),
        ("wattbook://0123456789abcdef/server/a/b", "no name"),
        ("wattbook://0123456789abcdef/server/a b", "no name"),
        ("wattbook://0123456789abcdef/server/a%2fb", "no name"),
    ];

    #[test]
    fn p7_what_is_no_identity_is_refused_with_words() {
        for (text, why) in BAD {
            let error = text.parse::<Identity>().expect_err(text);
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
    }
}
