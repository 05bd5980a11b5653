//! The gate for addresses: who failed too often waits, before a look-up is made for him.
//!
//! Failures are counted for an IPv4 address or an IPv6 /64, the smallest unit that a customer of a network
//! gets. Many people can share such an address behind a NAT, so a neighbour's failures must not lock out
//! somebody whose key works: a credential that was accepted from the same address a short while ago passes
//! a closed gate. Whoever fails has no such credential. Requests without any credential are not counted:
//! this is how clients ask whether they need one.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio_util::sync::CancellationToken;

use crate::vocab::Proof;

/// How long an accepted credential opens a closed gate.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);

/// How often what no longer matters is forgotten.
const SWEEP: Duration = Duration::from_secs(60);

/// A bound for what an attacker with many valid credentials could make us remember.
const MOST_REMEMBERED: usize = 65_536;

/// What failures are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix(IpAddr);

/// Failed attempts by address.
#[derive(Debug)]
pub struct Addresses {
    failures: DefaultKeyedRateLimiter<Prefix>,
    waiting: DashMap<Prefix, Instant>,
    accepted: DashMap<(Prefix, Proof), Instant>,
}

// === impl Prefix ===

impl From<IpAddr> for Prefix {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) & (u128::MAX << 64);
                Self(IpAddr::V6(Ipv6Addr::from(network)))
            }
            address => Self(address),
        }
    }
}

// === impl Addresses ===

impl Addresses {
    /// Lets `a_minute` failures pass at once, and from then on as many a minute.
    pub fn new(a_minute: NonZeroU32) -> Self {
        Self {
            failures: RateLimiter::dashmap(Quota::per_minute(a_minute)),
            waiting: DashMap::new(),
            accepted: DashMap::new(),
        }
    }

    /// Whether a credential may be looked up for this address now; else how long it has to wait.
    pub fn check(&self, address: IpAddr, proof: Option<&Proof>) -> Result<(), Duration> {
        let prefix = Prefix::from(address);
        let now = Instant::now();
        let Some(until) = self.waiting.get(&prefix).map(|until| *until).filter(|until| *until > now) else {
            return Ok(());
        };
        let known = proof.is_some_and(|proof| {
            self.accepted.get(&(prefix, proof.clone())).is_some_and(|since| since.elapsed() < REMEMBERED)
        });
        if known { Ok(()) } else { Err(until - now) }
    }

    /// Notes a credential that was none, or none any more.
    pub fn failed(&self, address: IpAddr, proof: Option<&Proof>) {
        let prefix = Prefix::from(address);
        if let Some(proof) = proof {
            self.accepted.remove(&(prefix, proof.clone()));
        }
        if let Err(early) = self.failures.check_key(&prefix) {
            let wait = early.wait_time_from(DefaultClock::default().now());
            self.waiting.insert(prefix, Instant::now() + wait);
        }
    }

    /// Notes a credential that was accepted from this address.
    pub fn accepted(&self, address: IpAddr, proof: &Proof) {
        let key = (Prefix::from(address), proof.clone());
        if self.accepted.len() < MOST_REMEMBERED || self.accepted.contains_key(&key) {
            self.accepted.insert(key, Instant::now());
        }
    }

    /// Forgets what no longer matters, now and then, until `cancel`.
    pub async fn keep(self: Arc<Self>, cancel: CancellationToken) {
        let mut tick = tokio::time::interval(SWEEP);
        while cancel.run_until_cancelled(tick.tick()).await.is_some() {
            self.sweep();
        }
    }

    fn sweep(&self) {
        let now = Instant::now();
        self.failures.retain_recent();
        self.waiting.retain(|_, until| *until > now);
        self.accepted.retain(|_, since| since.elapsed() < REMEMBERED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Addresses {
        Addresses::new(NonZeroU32::new(3).unwrap())
    }

    fn fail(gate: &Addresses, address: &str, times: usize) {
        (0..times).for_each(|_| gate.failed(address.parse().unwrap(), None));
    }

    #[test]
    fn the_fourth_failure_in_a_minute_closes_the_gate() {
        let (gate, address) = (gate(), "203.0.113.9".parse().unwrap());
        fail(&gate, "203.0.113.9", 3);
        assert!(gate.check(address, None).is_ok());
        fail(&gate, "203.0.113.9", 1);
        let wait = gate.check(address, None).unwrap_err();
        assert!(wait > Duration::from_secs(15) && wait <= Duration::from_secs(20), "{wait:?}");
        assert!(gate.check("203.0.113.10".parse().unwrap(), None).is_ok());
    }

    #[test]
    fn a_key_that_worked_from_there_passes_a_closed_gate() {
        let (gate, address) = (gate(), "203.0.113.9".parse().unwrap());
        let (mine, other) = (Proof::of("mine"), Proof::of("other"));
        gate.accepted(address, &mine);
        fail(&gate, "203.0.113.9", 9);
        assert!(gate.check(address, Some(&mine)).is_ok());
        assert!(gate.check(address, Some(&other)).is_err());
        gate.failed(address, Some(&mine));
        assert!(gate.check(address, Some(&mine)).is_err());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_mapped_ipv4_is_ipv4() {
        let prefix = |text: &str| Prefix::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(prefix("2001:db8:1:2::1"), prefix("2001:db8:1:2:ffff::9"));
        assert_ne!(prefix("2001:db8:1:2::1"), prefix("2001:db8:1:3::1"));
        assert_eq!(prefix("::ffff:192.0.2.1"), prefix("192.0.2.1"));
    }
}
