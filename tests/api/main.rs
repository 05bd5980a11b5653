//! The sidecar against a fake Odoo, each module a promise. One binary, so that it links once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(
    unreachable_pub,
    reason = "nothing outside can name an item of a test binary, so `pub` says shared with its other modules"
)]

mod audit_alarms;
mod audit_crash;
mod audit_full;
mod audit_refusals;
mod audit_trail;
mod clients_http;
mod clients_legacy;
mod clients_odd;
mod oauth_attacks;
mod oauth_authorize;
mod oauth_client_documents;
mod oauth_http;
mod oauth_metadata;
mod oauth_register;
mod oauth_resume;
mod oauth_tokens;
mod odoo_batch;
mod odoo_calls;
mod odoo_contract;
mod odoo_contract_oauth;
mod odoo_feed;
mod odoo_live;
mod odoo_memory;
mod odoo_mirror;
mod odoo_writes;
mod support;
mod tools_bounds;
mod tools_calls;
mod tools_forms;
mod tools_quoting;
mod tools_refusals;
mod web_activity;
mod web_addresses;
mod web_challenge;
mod web_check;
mod web_edge;
mod web_eras;
mod web_fuzz;
mod web_gate;
mod web_key_headers;
mod web_limits;
mod web_listing;
mod web_logs;
mod web_origins;
mod web_permits;
mod web_rates;
mod web_refusals;
mod web_sessions;
mod web_step_up;
mod web_stop;
mod web_switch;
mod web_tokens;
mod web_tools;
