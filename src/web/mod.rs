//! HTTP: the only room that names warp.
//!
//! `listener` turns bytes into requests, `routes` is every path on one page, `pipeline` is the road of an
//! MCP request from first look to answer. Filters only extract; a refusal is never a warp rejection, since
//! warp takes a rejection as "try the next route". Refusals come from one table, `fault`.

mod admin;
mod body;
mod credential;
mod edge;
mod fault;
mod forwarded;
mod host;
mod io;
mod lane;
mod listener;
mod message;
mod origin;
mod peer;
mod pipeline;
mod relay;
mod reply;
mod routes;
mod target;
mod verdict;
mod visit;
mod warnings;

pub use edge::{Edge, Parts};
pub use fault::Fault;
pub use listener::{Bounds, Life, serve};
pub use routes::{Routes, admin, public};

/// Where MCP is served; the path belongs to the product.
pub const MCP_PATH: &str = "/odoo/mcp";
