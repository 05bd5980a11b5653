//! Nouns that all rooms share. No I/O, no async, no knowledge of MCP, HTTP or XML-RPC.
//!
//! A type enters only when three rooms need it.

mod authority;
mod clock;
mod credential;
mod ids;
mod limits;
mod method_level;
mod offload;
mod principal;
mod quote;
mod scope;
mod secret;

pub use authority::{Authority, Host, Url};
pub use clock::Clock;
pub use credential::{Credential, CredentialKind, MalformedCredential, Proof};
pub use ids::{CallId, ConnectionId, UserId};
pub use limits::{AddressRules, RateLimits};
pub use method_level::MethodLevel;
pub use offload::{OFFLOAD_FROM_BYTES, Offload, offload, offload_text_scan};
pub use principal::{Principal, User};
pub use quote::{first_bytes, quoted, quoted_json, single_line, with_short_quote};
pub use scope::{ConnectionKind, Scope};
pub use secret::Secret;
