//! rmcp's answer to `tools/list`, kept for the next client with the same rights.
//!
//! Making and writing out the list anew costs four times what the rest of the request does, and it depends on
//! nothing but what the connection may use. Only the plainest form of a modern request is answered from
//! here: the headers and members that every such request has, each once and as they must be. Whatever has
//! more, less or other goes to rmcp, which judges it; so does the first request of each kind, whose answer
//! is the one that is kept.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use moka::future::Cache;
use rmcp::model::{ClientCapabilities, Implementation};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Body;
use crate::vocab::{MethodLevel, Principal, Scope};

const VERSION: &str = "2026-07-28";
const METHOD: &str = "tools/list";

/// As long as a client may keep the list.
const KEPT: Duration = Duration::from_millis(super::info::TTL_MS);
const MOST: u64 = 1024;

/// What the list of a connection depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rights {
    scope: Scope,
    allowed_tools: Vec<String>,
    method_level: MethodLevel,
}

/// A request that an earlier answer fits.
#[derive(Debug)]
pub struct Plain {
    rights: Rights,
    /// The id as JSON text.
    id: String,
}

#[derive(Debug, Clone)]
struct Kept {
    headers: HeaderMap,
    result: Bytes,
}

/// The answers kept.
#[derive(Debug, Clone)]
pub struct Listings {
    kept: Cache<Rights, Kept>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked<'a> {
    jsonrpc: &'a str,
    #[serde(borrow)]
    id: &'a RawValue,
    method: &'a str,
    #[serde(borrow)]
    params: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params<'a> {
    #[serde(borrow, rename = "_meta")]
    meta: &'a RawValue,
}

/// Read into rmcp's own types, so that a member in a wrong form is left to rmcp to refuse.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta<'a> {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    version: &'a str,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
    _capabilities: ClientCapabilities,
    #[serde(default, rename = "io.modelcontextprotocol/clientInfo")]
    _client: Option<Implementation>,
}

#[derive(Deserialize)]
struct Answered<'a> {
    #[serde(borrow)]
    result: &'a RawValue,
}

// === impl Plain ===

impl Plain {
    /// Looks whether a request is one that any two connections with the same rights could have sent.
    pub fn of(request: &Request<Bytes>, principal: &Principal) -> Option<Self> {
        let headers = request.headers();
        let fits = once(headers, "mcp-method", METHOD)
            && once(headers, "mcp-protocol-version", VERSION)
            && !headers.keys().any(|name| name == "mcp-name" || name.as_str().starts_with("mcp-param-"));
        if !fits {
            return None;
        }
        let asked: Asked<'_> = serde_json::from_slice(request.body()).ok()?;
        let meta: Meta<'_> = object(object::<Params<'_>>(asked.params)?.meta)?;
        let plain = asked.jsonrpc == "2.0" && asked.method == METHOD && meta.version == VERSION;
        plain.then(|| Self {
            rights: Rights {
                scope: principal.scope,
                allowed_tools: principal.allowed_tools.clone(),
                method_level: principal.method_level,
            },
            id: asked.id.get().to_owned(),
        })
    }
}

/// Reads an object; serde would read a struct from an array as well.
fn object<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    raw.get().starts_with('{').then(|| serde_json::from_str(raw.get()).ok()).flatten()
}

fn once(headers: &HeaderMap, name: &str, value: &str) -> bool {
    let mut values = headers.get_all(name).iter();
    values.next().is_some_and(|found| found == value) && values.next().is_none()
}

// === impl Listings ===

impl Listings {
    pub fn new() -> Self {
        Self { kept: Cache::builder().max_capacity(MOST).time_to_live(KEPT).build() }
    }

    /// The answer to a plain request, if one like it was answered lately.
    pub async fn answer(&self, plain: &Plain) -> Option<Response<Body>> {
        let Kept { headers, result } = self.kept.get(&plain.rights).await?;
        let mut text = BytesMut::with_capacity(result.len() + plain.id.len() + 40);
        for part in
            [br#"{"jsonrpc":"2.0","id":"#.as_slice(), plain.id.as_bytes(), br#","result":"#, &result, b"}"]
        {
            text.put_slice(part);
        }
        let mut response = Response::new(Full::new(text.freeze()).boxed());
        *response.headers_mut() = headers;
        Some(response)
    }

    /// Keeps rmcp's answer, where it is one, and hands it on.
    pub async fn keep(&self, plain: Plain, response: Response<Body>) -> Response<Body> {
        let (parts, body) = response.into_parts();
        let is_json =
            parts.headers.get(http::header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
        if parts.status != StatusCode::OK || !is_json {
            return Response::from_parts(parts, body);
        }
        let text = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        if let Ok(Answered { result }) = serde_json::from_slice(&text) {
            let result = Bytes::copy_from_slice(result.get().as_bytes());
            self.kept.insert(plain.rights, Kept { headers: parts.headers.clone(), result }).await;
        }
        Response::from_parts(parts, Full::new(text).boxed())
    }
}
