//! The endpoints over HTTP: methods, media types, CORS, bounds, aliases, and what the logs record.

use reqwest::Method;
use serde_json::json;

use crate::support::oauth_flow::{CLIENT, Login, changed, encoded};
use crate::support::server::{Answer, until};

const JSON_ENDPOINTS: [&str; 4] = ["/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/register"];

async fn send(login: &Login, method: Method, path: &str) -> Answer {
    login
        .server
        .ask(login.http.request(method, login.url(path)).header("origin", "http://localhost:6274"))
        .await
}

/// O13: JSON for every malformed request, and no redirect.
#[tokio::test]
async fn a_wrong_method_or_path_is_answered_in_json() {
    let login = Login::start().await;
    for path in JSON_ENDPOINTS {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = send(&login, method, path).await;
            assert_eq!((answer.status, answer.header("allow")), (405, "POST, OPTIONS"), "{path}");
            assert_eq!(answer.json()["error"], "invalid_request");
        }
        assert_eq!(send(&login, Method::HEAD, path).await.status, 405);
    }
    for path in ["/oauth", "/oauth/", "/oauth/x", "/oauth/token/x", "/oauth/TOKEN", "/oauth//token"] {
        for method in [Method::GET, Method::POST] {
            let answer = send(&login, method, path).await;
            assert_eq!((answer.status, answer.header("content-type")), (404, "application/json"), "{path}");
        }
    }
    let page = login.server.ask(login.http.delete(login.url("/oauth/resume"))).await;
    assert_eq!((page.status, page.header("allow")), (405, "GET, HEAD, OPTIONS"));
    assert_eq!(login.post("/oauth/token/", &changed(&[], &[])).await.status, 400);
}

/// O24: pages of any origin, without cookies.
#[tokio::test]
async fn browser_clients_may_call_the_json_endpoints_only() {
    let login = Login::start().await;
    for path in JSON_ENDPOINTS {
        let preflight = send(&login, Method::OPTIONS, path).await;
        assert_eq!(preflight.status, 204);
        assert_eq!(preflight.header("access-control-allow-origin"), "*");
        assert_eq!(preflight.header("access-control-allow-credentials"), "");
        for header in ["authorization", "content-type", "mcp-protocol-version"] {
            assert!(preflight.header("access-control-allow-headers").contains(header), "{header}");
        }
        let answer = send(&login, Method::POST, path).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}: {answer:?}");
        assert!(answer.header("access-control-expose-headers").contains("WWW-Authenticate"));
        assert!(answer.status == 400 && answer.header("set-cookie").is_empty(), "{answer:?}");
    }
    for path in ["/oauth/authorize", "/oauth/resume"] {
        for method in [Method::GET, Method::OPTIONS] {
            assert_eq!(send(&login, method, path).await.header("access-control-allow-origin"), "");
        }
    }
}

#[tokio::test]
async fn only_a_form_of_some_size_is_read() {
    let login = Login::start().await;
    for media_type in ["application/json", "text/plain", "multipart/form-data; boundary=x"] {
        let request = login.http.post(login.url("/oauth/token")).header("content-type", media_type);
        let answer = login.server.ask(request.body("grant_type=refresh_token")).await;
        assert_eq!((answer.status, answer.json()["error"].as_str().unwrap()), (400, "invalid_request"));
    }
    // No credential is read from the query.
    let query = encoded(&changed(
        &[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", CLIENT)],
        &[],
    ));
    let answer = login.post(&format!("/oauth/token?{query}"), &[]).await;
    assert_eq!((answer.status, login.server.odoo.count("oauth_refresh")), (400, 0));
    for (size, status) in [(12_000, 400), (17_000, 413), (2_000_000, 413)] {
        let form = changed(&[("grant_type", "refresh_token"), ("client_id", CLIENT)], &[]);
        let form = [form, vec![("refresh_token".to_owned(), "x".repeat(size))]].concat();
        let answer = login.post("/oauth/token", &form).await;
        assert_eq!(answer.status, status, "{size}");
        assert_eq!(answer.header("content-type"), "application/json");
    }
    for name in ["grant_type", "client_id", "refresh_token", "client_secret", "scope"] {
        let body = format!(
            "grant_type=refresh_token&client_id={CLIENT}&refresh_token=x&client_secret=y&scope=z&{name}=x"
        );
        let request = login.http.post(login.url("/oauth/token"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = login.server.ask(request).await;
        assert_eq!(
            (answer.status, answer.json()["error"].as_str().unwrap()),
            (400, "invalid_request"),
            "{name}"
        );
    }
}

/// O27.
#[tokio::test]
async fn aliases_at_the_root_are_a_setting() {
    let login = Login::start().await;
    let query = encoded(&Login::authorize_params(&[]));
    let open =
        || async { login.server.ask(login.http.get(format!("{}?{query}", login.url("/authorize")))).await };
    assert_eq!(open().await.status, 404);
    login.server.odoo.settings(|settings| settings["oauth_aliases"] = json!(true));
    until("the setting is known", || async { open().await.status == 302 }).await;
    let form =
        changed(&[("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", "x")], &[]);
    assert_eq!(login.post("/token", &form).await.json()["error"], "invalid_grant");
    assert_eq!(login.post("/resume", &form).await.status, 404);
}

#[tokio::test]
async fn a_login_is_audited_step_by_step() {
    let login = Login::start().await;
    let tokens = login.tokens().await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    login.refresh(refresh, &[]).await;
    login.refresh("mcp_rt_unknown", &[]).await;
    login.refresh("mcp_rt_unknown", &[("client_id", Some("mcp_client_none"))]).await;
    login.post("/oauth/revoke", &changed(&[("token", refresh), ("client_id", CLIENT)], &[])).await;
    let found = |method: &str, status: &str| {
        login
            .server
            .odoo
            .audit()
            .into_iter()
            .find(|entry| entry["method"] == method && entry["status"] == status)
    };
    until("all is audited", || async { found("oauth/revoke", "success").is_some() }).await;
    let name = format!("Client {CLIENT}");
    for (method, client, connection) in [
        ("oauth/authorize", name.as_str(), None),
        ("oauth/resume", &name, Some(12)),
        ("oauth/token", &name, Some(12)),
        ("oauth/refresh", &name, Some(12)),
        ("oauth/revoke", CLIENT, Some(12)),
    ] {
        let entry = found(method, "success").unwrap_or_else(|| panic!("{method}"));
        assert_eq!(
            (entry["client"].as_str(), entry["connection"].as_i64()),
            (Some(client), connection),
            "{method}"
        );
        assert_eq!(entry["ip"], "127.0.0.1");
    }
    let refused = found("oauth/refresh", "refused").unwrap();
    assert_eq!((refused["reason"].as_str(), refused["client"].as_str()), (Some("unknown"), Some(CLIENT)));
    // A client that is not known is counted among all anonymous callers, under no name.
    let texts = login.server.odoo.audit().iter().map(ToString::to_string).collect::<String>();
    for secret in [refresh, tokens["access_token"].as_str().unwrap(), "mcp_ac_", "mcp_rt_", "mcp_client_none"]
    {
        assert!(!texts.contains(secret));
    }
}
