//! To be written.

pub mod mirror;
pub mod odoo;
