//! The simulated world on the loopback: it moves on with the ledger's clock and answers JSON lines.
//!
//! Always: before anything is read or set, the world is brought up to the present. Deliberately absent:
//! any other way to change the world than what real equipment would have, but for the faults that tests
//! set from within the process.

use super::protocol::{MAX_LINE, Reply, Reported, Request};
use super::spec::{SpecError, WorldSpec};
use super::world::{Unready, World};
use crate::capability::GeneratorNameplate;
use crate::clock::Clock;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// The most connections served at once.
const MAX_CONNECTIONS: usize = 1_024;

/// How often (real time) the world is brought up to the present when nobody asks, so that nobody who does
/// waits for long.
const IDLE_STEP: Duration = Duration::from_millis(100);

/// A simulated world that runs. When the last clone is dropped, its server stops.
#[derive(Clone)]
pub struct Plant {
    world: Arc<Mutex<World>>,
    clock: Clock,
    address: SocketAddr,
    server: Arc<Server>,
}

struct Server(tokio::sync::Mutex<JoinHandle<()>>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.get_mut().abort();
    }
}

/// Why a world does not run.
#[derive(Debug, thiserror::Error)]
pub enum PlantError {
    /// Its specification contradicts itself.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Its port cannot be had.
    #[error("the simulated devices cannot listen: {0}")]
    Listen(#[from] std::io::Error),
}

impl Plant {
    /// Starts a world and serves it at `listen` (port 0 chooses one). Needs a tokio runtime.
    ///
    /// # Errors
    /// Where the specification is contradictory or the port is taken.
    pub async fn start(spec: WorldSpec, clock: Clock, listen: SocketAddr) -> Result<Self, PlantError> {
        let world = Arc::new(Mutex::new(World::new(spec)?));
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(serve(listener, Arc::clone(&world), clock.clone()));
        Ok(Self { world, clock, address, server: Arc::new(Server(server.into())) })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops serving: the port is free and all connections are closed when this returns. The world can
    /// still be looked at.
    pub async fn stop(&self) {
        let mut server = self.server.0.lock().await;
        server.abort();
        if !server.is_finished() {
            // What it returns says only that it was stopped.
            let _ = (&mut *server).await;
        }
    }

    /// Looks at the world, or meddles with it, at the present ledger time.
    pub fn with<T>(&self, f: impl FnOnce(&mut World) -> T) -> T {
        present(&self.world, &self.clock, f)
    }
}

fn present<T>(world: &Mutex<World>, clock: &Clock, f: impl FnOnce(&mut World) -> T) -> T {
    let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
    world.advance_to(clock.now());
    f(&mut world)
}

async fn serve(listener: TcpListener, world: Arc<Mutex<World>>, clock: Clock) {
    let mut connections = JoinSet::new();
    let mut idle = tokio::time::interval(IDLE_STEP);
    idle.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, Arc::clone(&world), clock.clone()));
                }
                Err(error) => tracing::warn!(%error, "a connection to the simulated devices failed"),
            },
            Some(_) = connections.join_next() => {}
            _ = idle.tick() => present(&world, &clock, |_| ()),
        }
    }
}

async fn converse(stream: TcpStream, world: Arc<Mutex<World>>, clock: Clock) {
    if let Err(error) = answer_lines(stream, &world, &clock).await {
        tracing::debug!(%error, "a connection to the simulated devices ended");
    }
}

async fn answer_lines(stream: TcpStream, world: &Mutex<World>, clock: &Clock) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut read).take(MAX_LINE as u64).read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let reply = present(world, clock, |world| Reply {
            time: world.now(),
            answer: match serde_json::from_slice(&line) {
                Ok(request) => answer(world, request),
                Err(error) => Reported::Refused(format!("not a request: {error}")),
            },
        });
        let mut bytes = serde_json::to_vec(&reply)?;
        bytes.push(b'\n');
        write.write_all(&bytes).await?;
    }
}

fn answer(world: &mut World, request: Request) -> Reported {
    let result = match request {
        Request::Generator { at } => {
            world.generator(at).map(|(kind, power)| Reported::Generator(GeneratorNameplate { kind, power }))
        }
        Request::Home { at } => world.home(at).map(Reported::Home),
        Request::HomeLatched { at, slot } => world.home_latched(at, slot).map(Reported::HomeRegisters),
        Request::Switch { at, send, draw } => world.set_switch(at, send, draw).map(|()| Reported::Done),
        Request::Curtail { at, limit } => world.curtail(at, limit).map(|()| Reported::Done),
        Request::Nameplate { battery } => world.battery_nameplate(battery).map(Reported::Nameplate),
        Request::Battery { battery } => world.battery(battery).map(Reported::Battery),
        Request::BatteryLatched { battery, slot } => {
            world.battery_latched(battery, slot).map(Reported::Battery)
        }
        Request::Limit { battery, limits } => world.set_limits(battery, limits).map(|()| Reported::Done),
        Request::Feeders { battery } => world.feeders(battery).map(Reported::Feeders),
        Request::FeedersLatched { battery, slot } => {
            world.feeders_latched(battery, slot).map(Reported::Feeders)
        }
        Request::Port { at, limits, lease } => world.set_port(at, limits, lease).map(|()| Reported::Done),
        Request::PortState { at } => world.port(at).map(Reported::Port),
    };
    match result {
        Ok(reported) => reported,
        Err(Unready::NotYet | Unready::Forgotten) => Reported::Missing,
        Err(refusal) => Reported::Refused(refusal.to_string()),
    }
}
