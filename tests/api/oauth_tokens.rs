//! The token endpoint, revocation and introspection, and a whole login driven by the `oauth2` crate as a client.

use oauth2::basic::{BasicClient, BasicErrorResponseType};
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, PkceCodeChallenge, RedirectUrl,
    RefreshToken, RequestTokenError, RevocationUrl, Scope, StandardRevocableToken, TokenResponse, TokenUrl,
};
use serde_json::json;

use crate::support::fake_odoo::{Reply, Trouble};
use crate::support::oauth_flow::{
    CLIENT, CONFIDENTIAL, Login, OTHER_CLIENT, REDIRECT, RESOURCE, SECRET, VERIFIER, changed, param,
};
use crate::support::server::{Answer, until};

fn error(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), "application/json", "{answer:?}");
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    let json = answer.json();
    assert!(json["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{json}");
    assert!(json.as_object().unwrap().values().all(|value| !value.is_null()));
    (answer.status, json["error"].as_str().unwrap().to_owned())
}

fn fails(answer: &Answer, status: u16, code: &str) {
    assert_eq!(error(answer), (status, code.to_owned()), "{answer:?}");
}

/// O16: numbers are numbers, nothing is null, the scope is there.
#[tokio::test]
async fn a_code_becomes_a_pair_of_tokens() {
    let login = Login::start().await;
    let answer = login.exchange(&login.code(&[]).await, &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    let json = answer.json();
    let members: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["access_token", "token_type", "expires_in", "refresh_token", "scope"]);
    assert_eq!((json["token_type"].as_str(), json["expires_in"].as_u64()), (Some("Bearer"), Some(3600)));
    assert_eq!(json["scope"], "mcp:read mcp:write");
    assert!(json["access_token"].as_str().unwrap().starts_with("mcp_at_"));
    assert!(json["refresh_token"].as_str().unwrap().starts_with("mcp_rt_"));
    assert!(login.records.is_alive(json["access_token"].as_str().unwrap()));
    let sent = login.server.odoo.requests("oauth_token").pop().unwrap();
    assert_eq!((sent["resource"].as_str(), sent["redirect_uri"].as_str()), (Some(RESOURCE), Some(REDIRECT)));
}

/// RFC 6749, section 4.1.2: a replay costs the tokens of the first exchange.
#[tokio::test]
async fn a_code_is_used_once() {
    let login = Login::start().await;
    let code = login.code(&[]).await;
    let tokens = login.exchange(&code, &[]).await.json();
    fails(&login.exchange(&code, &[]).await, 400, "invalid_grant");
    for token in ["access_token", "refresh_token"] {
        assert!(!login.records.is_alive(tokens[token].as_str().unwrap()));
    }
    fails(&login.refresh(tokens["refresh_token"].as_str().unwrap(), &[]).await, 400, "invalid_grant");
}

/// Code injection: a stolen code is worth nothing to another client, redirect URI or verifier.
#[tokio::test]
async fn a_code_is_for_its_client_redirect_uri_and_verifier() {
    let login = Login::start().await;
    let code = login.code(&[]).await;
    let (other, long) = ("0".repeat(43), format!("https://claude.ai/{}", "x".repeat(2000)));
    for (change, expected) in [
        (vec![("client_id", Some(OTHER_CLIENT))], "invalid_grant"),
        (vec![("redirect_uri", Some("https://claude.ai/other"))], "invalid_grant"),
        (vec![("redirect_uri", Some(long.as_str()))], "invalid_grant"),
        (vec![("code_verifier", None)], "invalid_grant"),
        (vec![("code_verifier", Some(other.as_str()))], "invalid_grant"),
        (vec![("code_verifier", Some("short"))], "invalid_request"),
        (vec![("code_verifier", Some(&"é".repeat(50)))], "invalid_request"),
        (vec![("resource", Some("https://other.example/odoo/mcp"))], "invalid_target"),
        (vec![("code", None)], "invalid_request"),
        (vec![("code", Some("mcp_ac_made_up"))], "invalid_grant"),
    ] {
        fails(&login.exchange(&code, &change).await, 400, expected);
    }
    fails(&login.exchange(&code, &[("client_id", Some("mcp_client_none"))]).await, 401, "invalid_client");
    let lenient = [("resource", Some("https://ODOO.example.com/odoo/mcp/")), ("unknown", Some("x"))];
    assert_eq!(login.exchange(&code, &lenient).await.status, 200);
}

/// O09: parallel retries of one refresh token give one valid pair.
#[tokio::test]
async fn parallel_refreshes_get_the_same_pair() {
    let login = Login::start().await;
    let first = login.tokens().await["refresh_token"].as_str().unwrap().to_owned();
    let attempts = (0..10).map(|_| login.refresh(&first, &[]));
    let answers = futures_util::future::join_all(attempts).await;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json(), answers[0].json());
    }
    let next = answers[0].json()["refresh_token"].as_str().unwrap().to_owned();
    assert_ne!(next, first);
    assert_eq!(login.refresh(&next, &[]).await.status, 200);
    // Once its successor was used, the old one is a replay.
    fails(&login.refresh(&first, &[]).await, 400, "invalid_grant");
    assert!(!login.records.is_alive(&next));
}

#[tokio::test]
async fn without_grace_a_second_refresh_is_a_replay() {
    let login = Login::start().await;
    login.records.set_grace(false);
    let first = login.tokens().await["refresh_token"].as_str().unwrap().to_owned();
    let next = login.refresh(&first, &[]).await.json();
    fails(&login.refresh(&first, &[]).await, 400, "invalid_grant");
    fails(&login.refresh(next["refresh_token"].as_str().unwrap(), &[]).await, 400, "invalid_grant");
}

/// O19, O32.
#[tokio::test]
async fn a_refresh_may_ask_for_less_and_names_the_resource_or_not() {
    let login = Login::start().await;
    let token = login.tokens().await["refresh_token"].as_str().unwrap().to_owned();
    let asked = [("scope", Some("mcp:read offline_access")), ("resource", Some(RESOURCE))];
    assert_eq!(login.refresh(&token, &asked).await.json()["scope"], "mcp:read");
    let sent = login.server.odoo.requests("oauth_refresh").pop().unwrap();
    assert_eq!((&sent["scope"], sent["resource"].as_str()), (&json!(["mcp:read"]), Some(RESOURCE)));
    fails(
        &login.refresh(&token, &[("resource", Some("https://other.example"))]).await,
        400,
        "invalid_target",
    );
    login.refresh(&token, &[("scope", Some("openid"))]).await;
    let sent = login.server.odoo.requests("oauth_refresh").pop().unwrap();
    assert!(sent["scope"].is_null() && sent["resource"].is_null());
    fails(&login.refresh(&token, &[("client_id", Some(OTHER_CLIENT))]).await, 400, "invalid_grant");
    fails(&login.refresh(&token, &[("refresh_token", None)]).await, 400, "invalid_request");
    let access = login.tokens().await["access_token"].as_str().unwrap().to_owned();
    fails(&login.refresh(&access, &[]).await, 400, "invalid_grant");
}

/// Tokens of a previous public URL are refreshed until they expire.
#[tokio::test]
async fn the_resource_of_a_previous_public_url_can_be_refreshed() {
    let login = Login::start().await;
    let token = login.tokens().await["refresh_token"].as_str().unwrap().to_owned();
    let old = [("resource", Some("https://old.example.com/odoo/mcp"))];
    fails(&login.refresh(&token, &old).await, 400, "invalid_target");
    login
        .server
        .odoo
        .settings(|settings| settings["previous_public_urls"] = json!(["https://old.example.com"]));
    until("the setting is known", || async { login.refresh(&token, &old).await.status == 200 }).await;
    let sent = login.server.odoo.requests("oauth_refresh").pop().unwrap();
    assert_eq!(sent["resource"], "https://old.example.com/odoo/mcp");
    let authorized = login.authorize(&old).await;
    assert_eq!(param(authorized.header("location"), "error").as_deref(), Some("invalid_target"));
}

/// O11: Basic with its form encoding, or the form; a secret of a public client does no harm.
#[tokio::test]
async fn clients_authenticate_by_basic_or_form() {
    let login = Login::start().await;
    let change = [("client_id", Some(CONFIDENTIAL))];
    let secret = "mcp_cs_secret%20of+the+client%3A+100%25%2B";
    let code = login.code(&change).await;
    let form = |change: &[(&str, Option<&str>)]| {
        let defaults =
            [("grant_type", "authorization_code"), ("code", code.as_str()), ("code_verifier", VERIFIER)];
        changed(&defaults, change)
    };
    let basic = |form: &[(String, String)], id: &str, secret: &str| {
        login.form("/oauth/token", form).basic_auth(id, Some(secret))
    };
    // Refused, without harm to the code.
    let wrong = login.server.ask(basic(&form(&[]), CONFIDENTIAL, "wrong")).await;
    fails(&wrong, 401, "invalid_client");
    assert!(wrong.header("www-authenticate").starts_with("Basic realm="));
    let wrong = login
        .post("/oauth/token", &form(&[("client_id", Some(CONFIDENTIAL)), ("client_secret", Some("x"))]))
        .await;
    fails(&wrong, 401, "invalid_client");
    assert_eq!(wrong.header("www-authenticate"), "");
    fails(&login.post("/oauth/token", &form(&change)).await, 401, "invalid_client");
    fails(&login.post("/oauth/token", &form(&[])).await, 401, "invalid_client");
    let twice = form(&[("client_secret", Some(SECRET))]);
    fails(&login.server.ask(basic(&twice, CONFIDENTIAL, secret)).await, 400, "invalid_request");
    let differ = form(&[("client_id", Some(CLIENT))]);
    fails(&login.server.ask(basic(&differ, CONFIDENTIAL, secret)).await, 400, "invalid_request");
    let malformed = login.form("/oauth/token", &form(&[])).header("authorization", "Basic !!!");
    fails(&login.server.ask(malformed).await, 401, "invalid_client");
    let answer = login.server.ask(basic(&form(&[]), CONFIDENTIAL, secret)).await;
    assert_eq!(answer.status, 200, "{answer:?}");

    let code = login.code(&change).await;
    let posted = [("client_id", Some(CONFIDENTIAL)), ("client_secret", Some(SECRET))];
    assert_eq!(login.exchange(&code, &posted).await.status, 200);
    let code = login.code(&[]).await;
    assert_eq!(login.exchange(&code, &[("client_secret", Some("unasked"))]).await.status, 200);
}

#[tokio::test]
async fn failed_secrets_make_their_client_wait() {
    let login = Login::start().await;
    let wrong = [("client_id", Some(CONFIDENTIAL)), ("client_secret", Some("wrong"))];
    for _ in 0..11 {
        fails(&login.refresh("mcp_rt_x", &wrong).await, 401, "invalid_client");
    }
    let before = login.server.odoo.count("oauth_refresh");
    let refused = login.refresh("mcp_rt_x", &wrong).await;
    fails(&refused, 429, "temporarily_unavailable");
    assert!((1..=6).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    assert_eq!(login.server.odoo.count("oauth_refresh"), before);
    assert_eq!(login.tokens().await["token_type"], "Bearer");
}

/// O23: a script is led to API keys, where no client has the grant.
#[tokio::test]
async fn client_credentials_are_for_clients_made_for_it() {
    let login = Login::start().await;
    let defaults =
        [("grant_type", "client_credentials"), ("client_id", CONFIDENTIAL), ("client_secret", SECRET)];
    let ask = |change: Vec<(&'static str, Option<&'static str>)>| {
        let form = changed(&defaults, &change);
        let login = &login;
        async move { login.post("/oauth/token", &form).await }
    };
    let refused = ask(vec![]).await;
    fails(&refused, 400, "unsupported_grant_type");
    assert!(refused.text.contains("API key"));
    for grant in ["password", "urn:ietf:params:oauth:grant-type:device_code"] {
        fails(&ask(vec![("grant_type", Some(grant))]).await, 400, "unsupported_grant_type");
    }
    fails(&ask(vec![("grant_type", None)]).await, 400, "invalid_request");
    login.server.odoo.settings(|settings| settings["offers_client_credentials"] = json!(true));
    until("the setting is known", || async { ask(vec![]).await.status == 200 }).await;
    let (one, other) = (ask(vec![]).await.json(), ask(vec![]).await.json());
    assert!(one["refresh_token"].is_null() && one["access_token"] != other["access_token"]);
    fails(&ask(vec![("client_secret", None)]).await, 401, "invalid_client");
}

/// O34: neither Odoo's absence nor the switch makes a client drop its tokens.
#[tokio::test]
async fn what_is_temporary_is_never_an_invalid_grant() {
    let login = Login::start().await;
    let token = login.tokens().await["refresh_token"].as_str().unwrap().to_owned();
    for trouble in [Trouble::Http(503), Trouble::CutMidAnswer, Trouble::Body("<html>".to_owned())] {
        login.server.odoo.set_fault(Some("oauth_refresh"), trouble, 1);
        let answer = login.refresh(&token, &[]).await;
        fails(&answer, 503, "temporarily_unavailable");
        assert!(!answer.header("retry-after").is_empty());
    }
    login.server.odoo.on("oauth_refresh", |_| Reply::fault("disabled", json!({})));
    let disabled = login.refresh(&token, &[]).await;
    fails(&disabled, 503, "temporarily_unavailable");
    assert_eq!(disabled.header("retry-after"), "30");
    login
        .server
        .odoo
        .on("oauth_refresh", |_| Reply::Raised { code: 1, text: "Traceback: secret".to_owned() });
    let failed = login.refresh(&token, &[]).await;
    fails(&failed, 503, "temporarily_unavailable");
    assert!(!failed.text.contains("Traceback"));
    login.server.odoo.refuse();
    fails(&login.refresh(&token, &[]).await, 503, "temporarily_unavailable");
}

/// A lost answer is not asked for again: Odoo would take the second request for a replay.
#[tokio::test]
async fn an_exchange_is_sent_once() {
    let login = Login::start().await;
    let code = login.code(&[]).await;
    login.server.odoo.set_fault(Some("oauth_token"), Trouble::HangUp, 1);
    fails(&login.exchange(&code, &[]).await, 503, "temporarily_unavailable");
    assert_eq!(login.server.odoo.count("oauth_token"), 1);
}

/// O25.
#[tokio::test]
async fn revocation_answers_200_for_any_token() {
    let login = Login::start().await;
    let tokens = login.tokens().await;
    let (access, refresh) =
        (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    let revoke = |token: &str, client: &str| {
        let form = changed(&[("token", token), ("client_id", client)], &[]);
        let login = &login;
        async move { login.post("/oauth/revoke", &form).await }
    };
    for token in ["x", "mcp_rt_made_up", &"y".repeat(5000)] {
        let answer = revoke(token, CLIENT).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
        assert_eq!(
            (answer.header("content-type"), answer.header("cache-control")),
            ("application/json", "no-store")
        );
    }
    assert_eq!(revoke(refresh, OTHER_CLIENT).await.status, 200);
    assert!(login.records.is_alive(refresh));
    assert_eq!(revoke(refresh, CLIENT).await.status, 200);
    assert!(!login.records.is_alive(refresh) && !login.records.is_alive(access));
    assert_eq!(revoke(refresh, CLIENT).await.status, 200);
    fails(&revoke(refresh, "mcp_client_none").await, 401, "invalid_client");
    fails(
        &login.post("/oauth/revoke", &changed(&[("client_id", CLIENT)], &[])).await,
        400,
        "invalid_request",
    );
}

#[tokio::test]
async fn introspection_is_for_confidential_clients() {
    let login = Login::start().await;
    let change = [("client_id", Some(CONFIDENTIAL)), ("client_secret", Some(SECRET))];
    let code = login.code(&[change[0]]).await;
    let token = login.exchange(&code, &change).await.json()["access_token"].as_str().unwrap().to_owned();
    let inspect = |change: Vec<(&'static str, Option<&'static str>)>| {
        let defaults = [("client_id", CONFIDENTIAL), ("client_secret", SECRET), ("token", token.as_str())];
        let form = changed(&defaults, &change);
        let login = &login;
        async move { login.post("/oauth/introspect", &form).await }
    };
    let json = inspect(vec![]).await.json();
    assert_eq!((json["active"].as_bool(), json["exp"].as_u64()), (Some(true), Some(2_000_000_000)));
    assert_eq!((json["scope"].as_str(), json["aud"].as_str()), (Some("mcp:read mcp:write"), Some(RESOURCE)));
    assert_eq!((&json["iss"], &json["token_type"]), (&json!("https://odoo.example.com"), &json!("Bearer")));
    assert_eq!(inspect(vec![("token", Some("x"))]).await.text, r#"{"active":false}"#);
    fails(&inspect(vec![("client_id", Some(CLIENT)), ("client_secret", None)]).await, 401, "invalid_client");
    fails(&inspect(vec![("client_secret", Some("wrong"))]).await, 401, "invalid_client");
}

/// A client of its own kind: the crate builds each request and reads each answer.
#[tokio::test]
async fn the_oauth2_crate_logs_in_refreshes_and_revokes() {
    let login = Login::start().await;
    let http = |request: oauth2::HttpRequest| {
        let client = login.http.clone();
        async move {
            let (parts, body) = request.into_parts();
            let sent = client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
            let answer = sent.send().await?;
            let mut response = http::Response::new(Vec::new());
            *response.status_mut() = answer.status();
            *response.headers_mut() = answer.headers().clone();
            *response.body_mut() = answer.bytes().await?.to_vec();
            Ok::<_, reqwest::Error>(response)
        }
    };
    let client = BasicClient::new(ClientId::new(CONFIDENTIAL.to_owned()))
        .set_client_secret(ClientSecret::new(SECRET.to_owned()))
        .set_auth_uri(AuthUrl::new(login.url("/oauth/authorize")).unwrap())
        .set_token_uri(TokenUrl::new(login.url("/oauth/token")).unwrap())
        .set_revocation_url(RevocationUrl::new("https://odoo.example.com/oauth/revoke".to_owned()).unwrap())
        .set_redirect_uri(RedirectUrl::new(REDIRECT.to_owned()).unwrap());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state) = client
        .authorize_url(CsrfToken::new_random)
        .add_scope(Scope::new("mcp:write".to_owned()))
        .add_extra_param("resource", RESOURCE)
        .set_pkce_challenge(challenge)
        .url();
    let begun = login.authorize_with(url.query().unwrap(), None).await;
    let handle = param(begun.header("location"), "request").unwrap();
    let cookie = begun.header("set-cookie").split(';').next().unwrap().to_owned();
    let approval = login.records.decide(&handle, true, "full");
    let page = login.resume(&handle, Some(&approval), Some(&cookie)).await;
    let callback = crate::support::oauth_flow::refresh_target(&page.text).unwrap();
    assert_eq!(param(&callback, "state").as_ref(), Some(state.secret()));
    let code = AuthorizationCode::new(param(&callback, "code").unwrap());
    let tokens = client.exchange_code(code).set_pkce_verifier(verifier).request_async(&http).await.unwrap();
    assert_eq!(tokens.expires_in().unwrap().as_secs(), 3600);
    let scopes: Vec<_> = tokens.scopes().unwrap().iter().map(|scope| scope.as_str()).collect();
    assert_eq!(scopes, ["mcp:read", "mcp:write"]);
    let refresh = tokens.refresh_token().unwrap();
    let next = client.exchange_refresh_token(refresh).request_async(&http).await.unwrap();
    assert_ne!(next.access_token().secret(), tokens.access_token().secret());
    let refused =
        client.exchange_refresh_token(&RefreshToken::new("x".to_owned())).request_async(&http).await;
    let Err(RequestTokenError::ServerResponse(refused)) = refused else { panic!("{refused:?}") };
    assert_eq!(*refused.error(), BasicErrorResponseType::InvalidGrant);
    // The crate revokes at https only; the request is the same.
    let token = StandardRevocableToken::RefreshToken(next.refresh_token().unwrap().clone());
    let local = |request: oauth2::HttpRequest| {
        let (mut parts, body) = request.into_parts();
        parts.uri = login.url("/oauth/revoke").parse().unwrap();
        http(http::Request::from_parts(parts, body))
    };
    client.revoke_token(token).unwrap().request_async(&local).await.unwrap();
    assert!(!login.records.is_alive(next.refresh_token().unwrap().secret()));
}
