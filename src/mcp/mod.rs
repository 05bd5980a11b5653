//! MCP towards the tools of an AI client, both eras, with rmcp as the engine.
//!
//! `Handler` is the product's `ServerHandler`; `Endpoint` mounts any such handler, so that the conformance
//! server runs the very same code. `Sessions` bounds and binds the sessions of the legacy era, `Ledger` knows
//! those of both eras and tells of them. This room
//! knows requests and answers as `http` types but no framework: `web` calls it with a request whose caller
//! is already known, and decides everything that needs an HTTP status of its own.
//!
//! rmcp 3.9.0, as read in its source; look at these again before moving the pin:
//! * a handler cannot choose the HTTP status, and the answer to a refusal is plain text: `web` does both;
//! * the service factory, `get_tool` and `create_session` run in the task that calls `handle`, hence the
//!   task-local scope in `caller`;
//! * sessions have no cap, no owner and a time-out that an open stream does not prevent: `sessions`;
//! * never set an `EventStore`: its replay asks for neither session nor principal.

mod activity;
mod arguments;
mod caller;
mod endpoint;
mod handler;
mod info;
mod ledger;
mod listing;
mod misfit;
mod sessions;
mod teller;

pub use activity::{Activity, Era, Ticket, client_text};
pub use arguments::{Arguments, mended};
pub use caller::Caller;
pub use endpoint::{Endpoint, Lane, Visit};
pub use handler::{Handler, UNACCOUNTED};
pub use ledger::Ledger;
pub use misfit::misfit;
pub use sessions::Sessions;
pub use teller::{Register, Row, Unheard};

/// A body as rmcp makes it.
pub type Body = http_body_util::combinators::BoxBody<bytes::Bytes, std::convert::Infallible>;
