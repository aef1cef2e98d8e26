//! Who is let in, and who is believed: one row a case.

use crate::fixture::{DAY, Part, Town, exchange, here, now, open, subject};
use std::sync::Arc;
use tokio_rustls::rustls;
use wattbook_link::authority::{AuthorityError, Validity};
use wattbook_link::{Authority, Certificate, Link, LinkError, Role, Subject, plain_files};

/// Who answers.
#[derive(Clone, Copy)]
enum Answers {
    Good,
    OtherAuthority,
    Home,
    HomeOnlyCalling,
    Storage,
    Expired,
    NotYet,
    OtherHost,
    Revoked,
}

/// Who calls.
#[derive(Clone, Copy)]
enum Calls {
    Home,
    Nobody,
    OtherAuthority,
    Expired,
    NotYet,
    Revoked,
}

/// Who answers, whether a certificate is required there, who calls, what comes of it: the beginning of the
/// answer, or the code of the failure.
const RULES: &[(Answers, bool, Calls, &str)] = {
    use Answers as A;
    use Calls as C;
    &[
        (A::Good, true, C::Home, "hello from wattbook://"),
        (A::Good, false, C::Home, "hello from wattbook://"),
        (A::Good, false, C::Nobody, "hello from somebody"),
        (A::Good, true, C::Nobody, "certificate-required"),
        (A::Good, true, C::OtherAuthority, "certificate-refused"),
        (A::Good, false, C::OtherAuthority, "certificate-refused"),
        (A::Good, true, C::Expired, "certificate-refused"),
        (A::Good, true, C::NotYet, "certificate-refused"),
        (A::Good, true, C::Revoked, "certificate-refused"),
        (A::Good, false, C::Revoked, "certificate-refused"),
        (A::OtherAuthority, true, C::Home, "certificate-unknown-authority"),
        (A::Home, true, C::Home, "certificate-wrong-role"),
        (A::HomeOnlyCalling, true, C::Home, "certificate-wrong-purpose"),
        (A::Storage, true, C::Home, "certificate-wrong-role"),
        (A::Expired, true, C::Home, "certificate-expired"),
        (A::NotYet, true, C::Home, "certificate-not-yet-valid"),
        (A::OtherHost, true, C::Home, "certificate-wrong-name"),
        (A::Revoked, true, C::Home, "certificate-revoked"),
    ]
};

/// An authority is five minutes older than it is, and no certificate older than its authority.
fn past() -> Validity {
    Validity { from: now() - 200, until: now() - 100 }
}

fn to_come() -> Validity {
    Validity { from: now() + DAY, until: now() + 10 * DAY }
}

/// Certificates of everybody in the table.
struct Scene {
    ours: Town,
    theirs: Town,
}

impl Scene {
    fn new() -> Self {
        let mut scene = Self { ours: Town::new(), theirs: Town::new() };
        let ours = &mut scene.ours;
        for (role, name) in
            [(Role::Server, "good"), (Role::Server, "revoked"), (Role::Storage, "good"), (Role::Home, "page")]
        {
            ours.issue(&here(role, name));
        }
        ours.issue_for(&here(Role::Server, "expired"), past());
        ours.issue_for(&here(Role::Server, "notyet"), to_come());
        ours.issue(&subject(Role::Server, "elsewhere", &["192.0.2.1", "elsewhere.example"]));
        ours.issue(&subject(Role::Home, "home", &[]));
        ours.issue(&subject(Role::Home, "revoked", &[]));
        ours.issue_for(&subject(Role::Home, "expired", &[]), past());
        ours.issue_for(&subject(Role::Home, "notyet", &[]), to_come());
        ours.revoke(Role::Server, "revoked");
        ours.revoke(Role::Home, "revoked");
        scene.theirs.issue(&here(Role::Server, "good"));
        scene.theirs.issue(&subject(Role::Home, "home", &[]));
        scene
    }

    fn answers(&self, who: Answers) -> Arc<Link> {
        let (town, role, name) = match who {
            Answers::Good => (&self.ours, Role::Server, "good"),
            Answers::OtherAuthority => (&self.theirs, Role::Server, "good"),
            Answers::Home => (&self.ours, Role::Home, "page"),
            Answers::HomeOnlyCalling => (&self.ours, Role::Home, "home"),
            Answers::Storage => (&self.ours, Role::Storage, "good"),
            Answers::Expired => (&self.ours, Role::Server, "expired"),
            Answers::NotYet => (&self.ours, Role::Server, "notyet"),
            Answers::OtherHost => (&self.ours, Role::Server, "elsewhere"),
            Answers::Revoked => (&self.ours, Role::Server, "revoked"),
        };
        open(&town.files(role, name))
    }

    fn calls(&self, who: Calls) -> rustls::ClientConfig {
        let name = match who {
            Calls::Home => "home",
            Calls::Expired => "expired",
            Calls::NotYet => "notyet",
            Calls::Revoked => "revoked",
            Calls::Nobody => {
                let link = Link::trusting(&self.ours.path("ca.crt"), Some(&self.ours.path("revoked.pem")));
                return link.expect("good files").client(&[Role::Server]);
            }
            // Trusts whom he attacks, but shows what his own authority gave him.
            Calls::OtherAuthority => return mixed(&self.theirs.files(Role::Home, "home"), &self.ours),
        };
        open(&self.ours.files(Role::Home, name)).client(&[Role::Server])
    }
}

/// A client that shows one community's certificate and trusts another's authority.
fn mixed(own: &wattbook_link::Files, trusted: &Town) -> rustls::ClientConfig {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted.path("ca.crt")).expect("a certificate")).expect("a root");
    let chain = vec![CertificateDer::from_pem_file(&own.certificate).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_file(&own.key).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("suites")
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .expect("a certificate")
}

#[tokio::test]
async fn f23_p7_who_is_let_in_and_who_is_believed() {
    let scene = Scene::new();
    for (row, &(answers, required, calls, expected)) in RULES.iter().enumerate() {
        let link = scene.answers(answers);
        let part = match answers {
            Answers::HomeOnlyCalling => Part::start_by_force(&link).await,
            _ => Part::start(&link, required).await,
        };
        let came = exchange(part.address, "127.0.0.1", scene.calls(calls)).await;
        let told = match &came {
            Ok(answer) => answer.as_str(),
            Err(failure) => failure.code(),
        };
        assert!(told.starts_with(expected), "row {row}: expected {expected}, got {came:?}");
    }
}

#[tokio::test]
async fn f23_a_client_without_certificates_says_what_is_missing() {
    let mut town = Town::new();
    let link = open(&town.issue(&here(Role::Server, "good")));
    let part = Part::start(&link, false).await;
    let failure = exchange(part.address, "127.0.0.1", wattbook_link::nobody()).await.expect_err("refused");
    assert_eq!(failure.code(), "no-certificates");
}

#[tokio::test]
async fn f23_a_client_of_tls_1_2_is_refused() {
    let mut town = Town::new();
    let link = open(&town.issue(&here(Role::Server, "good")));
    let part = Part::start(&link, false).await;
    let mut roots = rustls::RootCertStore::empty();
    use rustls::pki_types::pem::PemObject;
    let root = rustls::pki_types::CertificateDer::from_pem_file(town.path("ca.crt")).expect("a certificate");
    roots.add(root).expect("a root");
    let old = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("suites of TLS 1.2")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let failure = exchange(part.address, "127.0.0.1", old).await.expect_err("refused");
    assert_eq!(failure.code(), "old-protocol", "{failure}");
}

#[test]
fn p7_what_an_authority_writes_it_reads_again() {
    let town = Town::new();
    let again =
        Authority::load(town.authority.certificate_pem().as_bytes(), town.authority.key_pem().as_bytes())
            .expect("its own files");
    assert_eq!(again.community(), town.authority.community());
    let issued = again.issue(&here(Role::Storage, "battery")).expect("a certificate");
    let read = Certificate::from_pem(issued.certificate_pem.as_bytes()).expect("readable");
    assert_eq!(read, issued.certificate);
    assert_eq!(read.hosts, ["127.0.0.1", "localhost"]);
    assert_eq!(read.identities[0].name, "battery");
    let other = Authority::new("another").expect("an authority");
    let mixed = Authority::load(town.authority.certificate_pem().as_bytes(), other.key_pem().as_bytes());
    assert!(matches!(mixed, Err(AuthorityError::OtherKey)));
}

#[test]
fn p7_a_leaf_does_not_outlive_its_authority() {
    let town = Town::new();
    let long = Validity { from: now(), until: now() + 36_500 * DAY };
    let issued = town.authority.issue_for_time(&here(Role::Server, "a"), long).expect("a certificate");
    assert_eq!(issued.certificate.not_after, town.authority.certificate().not_after);
}

#[test]
fn p7_a_renewed_certificate_keeps_key_and_names() {
    let mut town = Town::new();
    let subject = here(Role::Server, "a");
    let files = town.issue_for(&subject, past());
    let old = std::fs::read(&files.certificate).expect("a file");
    let (pem, renewed) = town.authority.renew(&subject, &old, Validity::default()).expect("renewed");
    let before = Certificate::from_pem(&old).expect("readable");
    assert_eq!((&renewed.key_id, &renewed.identities), (&before.key_id, &before.identities));
    assert_ne!(renewed.serial, before.serial);
    std::fs::write(&files.certificate, pem).expect("a file");
    open(&files);
    let other = Authority::new("another").expect("an authority");
    assert!(matches!(other.renew(&subject, &old, Validity::default()), Err(AuthorityError::NotOurs { .. })));
}

/// A subject | why it gets no certificate.
#[test]
fn p7_who_gets_no_certificate() {
    let town = Town::new();
    let rows = [
        (subject(Role::Server, "a", &[]), "no host name"),
        (subject(Role::Server, "a b", &["localhost"]), "no name"),
        (subject(Role::Server, "", &["localhost"]), "no name"),
        (subject(Role::Server, "a", &["no host"]), "neither a host name"),
        (Subject { accounts: vec![], ..subject(Role::Home, "a", &[]) }, "no account"),
        (Subject { accounts: vec!["x/server/y".to_owned()], ..subject(Role::Member, "a", &[]) }, "no name"),
    ];
    for (subject, why) in rows {
        let error = town.authority.issue(&subject).err().expect("refused");
        assert!(error.to_string().contains(why), "{subject:?}: {error}");
    }
}

#[test]
fn p7_files_that_do_not_fit_are_named() {
    let (mut ours, mut theirs) = (Town::new(), Town::new());
    let good = ours.issue(&here(Role::Server, "good"));
    let foreign = theirs.issue(&here(Role::Server, "good"));
    std::fs::write(ours.path("empty"), "").expect("a file");
    let with = |change: &dyn Fn(&mut wattbook_link::Files)| {
        let mut files = good.clone();
        change(&mut files);
        let error: LinkError = Link::open(&files, plain_files()).expect_err("refused");
        error.to_string()
    };
    let empty = ours.path("empty");
    let rows = [
        (with(&|files| files.certificate = empty.clone()), "there is no certificate in it"),
        (with(&|files| files.certificate = ours.path("missing")), "No such file"),
        (with(&|files| files.key = empty.clone()), "there is no private key in it"),
        (with(&|files| files.key = foreign.key.clone()), "not the key of the certificate"),
        (with(&|files| files.authority = foreign.authority.clone()), "not a certificate of this community"),
        (with(&|files| files.revoked = Some(empty.clone())), "there is no list in it"),
        (with(&|files| files.revoked = foreign.revoked.clone()), "not a list of this community's authority"),
    ];
    for (words, expected) in rows {
        assert!(words.contains(expected), "{expected}: {words}");
    }
}
