//! Simulated devices one at a time, for a bench: a generator, a meter or a battery behind a listener.
//!
//! Always: what they count begins at zero; they follow a home's profile, or that of the sample's first home
//! moved by whole weeks to the present. Not here: whole communities (`plant`).

use super::fault::Fault;
use super::physics::{Nameplate, Part, Physics};
use super::site::{Inject, Live, Rack};
use super::unit::{Name, Unit};
use super::{BATTERY_ALONE, GENERATOR, METER};
use crate::address::DeviceAddress;
use crate::clock::Clock;
use crate::drivers::sunspec::tables::Table;
use crate::modbus::{Guard, Server};
use crate::plant::lone::LoneBattery;
use crate::plant::physics::Devices;
use crate::plant::{BatterySpec, HomeSpec, PlantError, PlantTls, World, WorldSpec, address};
use crate::profile::{Profiles, sample};
use std::net::SocketAddr;
use std::sync::Arc;
use wattbook_types::transaction::Generation;
use wattbook_types::{
    BatteryId, ConnectionPoint, Energy, MeterRegister, PerMille, Power, SlotLength, Timestamp,
};

const WEEK_MS: u64 = 7 * 86_400_000;

/// How long the sample is repeated.
const REPEATED_MS: u64 = 1_000 * 86_400_000;

/// The home and the battery of a bench's world.
pub(crate) const HOME: ConnectionPoint = ConnectionPoint::from_number(1);
const BATTERY: BatteryId = BatteryId::from_number(1);

/// What a simulated device on a bench is made of.
#[derive(Clone, Debug)]
pub struct Bench {
    /// Where it listens; port 0 chooses one.
    pub listen: SocketAddr,
    /// Its time.
    pub clock: Clock,
    /// The intervals at whose ends it keeps its registers.
    pub slot_length: SlotLength,
    /// The profile that it follows, which must reach into the present, and the home in it.
    pub profile: Option<(Profiles, usize)>,
    /// How a generator generates.
    pub kind: Generation,
    /// What a battery can hold; it begins half full.
    pub capacity: Energy,
    /// What a battery takes in and gives out at most.
    pub power: Power,
    /// The unit of a device that speaks Modbus, from 1 to 247.
    pub unit: u8,
    /// Modbus/TCP Security in place of plain Modbus.
    pub tls: Option<PlantTls>,
}

/// A simulated device that runs. Stops when it is dropped.
pub struct Running {
    address: DeviceAddress,
    part: Part,
    rack: Arc<dyn Inject>,
    server: Server,
}

impl Running {
    /// Where it is.
    pub const fn address(&self) -> &DeviceAddress {
        &self.address
    }

    /// From now on something is wrong with its registers, or no longer.
    pub fn inject(&self, fault: Option<Fault>) {
        self.rack.inject(self.part, fault);
    }

    /// Stops it: its port is free when this returns.
    pub async fn stop(&self) {
        self.server.stop().await;
    }
}

/// Serves a generator: models 1, 103, 120, 121, 123 and interval registers.
///
/// # Errors
/// Where the port is taken or the profile has no such home.
pub async fn serve_generator(bench: Bench) -> Result<Running, PlantError> {
    let (kind, part) = (bench.kind, Part::Generator(HOME));
    let mut options = Vec::new();
    match kind {
        Generation::Wind => options.push("kind=wind".to_owned()),
        Generation::Gas => options.push("kind=gas".to_owned()),
        Generation::Solar | Generation::Unstated => {}
    }
    let (devices, nameplate) = bench.world(part)?;
    bench.serve(devices, part, nameplate, "simulated generator", GENERATOR, options).await
}

/// Serves a utility's meter of a home without a battery: models 1, 203 and interval registers.
///
/// # Errors
/// As [`serve_generator`].
pub async fn serve_meter(bench: Bench) -> Result<Running, PlantError> {
    let part = Part::Grid(HOME);
    let (devices, nameplate) = bench.world(part)?;
    bench.serve(devices, part, nameplate, "simulated meter", METER, Vec::new()).await
}

/// Serves a home's battery, half full: models 1, 701, 702, 704, 713, 802, 124 and interval
/// registers. It obeys 704 (`WSet`) and 124 (also rates below zero, which force the other way); told
/// nothing, it takes in what the home has left over, and gives it what it lacks.
///
/// # Errors
/// As [`serve_generator`].
pub async fn serve_battery(bench: Bench) -> Result<Running, PlantError> {
    let (battery, [charge, discharge]) = bench.battery()?;
    let options = vec![
        format!("charge_efficiency={}", charge.get()),
        format!("discharge_efficiency={}", discharge.get()),
    ];
    let (part, nameplate) = (battery.part(), battery.nameplate());
    bench.serve(battery, part, nameplate, "simulated battery", BATTERY_ALONE, options).await
}

impl Bench {
    /// A bench with the sample's first home, a battery of 10 kWh and 5 kW, plain Modbus and the usual half
    /// hours.
    pub fn new(listen: SocketAddr, clock: Clock) -> Self {
        let slot_length = SlotLength::from_seconds(1_800);
        Self {
            listen,
            clock,
            slot_length,
            profile: None,
            kind: Generation::Solar,
            capacity: Energy::from_wh(10_000),
            power: Power::from_watts(5_000),
            unit: 1,
            tls: None,
        }
    }

    fn home(&self) -> Result<(Profiles, usize), PlantError> {
        let (profiles, home) = self.profile.clone().unwrap_or_else(|| (sample_around(self.clock.now()), 0));
        if home >= profiles.homes().len() {
            let there = profiles.homes().len();
            return Err(PlantError::Table(format!(
                "the profile has {there} homes, and no home {}",
                home + 1
            )));
        }
        Ok((profiles, home))
    }

    /// A battery that serves the home, and what of energy it keeps on the way in and on the way out.
    pub(crate) fn battery(&self) -> Result<(LoneBattery, [PerMille; 2]), PlantError> {
        let spec = self.battery_holding(Energy::from_wh(self.capacity.wh() / 2));
        let battery = LoneBattery::new(spec, self.clock.now(), self.slot_length, Some(self.home()?));
        Ok((battery, [spec.charge_efficiency, spec.discharge_efficiency]))
    }

    const fn battery_holding(&self, stored: Energy) -> BatterySpec {
        BatterySpec {
            id: BATTERY,
            capacity: self.capacity,
            stored,
            charge_limit: self.power,
            discharge_limit: self.power,
            charge_efficiency: PerMille::new(960),
            discharge_efficiency: PerMille::new(960),
            standing_loss_ppm_per_hour: 100,
            import: MeterRegister::ZERO,
            export: MeterRegister::ZERO,
        }
    }

    pub(crate) fn world(&self, part: Part) -> Result<(Devices, Nameplate), PlantError> {
        let (profiles, profile) = self.home()?;
        let world = World::new(WorldSpec {
            start: self.clock.now(),
            slot_length: self.slot_length,
            step_seconds: 60,
            remembered_slots: 2_048,
            profiles: Arc::new(profiles),
            batteries: vec![self.battery_holding(Energy::ZERO)],
            homes: vec![HomeSpec {
                connection_point: HOME,
                battery: BATTERY,
                profile,
                line_loss: PerMille::new(0),
                kind: self.kind,
                received: MeterRegister::ZERO,
                delivered: MeterRegister::ZERO,
            }],
        })?;
        let devices = Devices::new(world);
        let nameplate = devices.nameplate(part);
        Ok((devices, nameplate))
    }

    async fn serve<P: Physics>(
        self,
        physics: P,
        part: Part,
        nameplate: Nameplate,
        model: &'static str,
        models: &[&'static Table],
        options: Vec<String>,
    ) -> Result<Running, PlantError> {
        let guard = self.tls.as_ref().map(|tls| Guard::server(&tls.files)).transpose();
        let name = Name { model, serial: "bench-1".to_owned() };
        let unit = Unit::new(&physics, part, nameplate, name, models);
        let rack = Rack::new(Live::new(physics, self.clock.clone()), [(self.unit, unit)]);
        let at = self.listen;
        let server = Server::start(at, guard.map_err(PlantError::Tls)?, Arc::clone(&rack) as _)
            .await
            .map_err(|error| PlantError::Listen { at, error })?;
        let address = address(self.tls.as_ref(), server.address(), self.unit, &options);
        Ok(Running { address, part, rack, server })
    }
}

/// The sample, moved by whole weeks to before a time and repeated long after it.
fn sample_around(time: Timestamp) -> Profiles {
    let sample = sample::read();
    let first = sample.start().millis() % WEEK_MS;
    let start = time.millis().saturating_sub(first) / WEEK_MS * WEEK_MS + first;
    sample.starting_at(Timestamp::from_millis(start)).repeated_until(time.plus_millis(REPEATED_MS))
}
