//! The driver of the simulated world (`crate::plant`), over its JSON lines.
//!
//! Always: a broken connection is opened again at the next call; an answer that does not fit its question
//! is an error, never a guess. Its register table is `crate::plant::protocol`.

mod devices;
mod link;

use crate::plant_registry::{DeviceConfig, HomeSite, StorageSite};
use crate::reading::DeviceError;
use devices::{BatteryDevice, FeederPanelDevice, HomeDevice, HomeMeter, Place};
use link::Link;
use std::sync::Arc;
use wattbook_types::{BatteryId, ConnectionPoint};

/// Opens a home's devices.
pub(crate) fn open_home(config: &DeviceConfig, at: ConnectionPoint) -> Result<HomeSite, DeviceError> {
    let link = Arc::new(Link::new(config.address.clone()));
    let home = Arc::new(HomeDevice { link: Arc::clone(&link), at });
    let meter = |place| Arc::new(HomeMeter { link: Arc::clone(&link), at, place });
    Ok(HomeSite {
        connection_point: at,
        generation_meter: meter(Place::Generation),
        consumption_meter: meter(Place::Consumption),
        feeder_meter: meter(Place::Feeder),
        grid_meter: meter(Place::Grid),
        curtail: Some(Arc::clone(&home) as _),
        feeder: Arc::clone(&home) as _,
        generator: home,
    })
}

/// Opens a battery's devices.
pub(crate) fn open_storage(config: &DeviceConfig, id: BatteryId) -> Result<StorageSite, DeviceError> {
    let link = Arc::new(Link::new(config.address.clone()));
    let battery = Arc::new(BatteryDevice { link: Arc::clone(&link), id });
    Ok(StorageSite {
        id,
        control: Some(Arc::clone(&battery) as _),
        battery,
        feeders: Arc::new(FeederPanelDevice { link, battery: id }),
    })
}
