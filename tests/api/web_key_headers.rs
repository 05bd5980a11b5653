//! API keys in `X-API-Key` and `X-Auth-Token`: the two headers besides `Authorization` that claude.ai can send.

use std::time::Duration;

use odoo_mcp_sidecar::vocab::{Clock, Proof};
use serde_json::{Value, json};

use crate::support::server::{LEGACY, MODERN, Server, initialize, key, modern_body, token, until};

/// 2026-11-23T13:30:12.5Z.
const NOW_MS: u64 = 1_795_440_612_500;

const HEADERS: [&str; 2] = ["x-api-key", "x-auth-token"];

fn list(server: &Server) -> reqwest::RequestBuilder {
    server
        .http
        .post(server.url())
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", "tools/list")
        .body(modern_body("tools/list", Value::Null).to_string())
}

#[tokio::test]
async fn a_key_in_another_header_opens_the_same() {
    let server = Server::start().await;
    for header in HEADERS {
        for name in [header.to_owned(), header.to_ascii_uppercase()] {
            assert_eq!(server.ask(list(&server).header(&name, key(1))).await.status, 200, "{name}");
        }
        // The same key again, and beside the usual header, is one key.
        let twice = list(&server).header(header, key(1)).header(header, key(1)).bearer_auth(key(1));
        assert_eq!(server.ask(twice).await.status, 200);
        // A legacy session from its start to its end.
        let in_session = |request: reqwest::RequestBuilder| request.header(header, key(2));
        let opening = server.http.post(server.url()).header("content-type", "application/json");
        let opening = opening.header("accept", "application/json, text/event-stream");
        let answer = server.ask(in_session(opening.body(initialize(LEGACY).to_string()))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let id = answer.header("mcp-session-id").to_owned();
        let end = server.http.delete(server.url()).header("mcp-session-id", &id);
        assert_eq!(server.ask(in_session(end)).await.status, 204);
    }
    let both = list(&server).header(HEADERS[0], key(1)).header(HEADERS[1], key(1));
    assert_eq!(server.ask(both).await.status, 200);
}

#[tokio::test]
async fn the_same_checks_apply() {
    let server = Server::with(|config| config.limits.failed_attempts = 1000.try_into().unwrap()).await;
    server.odoo.add_key(&Proof::of_text(&key(9)).to_hex(), 9, "read_only");
    server.odoo.change(9, |document| document["blocked_ips"] = json!(["127.0.0.1/32"]));
    server.odoo.revoke(3);
    server.until_followed().await;
    for header in HEADERS {
        for (sent, status, reason) in [
            (key(99), 401, "unknown"),
            (key(3), 401, "revoked"),
            ("mcp_ak_typo".to_owned(), 401, "malformed_credential"),
            (String::new(), 401, "malformed_credential"),
            (key(9), 403, "address_refused"),
        ] {
            let answer = server.ask(list(&server).header(header, &sent)).await;
            assert_eq!((answer.status, answer.reason().as_str()), (status, reason), "{header}: {sent}");
            if status == 401 {
                let challenge = answer.header("www-authenticate");
                assert!(
                    challenge.contains("error=\"invalid_token\"") && challenge.contains("resource_metadata")
                );
                assert!(answer.text.contains("API key"), "{answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn wrong_keys_close_the_gate_from_any_header() {
    let server = Server::with(|config| config.limits.failed_attempts = 3.try_into().unwrap()).await;
    for (number, header) in HEADERS.iter().cycle().take(4).enumerate() {
        let answer = server.ask(list(&server).header(*header, "mcp_ak_typo")).await;
        assert_eq!(answer.status, 401, "{number}");
    }
    for header in HEADERS {
        let answer = server.ask(list(&server).header(header, "mcp_ak_typo")).await;
        assert_eq!((answer.status, answer.code()), (429, 1006));
        assert_eq!(server.ask(list(&server).header(header, key(1))).await.status, 200);
    }
}

#[tokio::test]
async fn an_access_token_comes_in_its_own_header_only() {
    let server = Server::start().await;
    server.add_token(20, |_| {});
    assert_eq!(server.ask(list(&server).bearer_auth(token(20))).await.status, 200);
    for header in HEADERS {
        for request in [
            list(&server).header(header, token(20)),
            list(&server).header(header, token(20)).bearer_auth(token(20)),
            list(&server).header(header, format!("Bearer {}", key(1))),
        ] {
            let answer = server.ask(request).await;
            assert_eq!((answer.status, answer.reason().as_str()), (401, "malformed_credential"));
        }
    }
}

#[tokio::test]
async fn of_two_credentials_none_is_chosen() {
    let server = Server::start().await;
    server.add_token(20, |_| {});
    // Each would be good alone.
    for request in [
        list(&server).header(HEADERS[0], key(1)).header(HEADERS[1], key(2)),
        list(&server).header(HEADERS[0], key(1)).header(HEADERS[0], key(2)),
        list(&server).header(HEADERS[0], key(2)).bearer_auth(key(1)),
        list(&server).header(HEADERS[1], key(1)).bearer_auth(token(20)),
        list(&server).header(HEADERS[1], key(1)).header("authorization", "Basic dXNlcjpwYXNz"),
        list(&server).header(HEADERS[0], "another product's").bearer_auth(key(1)),
    ] {
        let answer = server.ask(request).await;
        assert_eq!((answer.status, answer.code()), (401, 1003), "{answer:?}");
        assert_eq!(answer.reason(), "malformed_credential");
    }
    assert_eq!(server.odoo.count("authenticate"), 0);
}

#[tokio::test]
async fn pages_may_send_them() {
    let server =
        Server::with(|config| config.server.allowed_origins = vec!["https://tools.example.com".into()]).await;
    let origin = "https://tools.example.com";
    let preflight = server.http.request(reqwest::Method::OPTIONS, server.url()).header("origin", origin);
    let answer = server.ask(preflight.header("access-control-request-headers", HEADERS.join(","))).await;
    let allowed: Vec<_> =
        answer.header("access-control-allow-headers").split(',').map(|name| name.trim().to_owned()).collect();
    for header in HEADERS.into_iter().chain(["authorization"]) {
        assert!(allowed.contains(&header.to_owned()), "{allowed:?}");
    }
    assert_eq!(
        server.ask(list(&server).header("origin", origin).header(HEADERS[0], key(1))).await.status,
        200
    );
}

/// The audit log has neither the key nor its header.
#[tokio::test]
async fn the_audit_log_does_not_hold_them() {
    let clock = Clock::manual_at(NOW_MS);
    let server = Server::at(clock.clone()).await;
    server.odoo.settings(|settings| settings["log_payloads"] = json!(true));
    server.until_followed().await;
    for (header, sent) in
        [(HEADERS[0], key(1)), (HEADERS[1], key(99)), (HEADERS[1], key(1).replace('Z', "Y"))]
    {
        server.ask(list(&server).header(header, sent)).await;
    }
    // Refusals of strangers are summed by the minute.
    clock.advance(Duration::from_secs(60));
    until("it is audited", || async { server.odoo.audit().len() >= 2 }).await;
    let log = json!(server.odoo.audit()).to_string();
    assert!(!log.contains("mcp_ak_") && !log.contains(&Proof::of_text(&key(1)).to_hex()), "{log}");
}
