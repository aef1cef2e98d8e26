//! Modbus over TLS: both ends authenticated, with our own at both ends and with independent ones at either.

mod sunspec_certificates;
mod sunspec_peer;
mod sunspec_world;

use rcgen::ExtendedKeyUsagePurpose;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use sunspec_certificates::{Authority, authority};
use sunspec_peer::{Devices, python, said};
use sunspec_world::{POINT, Site, place, spec};
use wattbook_devices::driver::Protection;
use wattbook_devices::plant::{PlantListen, PlantTls};
use wattbook_devices::registry::driver;
use wattbook_devices::{Context, DeviceAddress, DeviceError};

const OPTIONS: &str = "ca=ca.crt&cert=client.crt&key=client.key&name=127.0.0.1";

/// Devices that the authority vouches for, and a context that finds the authority's files.
async fn start(authority: &Authority) -> Site {
    let tls = PlantTls { files: authority.files("device"), options: OPTIONS.to_owned() };
    let listen = PlantListen { tls: Some(tls), ..PlantListen::loopback() };
    let mut site = Site::start_with(spec(), listen).await;
    site.context.folder = authority.path().to_owned();
    site
}

#[tokio::test]
async fn p7_over_tls_devices_are_read_and_commanded_as_without() {
    let authority = authority();
    let site = start(&authority).await;
    let home = site.home();
    assert_eq!(home.generator.scheme(), "sunspec+tls");
    assert_eq!((driver(&home.generator).unwrap().protection)(&home.generator), Protection::Mutual);
    site.hours(12);
    site.curtail(&home.generator).curtail(Some(wattbook_types::Power::from_watts(600))).await.unwrap();
    site.hours(1);
    let counted = site.counter(&home.generator).read().await.unwrap().required().expect("it counts");
    assert_eq!(counted.power.watts(), -600);
}

#[tokio::test]
async fn p7_who_has_no_certificate_of_the_authority_gets_no_word() {
    let (authority, stranger) = (authority(), Authority::new());
    stranger.issue("client", "controller", ExtendedKeyUsagePurpose::ClientAuth);
    stranger.issue("device", "127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
    let site = start(&authority).await;
    let meter = site.home().grid_meter;
    let read = |folder: &Path, address: DeviceAddress| {
        let mut context = Context::new(site.context.clock.clone(), site.context.slot_length);
        context.folder = folder.to_owned();
        async move {
            let counter = driver(&address).unwrap().counter.unwrap()(&address, &context)?;
            counter.read().await.map(|reading| reading.value().is_some())
        }
    };
    assert_eq!(read(authority.path(), meter.clone()).await, Ok(true));
    // A client of another authority, which yet believes the device.
    std::fs::copy(authority.file("ca.crt"), stranger.file("ca.crt")).expect("copied");
    let posed = read(stranger.path(), meter.clone()).await.unwrap_err();
    assert!(matches!(posed, DeviceError::Unreachable { .. }), "{posed}");
    // A device that has another name than the one that is meant.
    let other_name = meter.to_string().replace("name=127.0.0.1", "name=127.0.0.2").parse().unwrap();
    let error = read(authority.path(), other_name).await.unwrap_err().to_string();
    assert!(error.contains("not valid for name"), "{error}");
    // A client without TLS.
    let plain = format!("sunspec://{}/3", place(&meter)).parse().unwrap();
    assert!(read(authority.path(), plain).await.is_err());
    // A client that never says anything, and holds its connection while the others go on.
    let _mute = tokio::net::TcpStream::connect(place(&meter)).await.expect("it listens");
    // Files that are not there, or not said.
    let absent = meter.to_string().replace("key=client.key", "key=nowhere.key").parse().unwrap();
    let error = read(authority.path(), absent).await.unwrap_err().to_string();
    assert!(error.contains("nowhere.key"), "{error}");
    let unsaid = meter.to_string().replace("&key=client.key", "").parse().unwrap();
    let error = read(authority.path(), unsaid).await.unwrap_err().to_string();
    assert!(error.contains("key is missing"), "{error}");
    // And whoever was turned away has stopped nobody else.
    assert_eq!(read(authority.path(), meter).await, Ok(true));
}

#[tokio::test]
async fn p7_a_posed_device_is_not_believed() {
    let (authority, stranger) = (authority(), sunspec_certificates::authority());
    // The stranger's device would take any client of the authority.
    std::fs::copy(stranger.file("device.crt"), authority.file("posed.crt")).expect("copied");
    std::fs::copy(stranger.file("device.key"), authority.file("posed.key")).expect("copied");
    let tls = PlantTls { files: authority.files("posed"), options: OPTIONS.to_owned() };
    let mut site = Site::start_with(spec(), PlantListen { tls: Some(tls), ..PlantListen::loopback() }).await;
    site.context.folder = authority.path().to_owned();
    let error = site.counter(&site.home().grid_meter).read().await.unwrap_err();
    assert!(
        matches!(&error, DeviceError::Unreachable { reason, .. } if reason.contains("certificate")),
        "{error}"
    );
}

/// What OpenSSL's client gets from a device when it asks for the SunSpec marker.
fn openssl(authority: &Authority, site: &Site, more: &[&str]) -> Option<Vec<u8>> {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: openssl is not installed");
        return None;
    }
    let mut child = Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &place(&site.home().grid_meter).to_string()])
        .args(["-verify_return_error", "-CAfile"])
        .arg(authority.file("ca.crt"))
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl runs");
    let mut input = child.stdin.take().expect("piped");
    // Model 1's neighbourhood of unit 3. Where it was turned away already, nobody listens.
    let _ = input.write_all(&[0, 1, 0, 0, 0, 6, 3, 3, 0x9c, 0x40, 0, 2]);
    let mut output = child.stdout.take().expect("piped");
    // The reply, or the end of the connection.
    let mut reply = vec![0; 13];
    let read = std::io::Read::read_exact(&mut output, &mut reply);
    drop(input);
    let _ = child.kill();
    child.wait().expect("it ends");
    Some(if read.is_ok() { reply } else { Vec::new() })
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_openssl_is_answered_with_a_certificate_and_refused_without_in_both_versions() {
    let authority = authority();
    let site = start(&authority).await;
    let (certificate, key) = (authority.file("client.crt"), authority.file("client.key"));
    let shown = ["-cert", certificate.to_str().unwrap(), "-key", key.to_str().unwrap()];
    for version in ["-tls1_2", "-tls1_3"] {
        let with = [&[version], &shown[..]].concat();
        let Some(reply) = openssl(&authority, &site, &with) else { return };
        assert_eq!(reply, b"\0\x01\0\0\0\x07\x03\x03\x04SunS", "{version}");
        assert_eq!(openssl(&authority, &site, &[version]), Some(Vec::new()), "{version}");
    }
    // An older version is not spoken, whatever is shown.
    let old = [&["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], &shown[..]].concat();
    assert_eq!(openssl(&authority, &site, &old), Some(Vec::new()));
}

#[tokio::test]
async fn p7_pysunspec2_reads_a_simulated_device_over_tls_and_not_without_its_certificate() {
    let (authority, stranger) = (authority(), sunspec_certificates::authority());
    let site = start(&authority).await;
    let meter = site.home().grid_meter;
    let ask = |client: &Authority| {
        let mut command = python("client.py")?;
        command.args([meter.host(), &meter.port()?.to_string(), meter.path(), "--tls"]);
        command.args([authority.file("ca.crt"), client.file("client.crt"), client.file("client.key")]);
        Some(command)
    };
    let Some(command) = ask(&authority) else { return };
    let read = said(command).await.expect("pysunspec2 reads it");
    assert_eq!(read["1"]["SN"], "home-7-grid");
    let refused = said(ask(&stranger).expect("as before")).await.unwrap_err();
    assert!(refused.contains("Error") || refused.contains("Exception"), "{refused}");
    assert!(site.plant.with(|world| world.home(POINT).is_ok()));
}

#[tokio::test]
async fn p7_the_driver_reads_a_device_of_another_make_over_tls() {
    let authority = authority();
    let path = |name: &str| authority.file(name).to_str().expect("a path").to_owned();
    let args = ["--tls".to_owned(), path("ca.crt"), path("device.crt"), path("device.key")];
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let Some(devices) = Devices::start_with(&args) else { return };
    let mut site = Site::start().await;
    site.context.folder = authority.path().to_owned();
    let address: DeviceAddress =
        format!("sunspec+tls://127.0.0.1:{}/1?{OPTIONS}", devices.port()).parse().unwrap();
    let found = site.probe(&address).await.expect("found");
    assert_eq!(found.serial.as_deref(), Some("INV-0001"));
}
