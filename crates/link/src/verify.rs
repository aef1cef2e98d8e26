//! Who is believed while a connection is made.
//!
//! Always: first everything that a browser would check (chain to the authority, time, purpose, host name,
//! list of revoked certificates), which rustls does; then that the certificate names somebody of this
//! community, and, of whom a client reached, that he has the role that the client wanted. Without the last,
//! a home with a page of its own could pose as a server that moved to its address.

use crate::certificate::Certificate;
use crate::identity::{CommunityId, Role};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use std::fmt;
use std::sync::Arc;

/// A good certificate of somebody else than wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongHolder {
    /// It names nobody, or not only members of this community in one role.
    #[error("its certificate does not say who it is in this community")]
    Nobody,
    /// It is somebody of this community, but in another role.
    #[error("it is {} of this community, not {wanted}", .found.words())]
    Role {
        /// Who it is.
        found: Role,
        /// Who was wanted.
        wanted: String,
    },
}

impl From<WrongHolder> for Error {
    fn from(wrong: WrongHolder) -> Self {
        let code = CertificateError::Other(OtherError(Arc::new(wrong)));
        Self::InvalidCertificate(code)
    }
}

/// The holder's role, where the certificate names somebody of the community, always in the same role.
fn holder(der: &CertificateDer<'_>, community: CommunityId) -> Result<Role, WrongHolder> {
    let certificate = Certificate::from_der(der).map_err(|_| WrongHolder::Nobody)?;
    let role = certificate.role().ok_or(WrongHolder::Nobody)?;
    let fits = |identity: &crate::Identity| identity.community == community && identity.role == role;
    if certificate.identities.iter().all(fits) { Ok(role) } else { Err(WrongHolder::Nobody) }
}

/// Checks who connects to a part.
#[derive(Debug)]
pub(crate) struct ClientCheck {
    inner: Arc<dyn ClientCertVerifier>,
    community: CommunityId,
}

impl ClientCheck {
    pub(crate) fn new(inner: Arc<dyn ClientCertVerifier>, community: CommunityId) -> Self {
        Self { inner, community }
    }
}

impl ClientCertVerifier for ClientCheck {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        holder(end_entity, self.community)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Checks whom a part reached.
#[derive(Debug)]
pub(crate) struct ServerCheck {
    inner: Arc<WebPkiServerVerifier>,
    community: CommunityId,
    roles: Vec<Role>,
}

impl ServerCheck {
    pub(crate) fn new(inner: Arc<WebPkiServerVerifier>, community: CommunityId, roles: &[Role]) -> Self {
        Self { inner, community, roles: roles.to_vec() }
    }
}

impl ServerCertVerifier for ServerCheck {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let found = holder(end_entity, self.community)?;
        if !self.roles.contains(&found) {
            let wanted: Vec<&str> = self.roles.iter().map(|role| role.words()).collect();
            return Err(WrongHolder::Role { found, wanted: wanted.join(" or ") }.into());
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Believes nobody: what a client without certificates of a community says to every TLS server.
#[derive(Debug)]
pub(crate) struct NobodyBelieved;

/// That a client has no certificates of a community.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCertificates;

impl fmt::Display for NoCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the community's certificates are not configured here: name them in [tls]")
    }
}

impl std::error::Error for NoCertificates {}

impl ServerCertVerifier for NobodyBelieved {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let code = CertificateError::Other(OtherError(Arc::new(NoCertificates)));
        Err(Error::InvalidCertificate(code))
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("nobody is believed".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("nobody is believed".to_owned()))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
