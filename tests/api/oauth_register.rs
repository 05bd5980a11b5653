//! Dynamic client registration over HTTP.

use odoo_mcp_sidecar::vocab::Proof;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::fake_odoo::Reply;
use crate::support::server::{Answer, Server, until};

/// A sidecar whose Odoo registers clients.
async fn server() -> Server {
    let server =
        Server::with(|config| config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    server.odoo.on("oauth_register", |_| json!({"registered": {"issued_at": 1_795_440_600}}));
    server
}

fn post(server: &Server, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
    let url = server.url().replace("/odoo/mcp", "/oauth/register");
    server.http.post(url).header("content-type", "application/json").body(body)
}

async fn register(server: &Server, document: &Value) -> Answer {
    server.ask(post(server, document.to_string())).await
}

fn refused(answer: &Answer, status: u16, error: &str) -> String {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(
        (answer.header("content-type"), answer.header("cache-control")),
        ("application/json", "no-store")
    );
    assert!(answer.header("location").is_empty() && answer.header("set-cookie").is_empty());
    assert_eq!(answer.json()["error"], error, "{answer:?}");
    answer.json()["error_description"].as_str().unwrap().to_owned()
}

/// O02, O06, O17: Cursor's registration, with all its oddities.
#[tokio::test]
async fn o06_o17_a_public_client_gets_what_was_kept() {
    let server = server().await;
    let uris = json!([
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback",
        "javascript:alert(1)"
    ]);
    let answer = register(
        &server,
        &json!({
            "client_name": "Cursor\u{202e}", "redirect_uris": uris, "application_type": "web", "software_id": "cursor",
            "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
            "response_types": ["code"], "token_endpoint_auth_method": "none", "client_uri": "https://cursor.com",
            "logo_uri": "https://cursor.com/x.png", "contacts": ["a@b"], "unknown": {"x": null},
        }),
    )
    .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(
        (answer.header("content-type"), answer.header("cache-control")),
        ("application/json", "no-store")
    );
    let document = answer.json();
    let id = document["client_id"].as_str().unwrap();
    assert!(id.strip_prefix("mcp_client_").is_some_and(|rest| rest.len() == 22), "{id}");
    assert_eq!(
        document,
        json!({
            "client_id": id, "client_id_issued_at": 1_795_440_600, "client_name": "Cursor",
            "redirect_uris": [uris[0], uris[1], uris[2]], "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"], "token_endpoint_auth_method": "none", "scope": "mcp:read mcp:write",
            "client_uri": "https://cursor.com", "software_id": "cursor",
        })
    );
    let stored = server.odoo.requests("oauth_register").pop().unwrap();
    assert_eq!(
        stored,
        json!({
            "client_id": id, "name": "Cursor", "redirect_uris": document["redirect_uris"], "auth_method": "none",
            "secret": null, "grant_types": document["grant_types"], "client_uri": "https://cursor.com",
            "software_id": "cursor", "ip": "127.0.0.1",
        })
    );
}

#[tokio::test]
async fn a_confidential_client_gets_a_secret_of_which_odoo_sees_the_proof() {
    let server = server().await;
    let uris = json!(["https://claude.ai/api/mcp/auth_callback"]);
    for (method, kept) in [
        (json!("client_secret_post"), "client_secret_post"),
        (json!("client_secret_basic"), "client_secret_basic"),
        (Value::Null, "client_secret_basic"),
    ] {
        let metadata = json!({"redirect_uris": uris, "token_endpoint_auth_method": method});
        let document = register(&server, &metadata).await.json();
        assert_eq!(
            (&document["token_endpoint_auth_method"], &document["client_secret_expires_at"]),
            (&json!(kept), &json!(0))
        );
        let secret = document["client_secret"].as_str().unwrap();
        assert!(secret.starts_with("mcp_cs_") && secret.len() == 56);
        let stored = server.odoo.requests("oauth_register").pop().unwrap();
        assert_eq!(stored["secret"], Proof::of_text(secret).to_hex());
        assert!(!server.odoo.calls().iter().any(|call| call.body.contains(secret)));
    }
    // What is not served becomes public, and the answer says so.
    let document =
        register(&server, &json!({"redirect_uris": uris, "token_endpoint_auth_method": "private_key_jwt"}))
            .await
            .json();
    assert_eq!(document["token_endpoint_auth_method"], "none");
    assert!(document.get("client_secret").is_none() && document.get("client_secret_expires_at").is_none());
}

/// O02: the scope may be missing, and is in the answer all the same.
#[tokio::test]
async fn o02_the_scope_follows_the_setting_where_none_is_asked_for() {
    let server = server().await;
    let scope = |scope: Value| {
        let server = &server;
        async move {
            let document = json!({"redirect_uris": ["https://a.example/cb"], "scope": scope});
            register(server, &document).await.json()["scope"].clone()
        }
    };
    assert_eq!(scope(Value::Null).await, "mcp:read mcp:write");
    assert_eq!(scope(json!("openid profile")).await, "mcp:read mcp:write");
    assert_eq!(scope(json!("mcp:read")).await, "mcp:read");
    server.odoo.settings(|settings| settings["oauth_default_scope"] = json!("read_only"));
    until("the default is read-only", || async { scope(Value::Null).await == "mcp:read" }).await;
    assert_eq!(scope(json!("mcp:write")).await, "mcp:read mcp:write");
}

/// O13, O17: every error is JSON with status 400.
#[tokio::test]
async fn o17_malformed_registrations_are_400_in_json() {
    let server = server().await;
    for body in ["", "{", "[]", "null", "redirect_uris=x", "\u{feff}", "<html>"] {
        refused(&server.ask(post(&server, body)).await, 400, "invalid_client_metadata");
    }
    let nested = "[".repeat(50_000);
    refused(&server.ask(post(&server, nested)).await, 400, "invalid_client_metadata");
    let large = json!({"redirect_uris": ["https://a.example/cb"], "x": "y".repeat(70_000)});
    let answer = register(&server, &large).await;
    assert_eq!((answer.status, answer.header("content-type")), (413, "application/json"), "{answer:?}");
    let answer = register(
        &server,
        &json!({"redirect_uris": ["https://a.example/cb#x", "data:x", "http://evil.example/"]}),
    )
    .await;
    let text = refused(&answer, 400, "invalid_redirect_uri");
    for part in
        ["https://a.example/cb#x", "fragment", "data:x", "scheme", "http://evil.example/", "use https"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    refused(&register(&server, &json!({})).await, 400, "invalid_redirect_uri");
    assert_eq!(server.odoo.count("oauth_register"), 0);
}

/// O05: Allow Dynamic Client Registration is off.
#[tokio::test]
async fn o05_switched_off_it_says_what_to_do() {
    let server = server().await;
    let metadata = json!({"redirect_uris": ["https://a.example/cb"]});
    server.odoo.settings(|settings| settings["allow_dynamic_registration"] = json!(false));
    until("it is off", || async { register(&server, &metadata).await.status == 403 }).await;
    let text = refused(&register(&server, &metadata).await, 403, "access_denied");
    assert!(text.contains("switched off") && text.contains("administrator"), "{text}");
    // Odoo decides, also where this sidecar has not polled the change yet.
    server.odoo.settings(|settings| settings["allow_dynamic_registration"] = json!(true));
    server.odoo.on("oauth_register", |_| {
        json!({"refused": {"error": "access_denied", "reason": "registration_disabled", "description": "It is off.",
            "connection": null, "user": null}})
    });
    let before = server.odoo.count("oauth_register");
    until("Odoo is asked", || async {
        register(&server, &metadata).await;
        server.odoo.count("oauth_register") > before
    })
    .await;
    assert_eq!(refused(&register(&server, &metadata).await, 403, "access_denied"), "It is off.");
}

/// O34: nothing that a client would take for final while the server is switched off or Odoo is away.
#[tokio::test]
async fn o34_unavailable_is_503_with_a_time_to_wait() {
    let server = server().await;
    let metadata = json!({"redirect_uris": ["https://a.example/cb"]});
    server.odoo.on("oauth_register", |_| Reply::fault("disabled", json!({})));
    let answer = register(&server, &metadata).await;
    refused(&answer, 503, "temporarily_unavailable");
    assert!(!answer.header("retry-after").is_empty());
    server.odoo.refuse();
    let answer = register(&server, &metadata).await;
    refused(&answer, 503, "temporarily_unavailable");
    assert!(!answer.header("retry-after").is_empty());
}

/// O08: hosts start several instances at once; a flood is stopped before it reaches Odoo.
#[tokio::test]
async fn o08_several_at_once_work_and_a_flood_does_not() {
    let server = server().await;
    let metadata = json!({"redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "none"});
    let from = |address: &str| {
        let request = post(&server, metadata.to_string()).header("x-forwarded-for", address.to_owned());
        server.ask(request)
    };
    let answers = futures_util::future::join_all((0..10).map(|_| from("203.0.113.1"))).await;
    let ids: std::collections::HashSet<_> =
        answers.iter().map(|answer| answer.json()["client_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 10);
    let mut flood = 0;
    for _ in 0..40 {
        let answer = from("203.0.113.1").await;
        if answer.status == 429 {
            refused(&answer, 429, "temporarily_unavailable");
            assert!((1..=10).contains(&answer.header("retry-after").parse::<u32>().unwrap()));
            flood += 1;
        }
    }
    assert!(flood >= 28, "{flood}");
    assert_eq!(server.odoo.count("oauth_register"), 50 - flood);
    assert_eq!(from("203.0.113.2").await.status, 201);
    // All addresses together are bounded as well.
    let mut overall = 0;
    for number in 0..80_u8 {
        overall += usize::from(from(&format!("198.51.100.{number}")).await.status == 429);
    }
    assert!(overall > 20, "{overall}");
}

/// O24: browser clients register too.
#[tokio::test]
async fn o24_a_page_of_any_origin_may_register() {
    let server = server().await;
    let url = server.url().replace("/odoo/mcp", "/oauth/register");
    let preflight = server
        .http
        .request(Method::OPTIONS, &url)
        .header("origin", "https://inspector.example")
        .header("access-control-request-method", "POST");
    let answer = server.ask(preflight).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, "*"));
    assert!(answer.header("access-control-allow-headers").contains("content-type"));
    let metadata = json!({"redirect_uris": ["https://a.example/cb"]}).to_string();
    let answer = server.ask(post(&server, metadata).header("origin", "https://inspector.example")).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (201, "*"));
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = server.ask(server.http.request(method, &url)).await;
        assert_eq!((answer.status, answer.header("content-type")), (405, "application/json"));
    }
}

#[tokio::test]
async fn without_oauth_there_is_no_registration() {
    let server = server().await;
    server.odoo.settings(|settings| settings["enable_oauth"] = json!(false));
    let metadata = json!({"redirect_uris": ["https://a.example/cb"]});
    until("OAuth is off", || async { register(&server, &metadata).await.status == 404 }).await;
    assert_eq!(register(&server, &metadata).await.header("content-type"), "application/json");
}
