//! Types that all modules share. No I/O, no knowledge of MCP, HTTP or XML-RPC.
//!
//! A type is added only when three modules need it.

mod address_budget;
mod authority;
mod backoff;
mod clock;
mod credential;
mod ids;
mod instant;
mod lock;
mod method_level;
mod offload;
mod principal;
mod quote;
mod scope;
mod secret;

pub use address_budget::{AddressBudget, BudgetSize, address_block};
pub use authority::{Authority, Host, Url};
pub use backoff::{Backoff, Outage};
pub use clock::Clock;
pub use credential::{Credential, CredentialKind, MalformedCredential, Proof, base62};
pub use ids::{CallId, ConnectionId, UserId};
pub use instant::rfc3339_millis;
pub use lock::{MutexExt, RwLockExt};
pub use method_level::MethodLevel;
pub use offload::{OFFLOAD_FROM_BYTES, Offload, offload, offload_text_scan};
pub use principal::{AddressRules, Principal, RateLimits, User};
pub use quote::{first_bytes, is_invisible, quoted, quoted_json, single_line, with_short_quote};
pub use scope::{ConnectionKind, Scope};
pub use secret::Secret;
