//! What a driver implements: a device as it is, with what it can do and no more.
//!
//! Always: a value that the device does not have is missing, never zero; a command states the whole of what
//! is wanted, so that giving it twice changes nothing; opening needs no answer from the device, so that a
//! part starts before its devices do. Deliberately absent: whether a reading is to be believed (`watch`),
//! registers at the ends of slots where the device keeps none (`watch`), plans (`panel`). Those are the
//! same for every driver, and written once.

use crate::address::DeviceAddress;
use crate::capability::{
    Answer, BatteryControl, BatteryNameplate, BatteryState, Curtail, Generator, MeterReading, Registers,
};
use crate::clock::Clock;
use crate::reading::{DeviceError, Reading};
use serde::{Deserialize, Serialize};
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use wattbook_types::{Energy, Power, Slot, SlotLength, Timestamp};

/// A device that counts energy.
pub trait Counter: Send + Sync {
    /// What it shows now.
    fn read(&self) -> Answer<'_, Reading<MeterReading>>;

    /// The registers that the device itself kept as they stood when a slot ended. `None`: it keeps none
    /// (then `watch` takes them from readings around the slot's end). Missing: it keeps them, but not of
    /// this slot (not yet, or no longer).
    fn kept(&self, _slot: Slot) -> Answer<'_, Option<Reading<Registers>>> {
        Box::pin(async { Ok(None) })
    }

    /// What is known of how it counts. May ask the device.
    fn traits(&self) -> Answer<'_, CounterTraits> {
        Box::pin(async { Ok(CounterTraits::default()) })
    }
}

/// How a device counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterTraits {
    /// The energy at which its registers begin again from zero, where they do.
    pub wraps_at: Option<Energy>,
    /// The smallest step in which they count.
    pub resolution: Option<Energy>,
    /// The most power that can flow through it, where it is known: what is counted faster is not believed.
    pub limit: Option<Power>,
}

/// One end of a feeder: it limits what flows each way. The device knows no plans.
pub trait FeederLimiter: Send + Sync {
    /// Lets no more than this flow until told otherwise. With a lease, in whole seconds of the device's
    /// time, both limits fall to zero by themselves when it runs out, should nobody renew it.
    fn limit(&self, limits: FeederLimits, lease: Option<u32>) -> Answer<'_, ()>;

    /// As `limit` with a lease, and in no case beyond a moment, however late the device hears of it. A device
    /// that knows no moments goes by the lease alone.
    fn limit_until(&self, limits: FeederLimits, lease: u32, _until: Timestamp) -> Answer<'_, ()> {
        self.limit(limits, Some(lease))
    }

    /// How it is set.
    fn limits(&self) -> Answer<'_, FeederLimits>;
}

/// What may flow through a feeder, measured at the end at which it is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeederLimits {
    /// From the home towards the battery.
    pub to_battery: Power,
    /// From the battery towards the home.
    pub to_home: Power,
}

/// A battery with its own meter.
pub trait BatterySource: Send + Sync {
    /// What it can do.
    fn nameplate(&self) -> Answer<'_, BatteryNameplate>;

    /// How it stands now.
    fn state(&self) -> Answer<'_, Reading<BatteryState>>;

    /// How it stood when a slot ended, as [`Counter::kept`].
    fn kept(&self, _slot: Slot) -> Answer<'_, Option<Reading<BatteryState>>> {
        Box::pin(async { Ok(None) })
    }

    /// How its own meter counts. May ask the device.
    fn traits(&self) -> Answer<'_, CounterTraits> {
        Box::pin(async { Ok(CounterTraits::default()) })
    }
}

/// What drivers are opened with.
#[derive(Clone)]
pub struct Context {
    /// Ledger time, which readings carry.
    pub clock: Clock,
    /// The length of the community's slots.
    pub slot_length: SlotLength,
    /// Where what must outlive the process is kept (register offsets, last readings), if anywhere.
    pub memory: Option<PathBuf>,
    /// Relative paths in addresses (certificates) begin here.
    pub folder: PathBuf,
    shared: Shared,
}

type Shared = Arc<Mutex<HashMap<(TypeId, String), Arc<dyn Any + Send + Sync>>>>;

impl Context {
    /// A context without memory, relative to the present folder.
    pub fn new(clock: Clock, slot_length: SlotLength) -> Self {
        Self { clock, slot_length, memory: None, folder: PathBuf::from("."), shared: Shared::default() }
    }

    /// What all devices of a kind and key share, such as the one connection to a gateway: made when it is
    /// first asked for.
    pub fn shared<T: Send + Sync + 'static>(&self, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = shared.entry((TypeId::of::<T>(), key.to_owned())).or_insert_with(|| Arc::new(make()));
        Arc::clone(entry).downcast().expect("the key holds its type")
    }
}

/// Opens one capability of a device. Does not need the device to answer yet.
pub type Open<T> = fn(&DeviceAddress, &Context) -> Result<Arc<T>, DeviceError>;

/// Looks at what is at an address.
pub type Probe = for<'a> fn(&'a DeviceAddress, &'a Context) -> Answer<'a, Finding>;

/// A driver's row in the table: what of its devices can be used, and how each is opened.
pub struct Driver {
    /// The scheme of its addresses.
    pub scheme: &'static str,
    /// What it drives.
    pub about: &'static str,
    /// The form of its addresses, with every option.
    pub form: &'static str,
    /// How the link to such a device is protected.
    pub protection: fn(&DeviceAddress) -> Protection,
    /// What there is at an address.
    pub probe: Probe,
    /// Devices that count.
    pub counter: Option<Open<dyn Counter>>,
    /// Devices that generate.
    pub generator: Option<Open<dyn Generator>>,
    /// Generators that can be told to give less.
    pub curtail: Option<Open<dyn Curtail>>,
    /// Ends of feeders.
    pub feeder: Option<Open<dyn FeederLimiter>>,
    /// Batteries.
    pub battery: Option<Open<dyn BatterySource>>,
    /// Batteries whose power can be limited.
    pub battery_control: Option<Open<dyn BatteryControl>>,
}

/// How the link to a device is protected (P7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    /// Encrypted, and both ends are authenticated.
    Mutual,
    /// Encrypted; only the far end is authenticated.
    Encrypted,
    /// Neither, but it does not leave this machine.
    Loopback,
    /// Neither: whoever reaches the network can read and command. To be isolated.
    None,
}

/// What a capability is called, in configurations and words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// [`Counter`].
    Meter,
    /// [`Generator`].
    Generator,
    /// [`Curtail`].
    Curtailment,
    /// [`FeederLimiter`].
    Feeder,
    /// [`BatterySource`].
    Battery,
    /// [`BatteryControl`].
    BatteryControl,
}

/// What a probe found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Who made it, as it says itself.
    pub manufacturer: Option<String>,
    /// Which type it is.
    pub model: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// The version of its software.
    pub version: Option<String>,
    /// Everything that it has, in its own terms: SunSpec models, ECHONET properties, topics.
    pub parts: Vec<Part>,
    /// What it can be used as.
    pub offers: Vec<Capability>,
    /// What it lacks for being used as something, in words.
    pub lacks: Vec<String>,
    /// Whatever else should be known: odd answers, limits.
    pub remarks: Vec<String>,
}

/// A part of a device, in the device's own terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name, such as `model 203`.
    pub name: String,
    /// What it is.
    pub about: String,
    /// Where it is, such as `registers 40070-40176`.
    pub place: String,
    /// Whether this program uses it.
    pub used: bool,
}
