//! A client and a browser at the authorization server of a whole sidecar: each step of a login as one call.

#![allow(dead_code, clippy::unwrap_used)]

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::Value;

use super::fake_odoo::FakeOdoo;
use super::oauth::OauthRecords;
use super::server::{Answer, Server};

pub const ISSUER: &str = "https://odoo.example.com";
pub const RESOURCE: &str = "https://odoo.example.com/odoo/mcp";
pub const CLIENT: &str = "mcp_client_0000000000000000000001";
pub const OTHER_CLIENT: &str = "mcp_client_0000000000000000000002";
pub const CONFIDENTIAL: &str = "mcp_client_0000000000000000000003";
pub const SECRET: &str = "mcp_cs_secret of the client: 100%+";
pub const REDIRECT: &str = "https://claude.ai/api/mcp/auth_callback";
pub const LOOPBACK: &str = "http://127.0.0.1/callback";
pub const PRIVATE: &str = "cursor://anysphere.cursor-mcp/oauth/callback";
/// The pair of RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A sidecar with three clients, and an HTTP client that follows no redirect.
pub struct Login {
    pub server: Server,
    pub records: OauthRecords,
    pub http: reqwest::Client,
}

/// What authorize gave the browser.
#[derive(Debug, Clone)]
pub struct Begun {
    pub handle: String,
    /// `name=value`.
    pub cookie: String,
    pub set_cookie: String,
    pub location: String,
}

/// Parameters by name, in their order; `change` replaces, adds or (with none) removes.
pub fn changed(defaults: &[(&str, &str)], change: &[(&str, Option<&str>)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut params: Vec<_> = defaults.iter().map(owned).collect();
    params.retain(|(name, _)| change.iter().all(|(changed, _)| changed != name));
    params.extend(change.iter().filter_map(|(name, value)| Some(((*name).to_owned(), (*value)?.to_owned()))));
    params
}

pub fn encoded(params: &[(String, String)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(params);
    query.finish()
}

/// The value of a parameter in the query of a URL, decoded.
pub fn param(url: &str, name: &str) -> Option<String> {
    let query = url.split_once('?')?.1;
    form_urlencoded::parse(query.as_bytes())
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

/// Where a page leads the browser: its refresh, unescaped.
pub fn refresh_target(page: &str) -> Option<String> {
    let rest = page.split_once("http-equiv=\"refresh\" content=\"0;url=")?.1;
    Some(unescaped(rest.split_once('"')?.0))
}

/// The address of the page's link.
pub fn link_target(page: &str) -> Option<String> {
    let rest = page.split_once("<a href=\"")?.1;
    Some(unescaped(rest.split_once('"')?.0))
}

fn unescaped(text: &str) -> String {
    text.replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

impl Login {
    pub async fn start() -> Self {
        Self::on(Server::start().await)
    }

    pub fn on(server: Server) -> Self {
        let records = Self::records(&server.odoo);
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { server, records, http }
    }

    fn records(odoo: &FakeOdoo) -> OauthRecords {
        let records = OauthRecords::of(odoo);
        records.add_client(CLIENT, &[REDIRECT, LOOPBACK, PRIVATE]);
        records.add_client(OTHER_CLIENT, &["https://other.example/callback"]);
        records.add_confidential(CONFIDENTIAL, SECRET, &[REDIRECT]);
        records
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.running.public_addr())
    }

    pub fn authorize_params(change: &[(&str, Option<&str>)]) -> Vec<(String, String)> {
        let defaults = [
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("redirect_uri", REDIRECT),
            ("state", "af0ifjsldkj"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("scope", "mcp:read mcp:write"),
            ("resource", RESOURCE),
        ];
        changed(&defaults, change)
    }

    /// Opens the authorization endpoint.
    pub async fn authorize(&self, change: &[(&str, Option<&str>)]) -> Answer {
        self.authorize_with(&encoded(&Self::authorize_params(change)), None).await
    }

    pub async fn authorize_with(&self, query: &str, cookie: Option<&str>) -> Answer {
        let mut request = self.http.get(format!("{}?{query}", self.url("/oauth/authorize")));
        if let Some(cookie) = cookie {
            request = request.header(COOKIE, cookie);
        }
        self.server.ask(request).await
    }

    /// Begins a login that works.
    pub async fn begin(&self, change: &[(&str, Option<&str>)]) -> Begun {
        let answer = self.authorize(change).await;
        assert_eq!(answer.status, 302, "{answer:?}");
        let location = answer.headers[LOCATION].to_str().unwrap().to_owned();
        let set_cookie = answer.headers[SET_COOKIE].to_str().unwrap().to_owned();
        let cookie = set_cookie.split(';').next().unwrap().to_owned();
        Begun { handle: param(&location, "request").unwrap(), cookie, set_cookie, location }
    }

    /// Comes back from consent.
    pub async fn resume(&self, handle: &str, approval: Option<&str>, cookie: Option<&str>) -> Answer {
        let approval = approval.map(|approval| format!("&approval={approval}")).unwrap_or_default();
        let mut request = self.http.get(format!("{}?request={handle}{approval}", self.url("/oauth/resume")));
        if let Some(cookie) = cookie {
            request = request.header(COOKIE, cookie);
        }
        self.server.ask(request).await
    }

    /// A login up to the address at which the client gets its code.
    pub async fn callback(&self, change: &[(&str, Option<&str>)]) -> String {
        let begun = self.begin(change).await;
        let approval = self.records.decide(&begun.handle, true, "full");
        let page = self.resume(&begun.handle, Some(&approval), Some(&begun.cookie)).await;
        assert_eq!(page.status, 200, "{page:?}");
        refresh_target(&page.text).unwrap()
    }

    /// A login up to its code.
    pub async fn code(&self, change: &[(&str, Option<&str>)]) -> String {
        param(&self.callback(change).await, "code").unwrap()
    }

    /// Posts a form.
    pub async fn post(&self, path: &str, form: &[(String, String)]) -> Answer {
        self.server.ask(self.form(path, form)).await
    }

    pub fn form(&self, path: &str, form: &[(String, String)]) -> reqwest::RequestBuilder {
        self.http
            .post(self.url(path))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encoded(form))
    }

    /// Exchanges a code.
    pub async fn exchange(&self, code: &str, change: &[(&str, Option<&str>)]) -> Answer {
        let defaults = [
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("resource", RESOURCE),
        ];
        self.post("/oauth/token", &changed(&defaults, change)).await
    }

    pub async fn refresh(&self, token: &str, change: &[(&str, Option<&str>)]) -> Answer {
        let defaults = [("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", token)];
        self.post("/oauth/token", &changed(&defaults, change)).await
    }

    /// A login up to its tokens.
    pub async fn tokens(&self) -> Value {
        let answer = self.exchange(&self.code(&[]).await, &[]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }
}
