//! Sessions of the legacy era: bound, bounded, reaped.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::support::server::{Answer, LEGACY, Server, initialize, key, modern_body, request, until};

fn list() -> Value {
    request("tools/list", json!({}))
}

#[tokio::test]
async fn a_session_belongs_to_its_connection() {
    let server = Server::start().await;
    let session = server.session(1).await;
    for id in [session.as_str(), "unknown", "b5b9f1a4-0000-4000-8000-000000000000", "\u{e9}"] {
        let number = if id == session { 2 } else { 1 };
        let answer = server.ask(server.in_session(number, id, &list())).await;
        assert_eq!((answer.status, answer.reason().as_str()), (404, "session_not_found"), "{id}");
        assert_eq!(answer.json()["id"], 7);
        assert_eq!(server.ask(server.stream(number, id)).await.status, 404);
        let delete = server.http.delete(server.url()).bearer_auth(key(number)).header("mcp-session-id", id);
        assert_eq!(server.ask(delete).await.status, 404);
    }
    // Nothing of that harmed it.
    assert_eq!(server.ask(server.in_session(1, &session, &list())).await.status, 200);
    let delete = server.http.delete(server.url()).bearer_auth(key(1)).header("mcp-session-id", &session);
    assert_eq!(server.ask(delete).await.status, 204);
    assert_eq!(server.ask(server.in_session(1, &session, &list())).await.status, 404);
}

#[tokio::test]
async fn a_session_is_no_authentication() {
    let server = Server::start().await;
    let session = server.session(1).await;
    let bare = server.http.post(server.url()).header("mcp-session-id", &session).body(list().to_string());
    assert_eq!(server.ask(bare).await.status, 401);
}

#[tokio::test]
async fn requests_outside_any_session_are_told_so() {
    let server = Server::start().await;
    let answer = server.ask(server.post(1, &list())).await;
    assert_eq!((answer.status, answer.reason().as_str()), (400, "invalid_request"));
    let answer = server.ask(server.http.get(server.url()).bearer_auth(key(1))).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn a_stale_id_does_not_hinder_a_new_session() {
    let server = Server::start().await;
    let stale = server.post(1, &initialize(LEGACY)).header("mcp-session-id", "long-gone");
    let answer = server.ask(stale).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_ne!(answer.header("mcp-session-id"), "");
}

#[tokio::test]
async fn the_modern_era_has_no_sessions() {
    let server = Server::start().await;
    let request = server.modern(1, "tools/list", Value::Null).header("mcp-session-id", "whatever");
    let answer = server.ask(request).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("mcp-session-id"), "");
    for method in [reqwest::Method::GET, reqwest::Method::DELETE] {
        let request = server.http.request(method, server.url()).bearer_auth(key(1));
        let answer = server.ask(request.header("mcp-protocol-version", "2026-07-28")).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "POST"));
    }
}

#[tokio::test]
async fn sessions_are_counted_for_each_connection_and_in_all() {
    let server = Server::with(|config| {
        config.limits.sessions_per_connection = 2;
        config.limits.sessions = 3;
    })
    .await;
    let first = server.session(1).await;
    server.session(1).await;
    let limit = |number| {
        let request = server.post(number, &initialize(LEGACY));
        let server = &server;
        async move {
            let answer = server.ask(request).await;
            assert_eq!((answer.status, answer.code()), (429, 1006), "{answer:?}");
            assert!(!answer.header("retry-after").is_empty());
            answer.json()["error"]["data"]["limit"].as_str().unwrap().to_owned()
        }
    };
    assert_eq!(limit(1).await, "sessions_per_connection");
    server.session(2).await;
    assert_eq!(limit(2).await, "sessions");
    let delete = server.http.delete(server.url()).bearer_auth(key(1)).header("mcp-session-id", &first);
    assert_eq!(server.ask(delete).await.status, 204);
    server.session(2).await;
}

#[tokio::test]
async fn a_flood_of_handshakes_opens_no_more_than_the_cap() {
    let server = Server::with(|config| config.limits.sessions_per_connection = 5).await;
    let handshakes: Vec<_> =
        (0..40).map(|_| tokio::spawn(server.post(1, &initialize(LEGACY)).send())).collect();
    let mut opened = 0;
    for handshake in handshakes {
        opened += usize::from(handshake.await.unwrap().unwrap().headers().contains_key("mcp-session-id"));
    }
    assert_eq!(opened, 5);
}

#[tokio::test]
async fn an_idle_session_is_reaped_but_not_under_an_open_stream() {
    let server = Server::with(|config| config.limits.session_idle = Duration::from_millis(200)).await;
    let (idle, listening) = (server.session(1).await, server.session(1).await);
    let stream = server.stream(1, &listening).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    until("the idle one is gone", || async {
        // Asked as somebody else, so that asking does not keep it alive; gone when its place is free.
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.ask(server.in_session(1, &idle, &list())).await.status == 404
    })
    .await;
    assert_eq!(server.ask(server.in_session(1, &listening, &list())).await.status, 200);
}

#[tokio::test]
async fn a_revoked_connection_loses_its_sessions_and_streams() {
    let server = Server::start().await;
    let (session, other) = (server.session(1).await, server.session(2).await);
    let stream = server.stream(1, &session).send().await.unwrap();
    server.odoo.revoke(1);
    let end = tokio::time::timeout(Duration::from_secs(3), stream.bytes()).await;
    assert!(end.is_ok(), "the stream did not end");
    assert_eq!(server.ask(server.in_session(1, &session, &list())).await.status, 401);
    assert_eq!(server.ask(server.in_session(2, &other, &list())).await.status, 200);
}

#[tokio::test]
async fn streams_are_counted() {
    let server = Server::with(|config| config.limits.streams_per_connection = 1).await;
    let session = server.session(1).await;
    let stream = server.stream(1, &session).send().await.unwrap();
    assert_eq!(stream.headers()["x-accel-buffering"], "no");
    let answer = server.ask(server.stream(1, &session)).await;
    assert_eq!((answer.status, answer.code()), (429, 1006));
    assert_eq!(answer.json()["error"]["data"]["limit"], "streams_per_connection");
    drop(stream);
    until("its place is free", || async { server.stream(1, &session).send().await.unwrap().status() == 200 })
        .await;
}

#[tokio::test]
async fn only_clients_that_understand_it_are_offered_to_resume() {
    let server = Server::start().await;
    for (version, offers) in [(LEGACY, true), ("2025-06-18", false)] {
        let opened = server.ask(server.post(1, &initialize(version))).await;
        assert!(!opened.text.contains("retry:"), "{}", opened.text);
        let session = opened.header("mcp-session-id").to_owned();
        let in_session = |body: &Value| {
            let request = server.post(1, body).header("mcp-session-id", &session);
            request.header("mcp-protocol-version", version)
        };
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(server.ask(in_session(&initialized)).await.status, 202);
        let answer = server.ask(in_session(&list())).await;
        assert_eq!(answer.text.contains("retry:"), offers, "{}", answer.text);
    }
}

#[tokio::test]
async fn a_broken_stream_is_resumed_or_told_to_be_lost() {
    let (server, bell) = Server::waiting(|_| {}).await;
    let session = server.session(1).await;
    let body = request("tools/call", json!({"name": "wait", "arguments": {}}));
    let mut answer = server.in_session(1, &session, &body).send().await.unwrap().bytes_stream();
    let offer = String::from_utf8(answer.next().await.unwrap().unwrap().to_vec()).unwrap();
    let id = offer.lines().find_map(|line| line.strip_prefix("id:")).unwrap().trim().to_owned();
    drop(answer);
    // While the call is running, its answer is fetched by the id of the offer.
    let resumed = server.stream(1, &session).header("last-event-id", &id).send().await.unwrap();
    bell.ring();
    let resumed = Answer::of(resumed).await;
    assert_eq!(resumed.json()["result"]["content"][0]["text"], "admin from 127.0.0.1", "{resumed:?}");
    assert_eq!(bell.done.load(Ordering::SeqCst), 1);
    // Afterwards it is gone, and nobody is left waiting for it.
    let resumed = server.ask(server.stream(1, &session).header("last-event-id", &id)).await;
    assert_eq!((resumed.code(), &resumed.json()["id"]), (-32603, &json!(7)), "{resumed:?}");
}

#[tokio::test]
async fn a_client_that_takes_json_only_is_served_without_a_session() {
    let server = Server::start().await;
    let post = |body: &Value| {
        let request = server.http.post(server.url()).bearer_auth(key(1)).header("accept", "application/json");
        request.header("content-type", "application/json").body(body.to_string())
    };
    let opened = server.ask(post(&initialize(LEGACY))).await;
    assert_eq!((opened.status, opened.header("content-type")), (200, "application/json"));
    assert_eq!(opened.header("mcp-session-id"), "");
    assert_eq!(opened.json()["result"]["protocolVersion"], LEGACY);
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(server.ask(post(&initialized)).await.status, 202);
    let answer = server.ask(post(&list()).header("mcp-protocol-version", LEGACY)).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert!(answer.json()["result"]["tools"].as_array().is_some_and(|tools| !tools.is_empty()));
}

#[tokio::test]
async fn lax_accept_headers_are_served() {
    let server = Server::start().await;
    let body = modern_body("tools/list", Value::Null).to_string();
    for accept in [None, Some("*/*"), Some("application/json"), Some("text/event-stream")] {
        let mut request = server.http.post(server.url()).bearer_auth(key(1)).body(body.clone());
        request = request.header("content-type", "application/json").header("mcp-method", "tools/list");
        request = request.header("mcp-protocol-version", "2026-07-28");
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        assert_eq!(server.ask(request).await.status, 200, "{accept:?}");
    }
}
