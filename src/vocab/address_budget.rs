//! Token buckets by address block, beside one for all: a budget for what callers without a credential cause.
//!
//! An address spends from its own small budget first, so that a flood from one address leaves the shared one
//! to all others.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

/// The most addresses with a budget of their own; further ones spend from the shared one alone.
const MAX_ADDRESSES: usize = 20_000;

/// A burst, and the time in which one unit of it is refilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetSize {
    pub burst: u32,
    pub refill: Duration,
}

/// A budget for each address block and one for all of them.
pub struct AddressBudget {
    clock: DefaultClock,
    shared: DefaultDirectRateLimiter,
    by_address: DefaultKeyedRateLimiter<IpAddr>,
}

// === impl BudgetSize ===

impl BudgetSize {
    pub const fn new(burst: u32, refill: Duration) -> Self {
        Self { burst, refill }
    }

    /// A budget that is refilled at this rate; zero counts as one.
    pub fn per_second(rate: u32, burst: u32) -> Self {
        Self { burst, refill: Duration::from_secs(1) / rate.max(1) }
    }

    fn quota(self) -> Quota {
        let burst = NonZeroU32::new(self.burst).unwrap_or(NonZeroU32::MIN);
        let refill = self.refill.max(Duration::from_nanos(1));
        Quota::with_period(refill).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst)
    }
}

// === impl AddressBudget ===

impl AddressBudget {
    pub fn new(overall: BudgetSize, each: BudgetSize) -> Self {
        Self {
            clock: DefaultClock::default(),
            shared: RateLimiter::direct(overall.quota()),
            by_address: RateLimiter::keyed(each.quota()),
        }
    }

    /// Takes one unit from both budgets, or answers how long to wait.
    pub fn acquire(&self, peer: IpAddr) -> Result<(), Duration> {
        self.acquire_own(peer)?;
        self.shared.check().map_err(|refusal| refusal.wait_time_from(self.clock.now()))
    }

    /// The same from the budget of the address alone.
    pub fn acquire_own(&self, peer: IpAddr) -> Result<(), Duration> {
        if self.by_address.len() >= MAX_ADDRESSES {
            return Ok(());
        }
        let taken = self.by_address.check_key(&address_block(peer));
        taken.map_err(|refusal| refusal.wait_time_from(self.clock.now()))
    }

    /// Removes addresses whose budget is full again.
    pub fn remove_idle(&self) {
        self.by_address.retain_recent();
    }
}

impl std::fmt::Debug for AddressBudget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AddressBudget(..)")
    }
}

/// The address block of a budget: of IPv6 the /56, which one customer gets.
pub fn address_block(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 72 << 72).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> AddressBudget {
        AddressBudget::new(BudgetSize::per_second(20, 60), BudgetSize::per_second(10, 30))
    }

    #[test]
    fn one_address_cannot_use_up_the_shared_budget() {
        let budget = budget();
        let flood: IpAddr = "192.0.2.1".parse().unwrap();
        let spent = (0..1000).filter(|_| budget.acquire(flood).is_ok()).count();
        assert!((30..=40).contains(&spent), "{spent}");
        assert!(budget.acquire("192.0.2.2".parse().unwrap()).is_ok());
    }

    #[test]
    fn all_addresses_together_are_bounded() {
        let budget = budget();
        let spent = (0..1000_u32)
            .filter(|number| budget.acquire(IpAddr::V4((0x0a00_0000 + number).into())).is_ok())
            .count();
        assert!((60..=80).contains(&spent), "{spent}");
    }

    #[test]
    fn a_slow_budget_names_the_time_to_wait() {
        let size = BudgetSize::new(2, Duration::from_secs(30));
        let budget = AddressBudget::new(BudgetSize::per_second(1000, 1000), size);
        let peer = "192.0.2.1".parse().unwrap();
        assert_eq!((budget.acquire(peer), budget.acquire(peer)), (Ok(()), Ok(())));
        let wait = budget.acquire(peer).unwrap_err();
        assert!(wait > Duration::from_secs(25) && wait <= Duration::from_secs(30), "{wait:?}");
    }

    #[test]
    fn addresses_of_one_ipv6_block_share_a_budget() {
        let block_of = |text: &str| address_block(text.parse().unwrap());
        assert_eq!(block_of("2001:db8:0:1::1"), block_of("2001:db8:0:ff:2::"));
        assert_ne!(block_of("2001:db8:0:1::1"), block_of("2001:db8:0:100::1"));
        assert_eq!(block_of("::ffff:192.0.2.1"), block_of("192.0.2.1"));
    }
}
