//! Requests to the public URL, and the names of what can go wrong with one.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::odoo::contract::CheckStatus;
use crate::vocab::Secret;

/// Bound of one request; a stream has its own.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Bound of an answer; ours are a few kB.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// Bound of a text of others in a result.
const MAX_DETAIL_CHARS: usize = 200;

/// What stands in the way: a code, and what its sentence names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub status: CheckStatus,
    pub code: &'static str,
    pub data: BTreeMap<&'static str, Value>,
}

/// An answer, read to its end.
pub(super) struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

/// Sends requests to one origin: directly, and without following redirects.
pub(super) struct Fetcher {
    pub origin: String,
    key: Secret,
    http: Client,
}

// === impl Finding ===

pub(super) fn finding(code: &'static str) -> Finding {
    Finding { status: CheckStatus::Failed, code, data: BTreeMap::new() }
}

pub(super) fn warning(code: &'static str) -> Finding {
    Finding { status: CheckStatus::Warning, ..finding(code) }
}

impl Finding {
    pub(super) fn with(mut self, name: &'static str, value: Value) -> Self {
        self.data.insert(name, value);
        self
    }

    pub(super) fn with_text(self, name: &'static str, text: &str) -> Self {
        let short: String = text.chars().take(MAX_DETAIL_CHARS).collect();
        self.with(name, json!(short))
    }
}

// === impl Fetcher ===

impl Fetcher {
    pub(super) fn new(origin: &str, key: &Secret) -> Result<Self, Finding> {
        let http = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(REQUEST_TIMEOUT)
            .build()
            .map_err(|error| unreachable(&error))?;
        Ok(Self { origin: origin.to_owned(), key: key.clone(), http })
    }

    /// Whether anything answers at all.
    pub(super) async fn reach(&self) -> Result<(), Finding> {
        self.get("/.well-known/oauth-protected-resource").await.map(drop)
    }

    pub(super) async fn get(&self, path: &str) -> Result<Page, Finding> {
        self.read(self.http.get(format!("{}{path}", self.origin))).await
    }

    /// A request to the MCP endpoint.
    pub(super) fn mcp(&self, method: reqwest::Method) -> RequestBuilder {
        self.http.request(method, format!("{}/odoo/mcp", self.origin))
    }

    /// The same with the key.
    pub(super) fn mcp_with_key(&self, method: reqwest::Method) -> RequestBuilder {
        self.mcp(method).bearer_auth(self.key.expose())
    }

    /// Sends a request; the head of its answer.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, Finding> {
        match tokio::time::timeout(REQUEST_TIMEOUT, request.send()).await {
            Ok(response) => response.map_err(|error| unreachable(&error)),
            Err(_) => Err(finding("timeout")),
        }
    }

    /// Sends a request; its whole answer.
    pub(super) async fn read(&self, request: RequestBuilder) -> Result<Page, Finding> {
        let mut response = self.send(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let reading = async {
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
                body.extend_from_slice(&chunk);
                if body.len() > MAX_BODY_BYTES {
                    break;
                }
            }
            Ok(String::from_utf8_lossy(&body).into_owned())
        };
        let body = tokio::time::timeout(REQUEST_TIMEOUT, reading)
            .await
            .unwrap_or_else(|_| Err(finding("timeout")))?;
        Ok(Page { status, headers, body })
    }
}

// === impl Page ===

impl Page {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The JSON of an answer with this status; what answers in our place is named.
    pub(super) fn json(&self, expected: StatusCode) -> Result<Value, Finding> {
        if self.status.is_redirection() {
            return Err(finding("redirect").with_text("location", self.header(LOCATION.as_str())));
        }
        let status = json!(self.status.as_u16());
        if self.is_html() {
            return Err(finding("html").with("status", status));
        }
        if self.status != expected {
            return Err(finding("status").with("status", status));
        }
        serde_json::from_str(&self.body).map_err(|_| finding("not_json").with("status", status))
    }

    fn is_html(&self) -> bool {
        self.header(CONTENT_TYPE.as_str()).starts_with("text/html") || self.body.trim_start().starts_with('<')
    }
}

/// Names the reason why there is no answer.
fn unreachable(error: &reqwest::Error) -> Finding {
    if error.is_timeout() {
        return finding("timeout");
    }
    // Only the text of the innermost errors says what it was; the outer ones quote the URL.
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        causes.push(inner.to_string());
        cause = inner.source();
    }
    let all = causes.join(": ").to_ascii_lowercase();
    let detail = causes.last().map_or("", String::as_str);
    if all.contains("dns error") || all.contains("failed to lookup address") {
        finding("unresolved")
    } else if all.contains("connection refused") {
        finding("refused")
    } else if ["certificate", "tls", "handshake"].iter().any(|word| all.contains(word)) {
        finding("tls").with_text("detail", detail)
    } else {
        finding("unreachable").with_text("detail", detail)
    }
}
