//! Renewal and revocation while parts run.

use crate::fixture::{Call, Part, Town, exchange, here, open, subject};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wattbook_link::authority::Validity;
use wattbook_link::{Certificate, Link, Role, SecretReader, plain_files};

/// The serial number of the certificate that a part answers with.
async fn serial_at(part: &Part, link: &Link) -> String {
    use tokio_rustls::rustls::pki_types::ServerName;
    let tcp = tokio::net::TcpStream::connect(part.address).await.expect("a connection");
    let config = std::sync::Arc::new(link.client(&[Role::Server]));
    let name = ServerName::try_from("127.0.0.1").expect("a host");
    let tls = tokio_rustls::TlsConnector::from(config).connect(name, tcp).await.expect("protected");
    let chain = tls.get_ref().1.peer_certificates().expect("a chain");
    Certificate::from_der(&chain[0]).expect("readable").serial
}

#[tokio::test]
async fn p7_a_renewed_certificate_is_taken_up_and_open_connections_go_on() {
    let mut town = Town::new();
    let server = here(Role::Server, "good");
    let files = town.issue(&server);
    let link = open(&files);
    let home = open(&town.issue(&subject(Role::Home, "home", &[])));
    let part = Part::start(&link, true).await;
    let mut before = Call::to(part.address, "127.0.0.1", home.client(&[Role::Server])).await.expect("let in");
    before.say("one").await.expect("an answer");
    let first = serial_at(&part, &home).await;

    let old = std::fs::read(&files.certificate).expect("a file");
    let (pem, renewed) = town.authority.renew(&server, &old, Validity::default()).expect("renewed");
    std::fs::write(&files.certificate, pem).expect("a file");
    link.look();

    assert_eq!(serial_at(&part, &home).await, renewed.serial);
    assert_ne!(first, renewed.serial);
    assert!(before.say("two").await.expect("the old connection goes on").starts_with("two from wattbook"));
}

#[tokio::test]
async fn p7_f23_who_is_revoked_is_shut_out_even_of_an_open_connection() {
    let mut town = Town::new();
    let link = open(&town.issue(&here(Role::Server, "good")));
    let home = open(&town.issue(&subject(Role::Home, "home", &[])));
    let other = open(&town.issue(&subject(Role::Home, "other-one", &[])));
    let part = Part::start(&link, true).await;
    let mut open_before =
        Call::to(part.address, "127.0.0.1", home.client(&[Role::Server])).await.expect("let in");
    open_before.say("one").await.expect("an answer");

    town.revoke(Role::Home, "home");
    link.look();

    assert_eq!(open_before.say("two").await.expect("a word"), "two from refused: certificate-revoked");
    let again = exchange(part.address, "127.0.0.1", home.client(&[Role::Server])).await;
    assert_eq!(again.expect_err("shut out").code(), "certificate-refused");
    exchange(part.address, "127.0.0.1", other.client(&[Role::Server])).await.expect("others are let in");
}

#[tokio::test]
async fn p7_a_bad_new_file_changes_nothing_and_a_good_one_after_it_does() {
    let mut town = Town::new();
    let server = here(Role::Server, "good");
    let files = town.issue(&server);
    let link = open(&files);
    let home = open(&town.issue(&subject(Role::Home, "home", &[])));
    let part = Part::start(&link, true).await;
    let first = serial_at(&part, &home).await;
    let good = std::fs::read(&files.certificate).expect("a file");

    for bad in [&b""[..], b"-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&files.certificate, bad).expect("a file");
        link.look();
        assert!(link.reload().is_err());
        assert_eq!(serial_at(&part, &home).await, first);
    }
    // A certificate whose key has not arrived yet is bad as well; with its key it is taken up.
    let issued = town.authority.issue(&server).expect("a certificate");
    std::fs::write(&files.certificate, &issued.certificate_pem).expect("a file");
    link.look();
    assert_eq!(serial_at(&part, &home).await, first);
    std::fs::write(&files.key, issued.key_pem.as_bytes()).expect("a file");
    link.look();
    assert_eq!(serial_at(&part, &home).await, issued.certificate.serial);
    drop(good);
}

#[tokio::test]
async fn p7_a_client_sees_that_something_new_was_taken_up() {
    let mut town = Town::new();
    let server = open(&town.issue(&here(Role::Server, "good")));
    let home = open(&town.issue(&subject(Role::Home, "home", &[])));
    let part = Part::start(&server, true).await;
    exchange(part.address, "127.0.0.1", home.client(&[Role::Server])).await.expect("believed");
    let before = home.generation();
    town.revoke(Role::Server, "good");
    home.look();
    assert_ne!(home.generation(), before);
    let again = exchange(part.address, "127.0.0.1", home.client(&[Role::Server])).await;
    assert_eq!(again.expect_err("not believed").code(), "certificate-revoked");
}

#[test]
fn p7_a_new_list_needs_no_passphrase_and_a_new_key_does() {
    let mut town = Town::new();
    let server = here(Role::Server, "good");
    let files = town.issue(&server);
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let reader: SecretReader = Arc::new(move |path| {
        counted.fetch_add(1, Ordering::Relaxed);
        plain_files()(path)
    });
    let link = Link::open(&files, reader).expect("good files");
    let asked = || asked.load(Ordering::Relaxed);
    assert_eq!(asked(), 1);
    town.issue(&subject(Role::Home, "home", &[]));
    town.revoke(Role::Home, "home");
    link.look();
    assert_eq!((asked(), link.generation()), (1, 1), "the list is new, the key is not");
    town.issue(&server);
    link.look();
    assert_eq!((asked(), link.generation()), (2, 2), "certificate and key are new");
    link.look();
    assert_eq!((asked(), link.generation()), (2, 2), "nothing is new");
}

#[test]
fn p7_who_only_trusts_takes_up_a_new_list_as_well() {
    let mut town = Town::new();
    town.issue(&here(Role::Server, "good"));
    let with_list =
        Link::trusting(&town.path("ca.crt"), Some(&town.path("revoked.pem"))).expect("good files");
    let without = Link::trusting(&town.path("ca.crt"), None).expect("good files");
    town.revoke(Role::Server, "good");
    with_list.look();
    without.look();
    assert_eq!((with_list.generation(), without.generation()), (1, 0));
}

#[test]
fn p7_when_certificates_end_is_measured() {
    let mut town = Town::new();
    let link = open(&town.issue(&here(Role::Server, "good")));
    let end = link.certificate().expect("its own").not_after;
    let metrics = link.metrics();
    assert!(metrics.contains(&format!("{{certificate=\"own\"}} {end}\n")), "{metrics}");
    assert!(metrics.contains("certificate=\"authority\""), "{metrics}");
}
