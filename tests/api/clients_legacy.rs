//! What legacy clients do that the specification does not ask of them, and what the modern era says of it.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::support::server::{LEGACY, MODERN, Server, initialize, key, request};

#[tokio::test]
async fn lists_of_what_is_not_declared_are_empty() {
    let server = Server::start().await;
    let session = server.session(1).await;
    for (method, member) in [
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
        ("prompts/list", "prompts"),
    ] {
        let legacy = server.ask(server.in_session(1, &session, &request(method, json!({})))).await;
        assert_eq!(
            (legacy.status, &legacy.json()["result"][member]),
            (200, &json!([])),
            "{method} {legacy:?}"
        );
        // Without a session too, for clients that take JSON only.
        let plain = server.post(1, &request(method, json!({}))).header("mcp-protocol-version", LEGACY);
        let mut plain = plain.build().unwrap();
        plain.headers_mut().insert("accept", "application/json".parse().unwrap());
        let plain: Value = server.http.execute(plain).await.unwrap().json().await.unwrap();
        assert_eq!(plain["result"][member], json!([]), "{method} {plain}");
        // Where nothing is declared, the modern era has no such method.
        let modern = server.ask(server.modern(1, method, Value::Null)).await;
        assert_eq!((modern.status, modern.code()), (404, -32601), "{method} {modern:?}");
    }
    // Reading from an empty list finds nothing.
    for (method, params) in
        [("resources/read", json!({"uri": "odoo://x"})), ("prompts/get", json!({"name": "x"}))]
    {
        let legacy = server.ask(server.in_session(1, &session, &request(method, params))).await;
        assert_eq!(legacy.code(), -32601, "{method} {legacy:?}");
    }
}

#[tokio::test]
async fn a_log_level_may_be_set() {
    let server = Server::start().await;
    for version in [LEGACY, "2025-06-18"] {
        let opened = server.ask(server.post(1, &initialize(version))).await;
        // Not declared: no log messages are sent.
        assert_eq!(opened.json()["result"]["capabilities"], json!({"tools": {}}));
        let session = opened.header("mcp-session-id").to_owned();
        for level in ["debug", "info", "emergency"] {
            let set = request("logging/setLevel", json!({"level": level}));
            let asked = server
                .post(1, &set)
                .header("mcp-session-id", &session)
                .header("mcp-protocol-version", version);
            let answer = server.ask(asked).await;
            assert_eq!((answer.status, &answer.json()["result"]), (200, &json!({})), "{answer:?}");
        }
        let wrong = request("logging/setLevel", json!({"level": "loud"}));
        let asked =
            server.post(1, &wrong).header("mcp-session-id", &session).header("mcp-protocol-version", version);
        assert!(server.ask(asked).await.code() < 0);
    }
    let modern = server.ask(server.modern(1, "logging/setLevel", json!({"level": "info"}))).await;
    assert_eq!((modern.status, modern.code()), (404, -32601), "{modern:?}");
}

#[tokio::test]
async fn initialize_negotiates_past_any_version_header() {
    let server = Server::start().await;
    for (asked, served) in
        [(LEGACY, LEGACY), ("2025-06-18", "2025-06-18"), ("2024-11-05", LEGACY), (MODERN, LEGACY)]
    {
        for header in [MODERN, LEGACY, "2025-06-18", "2024-11-05", "2031-01-01", "nonsense", ""] {
            let opening = server.post(1, &initialize(asked)).header("mcp-protocol-version", header);
            let answer = server.ask(opening).await;
            assert_eq!(answer.status, 200, "{asked} {header} {answer:?}");
            assert_eq!(answer.json()["result"]["protocolVersion"], served, "{asked} {header}");
            let session = answer.header("mcp-session-id");
            let delete =
                server.http.delete(server.url()).bearer_auth(key(1)).header("mcp-session-id", session);
            assert_eq!(server.ask(delete).await.status, 204);
        }
    }
    // Named twice, and differently: it does not matter either.
    let twice = server.post(1, &initialize(LEGACY)).header("mcp-protocol-version", MODERN);
    assert_eq!(server.ask(twice.header("mcp-protocol-version", LEGACY)).await.status, 200);
    // With metadata of the modern era it is no handshake: the header is part of what the request says of itself.
    let modern = server.ask(server.modern(1, "initialize", initialize(LEGACY)["params"].clone())).await;
    assert_eq!((modern.status, modern.code()), (400, -32600), "{modern:?}");
}

#[tokio::test]
async fn a_notification_without_a_session_is_accepted() {
    let server = Server::start().await;
    let notify = |method: &str| server.post(1, &json!({"jsonrpc": "2.0", "method": method}));
    for method in [
        "notifications/initialized",
        "notifications/cancelled",
        "notifications/roots/list_changed",
        "notifications/x",
    ] {
        let answer = server.ask(notify(method)).await;
        assert_eq!((answer.status, answer.text.as_str()), (202, ""), "{method} {answer:?}");
        let answer = server.ask(notify(method).header("mcp-protocol-version", LEGACY)).await;
        assert_eq!(answer.status, 202, "{method} {answer:?}");
    }
    // A session that is named has to be there, a version has to be served, and a request has to have a session.
    let stale = server.ask(notify("notifications/initialized").header("mcp-session-id", "gone")).await;
    assert_eq!((stale.status, stale.reason().as_str()), (404, "session_not_found"));
    let old =
        server.ask(notify("notifications/initialized").header("mcp-protocol-version", "1999-01-01")).await;
    assert_eq!(old.status, 400);
    assert_eq!(server.ask(server.post(1, &request("tools/list", json!({})))).await.status, 400);
    // A credential is asked for as ever.
    let bare =
        server.http.post(server.url()).body(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert_eq!(server.ask(bare).await.status, 401);
}

#[tokio::test]
async fn a_second_stream_of_a_session_replaces_the_first() {
    let server = Server::start().await;
    let (session, other) = (server.session(1).await, server.session(1).await);
    let first = server.stream(1, &session).send().await.unwrap();
    let untouched = server.stream(1, &other).send().await.unwrap();
    assert_eq!(first.status(), 200);
    let second = server.stream(1, &session).send().await.unwrap();
    assert_eq!(second.status(), 200);
    let ended = tokio::time::timeout(Duration::from_secs(3), first.bytes()).await;
    assert!(ended.is_ok(), "the first stream did not end");
    // By resuming as well: the client is the same, and has one stream.
    let third = server.stream(1, &session).header("last-event-id", "0").send().await.unwrap();
    assert_eq!(third.status(), 200);
    let ended = tokio::time::timeout(Duration::from_secs(3), second.bytes()).await;
    assert!(ended.is_ok(), "the second stream did not end");
    // The last one and that of another session go on.
    let mut open = [third.bytes_stream().boxed(), untouched.bytes_stream().boxed()];
    for stream in &mut open {
        while let Ok(event) = tokio::time::timeout(Duration::from_millis(300), stream.next()).await {
            assert!(event.is_some(), "a stream ended");
        }
    }
    assert_eq!(
        server.ask(server.in_session(1, &session, &request("tools/list", json!({})))).await.status,
        200
    );
}
