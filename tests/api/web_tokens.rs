//! Access tokens on `/odoo/mcp`: for whom they were issued, their first use, their end.

use std::time::{Duration, Instant};

use odoo_mcp_sidecar::vocab::Proof;
use serde_json::{Value, json};

use crate::support::server::{Answer, Server, key, token, until};

async fn list(server: &Server, credential: &str) -> Answer {
    server.ask(server.modern_with(credential, "tools/list", Value::Null)).await
}

#[track_caller]
fn is_refused(answer: &Answer, reason: &str) {
    assert_eq!((answer.status, answer.code(), answer.reason().as_str()), (401, 1003, reason), "{answer:?}");
    assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""));
}

#[tokio::test]
async fn only_a_token_for_this_resource_is_accepted() {
    let server = Server::with(|config| config.limits.failed_attempts = 1000.try_into().unwrap()).await;
    let resource = "https://odoo.example.com/odoo/mcp";
    for (number, audience) in [
        (20, json!("https://other.example.com/odoo/mcp")),
        (21, json!("https://odoo.example.com")),
        (22, json!("https://odoo.example.com/odoo/mcp/")),
        (23, json!("http://odoo.example.com/odoo/mcp")),
        (24, json!("https://odoo.example.com:8443/odoo/mcp")),
        (25, json!("https://odoo.example.com/odoo/mcp2")),
        (26, json!("")),
        (27, Value::Null),
    ] {
        server.add_token(number, |document| document["audience"] = audience.clone());
        is_refused(&list(&server, &token(number)).await, "audience");
    }
    server.add_token(30, |document| document["audience"] = json!(resource));
    assert_eq!(list(&server, &token(30)).await.status, 200);
    // A key has no audience.
    assert_eq!(list(&server, &key(1)).await.status, 200);
}

#[tokio::test]
async fn tokens_of_a_listed_public_url_of_before_go_on() {
    let server = Server::start().await;
    for (number, origin) in [(20, "https://old.example.com"), (21, "https://older.example.com:8443")] {
        server.add_token(number, |document| document["audience"] = json!(format!("{origin}/odoo/mcp")));
        is_refused(&list(&server, &token(number)).await, "audience");
    }
    server.odoo.settings(|settings| {
        settings["previous_public_urls"] =
            json!(["https://old.example.com", "https://older.example.com:8443/"]);
    });
    for number in [20, 21] {
        until("the list counts", || async { list(&server, &token(number)).await.status == 200 }).await;
    }
    server.add_token(22, |document| document["audience"] = json!("https://old.example.com:8443/odoo/mcp"));
    is_refused(&list(&server, &token(22)).await, "audience");
    server.odoo.settings(|settings| settings["previous_public_urls"] = json!([]));
    until("it counts no more", || async { list(&server, &token(20)).await.status == 401 }).await;
    is_refused(&list(&server, &token(21)).await, "audience");
}

#[tokio::test]
async fn without_oauth_tokens_end_and_keys_go_on() {
    let server = Server::start().await;
    server.add_token(20, |_| {});
    let session = server.session_with(&token(20)).await;
    let stream = server.http.get(server.url()).bearer_auth(token(20)).header("accept", "text/event-stream");
    let stream = stream.header("mcp-session-id", &session).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let kept = server.session(1).await;
    let key_stream = server.stream(1, &kept).send().await.unwrap();
    server.odoo.settings(|settings| settings["enable_oauth"] = json!(false));
    until("OAuth is off", || async { list(&server, &token(20)).await.status == 401 }).await;
    let asked = server.odoo.count("authenticate");
    for number in [20, 99] {
        let answer = list(&server, &token(number)).await;
        is_refused(&answer, "oauth_disabled");
        assert!(
            answer.text.contains("API key")
                && !answer.header("www-authenticate").contains("resource_metadata")
        );
    }
    assert_eq!(server.odoo.count("authenticate"), asked);
    // What is open ends as well, of these connections alone.
    tokio::time::timeout(Duration::from_secs(1), stream.bytes()).await.expect("the stream ends").unwrap();
    let open = tokio::time::timeout(Duration::from_millis(300), key_stream.bytes()).await;
    assert!(open.is_err(), "the stream of a key goes on");
    let ping = crate::support::server::request("ping", json!({}));
    assert_eq!(server.ask(server.in_session(1, &kept, &ping)).await.status, 200);
    server.odoo.settings(|settings| settings["enable_oauth"] = json!(true));
    until("OAuth is on", || async { list(&server, &token(20)).await.status == 200 }).await;
}

#[tokio::test]
async fn a_token_works_at_once_though_it_was_refused_before_it_was_issued() {
    let server = Server::start().await;
    for number in 20..25 {
        is_refused(&list(&server, &token(number)).await, "unknown");
        is_refused(&list(&server, &token(number)).await, "unknown");
        server.add_token(number, |_| {});
        assert_eq!(list(&server, &token(number)).await.status, 200);
    }
}

/// A sidecar behind a proxy, whose budgets for unknown credentials a flood has used up.
async fn flooded() -> Server {
    let server = Server::with(|config| {
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        config.mirror.unknown_per_second = 1;
        config.mirror.unknown_burst = 5;
        config.limits.failed_attempts = 1000.try_into().unwrap();
    })
    .await;
    assert_eq!(list_from(&server, "203.0.113.9", &key(1)).await.status, 200);
    drain(&server).await;
    server
}

/// Uses up the shared budget, which is refilled by one a second.
async fn drain(server: &Server) {
    for number in 100..1000_u32 {
        let address = format!("198.51.{}.{}", 100 + number / 250, number % 250);
        if list_from(server, &address, &token(number)).await.status == 429 {
            return;
        }
    }
    panic!("the budget has no end");
}

async fn list_from(server: &Server, address: &str, credential: &str) -> Answer {
    let list = server.modern_with(credential, "tools/list", Value::Null);
    server.ask(list.header("x-forwarded-for", address)).await
}

#[tokio::test]
async fn fresh_tokens_of_an_address_in_use_work_during_a_flood() {
    let server = flooded().await;
    // A client refreshes its token as often as it likes; each is looked up for the first time.
    for number in 20..40 {
        server.add_token(number, |_| {});
        assert_eq!(list_from(&server, "203.0.113.9", &token(number)).await.status, 200, "{number}");
    }
}

#[tokio::test]
async fn an_expired_token_is_refused_by_the_clock_and_a_revoked_one_by_the_wake_up() {
    let server = Server::with(|config| config.mirror.poll_ms = 60_000).await;
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(2500);
    server.add_token(20, |document| document["expires_at"] = json!(soon.to_string()));
    server.add_token(21, |_| {});
    for number in [20, 21] {
        assert_eq!(list(&server, &token(number)).await.status, 200);
    }
    let asked = server.odoo.count("authenticate");
    until("it has expired", || async { list(&server, &token(20)).await.status == 401 }).await;
    let late = jiff::Timestamp::now().duration_since(soon);
    assert!(late < jiff::SignedDuration::from_secs(1), "{late}");
    is_refused(&list(&server, &token(20)).await, "expired");
    assert_eq!(server.odoo.count("authenticate"), asked);

    server.odoo.revoke(21);
    let clicked = Instant::now();
    assert_eq!(server.wake_for(8, &[21]).await, 204);
    is_refused(&list(&server, &token(21)).await, "revoked");
    assert!(clicked.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn no_token_or_proof_is_audited() {
    let server = Server::start().await;
    server.add_token(20, |_| {});
    let call = json!({"name": "get_session", "arguments": {}});
    for number in [20, 99] {
        server.ask(server.modern_with(&token(number), "tools/call", call.clone())).await;
    }
    until("the call is audited", || async { !server.odoo.audit().is_empty() }).await;
    let log = json!(server.odoo.audit()).to_string();
    for secret in
        ["mcp_at_".to_owned(), Proof::of_text(&token(20)).to_hex(), Proof::of_text(&token(99)).to_hex()]
    {
        assert!(!log.contains(&secret), "{log}");
    }
}
