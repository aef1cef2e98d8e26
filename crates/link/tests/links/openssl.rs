//! OpenSSL as an independent peer: it reads what the authority writes, calls our port, and answers our client.
//!
//! Skipped with words where there is no `openssl`.

use crate::fixture::{DAY, Part, Town, exchange, here, now, open, subject};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use wattbook_link::authority::Validity;
use wattbook_link::{Files, Role};

/// Whether OpenSSL is there; says so where it is not.
fn is_there() -> bool {
    let found = Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: there is no openssl on this machine");
    }
    found
}

/// What a run of OpenSSL said, both outputs, and whether it ended well.
fn run(arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl starts");
    // It may end before it reads.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().expect("openssl ends");
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    (status.success(), said)
}

fn path(path: &std::path::Path) -> &str {
    path.to_str().expect("a name in UTF-8")
}

/// Who | further arguments of `openssl verify` | what it says.
#[test]
fn p7_f23_openssl_judges_certificates_and_the_list_as_we_do() {
    if !is_there() {
        return;
    }
    let (mut ours, mut theirs) = (Town::new(), Town::new());
    let past = Validity { from: now() - 200, until: now() - 100 };
    let to_come = Validity { from: now() + DAY, until: now() + 10 * DAY };
    let good = ours.issue(&here(Role::Server, "good"));
    let expired = ours.issue_for(&here(Role::Server, "expired"), past);
    let not_yet = ours.issue_for(&here(Role::Server, "notyet"), to_come);
    let revoked = ours.issue(&here(Role::Server, "revoked"));
    let member = ours.issue(&subject(Role::Member, "anna", &[]));
    let foreign = theirs.issue(&here(Role::Server, "good"));
    ours.revoke(Role::Server, "revoked");
    let rows: &[(&Files, &[&str], &str)] = &[
        (&good, &["-purpose", "sslserver"], "OK"),
        (&good, &["-purpose", "sslclient"], "OK"),
        (&good, &["-verify_ip", "127.0.0.1"], "OK"),
        (&good, &["-verify_hostname", "localhost"], "OK"),
        (&good, &["-verify_ip", "192.0.2.1"], "IP address mismatch"),
        (&good, &["-verify_hostname", "elsewhere.example"], "hostname mismatch"),
        (&expired, &[], "certificate has expired"),
        (&not_yet, &[], "certificate is not yet valid"),
        (&revoked, &[], "certificate revoked"),
        (&member, &["-purpose", "sslclient"], "OK"),
        (&member, &["-purpose", "sslserver"], "unsuitable certificate purpose"),
        (&foreign, &[], "unable to get local issuer certificate"),
    ];
    let (authority, list) = (ours.path("ca.crt"), ours.path("revoked.pem"));
    for (row, (files, more, expected)) in rows.iter().enumerate() {
        let mut arguments = vec!["verify", "-x509_strict", "-crl_check", "-CAfile", path(&authority)];
        arguments.extend(["-CRLfile", path(&list)]);
        arguments.extend(more.iter().copied());
        arguments.push(path(&files.certificate));
        let (well, said) = run(&arguments, "");
        let same = said.contains(expected) && well == (*expected == "OK");
        assert!(same, "row {row}, expected {expected}: {said}");
    }
}

#[test]
fn p7_openssl_reads_when_a_certificate_ends() {
    if !is_there() {
        return;
    }
    let mut town = Town::new();
    let soon = Validity { from: now() - DAY, until: now() + 10 * DAY };
    let files = town.issue_for(&here(Role::Server, "good"), soon);
    for (days, ends_before) in [(9, false), (11, true)] {
        let seconds = (days * DAY).to_string();
        let (well, said) =
            run(&["x509", "-noout", "-checkend", &seconds, "-in", path(&files.certificate)], "");
        assert_eq!(well, !ends_before, "{days} days: {said}");
    }
    let (_, said) = run(&["x509", "-noout", "-ext", "subjectAltName", "-in", path(&files.certificate)], "");
    let identity = format!("URI:wattbook://{}/server/good", town.authority.community());
    assert!(said.contains(&identity) && said.contains("IP Address:127.0.0.1"), "{said}");
}

/// Calls a port with `openssl s_client`.
fn call(part: &Part, own: Option<&Files>, more: &[&str], town: &Town) -> (bool, String) {
    let (address, authority) = (part.address.to_string(), town.path("ca.crt"));
    let mut arguments = vec!["s_client", "-connect", &address, "-CAfile", path(&authority)];
    arguments.extend(["-verify_return_error", "-verify_ip", "127.0.0.1", "-ign_eof"]);
    if let Some(own) = own {
        arguments.extend(["-cert", path(&own.certificate), "-key", path(&own.key)]);
    }
    arguments.extend(more);
    // Our port ends the connection after the line, because the input ends there.
    run(&arguments, "hello\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p7_f23_openssl_calls_our_port() {
    if !is_there() {
        return;
    }
    let (mut ours, mut theirs) = (Town::new(), Town::new());
    let server = ours.issue(&here(Role::Server, "good"));
    let home = ours.issue(&subject(Role::Home, "home", &[]));
    let revoked = ours.issue(&subject(Role::Home, "revoked", &[]));
    let past = Validity { from: now() - 200, until: now() - 100 };
    let expired = ours.issue_for(&subject(Role::Home, "expired", &[]), past);
    ours.revoke(Role::Home, "revoked");
    let foreign = theirs.issue(&subject(Role::Home, "home", &[]));
    let part = Part::start_saying_goodbye(&open(&server)).await;
    let rows: &[(&str, Option<&Files>, &[&str], &str)] = &[
        ("a home", Some(&home), &[], "hello from wattbook://"),
        ("by TLS 1.3", Some(&home), &["-tls1_3"], "TLSv1.3"),
        ("nobody", None, &[], "alert certificate required"),
        ("another authority's", Some(&foreign), &[], "alert unknown ca"),
        ("a revoked one", Some(&revoked), &[], "alert certificate revoked"),
        ("an expired one", Some(&expired), &[], "alert certificate expired"),
        ("by TLS 1.2", Some(&home), &["-tls1_2"], "alert protocol version"),
        ("wrong host", Some(&home), &["-verify_ip", "192.0.2.1"], "IP address mismatch"),
    ];
    for (what, own, more, expected) in rows {
        let (_, said) = call(&part, *own, more, &ours);
        assert!(said.contains(expected), "{what}, expected {expected}: {said}");
    }
    let (_, said) = call(&part, Some(&home), &[], &theirs);
    assert!(said.contains("verify error"), "OpenSSL believes another authority: {said}");
}

/// An `openssl s_server` that answers every line reversed; killed when dropped.
struct Peer {
    child: Child,
    address: std::net::SocketAddr,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Peer {
    fn start(own: &Files, clients_of: &Town, more: &[&str]) -> Self {
        let authority = clients_of.path("ca.crt");
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-rev", "-cert", path(&own.certificate)])
            .args(["-key", path(&own.key), "-CAfile", path(&authority), "-Verify", "1"])
            .args(["-verify_return_error"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert_ne!(lines.read_line(&mut line).expect("text"), 0, "openssl ended");
            if let Some(address) = line.trim_end().strip_prefix("ACCEPT ") {
                break address.parse().expect("an address");
            }
        };
        // Whatever else it says must not stop it.
        std::thread::spawn(move || std::io::copy(&mut lines.by_ref(), &mut std::io::sink()));
        Self { child, address }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p7_f23_our_client_judges_openssl_as_a_server() {
    if !is_there() {
        return;
    }
    let (mut ours, mut theirs) = (Town::new(), Town::new());
    let home = open(&ours.issue(&subject(Role::Home, "home", &[])));
    let past = Validity { from: now() - 200, until: now() - 100 };
    let good = ours.issue(&here(Role::Server, "good"));
    let expired = ours.issue_for(&here(Role::Server, "expired"), past);
    let page = ours.issue(&here(Role::Home, "page"));
    let member = ours.issue(&subject(Role::Member, "anna", &[]));
    let foreign = theirs.issue(&here(Role::Server, "good"));
    let rows: &[(&str, &Files, &[&str], &str)] = &[
        ("good", &good, &[], "olleh"),
        ("expired", &expired, &[], "certificate-expired"),
        ("of a home", &page, &[], "certificate-wrong-role"),
        ("of a member", &member, &[], "certificate-wrong-purpose"),
        ("of another authority", &foreign, &[], "certificate-unknown-authority"),
        ("by TLS 1.2", &good, &["-tls1_2"], "old-protocol"),
    ];
    for (what, files, more, expected) in rows {
        let peer = Peer::start(files, &ours, more);
        let came = exchange(peer.address, "127.0.0.1", home.client(&[Role::Server])).await;
        let told = match &came {
            Ok(answer) => answer.as_str(),
            Err(failure) => failure.code(),
        };
        assert_eq!(told, *expected, "{what}: {came:?}");
    }
}
