//! JSON lines over TCP, until everything speaks SunSpec.

use super::physics::Devices;
use super::protocol::{MAX_LINE, Reply, Reported, Request};
use super::world::{Unready, World};
use crate::capability::GeneratorNameplate;
use crate::simulated::site::Live;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The most connections served at once.
const MAX_CONNECTIONS: usize = 1_024;

pub(super) async fn serve(listener: TcpListener, live: Arc<Live<Devices>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, Arc::clone(&live)));
                }
                Err(error) => tracing::warn!(%error, "a connection to the simulated devices failed"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, live: Arc<Live<Devices>>) {
    if let Err(error) = answer_lines(stream, &live).await {
        tracing::debug!(%error, "a connection to the simulated devices ended");
    }
}

async fn answer_lines(stream: TcpStream, live: &Live<Devices>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut read).take(MAX_LINE as u64).read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let reply = {
            let world = &mut live.present().world;
            Reply {
                time: world.now(),
                answer: match serde_json::from_slice(&line) {
                    Ok(request) => answer(world, request),
                    Err(error) => Reported::Refused(format!("not a request: {error}")),
                },
            }
        };
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
