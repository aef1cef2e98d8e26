//! Devices as the software sees them, and a simulated physical world to run it on.
//!
//! `capability` says what consumers see of a generator, a meter, a battery or a feeder, `driver` what a device
//! gives; `drivers` holds one folder per kind of equipment, listed in `registry`. Between the two stand, the
//! same for all drivers, `watch` (what is to be believed of a meter, and what stood at the end of a slot),
//! `panel` (plans turned into limits) and `site` (devices put together to a home or a battery). `plant` is the
//! simulated world with its devices; `profile` reads measured generation and use; `bound` computes the most
//! that any rule could have covered.
//!
//! Always: readings carry their time and quality, and a missing reading says so; nothing here knows of
//! trades, keys or ledgers. Deliberately absent: any decision about when to send, draw or discharge
//! (crates `home` and `storage`).

pub mod address;
pub mod bound;
pub mod capability;
pub mod clock;
pub mod driver;
pub mod drivers;
pub mod echonet;
pub mod joules;
pub mod modbus;
pub mod mqtt;
mod panel;
pub mod plant;
pub mod profile;
pub mod reading;
pub mod registry;
pub mod simulated;
pub mod site;
mod switch;
pub mod watch;

pub use address::DeviceAddress;
pub use capability::{
    Answer, Battery, BatteryControl, BatteryNameplate, BatteryState, Curtail, FeederPanel, FeederPlan,
    FeederReading, FeederState, FeederSwitch, Generator, GeneratorNameplate, Meter, MeterReading, Registers,
};
pub use clock::Clock;
pub use driver::{Context, Driver};
pub use reading::{DeviceError, Quality, Reading, SignedPower};
pub use site::{
    DeviceLink, FeederAddress, HomeDevices, HomeSite, StorageDevices, StorageSite, open_home, open_storage,
};
pub use watch::{Notice, NoticeKind, Notices};
