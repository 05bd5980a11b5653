//! The mirror follows Odoo: settings, revocations, schemas and wake-ups; what nobody confirms stops to count.

use std::sync::Arc;
use std::time::Duration;

use odoo_mcp_sidecar::config::mirror::MirrorConfig as Options;
use odoo_mcp_sidecar::mirror::{Gate, WakeupError};
use odoo_mcp_sidecar::vocab::ConnectionId;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::client::until;
use crate::support::fake_odoo::Reply;
use crate::support::scene::{ONE, Scene, invalid, key, sign, wake_up};

// === the feed ===

#[tokio::test]
async fn nothing_is_served_before_the_first_hello() {
    let scene = Scene::new().await;
    assert_eq!((scene.mirror.gate(), scene.mirror.is_ready()), (Gate::Unknown, false));
    assert!(scene.mirror.settings().is_none() && scene.mirror.web_url().is_empty());
    scene.follow();
    scene.until_gate(Gate::Open).await;
    assert!(scene.mirror.is_ready() && scene.mirror.feed_error().is_none());
    assert_eq!(&*scene.mirror.web_url(), "https://odoo.example.com");
    assert_eq!(scene.mirror.settings().unwrap().version, 7);
}

#[tokio::test]
async fn hello_is_repeated_until_odoo_is_there() {
    let scene = Scene::new().await;
    scene.odoo.refuse();
    scene.follow();
    until("the trouble is told", || async { scene.mirror.feed_error().is_some() }).await;
    scene.odoo.resume().await;
    scene.until_gate(Gate::Open).await;
    assert!(scene.mirror.feed_error().is_none());
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
    assert_eq!((scene.mirror.gate(), scene.mirror.is_ready()), (Gate::Unknown, false));
    // Those who wait for the gate learn it as well, and Odoo's next word opens it again.
    scene.until_gate(Gate::Unknown).await;
    scene.wake(&wake_up(1, true, 7, &[])).unwrap_err();
    let _watching = scene.mirror.poll_fast();
    scene.until_gate(Gate::Open).await;
}

#[tokio::test]
async fn another_contract_closes_the_gate_and_is_said() {
    let scene = Scene::followed().await;
    scene.odoo.on("hello", |_| Reply::fault("contract", json!({"addon": 2, "sidecar": 1})));
    scene.until_gate(Gate::Unknown).await;
    assert_eq!(scene.mirror.feed_error().unwrap(), "It is contract.");
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
    let _watching = scene.mirror.poll_fast();
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
    let wake = |body: &str, signature: &str| scene.mirror.receive_wakeup(body.as_bytes(), signature);
    assert_eq!(wake(body, signature), Err(WakeupError::Unexpected));
    scene.follow();
    scene.until_gate(Gate::Open).await;
    assert_eq!(wake(body, "sha256=00"), Err(WakeupError::Signature));
    assert_eq!(wake(&body.replace("false", "true"), signature), Err(WakeupError::Signature));
    assert_eq!(wake("[]", &sign("[]")), Err(WakeupError::Malformed));
    scene.clock.advance(Duration::from_secs(31));
    assert_eq!(wake(body, signature), Err(WakeupError::Time));
    assert_eq!(scene.mirror.gate(), Gate::Open);
}

#[tokio::test]
async fn an_open_stream_makes_changes_asked_for_more_often() {
    let options =
        Options { poll_ms: 3_600_000, poll_watched_ms: 1, hello_ms: 3_600_000, ..Options::default() };
    let scene = Scene::with(options).await;
    scene.follow();
    scene.until_gate(Gate::Open).await;
    let watching = scene.mirror.poll_fast();
    until("many polls", || async { scene.odoo.count("changes") > 10 }).await;
    drop(watching);
}
