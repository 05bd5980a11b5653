//! Guards: master switch, rate limits, concurrency permits, and the address rules that Odoo sets for each connection.
//!
//! `web` checks them before a request costs anything more. Knows no HTTP and no MCP.

mod address_rules;
mod concurrency;
mod failed_auth;
mod master_switch;
mod rate_limit;

pub use address_rules::allows_address;
pub use concurrency::{ConcurrencyExceeded, ConcurrencyLimit, ConcurrencyPermit};
pub use failed_auth::{AddressPrefix, FailedAuthLimiter};
pub use master_switch::MasterSwitch;
pub use rate_limit::{Counted, RateLimitExceeded, RateSettings, RequestRateLimiter, Scarce};
