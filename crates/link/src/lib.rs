//! Protected links between the parts of a community: certificates, TLS, renewal and revocation.
//!
//! `authority` issues, renews and revokes what `identity` says about a party; `register` is its book. A part
//! names its `files` in its configuration; `live` reads them (`material`), checks others by them (`verify`)
//! and takes up what changes. `listen` takes connections, `stream` says who is at their other end, `failure`
//! why one did not come about, `describe` how each link of a part is protected, `host` by which names a plain
//! port may be called; `network` counts by network.
//!
//! Always: TLS 1.3, both ends with certificates of one authority, the community's own; who may do what
//! depends on the certificate's role, not on its host names. Not here: who is allowed what (the parts
//! themselves), how key files are encrypted (crate `setup`), and the links of servers among themselves, which
//! the consensus library authenticates and encrypts with the servers' signing keys.

pub mod authority;
mod certificate;
pub mod describe;
mod failure;
mod files;
#[cfg(feature = "fixture")]
pub mod fixture;
mod host;
mod identity;
mod listen;
mod live;
mod material;
mod network;
pub mod register;
mod stream;
mod verify;

pub use authority::{Authority, Issued, Subject};
pub use certificate::{Certificate, CertificateError};
pub use failure::Failure;
pub use files::{Files, SecretReader, plain_files};
pub use host::{FOREIGN_HOST, is_for_this_machine};
pub use identity::{CommunityId, Identity, ParseIdentityError, Role};
pub use listen::{Handshakes, Listener};
pub use live::{Link, LinkError, date};
pub use network::{NetworkPlace, Networks};
pub use register::Register;
pub use stream::{Peer, Stream};
pub use verify::{NoCertificates, WrongHolder};

use rustls::ClientConfig;
use std::sync::Arc;

/// What a client without certificates of a community is given: it reaches nobody by TLS, and says why.
pub fn nobody() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    material::client_builder(&provider, Arc::new(verify::NobodyBelieved)).with_no_client_auth()
}
