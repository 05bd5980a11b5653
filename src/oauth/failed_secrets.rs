//! Rate limit of failed client secrets, by client and address: who guesses at one waits, others do not.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::error::OauthError;
use crate::guard::AddressPrefix;
use crate::vocab::Proof;

/// Failures of one client from one address a minute, before it has to wait.
const FAILURES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Pairs that are kept before those that wait no longer are removed.
const MAX_PAIRS: usize = 10_000;

/// A client id, hashed since callers choose its length, and an address.
type Pair = (Proof, AddressPrefix);

/// The failures.
pub(super) struct FailedSecrets {
    failures: DefaultKeyedRateLimiter<Pair>,
    blocked_until: DashMap<Pair, Instant>,
}

impl std::fmt::Debug for FailedSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FailedSecrets").field("blocked", &self.blocked_until.len()).finish_non_exhaustive()
    }
}

impl FailedSecrets {
    pub(super) fn new() -> Self {
        let quota = Quota::per_minute(FAILURES_PER_MINUTE);
        Self { failures: RateLimiter::dashmap(quota), blocked_until: DashMap::new() }
    }

    /// Refuses while too many have failed.
    pub(super) fn check(&self, client_id: &str, peer: IpAddr) -> Result<(), OauthError> {
        let until = self.blocked_until.get(&pair(client_id, peer)).map(|until| *until);
        let wait = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        if wait.is_zero() { Ok(()) } else { Err(OauthError::too_many_requests("failed_secrets", wait)) }
    }

    /// Records a secret that was not the right one.
    pub(super) fn record(&self, client_id: &str, peer: IpAddr) {
        if self.failures.len() >= MAX_PAIRS {
            let now = Instant::now();
            self.failures.retain_recent();
            self.blocked_until.retain(|_, until| *until > now);
        }
        let pair = pair(client_id, peer);
        if let Err(early) = self.failures.check_key(&pair) {
            let wait = early.wait_time_from(DefaultClock::default().now());
            self.blocked_until.insert(pair, Instant::now() + wait);
        }
    }
}

impl Default for FailedSecrets {
    fn default() -> Self {
        Self::new()
    }
}

fn pair(client_id: &str, peer: IpAddr) -> Pair {
    (Proof::of_text(client_id), AddressPrefix::from(peer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_failure_in_a_minute_makes_this_client_wait_at_this_address() {
        let failed = FailedSecrets::new();
        let (here, there) = ("203.0.113.9".parse().unwrap(), "203.0.113.10".parse().unwrap());
        for _ in 0..10 {
            failed.record("a", here);
            assert!(failed.check("a", here).is_ok());
        }
        failed.record("a", here);
        let refused = failed.check("a", here).unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.reason.as_ref()), (429, "failed_secrets"));
        assert!(refused.retry_after.is_some_and(|wait| wait <= Duration::from_secs(6)));
        assert!(failed.check("b", here).is_ok() && failed.check("a", there).is_ok());
    }
}
