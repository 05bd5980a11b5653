//! The authorization endpoint: which requests begin a login, which errors go back to the client, and which are pages.

use reqwest::header::COOKIE;
use serde_json::{Value, json};

use crate::support::oauth::proof;
use crate::support::oauth_flow::{
    CHALLENGE, CLIENT, CONFIDENTIAL, ISSUER, LOOPBACK, Login, PRIVATE, REDIRECT, RESOURCE, encoded, param,
};
use crate::support::server::Answer;

fn location(answer: &Answer) -> &str {
    answer.header("location")
}

/// The error of a redirect to the client; state and issuer come with it.
fn redirected_error(answer: &Answer) -> String {
    let url = location(answer);
    assert_eq!(answer.status, 302, "{answer:?}");
    assert!(url.starts_with(&format!("{REDIRECT}?error=")), "{url}");
    assert_eq!(param(url, "state").as_deref(), Some("af0ifjsldkj"));
    assert_eq!(param(url, "iss").as_deref(), Some(ISSUER));
    assert!(param(url, "error_description").is_some_and(|text| !text.is_empty()));
    param(url, "error").unwrap()
}

fn assert_page(answer: &Answer, status: u16, contains: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!((answer.header("location"), answer.header("set-cookie")), ("", ""));
    assert_eq!(
        (answer.header("cache-control"), answer.header("referrer-policy")),
        ("no-store", "no-referrer")
    );
    assert!(!answer.text.contains("http-equiv") && answer.text.contains(contains), "{}", answer.text);
}

#[tokio::test]
async fn a_login_begins_in_odoo_and_is_bound_to_the_browser() {
    let login = Login::start().await;
    let begun = login.begin(&[]).await;
    assert!(
        begun.location.starts_with("https://odoo.example.com/mcp_sidecar/consent?request="),
        "{}",
        begun.location
    );
    assert!(begun.set_cookie.starts_with("__Host-mcp_oauth="));
    for attribute in ["; Path=/", "; Max-Age=600", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(begun.set_cookie.contains(attribute), "{attribute}: {}", begun.set_cookie);
    }
    let sent = login.server.odoo.requests("oauth_begin").pop().unwrap();
    assert_eq!(sent["request"], proof(&begun.handle).as_str());
    assert_eq!(sent["browser"], proof(begun.cookie.split_once('=').unwrap().1).as_str());
    for (member, expected) in [
        ("client_id", json!(CLIENT)),
        ("redirect_uri", json!(REDIRECT)),
        ("state", json!("af0ifjsldkj")),
        ("code_challenge", json!(CHALLENGE)),
        ("scope", json!(["mcp:read", "mcp:write"])),
        ("resource", json!(RESOURCE)),
        ("issuer", json!(ISSUER)),
        ("document", Value::Null),
    ] {
        assert_eq!(sent[member], expected, "{member}");
    }
}

#[tokio::test]
async fn parallel_logins_of_one_browser_share_its_cookie_and_a_malformed_one_is_replaced() {
    let login = Login::start().await;
    let first = login.begin(&[]).await;
    let query = encoded(&Login::authorize_params(&[]));
    let again = login.authorize_with(&query, Some(&format!("x=1; {}; y=2", first.cookie))).await;
    assert!(again.header("set-cookie").starts_with(&format!("{};", first.cookie)));
    let other = first.cookie.replace("oauth=", "oauth=x");
    let odd = [
        "__Host-mcp_oauth=short",
        "mcp_oauth=1",
        "__Host-mcp_oauth=\"'<>",
        &format!("{}; {other}", first.cookie),
    ];
    for cookie in odd {
        let answer = login.authorize_with(&query, Some(cookie)).await;
        assert_eq!(answer.status, 302);
    }
    let fresh = login.authorize_with(&query, Some("__Host-mcp_oauth=short")).await;
    assert!(!fresh.header("set-cookie").contains("=short"));
}

/// RFC 9700, section 4.11: a redirect needs a verified client and redirect URI.
#[tokio::test]
async fn an_unverified_client_or_redirect_uri_gets_a_page_and_no_redirect() {
    let login = Login::start().await;
    let unknown = "mcp_client_9999999999999999999999";
    for (change, contains) in [
        (vec![("client_id", Some(unknown))], "add it again"),
        (vec![("client_id", None)], "client_id"),
        (vec![("client_id", Some(""))], "client_id"),
        (vec![("redirect_uri", Some("https://claude.ai/other"))], "has registered"),
        (vec![("redirect_uri", Some("https://claude.ai/api/mcp/auth_callback/"))], "has registered"),
        (vec![("redirect_uri", Some("https://claude.ai/api/mcp/auth_callback?x=1"))], "has registered"),
        (vec![("redirect_uri", Some("https://claude.ai/api/mcp/auth_callback#x"))], "has registered"),
        (
            vec![("redirect_uri", Some("https://claude.ai@evil.example/api/mcp/auth_callback"))],
            "has registered",
        ),
        (
            vec![("redirect_uri", Some("https://claude.ai\\@evil.example/api/mcp/auth_callback"))],
            "has registered",
        ),
        (vec![("redirect_uri", Some("https://claude.ai/x/../api/mcp/auth_callback"))], "has registered"),
        (vec![("redirect_uri", Some("https://cl\u{430}ude.ai/api/mcp/auth_callback"))], "has registered"),
        (vec![("redirect_uri", Some("//evil.example"))], "has registered"),
        (vec![("redirect_uri", Some("javascript:alert(1)"))], "has registered"),
        (vec![("redirect_uri", Some("http://localhost/callback"))], "has registered"),
        (vec![("redirect_uri", Some("http://127.0.0.1/other"))], "has registered"),
        (vec![("redirect_uri", None)], "has registered"),
        // Other faults of the request change nothing about it.
        (vec![("client_id", Some(unknown)), ("response_type", Some("token"))], "add it again"),
        (vec![("redirect_uri", Some("https://evil.example")), ("code_challenge", None)], "has registered"),
    ] {
        assert_page(&login.authorize(&change).await, 400, contains);
    }
    login.records.archive(CLIENT);
    assert_page(&login.authorize(&[]).await, 400, "administrator");
    assert_eq!(login.server.odoo.count("oauth_begin"), 0);
}

#[tokio::test]
async fn errors_of_a_verified_client_go_back_to_it_with_state_and_issuer() {
    let login = Login::start().await;
    for (change, expected) in [
        (vec![("response_type", None)], "invalid_request"),
        (vec![("response_type", Some("token"))], "unsupported_response_type"),
        (vec![("response_type", Some("code id_token"))], "unsupported_response_type"),
        (vec![("response_mode", Some("fragment"))], "invalid_request"),
        (vec![("request", Some("eyJ"))], "request_not_supported"),
        (vec![("request_uri", Some("https://claude.ai/r"))], "request_uri_not_supported"),
        (vec![("resource", Some("https://other.example/odoo/mcp"))], "invalid_target"),
        // PKCE downgrade (O18).
        (vec![("code_challenge", None)], "invalid_request"),
        (vec![("code_challenge_method", None)], "invalid_request"),
        (vec![("code_challenge_method", Some("plain"))], "invalid_request"),
        (vec![("code_challenge_method", Some("s256"))], "invalid_request"),
        (vec![("code_challenge", Some("short"))], "invalid_request"),
        (vec![("code_challenge", Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"))], "invalid_request"),
        (vec![("code_challenge", Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM="))], "invalid_request"),
    ] {
        assert_eq!(redirected_error(&login.authorize(&change).await), expected, "{change:?}");
    }
    for name in ["response_type", "scope", "code_challenge", "code_challenge_method"] {
        let query = format!("{}&{name}=code", encoded(&Login::authorize_params(&[])));
        assert_eq!(redirected_error(&login.authorize_with(&query, None).await), "invalid_request", "{name}");
    }
    // A client of the confidential kind gets no way round PKCE.
    let confidential = login.authorize(&[("client_id", Some(CONFIDENTIAL)), ("code_challenge", None)]).await;
    assert_eq!(redirected_error(&confidential), "invalid_request");
    assert_eq!(login.server.odoo.count("oauth_begin"), 0);
}

#[tokio::test]
async fn a_doubled_parameter_is_refused_and_an_unknown_one_ignored() {
    let login = Login::start().await;
    let plain = encoded(&Login::authorize_params(&[]));
    for name in ["client_id", "redirect_uri"] {
        assert_page(&login.authorize_with(&format!("{plain}&{name}=x"), None).await, 400, name);
    }
    let doubled = login.authorize_with(&format!("{plain}&state=other"), None).await;
    assert_eq!(param(location(&doubled), "error").as_deref(), Some("invalid_request"));
    assert_eq!(param(location(&doubled), "state"), None);
    let odd = "&prompt=consent&login_hint=a%40b&nonce=1&nonce=2&access_type=offline&audience=x";
    assert_eq!(login.authorize_with(&format!("{plain}{odd}"), None).await.status, 302);
    assert_eq!(login.server.odoo.count("oauth_begin"), 1);
}

/// O02, O03, O19.
#[tokio::test]
async fn scope_and_resource_are_read_leniently() {
    let login = Login::start().await;
    let full = json!(["mcp:read", "mcp:write"]);
    for (scope, expected) in [
        (None, Value::Null),
        (Some(""), Value::Null),
        (Some("openid profile offline_access"), Value::Null),
        (Some("openid mcp:read"), json!(["mcp:read"])),
        (Some("mcp:write offline_access"), full.clone()),
    ] {
        login.begin(&[("scope", scope)]).await;
        assert_eq!(login.server.odoo.requests("oauth_begin").pop().unwrap()["scope"], expected, "{scope:?}");
    }
    let spellings =
        [None, Some("https://odoo.example.com/odoo/mcp/"), Some("https://ODOO.example.com/odoo/mcp")];
    for resource in spellings {
        login.begin(&[("resource", resource)]).await;
        assert_eq!(login.server.odoo.requests("oauth_begin").pop().unwrap()["resource"], RESOURCE);
    }
    let twice = format!("{}&resource={RESOURCE}/", encoded(&Login::authorize_params(&[])));
    assert_eq!(login.authorize_with(&twice, None).await.status, 302);
}

/// O06, O07.
#[tokio::test]
async fn applications_come_back_on_any_port_or_by_their_scheme() {
    let login = Login::start().await;
    for uri in [LOOPBACK, "http://127.0.0.1:33418/callback", PRIVATE] {
        login.begin(&[("redirect_uri", Some(uri))]).await;
        assert_eq!(login.server.odoo.requests("oauth_begin").pop().unwrap()["redirect_uri"], uri);
        let answer = login.authorize(&[("redirect_uri", Some(uri)), ("code_challenge", None)]).await;
        assert!(location(&answer).starts_with(&format!("{uri}?error=invalid_request")), "{answer:?}");
    }
    // The only registered one need not be named.
    login.begin(&[("client_id", Some(CONFIDENTIAL)), ("redirect_uri", None)]).await;
    assert_eq!(login.server.odoo.requests("oauth_begin").pop().unwrap()["redirect_uri"], REDIRECT);
}

#[tokio::test]
async fn a_form_begins_a_login_as_a_query_does() {
    let login = Login::start().await;
    let answer = login.post("/oauth/authorize", &Login::authorize_params(&[])).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert!(location(&answer).starts_with("https://odoo.example.com/mcp_sidecar/consent?request="));
    let json =
        login.http.post(login.url("/oauth/authorize")).header("content-type", "application/json").body("{}");
    assert_page(&login.server.ask(json).await, 400, "form");
    let head = login.http.head(format!(
        "{}?{}",
        login.url("/oauth/authorize"),
        encoded(&Login::authorize_params(&[]))
    ));
    assert_eq!(login.server.ask(head).await.status, 302);
    assert_eq!(login.server.odoo.count("oauth_begin"), 1);
}

#[tokio::test]
async fn a_long_state_of_odd_characters_is_kept_byte_for_byte() {
    let login = Login::start().await;
    let odd = "=&+ %25%00\"'<script>\\#?/\u{1f600}\u{e9}\n\t;,";
    for state in [odd.to_owned(), "x=&%".repeat(512), "s".repeat(4096)] {
        login.begin(&[("state", Some(&state))]).await;
        assert_eq!(login.server.odoo.requests("oauth_begin").pop().unwrap()["state"], state.as_str());
        let refused = login.authorize(&[("state", Some(&state)), ("response_type", None)]).await;
        assert_eq!(param(location(&refused), "state").as_deref(), Some(state.as_str()));
    }
    login.begin(&[("state", None)]).await;
    assert_eq!(login.server.odoo.requests("oauth_begin").pop().unwrap()["state"], Value::Null);
    let long = login.authorize(&[("state", Some(&"s".repeat(4097)))]).await;
    assert_eq!(param(location(&long), "error").as_deref(), Some("invalid_request"));
    let binary = format!("{}&x=%FF", encoded(&Login::authorize_params(&[])));
    assert_page(&login.authorize_with(&binary, None).await, 400, "UTF-8");
}

/// O31: the host of the request has no say in anything that is sent.
#[tokio::test]
async fn addresses_come_from_the_public_url_alone() {
    let login = Login::start().await;
    let query = encoded(&Login::authorize_params(&[]));
    let request = login
        .http
        .get(format!("{}?{query}", login.url("/oauth/authorize")))
        .header("x-forwarded-host", "evil.example")
        .header("x-forwarded-proto", "http")
        .header("forwarded", "host=evil.example;proto=http")
        .header(COOKIE, "a=b");
    let answer = login.server.ask(request).await;
    assert!(location(&answer).starts_with("https://odoo.example.com/"));
    assert_eq!(login.server.odoo.requests("oauth_begin").pop().unwrap()["issuer"], ISSUER);
    let foreign =
        login.http.get(format!("{}?{query}", login.url("/oauth/authorize"))).header("host", "evil.example");
    assert_eq!(login.server.ask(foreign).await.status, 403);
}

/// O10, O34.
#[tokio::test]
async fn a_page_says_when_login_is_not_possible() {
    let login = Login::start().await;
    login.server.odoo.settings(|settings| settings["enable_oauth"] = json!(false));
    crate::support::server::until("the setting is known", || async {
        login.authorize(&[]).await.status == 404
    })
    .await;
    assert_page(&login.authorize(&[]).await, 404, "API key");
    login.server.odoo.settings(|settings| {
        settings["enable_oauth"] = json!(true);
        settings["enabled"] = json!(false);
    });
    crate::support::server::until("the switch is off", || async { login.authorize(&[]).await.status == 503 })
        .await;
    let disabled = login.authorize(&[]).await;
    assert_page(&disabled, 503, "disabled by the administrator");
    assert_eq!(disabled.header("retry-after"), "30");
    login.server.odoo.settings(|settings| settings["enabled"] = json!(true));
    crate::support::server::until("the switch is on", || async { login.authorize(&[]).await.status == 302 })
        .await;
    login.server.odoo.refuse();
    let unreachable = login.authorize(&[]).await;
    assert_page(&unreachable, 503, "Odoo cannot be reached");
    assert_eq!(unreachable.header("retry-after"), "5");
}
