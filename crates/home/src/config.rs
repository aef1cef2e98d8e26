//! What a home process is told when it starts: where things are, which homes it hosts, and by which rules
//! each of them sells and buys until its owner changes them.
//!
//! Always: units stand in the types or names; a secret seed is never printed. Not here: reading files (the
//! command does that) and the settings that owners change later (see `record`).

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use wattbook_devices::DeviceConfig;
use wattbook_types::transaction::Generation;
use wattbook_types::{
    BatteryId, ConnectionPoint, Energy, PerMille, Power, Price, SecretKey, SlotLength, Timestamp,
};

/// Configuration of a process that hosts one or many homes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// The community's genesis file (JSON).
    pub genesis: PathBuf,
    /// Folder for the local record and the outbox; made if it is not there.
    pub data: PathBuf,
    /// Where the pages and the JSON interface are served.
    pub listen: SocketAddr,
    /// Base addresses of the authentication servers, in the order in which they are tried.
    pub servers: Vec<String>,
    /// Base addresses of the storage side, one per battery that homes of this process join.
    pub storage: Vec<StorageAddress>,
    /// What the utility charges.
    pub utility: UtilityTariff,
    /// Local time on the pages, in minutes ahead of UTC.
    #[serde(default)]
    pub utc_offset_minutes: i32,
    /// The homes.
    pub homes: Vec<HomeConfig>,
}

/// Where the storage side of a battery listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageAddress {
    /// The battery.
    pub battery: BatteryId,
    /// Base address of its storage side.
    pub url: String,
}

/// One home.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HomeConfig {
    /// Its name in addresses of pages: letters, digits, `-` and `_`. Stays in this process.
    pub name: String,
    /// The secret key.
    pub seed: Seed,
    /// Where its feeder joins the battery.
    pub connection_point: ConnectionPoint,
    /// Driver and address of its devices (meters, generator and feeder switch).
    pub device: DeviceConfig,
    /// How it generates.
    #[serde(default = "solar")]
    pub generation: Generation,
    /// The most that its feeder to the battery carries, in watts.
    #[serde(default = "default_feeder_limit")]
    pub feeder_limit: Power,
    /// By which rule it sells.
    #[serde(default)]
    pub sell: SellRule,
    /// By which rule it buys.
    #[serde(default)]
    pub buy: BuyRule,
}

fn solar() -> Generation {
    Generation::Solar
}

fn default_feeder_limit() -> Power {
    Power::from_watts(20_000)
}

/// When and how much surplus goes to the battery (S1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SellRule {
    /// Whether surplus is sold without asking each time.
    pub automatic: bool,
    /// The surplus from which on it is sent, in watts.
    pub threshold: Power,
    /// How much of it.
    pub amount: SellAmount,
}

impl Default for SellRule {
    /// All surplus from 50 W on, automatically.
    fn default() -> Self {
        Self { automatic: true, threshold: Power::from_watts(50), amount: SellAmount::All }
    }
}

/// How much surplus is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SellAmount {
    /// Whatever is left over.
    All,
    /// At most so much power.
    Power(Power),
    /// At most so much energy in a slot.
    Energy(Energy),
    /// At most this share of what is generated, in thousandths.
    Share(PerMille),
}

/// When, how much and at which price power is bought ahead (B1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BuyRule {
    /// Whether expected need is bought without asking each time.
    pub automatic: bool,
    /// The smallest expected need that is bought; the community's smallest order counts as well.
    pub threshold: Energy,
    /// What is asked for, in thousandths of the expected need. Above 1000 because what is not drawn is not
    /// paid, and what was not asked for cannot be had any more.
    pub safety_per_mille: u16,
    /// The price offered.
    pub offer: Offer,
    /// After being outbid or offering less than any stored energy cost: by how many thousandths the next
    /// offer is raised, never above the cap or what the utility charges. 0: the same price again (B7).
    pub raise_per_mille: u16,
    /// How long before the gate it is decided, in thousandths of a slot: late enough to know the last
    /// slot, early enough to be agreed.
    pub lead_per_mille: u16,
}

impl Default for BuyRule {
    /// Automatic, from nothing on, a quarter more than expected, at the recommended price.
    fn default() -> Self {
        Self {
            automatic: true,
            threshold: Energy::ZERO,
            safety_per_mille: 1250,
            offer: Offer::Recommended,
            raise_per_mille: 0,
            lead_per_mille: 375,
        }
    }
}

/// Which price is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offer {
    /// What the community recommends, or the lowest price of any stored energy where that is more.
    Recommended,
    /// Always the same.
    Fixed(Price),
}

/// What the utility charges for a kilowatt-hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UtilityTariff {
    /// The price where no hour says otherwise.
    pub price: Price,
    /// Time of use: 24 prices by local hour, or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_hour: Vec<Price>,
}

impl UtilityTariff {
    /// The same price at all times.
    pub const fn flat(price: Price) -> Self {
        Self { price, by_hour: Vec::new() }
    }

    /// The price at a moment.
    pub fn at(&self, time: Timestamp, utc_offset_minutes: i32) -> Price {
        let minutes = i64::try_from(time.millis() / 60_000).unwrap_or(i64::MAX);
        let hour = minutes.saturating_add(i64::from(utc_offset_minutes)).div_euclid(60).rem_euclid(24);
        self.by_hour.get(usize::try_from(hour).unwrap_or(0)).copied().unwrap_or(self.price)
    }
}

/// The seed of a secret key, `0x` and 64 hexadecimal digits. Not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key that it makes.
    pub fn key(&self) -> SecretKey {
        SecretKey::from_seed(self.0)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(hidden)")
    }
}

impl Serialize for Seed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&wattbook_types::hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        let bytes = wattbook_types::hex::decode(&text).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes.map(Self).ok_or_else(|| D::Error::custom("expected 0x and 64 hexadecimal digits"))
    }
}

/// Slots in a day; at least one.
pub fn slots_per_day(length: SlotLength) -> u64 {
    (86_400 / length.seconds()).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_of_use_follows_the_local_hour() {
        let mut by_hour = vec![Price::from_milli_per_kwh(220); 24];
        by_hour[18] = Price::from_milli_per_kwh(540);
        let tariff = UtilityTariff { price: Price::from_milli_per_kwh(1), by_hour };
        let one_o_clock_utc = Timestamp::from_millis(3_600_000);
        assert_eq!(tariff.at(one_o_clock_utc, 0), Price::from_milli_per_kwh(220));
        assert_eq!(tariff.at(one_o_clock_utc, -7 * 60), Price::from_milli_per_kwh(540));
        let flat = UtilityTariff::flat(Price::from_milli_per_kwh(300));
        assert_eq!(flat.at(one_o_clock_utc, 0), Price::from_milli_per_kwh(300));
    }

    #[test]
    fn a_seed_reads_as_text_and_hides_itself() {
        let text = format!("\"0x{}\"", "07".repeat(32));
        let seed: Seed = serde_json::from_str(&text).expect("a seed");
        assert_eq!(seed, Seed::from_bytes([7; 32]));
        assert_eq!(serde_json::to_string(&seed).expect("text"), text);
        assert_eq!(format!("{seed:?}"), "Seed(hidden)");
        assert!(serde_json::from_str::<Seed>("\"0x07\"").is_err());
    }
}
