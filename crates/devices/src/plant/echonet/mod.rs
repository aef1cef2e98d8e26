//! Simulated devices as ECHONET Lite nodes: solar generation, a storage battery, a smart meter.
//!
//! Always: one node an address; a request sees one moment of what the device is part of; what a class must
//! have by its release is there. A node that listens at port 3610 answers to port 3610, as the standard has
//! it; at another port (tests) it answers to the port that asked. Deliberately absent: multicast, and
//! telling anything by itself.

mod answer;
mod battery;
mod profile;
mod smart_meter;
mod solar;

use super::server::{Plant, PlantDevice, PlantError};
use crate::echonet::{Eoj, Frame, PORT, UtcOffset, bind_shared};
use crate::simulated::physics::{Nameplate, Part, Physics};
use crate::simulated::site::Live;
use crate::simulated::{Bench, HOME};
use answer::Answering;
use battery::Battery;
use smart_meter::SmartMeter;
use solar::Solar;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use wattbook_types::PerMille;

/// As what a simulated device shows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EchonetFace {
    /// Household solar power generation (class 0279).
    Solar,
    /// A storage battery (class 027D).
    Battery,
    /// A low-voltage smart electric energy meter (class 0288).
    SmartMeter(MeterFace),
}

/// How a simulated smart meter counts and what time it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterFace {
    /// The coefficient of all its energies (D3), from 1.
    pub coefficient: u32,
    /// Its significant digits (D7), 1 to 8.
    pub digits: u8,
    /// The unit of its energies (E1): 0x00 to 0x04 for 1 to 0.0001 kWh, 0x0A to 0x0D for 10 to 10,000 kWh.
    pub unit: u8,
    /// Its local time.
    pub utc_offset: UtcOffset,
    /// Whether it counts the reverse direction too.
    pub reverse: bool,
}

impl Default for MeterFace {
    /// As most meters in Japan: 0.1 kWh, six digits.
    fn default() -> Self {
        Self { coefficient: 1, digits: 6, unit: 0x01, utc_offset: UtcOffset::JAPAN, reverse: true }
    }
}

/// A simulated node. It stops when it is dropped.
#[derive(Debug)]
pub struct EchonetNode {
    address: SocketAddr,
    objects: Vec<Eoj>,
    server: JoinHandle<()>,
}

impl EchonetNode {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its objects as addresses of this program's driver, in the order in which they were given.
    pub fn addresses(&self) -> impl Iterator<Item = crate::address::DeviceAddress> {
        self.objects.iter().map(|eoj| {
            let text = format!("echonet://{}/{eoj}", self.address);
            text.parse().expect("an address of this form")
        })
    }

    /// Stops it: its port is free when this returns.
    pub async fn stop(mut self) {
        self.server.abort();
        // What it returns says only that it was stopped.
        let _ = (&mut self.server).await;
    }
}

impl Drop for EchonetNode {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Plant {
    /// Serves devices of the world as one ECHONET Lite node besides, at an address of this machine.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub async fn serve_echonet(
        &self,
        listen: SocketAddr,
        devices: &[(PlantDevice, EchonetFace)],
    ) -> Result<EchonetNode, PlantError> {
        let served = {
            let physics = self.live.present();
            let served = |(device, face): &(PlantDevice, EchonetFace)| {
                let part = device.part();
                let efficiency = match device {
                    PlantDevice::Battery(id) => {
                        let plate = physics.world.battery_nameplate(*id).ok();
                        plate.map_or(NO_LOSS, |plate| [plate.charge_efficiency, plate.discharge_efficiency])
                    }
                    _ => NO_LOSS,
                };
                Served { part, nameplate: physics.nameplate(part), efficiency, face: *face }
            };
            devices.iter().map(served).collect()
        };
        serve(listen, Arc::clone(&self.live), served).await
    }
}

/// Serves one device of a bench as an ECHONET Lite node: a home's generator, its battery, or the utility's
/// meter, as `simulated` does over SunSpec.
///
/// # Errors
/// Where the address cannot be had or the profile has no such home.
pub async fn serve_echonet(bench: Bench, face: EchonetFace) -> Result<EchonetNode, PlantError> {
    let (listen, clock) = (bench.listen, bench.clock.clone());
    match face {
        EchonetFace::Battery => {
            let (battery, efficiency) = bench.battery()?;
            let (part, nameplate) = (battery.part(), battery.nameplate());
            let served = Served { part, nameplate, efficiency, face };
            serve(listen, Live::new(battery, clock), vec![served]).await
        }
        EchonetFace::Solar | EchonetFace::SmartMeter(_) => {
            let part = if face == EchonetFace::Solar { Part::Generator(HOME) } else { Part::Grid(HOME) };
            let (devices, nameplate) = bench.world(part)?;
            let served = Served { part, nameplate, efficiency: NO_LOSS, face };
            serve(listen, Live::new(devices, clock), vec![served]).await
        }
    }
}

/// A part that a node serves.
struct Served {
    part: Part,
    nameplate: Nameplate,
    /// Of a battery: what of energy that goes in is stored, and what of that comes out.
    efficiency: [PerMille; 2],
    face: EchonetFace,
}

const NO_LOSS: [PerMille; 2] = [PerMille::new(1000); 2];

/// Serves parts of some physics as one node.
async fn serve<P: Physics>(
    listen: SocketAddr,
    live: Arc<Live<P>>,
    served: Vec<Served>,
) -> Result<EchonetNode, PlantError> {
    let failed = |error| PlantError::Listen { at: listen, error };
    let socket = bind_shared(listen).map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    let mut things: Vec<Box<dyn Thing<P>>> = Vec::new();
    for Served { part, nameplate, efficiency, face } in served {
        let next = |class: u16| {
            let before = things.iter().filter(|thing| thing.eoj().class() == class).count();
            Eoj::new(class, u8::try_from(before + 1).unwrap_or(u8::MAX))
        };
        things.push(match face {
            EchonetFace::Solar => Box::new(Solar::new(next(solar::CLASS), part, nameplate)),
            EchonetFace::Battery => Box::new(Battery::new(next(battery::CLASS), part, nameplate, efficiency)),
            EchonetFace::SmartMeter(face) => Box::new(SmartMeter::new(next(smart_meter::CLASS), part, face)),
        });
    }
    let objects = things.iter().map(|thing| thing.eoj()).collect();
    let server = tokio::spawn(listen_at(socket, address.port(), Answering::new(live, things)));
    Ok(EchonetNode { address, objects, server })
}

/// What a simulated node has: a device, by the properties of its class.
trait Thing<P>: Send + Sync {
    /// Which object it is.
    fn eoj(&self) -> Eoj;

    /// The letter of the Appendix' release that it follows.
    fn release(&self) -> u8;

    /// The properties of its class that can be read.
    fn readable(&self) -> Vec<u8>;

    /// The properties of its class that can be set.
    fn settable(&self) -> &'static [u8];

    /// A property's data.
    fn get(&self, physics: &P, code: u8) -> Option<Vec<u8>>;

    /// Sets a property; `false` where the data are none that it takes.
    fn set(&self, physics: &mut P, code: u8, edt: &[u8]) -> bool;

    /// Its local time.
    fn utc_offset(&self) -> UtcOffset {
        UtcOffset::JAPAN
    }
}

async fn listen_at<P: Physics>(socket: UdpSocket, port: u16, node: Answering<P>) {
    let mut buffer = vec![0; crate::echonet::LARGEST];
    loop {
        let (length, asker) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                tracing::warn!(%error, "the simulated ECHONET Lite node stopped");
                return;
            }
        };
        let request = match Frame::decode(&buffer[..length]) {
            Ok(request) => request,
            Err(error) => {
                tracing::debug!(%asker, %error, "no ECHONET Lite frame");
                continue;
            }
        };
        let back = SocketAddr::new(asker.ip(), if port == PORT { PORT } else { asker.port() });
        for answer in node.answer(&request) {
            if let Err(error) = socket.send_to(&answer.encode(), back).await {
                tracing::debug!(%asker, %error, "an answer was not sent");
            }
        }
    }
}
