//! `wattbook device sim meter|generator|battery`: one simulated device, as it would stand on a bench.
//!
//! Always: it follows a home's profile by the real time of day, faster with `--speed`. Not here: what it
//! answers (crate `devices`).

use super::{profiles, say};
use crate::process::shutdown;
use crate::service::serving;
use crate::units;
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wattbook_devices::driver::Protection;
use wattbook_devices::modbus::TlsFiles;
use wattbook_devices::plant::{EchonetFace, MeterFace, PlantTls, serve_echonet};
use wattbook_devices::simulated::{Bench, Fault, serve_battery, serve_generator, serve_meter};
use wattbook_devices::{Clock, DeviceAddress, registry};
use wattbook_types::transaction::Generation;
use wattbook_types::{Energy, LedgerClock, Power, Timestamp};

/// Options of `wattbook device sim meter`, and of the others.
#[derive(Args, Clone, Debug)]
pub struct MeterOptions {
    /// Where it listens; port 0 chooses one (127.0.0.1:1502, with ECHONET Lite 127.0.0.1:3610)
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Profiles of real homes: CSV with timestamp_utc,home,generation_wh,consumption_wh,quality
    #[arg(long, value_name = "FILE")]
    profiles: Option<PathBuf>,
    /// The home in the profiles (the first)
    #[arg(long, value_name = "NAME")]
    home: Option<String>,
    /// What it speaks
    #[arg(long, value_enum, default_value = "sunspec")]
    protocol: Protocol,
    /// Its unit behind its port, where it speaks SunSpec
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=247))]
    unit: u8,
    /// How many times faster than real time its day passes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    speed: u32,
    /// What goes wrong with its registers: wrap, reset, freeze, jump, silent, nonsense
    #[arg(long, value_name = "KIND")]
    fault: Option<Fault>,
    /// When it goes wrong
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration, requires = "fault")]
    fault_after: Duration,
    #[command(flatten)]
    tls: Option<TlsOptions>,
    /// Stop when standard input ends, as it does when the process that started this one is gone
    #[arg(long)]
    with_parent: bool,
}

/// Modbus over TLS: all three, or plain Modbus.
#[derive(Args, Clone, Debug)]
struct TlsOptions {
    /// Modbus over TLS: the authority of those who may ask
    #[arg(long, value_name = "FILE", required = false, requires_all = ["tls_cert", "tls_key"])]
    tls_ca: PathBuf,
    /// Its own certificate
    #[arg(long, value_name = "FILE", required = false, requires = "tls_ca")]
    tls_cert: PathBuf,
    /// The certificate's key
    #[arg(long, value_name = "FILE", required = false, requires = "tls_ca")]
    tls_key: PathBuf,
}

/// Options of `wattbook device sim generator`.
#[derive(Args, Clone, Debug)]
pub struct GeneratorOptions {
    #[command(flatten)]
    common: MeterOptions,
    /// How it generates
    #[arg(long, value_enum, default_value = "solar")]
    kind: Kind,
    /// The most that it gives, such as 5kW: the profile is stretched to it
    #[arg(long, value_name = "POWER", value_parser = units::power)]
    power: Option<Power>,
}

/// Options of `wattbook device sim battery`.
#[derive(Args, Clone, Debug)]
pub struct BatteryOptions {
    #[command(flatten)]
    common: MeterOptions,
    /// Energy that it can hold
    #[arg(long, value_name = "ENERGY", default_value = "10kWh", value_parser = units::energy)]
    capacity: Energy,
    /// Power that it can take in and give out
    #[arg(long, value_name = "POWER", default_value = "5kW", value_parser = units::power)]
    power: Power,
}

/// What a device speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// SunSpec over Modbus TCP
    Sunspec,
    /// ECHONET Lite over UDP
    Echonet,
}

/// How a generator generates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The sun
    Solar,
    /// The wind
    Wind,
    /// Gas
    Gas,
}

impl From<Kind> for Generation {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Solar => Self::Solar,
            Kind::Wind => Self::Wind,
            Kind::Gas => Self::Gas,
        }
    }
}

/// Runs `wattbook device sim meter`.
pub async fn meter(options: &MeterOptions) -> Result<()> {
    let bench = options.bench()?;
    match options.protocol {
        Protocol::Sunspec => options.run("meter", serve_meter(bench).await?).await,
        Protocol::Echonet => {
            options.run_echonet("meter", bench, EchonetFace::SmartMeter(MeterFace::default())).await
        }
    }
}

/// Runs `wattbook device sim generator`.
pub async fn generator(options: &GeneratorOptions) -> Result<()> {
    let common = &options.common;
    let mut bench = common.bench()?;
    bench.kind = options.kind.into();
    if let (Some(power), Some((profiles, home))) = (options.power, &mut bench.profile) {
        *profiles = profiles::stretched(profiles, *home, power)?;
    }
    match common.protocol {
        Protocol::Sunspec => common.run("generator", serve_generator(bench).await?).await,
        Protocol::Echonet if options.kind != Kind::Solar => {
            bail!("--kind {:?}: ECHONET Lite's class 0279 is solar generation; leave it out", options.kind)
        }
        Protocol::Echonet => common.run_echonet("generator", bench, EchonetFace::Solar).await,
    }
}

/// Runs `wattbook device sim battery`.
pub async fn battery(options: &BatteryOptions) -> Result<()> {
    let common = &options.common;
    let bench = Bench { capacity: options.capacity, power: options.power, ..common.bench()? };
    match common.protocol {
        Protocol::Sunspec => common.run("battery", serve_battery(bench).await?).await,
        Protocol::Echonet => common.run_echonet("battery", bench, EchonetFace::Battery).await,
    }
}

impl MeterOptions {
    fn bench(&self) -> Result<Bench> {
        let usual = match self.protocol {
            Protocol::Sunspec => "127.0.0.1:1502",
            Protocol::Echonet => "127.0.0.1:3610",
        };
        let listen = self.listen.map_or_else(|| usual.parse(), Ok)?;
        let now =
            Timestamp::from_millis(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?);
        let clock = LedgerClock {
            real_origin: now.millis(),
            ledger_origin: now,
            rate: self.speed,
            rate_per: 1,
            accelerated: self.speed != 1,
        };
        let profiles = profiles::at(self.profiles.as_deref(), now)?;
        let home = profiles::place(&profiles, self.home.as_deref(), 0)?;
        let mut bench = Bench::new(listen, Clock::system(clock));
        bench.profile = Some((profiles, home));
        bench.unit = self.unit;
        bench.tls = self.tls.as_ref().map(TlsOptions::plant);
        Ok(bench)
    }

    /// Runs a SunSpec device until it is told to stop.
    async fn run(&self, what: &str, device: wattbook_devices::simulated::Running) -> Result<()> {
        self.tell(what, device.address())?;
        let mut stop = serving(shutdown(self.with_parent));
        if let Some(fault) = self.fault {
            let early = tokio::time::timeout(self.fault_after, &mut stop).await;
            if early.is_ok() {
                device.stop().await;
                return Ok(());
            }
            device.inject(Some(fault));
            say(&format!("From now on: {fault:?}."));
        }
        stop.await;
        device.stop().await;
        Ok(())
    }

    /// Runs an ECHONET Lite node until it is told to stop.
    async fn run_echonet(&self, what: &str, bench: Bench, face: EchonetFace) -> Result<()> {
        if self.fault.is_some() || self.tls.is_some() {
            bail!("--fault and --tls-… are for devices that speak SunSpec");
        }
        let node = serve_echonet(bench, face).await?;
        for address in node.addresses() {
            self.tell(what, &address)?;
        }
        serving(shutdown(self.with_parent)).await;
        node.stop().await;
        Ok(())
    }

    /// Says where it is, and how the link is protected.
    fn tell(&self, what: &str, address: &DeviceAddress) -> Result<()> {
        let protection = (registry::driver(address)?.protection)(address);
        let unprotected = match protection {
            Protection::None => ", UNPROTECTED",
            Protection::Loopback => ", unprotected on this machine",
            Protection::Mutual | Protection::Encrypted => "",
        };
        say(&format!("Simulated {what} listens{unprotected}: wattbook device read '{address}'"));
        Ok(())
    }
}

impl TlsOptions {
    fn plant(&self) -> PlantTls {
        let files = TlsFiles {
            authority: self.tls_ca.clone(),
            certificate: self.tls_cert.clone(),
            key: self.tls_key.clone(),
        };
        // Whoever asks has a certificate of his own.
        PlantTls { files, options: format!("ca={}&cert=FILE&key=FILE", self.tls_ca.display()) }
    }
}
