//! The client of Odoo's gateway. Knows XML-RPC and the contract; knows no MCP, no HTTP server, no cache.
//!
//! `Client` has one method for each method of `mcp.gateway`. Reads are repeated where that helps; a write
//! is sent once, in a task of its own, and asked about where its answer was lost. `Error` says what a
//! caller can act on; what Odoo itself said when it failed never leaves this room.
//!
//! Road of a call: `batch` (small reads), `client` or `write` -> `exchange` (`breaker`, then `admission`, which
//! goes by `cost`, then room in `memory_budget`) -> `transport` (login, `encode`, `decode`) -> `http_pool`.

mod admission;
mod batch;
mod breaker;
mod client;
pub mod contract;
mod cost;
mod decode;
mod encode;
mod error;
mod exchange;
mod failure;
mod fault_mapping;
mod http_pool;
pub mod memory_budget;
mod transport;
mod write;

pub use client::{Client, Deadline};
pub use error::Error;

use crate::config::odoo::OdooConfig as Options;
