//! An Odoo of a few canned answers that knows one API key.

#[path = "../../api/support/fake_odoo.rs"]
mod fake_odoo;

pub use fake_odoo::FakeOdoo;
use odoo_mcp_sidecar::config::odoo::OdooConfig;
use odoo_mcp_sidecar::vocab::{Proof, Secret};

/// One of the well-formed keys of `tests/wire/credentials.json`.
pub const API_KEY: &str = "mcp_ak_00000000000000000000000000000000000000000002eEzbZ";

pub async fn start() -> FakeOdoo {
    let odoo = FakeOdoo::start().await;
    // Without limits: the suite is one client that asks a few hundred times a minute.
    odoo.add_key(&Proof::of_text(API_KEY).to_hex(), 3, "full");
    odoo
}

/// How the sidecar reaches it.
pub fn config(odoo: &FakeOdoo) -> OdooConfig {
    OdooConfig {
        url: odoo.url(),
        database: "fake".to_owned(),
        api_key: Secret::new("service-key"),
        ..OdooConfig::default()
    }
}
