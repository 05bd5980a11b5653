//! The 401 of `/odoo/mcp`: what comes before it, what after, and where its challenge leads.

use odoo_mcp_sidecar::vocab::Proof;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::server::{Answer, Server, credential, key, modern_body, token, until};

const SCOPES: &str = "scope=\"mcp:read mcp:write\"";

/// The metadata document of a resource under this origin, as a challenge names it.
fn metadata(origin: &str) -> String {
    format!("resource_metadata=\"{origin}/.well-known/oauth-protected-resource/odoo/mcp\"")
}

/// A 401 that leads to the metadata under this origin; an error is named only where something was sent.
#[track_caller]
fn leads_to(answer: &Answer, origin: &str, sent: bool) {
    assert_eq!(answer.status, 401, "{answer:?}");
    let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(challenges.len(), 1, "{answer:?}");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("Bearer "), "{challenge}");
    assert!(challenge.ends_with(&format!("{SCOPES}, {}", metadata(origin))), "{challenge}");
    assert_eq!(challenge.contains("error=\"invalid_token\""), sent, "{challenge}");
    assert_eq!(challenge.contains("error"), sent, "{challenge}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
}

#[track_caller]
fn is_challenged(answer: &Answer, sent: bool) {
    leads_to(answer, "https://odoo.example.com", sent);
}

/// Requests that an admitted client would be refused for, and some that it would not.
fn odd_requests(server: &Server) -> Vec<(String, reqwest::RequestBuilder)> {
    let methods = ["GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "TRACE", "PURGE"];
    let methods = methods.map(|name| {
        let method = Method::from_bytes(name.as_bytes()).unwrap();
        (name.to_owned(), server.http.request(method, server.url()))
    });
    let list = modern_body("tools/list", Value::Null).to_string();
    let bodies = [
        ("no type", None, list.clone()),
        ("wrong type", Some("text/plain"), list.clone()),
        ("a form", Some("application/x-www-form-urlencoded"), "a=b".to_owned()),
        ("no JSON", Some("application/json"), "{".to_owned()),
        ("empty", Some("application/json"), String::new()),
        ("a batch", Some("application/json"), format!("[{list}]")),
        ("no message", Some("application/json"), "5".to_owned()),
        ("too large", Some("application/json"), " ".repeat(8 << 20)),
        (
            "initialize",
            Some("application/json"),
            json!({"jsonrpc": "2.0", "id": 1, "method": "initialize"}).to_string(),
        ),
        ("discover", Some("application/json"), modern_body("server/discover", json!({})).to_string()),
    ];
    let bodies = bodies.map(|(name, kind, body)| {
        let request = server.http.post(server.url()).body(body);
        (
            name.to_owned(),
            match kind {
                Some(kind) => request.header("content-type", kind),
                None => request,
            },
        )
    });
    let headers = [
        ("accept", "text/html"),
        ("accept", "image/png"),
        ("content-encoding", "gzip"),
        ("mcp-protocol-version", "1999-01-01"),
        ("mcp-session-id", "no-such-session"),
        ("mcp-method", "tools/call"),
    ];
    let headers = headers.map(|(name, value)| {
        let request = server.http.post(server.url()).header("content-type", "application/json");
        (format!("{name}: {value}"), request.header(name, value).body(list.clone()))
    });
    methods.into_iter().chain(bodies).chain(headers).collect()
}

#[tokio::test]
async fn every_request_without_a_credential_is_challenged() {
    let server = Server::start().await;
    for (_name, request) in odd_requests(&server) {
        is_challenged(&server.ask(request).await, false);
    }
    // Also where the path has the slash that clients add.
    is_challenged(&server.ask(server.http.get(format!("{}/", server.url()))).await, false);
    assert_eq!(server.odoo.count("authenticate"), 0);
}

#[tokio::test]
async fn every_request_with_a_dead_credential_is_challenged() {
    let server = Server::with(|config| config.limits.failed_attempts = 1000.try_into().unwrap()).await;
    let expired = json!("2020-01-01T00:00:00Z");
    server.add_token(21, |document| document["expires_at"] = expired);
    server.add_token(22, |document| document["audience"] = json!("https://other.example.com/odoo/mcp"));
    server.add_token(23, |document| document["revoked"] = json!(true));
    for (dead, reason) in [
        (key(99), "unknown"),
        (token(21), "expired"),
        (token(22), "audience"),
        (token(23), "revoked"),
        (credential("mcp_rt_", 1), "malformed_credential"),
        ("mcp_ak_typo".to_owned(), "malformed_credential"),
    ] {
        for (name, request) in odd_requests(&server) {
            let answer = server.ask(request.bearer_auth(&dead)).await;
            is_challenged(&answer, true);
            if name != "HEAD" {
                assert_eq!((answer.code(), answer.reason().as_str()), (1003, reason));
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_key_is_called_a_key_and_a_wrong_token_a_token() {
    let server = Server::start().await;
    server.odoo.add_key(&Proof::of_text(&key(50)).to_hex(), 50, "full");
    server.odoo.add_key(&Proof::of_text(&key(51)).to_hex(), 51, "full");
    server.odoo.revoke(50);
    server.odoo.set_key(
        &Proof::of_text(&key(51)).to_hex(),
        json!({
            "connection": {"id": 51, "name": "x", "kind": "api_key", "scope": "full"}, "schema_key": "k",
            "user": {"id": 2, "login": "admin", "name": "Admin", "lang": null, "tz": null},
            "expires_at": "2020-01-01T00:00:00Z",
        }),
    );
    let said = async |credential: &str| {
        let answer = server.ask(server.modern_with(credential, "tools/list", Value::Null)).await;
        is_challenged(&answer, true);
        answer.json()["error"]["message"].as_str().unwrap().to_owned()
    };
    for wrong in [key(99), key(50), key(51), "mcp_ak_typo".to_owned(), "sk-something".to_owned()] {
        let message = said(&wrong).await;
        assert!(message.contains("API key"), "{wrong}: {message}");
    }
    let message = said(&token(99)).await;
    assert!(message.contains("access token") && !message.contains("key"), "{message}");
}

#[tokio::test]
async fn what_comes_before_the_challenge() {
    let server = Server::with(|config| config.limits.failed_attempts = 2.try_into().unwrap()).await;
    let answer = server.ask(server.http.put(server.url()).header("host", "evil.example.com")).await;
    assert_eq!((answer.status, answer.reason().as_str()), (403, "host_refused"));
    let answer = server.ask(server.http.put(server.url()).header("origin", "https://evil.example.com")).await;
    assert_eq!((answer.status, answer.reason().as_str()), (403, "origin_refused"));
    // A gate that failed attempts have closed, for what fails again.
    for status in [401, 401, 401, 429] {
        let answer = server.ask(server.http.put(server.url()).bearer_auth("mcp_ak_typo")).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("www-authenticate").is_empty(), status == 429);
    }
    is_challenged(&server.ask(server.http.put(server.url())).await, false);
    server.odoo.settings(|settings| settings["enabled"] = json!(false));
    until("the switch is off", || async { server.ask(server.http.put(server.url())).await.status == 503 })
        .await;
    for (name, request) in odd_requests(&server) {
        let answer = server.ask(request).await;
        assert_eq!(answer.status, 503, "{name}");
        assert!(answer.header("www-authenticate").is_empty());
    }
}

#[tokio::test]
async fn what_comes_after_the_challenge() {
    let server = Server::start().await;
    let list = modern_body("tools/list", Value::Null).to_string();
    let post = || server.http.post(server.url()).bearer_auth(key(1));
    for (request, status) in [
        (server.http.put(server.url()).bearer_auth(key(1)), 405),
        (server.http.head(server.url()).bearer_auth(key(1)), 405),
        (post().body(list.clone()), 415),
        (post().header("content-type", "application/json").body(" ".repeat(8 << 20)), 413),
        (post().header("content-type", "application/json").body("{"), 400),
        (server.http.get(server.url()).bearer_auth(key(1)).header("accept", "text/html"), 400),
    ] {
        let answer = server.ask(request).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.header("www-authenticate").is_empty());
    }
    // A preflight has no credential and needs none.
    let options = server.http.request(Method::OPTIONS, server.url());
    assert_eq!(server.ask(options).await.status, 204);
}

#[tokio::test]
async fn the_address_comes_from_the_configuration_alone() {
    for (public_url, origin) in [
        ("https://odoo.example.com:8443", "https://odoo.example.com:8443"),
        ("https://odoo.example.com/", "https://odoo.example.com"),
        ("http://localhost:8765", "http://localhost:8765"),
    ] {
        let server = Server::with(|config| {
            config.server.public_url = public_url.to_owned();
            config.server.allowed_hosts = vec!["internal.example.com".to_owned()];
            config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        })
        .await;
        leads_to(&server.ask(server.http.get(server.url())).await, origin, false);
        let forged = server
            .http
            .get(server.url())
            .header("host", "internal.example.com")
            .header("x-forwarded-host", "evil.example.com")
            .header("x-forwarded-proto", "http")
            .header("x-forwarded-port", "81")
            .header("forwarded", "host=evil.example.com;proto=http");
        leads_to(&server.ask(forged).await, origin, false);
    }
}

#[tokio::test]
async fn without_oauth_nothing_leads_to_a_sign_in() {
    let server = Server::start().await;
    server.odoo.settings(|settings| settings["enable_oauth"] = json!(false));
    let bare = || async { server.ask(server.http.get(server.url())).await };
    until("OAuth is off", || async {
        !bare().await.header("www-authenticate").contains("resource_metadata")
    })
    .await;
    assert_eq!(bare().await.header("www-authenticate"), "Bearer realm=\"odoo\"");
    let answer = server.ask(server.modern(99, "tools/list", Value::Null)).await;
    let challenge = answer.header("www-authenticate");
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    assert!(!challenge.contains("resource_metadata") && !challenge.contains("scope"), "{challenge}");
    // Keys go on, and on again means on again.
    assert_eq!(server.ask(server.modern(1, "tools/list", Value::Null)).await.status, 200);
    server.odoo.settings(|settings| settings["enable_oauth"] = json!(true));
    until("OAuth is on", || async { bare().await.header("www-authenticate").contains("resource_metadata") })
        .await;
}
