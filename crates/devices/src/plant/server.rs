//! The simulated world with its devices, which serve SunSpec over Modbus TCP.
//!
//! Always: before anything is read or set, the world is brought up to the present; one listener a home
//! (unit 1 its generator, 2 its end of the feeder, 3 the utility's meter, 4 its meter of what it uses) and
//! one or more a battery (unit 1 the battery, the next ones its ends of the feeders, by ascending connection
//! point). Deliberately absent: any other way to change the world than what real equipment would have, but
//! for the faults that tests set from within the process.

use super::listen::{PlantListen, address};
use super::physics::Devices;
use super::spec::{SpecError, WorldSpec};
use super::world::World;
use crate::clock::Clock;
use crate::drivers::sunspec::tables::Table;
use crate::modbus::{Guard, Server};
use crate::simulated::physics::Part;
use crate::simulated::site::{Inject, Live, Rack};
use crate::simulated::unit::{Name, Unit};
use crate::simulated::{self, Fault};
use crate::site::{FeederAddress, HomeDevices, StorageDevices};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use wattbook_types::transaction::Generation;
use wattbook_types::{BatteryId, ConnectionPoint};

/// The largest number of a unit.
const LAST_UNIT: u8 = 247;

/// How often (real time) the world is brought up to the present when nobody asks, so that nobody who does
/// waits for long.
const IDLE_STEP: Duration = Duration::from_millis(100);

/// A simulated world that runs. When the last clone is dropped, its devices stop.
#[derive(Clone)]
pub struct Plant {
    pub(super) live: Arc<Live<Devices>>,
    inner: Arc<Inner>,
}

struct Inner {
    racks: Vec<Arc<Rack<Devices>>>,
    servers: Vec<Server>,
    homes: BTreeMap<ConnectionPoint, HomeDevices>,
    storages: BTreeMap<BatteryId, StorageDevices>,
    stepping: JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stepping.abort();
    }
}

/// Why a world does not run.
#[derive(Debug, thiserror::Error)]
pub enum PlantError {
    /// Its specification contradicts itself.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A port cannot be had.
    #[error("the simulated devices cannot listen at {at}: {error}")]
    Listen {
        /// Where.
        at: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// Its certificates cannot be used.
    #[error("the simulated devices' certificates: {0}")]
    Tls(String),
    /// The table of listeners does not fit the world.
    #[error("{0}")]
    Table(String),
}

impl Plant {
    /// Starts a world and its devices. Needs a tokio runtime.
    ///
    /// # Errors
    /// Where the specification is contradictory or a port is taken.
    pub async fn start(spec: WorldSpec, clock: Clock, listen: PlantListen) -> Result<Self, PlantError> {
        listen.check(&spec)?;
        let live = Live::new(Devices::new(World::new(spec.clone())?), clock);
        let mut starting = Starting {
            guard: listen
                .tls
                .as_ref()
                .map(|tls| Guard::server(&tls.files))
                .transpose()
                .map_err(PlantError::Tls)?,
            listen,
            live: Arc::clone(&live),
            racks: Vec::new(),
            servers: Vec::new(),
        };
        let mut homes = BTreeMap::new();
        for home in &spec.homes {
            homes.insert(home.connection_point, starting.home(home.connection_point).await?);
        }
        let mut storages = BTreeMap::new();
        for battery in &spec.batteries {
            let feeders = spec.homes.iter().filter(|home| home.battery == battery.id);
            let feeders: Vec<_> = feeders.map(|home| home.connection_point).collect();
            let efficiency = [battery.charge_efficiency.get(), battery.discharge_efficiency.get()];
            storages.insert(battery.id, starting.storage(battery.id, &feeders, efficiency).await?);
        }
        let stepping = tokio::spawn(step(Arc::clone(&live)));
        let Starting { racks, servers, .. } = starting;
        Ok(Self { live, inner: Arc::new(Inner { racks, servers, homes, storages, stepping }) })
    }

    /// The devices of a home, as its configuration names them.
    pub fn home(&self, at: ConnectionPoint) -> Option<&HomeDevices> {
        self.inner.homes.get(&at)
    }

    /// The devices of a battery, as its configuration names them.
    pub fn storage(&self, id: BatteryId) -> Option<&StorageDevices> {
        self.inner.storages.get(&id)
    }

    /// Stops serving: all ports are free and all connections are closed when this returns. The world can
    /// still be looked at.
    pub async fn stop(&self) {
        for server in &self.inner.servers {
            server.stop().await;
        }
    }

    /// Looks at the world, or meddles with it, at the present ledger time.
    pub fn with<T>(&self, f: impl FnOnce(&mut World) -> T) -> T {
        f(&mut self.live.present().world)
    }

    /// From now on something is wrong with the registers of a device, or no longer.
    pub fn inject(&self, device: PlantDevice, fault: Option<Fault>) {
        for rack in &self.inner.racks {
            rack.inject(device.part(), fault);
        }
    }
}

/// A device of a plant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlantDevice {
    /// A home's generator.
    Generator(ConnectionPoint),
    /// A home's end of its feeder.
    HomeFeeder(ConnectionPoint),
    /// The utility's meter of a home.
    GridMeter(ConnectionPoint),
    /// A home's meter of what it uses.
    ConsumptionMeter(ConnectionPoint),
    /// A battery.
    Battery(BatteryId),
    /// The battery's end of a feeder.
    BatteryFeeder(ConnectionPoint),
}

impl PlantDevice {
    pub(super) const fn part(self) -> Part {
        match self {
            Self::Generator(at) => Part::Generator(at),
            Self::HomeFeeder(at) => Part::Feeder(at),
            Self::GridMeter(at) => Part::Grid(at),
            Self::ConsumptionMeter(at) => Part::Consumption(at),
            Self::Battery(id) => Part::Battery(id),
            Self::BatteryFeeder(at) => Part::Port(at),
        }
    }
}

async fn step(live: Arc<Live<Devices>>) {
    let mut idle = tokio::time::interval(IDLE_STEP);
    idle.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        idle.tick().await;
        drop(live.present());
    }
}

/// A plant that is being started.
struct Starting {
    listen: PlantListen,
    guard: Option<Guard>,
    live: Arc<Live<Devices>>,
    racks: Vec<Arc<Rack<Devices>>>,
    servers: Vec<Server>,
}

impl Starting {
    async fn home(&mut self, at: ConnectionPoint) -> Result<HomeDevices, PlantError> {
        let units = vec![
            self.unit(Part::Generator(at), "simulated generator", simulated::GENERATOR),
            self.unit(Part::Feeder(at), "simulated feeder", simulated::FEEDER),
            self.unit(Part::Grid(at), "simulated meter", simulated::METER),
            self.unit(Part::Consumption(at), "simulated meter", simulated::METER),
        ];
        // What the register tables have no number for is said in the address.
        let kind = match self.live.present().nameplate(Part::Generator(at)).kind {
            Generation::Wind => Some("kind=wind"),
            Generation::Gas => Some("kind=gas"),
            Generation::Solar | Generation::Unstated => None,
        };
        let place = self.serve(self.listen.home(at), units).await?;
        let address = |unit, options: &[String]| address(self.listen.tls.as_ref(), place, unit, options);
        Ok(HomeDevices {
            generator: address(1, kind.map(str::to_owned).as_slice()),
            generation_meter: None,
            feeder: address(2, &[]),
            grid_meter: address(3, &[]),
            consumption_meter: Some(address(4, &[])),
        })
    }

    async fn storage(
        &mut self,
        id: BatteryId,
        feeders: &[ConnectionPoint],
        [charge, discharge]: [u16; 2],
    ) -> Result<StorageDevices, PlantError> {
        let battery = self.unit(Part::Battery(id), "simulated battery", simulated::BATTERY);
        let mut units = vec![battery];
        let mut rest = feeders;
        let mut addresses = Vec::new();
        let mut battery_place = None;
        for further in 0.. {
            let first_unit = if battery_place.is_none() { 2 } else { 1 };
            let room = usize::from(LAST_UNIT - first_unit + 1).min(rest.len());
            let (here, later) = rest.split_at(room);
            for at in here {
                units.push(self.unit(Part::Port(*at), "simulated feeder", simulated::FEEDER));
            }
            let at = self.listen.storage(id, further);
            let place = self.serve(at, std::mem::take(&mut units)).await?;
            battery_place.get_or_insert(place);
            for (connection_point, unit) in here.iter().zip(first_unit..) {
                let address = address(self.listen.tls.as_ref(), place, unit, &[]);
                addresses.push(FeederAddress { connection_point: *connection_point, address });
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        // SunSpec does not say what a battery loses.
        let options = [format!("charge_efficiency={charge}"), format!("discharge_efficiency={discharge}")];
        let place = battery_place.unwrap_or_else(|| self.listen.storage(id, 0));
        let battery = address(self.listen.tls.as_ref(), place, 1, &options);
        Ok(StorageDevices { battery, meter: None, feeders: addresses })
    }

    fn unit(&self, part: Part, model: &'static str, models: &[&'static Table]) -> Unit {
        let serial = match part {
            Part::Generator(at) => format!("home-{at}-generator"),
            Part::Feeder(at) => format!("home-{at}-feeder"),
            Part::Grid(at) => format!("home-{at}-grid"),
            Part::Consumption(at) => format!("home-{at}-use"),
            Part::Battery(id) => format!("battery-{id}"),
            Part::Port(at) => format!("battery-feeder-{at}"),
        };
        let devices = self.live.present();
        let nameplate = devices.nameplate(part);
        Unit::new(&*devices, part, nameplate, Name { model, serial }, models)
    }

    async fn serve(&mut self, at: SocketAddr, units: Vec<Unit>) -> Result<SocketAddr, PlantError> {
        let rack = Rack::new(Arc::clone(&self.live), (1..).zip(units));
        self.racks.push(Arc::clone(&rack));
        let server = Server::start(at, self.guard.clone(), rack)
            .await
            .map_err(|error| PlantError::Listen { at, error })?;
        let place = server.address();
        self.servers.push(server);
        Ok(place)
    }
}
