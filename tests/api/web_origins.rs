//! `Host`, `Origin`, CORS, and who the peer is.

use serde_json::{Value, json};

use crate::support::server::{Answer, Server, initialize, request};

async fn server() -> Server {
    Server::with(|config| config.server.allowed_origins = vec!["https://tools.example.com".into()]).await
}

#[tokio::test]
async fn a_foreign_host_or_origin_is_refused_in_json() {
    let server = server().await;
    let refused = |answer: Answer, reason: &str| {
        assert_eq!(answer.status, 403, "{answer:?}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!((answer.code(), answer.reason().as_str()), (-32600, reason));
        assert!(answer.header("access-control-allow-origin").is_empty());
    };
    let list = request("tools/list", json!({}));
    refused(server.ask(server.post(1, &list).header("host", "evil.example.com")).await, "host_refused");
    for origin in
        ["https://evil.example.com", "null", "http://tools.example.com", "https://tools.example.com:8443"]
    {
        refused(server.ask(server.post(1, &list).header("origin", origin)).await, "origin_refused");
    }
    for host in ["odoo.example.com", "localhost:80"] {
        assert_eq!(
            server.ask(server.post(1, &initialize("2025-11-25")).header("host", host)).await.status,
            200
        );
    }
}

#[tokio::test]
async fn a_listed_page_may_read_every_answer() {
    let server = server().await;
    let origin = "https://tools.example.com";
    let open = |answer: &Answer| {
        assert_eq!(answer.header("access-control-allow-origin"), origin, "{answer:?}");
        let exposed = answer.header("access-control-expose-headers");
        assert!(exposed.contains("Mcp-Session-Id") && exposed.contains("WWW-Authenticate"), "{exposed}");
        assert_eq!(answer.header("vary"), "Origin");
    };
    let answer = server.ask(server.modern(1, "tools/list", Value::Null).header("origin", origin)).await;
    assert_eq!(answer.status, 200);
    open(&answer);
    let answer = server.ask(server.post(1, &initialize("2025-11-25")).header("origin", origin)).await;
    assert!(!answer.header("mcp-session-id").is_empty());
    open(&answer);
    let answer = server.ask(server.http.post(server.url()).header("origin", origin)).await;
    assert_eq!(answer.status, 401);
    open(&answer);
}

#[tokio::test]
async fn a_preflight_needs_no_credential() {
    let server = server().await;
    let preflight = |origin: &str| {
        server
            .http
            .request(reqwest::Method::OPTIONS, server.url())
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization, Mcp-Param-Region, x-evil")
    };
    let answer = server.ask(preflight("https://tools.example.com")).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), "https://tools.example.com");
    assert_eq!(answer.header("access-control-allow-methods"), "POST, GET, DELETE, OPTIONS");
    let headers = answer.header("access-control-allow-headers");
    for name in
        ["authorization", "mcp-session-id", "mcp-protocol-version", "last-event-id", "mcp-param-region"]
    {
        assert!(headers.contains(name), "{headers}");
    }
    assert!(!headers.contains("x-evil") && !headers.contains('*'));
    assert_eq!(server.ask(preflight("https://evil.example.com")).await.status, 403);
    let bare = server.http.request(reqwest::Method::OPTIONS, server.url());
    assert_eq!(server.ask(bare).await.status, 204);
}

#[tokio::test]
async fn the_peer_is_who_a_trusted_proxy_says() {
    let (server, bell) =
        Server::waiting(|config| config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    bell.ring();
    let call = server.wait_call(1).header("x-forwarded-for", "6.6.6.6, 198.51.100.7");
    assert_eq!(server.ask(call).await.json()["result"]["content"][0]["text"], "admin from 198.51.100.7");
    assert_eq!(server.odoo.requests("authenticate")[0]["ip"], "198.51.100.7");

    let (server, bell) = Server::waiting(|_| {}).await;
    bell.ring();
    let call = server.wait_call(1).header("x-forwarded-for", "198.51.100.7");
    assert_eq!(server.ask(call).await.json()["result"]["content"][0]["text"], "admin from 127.0.0.1");
}
