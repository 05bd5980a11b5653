//! `[odoo]`: address, credentials, timeouts and limits of the client. Static: read once, before a port is bound.

use std::time::Duration;

use serde::Deserialize;

use super::{Faults, server};
use crate::vocab::Secret;

/// The `[odoo]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OdooConfig {
    /// Where Odoo listens for the sidecar, such as `http://127.0.0.1:8069`. Proxies of the environment are
    /// not used: the sidecar stands beside Odoo.
    pub url: String,
    /// The name of the database.
    pub database: String,
    /// The login of the service user; the addon makes it under the default name.
    pub login: String,
    /// The API key of the service user.
    pub api_key: Secret,
    /// Timeout of connecting.
    pub connect_timeout_ms: u64,
    /// Timeout of hello, authentication, changes and schemas, queueing included.
    pub control_timeout_ms: u64,
    /// Timeout of a schema, queueing included.
    pub schema_timeout_ms: u64,
    /// The most calls that may be in Odoo at once, however many workers it has; more wait until their deadline.
    pub max_in_flight: usize,
    /// How many calls may be in an Odoo at once that has threads instead of workers.
    pub threads: usize,
    /// Batch size: how many small reads may share one request while Odoo is busy; 1: no batches.
    pub batch_size: usize,
    /// The longest answer that is read.
    pub max_answer_bytes: usize,
    /// How long after its deadline the outcome of a write whose answer was lost is asked for.
    pub settle_ms: u64,
    /// Circuit breaker: consecutive connection failures after which calls fail at once.
    pub breaker_failures: u32,
    /// Backoff of the open circuit breaker before it lets one call through; doubled with each failure.
    pub breaker_pause_ms: u64,
    /// Maximum of that backoff.
    pub breaker_pause_max_ms: u64,
}

impl Default for OdooConfig {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8069".to_owned(),
            database: String::new(),
            login: "mcp_sidecar_service".to_owned(),
            api_key: Secret::new(""),
            connect_timeout_ms: 2_000,
            control_timeout_ms: 10_000,
            schema_timeout_ms: 30_000,
            max_in_flight: 64,
            threads: 2,
            batch_size: 16,
            max_answer_bytes: 20 * 1024 * 1024,
            settle_ms: 10_000,
            breaker_failures: 5,
            breaker_pause_ms: 1_000,
            breaker_pause_max_ms: 10_000,
        }
    }
}

impl OdooConfig {
    /// `control_timeout_ms` as a duration.
    pub fn control_timeout(&self) -> Duration {
        Duration::from_millis(self.control_timeout_ms)
    }

    /// `schema_timeout_ms` as a duration.
    pub fn schema_timeout(&self) -> Duration {
        Duration::from_millis(self.schema_timeout_ms)
    }

    pub(super) fn check(&self, faults: &mut Faults) {
        if server::http_uri(&self.url).is_none() {
            faults.add("odoo.url", "is not an http or https URL");
        }
        if self.database.is_empty() {
            faults.add("odoo.database", "is needed");
        }
        if self.login.is_empty() {
            faults.add("odoo.login", "is needed");
        }
        // A file that could not be read has been reported already.
        if self.api_key.expose().is_empty() && !faults.mentions("odoo.api_key_file") {
            faults
                .add("odoo.api_key", "is needed; better give api_key_file, the path of a file with the key");
        }
        self.check_bounds(faults);
    }

    /// `settle_ms` may be 0: the outcome of a write is asked for until its deadline then.
    fn check_bounds(&self, faults: &mut Faults) {
        let timeouts = [
            ("connect_timeout_ms", self.connect_timeout_ms),
            ("control_timeout_ms", self.control_timeout_ms),
            ("schema_timeout_ms", self.schema_timeout_ms),
        ];
        faults.refuse_zeros("odoo", &timeouts, "must be at least 1, or no answer could come in time");
        let counts = [
            ("max_in_flight", self.max_in_flight),
            ("threads", self.threads),
            ("batch_size", self.batch_size),
            ("max_answer_bytes", self.max_answer_bytes),
        ];
        faults.refuse_zeros("odoo", &counts, "must be at least 1");
        let breaker = [
            ("breaker_failures", u64::from(self.breaker_failures)),
            ("breaker_pause_ms", self.breaker_pause_ms),
            ("breaker_pause_max_ms", self.breaker_pause_max_ms),
        ];
        faults.refuse_zeros(
            "odoo",
            &breaker,
            "must be at least 1, or calls would wait for an Odoo that is away",
        );
    }
}
