//! A mirror of a fake Odoo, on a clock that stands still.

#![allow(dead_code)]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use odoo_mcp_sidecar::config::mirror::MirrorConfig as Options;
use odoo_mcp_sidecar::mirror::{Denied, Gate, Mirror, ReplicaIdentity, WakeupError};
use odoo_mcp_sidecar::vocab::{Clock, ConnectionId, Credential, CredentialKind, Principal, Proof, Secret};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::client::{client, until};
use super::fake_odoo::FakeOdoo;

/// 2026-11-23T13:30:00.25Z, when the shared wake-up was signed.
pub const NOW_MS: u64 = 1_795_440_600_250;
pub const ONE: ConnectionId = ConnectionId(1);
pub const SECRET: &str = "c2l4dGVlbi1ieXRlcy1vZi1zZWNyZXQtdGV4dA";

pub fn peer() -> IpAddr {
    "203.0.113.9".parse().unwrap()
}

pub fn key(text: &str) -> Credential {
    Credential { kind: CredentialKind::ApiKey, proof: Proof::of_text(text) }
}

/// A fake Odoo with one key `one` of connection 1, and a mirror of it whose clock stands still.
pub struct Scene {
    pub odoo: FakeOdoo,
    pub mirror: Arc<Mirror>,
    pub clock: Clock,
    cancel: CancellationToken,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Scene {
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let odoo = FakeOdoo::start().await;
        odoo.add_key(&key("one").proof.to_hex(), 1, "full");
        let clock = Clock::manual_at(NOW_MS);
        let mirror = Mirror::with_clock(client(&odoo), options, clock.clone());
        Self { odoo, mirror, clock, cancel: CancellationToken::new() }
    }

    /// With the feed running and the first hello done. Polls often, so that tests need not wait.
    pub async fn followed() -> Self {
        let options = Options { poll_ms: 10, poll_watched_ms: 10, hello_ms: 50, ..Options::default() };
        let scene = Self::with(options).await;
        scene.follow();
        scene.until_gate(Gate::Open).await;
        scene
    }

    /// With the feed running, but asking only when it is woken.
    pub async fn woken() -> Self {
        let hour = 3_600_000;
        let options = Options { poll_ms: hour, poll_watched_ms: hour, hello_ms: hour, ..Options::default() };
        let scene = Self::with(options).await;
        scene.follow();
        scene.until_gate(Gate::Open).await;
        until("the first changes", || async { scene.odoo.count("changes") == 1 }).await;
        scene
    }

    pub fn follow(&self) {
        let identity = ReplicaIdentity {
            replica: uuid::Uuid::nil(),
            version: "0.1.0".into(),
            public_url: "https://odoo.example.com".into(),
            wake_url: Some("http://127.0.0.1:1/wake".into()),
            wake_secret: Some(Secret::new(SECRET)),
        };
        tokio::spawn(Arc::clone(&self.mirror).run_feed(self.cancel.clone(), identity));
    }

    pub async fn until_gate(&self, gate: Gate) {
        let mut watch = self.mirror.watch_gate();
        let waited = tokio::time::timeout(Duration::from_secs(20), watch.wait_for(|now| *now == gate)).await;
        waited.expect("the gate never became so").unwrap();
        assert_eq!(self.mirror.gate(), gate);
    }

    pub async fn ask(&self, text: &str) -> Result<Arc<Principal>, Denied> {
        self.mirror.principal(&key(text), peer()).await
    }

    pub fn wake(&self, body: &Value) -> Result<(), WakeupError> {
        let body = body.to_string();
        self.mirror.receive_wakeup(body.as_bytes(), &sign(&body))
    }
}

pub fn sign(body: &str) -> String {
    use hmac::{Hmac, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

pub fn wake_up(seq: u64, enabled: bool, version: u64, revoked: &[i64]) -> Value {
    let time = NOW_MS as f64 / 1000.0;
    json!({"seq": seq, "time": time, "enabled": enabled, "settings_version": version, "revoked": revoked})
}

pub fn invalid(reason: &str) -> Denied {
    Denied::Invalid { reason: reason.into() }
}
