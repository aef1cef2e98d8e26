//! `wattbook device probe ADDRESS|HOST[:PORT]`: what is there, and what it can be used as.
//!
//! Always: nothing but questions is sent; what is not known is described by what was seen, with what is
//! missing for using it. Not here: how a driver looks (its own `probe`), what strangers are asked (`knock`).

use super::knock::{self, Seen};
use super::opened::context;
use super::show;
use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;
use std::process::ExitCode;
use wattbook_devices::driver::{Finding, Protection};
use wattbook_devices::registry::{self, DRIVERS};
use wattbook_devices::{Context, DeviceAddress, DeviceError};

/// Options of `wattbook device probe`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// A device such as sunspec://192.0.2.7:502/1, or a host such as 192.0.2.7 or meter.local:1502
    #[arg(value_name = "ADDRESS|HOST[:PORT]")]
    target: String,
    /// How many units of a Modbus host are asked, from 1 on
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=247))]
    units: u8,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Everything that was found out.
#[derive(Debug, Default, Serialize)]
struct Answer {
    target: String,
    /// Devices that a driver knows how to talk to.
    found: Vec<Found>,
    /// What was tried without success, and why.
    tried: Vec<Tried>,
    /// What the ports answered that no driver made sense of.
    seen: Vec<Seen>,
}

/// A device.
#[derive(Debug, Serialize)]
struct Found {
    address: DeviceAddress,
    driver: &'static str,
    protection: Protection,
    #[serde(flatten)]
    finding: Finding,
}

/// An address at which no device was found.
#[derive(Debug, Serialize)]
struct Tried {
    address: DeviceAddress,
    why: String,
}

/// Runs the command. Exit code 1 where nothing is there that can be used.
pub async fn run(options: &Options) -> Result<ExitCode> {
    let context = context();
    let mut answer = Answer { target: options.target.clone(), ..Answer::default() };
    let place = if options.target.contains("://") {
        let address: DeviceAddress = options.target.parse()?;
        registry::driver(&address)?;
        answer.look(&address, &context).await;
        (address.host().to_owned(), address.port())
    } else {
        let (host, port) = host_and_port(&options.target)?;
        answer.search(&host, port, options.units, &context).await?;
        (host, port)
    };
    let usable = answer.found.iter().any(|found| !found.finding.offers.is_empty());
    if !usable {
        answer.seen = knock::at(&place.0, place.1).await;
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        lines(&answer).iter().for_each(|line| println!("{line}"));
    }
    Ok(if usable { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A host with or without a port; IPv6 numbers with a port stand in brackets.
fn host_and_port(text: &str) -> Result<(String, Option<u16>)> {
    let wrong = || anyhow::anyhow!("{text:?} is neither a device's address nor a host such as 192.0.2.7:502");
    let (host, port) = match text.strip_prefix('[') {
        Some(six) => {
            let (host, rest) = six.split_once(']').ok_or_else(wrong)?;
            (host, rest.strip_prefix(':'))
        }
        None if text.matches(':').count() > 1 => (text, None),
        None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() || host.contains(['/', ' ']) {
        bail!(wrong());
    }
    Ok((host.to_owned(), port.map(str::parse).transpose().map_err(|_| wrong())?))
}

/// What a driver is asked to look at, on a host.
fn candidates(scheme: &str, host: &str, port: Option<u16>, units: u8) -> Result<Vec<DeviceAddress>> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let paths: Vec<String> = if scheme.starts_with("sunspec") {
        (1..=units).map(|unit| format!("/{unit}")).collect()
    } else {
        vec![String::new()]
    };
    Ok(paths.iter().map(|path| format!("{scheme}://{host}{port}{path}").parse()).collect::<Result<_, _>>()?)
}

impl Answer {
    /// Looks with every driver whose links need no certificates, which an address would have to name.
    async fn search(&mut self, host: &str, port: Option<u16>, units: u8, context: &Context) -> Result<()> {
        let mut looks = Vec::new();
        for driver in DRIVERS {
            let candidates = candidates(driver.scheme, host, port, units)?;
            let plain = |address: &DeviceAddress| {
                matches!((driver.protection)(address), Protection::Loopback | Protection::None)
            };
            if candidates.iter().all(plain) {
                looks.push(Self::look_until_silent(candidates, context));
            }
        }
        for seen in futures::future::join_all(looks).await {
            self.found.extend(seen.found);
            self.tried.extend(seen.tried);
        }
        Ok(())
    }

    /// Looks at one after another until one is not even reached.
    async fn look_until_silent(candidates: Vec<DeviceAddress>, context: &Context) -> Self {
        let mut answer = Self::default();
        for address in candidates {
            if !answer.look(&address, context).await {
                break;
            }
        }
        answer
    }

    /// Looks at an address; false where nobody answers there.
    async fn look(&mut self, address: &DeviceAddress, context: &Context) -> bool {
        let looked = match registry::driver(address) {
            Ok(driver) => (driver.probe)(address, context).await.map(|finding| Found {
                address: address.clone(),
                driver: driver.scheme,
                protection: (driver.protection)(address),
                finding,
            }),
            Err(error) => Err(error),
        };
        match looked {
            // What has nothing of a device is none.
            Ok(found) if found.finding.offers.is_empty() && found.finding.parts.is_empty() => {
                let Finding { lacks, remarks, .. } = found.finding;
                self.tried.push(Tried { address: found.address, why: [lacks, remarks].concat().join("; ") });
                true
            }
            Ok(found) => {
                self.found.push(found);
                true
            }
            Err(error) => {
                let reached = !matches!(error, DeviceError::Unreachable { .. });
                self.tried.push(Tried { address: address.clone(), why: error.to_string() });
                reached
            }
        }
    }
}

fn lines(answer: &Answer) -> Vec<String> {
    let mut lines: Vec<String> = answer.found.iter().flat_map(found_lines).collect();
    let usable = answer.found.iter().any(|found| !found.finding.offers.is_empty());
    if usable {
        return lines;
    }
    if answer.found.is_empty() {
        lines.push(format!("{}: no device that a driver here knows.", answer.target));
    }
    lines.extend(answer.tried.iter().map(|tried| format!("  tried {}: {}", tried.address, tried.why)));
    lines.extend(answer.seen.iter().map(|seen| format!("  port {}: {}", seen.port, seen.what)));
    lines.extend(answer.seen.iter().map(|seen| format!("  to use it: {}", seen.way)));
    if answer.found.is_empty() && answer.seen.is_empty() {
        lines.push(
            "  no port that devices usually have answers: is it switched on, and on this network?".to_owned(),
        );
    }
    lines
}

fn found_lines(found: &Found) -> Vec<String> {
    let finding = &found.finding;
    let mut lines = vec![found.address.to_string()];
    let said = [&finding.manufacturer, &finding.model, &finding.serial, &finding.version];
    let said: Vec<&str> = said.into_iter().flatten().map(String::as_str).filter(|s| !s.is_empty()).collect();
    if !said.is_empty() {
        lines.push(format!("  is: {}", said.join(", ")));
    }
    lines.push(format!("  link: {}", show::protection(found.protection)));
    let offers: Vec<_> = finding.offers.iter().map(|offer| show::capability(*offer)).collect();
    let offers = if offers.is_empty() { "nothing yet".to_owned() } else { offers.join(", ") };
    lines.push(format!("  can be used as: {offers}"));
    for part in &finding.parts {
        let used = if part.used { "" } else { " (not used)" };
        lines.push(format!("  has {}: {}, {}{used}", part.name, part.about, part.place));
    }
    lines.extend(finding.lacks.iter().map(|lack| format!("  lacks: {lack}")));
    lines.extend(finding.remarks.iter().map(|remark| format!("  note: {remark}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_with_and_without_ports() {
        let read = |text| host_and_port(text).ok();
        assert_eq!(read("192.0.2.7"), Some(("192.0.2.7".to_owned(), None)));
        assert_eq!(read("meter.local:1502"), Some(("meter.local".to_owned(), Some(1502))));
        assert_eq!(read("::1"), Some(("::1".to_owned(), None)));
        assert_eq!(read("[::1]:502"), Some(("::1".to_owned(), Some(502))));
        for wrong in ["", ":502", "a:b", "a:70000", "a/b", "[::1"] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_modbus_host_is_asked_unit_by_unit() {
        let all = candidates("sunspec", "::1", Some(1502), 2).unwrap();
        let all: Vec<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!(all, ["sunspec://[::1]:1502/1", "sunspec://[::1]:1502/2"]);
    }
}
