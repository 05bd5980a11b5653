//! What the tests of this binary share.

pub mod client;
pub mod fake_odoo;
pub mod server;
pub mod waiting;
