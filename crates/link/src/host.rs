//! By which names a plain port may be called.
//!
//! Always: a plain port answers only who calls it by a name that means this machine whatever a name server
//! says. Any other name may be a stranger's, pointed at this machine so that a page of his is taken for one
//! of ours (F23). Not here: protected ports, where certificates say who is who.

use axum::http::{HeaderMap, header};
use std::net::{Ipv4Addr, Ipv6Addr};

/// What who calls a plain port by another name is told.
pub const FOREIGN_HOST: &str =
    "This port is for this machine only: call it as localhost, 127.0.0.1 or [::1].";

/// Whether a request names, as the host it is for, `localhost` or a loopback address, with any port. One
/// that names no host, or two, does not.
pub fn is_for_this_machine(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next().map(|host| host.to_str()), hosts.next()) {
        (Some(Ok(host)), None) => is_loopback(host),
        _ => false,
    }
}

fn is_loopback(host: &str) -> bool {
    let (is_ours, rest) =
        if let Some((address, rest)) = host.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
            (address.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback()), rest)
        } else {
            let (name, rest) = host.split_at(host.find(':').unwrap_or(host.len()));
            let is_address = name.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback());
            (is_address || name.eq_ignore_ascii_case("localhost"), rest)
        };
    let is_port =
        |rest: &str| rest.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    is_ours && (rest.is_empty() || is_port(rest))
}

#[cfg(test)]
mod tests {
    use super::is_for_this_machine;
    use axum::http::{HeaderMap, HeaderValue, header};

    fn headers(hosts: &[&str]) -> HeaderMap {
        let value = |host: &&str| (header::HOST, HeaderValue::from_str(host).expect("a value"));
        hosts.iter().map(value).collect()
    }

    #[test]
    fn f23_only_names_that_mean_this_machine_are_taken() {
        for host in
            ["localhost", "LocalHost:80", "127.0.0.1", "127.0.0.1:8443", "127.9.9.9", "[::1]", "[::1]:1"]
        {
            assert!(is_for_this_machine(&headers(&[host])), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1:80.evil.example",
            "localhost@evil.example",
            "[::1].evil.example",
            "[::1]evil:80",
            "::1",
            "0.0.0.0",
            "192.0.2.1:80",
            "[2001:db8::1]:80",
            "[127.0.0.1]",
        ] {
            assert!(!is_for_this_machine(&headers(&[host])), "{host}");
        }
        assert!(!is_for_this_machine(&headers(&[])), "no host at all");
        assert!(!is_for_this_machine(&headers(&["localhost", "evil.example"])), "two hosts");
    }
}
