//! The sidecar of an Odoo server: one URL, `/odoo/mcp`, for every tool that speaks MCP.
//!
//! # The road of a request
//!
//! ```text
//! bytes -> accept loop (nodelay, header/first-byte/body timeouts, connection cap)     web
//!  1 request form, route, Host, Origin, body bound                                     web
//!  2 master switch; per-address gate before what is malformed or was refused           guard
//!  3 credential: shape + checksum, then mirror, then Odoo -> Principal                 web -> mirror
//!  4 address rules, in-flight permit, limits a minute and a day                        guard -> state
//!  5 MCP message -> method                                                             mcp (rmcp)
//!  6 tool: allowed? arguments valid? -> compiled call                                  tools
//!  7 call -> gateway (alone; deadline; breaker)                                        odoo
//!  8 answer shaped for a model: compact, linked, paged, did-you-mean                   tools
//!  9 outcome -> audit entry closed -> reply                                            audit, web
//! audit: entries and sums -> spool -> sender -> odoo                                     audit -> state
//! changes: odoo.changes -> mirror (invalidate) -> streams end where they must
//! sessions: sessions -> app -> odoo.sync_sessions; ended by an administrator: odoo -> mirror -> sessions
//! ```
//!
//! # Layout
//!
//! Rooms stand below in layer order, ground first: each may import only those above it in the list.
//! `tests/architecture.rs` holds the rule.

pub mod vocab;

pub mod config;

pub mod telemetry;

pub mod odoo;

pub mod state;

pub mod mirror;

pub mod guard;

pub mod audit;

pub mod sessions;

pub mod tools;

pub mod mcp;

pub mod web;

pub mod app;
