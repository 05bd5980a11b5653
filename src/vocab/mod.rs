//! Nouns that all rooms share. No I/O, no async, no knowledge of MCP, HTTP or XML-RPC.
//!
//! A type enters only when three rooms need it.

mod aside;
mod authority;
mod clock;
mod credential;
mod ids;
mod limits;
mod method_level;
mod principal;
mod quote;
mod scope;
mod secret;

pub use aside::{Aside, LARGE_BYTES, aside, aside_for_text};
pub use authority::{Authority, Host, Url};
pub use clock::Clock;
pub use credential::{Credential, CredentialKind, Malformed, Proof};
pub use ids::{CallId, ConnectionId, UserId};
pub use limits::{AddressRules, RateLimits};
pub use method_level::MethodLevel;
pub use principal::{Principal, User};
pub use quote::{first_bytes, quoted, quoted_json, visible, with_short_quote};
pub use scope::{ConnectionKind, Scope};
pub use secret::Secret;
