//! The mirror asks Odoo as seldom as it may, and never serves what Odoo took back.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use odoo_mcp_sidecar::config::mirror::MirrorConfig as Options;
use odoo_mcp_sidecar::mirror::{Denied, Gate, Mirror};
use odoo_mcp_sidecar::odoo::Client;
use odoo_mcp_sidecar::vocab::{Credential, CredentialKind};
use serde_json::json;
use tokio::sync::Notify;

use crate::support::client::{options, until};
use crate::support::fake_odoo::{FakeOdoo, Reply, Trouble};
use crate::support::scene::{ONE, Scene, invalid, key, peer, wake_up};

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
async fn who_was_let_in_stays_in_while_odoo_is_away() {
    let scene = Scene::woken().await;
    scene.ask("one").await.unwrap();
    scene.odoo.refuse();
    scene.clock.advance(Duration::from_secs(200));
    assert_eq!(scene.ask("one").await.unwrap().connection, ONE);
    // Who was never seen is nobody.
    assert_eq!(scene.ask("two").await.unwrap_err(), Denied::Unreachable);
    // What ends a connection ends it also then.
    let mut news = wake_up(1, true, 1, &[1]);
    news["time"] = json!(news["time"].as_f64().unwrap() + 200.0);
    scene.wake(&news).unwrap();
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
    scene.mirror.on_call_error(&principal, &odoo_mcp_sidecar::odoo::Error::Fault(fault));
    assert!(life.is_cancelled());
    scene.ask("one").await.unwrap();
    assert_eq!(scene.odoo.count("authenticate"), 2);
    assert!(!scene.mirror.lifetime(ONE).is_cancelled());
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
async fn the_client_can_be_shared_by_mirror_and_tools() {
    let odoo = FakeOdoo::start().await;
    let client = Client::new(options(&odoo)).unwrap();
    let mirror = Mirror::new(Arc::clone(&client), Options::default());
    assert_eq!(mirror.gate(), Gate::Unknown);
    assert!(!format!("{mirror:?}{client:?}").contains("key-of-the-service-user"));
}

#[tokio::test]
async fn a_token_issued_through_this_replica_is_looked_up_during_a_flood() {
    let options = Options { unknown_per_second: 1, unknown_burst: 1, ..Options::default() };
    let scene = Scene::with(options).await;
    scene.mirror.token_issued(&key("one").proof).await;
    for number in 0..100_u32 {
        let from = IpAddr::V4((0x0a00_0000 + number).into());
        let asked = scene.mirror.principal(&key(&format!("random {number}")), from).await;
        if matches!(asked, Err(Denied::Busy { .. })) {
            break;
        }
    }
    scene.ask("one").await.unwrap();
}

#[tokio::test]
async fn tokens_revoked_through_this_replica_are_looked_up_again() {
    let scene = Scene::new().await;
    scene.ask("one").await.unwrap();
    scene.odoo.on("authenticate", |_| Reply::fault("unauthenticated", json!({"reason": "unknown"})));
    scene.ask("one").await.unwrap();
    scene.mirror.tokens_revoked(ONE);
    assert_eq!(scene.ask("one").await.unwrap_err(), invalid("unknown"));
}
