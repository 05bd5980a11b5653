//! Clients and calls for tests of `odoo` and `mirror`.

#![allow(dead_code)]

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use odoo_mcp_sidecar::config::odoo::OdooConfig;
use odoo_mcp_sidecar::odoo::Client;
use odoo_mcp_sidecar::odoo::contract::{Call, Mode, Step};
use odoo_mcp_sidecar::vocab::{CallId, ConnectionId, Proof, Secret};
use serde_json::{Map, json};

use super::fake_odoo::FakeOdoo;

/// Settings for a fake Odoo. The breaker's pause is short: tests wait for it.
pub fn options(odoo: &FakeOdoo) -> OdooConfig {
    OdooConfig {
        url: odoo.url(),
        database: "fake".into(),
        login: "mcp".into(),
        api_key: Secret::new("key-of-the-service-user"),
        breaker_pause_ms: 20,
        ..OdooConfig::default()
    }
}

pub fn client(odoo: &FakeOdoo) -> Arc<Client> {
    Client::new(options(odoo)).unwrap()
}

pub fn read_call() -> Call {
    call(
        Mode::Read,
        Step::SearchRead {
            model: "res.partner".into(),
            domain: json!([]),
            fields: None,
            limit: 20,
            offset: 0,
            order: None,
            total: false,
        },
    )
}

pub fn write_call() -> Call {
    let values = json!({"name": "New"}).as_object().cloned().unwrap();
    call(Mode::Write, Step::Create { model: "res.partner".into(), values: vec![values] })
}

pub fn call(mode: Mode, step: Step) -> Call {
    Call {
        call_id: CallId::random(),
        connection: ConnectionId(1),
        proof: Proof::of_text("a credential"),
        ip: "203.0.113.9".into(),
        tool: "a_tool".into(),
        mode,
        steps: vec![step],
        context: Map::new(),
        dry_run: false,
        deadline_ms: 30_000,
        idempotency_key: None,
        max_chars: None,
        account: Arc::default(),
    }
}

/// Waits until something holds that another task brings about.
pub async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < Duration::from_secs(20), "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
