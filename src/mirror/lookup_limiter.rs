//! Rate limit of look-ups of unknown credentials: a flood of well-formed random keys stops here.
//!
//! An address spends from its own small budget first, so that a flood from one address leaves the shared one
//! to all others. Where a credential was good lately, only the own budget counts: fresh access tokens of clients in use
//! are looked up even while a flood from many addresses uses up the shared budget.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use moka::future::Cache;

use super::Options;

/// The most addresses with a budget of their own; further ones spend from the shared one alone.
const MAX_ADDRESSES: usize = 20_000;

/// How long an address is trusted after the last look-up of a good credential: longer than an access token lives.
const TRUST_IDLE_TTL: Duration = Duration::from_secs(24 * 3600);

pub(super) struct LookupLimiter {
    clock: DefaultClock,
    shared: DefaultDirectRateLimiter,
    by_address: DefaultKeyedRateLimiter<IpAddr>,
    /// Blocks from which a credential was good lately.
    trusted: Cache<IpAddr, ()>,
}

impl LookupLimiter {
    pub(super) fn new(options: &Options) -> Self {
        let all = quota(options.unknown_per_second, options.unknown_burst);
        let each = quota(options.unknown_per_second_address, options.unknown_burst_address);
        Self {
            clock: DefaultClock::default(),
            shared: RateLimiter::direct(all),
            by_address: RateLimiter::keyed(each),
            trusted: Cache::builder().max_capacity(MAX_ADDRESSES as u64).time_to_idle(TRUST_IDLE_TTL).build(),
        }
    }

    /// Takes one look-up from the budgets, or answers how long to wait.
    pub(super) fn acquire(&self, peer: IpAddr) -> Result<(), Duration> {
        let block = address_block(peer);
        if self.by_address.len() < MAX_ADDRESSES
            && let Err(refusal) = self.by_address.check_key(&block)
        {
            return Err(refusal.wait_time_from(self.clock.now()));
        }
        if self.trusted.contains_key(&block) {
            return Ok(());
        }
        self.shared.check().map_err(|refusal| refusal.wait_time_from(self.clock.now()))
    }

    /// Notes that a credential from this address is good.
    pub(super) async fn trust(&self, peer: IpAddr) {
        self.trusted.insert(address_block(peer), ()).await;
    }

    /// Removes addresses whose budget is full again.
    pub(super) fn remove_idle(&self) {
        self.by_address.retain_recent();
    }
}

impl std::fmt::Debug for LookupLimiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LookupLimiter(..)")
    }
}

fn quota(per_second: u32, burst: u32) -> Quota {
    let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst))
}

/// The address block of a budget: of IPv6 the /56, which one customer gets.
fn address_block(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 72 << 72).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_use_up_the_shared_limit() {
        let options = Options::default();
        let limiter = LookupLimiter::new(&options);
        let burst = options.unknown_burst_address as usize;
        let flood: IpAddr = "192.0.2.1".parse().unwrap();
        let spent = (0..1000).filter(|_| limiter.acquire(flood).is_ok()).count();
        assert!((burst..=burst + 10).contains(&spent), "{spent}");
        assert!(limiter.acquire("192.0.2.2".parse().unwrap()).is_ok());
    }

    #[test]
    fn all_addresses_together_are_bounded() {
        let options = Options::default();
        let limiter = LookupLimiter::new(&options);
        let burst = options.unknown_burst as usize;
        let spent = (0..1000_u32)
            .filter(|number| limiter.acquire(IpAddr::V4((0x0a00_0000 + number).into())).is_ok())
            .count();
        assert!((burst..=burst + 20).contains(&spent), "{spent}");
    }

    #[tokio::test]
    async fn a_trusted_address_has_its_own_budget_and_no_more() {
        let options = Options::default();
        let limiter = LookupLimiter::new(&options);
        let trusted: IpAddr = "192.0.2.1".parse().unwrap();
        limiter.trust(trusted).await;
        let flood = |limiter: &LookupLimiter| {
            (0..1000_u32)
                .filter(|number| limiter.acquire(IpAddr::V4((0x0a00_0000 + number).into())).is_ok())
                .count()
        };
        assert!(flood(&limiter) <= options.unknown_burst as usize + 20);
        let burst = options.unknown_burst_address as usize;
        let spent = (0..1000).filter(|_| limiter.acquire(trusted).is_ok()).count();
        assert!((burst..=burst + 10).contains(&spent), "{spent}");
    }

    #[test]
    fn addresses_of_one_ipv6_block_share_a_limit() {
        let block_of = |text: &str| address_block(text.parse().unwrap());
        assert_eq!(block_of("2001:db8:0:1::1"), block_of("2001:db8:0:ff:2::"));
        assert_ne!(block_of("2001:db8:0:1::1"), block_of("2001:db8:0:100::1"));
        assert_eq!(block_of("::ffff:192.0.2.1"), block_of("192.0.2.1"));
    }
}
