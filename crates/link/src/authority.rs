//! The community's own certificate authority: one root key that signs what parties are.
//!
//! Always: ECDSA P-256 with SHA-256, which OpenSSL 3 and browsers take; serial numbers are random; a leaf
//! signs nothing and does not outlive the authority. Members' certificates, and those of homes without host
//! names, are for clients only; servers, storage sides and homes that serve pages to their network answer as
//! well. That a home's certificate may answer is why whoever calls checks the role of whom it reached.
//! Not here: files, encryption of the authority's key, and who was issued what (`register`).

use crate::certificate::{Certificate, CertificateError};
use crate::identity::{CommunityId, Identity, ParseIdentityError, Role, check_name};
use crate::register::Register;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose as Usage, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData,
    RevokedCertParams, SanType, SerialNumber, SubjectPublicKeyInfo,
};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// Seconds in a day.
const DAY_S: i64 = 86_400;
/// How long an authority lives, in days.
const AUTHORITY_DAYS: i64 = 3_652;
/// How long a party's certificate lives unless said otherwise, in days: a year and a month's grace.
pub const LEAF_DAYS: u16 = 398;
/// Certificates begin so much before they are issued, because clocks differ.
const CLOCK_SKEW_S: i64 = 300;
/// The longest name of an organisation in a certificate (RFC 5280, appendix A.1).
const LONGEST_ORGANISATION: usize = 64;
/// Bytes of a serial number.
const SERIAL_BYTES: usize = 16;

/// Why an authority could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Its own files cannot be used.
    #[error("the authority cannot be read: {why}")]
    Unreadable {
        /// What is wrong.
        why: String,
    },
    /// Key and certificate are not of each other.
    #[error("the authority's key is not the key of its certificate")]
    OtherKey,
    /// A name or account that cannot stand in a certificate.
    #[error(transparent)]
    Name(#[from] ParseIdentityError),
    /// A host name that cannot stand in a certificate.
    #[error("{host:?} is neither a host name nor an address")]
    Host {
        /// The host.
        host: String,
    },
    /// A home or member without an account.
    #[error("{name} has no account: the certificate of a {role} names at least one")]
    NoAccount {
        /// Who.
        name: String,
        /// In which role.
        role: Role,
    },
    /// A server or storage side that nobody could reach.
    #[error("{name} has no host name or address: others reach a {role} by one")]
    NoHost {
        /// Who.
        name: String,
        /// In which role.
        role: Role,
    },
    /// A certificate that cannot be renewed.
    #[error("the certificate cannot be renewed: {why}")]
    NotOurs {
        /// What is wrong.
        why: String,
    },
    /// Making or signing it failed.
    #[error("no certificate could be made: {0}")]
    Signing(#[from] rcgen::Error),
}

impl From<CertificateError> for AuthorityError {
    fn from(error: CertificateError) -> Self {
        Self::Unreadable { why: error.to_string() }
    }
}

/// Whom a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The role.
    pub role: Role,
    /// The party's name.
    pub name: String,
    /// The accounts of a home or member, as the ledger writes them; none for a server or storage side.
    pub accounts: Vec<String>,
    /// Host names and addresses by which it is reached; none where nobody connects to it.
    pub hosts: Vec<String>,
}

/// A certificate as issued.
pub struct Issued {
    /// The certificate (PEM).
    pub certificate_pem: String,
    /// Its private key (PEM).
    pub key_pem: Zeroizing<String>,
    /// What the certificate says.
    pub certificate: Certificate,
}

/// Between when and when a certificate is good, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub from: i64,
    /// The last second.
    pub until: i64,
}

impl Validity {
    /// From now on for so many days.
    pub fn days(days: u16) -> Self {
        Self::for_days(i64::from(days))
    }

    fn for_days(days: i64) -> Self {
        let now = unix_now();
        Self { from: now - CLOCK_SKEW_S, until: now + days * DAY_S }
    }
}

impl Default for Validity {
    fn default() -> Self {
        Self::days(LEAF_DAYS)
    }
}

/// Seconds since 1970 by the system's clock.
pub(crate) fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A community's certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    certificate: Certificate,
}

impl Authority {
    /// A new one for the community of this name, good for ten years.
    ///
    /// # Errors
    /// Where the machine gives no randomness.
    pub fn new(community: &str) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        // With the key's hash in it: communities of one name are told apart by their authorities' names.
        let id = CommunityId::of_public_key(&key.subject_public_key_info());
        let organisation: String = community.chars().take(LONGEST_ORGANISATION).collect();
        params.distinguished_name.push(DnType::OrganizationName, organisation);
        params.distinguished_name.push(DnType::CommonName, format!("authority {id}"));
        params.serial_number = Some(fresh_serial()?);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, Validity::for_days(AUTHORITY_DAYS))?;
        let root = params.self_signed(&key)?;
        let certificate = Certificate::from_der(root.der())?;
        Ok(Self { certificate_pem: root.pem(), certificate, issuer: Issuer::new(params, key) })
    }

    /// One from its certificate and its key, both PEM.
    ///
    /// # Errors
    /// Where they cannot be read or are not of each other.
    pub fn load(certificate_pem: &[u8], key_pem: &[u8]) -> Result<Self, AuthorityError> {
        let unreadable =
            |error: &dyn std::error::Error| AuthorityError::Unreadable { why: error.to_string() };
        let text = std::str::from_utf8(certificate_pem).map_err(|error| unreadable(&error))?;
        let key_text = std::str::from_utf8(key_pem).map_err(|error| unreadable(&error))?;
        let key = KeyPair::from_pem(key_text).map_err(|error| unreadable(&error))?;
        let der = CertificateDer::from_pem_slice(certificate_pem).map_err(|error| unreadable(&error))?;
        let certificate = Certificate::from_der(&der)?;
        if CommunityId::of_public_key(&key.subject_public_key_info()) != certificate.key_id {
            return Err(AuthorityError::OtherKey);
        }
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(|error| unreadable(&error))?;
        Ok(Self { issuer, certificate_pem: text.to_owned(), certificate })
    }

    /// Its certificate (PEM), which every party gets.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Its private key (PEM), which no party gets.
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// Which community it vouches for.
    pub fn community(&self) -> CommunityId {
        self.certificate.key_id
    }

    /// What its certificate says.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// A certificate with a new key, for the usual time.
    ///
    /// # Errors
    /// Where a name, account or host cannot stand in it.
    pub fn issue(&self, subject: &Subject) -> Result<Issued, AuthorityError> {
        self.issue_for_time(subject, Validity::default())
    }

    /// The same for another time.
    ///
    /// # Errors
    /// As [`Authority::issue`].
    pub fn issue_for_time(&self, subject: &Subject, validity: Validity) -> Result<Issued, AuthorityError> {
        let key = KeyPair::generate()?;
        let (certificate_pem, certificate) = self.sign(subject, &key, validity)?;
        Ok(Issued { certificate_pem, key_pem: Zeroizing::new(key.serialize_pem()), certificate })
    }

    /// A certificate for somebody who keeps the private key and sent only the public one (PEM).
    ///
    /// # Errors
    /// As [`Authority::issue`], or where the key cannot be read.
    pub fn issue_for_key(
        &self,
        subject: &Subject,
        public_key_pem: &str,
        validity: Validity,
    ) -> Result<(String, Certificate), AuthorityError> {
        let key = SubjectPublicKeyInfo::from_pem(public_key_pem)?;
        self.sign(subject, &key, validity)
    }

    /// A new certificate for the holder and the key of a present one: only the time and the number differ.
    ///
    /// # Errors
    /// Where the present one is not of this authority.
    pub fn renew(
        &self,
        subject: &Subject,
        certificate_pem: &[u8],
        validity: Validity,
    ) -> Result<(String, Certificate), AuthorityError> {
        let not_ours = |error: &dyn ToString| AuthorityError::NotOurs { why: error.to_string() };
        let der = CertificateDer::from_pem_slice(certificate_pem).map_err(|error| not_ours(&error))?;
        let old = Certificate::from_der(&der).map_err(|error| not_ours(&error))?;
        let is_ours =
            |identity: &Identity| identity.community == self.community() && identity.role == subject.role;
        if !self.has_signed(&der) {
            return Err(not_ours(&"this community's authority has not signed it"));
        }
        if old.identities.is_empty() || !old.identities.iter().all(is_ours) {
            return Err(not_ours(&format!("it is not of a {} of this community", subject.role)));
        }
        let names = match subject.role {
            Role::Server | Role::Storage => std::slice::from_ref(&subject.name),
            Role::Home | Role::Member => &subject.accounts,
        };
        if !old.identities.iter().map(|identity| &identity.name).eq(names) {
            return Err(not_ours(&format!("it is not of {}", subject.name)));
        }
        let key = public_key(&der).map_err(|error| not_ours(&error))?;
        self.sign(subject, &key, validity)
    }

    /// Whether this authority's key has signed a certificate.
    fn has_signed(&self, certificate: &CertificateDer<'_>) -> bool {
        use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
        use x509_parser::prelude::{FromDer, X509Certificate};
        let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return false };
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, self.issuer.key().der_bytes());
        key.verify(parsed.tbs_certificate.as_ref(), &parsed.signature_value.data).is_ok()
    }

    /// The list of what is revoked (PEM), signed now.
    ///
    /// # Errors
    /// Where signing fails.
    pub fn crl_pem(&self, register: &Register) -> Result<String, AuthorityError> {
        let revoked = register.revoked().map(|row| {
            let unreadable =
                |serial| AuthorityError::Unreadable { why: format!("{serial:?} is no serial number") };
            let (serial, at) = row.map_err(unreadable)?;
            let (serial_number, revocation_time) = (SerialNumber::from_slice(&serial), moment(at)?);
            Ok(RevokedCertParams { serial_number, revocation_time, reason_code: None, invalidity_date: None })
        });
        let params = CertificateRevocationListParams {
            this_update: moment(unix_now() - CLOCK_SKEW_S)?,
            // Lists are brought to the parties, not fetched: the present one holds until there is another.
            next_update: moment(self.certificate.not_after)?,
            crl_number: SerialNumber::from_slice(&register.list_number().to_be_bytes()),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect::<Result<_, AuthorityError>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(params.signed_by(&self.issuer)?.pem()?)
    }

    fn sign(
        &self,
        subject: &Subject,
        key: &impl PublicKeyData,
        validity: Validity,
    ) -> Result<(String, Certificate), AuthorityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        check_name(&subject.name)?;
        params.distinguished_name.push(DnType::CommonName, subject.name.as_str());
        params.serial_number = Some(fresh_serial()?);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = usages(subject);
        params.use_authority_key_identifier_extension = true;
        params.subject_alt_names = self.names(subject)?;
        let until = validity.until.min(self.certificate.not_after);
        set_validity(&mut params, Validity { until, ..validity })?;
        let signed = params.signed_by(key, &self.issuer)?;
        Ok((signed.pem(), Certificate::from_der(signed.der())?))
    }

    /// The identities and the hosts of a subject, as they stand in a certificate.
    fn names(&self, subject: &Subject) -> Result<Vec<SanType>, AuthorityError> {
        let Subject { role, name, .. } = subject;
        let names = match role {
            Role::Server | Role::Storage if subject.hosts.is_empty() => {
                return Err(AuthorityError::NoHost { name: name.clone(), role: *role });
            }
            Role::Server | Role::Storage => std::slice::from_ref(name),
            Role::Home | Role::Member if subject.accounts.is_empty() => {
                return Err(AuthorityError::NoAccount { name: name.clone(), role: *role });
            }
            Role::Home | Role::Member => &subject.accounts,
        };
        let mut san = Vec::new();
        for name in names {
            check_name(name)?;
            let identity = Identity { community: self.community(), role: *role, name: name.clone() };
            san.push(SanType::URI(identity.to_string().try_into()?));
        }
        for host in &subject.hosts {
            san.push(host_name(host)?);
        }
        Ok(san)
    }
}

/// A new key whose certificate somebody else will issue: the private key and the public one, both PEM.
///
/// # Errors
/// Where the machine gives no randomness.
pub fn new_key() -> Result<(Zeroizing<String>, String), AuthorityError> {
    let key = KeyPair::generate()?;
    Ok((Zeroizing::new(key.serialize_pem()), key.public_key_pem()))
}

/// What a certificate may be used for.
fn usages(subject: &Subject) -> Vec<Usage> {
    match subject.role {
        Role::Server | Role::Storage => vec![Usage::ServerAuth, Usage::ClientAuth],
        Role::Home if !subject.hosts.is_empty() => vec![Usage::ServerAuth, Usage::ClientAuth],
        Role::Home | Role::Member => vec![Usage::ClientAuth],
    }
}

fn host_name(host: &str) -> Result<SanType, AuthorityError> {
    let bad = || AuthorityError::Host { host: host.to_owned() };
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => {
            rustls::pki_types::DnsName::try_from(host).map_err(|_| bad())?;
            Ok(SanType::DnsName(host.try_into().map_err(|_| bad())?))
        }
    }
}

fn public_key(certificate: &CertificateDer<'_>) -> Result<SubjectPublicKeyInfo, rcgen::Error> {
    use x509_parser::prelude::{FromDer, X509Certificate};
    let parsed =
        X509Certificate::from_der(certificate).map_err(|_| rcgen::Error::CouldNotParseCertificate)?;
    SubjectPublicKeyInfo::from_der(parsed.1.public_key().raw)
}

fn set_validity(params: &mut CertificateParams, validity: Validity) -> Result<(), AuthorityError> {
    params.not_before = moment(validity.from)?;
    params.not_after = moment(validity.until)?;
    Ok(())
}

fn moment(seconds: i64) -> Result<OffsetDateTime, AuthorityError> {
    OffsetDateTime::from_unix_timestamp(seconds)
        .map_err(|error| AuthorityError::Unreadable { why: error.to_string() })
}

/// A number that nobody guesses and that was never given before.
fn fresh_serial() -> Result<SerialNumber, rcgen::Error> {
    let mut bytes = [0; SERIAL_BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| rcgen::Error::RingUnspecified)?;
    // Positive and of full length, whatever reads it.
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}
