//! Giving every party its ports.
//!
//! Always: a port that is given out is nobody else's in the plan, on whatever machine, so that parties can
//! move together; ports that a plan says stay. Not here: listening.

use super::plan::{Devices, Plan};
use std::net::{IpAddr, SocketAddr, TcpListener};
use wattbook_setup::Wrong;

/// Ports that a battery's simulated devices may take: its feeders fill several.
const BATTERY_DEVICES: u16 = 10;

/// How many bases are tried where nobody said one, and how far apart they are.
const BASES: usize = 40;
const BASE_STEP: u16 = 200;

/// Ports that are free in a plan, ascending.
struct Free {
    next: u32,
    taken: Vec<u16>,
}

impl Free {
    /// The first of so many free ports in a row.
    fn take(&mut self, count: u16) -> Result<u16, Wrong> {
        loop {
            let first = self.next;
            let last = first + u32::from(count) - 1;
            let (Ok(first), Ok(last)) = (u16::try_from(first), u16::try_from(last)) else {
                let why = "there are not enough ports above it; begin lower";
                return Err(Wrong::new("base_port", why));
            };
            self.next = u32::from(last) + 1;
            if !self.taken.iter().any(|taken| (first..=last).contains(taken)) {
                return Ok(first);
            }
            self.next = u32::from(first) + 1;
        }
    }

    fn fill(&mut self, port: &mut Option<u16>) -> Result<(), Wrong> {
        if port.is_none() {
            *port = Some(self.take(1)?);
        }
        Ok(())
    }
}

/// Gives a port to every party that has none.
///
/// # Errors
/// Where there are not enough.
pub fn give(plan: &mut Plan) -> Result<(), Wrong> {
    let mut taken: Vec<u16> = plan.listeners().into_iter().filter_map(|(_, _, port)| port).collect();
    if let Some(first) = plan.battery.devices_port {
        taken.extend((1..BATTERY_DEVICES).map(|further| first.saturating_add(further)));
    }
    let mut free = Free { next: u32::from(plan.base_port), taken };
    for server in &mut plan.servers {
        free.fill(&mut server.api)?;
        free.fill(&mut server.consensus)?;
        free.fill(&mut server.local)?;
    }
    free.fill(&mut plan.battery.port)?;
    for home in &mut plan.homes {
        free.fill(&mut home.port)?;
    }
    if plan.devices == Devices::Sim {
        if plan.battery.devices_port.is_none() {
            plan.battery.devices_port = Some(free.take(BATTERY_DEVICES)?);
        }
        for home in &mut plan.homes {
            free.fill(&mut home.devices_port)?;
        }
    }
    Ok(())
}

/// Whether the ports of parties on this machine can be listened at now.
///
/// # Errors
/// The first that cannot.
fn check_free(plan: &Plan) -> Result<(), Wrong> {
    let mut held = Vec::new();
    for (key, host, port) in plan.listeners() {
        let Some(port) = port else { continue };
        if let Some(problem) = busy(host, port, &mut held) {
            let why =
                format!("port {port} of {host} cannot be had: {problem}; choose other ports (--base-port)");
            return Err(Wrong::new(key, why));
        }
    }
    Ok(())
}

/// Gives out ports that are free on this machine: from the plan's base on where somebody said it, else from
/// the first base where all of them are.
///
/// # Errors
/// Where there are not enough, or one is taken and the base was said.
pub fn give_free(plan: &mut Plan, base_was_said: bool) -> Result<(), Wrong> {
    let mut planned = plan.clone();
    for _ in 0..BASES {
        let mut tried = planned.clone();
        give(&mut tried)?;
        let free = check_free(&tried);
        if free.is_ok() || base_was_said {
            *plan = tried;
            return free;
        }
        planned.base_port = planned.base_port.saturating_add(BASE_STEP);
    }
    give(plan)?;
    check_free(plan)
}

/// Why a port cannot be had; none where it can, or where the address is another machine's.
fn busy(host: IpAddr, port: u16, held: &mut Vec<TcpListener>) -> Option<std::io::Error> {
    match TcpListener::bind(SocketAddr::new(host, port)) {
        Ok(listener) => {
            held.push(listener);
            None
        }
        Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => None,
        Err(error) => Some(error),
    }
}
