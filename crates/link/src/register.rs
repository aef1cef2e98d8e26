//! The authority's book: which certificates it issued, and which of them are revoked.
//!
//! Always: nothing is taken out of it; every change of what is revoked counts the list's number up.
//! Not here: its file (`issued.toml`, written by the commands `init` and `cert`).

use crate::authority::{Subject, unix_now};
use crate::certificate::Certificate;
use crate::identity::Role;
use serde::{Deserialize, Serialize};

/// All certificates of an authority.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// The number of the latest list of revoked certificates.
    list_number: u64,
    /// What was issued, in that order.
    #[serde(default, rename = "certificate", skip_serializing_if = "Vec::is_empty")]
    entries: Vec<Entry>,
}

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its number, hexadecimal.
    pub serial: String,
    /// The holder's role.
    pub role: Role,
    /// The holder's name.
    pub name: String,
    /// The holder's accounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// By which hosts the holder is reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Until when it is good, in seconds since 1970.
    pub not_after: i64,
    /// When it was revoked, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<i64>,
}

impl Entry {
    /// Whom it is for.
    pub fn subject(&self) -> Subject {
        Subject {
            role: self.role,
            name: self.name.clone(),
            accounts: self.accounts.clone(),
            hosts: self.hosts.clone(),
        }
    }

    /// Whether it is still of use at a time (seconds since 1970).
    pub fn is_good(&self, now: i64) -> bool {
        self.revoked.is_none() && now <= self.not_after
    }
}

impl Register {
    /// Writes down what was issued to whom.
    pub fn add(&mut self, subject: &Subject, certificate: &Certificate) {
        let Subject { role, name, accounts, hosts } = subject.clone();
        let (serial, not_after) = (certificate.serial.clone(), certificate.not_after);
        self.entries.push(Entry { serial, role, name, accounts, hosts, not_after, revoked: None });
    }

    /// What was issued, in that order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The latest certificate of a holder, revoked or not.
    pub fn latest(&self, role: Role, name: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.role == role && entry.name == name)
    }

    /// The number of the latest list.
    pub fn list_number(&self) -> u64 {
        self.list_number
    }

    /// Revokes every certificate of a holder that is still good, from now on; gives back how many.
    pub fn revoke(&mut self, role: Role, name: &str) -> usize {
        let now = unix_now();
        let mut count = 0;
        for entry in &mut self.entries {
            if entry.role == role && entry.name == name && entry.is_good(now) {
                entry.revoked = Some(now);
                count += 1;
            }
        }
        self.list_number += u64::from(count > 0);
        count
    }

    /// Serial numbers of what is revoked, with when; `Err` with a number that cannot be read.
    pub(crate) fn revoked(&self) -> impl Iterator<Item = Result<(Vec<u8>, i64), &str>> + '_ {
        let revoked = self.entries.iter().filter_map(|entry| Some((entry.serial.as_str(), entry.revoked?)));
        revoked.map(|(serial, at)| bytes(serial).map(|bytes| (bytes, at)).ok_or(serial))
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(pair).collect())?
}
