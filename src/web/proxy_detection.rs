//! Detects a reverse proxy that is not listed in `trusted_proxies`.
//!
//! Behind such a proxy all clients share its address: address rules, the limiter of failed credentials and
//! the audit log see the proxy only. It is detected as one peer that forwards for several clients; a client could
//! make that up, so this is a warning and changes nothing.

use std::net::IpAddr;
use std::sync::{Mutex, OnceLock};

use crate::vocab::MutexExt;

/// So many clients behind one peer are no coincidence.
const MIN_CLIENTS_OF_A_PROXY: usize = 4;

/// Peers that are tracked at a time.
const MAX_TRACKED_PEERS: usize = 16;

/// Peers that are not trusted and sent `X-Forwarded-For`.
#[derive(Debug, Default)]
pub(super) struct UntrustedProxies {
    detected: OnceLock<IpAddr>,
    seen: Mutex<Vec<(IpAddr, Vec<IpAddr>)>>,
}

// === impl UntrustedProxies ===

impl UntrustedProxies {
    /// The first peer that forwarded for several clients.
    pub(super) fn detected(&self) -> Option<IpAddr> {
        self.detected.get().copied()
    }

    /// Records that `peer` claims to forward for `client`.
    pub(super) fn record(&self, peer: IpAddr, client: IpAddr) {
        if self.detected.get().is_some() || !self.reaches_threshold(peer, client) {
            return;
        }
        if self.detected.set(peer).is_ok() {
            tracing::warn!(
                %peer,
                "this address forwards requests of several clients (X-Forwarded-For), but is not in trusted_proxies: \
                 all of them count as this one address for IP restrictions, failed keys and the audit log; if it is \
                 your proxy, name it in trusted_proxies"
            );
        }
    }

    fn reaches_threshold(&self, peer: IpAddr, client: IpAddr) -> bool {
        let mut seen = self.seen.locked();
        if let Some((_, clients)) = seen.iter_mut().find(|(known, _)| *known == peer) {
            if !clients.contains(&client) {
                clients.push(client);
            }
            return clients.len() >= MIN_CLIENTS_OF_A_PROXY;
        }
        if seen.len() >= MAX_TRACKED_PEERS {
            seen.clear();
        }
        seen.push((peer, vec![client]));
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_peer_with_several_clients_is_found_once() {
        let forwarders = UntrustedProxies::default();
        for client in 1..=3 {
            forwarders.record(ip("10.0.0.1"), ip(&format!("203.0.113.{client}")));
            forwarders.record(ip("10.0.0.1"), ip("203.0.113.1"));
        }
        assert_eq!(forwarders.detected(), None);
        forwarders.record(ip("10.0.0.1"), ip("203.0.113.4"));
        assert_eq!(forwarders.detected(), Some(ip("10.0.0.1")));
        for client in 1..=9 {
            forwarders.record(ip("10.0.0.2"), ip(&format!("203.0.113.{client}")));
        }
        assert_eq!(forwarders.detected(), Some(ip("10.0.0.1")));
    }

    #[test]
    fn many_peers_with_a_client_each_are_none_and_take_no_memory() {
        let forwarders = UntrustedProxies::default();
        for number in 0..1000_u32 {
            forwarders.record(IpAddr::V4(number.into()), ip("203.0.113.1"));
        }
        assert_eq!(forwarders.detected(), None);
        assert!(forwarders.seen.lock().unwrap().len() <= MAX_TRACKED_PEERS);
    }
}
