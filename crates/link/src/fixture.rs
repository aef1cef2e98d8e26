//! A community's certificates in a folder, for tests of the parts.

use crate::authority::Validity;
use crate::{Authority, Files, Link, Register, Role, Subject, plain_files};
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// A community with an authority and a folder. Panics where the machine fails it.
pub struct Town {
    /// Where its files are.
    pub folder: TempDir,
    /// Its authority.
    pub authority: Authority,
    /// What the authority issued.
    pub register: Register,
}

impl Default for Town {
    fn default() -> Self {
        Self::new()
    }
}

impl Town {
    /// A new one, with an empty list of revoked certificates.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new("a town").expect("an authority");
        let town = Self { folder, authority, register: Register::default() };
        town.write("ca.crt", town.authority.certificate_pem());
        town.write_list();
        town
    }

    /// A file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file");
    }

    /// Writes the list of revoked certificates.
    pub fn write_list(&self) {
        self.write("revoked.pem", &self.authority.crl_pem(&self.register).expect("a list"));
    }

    /// Revokes somebody and writes the list.
    pub fn revoke(&mut self, role: Role, name: &str) {
        assert_ne!(self.register.revoke(role, name), 0, "there is no good certificate of {role} {name}");
        self.write_list();
    }

    /// Issues a certificate for some time and writes its files.
    pub fn issue_for(&mut self, subject: &Subject, validity: Validity) -> Files {
        let issued = self.authority.issue_for_time(subject, validity).expect("a certificate");
        self.register.add(subject, &issued.certificate);
        let Subject { role, name, .. } = subject;
        self.write(&format!("{role}-{name}.crt"), &issued.certificate_pem);
        self.write(&format!("{role}-{name}.key"), &issued.key_pem);
        self.files(*role, name)
    }

    /// The same for the usual time.
    pub fn issue(&mut self, subject: &Subject) -> Files {
        self.issue_for(subject, Validity::default())
    }

    /// The same, opened.
    pub fn link(&mut self, subject: &Subject) -> Arc<Link> {
        Link::open(&self.issue(subject), plain_files()).expect("good files")
    }

    /// The files of somebody to whom a certificate was issued.
    pub fn files(&self, role: Role, name: &str) -> Files {
        Files {
            certificate: self.path(&format!("{role}-{name}.crt")),
            key: self.path(&format!("{role}-{name}.key")),
            authority: self.path("ca.crt"),
            revoked: Some(self.path("revoked.pem")),
        }
    }
}

/// Somebody with a role, and the host names that go with it. A home or member gets an account of its own.
pub fn subject(role: Role, name: &str, hosts: &[&str]) -> Subject {
    let accounts = match role {
        Role::Server | Role::Storage => vec![],
        Role::Home | Role::Member => vec![account(name)],
    };
    let hosts = hosts.iter().map(|&host| host.to_owned()).collect();
    Subject { role, name: name.to_owned(), accounts, hosts }
}

/// The account of a home or member in these tests.
pub fn account(name: &str) -> String {
    let digits: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{digits:0>64}")
}

/// Somebody reached at 127.0.0.1 and localhost.
pub fn here(role: Role, name: &str) -> Subject {
    subject(role, name, &["127.0.0.1", "localhost"])
}
