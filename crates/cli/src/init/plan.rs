//! What a community is made from: the file `community.toml`, which `wattbook init` takes with `--from` and
//! leaves in the community's folder.
//!
//! Always: what cannot work is refused with the key and the reason, before anything is made. Not here: what
//! the community agreed on in the end (the genesis), and secrets.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use wattbook_link::Role;
use wattbook_setup::nearest::nearest;
use wattbook_setup::reach::each_once;
use wattbook_setup::{Configuration, Wrong};
use wattbook_types::transaction::Generation;
use wattbook_types::{Energy, PerMille, Power, Price, PublicKey};

/// The fewest servers that can agree.
pub const FEWEST_SERVERS: usize = 3;
/// The fewest servers that tolerate a faulty one.
pub const TOLERANT_SERVERS: usize = 4;
/// More servers than this would talk more than they trade.
const MOST_SERVERS: usize = 100;
/// The smallest purchase that the rules allow, in watt-hours.
const SMALLEST_ORDER_WH: u64 = 100;
/// The shortest real time of a slot: below it, servers cannot agree within one.
const SHORTEST_SLOT_MS: u64 = 200;
/// Ports below it need rights that the parts do not have.
const FIRST_PORT: u16 = 1024;

/// What a community is made from, as `wattbook init` was told or asked, and where its parties are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The community's name, for people.
    #[serde(default = "name")]
    pub name: String,
    /// The currency of prices and points (three letters, ISO 4217), for people.
    #[serde(default = "currency")]
    pub currency: String,
    /// How long a trading slot lasts, in minutes of ledger time.
    #[serde(default = "slot_minutes")]
    pub slot_minutes: u32,
    /// For trial communities: in how many real milliseconds a slot passes. Without it, ledger time is real
    /// time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot_real_ms: Option<u64>,
    /// What stands in the configurations as devices: simulated ones, or none, to be filled in by hand.
    #[serde(default = "devices")]
    pub devices: Devices,
    /// The address at which simulated devices listen.
    #[serde(default = "devices_host")]
    pub devices_host: IpAddr,
    /// The first port that is given to a party; the others follow.
    #[serde(default = "base_port")]
    pub base_port: u16,
    /// The file with the passphrase, which is named in every party's configuration. It can be somewhere else
    /// on every machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,
    /// The battery and its storage side.
    #[serde(default)]
    pub battery: BatteryPlan,
    /// Prices. Without them, such as suit the currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<PricesPlan>,
    /// The authentication servers: three at least, four tolerate a faulty one.
    pub servers: Vec<ServerPlan>,
    /// The homes, in the order of their connection points.
    pub homes: Vec<HomePlan>,
}

/// Where the parts' devices are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Devices {
    /// Simulated: `wattbook device sim site` serves them.
    Sim,
    /// Real: their addresses are filled in by hand.
    None,
}

/// The battery and its storage side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatteryPlan {
    /// Energy that it can hold.
    pub capacity: Energy,
    /// Power that it can take in and give out.
    pub power: Power,
    /// The address of the storage side's machine.
    pub host: IpAddr,
    /// The port of the storage side. Given out by `init`.
    pub port: Option<u16>,
    /// The first port of its simulated devices. Given out by `init`.
    pub devices_port: Option<u16>,
    /// The key that signs its reports. Made by `init`.
    pub key: Option<PublicKey>,
}

impl Default for BatteryPlan {
    fn default() -> Self {
        Self {
            capacity: Energy::from_wh(100_000),
            power: Power::from_watts(50_000),
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: None,
            devices_port: None,
            key: None,
        }
    }
}

/// What is paid and what may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PricesPlan {
    /// What a seller is paid for received energy.
    pub selling: Price,
    /// What buyers are advised to offer.
    pub buying: Price,
    /// The least that a seller may be paid.
    pub seller_floor: Price,
    /// The most that a buyer may offer or be asked.
    pub buyer_cap: Price,
    /// The operator's part of what a buyer pays, out of the spread between buying and selling.
    pub operator_margin: PerMille,
    /// What the utility charges, with which homes compare.
    pub utility: Price,
}

/// An authentication server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerPlan {
    /// Its name: letters, digits, `-`, `_`.
    pub name: String,
    /// The address of its machine.
    #[serde(default = "devices_host")]
    pub host: IpAddr,
    /// The port of its HTTP interface. Given out by `init`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<u16>,
    /// The port for the other servers. Given out by `init`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consensus: Option<u16>,
    /// The port of its plain HTTP interface for its own machine. Given out by `init`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<u16>,
    /// Its public key. Made by `init`, or by whoever runs it (`wattbook server join`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PublicKey>,
}

/// A home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HomePlan {
    /// Its name: letters, digits, `-`, `_`. It stays out of the ledger.
    pub name: String,
    /// The address of its machine, where its pages should be seen from others (HTTPS, with a certificate).
    /// Without it, they are for its own machine only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<IpAddr>,
    /// How it generates.
    #[serde(default = "solar")]
    pub generation: Generation,
    /// The port of its pages. Given out by `init`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The port of its simulated devices. Given out by `init`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices_port: Option<u16>,
    /// Its public key. Made by `init` or `member add`, or by the member (`wattbook member join`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PublicKey>,
}

fn name() -> String {
    "Our community".to_owned()
}

fn currency() -> String {
    "EUR".to_owned()
}

fn slot_minutes() -> u32 {
    30
}

fn devices() -> Devices {
    Devices::Sim
}

fn devices_host() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

fn base_port() -> u16 {
    8400
}

fn solar() -> Generation {
    Generation::Solar
}

impl ServerPlan {
    /// A server of this name on this machine.
    pub fn new(name: String) -> Self {
        Self { name, host: devices_host(), api: None, consensus: None, local: None, key: None }
    }
}

impl HomePlan {
    /// A solar home of this name whose pages are for its own machine.
    pub fn new(name: String) -> Self {
        Self { name, host: None, generation: solar(), port: None, devices_port: None, key: None }
    }
}

impl Plan {
    /// A community of so many servers and homes, everything else as usual.
    pub fn usual(servers: usize, homes: usize) -> Self {
        Self {
            name: name(),
            currency: currency(),
            slot_minutes: slot_minutes(),
            slot_real_ms: None,
            devices: devices(),
            devices_host: devices_host(),
            base_port: base_port(),
            passphrase_file: None,
            battery: BatteryPlan::default(),
            prices: None,
            servers: (1..=servers).map(|number| ServerPlan::new(format!("server-{number}"))).collect(),
            homes: (1..=homes).map(|number| HomePlan::new(format!("home-{number}"))).collect(),
        }
    }

    /// The real length of a slot, in milliseconds.
    pub fn real_slot_ms(&self) -> u64 {
        self.slot_real_ms.unwrap_or(u64::from(self.slot_minutes) * 60_000)
    }

    /// Whether ledger time runs faster than real time.
    pub fn is_trial(&self) -> bool {
        self.real_slot_ms() != u64::from(self.slot_minutes) * 60_000
    }

    /// What its prices are.
    ///
    /// # Errors
    /// Where the plan says none and the currency has none that are usual.
    pub fn prices(&self) -> Result<PricesPlan, Wrong> {
        if let Some(prices) = &self.prices {
            return Ok(prices.clone());
        }
        let Some((_, scale)) = CURRENCIES.iter().find(|(name, _)| *name == self.currency) else {
            let known: Vec<_> = CURRENCIES.iter().map(|(name, _)| *name).collect();
            let near = nearest(&self.currency, known.iter().copied());
            let near = near.map_or_else(String::new, |near| format!("did you mean {near}? "));
            let why = format!(
                "no prices are usual in {}; {near}Usual ones are known in {}; for another currency say them in \
                 the table [prices] of a plan (--from FILE)",
                self.currency,
                known.join(", ")
            );
            return Err(Wrong::new("currency", why));
        };
        let usual = wattbook_ledger::community::prices();
        let scaled = |price: Price| Price::from_milli_per_kwh(price.milli_per_kwh() * scale);
        Ok(PricesPlan {
            selling: scaled(usual.selling),
            buying: scaled(usual.buying),
            seller_floor: scaled(usual.seller_floor),
            buyer_cap: scaled(usual.buyer_cap),
            operator_margin: usual.operator_margin,
            utility: scaled(Price::from_milli_per_kwh(UTILITY_MILLI)),
        })
    }

    /// How many times the usual amounts of euros an amount is in this currency.
    pub fn scale(&self) -> u64 {
        CURRENCIES.iter().find(|(name, _)| *name == self.currency).map_or(1, |(_, scale)| *scale)
    }

    /// Every party by its name, with its role and the address that others reach it by.
    pub fn parties(&self) -> Vec<(Role, &str, Option<IpAddr>)> {
        let servers =
            self.servers.iter().map(|server| (Role::Server, server.name.as_str(), Some(server.host)));
        let homes = self.homes.iter().map(|home| (Role::Home, home.name.as_str(), home.host));
        servers.chain([(Role::Storage, STORAGE, Some(self.battery.host))]).chain(homes).collect()
    }

    /// Puts a party on a machine: a server, a home, `storage`, or `devices` for the simulated ones.
    ///
    /// # Errors
    /// Where there is no such party.
    pub fn put(&mut self, party: &str, host: IpAddr) -> Result<(), Wrong> {
        if party == STORAGE {
            self.battery.host = host;
        } else if party == DEVICES {
            self.devices_host = host;
        } else if let Some(server) = self.servers.iter_mut().find(|server| server.name == party) {
            server.host = host;
        } else if let Some(home) = self.homes.iter_mut().find(|home| home.name == party) {
            home.host = Some(host);
        } else {
            let mut known: Vec<_> = self.parties().iter().map(|(_, name, _)| (*name).to_owned()).collect();
            known.push(DEVICES.to_owned());
            let near = nearest(party, known.iter().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!("did you mean {near}? "));
            let why = format!("no party is called {party:?}; {near}There are {}", known.join(", "));
            return Err(Wrong::new("--host", why));
        }
        Ok(())
    }
}

/// What the storage side is called.
pub const STORAGE: &str = "storage";
/// What the simulated devices are called.
pub const DEVICES: &str = "devices";
/// What a utility charges, in thousandths of a euro per kilowatt-hour.
const UTILITY_MILLI: u64 = 320;
/// Currencies in which usual prices are known: so many units buy what a euro does, roughly.
const CURRENCIES: &[(&str, u64)] =
    &[("EUR", 1), ("USD", 1), ("GBP", 1), ("CHF", 1), ("AUD", 2), ("NZD", 2), ("SEK", 10), ("JPY", 100)];

impl Configuration for Plan {
    const FILE: &'static str = "community.toml";

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        self.passphrase_file.iter_mut().collect()
    }

    fn check(&self) -> Result<(), Wrong> {
        self.check_names()?;
        self.check_times()?;
        self.check_energy()?;
        self.check_hosts()?;
        self.check_ports()?;
        let prices = self.prices()?;
        if prices.buying < prices.selling {
            let why = "it is less than prices.selling: the community would lose on every kWh";
            return Err(Wrong::new("prices.buying", why));
        }
        Ok(())
    }
}

impl Plan {
    fn check_names(&self) -> Result<(), Wrong> {
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
            return Err(Wrong::new("name", "a name has 1 to 64 letters, on one line"));
        }
        if self.currency.len() != 3 || !self.currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(Wrong::new("currency", "a currency is three capital letters, such as EUR or JPY"));
        }
        match self.servers.len() {
            count if count < FEWEST_SERVERS => {
                let why = format!(
                    "a community needs three servers at least, here are {count}: agreement takes more than two \
                     thirds of them, and with fewer one alone could decide or stop everything. Four tolerate a \
                     faulty one"
                );
                return Err(Wrong::new("servers", why));
            }
            count if count > MOST_SERVERS => {
                return Err(Wrong::new("servers", format!("{count} are too many to agree; 100 at most")));
            }
            _ => {}
        }
        if self.homes.is_empty() {
            return Err(Wrong::new("homes", "there is none, and nobody could trade"));
        }
        for (list, names) in [
            ("servers", self.servers.iter().map(|server| &server.name).collect::<Vec<_>>()),
            ("homes", self.homes.iter().map(|home| &home.name).collect()),
        ] {
            for (number, name) in names.iter().enumerate() {
                check_name(name).map_err(|why| Wrong::new(format!("{list}[{number}].name"), why))?;
            }
            each_once(list, "name", names)?;
        }
        let both =
            self.homes.iter().position(|home| self.servers.iter().any(|server| server.name == home.name));
        if let Some(number) = both {
            let why = "a server is called so; every party has a name of its own";
            return Err(Wrong::new(format!("homes[{number}].name"), why));
        }
        match self.homes.iter().position(|home| home.generation == Generation::Unstated) {
            Some(number) => Err(Wrong::new(format!("homes[{number}].generation"), "say solar, wind or gas")),
            None => Ok(()),
        }
    }

    fn check_times(&self) -> Result<(), Wrong> {
        if self.slot_minutes == 0 || 1440 % self.slot_minutes != 0 {
            let why = format!("{} minutes do not divide a day evenly; 15, 30 and 60 do", self.slot_minutes);
            return Err(Wrong::new("slot_minutes", why));
        }
        let (real, ledger) = (self.real_slot_ms(), u64::from(self.slot_minutes) * 60_000);
        if real < SHORTEST_SLOT_MS {
            let why = format!("servers cannot agree within {real} ms; {SHORTEST_SLOT_MS} at least");
            return Err(Wrong::new("slot_real_ms", why));
        }
        if real > ledger {
            let why = format!("ledger time would run slower than real time ({ledger} ms a slot)");
            return Err(Wrong::new("slot_real_ms", why));
        }
        Ok(())
    }

    fn check_energy(&self) -> Result<(), Wrong> {
        let (capacity, power) = (self.battery.capacity.wh(), self.battery.power.watts());
        if capacity < SMALLEST_ORDER_WH {
            let why = format!("{capacity} Wh are less than the smallest purchase ({SMALLEST_ORDER_WH} Wh)");
            return Err(Wrong::new("battery.capacity", why));
        }
        let per_slot = power.saturating_mul(u64::from(self.slot_minutes)) / 60;
        if per_slot < SMALLEST_ORDER_WH {
            let why = format!(
                "{power} W deliver {per_slot} Wh in a slot, less than the smallest purchase ({SMALLEST_ORDER_WH} \
                 Wh); more power or longer slots"
            );
            return Err(Wrong::new("battery.power", why));
        }
        Ok(())
    }

    /// Whether everybody can reach whom they call.
    fn check_hosts(&self) -> Result<(), Wrong> {
        let mut hosts: Vec<(String, IpAddr)> = Vec::new();
        let servers = self.servers.iter().enumerate();
        hosts.extend(servers.map(|(number, server)| (format!("servers[{number}].host"), server.host)));
        hosts.push(("battery.host".to_owned(), self.battery.host));
        if self.devices == Devices::Sim {
            hosts.push(("devices_host".to_owned(), self.devices_host));
        }
        let homes = self.homes.iter().enumerate();
        let homes = homes.filter_map(|(number, home)| Some((format!("homes[{number}].host"), home.host?)));
        let all = hosts.iter().cloned().chain(homes);
        for (key, host) in all.clone() {
            if host.is_unspecified() || host.is_multicast() {
                return Err(Wrong::new(
                    key,
                    format!("nobody can be reached at {host}; say the machine's address"),
                ));
            }
        }
        let Some((_, far)) = all.clone().find(|(_, host)| !host.is_loopback()) else { return Ok(()) };
        match hosts.into_iter().find(|(_, host)| host.is_loopback()) {
            Some((key, host)) => {
                let why =
                    format!("it is {host}, which a party at {far} cannot reach; say the machine's address");
                Err(Wrong::new(key, why))
            }
            None => Ok(()),
        }
    }

    fn check_ports(&self) -> Result<(), Wrong> {
        if self.base_port < FIRST_PORT {
            return Err(Wrong::new("base_port", format!("ports below {FIRST_PORT} are the system's")));
        }
        let given = self.listeners();
        let given: Vec<(&str, SocketAddr)> = given
            .iter()
            .filter_map(|(key, host, port)| Some((key.as_str(), SocketAddr::new(*host, (*port)?))))
            .collect();
        wattbook_setup::reach::distinct(&given)
    }

    /// Every port that a party listens at: its key, its address, and the port where it has one already.
    pub fn listeners(&self) -> Vec<(String, IpAddr, Option<u16>)> {
        let loopback = devices_host();
        let mut all = Vec::new();
        for (number, server) in self.servers.iter().enumerate() {
            let key = |name: &str| format!("servers[{number}].{name}");
            all.push((key("api"), server.host, server.api));
            all.push((key("consensus"), server.host, server.consensus));
            all.push((key("local"), loopback, server.local));
        }
        all.push(("battery.port".to_owned(), self.battery.host, self.battery.port));
        for (number, home) in self.homes.iter().enumerate() {
            all.push((format!("homes[{number}].port"), home.host.unwrap_or(loopback), home.port));
        }
        if self.devices == Devices::Sim {
            all.push(("battery.devices_port".to_owned(), self.devices_host, self.battery.devices_port));
            for (number, home) in self.homes.iter().enumerate() {
                all.push((format!("homes[{number}].devices_port"), self.devices_host, home.devices_port));
            }
        }
        all
    }
}

/// Whether a party may be called so.
///
/// # Errors
/// Why not.
pub fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        return Err(format!("{name:?} is no name: it has 1 to 64 letters, digits, - and _"));
    }
    if name == STORAGE || name == DEVICES {
        return Err(format!("{name} has a meaning of its own; call it otherwise"));
    }
    Ok(())
}
