//! How many of something each network has at once.
//!
//! Always: an IPv4 address counts by itself, IPv6 addresses by their /64, of which one machine may have all; a
//! place is given back when it is dropped. Not here: how many there may be in all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Places, of which each network has the same number.
#[derive(Debug)]
pub struct Networks {
    most_of_one: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// A network's place; given back when dropped.
#[derive(Debug)]
pub struct NetworkPlace {
    networks: Arc<Networks>,
    network: IpAddr,
}

impl Networks {
    /// None is taken yet.
    pub fn new(most_of_one: usize) -> Arc<Self> {
        Arc::new(Self { most_of_one, taken: Mutex::default() })
    }

    /// A place for an address, unless its network has too many already.
    pub fn place(self: &Arc<Self>, address: IpAddr) -> Option<NetworkPlace> {
        let network = network(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.get(&network).copied().unwrap_or(0) >= self.most_of_one {
            return None;
        }
        *taken.entry(network).or_default() += 1;
        Some(NetworkPlace { networks: self.clone(), network })
    }
}

impl Drop for NetworkPlace {
    fn drop(&mut self) {
        let mut taken = self.networks.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.network);
            }
        }
    }
}

/// The address by which a network is counted.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::Networks;

    #[test]
    fn f24_addresses_of_one_network_share_its_places() {
        let networks = Networks::new(2);
        let place = |address: &str| networks.place(address.parse().expect("an address"));
        let held = [place("2001:db8::1"), place("2001:db8::ffff:1")];
        assert!(held.iter().all(Option::is_some));
        assert!(place("2001:db8::2").is_none(), "a third of one /64");
        assert!(place("2001:db8:0:1::2").is_some(), "another /64");
        let four = [place("192.0.2.1"), place("::ffff:192.0.2.1")];
        assert!(four.iter().all(Option::is_some));
        assert!(place("192.0.2.1").is_none() && place("192.0.2.2").is_some());
        drop(held);
        assert!(place("2001:db8::2").is_some(), "places come back");
    }
}
