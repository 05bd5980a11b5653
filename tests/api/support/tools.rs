//! A toolbox on top of a fake Odoo, and what it said.

#![allow(dead_code)]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use odoo_mcp_sidecar::audit::AuditTrail;
use odoo_mcp_sidecar::config::mirror::MirrorConfig as Options;
use odoo_mcp_sidecar::mirror::{Gate, Mirror, ReplicaIdentity};
use odoo_mcp_sidecar::state::EmbeddedStore;
use odoo_mcp_sidecar::tools::{CallRejected, Reply, Toolbox};
use odoo_mcp_sidecar::vocab::{Clock, Credential, CredentialKind, Principal, Proof};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::client::{client, until};
use super::fake_odoo::FakeOdoo;

/// A fake Odoo with a full key (connection 1) and a read-only key (connection 2), and the tools over it.
pub struct Bench {
    pub odoo: FakeOdoo,
    pub mirror: Arc<Mirror>,
    pub tools: Toolbox,
    pub principal: Arc<Principal>,
    audit: Arc<AuditTrail>,
    _data: tempfile::TempDir,
    cancel: CancellationToken,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

pub fn peer() -> IpAddr {
    "203.0.113.9".parse().unwrap()
}

fn key(text: &str) -> Credential {
    Credential { kind: CredentialKind::ApiKey, proof: Proof::of_text(text) }
}

impl Bench {
    pub async fn new() -> Self {
        Self::of("full").await
    }

    pub async fn of(scope: &str) -> Self {
        let odoo = FakeOdoo::start().await;
        let credential = key("one");
        odoo.add_key(&credential.proof.to_hex(), 1, scope);
        let client = client(&odoo);
        // Asked once, at the start: what follows counts requests.
        let hour = 3_600_000;
        let options = Options { poll_ms: hour, poll_watched_ms: hour, hello_ms: hour, ..Options::default() };
        let mirror = Mirror::new(Arc::clone(&client), options);
        let cancel = CancellationToken::new();
        let identity = ReplicaIdentity {
            replica: uuid::Uuid::nil(),
            version: "0.1.0".into(),
            public_url: "https://odoo.example.com".into(),
            wake_url: None,
            wake_secret: None,
        };
        tokio::spawn(Arc::clone(&mirror).run_feed(cancel.clone(), identity));
        until("the gate is open", || async { mirror.gate() == Gate::Open }).await;
        let principal = mirror.principal(&credential, peer()).await.unwrap();
        let tools = Toolbox::new(client, Arc::clone(&mirror), 150_000);
        let data = tempfile::tempdir().unwrap();
        let spool = Arc::new(EmbeddedStore::open(data.path()).unwrap());
        let audit = AuditTrail::new(spool, u64::MAX, Clock::system(), Box::new(|| false));
        Self { odoo, mirror, tools, principal, audit, _data: data, cancel }
    }

    pub async fn call(&self, tool: &str, arguments: Value) -> Result<Reply, CallRejected> {
        let entry = self.audit.open(uuid::Uuid::now_v7(), peer(), Instant::now());
        let arguments = arguments.as_object().cloned().unwrap();
        let tool = self.tools.admit(&self.principal, tool, Some(&entry))?;
        tool.call(peer(), arguments, &entry, &Arc::default()).await
    }

    /// The JSON of a reply that is no error.
    pub async fn answer(&self, tool: &str, arguments: Value) -> Value {
        let reply = self.call(tool, arguments).await.unwrap();
        assert!(!reply.is_error, "{}", reply.text);
        serde_json::from_str(&reply.text).unwrap()
    }

    /// The sentence of a reply that is an error.
    pub async fn refusal(&self, tool: &str, arguments: Value) -> String {
        let reply = self.call(tool, arguments).await.unwrap();
        assert!(reply.is_error, "{}", reply.text);
        reply.text
    }

    /// Every call from now on raises this fault.
    pub fn raise(&self, code: &str, message: &str, data: Value) {
        let fault = json!({"code": code, "message": message, "data": data});
        self.odoo.on("execute", move |_| super::fake_odoo::Reply::Fault(fault.clone()));
    }
}
