//! Protected links between the parts of a community: certificates, TLS, renewal and revocation.
