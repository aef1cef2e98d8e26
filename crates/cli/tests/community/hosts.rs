//! Hosts on a network of their own: Linux network namespaces that a bridge joins.
//!
//! Always: names carry this process' id and everything is removed at the end; nothing of the machine's own
//! network is touched. Needs root and `ip` (iproute2). Not here: what runs on the hosts.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::{Command, Output};

/// A network of hosts.
pub struct Network {
    prefix: String,
    hosts: Vec<Host>,
}

/// A host: a network namespace with one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The namespace.
    pub space: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// The switch's end of its cable.
    cable: String,
    switch: String,
}

impl Network {
    /// A switch without hosts; in words why not, where namespaces cannot be made.
    pub fn new() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("network namespaces need root".to_owned());
        }
        let network = Self { prefix: format!("wb{}", std::process::id()), hosts: Vec::new() };
        let switch = network.switch();
        ip(&["netns", "add", &switch])?;
        ip(&["-n", &switch, "link", "add", "bridge", "type", "bridge"])?;
        ip(&["-n", &switch, "addr", "add", "10.77.0.254/24", "dev", "bridge"])?;
        ip(&["-n", &switch, "link", "set", "bridge", "up"])?;
        Ok(network)
    }

    /// The namespace of the switch, which has the address 10.77.0.254 itself.
    pub fn switch(&self) -> String {
        format!("{}-switch", self.prefix)
    }

    /// One more host with the address 10.77.0.`number`.
    pub fn host(&mut self, number: u8) -> Result<Host, String> {
        let host = Host {
            space: format!("{}-{number}", self.prefix),
            address: Ipv4Addr::new(10, 77, 0, number),
            cable: format!("cable{number}"),
            switch: self.switch(),
        };
        let (space, switch, cable) = (host.space.as_str(), host.switch.as_str(), host.cable.as_str());
        ip(&["netns", "add", space])?;
        self.hosts.push(host.clone());
        ip(&["-n", space, "link", "add", "eth0", "type", "veth", "peer", "name", cable, "netns", switch])?;
        ip(&["-n", space, "addr", "add", &format!("{}/24", host.address), "dev", "eth0"])?;
        ip(&["-n", space, "link", "set", "lo", "up"])?;
        ip(&["-n", space, "link", "set", "eth0", "up"])?;
        ip(&["-n", switch, "link", "set", cable, "master", "bridge", "up"])?;
        Ok(host)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let spaces = self.hosts.iter().map(|host| host.space.clone()).chain([self.switch()]);
        for space in spaces {
            // What is not there any more needs no removing.
            let _ = ip(&["netns", "del", &space]);
        }
    }
}

impl Host {
    /// A program on this host.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        // `ip` becomes the program: its process id is the program's.
        command.args(["netns", "exec", &self.space, program]);
        command
    }

    /// Pulls its cable.
    pub fn unplug(&self) -> Result<(), String> {
        ip(&["-n", &self.switch, "link", "set", &self.cable, "down"]).map(drop)
    }

    /// Puts its cable back.
    pub fn plug(&self) -> Result<(), String> {
        ip(&["-n", &self.switch, "link", "set", &self.cable, "up"]).map(drop)
    }

    /// Takes another's address as well, and makes a third one believe it (as forged ARP answers would). To
    /// all the rest, the other stays who he is.
    pub fn pose_as(&self, other: &Self, before: &Self) -> Result<(), String> {
        // Addresses of its loopback are not answered for on the cable.
        let quiet = || std::fs::write("/proc/sys/net/ipv4/conf/all/arp_ignore", "1");
        within(&self.space, quiet).join().expect("it ends").map_err(|error| error.to_string())?;
        ip(&["-n", &self.space, "addr", "add", &format!("{}/32", other.address), "dev", "lo"])?;
        let shown = ip(&["-n", &self.space, "-o", "link", "show", "eth0"])?;
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        let hardware = text.split("link/ether ").nth(1).and_then(|rest| rest.split(' ').next());
        let hardware = hardware.ok_or_else(|| format!("no hardware address in {text}"))?;
        let address = other.address.to_string();
        ip(&["-n", &before.space, "neigh", "replace", &address, "lladdr", hardware, "dev", "eth0"]).map(drop)
    }
}

/// Runs something in a namespace, on a thread that lives there: its sockets belong to that host.
pub fn within<T: Send + 'static>(
    space: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::thread::JoinHandle<T> {
    let space = File::open(format!("/var/run/netns/{space}")).expect("the namespace is there");
    std::thread::spawn(move || {
        move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may");
        work()
    })
}

fn ip(arguments: &[&str]) -> Result<Output, String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}
