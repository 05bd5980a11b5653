//! Nouns that all rooms share. No I/O, no async, no knowledge of MCP, HTTP or XML-RPC.
//!
//! A type enters only when three rooms need it.

mod credential;
mod ids;
mod principal;
mod scope;
mod secret;

pub use credential::{Credential, CredentialKind, Malformed, Proof};
pub use ids::{CallId, ConnectionId, UserId};
pub use principal::{Principal, User};
pub use scope::{ConnectionKind, Scope};
pub use secret::Secret;
