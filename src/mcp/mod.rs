//! MCP server of both eras, with rmcp as the engine.
//!
//! `Handler` is the product's `ServerHandler`; `Endpoint` mounts any such handler, so that the conformance
//! server runs the very same code. `LegacySessionManager` bounds and binds the sessions of the legacy era. This module
//! knows requests and answers as `http` types but no framework: `web` calls it with a request whose caller
//! is already known, and decides everything that needs an HTTP status of its own.
//!
//! rmcp 3.9.0, as read in its source; look at these again before moving the pin:
//! * a handler cannot choose the HTTP status, and the answer to a refusal is plain text: `web` does both;
//! * the service factory, `get_tool` and `create_session` run in the task that calls `handle`, hence the
//!   task-local scope in `caller`;
//! * sessions have no cap, no owner and a timeout that an open stream does not prevent: `legacy_sessions`;
//! * never set an `EventStore`: its replay checks neither session nor principal.

mod call_arguments;
mod caller;
mod endpoint;
mod handler;
mod info;
mod legacy_sessions;
mod list_cache;
mod param_check;

pub use call_arguments::{CheckedArguments, repaired_json};
pub use caller::Caller;
pub use endpoint::{Endpoint, EngineRequest, ServiceMode};
pub use handler::{AUDIT_UNAVAILABLE, Handler, INSUFFICIENT_SCOPE};
pub use legacy_sessions::LegacySessionManager;
pub use param_check::check_params;

/// A body as rmcp makes it.
pub type ResponseBody = http_body_util::combinators::BoxBody<bytes::Bytes, std::convert::Infallible>;
