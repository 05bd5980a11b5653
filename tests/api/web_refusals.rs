//! Every refusal of the table: status, headers, body.

use std::time::Duration;

use odoo_mcp_sidecar::vocab::Proof;
use serde_json::{Value, json};

use crate::support::fake_odoo::{FakeOdoo, Reply, Trouble};
use crate::support::server::{Answer, LEGACY, MODERN, Server, initialize, key, modern_body, request, until};

/// What every refusal has in common.
fn is_refusal(answer: &Answer, status: u16, code: i64, reason: &str, id: Value) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json", "{answer:?}");
    let body = answer.json();
    assert_eq!(body["jsonrpc"], "2.0");
    assert_eq!(body["id"], id, "{answer:?}");
    assert_eq!(answer.code(), code, "{answer:?}");
    assert_eq!(answer.reason(), reason, "{answer:?}");
    assert!(body.get("result").is_none());
    assert!(answer.header("access-control-expose-headers").contains("WWW-Authenticate"));
    assert_eq!(answer.header("retry-after").is_empty(), !matches!(status, 429 | 503), "{answer:?}");
}

fn list() -> Value {
    json!({"jsonrpc": "2.0", "id": "abc", "method": "tools/list"})
}

#[tokio::test]
async fn a_switched_off_server_says_so_and_asks_for_no_credential() {
    let server = Server::start().await;
    server.odoo.settings(|settings| settings["enabled"] = json!(false));
    until("the switch is off", || async { server.ask(server.post(1, &list())).await.status == 503 }).await;
    for request in [
        server.post(1, &list()),
        server.post(99, &list()),
        server.http.post(server.url()).body(list().to_string()),
    ] {
        let answer = server.ask(request).await;
        is_refusal(&answer, 503, 1001, "disabled", json!("abc"));
        assert_eq!(answer.json()["error"]["message"], "MCP server is disabled by the administrator");
        assert!(answer.header("www-authenticate").is_empty());
    }
    // Off is a decision, not a failure.
    assert_eq!(server.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn off_is_refused_in_the_very_request_that_learns_of_it() {
    let server = Server::with(|config| config.mirror.poll_ms = 60_000).await;
    server.odoo.on("authenticate", |_| Reply::fault("disabled", json!({})));
    let answer = server.ask(server.post(1, &list())).await;
    is_refusal(&answer, 503, 1001, "disabled", json!("abc"));
}

#[tokio::test]
async fn unknown_settings_close_the_door() {
    let server =
        Server::unready(|config| config.odoo.url = "http://127.0.0.1:9".into(), |handler| handler).await;
    let answer = server.ask(server.post(1, &list())).await;
    is_refusal(&answer, 503, 1002, "settings_unknown", json!("abc"));
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["reason"], "no_hello");
    assert_eq!(ready.json()["trouble"], "Odoo cannot be reached");
    assert_eq!(server.get("/healthz").await.status, 200);
}

/// A sidecar before this Odoo tells in `readyz` what keeps it from being ready.
async fn is_told_of(odoo: FakeOdoo, trouble: &str) {
    let url = odoo.url();
    let server = Server::unready(|config| config.odoo.url = url, |handler| handler).await;
    until(trouble, || async { server.get("/readyz").await.json()["trouble"] == trouble }).await;
}

#[tokio::test]
async fn what_is_not_odoo_is_called_so() {
    let odoo = FakeOdoo::start().await;
    odoo.set_fault(Some("hello"), Trouble::Http(404), 1_000);
    is_told_of(odoo, "the address of Odoo in the settings answers with HTTP status 404, as Odoo would not")
        .await;
}

#[tokio::test]
async fn a_refused_service_account_is_called_so() {
    let odoo = FakeOdoo::start().await;
    odoo.set_uid(0);
    is_told_of(odoo, "Odoo refused the service account of the sidecar").await;
}

#[tokio::test]
async fn parameters_that_are_none_of_the_method_are_named() {
    let server = Server::start().await;
    let session = server.session(1).await;
    for cursor in [json!("abc"), json!(5)] {
        let params = json!({"cursor": cursor});
        for asked in [
            server.modern(1, "tools/list", params.clone()),
            server.in_session(1, &session, &request("tools/list", params.clone())),
        ] {
            let answer = server.ask(asked).await;
            assert_eq!((answer.status, answer.code()), (400, -32602), "{answer:?}");
        }
    }
    for lacking in ["protocolVersion", "capabilities", "clientInfo"] {
        let mut opening = initialize(LEGACY);
        opening["params"].as_object_mut().unwrap().remove(lacking);
        let answer = server.ask(server.post(1, &opening)).await;
        assert_eq!((answer.status, answer.code()), (400, -32602), "{answer:?}");
        assert!(answer.text.contains(&format!("missing field `{lacking}`")), "{answer:?}");
    }
    let answer = server.ask(server.post(1, &request("server/discover", json!({})))).await;
    assert_eq!((answer.status, answer.code()), (400, -32602), "{answer:?}");
}

#[tokio::test]
async fn null_is_no_id_and_no_way_past_the_limits() {
    let server = Server::start().await;
    server.ask(server.modern(1, "tools/list", Value::Null)).await;
    let mut nameless = modern_body("tools/list", Value::Null);
    nameless["id"] = Value::Null;
    let asked = server.modern(1, "tools/list", Value::Null).body(nameless.to_string());
    is_refusal(&server.ask(asked).await, 400, -32600, "invalid_request", Value::Null);
}

#[tokio::test]
async fn what_no_tree_can_hold_is_named() {
    let server = Server::start().await;
    for (odd, cause) in [
        (r#""\ud83d""#.to_owned(), "hex escape"),
        ("1e400".to_owned(), "number out of range"),
        (format!("{}{}", "[".repeat(200), "]".repeat(200)), "recursion limit"),
    ] {
        // In the arguments it would be a tool's answer: clients_odd.rs.
        let body = modern_body("tools/call", json!({"name": "get_session", "odd": "ODD", "arguments": {}}));
        let body = body.to_string().replace("\"ODD\"", &odd);
        let asked = server.modern(1, "tools/call", json!({"name": "get_session"})).body(body);
        let answer = server.ask(asked).await;
        is_refusal(&answer, 400, -32600, "invalid_request", json!(1));
        assert!(answer.text.contains(cause), "{answer:?}");
    }
    assert_eq!(server.odoo.count("execute"), 0);
}

#[tokio::test]
async fn a_version_is_named_once() {
    let server = Server::start().await;
    let twice = |other| server.modern(1, "tools/list", Value::Null).header("mcp-protocol-version", other);
    let answer = server.ask(twice(LEGACY)).await;
    is_refusal(&answer, 400, -32600, "invalid_request", json!(1));
    assert_eq!(server.ask(twice(MODERN)).await.status, 200);
}

#[tokio::test]
async fn a_credential_that_cannot_be_checked_is_no_wrong_one() {
    let server = Server::with(|config| config.odoo.connect_timeout_ms = 200).await;
    server.odoo.refuse();
    let answer = server.ask(server.post(1, &list())).await;
    is_refusal(&answer, 503, 1002, "odoo_unreachable", json!("abc"));
}

#[tokio::test]
async fn without_a_credential_the_challenge_names_no_error() {
    let server = Server::start().await;
    let bare = server.http.post(server.url()).body(list().to_string());
    let answer = server.ask(bare).await;
    is_refusal(&answer, 401, 1003, "no_credential", json!("abc"));
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.starts_with("Bearer realm=\"odoo\", scope=") && !challenge.contains("error"),
        "{challenge}"
    );

    for method in [reqwest::Method::GET, reqwest::Method::DELETE] {
        let answer = server.ask(server.http.request(method, server.url())).await;
        is_refusal(&answer, 401, 1003, "no_credential", Value::Null);
    }
    // In the query string it is no credential, whatever it is called.
    let url = format!("{}?access_token={}&api_key={}", server.url(), key(1), key(1));
    let answer = server.ask(server.http.post(url).body(list().to_string())).await;
    is_refusal(&answer, 401, 1003, "no_credential", json!("abc"));
    assert_eq!(server.odoo.count("authenticate"), 0);
}

#[tokio::test]
async fn a_wrong_credential_is_challenged_as_such() {
    let server = Server::start().await;
    server.odoo.add_key(&Proof::of_text(&key(50)).to_hex(), 50, "full");
    server.odoo.revoke(50);
    server.odoo.on("authenticate", |request| {
        let expired = request["proof"] == Proof::of_text(&key(60)).to_hex().as_str();
        let reason = if expired { "expired" } else { "unknown" };
        Reply::fault("unauthenticated", json!({"reason": reason}))
    });
    for (number, reason) in [(60, "expired"), (61, "unknown")] {
        let answer = server.ask(server.post(number, &list())).await;
        is_refusal(&answer, 401, 1003, reason, json!("abc"));
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with("Bearer realm=\"odoo\", error=\"invalid_token\""), "{challenge}");
    }
    let asked = server.odoo.count("authenticate");
    for wrong in ["Bearer mcp_ak_typo", "Basic dXNlcjpwYXNz", "Bearer"] {
        let bad = server.http.post(server.url()).header("authorization", wrong).body(list().to_string());
        let answer = server.ask(bad).await;
        is_refusal(&answer, 401, 1003, "malformed_credential", json!("abc"));
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""));
    }
    // A typing error costs Odoo nothing.
    assert_eq!(server.odoo.count("authenticate"), asked);
}

#[tokio::test]
async fn requests_beyond_the_limit_in_flight_are_told_which_one() {
    let (server, bell) = Server::waiting(|config| {
        config.limits.in_flight_per_connection = 2;
        config.limits.in_flight = 3;
    })
    .await;
    let mut calls = Vec::new();
    for number in [1, 1, 2] {
        calls.push(tokio::spawn(server.wait_call(number).send()));
    }
    until("three calls wait", || async { bell.waiting() == 3 }).await;
    let answer = server.ask(server.modern(2, "tools/list", Value::Null)).await;
    is_refusal(&answer, 429, 1006, "limit_reached", json!(1));
    assert_eq!(answer.json()["error"]["data"]["limit"], "in_flight");
    bell.ring();
    until("one is done", || async { bell.waiting() == 2 }).await;
    until("its place is free", || async {
        server.ask(server.modern(3, "tools/list", Value::Null)).await.status == 200
    })
    .await;
    (0..2).for_each(|_| bell.ring());
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_connection_has_its_own_limit_in_flight() {
    let (server, bell) = Server::waiting(|config| config.limits.in_flight_per_connection = 1).await;
    let call = tokio::spawn(server.wait_call(1).send());
    until("the call waits", || async { bell.waiting() == 1 }).await;
    let answer = server.ask(server.modern(1, "tools/list", Value::Null)).await;
    is_refusal(&answer, 429, 1006, "limit_reached", json!(1));
    assert_eq!(answer.json()["error"]["data"]["limit"], "in_flight_per_connection");
    // Not counted: a session's notifications and pings, and other connections.
    assert_eq!(server.ask(server.modern(2, "tools/list", Value::Null)).await.status, 200);
    bell.ring();
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_legacy_client_that_leaves_keeps_its_place_until_the_call_is_done() {
    let (server, bell) = Server::waiting(|config| config.limits.in_flight_per_connection = 1).await;
    let session = server.session(1).await;
    let body = request("tools/call", json!({"name": "wait", "arguments": {}}));
    let answer = server.in_session(1, &session, &body).send().await.unwrap();
    until("the call waits", || async { bell.waiting() == 1 }).await;
    drop(answer);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.ask(server.modern(1, "tools/list", Value::Null)).await.status, 429);
    bell.ring();
    until("the place is free", || async {
        server.ask(server.modern(1, "tools/list", Value::Null)).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn what_is_no_message_is_refused() {
    let server = Server::start().await;
    let post = |body: &str| {
        let request = server.http.post(server.url()).bearer_auth(key(1)).header("accept", "application/json");
        request.header("content-type", "application/json; charset=utf-8").body(body.to_owned())
    };
    is_refusal(&server.ask(post("{")).await, 400, -32700, "parse_error", Value::Null);
    is_refusal(&server.ask(post("")).await, 400, -32700, "parse_error", Value::Null);
    let batch = server.ask(post(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#)).await;
    is_refusal(&batch, 400, -32600, "batch", Value::Null);
    let old = server.ask(post(r#"{"jsonrpc":"1.0","id":5,"method":"ping"}"#)).await;
    is_refusal(&old, 400, -32600, "invalid_request", json!(5));
    let typed = server.http.post(server.url()).bearer_auth(key(1)).header("content-type", "text/plain");
    is_refusal(&server.ask(typed.body("{}")).await, 415, -32600, "media_type", Value::Null);
    let untyped = server.http.post(server.url()).bearer_auth(key(1)).body("{}");
    is_refusal(&server.ask(untyped).await, 415, -32600, "media_type", Value::Null);
}

#[tokio::test]
async fn only_the_exact_path_and_known_methods_are_served() {
    let server = Server::start().await;
    let base = server.url().replace("/odoo/mcp", "");
    for path in ["/", "/odoo/mcp//", "/odoo", "/odoo/mcp/x", "/readyz", "/healthz", "/wake", "/odoo//mcp"] {
        let answer = server.ask(server.http.post(format!("{base}{path}")).bearer_auth(key(1))).await;
        assert_eq!((answer.status, answer.reason().as_str()), (404, "path_not_found"), "{path}");
    }
    for method in ["PUT", "PATCH", "HEAD", "TRACE", "PURGE"] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let answer = server.ask(server.http.request(method.clone(), server.url()).bearer_auth(key(1))).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), "POST, GET, DELETE, OPTIONS");
    }
}

#[tokio::test]
async fn mcp_errors_follow_their_era() {
    let server = Server::start().await;
    let call = json!({"name": "no_such_tool", "arguments": {}});
    let modern = server.ask(server.modern(1, "tools/call", call.clone())).await;
    assert_eq!((modern.status, modern.code()), (200, -32602));
    assert_eq!(modern.json()["error"]["message"], "Unknown tool: \"no_such_tool\"");
    let malformed = server.ask(server.modern(1, "tools/call", json!({"name": "x", "arguments": 5}))).await;
    assert_eq!((malformed.status, malformed.code()), (200, -32602), "{malformed:?}");
    for method in
        ["prompts/list", "resources/list", "resources/templates/list", "no/such", "subscriptions/listen"]
    {
        let answer = server.ask(server.modern(1, method, json!({"notifications": {}}))).await;
        assert_eq!((answer.status, answer.code()), (404, -32601), "{method} {answer:?}");
    }
    let session = server.session(1).await;
    let legacy = server.ask(server.in_session(1, &session, &request("tools/call", call))).await;
    assert_eq!((legacy.status, legacy.code()), (200, -32602));
    let unknown =
        server.ask(server.in_session(1, &session, &request("prompts/get", json!({"name": "a"})))).await;
    assert_eq!((unknown.status, unknown.code()), (200, -32601));
    let ping = server.ask(server.in_session(1, &session, &request("ping", json!({})))).await;
    assert_eq!(ping.json()["result"], json!({}));
}

#[tokio::test]
async fn versions_and_headers_are_checked() {
    let server = Server::start().await;
    // Modern: header and body must agree, and a revision must be known.
    let mismatch =
        server.ask(server.modern(1, "tools/list", Value::Null).header("mcp-method", "tools/call")).await;
    assert_eq!(mismatch.status, 400, "{mismatch:?}");
    let body = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/list", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2031-01-01",
        "io.modelcontextprotocol/clientCapabilities": {}}}});
    let future =
        server.post(1, &body).header("mcp-protocol-version", "2031-01-01").header("mcp-method", "tools/list");
    let answer = server.ask(future).await;
    assert_eq!((answer.status, answer.code()), (400, -32022), "{answer:?}");
    assert_eq!(
        answer.json()["error"]["data"]["supported"],
        json!(["2025-06-18", "2025-11-25", "2026-07-28"])
    );
    assert_eq!(answer.json()["id"], 3);
    // Legacy: a revision that is not served.
    let session = server.session(1).await;
    for version in ["2025-03-26", "2024-11-05", "1999-01-01"] {
        let old = server
            .post(1, &list())
            .header("mcp-session-id", &session)
            .header("mcp-protocol-version", version);
        is_refusal(&server.ask(old).await, 400, -32600, "invalid_request", json!("abc"));
    }
}
