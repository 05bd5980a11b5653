//! The mirror: asks Odoo as seldom as it may, and never serves what Odoo took back.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use odoo_mcp_sidecar::config::mirror::Mirror as Options;
use odoo_mcp_sidecar::mirror::{Clock, Denied, Gate, Identity, Mirror, WakeRefused};
use odoo_mcp_sidecar::odoo::Client;
use odoo_mcp_sidecar::vocab::{ConnectionId, Credential, CredentialKind, Principal, Proof, Secret};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::support::client::{client, options, until};
use crate::support::fake_odoo::{FakeOdoo, Reply, Trouble};

/// 2026-11-23T13:30:00.25Z, when the shared wake-up was signed.
const NOW_MS: u64 = 1_795_440_600_250;
const ONE: ConnectionId = ConnectionId(1);
const SECRET: &str = "c2l4dGVlbi1ieXRlcy1vZi1zZWNyZXQtdGV4dA";

fn peer() -> IpAddr {
    "203.0.113.9".parse().unwrap()
}

fn key(text: &str) -> Credential {
    Credential { kind: CredentialKind::ApiKey, proof: Proof::of(text) }
}

/// A fake Odoo with one key `one` of connection 1, and a mirror of it whose clock stands still.
struct Scene {
    odoo: FakeOdoo,
    mirror: Arc<Mirror>,
    clock: Clock,
    cancel: CancellationToken,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Scene {
    async fn new() -> Self {
        Self::with(Options::default()).await
    }

    async fn with(options: Options) -> Self {
        let odoo = FakeOdoo::start().await;
        odoo.add_key(&key("one").proof.to_hex(), 1, "full");
        let clock = Clock::still_at(NOW_MS);
        let mirror = Mirror::with_clock(client(&odoo), options, clock.clone());
        Self { odoo, mirror, clock, cancel: CancellationToken::new() }
    }

    /// With the feed running and the first hello done. Polls often, so that tests need not wait.
    async fn followed() -> Self {
        let options = Options { poll_ms: 10, poll_watched_ms: 10, hello_ms: 50, ..Options::default() };
        let scene = Self::with(options).await;
        scene.follow();
        scene.until_gate(Gate::Open).await;
        scene
    }

    /// With the feed running, but asking only when it is woken.
    async fn woken() -> Self {
        let hour = 3_600_000;
        let options = Options { poll_ms: hour, poll_watched_ms: hour, hello_ms: hour, ..Options::default() };
        let scene = Self::with(options).await;
        scene.follow();
        scene.until_gate(Gate::Open).await;
        until("the first changes", || async { scene.odoo.count("changes") == 1 }).await;
        scene
    }

    fn follow(&self) {
        let identity = Identity {
            replica: uuid::Uuid::nil(),
            version: "0.1.0".into(),
            public_url: "https://odoo.example.com".into(),
            wake_url: Some("http://127.0.0.1:1/wake".into()),
            wake_secret: Some(Secret::new(SECRET)),
        };
        tokio::spawn(Arc::clone(&self.mirror).follow(self.cancel.clone(), identity));
    }

    async fn until_gate(&self, gate: Gate) {
        let mut watch = self.mirror.watch_gate();
        let waited = tokio::time::timeout(Duration::from_secs(20), watch.wait_for(|now| *now == gate)).await;
        waited.expect("the gate never became so").unwrap();
        assert_eq!(self.mirror.gate(), gate);
    }

    async fn ask(&self, text: &str) -> Result<Arc<Principal>, Denied> {
        self.mirror.principal(&key(text), peer()).await
    }

    fn wake(&self, body: &Value) -> Result<(), WakeRefused> {
        let body = body.to_string();
        self.mirror.wake(body.as_bytes(), &sign(&body))
    }
}

fn sign(body: &str) -> String {
    use hmac::{Hmac, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

fn wake_up(seq: u64, enabled: bool, version: u64, revoked: &[i64]) -> Value {
    let time = NOW_MS as f64 / 1000.0;
    json!({"seq": seq, "time": time, "enabled": enabled, "settings_version": version, "revoked": revoked})
}

fn invalid(reason: &str) -> Denied {
    Denied::Invalid { reason: reason.into() }
}

// === credentials ===

#[tokio::test]
async fn a_hundred_callers_ask_odoo_once() {
    let scene = Scene::new().await;
    let calls = (0..100).map(|_| scene.ask("one"));
    for principal in futures_util::future::join_all(calls).await {
        assert_eq!(principal.unwrap().connection, ONE);
    }
    assert_eq!(scene.odoo.count("authenticate"), 1);
    assert_eq!(scene.odoo.requests("authenticate")[0]["ip"], "203.0.113.9");
}

#[tokio::test]
async fn a_hundred_callers_with_a_bad_key_ask_odoo_once() {
    let scene = Scene::new().await;
    for principal in futures_util::future::join_all((0..100).map(|_| scene.ask("bad"))).await {
        assert_eq!(principal.unwrap_err(), invalid("unknown"));
    }
    assert_eq!(scene.odoo.count("authenticate"), 1);
}

#[tokio::test]
async fn a_principal_is_served_for_a_minute() {
    let scene = Scene::new().await;
    scene.ask("one").await.unwrap();
    scene.clock.advance(Duration::from_millis(59_999));
    scene.ask("one").await.unwrap();
    assert_eq!(scene.odoo.count("authenticate"), 1);
    scene.clock.advance(Duration::from_millis(1));
    scene.ask("one").await.unwrap();
    assert_eq!(scene.odoo.count("authenticate"), 2);
}

#[tokio::test]
async fn a_refusal_is_remembered_for_a_while() {
    let scene = Scene::new().await;
    for _ in 0..10 {
        assert_eq!(scene.ask("bad").await.unwrap_err(), invalid("unknown"));
    }
    assert_eq!(scene.odoo.count("authenticate"), 1);
    scene.clock.advance(Duration::from_secs(30));
    assert_eq!(scene.ask("bad").await.unwrap_err(), invalid("unknown"));
    assert_eq!(scene.odoo.count("authenticate"), 2);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_reaches_odoo_only_within_its_budget() {
    let scene = Scene::new().await;
    scene.ask("one").await.unwrap();
    let mut busy = 0;
    for number in 0..3000_u32 {
        let from = IpAddr::V4((0x0a00_0000 + number).into());
        match scene.mirror.principal(&key(&format!("random {number}")), from).await {
            Err(Denied::Busy { retry_after }) => {
                assert!(retry_after <= Duration::from_secs(1), "{retry_after:?}");
                busy += 1;
            }
            other => assert_eq!(other.unwrap_err(), invalid("unknown")),
        }
    }
    assert!(busy > 2000, "{busy}");
    assert!(scene.odoo.count("authenticate") < 1000);
    // Whoever was good before is not held up, not even where the cache has to ask again.
    scene.clock.advance(Duration::from_secs(60));
    scene.ask("one").await.unwrap();
}

#[tokio::test]
async fn a_flood_from_one_address_leaves_others_their_turn() {
    let scene = Scene::new().await;
    for number in 0..500 {
        let _ = scene.mirror.principal(&key(&format!("random {number}")), "192.0.2.1".parse().unwrap()).await;
    }
    scene.ask("one").await.unwrap();
}

#[tokio::test]
async fn an_expired_credential_is_refused_without_asking() {
    let scene = Scene::new().await;
    let mut document = json!({
        "connection": {"id": 1, "name": "x", "kind": "oauth", "scope": "read_only", "allowed_tools": ["search_read"]},
        "user": {"id": 2, "login": "admin", "name": "Admin", "lang": null, "tz": null},
        "schema_key": "k", "expires_at": "2026-11-23T13:30:10Z",
    });
    scene.odoo.set_key(&key("one").proof.to_hex(), document.clone());
    let life = scene.mirror.lifetime(ONE);
    scene.ask("one").await.unwrap();
    scene.clock.advance(Duration::from_secs(10));
    assert_eq!(scene.ask("one").await.unwrap_err(), invalid("expired"));
    assert_eq!(scene.odoo.count("authenticate"), 1);
    // The connection itself lives on with its next token.
    assert!(!life.is_cancelled());
    // An end that cannot be read must not mean that there is none.
    document["expires_at"] = json!("soon");
    scene.odoo.set_key(&key("two").proof.to_hex(), document);
    assert_eq!(scene.ask("two").await.unwrap_err(), Denied::Unreachable);
}

#[tokio::test]
async fn only_keys_and_access_tokens_open_mcp() {
    let scene = Scene::new().await;
    for kind in
        [CredentialKind::RefreshToken, CredentialKind::AuthorizationCode, CredentialKind::ClientSecret]
    {
        let credential = Credential { kind, proof: key("one").proof };
        assert_eq!(scene.mirror.principal(&credential, peer()).await.unwrap_err(), invalid("unknown"));
    }
    assert_eq!(scene.odoo.count("authenticate"), 0);
}

#[tokio::test]
async fn a_dead_odoo_is_told_from_a_bad_key() {
    let scene = Scene::new().await;
    scene.odoo.set_fault(Some("authenticate"), Trouble::Traceback("Traceback".into()), 1);
    assert_eq!(scene.ask("one").await.unwrap_err(), Denied::Unreachable);
    scene.odoo.on("authenticate", |_| Reply::fault("disabled", json!({})));
    assert_eq!(scene.ask("one").await.unwrap_err(), Denied::Disabled);
    scene.odoo.refuse();
    assert_eq!(scene.ask("one").await.unwrap_err(), Denied::Unreachable);
}

#[tokio::test]
async fn an_answer_overtaken_by_a_revocation_is_never_served() {
    let scene = Scene::woken().await;
    let (arrived, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let document = json!({
        "connection": {"id": 1, "name": "x", "kind": "api_key", "scope": "full", "allowed_tools": []},
        "user": {"id": 2, "login": "admin", "name": "Admin", "lang": null, "tz": null},
        "schema_key": "k", "expires_at": null,
    });
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    scene.odoo.on_async("authenticate", {
        let (arrived, go) = (arrived.clone(), go.clone());
        move |_| {
            let (arrived, go, document) = (arrived.clone(), go.clone(), document.clone());
            let first = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
            async move {
                if first {
                    // Odoo looked the connection up, and only then it was revoked.
                    arrived.notify_one();
                    go.notified().await;
                    return Reply::Answer(document);
                }
                Reply::fault("unauthenticated", json!({"reason": "revoked"}))
            }
        }
    });
    let caller = tokio::spawn({
        let mirror = scene.mirror.clone();
        async move { mirror.principal(&key("one"), peer()).await }
    });
    arrived.notified().await;
    scene.wake(&wake_up(1, true, 7, &[1])).unwrap();
    go.notify_one();
    assert_eq!(caller.await.unwrap().unwrap_err(), invalid("revoked"));
    assert_eq!(scene.ask("one").await.unwrap_err(), invalid("revoked"));
    assert!(scene.mirror.lifetime(ONE).is_cancelled());
}

#[tokio::test]
async fn what_odoo_says_of_a_call_reaches_the_mirror() {
    let scene = Scene::new().await;
    let principal = scene.ask("one").await.unwrap();
    let life = scene.mirror.lifetime(ONE);
    let fault =
        serde_json::from_value(json!({"code": "unauthenticated", "message": "", "data": {}})).unwrap();
    scene.mirror.heed(&principal, &odoo_mcp_sidecar::odoo::Error::Fault(fault));
    assert!(life.is_cancelled());
    scene.ask("one").await.unwrap();
    assert_eq!(scene.odoo.count("authenticate"), 2);
    assert!(!scene.mirror.lifetime(ONE).is_cancelled());
}

// === the feed ===

#[tokio::test]
async fn nothing_is_served_before_the_first_hello() {
    let scene = Scene::new().await;
    assert_eq!((scene.mirror.gate(), scene.mirror.ready()), (Gate::Unknown, false));
    assert!(scene.mirror.settings().is_none() && scene.mirror.web_url().is_empty());
    scene.follow();
    scene.until_gate(Gate::Open).await;
    assert!(scene.mirror.ready() && scene.mirror.trouble().is_none());
    assert_eq!(&*scene.mirror.web_url(), "https://odoo.example.com");
    assert_eq!(scene.mirror.settings().unwrap().version, 7);
}

#[tokio::test]
async fn hello_is_repeated_until_odoo_is_there() {
    let scene = Scene::new().await;
    scene.odoo.refuse();
    scene.follow();
    until("the trouble is told", || async { scene.mirror.trouble().is_some() }).await;
    scene.odoo.resume().await;
    scene.until_gate(Gate::Open).await;
    assert!(scene.mirror.trouble().is_none());
}

#[tokio::test]
async fn changes_are_asked_from_the_last_cursor_on() {
    let scene = Scene::followed().await;
    until("some polls", || async { scene.odoo.count("changes") >= 3 }).await;
    let cursors: Vec<_> =
        scene.odoo.requests("changes").iter().map(|request| request["cursor"].clone()).collect();
    assert_eq!(cursors[..3], [json!("1:1"), json!("1:2"), json!("1:3")]);
}

#[tokio::test]
async fn the_switch_and_the_settings_follow() {
    let scene = Scene::followed().await;
    scene.odoo.settings(|settings| settings["enabled"] = json!(false));
    scene.until_gate(Gate::Disabled).await;
    scene.odoo.settings(|settings| {
        settings["enabled"] = json!(true);
        settings["rate_limit_minute"] = json!(5);
    });
    scene.until_gate(Gate::Open).await;
    assert_eq!(scene.mirror.settings().unwrap().rate_limit_minute, 5);
}

#[tokio::test]
async fn a_changed_connection_ends_what_hangs_on_it_and_is_read_again() {
    let scene = Scene::followed().await;
    assert_eq!(scene.ask("one").await.unwrap().connection, ONE);
    let (life, other) = (scene.mirror.lifetime(ONE), scene.mirror.lifetime(ConnectionId(2)));
    scene.odoo.revoke(1);
    life.cancelled().await;
    assert!(!other.is_cancelled());
    assert_eq!(scene.ask("one").await.unwrap_err(), invalid("revoked"));
    // Reactivated: told by the same way, and the refusal is not remembered over it.
    scene.odoo.add_key(&key("one").proof.to_hex(), 1, "read_only");
    scene.odoo.revoke(99);
    until("it is good again", || async { scene.ask("one").await.is_ok() }).await;
    assert!(!scene.mirror.lifetime(ONE).is_cancelled());
}

#[tokio::test]
async fn a_reset_forgets_everything() {
    let scene = Scene::followed().await;
    scene.ask("one").await.unwrap();
    let principal = scene.ask("one").await.unwrap();
    scene.mirror.models(&principal, None).await.unwrap();
    let life = scene.mirror.lifetime(ONE);
    scene.odoo.reset();
    life.cancelled().await;
    scene.ask("one").await.unwrap();
    assert_eq!(scene.odoo.count("authenticate"), 2);
    until("schemas are read again", || async {
        scene.mirror.models(&principal, None).await.unwrap();
        scene.odoo.count("schema") == 2
    })
    .await;
}

#[tokio::test]
async fn another_database_behind_the_same_address_forgets_everything() {
    let scene = Scene::followed().await;
    let life = scene.mirror.lifetime(ONE);
    scene.odoo.on("hello", |_| {
        json!({
            "contract": 1, "addon_version": "19.0.1.0.0", "odoo_version": "19.0", "database": "other",
            "database_uuid": "other", "web_url": "https://other.example.com", "cursor": "other:1", "wake": "accepted",
            "settings": {"enabled": true, "version": 1, "rate_limit_minute": 60, "rate_limit_day": 10000,
                "access_token_timeout": 3600, "refresh_token_timeout": 2_592_000, "refresh_token_grace": 60,
                "allow_dynamic_registration": true, "enable_event_streaming": true,
                "enable_report_generation": true, "audit_retention_days": 90, "log_payloads": false,
                "settings_max_age": 300},
        })
    });
    life.cancelled().await;
    until("the settings of the other", || async { scene.mirror.settings().unwrap().version == 1 }).await;
    assert_eq!(&*scene.mirror.web_url(), "https://other.example.com");
}

#[tokio::test]
async fn settings_that_nobody_confirms_stop_to_count() {
    let scene = Scene::woken().await;
    scene.clock.advance(Duration::from_secs(300));
    assert_eq!(scene.mirror.gate(), Gate::Open);
    scene.clock.advance(Duration::from_millis(1));
    assert_eq!((scene.mirror.gate(), scene.mirror.ready()), (Gate::Unknown, false));
    // Those who wait for the gate learn it as well, and Odoo's next word opens it again.
    scene.until_gate(Gate::Unknown).await;
    scene.wake(&wake_up(1, true, 7, &[])).unwrap_err();
    let _watching = scene.mirror.watching();
    scene.until_gate(Gate::Open).await;
}

#[tokio::test]
async fn another_contract_closes_the_gate_and_is_said() {
    let scene = Scene::followed().await;
    scene.odoo.on("hello", |_| Reply::fault("contract", json!({"addon": 2, "sidecar": 1})));
    scene.until_gate(Gate::Unknown).await;
    assert_eq!(scene.mirror.trouble().unwrap(), "It is contract.");
}

// === wake-ups ===

#[tokio::test]
async fn off_and_revoked_act_before_the_wake_up_is_answered() {
    let scene = Scene::woken().await;
    scene.ask("one").await.unwrap();
    let life = scene.mirror.lifetime(ONE);
    let mut watch = scene.mirror.watch_gate();
    watch.mark_unchanged();
    scene.odoo.settings(|settings| settings["enabled"] = json!(false));
    scene.odoo.revoke(1);
    scene.wake(&wake_up(1, false, 8, &[1])).unwrap();
    assert_eq!(scene.mirror.gate(), Gate::Disabled);
    assert!(watch.has_changed().unwrap() && life.is_cancelled());
    assert_eq!(scene.ask("one").await.unwrap_err(), invalid("revoked"));
    // The rest is asked for at once.
    until("settings are read", || async {
        scene.odoo.count("hello") == 2 && scene.odoo.count("changes") == 2
    })
    .await;
    assert_eq!(scene.mirror.settings().unwrap().version, 8);
}

#[tokio::test]
async fn on_counts_only_where_it_is_not_older_than_what_is_known() {
    let scene = Scene::woken().await;
    scene.odoo.on_async("hello", |_| std::future::pending::<Value>());
    scene.odoo.on_async("changes", |_| std::future::pending::<Value>());
    scene.wake(&wake_up(1, false, 9, &[])).unwrap();
    scene.wake(&wake_up(2, true, 8, &[])).unwrap();
    assert_eq!(scene.mirror.gate(), Gate::Disabled);
    scene.wake(&wake_up(3, true, 9, &[])).unwrap();
    assert_eq!(scene.mirror.gate(), Gate::Open);
}

#[tokio::test]
async fn an_answer_asked_for_before_a_wake_up_does_not_undo_it() {
    let scene = Scene::woken().await;
    let (arrived, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let before = scene.odoo.count("hello");
    let settings = serde_json::to_value(json!({
        "enabled": true, "version": 7, "rate_limit_minute": 60, "rate_limit_day": 10000,
        "access_token_timeout": 3600, "refresh_token_timeout": 2_592_000, "refresh_token_grace": 60,
        "allow_dynamic_registration": true, "enable_event_streaming": true, "enable_report_generation": true,
        "audit_retention_days": 90, "log_payloads": false, "settings_max_age": 300,
    }))
    .unwrap();
    scene.odoo.on_async("hello", {
        let (arrived, go) = (arrived.clone(), go.clone());
        move |_| {
            let (arrived, go, settings) = (arrived.clone(), go.clone(), settings.clone());
            async move {
                arrived.notify_one();
                go.notified().await;
                json!({"contract": 1, "addon_version": "", "odoo_version": "", "database": "",
                       "database_uuid": "7c1b8a52-1f2e-11f0-9cd2-0242ac120002", "web_url": "", "cursor": "",
                       "wake": "accepted", "settings": settings})
            }
        }
    });
    // A hello is under way with the switch on; meanwhile it goes off.
    let _watching = scene.mirror.watching();
    arrived.notified().await;
    scene.wake(&wake_up(1, false, 8, &[])).unwrap();
    go.notify_one();
    until("the next hello", || async { scene.odoo.count("hello") == before + 2 }).await;
    assert_eq!(scene.mirror.gate(), Gate::Disabled);
    // One that was asked for afterwards is the authority, whatever its version: a backup may have come back.
    go.notify_one();
    scene.until_gate(Gate::Open).await;
    assert_eq!(scene.mirror.settings().unwrap().version, 7);
}

#[tokio::test]
async fn a_repeated_wake_up_has_no_effect() {
    let scene = Scene::woken().await;
    let off = wake_up(1, false, 8, &[]);
    scene.odoo.settings(|settings| settings["enabled"] = json!(true));
    scene.wake(&off).unwrap();
    scene.until_gate(Gate::Open).await;
    scene.wake(&off).unwrap();
    assert_eq!(scene.mirror.gate(), Gate::Open);
}

#[tokio::test]
async fn wake_ups_of_others_are_refused() {
    let scene = Scene::new().await;
    let sample: Value = serde_json::from_str(include_str!("../wire/contract/wake.json")).unwrap();
    let (body, signature) = (sample["body"].as_str().unwrap(), sample["signature"].as_str().unwrap());
    let wake = |body: &str, signature: &str| scene.mirror.wake(body.as_bytes(), signature);
    assert_eq!(wake(body, signature), Err(WakeRefused::Unexpected));
    scene.follow();
    scene.until_gate(Gate::Open).await;
    assert_eq!(wake(body, "sha256=00"), Err(WakeRefused::Signature));
    assert_eq!(wake(&body.replace("false", "true"), signature), Err(WakeRefused::Signature));
    assert_eq!(wake("[]", &sign("[]")), Err(WakeRefused::Malformed));
    scene.clock.advance(Duration::from_secs(31));
    assert_eq!(wake(body, signature), Err(WakeRefused::Time));
    assert_eq!(scene.mirror.gate(), Gate::Open);
}

// === schemas ===

#[tokio::test]
async fn schemas_are_read_once_for_all_who_see_the_same() {
    let scene = Scene::followed().await;
    scene.odoo.add_key(&key("two").proof.to_hex(), 2, "read_only");
    let (one, two) = (scene.ask("one").await.unwrap(), scene.ask("two").await.unwrap());
    let mirror = &scene.mirror;
    let calls =
        (0..50).map(|number| mirror.fields(if number % 2 == 0 { &one } else { &two }, "res.partner", None));
    for fields in futures_util::future::join_all(calls).await {
        assert_eq!(fields.unwrap()[0].name, "name");
    }
    // The user's own language and its name are the same.
    mirror.fields(&one, "res.partner", Some("en_US")).await.unwrap();
    assert_eq!(scene.odoo.count("schema"), 1);
    assert_eq!(scene.odoo.requests("schema")[0]["models"], json!(["res.partner"]));
    mirror.fields(&one, "res.partner", Some("fr_FR")).await.unwrap();
    assert_eq!(mirror.models(&one, None).await.unwrap().len(), 2);
    mirror.models(&two, None).await.unwrap();
    assert_eq!(scene.odoo.count("schema"), 3);
    assert!(mirror.fields(&one, "no.model", None).await.is_err());
    scene.odoo.schema_changed();
    until("the schema is read again", || async {
        mirror.models(&one, None).await.unwrap();
        scene.odoo.count("schema") > 4
    })
    .await;
}

#[tokio::test]
async fn an_open_stream_makes_changes_asked_for_more_often() {
    let options =
        Options { poll_ms: 3_600_000, poll_watched_ms: 1, hello_ms: 3_600_000, ..Options::default() };
    let scene = Scene::with(options).await;
    scene.follow();
    scene.until_gate(Gate::Open).await;
    let watching = scene.mirror.watching();
    until("many polls", || async { scene.odoo.count("changes") > 10 }).await;
    drop(watching);
}

#[tokio::test]
async fn the_client_can_be_shared_by_mirror_and_tools() {
    let odoo = FakeOdoo::start().await;
    let client = Client::new(options(&odoo)).unwrap();
    let mirror = Mirror::new(Arc::clone(&client), Options::default());
    assert_eq!(mirror.gate(), Gate::Unknown);
    assert!(!format!("{mirror:?}{client:?}").contains("key-of-the-service-user"));
}
