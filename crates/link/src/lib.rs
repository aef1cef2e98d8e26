//! Protected links between the parts of a community: certificates, TLS, renewal and revocation.
//!
//! `authority` issues, renews and revokes what `identity` says about a party; `register` is its book. A part
//! names its `files` in its configuration.
//!
//! Always: TLS 1.3, both ends with certificates of one authority, the community's own; who may do what
//! depends on the certificate's role, not on its host names. Not here: who is allowed what (the parts
//! themselves), how key files are encrypted (crate `setup`), and the links of servers among themselves, which
//! the consensus library authenticates and encrypts with the servers' signing keys.

pub mod authority;
mod certificate;
mod files;
mod identity;
pub mod register;

pub use authority::{Authority, Issued, Subject};
pub use certificate::{Certificate, CertificateError};
pub use files::{Files, SecretReader, plain_files};
pub use identity::{CommunityId, Identity, ParseIdentityError, Role};
pub use register::Register;
