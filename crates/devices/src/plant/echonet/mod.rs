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
use answer::Answering;
use battery::Battery;
use smart_meter::SmartMeter;
use solar::Solar;
use std::io;
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
    Battery {
        /// What of energy that goes in is stored.
        charge_efficiency: PerMille,
        /// What of stored energy comes out.
        discharge_efficiency: PerMille,
    },
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
        let parts: Vec<_> = {
            let physics = self.live.present();
            let part = |device: PlantDevice| (device.part(), physics.nameplate(device.part()));
            devices.iter().map(|(device, face)| (part(*device), *face)).collect()
        };
        let live = Arc::clone(&self.live);
        serve(listen, live, parts).await.map_err(|error| PlantError::Listen { at: listen, error })
    }
}

/// Serves parts of some physics as one node.
///
/// # Errors
/// Where the address cannot be had.
pub(crate) async fn serve<P: Physics>(
    listen: SocketAddr,
    live: Arc<Live<P>>,
    parts: Vec<((Part, Nameplate), EchonetFace)>,
) -> io::Result<EchonetNode> {
    let socket = bind_shared(listen)?;
    let address = socket.local_addr()?;
    let mut things: Vec<Box<dyn Thing<P>>> = Vec::new();
    for ((part, nameplate), face) in parts {
        let class = |thing: &dyn Thing<P>| thing.eoj().class();
        let next = |class_wanted: u16| {
            let before = things.iter().filter(|thing| class(thing.as_ref()) == class_wanted).count();
            Eoj::new(class_wanted, u8::try_from(before + 1).unwrap_or(u8::MAX))
        };
        let thing: Box<dyn Thing<P>> = match face {
            EchonetFace::Solar => Box::new(Solar::new(next(solar::CLASS), part, nameplate)),
            EchonetFace::Battery { charge_efficiency, discharge_efficiency } => Box::new(Battery::new(
                next(battery::CLASS),
                part,
                nameplate,
                [charge_efficiency, discharge_efficiency],
            )),
            EchonetFace::SmartMeter(face) => Box::new(SmartMeter::new(next(smart_meter::CLASS), part, face)),
        };
        things.push(thing);
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
