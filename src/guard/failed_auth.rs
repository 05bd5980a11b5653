//! Rate limit of failed authentications by address.
//!
//! Failures are counted for an IPv4 address or an IPv6 /64, the smallest unit that a customer of a network gets.
//! Many clients can share such an address behind a NAT or a proxy that is not trusted, so a closed gate refuses only
//! credentials that are known to fail: malformed ones, and those that Odoo has refused. Valid ones pass, and unknown
//! ones within the rate limit of look-ups of the mirror: a flood of made-up keys costs Odoo no more than that, and no
//! valid key is refused for it. Requests without any credential are not counted: this is how clients discover
//! whether they need one.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio_util::sync::CancellationToken;

/// How often expired entries are removed.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(60);

/// The unit that failures are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressPrefix(IpAddr);

/// A rate limiter of failures by address.
#[derive(Debug)]
pub struct FailedAuthLimiter {
    failures: DefaultKeyedRateLimiter<AddressPrefix>,
    blocked_until: DashMap<AddressPrefix, Instant>,
}

// === impl AddressPrefix ===

impl From<IpAddr> for AddressPrefix {
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

// === impl FailedAuthLimiter ===

impl FailedAuthLimiter {
    /// A limiter with a burst of `per_minute` failures, refilled at that rate.
    pub fn new(per_minute: NonZeroU32) -> Self {
        Self { failures: RateLimiter::dashmap(Quota::per_minute(per_minute)), blocked_until: DashMap::new() }
    }

    /// Whether the gate is open for this address; else how long it stays closed.
    pub fn check(&self, address: IpAddr) -> Result<(), Duration> {
        let until = self.blocked_until.get(&AddressPrefix::from(address)).map(|until| *until);
        let wait = until.map(|until| until.saturating_duration_since(Instant::now()));
        wait.filter(|wait| !wait.is_zero()).map_or(Ok(()), Err)
    }

    /// Records a malformed or refused credential.
    pub fn record_failure(&self, address: IpAddr) {
        let prefix = AddressPrefix::from(address);
        if let Err(early) = self.failures.check_key(&prefix) {
            let wait = early.wait_time_from(DefaultClock::default().now());
            self.blocked_until.insert(prefix, Instant::now() + wait);
        }
    }

    /// Removes expired entries periodically, until `cancel`.
    pub async fn run_cleanup(self: Arc<Self>, cancel: CancellationToken) {
        let mut tick = tokio::time::interval(CLEANUP_INTERVAL);
        while cancel.run_until_cancelled(tick.tick()).await.is_some() {
            self.remove_expired();
        }
    }

    fn remove_expired(&self) {
        let now = Instant::now();
        self.failures.retain_recent();
        self.blocked_until.retain(|_, until| *until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter() -> FailedAuthLimiter {
        FailedAuthLimiter::new(NonZeroU32::new(3).unwrap())
    }

    fn fail(gate: &FailedAuthLimiter, address: &str, times: usize) {
        (0..times).for_each(|_| gate.record_failure(address.parse().unwrap()));
    }

    #[test]
    fn the_fourth_failure_in_per_minute_closes_the_gate() {
        let (gate, address) = (limiter(), "203.0.113.9".parse().unwrap());
        fail(&gate, "203.0.113.9", 3);
        assert!(gate.check(address).is_ok());
        fail(&gate, "203.0.113.9", 1);
        let wait = gate.check(address).unwrap_err();
        assert!(wait > Duration::from_secs(15) && wait <= Duration::from_secs(20), "{wait:?}");
        assert!(gate.check("203.0.113.10".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_mapped_ipv4_is_ipv4() {
        let prefix = |text: &str| AddressPrefix::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(prefix("2001:db8:1:2::1"), prefix("2001:db8:1:2:ffff::9"));
        assert_ne!(prefix("2001:db8:1:2::1"), prefix("2001:db8:1:3::1"));
        assert_eq!(prefix("::ffff:192.0.2.1"), prefix("192.0.2.1"));
    }
}
