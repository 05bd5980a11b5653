//! The client of Odoo's gateway. Knows XML-RPC and the contract; knows no MCP, no HTTP server, no cache.
//!
//! `Client` has one method for each method of `mcp.gateway`. Reads are repeated where that helps; a write
//! is sent once, in a task of its own, and asked about where its answer was lost. `Error` says what a
//! caller can act on; what Odoo itself said when it failed never leaves this room.
//!
//! Road of a call: `client` (or `write`) -> `breaker`, queue -> `transport` (login, `encode`, `decode`) ->
//! `http`.

pub mod audit;
mod breaker;
mod client;
mod decode;
mod encode;
mod error;
mod failure;
mod fault;
pub mod gateway;
mod http;
pub mod sessions;
mod transport;
mod write;

pub use client::Client;
pub use error::Error;

use crate::config::odoo::Odoo as Options;
