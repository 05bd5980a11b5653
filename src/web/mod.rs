//! HTTP server: the only module that names warp.
//!
//! `listener` is the accept loop, `routes` has every path on one page, `pipeline` is the request path of an MCP
//! request. Filters only extract; a refusal is never a warp rejection, since warp takes a rejection as "try the
//! next route". Refusals come from one table, `http_fault`.

mod admin;
mod audit_outcome;
mod authenticate;
mod authenticated;
mod body;
mod challenge;
mod credential;
mod era;
mod host;
mod http_fault;
mod limits;
mod listener;
mod media_type;
mod message;
mod oauth_routes;
mod origin;
mod pipeline;
mod proxies;
mod proxy_detection;
mod reply;
mod request;
mod respond;
mod routes;
mod server_state;
mod session_request;
mod shutdown;
mod target;
mod warnings;
mod well_known;
mod write_timeout;

pub use http_fault::HttpFault;
pub use listener::{ListenerLimits, serve};
pub use routes::{Routes, admin, public};
pub use server_state::{Deps, ServerState};
pub use shutdown::Shutdown;

/// The path of the MCP endpoint; it belongs to the product.
pub const MCP_PATH: &str = "/odoo/mcp";
