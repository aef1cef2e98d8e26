//! What stands in a part's files, read and checked once, as rustls wants it.
//!
//! Always: TLS 1.3 alone; no session is resumed, because a resumed one would not be checked against a newer
//! list of revoked certificates; the own certificate, its key, the authority and the list fit each other,
//! or nothing of them is used. An own certificate that has expired is not refused here: the part goes on,
//! says so, and the others refuse it. Not here: when files are read again (`live`).

use crate::certificate::Certificate;
use crate::files::SecretReader;
use crate::identity::{CommunityId, Role};
use crate::live::LinkError;
use crate::verify::{ClientCheck, ServerCheck};
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, ClientConfig, RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Which files, and who opens the key.
pub(crate) struct Sources {
    /// Certificate and key; without them only others are checked.
    pub(crate) own: Option<(PathBuf, PathBuf)>,
    pub(crate) authority: PathBuf,
    pub(crate) revoked: Option<PathBuf>,
    pub(crate) reader: SecretReader,
}

impl Sources {
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let own = self.own.iter().flat_map(|(certificate, key)| [certificate, key]);
        own.chain([&self.authority]).chain(&self.revoked).map(PathBuf::as_path)
    }
}

/// A part's own certificate with its key.
pub(crate) struct Own {
    pub(crate) certificate: Certificate,
    pub(crate) key: Arc<CertifiedKey>,
}

/// Everything that connections are made with.
pub(crate) struct Material {
    pub(crate) own: Option<Arc<Own>>,
    pub(crate) authority: Certificate,
    pub(crate) provider: Arc<CryptoProvider>,
    clients: Arc<dyn ClientCertVerifier>,
    servers: Arc<WebPkiServerVerifier>,
    /// How connections are met: from anybody, and only from who shows a certificate.
    met: Option<[Arc<ServerConfig>; 2]>,
}

impl Material {
    /// Reads and checks everything, but for the own certificate and key where they are `known` already:
    /// decrypting a key may take a second.
    pub(crate) fn read(sources: &Sources, known: Option<Arc<Own>>) -> Result<Self, LinkError> {
        let provider = Arc::new(ring::default_provider());
        let (root, authority) = read_certificate(&sources.authority)?;
        let mut roots = RootCertStore::empty();
        roots.add(root).map_err(LinkError::at(&sources.authority))?;
        let roots = Arc::new(roots);
        let own = match (known, &sources.own) {
            (Some(known), _) => Some(known),
            (None, Some(files)) => Some(Arc::new(read_own(files, &provider, &sources.reader)?)),
            (None, None) => None,
        };
        if let (Some(own), Some((file, _))) = (&own, &sources.own) {
            check_own(own, &authority, &roots, &provider).map_err(LinkError::at(file))?;
        }
        let lists = sources.revoked.as_deref().map(read_list).transpose()?.unwrap_or_default();
        let clients = clients(&roots, &lists, &provider, false).map_err(LinkError::at(&sources.authority))?;
        if let Some(file) = &sources.revoked {
            check_list(own.as_deref(), &authority, &clients).map_err(LinkError::at(file))?;
        }
        let or_nobody = self::clients(&roots, &lists, &provider, true);
        let or_nobody = or_nobody.map_err(LinkError::at(&sources.authority))?;
        let servers = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).with_crls(lists);
        let servers = servers.build().map_err(LinkError::at(&sources.authority))?;
        let clients: Arc<dyn ClientCertVerifier> = Arc::new(ClientCheck::new(clients, authority.key_id));
        let or_nobody = Arc::new(ClientCheck::new(or_nobody, authority.key_id));
        let met = own.as_ref().map(|own| {
            [server_config(own, or_nobody, &provider), server_config(own, clients.clone(), &provider)]
        });
        Ok(Self { own, authority, provider, clients, servers, met })
    }

    /// The community.
    pub(crate) fn community(&self) -> CommunityId {
        self.authority.key_id
    }

    /// For connections that others make to this part; `None` where it has no certificate.
    pub(crate) fn server_config(&self, certificate_required: bool) -> Option<Arc<ServerConfig>> {
        self.met.as_ref().map(|met| met[usize::from(certificate_required)].clone())
    }

    /// For connections that this part makes to others in one of the roles.
    pub(crate) fn client_config(&self, roles: &[Role]) -> ClientConfig {
        let check = ServerCheck::new(self.servers.clone(), self.community(), roles);
        let config = client_builder(&self.provider, Arc::new(check));
        let mut config = match &self.own {
            Some(own) => config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own.key.clone()))),
            None => config.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        config
    }

    /// Whether who once proved to hold this certificate would still be let in.
    pub(crate) fn check_client(&self, certificate: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        self.clients.verify_client_cert(certificate, &[], UnixTime::now()).map(drop)
    }
}

fn server_config(
    own: &Own,
    clients: Arc<dyn ClientCertVerifier>,
    provider: &Arc<CryptoProvider>,
) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring has suites of TLS 1.3")
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own.key.clone())));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// What every client of this crate is built from.
pub(crate) fn client_builder(
    provider: &Arc<CryptoProvider>,
    check: Arc<dyn ServerCertVerifier>,
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring has suites of TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(check)
}

fn clients(
    roots: &Arc<RootCertStore>,
    lists: &[CertificateRevocationListDer<'static>],
    provider: &Arc<CryptoProvider>,
    or_nobody: bool,
) -> Result<Arc<dyn ClientCertVerifier>, rustls::server::VerifierBuilderError> {
    let builder = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
    let builder = builder.with_crls(lists.iter().cloned());
    if or_nobody { builder.allow_unauthenticated().build() } else { builder.build() }
}

fn read_file(path: &Path) -> Result<Vec<u8>, LinkError> {
    std::fs::read(path).map_err(LinkError::at(path))
}

fn read_certificate(path: &Path) -> Result<(CertificateDer<'static>, Certificate), LinkError> {
    let pem = read_file(path)?;
    let certificate = Certificate::from_pem(&pem).map_err(LinkError::at(path))?;
    let der = CertificateDer::from_pem_slice(&pem).map_err(LinkError::at(path))?;
    Ok((der, certificate))
}

fn read_list(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, LinkError> {
    let pem = read_file(path)?;
    let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(LinkError::at(path))?;
    if lists.is_empty() {
        return Err(LinkError::new(
            path,
            "there is no list in it (PEM, begins with -----BEGIN X509 CRL-----)",
        ));
    }
    Ok(lists)
}

fn read_own(
    (file, key_file): &(PathBuf, PathBuf),
    provider: &Arc<CryptoProvider>,
    reader: &SecretReader,
) -> Result<Own, LinkError> {
    let (der, certificate) = read_certificate(file)?;
    let pem = reader(key_file).map_err(|why| LinkError::new(key_file, why))?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        LinkError::new(
            key_file,
            "there is no private key in it (PEM, begins with -----BEGIN PRIVATE KEY-----)",
        )
    })?;
    let key = CertifiedKey::from_der(vec![der], key, provider);
    let key = key.map_err(|_| {
        LinkError::new(key_file, format!("it is not the key of the certificate in {}", file.display()))
    })?;
    Ok(Own { certificate, key: Arc::new(key) })
}

/// A moment at which both certificates are good, so that something else than the time is checked.
fn good_moment(own: &Certificate, authority: &Certificate) -> UnixTime {
    let from = own.not_before.max(authority.not_before);
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(from).unwrap_or(0)))
}

/// Whether the own certificate is of the authority and says what its holder is.
fn check_own(
    own: &Own,
    authority: &Certificate,
    roots: &Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
) -> Result<(), String> {
    let clients = clients(roots, &[], provider, false).map_err(|error| error.to_string())?;
    let check = ClientCheck::new(clients, authority.key_id);
    let at = good_moment(&own.certificate, authority);
    check
        .verify_client_cert(&own.key.cert[0], &[], at)
        .map(drop)
        .map_err(|error| format!("it is not a certificate of this community's authority ({error})"))
}

/// Whether the list is the authority's. Revocation of the own certificate is for the others to act on.
fn check_list(
    own: Option<&Own>,
    authority: &Certificate,
    clients: &Arc<dyn ClientCertVerifier>,
) -> Result<(), &'static str> {
    // Without a certificate to try it on, a foreign list lets nobody through, which is safe.
    let Some(own) = own else { return Ok(()) };
    let at = good_moment(&own.certificate, authority);
    match clients.verify_client_cert(&own.key.cert[0], &[], at) {
        Err(
            rustls::Error::InvalidCertRevocationList(_)
            | rustls::Error::InvalidCertificate(CertificateError::UnknownRevocationStatus),
        ) => Err("it is not a list of this community's authority"),
        _ => Ok(()),
    }
}
