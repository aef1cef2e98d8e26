//! A connection that somebody made to a part, plain or protected, and who it is.

use crate::certificate::Certificate;
use crate::identity::{Identity, Role};
use crate::live::Link;
use rustls::pki_types::CertificateDer;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Who is at the other end of a connection. Stands among the extensions of every request.
#[derive(Clone, Debug)]
pub struct Peer {
    address: SocketAddr,
    is_protected: bool,
    proof: Option<Arc<Proof>>,
}

/// What the other end showed, and by what it is judged.
#[derive(Debug)]
struct Proof {
    der: CertificateDer<'static>,
    certificate: Certificate,
    link: Arc<Link>,
    /// The generation of certificates and lists by which it was found good.
    generation: std::sync::atomic::AtomicU64,
}

impl Peer {
    /// Somebody at a plain port.
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, is_protected: false, proof: None }
    }

    /// Somebody at a protected port who showed no certificate.
    pub(crate) fn unknown(address: SocketAddr) -> Self {
        Self { address, is_protected: true, proof: None }
    }

    pub(crate) fn proven(
        address: SocketAddr,
        der: CertificateDer<'static>,
        link: Arc<Link>,
        at: u64,
    ) -> Self {
        let proof = Certificate::from_der(&der).ok().map(|certificate| {
            let generation = std::sync::atomic::AtomicU64::new(at);
            Arc::new(Proof { der, certificate, link, generation })
        });
        Self { address, is_protected: true, proof }
    }

    /// Where it connects from.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether what it sends is encrypted. A plain port is open to this machine only.
    pub fn is_protected(&self) -> bool {
        self.is_protected
    }

    /// Its identities as the authority confirmed them; none without a certificate.
    pub fn identities(&self) -> &[Identity] {
        self.proof.as_ref().map_or(&[], |proof| &proof.certificate.identities)
    }

    /// Its role, if it showed a certificate.
    pub fn role(&self) -> Option<Role> {
        self.identities().first().map(|identity| identity.role)
    }

    /// Whether its certificate names this account, in this role.
    pub fn is(&self, role: Role, account: &str) -> bool {
        self.identities().iter().any(|identity| identity.role == role && identity.name == account)
    }

    /// Whether its certificate is still good: not ended meanwhile, and not on a list that came meanwhile.
    /// Cheap where nothing changed. To be asked before each request of a connection.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn check(&self) -> Result<(), rustls::Error> {
        use std::sync::atomic::Ordering;
        let Some(proof) = &self.proof else { return Ok(()) };
        let generation = proof.link.generation();
        let same = generation == proof.generation.load(Ordering::Relaxed);
        if !same || crate::authority::unix_now() > proof.certificate.not_after {
            proof.link.check_client(&proof.der)?;
            proof.generation.store(generation, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// A connection.
pub struct Stream {
    pub(crate) peer: Peer,
    pub(crate) inner: Inner,
}

pub(crate) enum Inner {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// A connection as it is, without protection.
    pub fn plain(stream: TcpStream, address: SocketAddr) -> Self {
        Self { peer: Peer::plain(address), inner: Inner::Plain(stream) }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}

/// Does the same with whichever kind of connection it is.
macro_rules! either {
    ($stream:expr, $inner:ident => $do:expr) => {
        match &mut $stream.get_mut().inner {
            Inner::Plain($inner) => {
                let $inner = Pin::new($inner);
                $do
            }
            Inner::Tls($inner) => {
                let $inner = Pin::new(&mut **$inner);
                $do
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, inner => inner.poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, inner => inner.poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, inner => inner.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, inner => inner.poll_shutdown(context))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, inner => inner.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.inner {
            Inner::Plain(inner) => inner.is_write_vectored(),
            Inner::Tls(inner) => inner.is_write_vectored(),
        }
    }
}
