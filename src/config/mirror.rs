//! `[mirror]`: lifetimes and sizes of the caches, and the rate limits of look-ups of unknown credentials.

use serde::Deserialize;

use super::Faults;

/// The `[mirror]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MirrorConfig {
    /// How long a resolved credential is cached. A revocation acts at once all the same.
    pub connection_ttl_ms: u64,
    /// Size of the cache of resolved credentials.
    pub max_connections: u64,
    /// How long the refusal of an unknown, expired or revoked credential is cached.
    pub refusal_ttl_ms: u64,
    /// Size of the cache of refused credentials.
    pub max_refusals: u64,
    /// Look-ups of never seen credentials per second, for all callers together.
    pub unknown_per_second: u32,
    /// Look-ups of never seen credentials at once, for all callers together.
    pub unknown_burst: u32,
    /// Look-ups of never seen credentials per second from one address (an IPv6 one: its /56), so that a
    /// flood from one network leaves the shared budget to the others.
    pub unknown_per_second_address: u32,
    /// Look-ups of never seen credentials at once from one address.
    pub unknown_burst_address: u32,
    /// How long models and fields are cached.
    pub schema_ttl_ms: u64,
    /// Size of the schema cache in fields, over all models, languages and kinds of users.
    pub max_fields: u64,
    /// How often the sidecar reports to Odoo and reads all settings.
    pub hello_ms: u64,
    /// Poll interval of changes while no wake-up comes.
    pub poll_ms: u64,
    /// Poll interval of changes while a stream is open.
    pub poll_watched_ms: u64,
}

impl Default for MirrorConfig {
    fn default() -> Self {
        Self {
            connection_ttl_ms: 60_000,
            max_connections: 10_000,
            refusal_ttl_ms: 30_000,
            max_refusals: 100_000,
            unknown_per_second: 20,
            unknown_burst: 60,
            unknown_per_second_address: 10,
            unknown_burst_address: 30,
            schema_ttl_ms: 600_000,
            max_fields: 100_000,
            hello_ms: 20_000,
            poll_ms: 5_000,
            poll_watched_ms: 1_000,
        }
    }
}

impl MirrorConfig {
    /// A cache lifetime may be 0, which switches the cache off; a poll interval may not.
    pub(super) fn check(&self, faults: &mut Faults) {
        let kept = [
            ("max_connections", self.max_connections),
            ("max_refusals", self.max_refusals),
            ("max_fields", self.max_fields),
        ];
        faults.refuse_zeros("mirror", &kept, "must be at least 1");
        let look_ups = [
            ("unknown_per_second", self.unknown_per_second),
            ("unknown_burst", self.unknown_burst),
            ("unknown_per_second_address", self.unknown_per_second_address),
            ("unknown_burst_address", self.unknown_burst_address),
        ];
        faults.refuse_zeros("mirror", &look_ups, "must be at least 1, or no new client could connect");
        let pauses = [
            ("hello_ms", self.hello_ms),
            ("poll_ms", self.poll_ms),
            ("poll_watched_ms", self.poll_watched_ms),
        ];
        faults.refuse_zeros("mirror", &pauses, "must be at least 1, or Odoo would be asked without a pause");
    }
}
