//! Address rules of a connection, through the whole server.

use odoo_mcp_sidecar::config::Config;
use serde_json::{Value, json};

use crate::support::fake_odoo::Reply;
use crate::support::server::{Answer, Server, until};

fn rules(server: &Server, connection: i64, allowed: &[&str], blocked: &[&str]) {
    server.odoo.change(connection, |document| {
        document["allowed_ips"] = json!(allowed);
        document["blocked_ips"] = json!(blocked);
    });
}

async fn list(server: &Server, number: u32, forwarded: &[&str]) -> Answer {
    let mut request = server.modern(number, "tools/list", Value::Null);
    for value in forwarded {
        request = request.header("x-forwarded-for", *value);
    }
    server.ask(request).await
}

fn behind_a_proxy(config: &mut Config) {
    config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
}

#[tokio::test]
async fn both_families_are_judged_behind_a_trusted_proxy() {
    let server = Server::with(behind_a_proxy).await;
    rules(&server, 1, &["203.0.113.0/24", "2001:db8:1::/48"], &["203.0.113.66/32", "2001:db8:1:bad::/64"]);
    for (address, status) in [
        ("203.0.113.9", 200),
        ("::ffff:203.0.113.9", 200),
        ("2001:db8:1::9", 200),
        ("203.0.113.66", 403),
        ("::ffff:203.0.113.66", 403),
        ("[2001:db8:1:bad::9]:4711", 403),
        ("198.51.100.1", 403),
        ("2001:db8:2::1", 403),
    ] {
        let answer = list(&server, 1, &[address]).await;
        assert_eq!(answer.status, status, "{address}: {answer:?}");
        if status == 403 {
            assert_eq!((answer.code(), answer.reason().as_str()), (1004, "address_refused"));
            assert_eq!(answer.json()["id"], 1);
        }
        // Others have rules of their own.
        assert_eq!(list(&server, 2, &[address]).await.status, 200);
    }
}

#[tokio::test]
async fn spoofed_headers_are_ignored() {
    // Nobody is trusted: what a caller says of itself counts for nothing.
    let server = Server::start().await;
    rules(&server, 1, &["203.0.113.9/32", "2001:db8::9/128"], &[]);
    for claim in ["203.0.113.9", "2001:db8::9", "[2001:db8::9]:80", "::ffff:203.0.113.9"] {
        assert_eq!(list(&server, 1, &[claim]).await.status, 403, "{claim}");
    }
    // Behind a proxy, what stands before its own word is the caller's.
    let server = Server::with(behind_a_proxy).await;
    rules(&server, 1, &["203.0.113.9/32", "2001:db8::9/128"], &[]);
    for (seen, claim) in [("198.51.100.1", "203.0.113.9"), ("2001:db8::bad", "2001:db8::9")] {
        assert_eq!(list(&server, 1, &[&format!("{claim}, {seen}")]).await.status, 403);
        assert_eq!(list(&server, 1, &[claim, seen]).await.status, 403);
        assert_eq!(list(&server, 1, &[&format!("{seen}, {claim}")]).await.status, 200);
    }
}

#[tokio::test]
async fn an_ipv6_socket_is_judged_too() {
    let server = Server::with(|config| config.server.listen = "[::1]:0".parse().unwrap()).await;
    rules(&server, 1, &["127.0.0.0/8"], &[]);
    rules(&server, 2, &["::1/128"], &[]);
    assert_eq!(list(&server, 1, &["127.0.0.1"]).await.status, 403);
    assert_eq!(list(&server, 2, &["203.0.113.9"]).await.status, 200);
}

#[tokio::test]
async fn a_changed_rule_counts_at_once_and_ends_streams() {
    let server = Server::start().await;
    let session = server.session(1).await;
    let stream = server.stream(1, &session).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    rules(&server, 1, &[], &["127.0.0.0/8"]);
    until("the address is refused", || async { list(&server, 1, &[]).await.status == 403 }).await;
    let _ = stream.bytes().await;
    assert_eq!(server.ask(server.stream(1, &session)).await.status, 403);
    rules(&server, 1, &[], &[]);
    until("the address is let in", || async { list(&server, 1, &[]).await.status == 200 }).await;
}

#[tokio::test]
async fn the_word_of_odoo_counts_for_that_address_only() {
    let server = Server::with(behind_a_proxy).await;
    let document = json!({
        "connection": {"id": 1, "name": "x", "kind": "api_key", "scope": "full", "rate_limit_minute": 0,
                       "rate_limit_day": 0, "blocked_ips": ["203.0.113.66/32"]},
        "user": {"id": 2, "login": "admin", "name": "Admin", "lang": null, "tz": null},
        "schema_key": "k", "expires_at": null,
    });
    server.odoo.on("authenticate", move |request| {
        if request["ip"] == "203.0.113.66" {
            return Reply::fault("address_denied", json!({}));
        }
        Reply::Answer(document.clone())
    });
    for _ in 0..20 {
        let answer = list(&server, 1, &["::ffff:203.0.113.66"]).await;
        assert_eq!((answer.status, answer.code()), (403, 1004));
    }
    // It is remembered, and is not held against the credential elsewhere.
    assert_eq!(server.odoo.count("authenticate"), 1);
    let (blocked, free) =
        tokio::join!(list(&server, 2, &["203.0.113.66"]), list(&server, 2, &["203.0.113.9"]));
    assert_eq!((blocked.status, free.status), (403, 200));
    assert_eq!(list(&server, 1, &["203.0.113.9"]).await.status, 200);
}

#[tokio::test]
async fn a_call_that_odoo_refuses_says_so() {
    let server = Server::start().await;
    server.odoo.on("execute", |_| Reply::fault("address_denied", json!({})));
    let arguments = json!({"name": "search_read", "arguments": {"model": "res.partner"}});
    let answer = server.ask(server.modern(1, "tools/call", arguments)).await;
    let result = &answer.json()["result"];
    assert_eq!(result["isError"], true);
    assert!(result["content"][0]["text"].as_str().unwrap().contains("this address"), "{answer:?}");
}
