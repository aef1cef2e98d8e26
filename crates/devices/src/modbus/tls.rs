//! TLS around Modbus: certificates as PEM files, both ends authenticated.
//!
//! Always: a client shows a certificate and checks the server's name and issuer; a server takes only
//! clients whose certificate its authority issued; TLS 1.2 and 1.3, as devices in the field have either.
//! Not here: where certificates come from (crate `link`).

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{Accept, TlsAcceptor, TlsConnector, client, server};

/// The files of one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authority that the far end's certificate must come from.
    pub authority: PathBuf,
    /// The own certificate, with what lies between it and its authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// How a link or a server is protected.
#[derive(Clone)]
pub enum Guard {
    /// A client's end, with the name that the server's certificate must have.
    Client(Arc<ClientConfig>, ServerName<'static>),
    /// A server's end.
    Server(Arc<ServerConfig>),
}

impl Guard {
    /// A client's end.
    ///
    /// # Errors
    /// What is wrong with the files or the name, in words.
    pub fn client(files: &TlsFiles, name: &str) -> Result<Self, String> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(files.roots()?)
            .with_client_auth_cert(files.chain()?, files.key()?)
            .map_err(|error| format!("the certificate in {}: {error}", files.certificate.display()))?;
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| format!("{name:?} is no name that a certificate could have"))?;
        Ok(Self::Client(Arc::new(config), name))
    }

    /// A server's end: clients without a certificate of the authority are turned away.
    ///
    /// # Errors
    /// What is wrong with the files, in words.
    pub fn server(files: &TlsFiles) -> Result<Self, String> {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(files.roots()?), provider())
            .build()
            .map_err(|error| format!("the authority in {}: {error}", files.authority.display()))?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_client_cert_verifier(verifier)
            .with_single_cert(files.chain()?, files.key()?)
            .map_err(|error| format!("the certificate in {}: {error}", files.certificate.display()))?;
        Ok(Self::Server(Arc::new(config)))
    }

    pub(super) async fn connect(&self, stream: TcpStream) -> io::Result<client::TlsStream<TcpStream>> {
        let Self::Client(config, name) = self else {
            return Err(io::Error::other("a server's certificate is none to connect with"));
        };
        TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream).await
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl TlsFiles {
    fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.authority)? {
            roots.add(certificate).map_err(|error| format!("{}: {error}", self.authority.display()))?;
        }
        Ok(roots)
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        certificates(&self.certificate)
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, String> {
        PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| format!("the key in {} cannot be read: {error}", self.key.display()))
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let cannot = |error| format!("the certificates in {} cannot be read: {error}", file.display());
    let read = CertificateDer::pem_file_iter(file).map_err(cannot)?;
    let all = read.collect::<Result<Vec<_>, _>>().map_err(cannot)?;
    if all.is_empty() { Err(format!("{} holds no certificate", file.display())) } else { Ok(all) }
}

/// A connection that came in. Its handshake is part of its first read, so that who takes connections waits
/// for nobody.
pub(super) enum Incoming {
    Plain(TcpStream),
    Shaking(Box<Accept<TcpStream>>),
    Open(Box<server::TlsStream<TcpStream>>),
}

impl Incoming {
    pub(super) fn new(stream: TcpStream, guard: Option<&Guard>) -> Self {
        match guard {
            Some(Guard::Server(config)) => {
                Self::Shaking(Box::new(TlsAcceptor::from(Arc::clone(config)).accept(stream)))
            }
            _ => Self::Plain(stream),
        }
    }

    /// What carries the words, once the handshake is over.
    fn open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Pin<&mut dyn Stream>>> {
        if let Self::Shaking(accept) = self {
            let stream = ready!(Pin::new(&mut **accept).poll(context))?;
            *self = Self::Open(Box::new(stream));
        }
        Poll::Ready(match self {
            Self::Plain(stream) => Ok(Pin::new(stream)),
            Self::Open(stream) => Ok(Pin::new(&mut **stream)),
            Self::Shaking(_) => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

impl AsyncRead for Incoming {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.open(context))?.poll_read(context, into)
    }
}

impl AsyncWrite for Incoming {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.open(context))?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.open(context))?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.open(context))?.poll_shutdown(context)
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Incoming")
    }
}
