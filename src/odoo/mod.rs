//! The client of Odoo's gateway. Knows XML-RPC and the contract; knows no MCP, no HTTP server, no cache.

mod client;
mod error;
pub mod gateway;

pub use client::Client;
pub use error::Error;
