//! The client of Odoo's gateway. Knows XML-RPC and the contract; knows no MCP, no HTTP server, no cache.
//!
//! `Client` has one method for each method of `mcp.gateway`. Reads are retried; a write is sent once, in a task of
//! its own, and its outcome is requested where the answer was lost. `Error` is what a caller can act on; the text of
//! Odoo's own exceptions never leaves this module.
//!
//! Request path: `client` -> `batch` (small reads), `read` or `write` -> `exchange` (`breaker`, `admission` by the
//! `cost` of the call, `memory_budget`) -> `transport` (login, `encode`, `decode`) -> `http_pool`.

mod admission;
mod batch;
mod breaker;
mod client;
pub mod contract;
mod cost;
mod deadline;
mod decode;
mod encode;
mod error;
mod exchange;
mod failure;
mod fault_mapping;
mod http_pool;
pub mod memory_budget;
mod read;
mod transport;
mod write;

pub use client::Client;
pub use deadline::Deadline;
pub use error::Error;

use crate::config::odoo::OdooConfig as Options;
