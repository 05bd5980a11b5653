//! Rate limit of look-ups of unknown credentials: a flood of well-formed random keys stops here.
//!
//! Where a credential was good lately, only the address's own budget counts: fresh access tokens of clients in use are
//! looked up even while a flood from many addresses uses up the shared budget.

use std::net::IpAddr;
use std::time::Duration;

use moka::future::Cache;

use super::Options;
use crate::vocab::{AddressBudget, BudgetSize, address_block};

/// The most addresses that are trusted at once.
const MAX_TRUSTED: u64 = 20_000;

/// How long an address is trusted after the last look-up of a good credential: longer than an access token lives.
const TRUST_TTL: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug)]
pub(super) struct LookupLimiter {
    budget: AddressBudget,
    /// Blocks from which a credential was good lately.
    trusted: Cache<IpAddr, ()>,
}

impl LookupLimiter {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            budget: AddressBudget::new(
                BudgetSize::per_second(options.unknown_per_second, options.unknown_burst),
                BudgetSize::per_second(options.unknown_per_second_address, options.unknown_burst_address),
            ),
            trusted: Cache::builder().max_capacity(MAX_TRUSTED).time_to_live(TRUST_TTL).build(),
        }
    }

    /// Takes one look-up from the budgets, or answers how long to wait.
    pub(super) fn acquire(&self, peer: IpAddr) -> Result<(), Duration> {
        if self.trusted.contains_key(&address_block(peer)) {
            return self.budget.acquire_own(peer);
        }
        self.budget.acquire(peer)
    }

    /// Notes that a credential from this address is good.
    pub(super) async fn trust(&self, peer: IpAddr) {
        self.trusted.insert(address_block(peer), ()).await;
    }

    /// Removes idle budgets.
    pub(super) fn remove_idle(&self) {
        self.budget.remove_idle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_trusted_address_has_its_own_budget_and_no_more() {
        let options = Options::default();
        let limiter = LookupLimiter::new(&options);
        let trusted: IpAddr = "192.0.2.1".parse().unwrap();
        limiter.trust(trusted).await;
        let other = |number: u32| IpAddr::V4((0x0a00_0000 + number).into());
        let flood = (0..1000_u32).filter(|number| limiter.acquire(other(*number)).is_ok()).count();
        assert!(flood <= options.unknown_burst as usize + 20, "{flood}");
        let burst = options.unknown_burst_address as usize;
        let spent = (0..1000).filter(|_| limiter.acquire(trusted).is_ok()).count();
        assert!((burst..=burst + 10).contains(&spent), "{spent}");
    }
}
