//! Nouns that all rooms share. No I/O, no async, no knowledge of MCP, HTTP or XML-RPC.
//!
//! A type enters only when three rooms need it.

mod clock;
mod credential;
mod ids;
mod limits;
mod method_level;
mod principal;
mod scope;
mod secret;

pub use clock::Clock;
pub use credential::{Credential, CredentialKind, Malformed, Proof};
pub use ids::{CallId, ConnectionId, UserId};
pub use limits::{AddressRules, RateLimits};
pub use method_level::MethodLevel;
pub use principal::{Principal, User};
pub use scope::{ConnectionKind, Scope};
pub use secret::Secret;
