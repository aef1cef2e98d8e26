//! Certificates for tests: an authority, and what it issued.

#![allow(dead_code)]

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use wattbook_devices::modbus::TlsFiles;

/// An authority with its files in a folder of its own.
pub struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority");
        let certificate = params.self_signed(&key).expect("a certificate");
        std::fs::write(folder.path().join("ca.crt"), certificate.pem()).expect("written");
        Self { folder, issuer: Issuer::new(params, key) }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Issues a certificate for a name or a number, for servers or for clients.
    pub fn issue(&self, file: &str, name: &str, usage: ExtendedKeyUsagePurpose) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        std::fs::write(self.file(&format!("{file}.crt")), certificate.pem()).expect("written");
        std::fs::write(self.file(&format!("{file}.key")), key.serialize_pem()).expect("written");
    }

    /// The files of one end.
    pub fn files(&self, file: &str) -> TlsFiles {
        TlsFiles {
            authority: self.file("ca.crt"),
            certificate: self.file(&format!("{file}.crt")),
            key: self.file(&format!("{file}.key")),
        }
    }
}

/// An authority with a device at 127.0.0.1 and a client.
pub fn authority() -> Authority {
    let authority = Authority::new();
    authority.issue("device", "127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
    authority.issue("client", "controller", ExtendedKeyUsagePurpose::ClientAuth);
    authority
}
