//! The master switch while things are going on.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::support::server::{Server, request, until};

fn list() -> Value {
    request("tools/list", json!({}))
}

#[tokio::test]
async fn off_ends_streams_and_keeps_sessions() {
    let (server, _bell) = Server::waiting(|_| {}).await;
    let session = server.session(1).await;
    let legacy = server.stream(1, &session).send().await.unwrap();
    let filter = json!({"notifications": {"toolsListChanged": true}});
    let modern = server.modern(1, "subscriptions/listen", filter).send().await.unwrap();
    assert_eq!(modern.headers()["content-type"], "text/event-stream");
    let mut modern = modern.bytes_stream();
    let first = modern.next().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("subscriptions/acknowledged"), "{first:?}");

    server.odoo.settings(|settings| settings["enabled"] = json!(false));
    let start = Instant::now();
    let ended = async {
        legacy.bytes().await.unwrap();
        while modern.next().await.is_some() {}
    };
    tokio::time::timeout(Duration::from_secs(5), ended).await.expect("the streams did not end");
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(server.ask(server.in_session(1, &session, &list())).await.status, 503);

    server.odoo.settings(|settings| settings["enabled"] = json!(true));
    until("the switch is on", || async {
        server.ask(server.in_session(1, &session, &list())).await.status == 200
    })
    .await;
    assert_eq!(server.stream(1, &session).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_wake_up_acts_before_it_is_answered() {
    let server = Server::with(|config| config.mirror.poll_ms = 60_000).await;
    assert_eq!(server.ask(server.modern(1, "tools/list", Value::Null)).await.status, 200);
    let session = server.session(1).await;
    let stream = server.stream(1, &session).send().await.unwrap();
    server.odoo.settings(|settings| settings["enabled"] = json!(false));
    assert_eq!(server.wake(false, 8).await, 204);
    assert_eq!(server.ask(server.modern(1, "tools/list", Value::Null)).await.status, 503);
    tokio::time::timeout(Duration::from_secs(1), stream.bytes()).await.expect("within a second").unwrap();
}

#[tokio::test]
async fn a_wake_up_that_odoo_did_not_sign_is_refused() {
    let server = Server::start().await;
    let url = server.admin("/wake");
    let body =
        json!({"seq": 1, "time": 0.0, "enabled": false, "settings_version": 9, "revoked": []}).to_string();
    for signature in ["", "sha256=00", "sha256=nonsense"] {
        let post = server.http.post(&url).header("x-mcp-signature", signature).body(body.clone());
        assert_eq!(server.ask(post).await.status, 401);
    }
    assert_eq!(server.ask(server.http.post(&url).body(body)).await.status, 401);
    assert_eq!(server.ask(server.http.get(&url)).await.status, 405);
    assert_eq!(server.ask(server.modern(1, "tools/list", Value::Null)).await.status, 200);
}

#[tokio::test]
async fn a_call_that_was_running_still_answers() {
    let (server, bell) = Server::waiting(|_| {}).await;
    let session = server.session(1).await;
    let body = request("tools/call", json!({"name": "wait", "arguments": {}}));
    let calls = [
        tokio::spawn(server.in_session(1, &session, &body).send()),
        tokio::spawn(server.wait_call(1).send()),
    ];
    until("both wait", || async { bell.waiting() == 2 }).await;
    server.odoo.settings(|settings| settings["enabled"] = json!(false));
    until("the switch is off", || async {
        server.ask(server.modern(1, "tools/list", Value::Null)).await.status == 503
    })
    .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    (0..2).for_each(|_| bell.ring());
    for call in calls {
        let text = call.await.unwrap().unwrap().text().await.unwrap();
        assert!(text.contains("admin from"), "{text}");
    }
}
