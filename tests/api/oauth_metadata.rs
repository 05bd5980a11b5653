//! Metadata documents: where they are, what they say, and that nothing of a request changes them.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::server::{Answer, Server, until};

const RESOURCE_PLACES: [&str; 2] =
    ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/odoo/mcp"];

/// O27: where clients look for the authorization server.
const SERVER_PLACES: [&str; 6] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-authorization-server/odoo/mcp",
    "/.well-known/openid-configuration",
    "/.well-known/openid-configuration/odoo/mcp",
    "/odoo/mcp/.well-known/oauth-authorization-server",
    "/odoo/mcp/.well-known/openid-configuration",
];

const U: &str = "https://odoo.example.com";

fn request(server: &Server, method: Method, path: &str) -> reqwest::RequestBuilder {
    server.http.request(method, server.url().replace("/odoo/mcp", path))
}

async fn get(server: &Server, path: &str) -> Answer {
    server.ask(request(server, Method::GET, path)).await
}

/// What every answer here has: JSON, for any page, without a cookie.
fn assert_public(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json", "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), "*", "{answer:?}");
    assert!(answer.header("set-cookie").is_empty() && answer.header("location").is_empty(), "{answer:?}");
}

/// O04, O28: `resource` is the URL that people type; issuer and `authorization_servers[0]` are the same text.
#[tokio::test]
async fn o04_o28_the_resource_names_itself_and_its_server() {
    let server = Server::start().await;
    for path in RESOURCE_PLACES {
        let answer = get(&server, path).await;
        assert_public(&answer, 200);
        assert_eq!(answer.header("cache-control"), "public, max-age=60");
        let document = answer.json();
        assert_eq!(document["resource"], format!("{U}/odoo/mcp"));
        assert_eq!(document["authorization_servers"], json!([U]));
        assert_eq!(document["scopes_supported"], json!(["mcp:read", "mcp:write"]));
        assert_eq!(document["bearer_methods_supported"], json!(["header"]));
        assert!(document["resource_name"].is_string());
        assert_eq!(get(&server, &format!("{path}/")).await.json(), document);
    }
    assert_eq!(get(&server, SERVER_PLACES[0]).await.json()["issuer"], U);
}

/// O18, O22, O27, O32: one document at six places, which promises what is served and nothing else.
#[tokio::test]
async fn o18_o27_the_same_server_document_is_at_all_six_places() {
    let server = Server::start().await;
    let first = get(&server, SERVER_PLACES[0]).await;
    for path in SERVER_PLACES {
        let answer = get(&server, path).await;
        assert_public(&answer, 200);
        assert_eq!(answer.text, first.text, "{path}");
    }
    assert_eq!(
        first.json(),
        json!({
            "issuer": U,
            "authorization_endpoint": "https://odoo.example.com/oauth/authorize",
            "token_endpoint": "https://odoo.example.com/oauth/token",
            "revocation_endpoint": "https://odoo.example.com/oauth/revoke",
            "introspection_endpoint": "https://odoo.example.com/oauth/introspect",
            "registration_endpoint": "https://odoo.example.com/oauth/register",
            "scopes_supported": ["mcp:read", "mcp:write", "offline_access"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
            "revocation_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": true,
        })
    );
}

/// O13: every other path answers JSON, and is no page of Odoo.
#[tokio::test]
async fn o13_what_is_not_there_is_json_too() {
    let server = Server::start().await;
    for path in [
        "/.well-known/",
        "/.well-known",
        "/.well-known/jwks.json",
        "/.well-known/oauth-protected-resource/odoo",
        "/.well-known/oauth-protected-resource/odoo/mcp/x",
        "/.well-known/oauth-protected-resource//odoo/mcp",
        "/.well-known/OAUTH-protected-resource",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration/x",
        "/odoo/mcp/.well-known/oauth-protected-resource",
        "/odoo/mcp/.well-known/x",
        "/odoo/mcp/.well-known",
    ] {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            let answer = server.ask(request(&server, method, path)).await;
            assert_public(&answer, 404);
            assert_eq!(answer.json()["error"], "not_found", "{path}");
            assert_eq!(answer.header("cache-control"), "no-store");
        }
    }
    for path in ["/oauth/", "/oauth/x", "/oauth/register/x"] {
        let answer = get(&server, path).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (404, "application/json"),
            "{path}: {answer:?}"
        );
        assert!(answer.json()["error"].is_string());
    }
}

/// O13, O24: HEAD and OPTIONS, for browser clients.
#[tokio::test]
async fn o24_methods_and_preflights_are_answered() {
    let server = Server::start().await;
    for path in RESOURCE_PLACES.into_iter().chain(SERVER_PLACES) {
        let whole = get(&server, path).await;
        let head = server.ask(request(&server, Method::HEAD, path)).await;
        assert_eq!((head.status, head.text.as_str()), (200, ""));
        assert_eq!(head.header("content-length"), whole.text.len().to_string());
        assert_eq!(head.header("content-type"), "application/json");
        let preflight = request(&server, Method::OPTIONS, path)
            .header("origin", "https://inspector.example")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "mcp-protocol-version");
        let answer = server.ask(preflight).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, "*"));
        assert_eq!(answer.header("access-control-allow-methods"), "GET, HEAD, OPTIONS");
        assert!(answer.header("access-control-allow-headers").contains("mcp-protocol-version"));
        let page =
            server.ask(request(&server, Method::GET, path).header("origin", "https://evil.example")).await;
        assert_public(&page, 200);
        assert!(page.header("access-control-allow-credentials").is_empty());
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let answer = server.ask(request(&server, method, path)).await;
            assert_public(&answer, 405);
            assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS");
        }
    }
}

/// O31: every URL comes from the configured public address, with its port, and from no header of a request.
#[tokio::test]
async fn o31_nothing_of_a_request_gets_into_a_document() {
    let server = Server::with(|config| config.server.public_url = format!("{U}:8443/")).await;
    let plain = get(&server, SERVER_PLACES[0]).await;
    assert_eq!(plain.json()["issuer"], "https://odoo.example.com:8443");
    assert_eq!(plain.json()["token_endpoint"], "https://odoo.example.com:8443/oauth/token");
    let resource = get(&server, RESOURCE_PLACES[1]).await.json();
    assert_eq!(resource["resource"], "https://odoo.example.com:8443/odoo/mcp");
    assert_eq!(resource["authorization_servers"][0], plain.json()["issuer"]);
    let claims = [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", "1"),
        ("x-forwarded-prefix", "/evil"),
        ("x-original-host", "evil.example"),
        ("forwarded", "host=evil.example;proto=http"),
        ("host", "localhost"),
        ("host", "odoo.example.com"),
    ];
    for (name, value) in claims {
        let answer = server.ask(request(&server, Method::GET, SERVER_PLACES[0]).header(name, value)).await;
        assert_eq!(answer.text, plain.text, "{name}");
    }
    let foreign = request(&server, Method::GET, SERVER_PLACES[0]).header("host", "evil.example");
    let answer = server.ask(foreign).await;
    assert_eq!((answer.status, answer.header("content-type")), (403, "application/json"));
    assert!(!answer.text.contains("issuer"));
}

/// O05, O14: what an administrator switches is promised, or not, from then on.
#[tokio::test]
async fn o05_o14_settings_are_followed() {
    let server = Server::start().await;
    let document = || async { get(&server, SERVER_PLACES[0]).await };
    assert!(document().await.json()["registration_endpoint"].is_string());
    server.odoo.settings(|settings| {
        settings["allow_dynamic_registration"] = json!(false);
        settings["offers_client_credentials"] = json!(true);
    });
    until("registration is off", || async { document().await.json().get("registration_endpoint").is_none() })
        .await;
    let grants = json!(["authorization_code", "refresh_token", "client_credentials"]);
    assert_eq!(document().await.json()["grant_types_supported"], grants);

    server.odoo.settings(|settings| settings["enable_oauth"] = json!(false));
    until("OAuth is off", || async { document().await.status == 404 }).await;
    for path in RESOURCE_PLACES.into_iter().chain(SERVER_PLACES) {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            let answer = server.ask(request(&server, method, path)).await;
            assert_public(&answer, 404);
        }
    }
    server.odoo.settings(|settings| settings["enable_oauth"] = json!(true));
    until("OAuth is on", || async { document().await.status == 200 }).await;
}

/// O34: from memory, also while the switch is off and with Odoo down, and before it ever answered.
#[tokio::test]
async fn o34_documents_are_fast_and_always_there() {
    let server = Server::start().await;
    let before = get(&server, SERVER_PLACES[0]).await.text;
    let calls = server.odoo.calls().len();
    server.odoo.settings(|settings| settings["enabled"] = json!(false));
    until("the switch is off", || async {
        server.ask(server.modern(1, "tools/list", Value::Null)).await.status == 503
    })
    .await;
    assert_eq!(get(&server, SERVER_PLACES[0]).await.text, before);
    server.odoo.refuse();
    let begun = Instant::now();
    for path in RESOURCE_PLACES.into_iter().chain(SERVER_PLACES).cycle().take(80) {
        assert_eq!(get(&server, path).await.status, 200);
    }
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(get(&server, SERVER_PLACES[0]).await.text, before);
    let asked = server.odoo.calls().split_off(calls);
    assert!(asked.iter().all(|call| !call.method.starts_with("oauth_")));

    let unready =
        Server::unready(|config| config.odoo.url = "http://127.0.0.1:9".into(), |handler| handler).await;
    let document = get(&unready, SERVER_PLACES[0]).await;
    assert_public(&document, 200);
    assert!(document.json().get("registration_endpoint").is_none());
    assert!(document.json().get("client_id_metadata_document_supported").is_none());
}
