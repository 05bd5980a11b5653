//! What the tests of this binary share.

pub mod client;
pub mod fake_odoo;
pub mod https;
pub mod panics;
pub mod raw;
pub mod scene;
pub mod server;
pub mod tools;
pub mod waiting;
