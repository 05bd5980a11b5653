//! The deadline of a call: for Odoo, and a little later for the HTTP connection.

use std::time::Duration;

use tokio::time::Instant;

/// How long after its own deadline Odoo may still answer "too slow", before the sidecar times out itself.
const DEADLINE_GRACE: Duration = Duration::from_millis(500);
/// The bounds that the contract sets to a deadline.
const MIN_DEADLINE_MS: u64 = 100;
const MAX_DEADLINE_MS: u64 = 300_000;

/// When a call must have ended.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    pub(super) odoo: Instant,
    pub(super) http: Instant,
}

impl Deadline {
    pub fn within(timeout: Duration) -> Self {
        // The longest that the contract allows; a duration without bound would overflow the clock.
        let odoo = Instant::now() + timeout.min(Duration::from_millis(MAX_DEADLINE_MS));
        Self { odoo, http: odoo + DEADLINE_GRACE }
    }

    /// The time left for Odoo, within the bounds of the contract.
    pub(super) fn remaining_ms(self) -> u64 {
        let left = self.odoo.saturating_duration_since(Instant::now()).as_millis();
        u64::try_from(left).unwrap_or(u64::MAX).clamp(MIN_DEADLINE_MS, MAX_DEADLINE_MS)
    }
}
