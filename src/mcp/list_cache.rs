//! Cache of rmcp's answers to `tools/list`, keyed by the rights of a connection.
//!
//! Building and serializing the list costs four times what the rest of the request does, and it depends on nothing
//! but what the connection may use. Only the plainest form of a modern request is answered from the cache: the
//! headers and members that every such request has, each once and valid. Any other goes to rmcp, which validates
//! it; so does the first request of each key, whose answer is cached.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use moka::future::Cache;
use rmcp::model::{ClientCapabilities, Implementation};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::ResponseBody;
use crate::vocab::{MethodLevel, Principal, Scope};

const MODERN_VERSION: &str = "2026-07-28";
const LIST_METHOD: &str = "tools/list";

/// TTL of an entry: as long as a client may keep the list.
const LIST_TTL: Duration = Duration::from_millis(super::info::LIST_TTL_MS);
const MAX_CACHED_LISTS: u64 = 1024;

/// The cache key: what the list of a connection depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ListKey {
    scope: Scope,
    allowed_tools: Vec<String>,
    method_level: MethodLevel,
}

/// A request that a cached answer fits.
#[derive(Debug)]
pub(super) struct CacheableRequest {
    key: ListKey,
    /// The id as JSON text.
    id: String,
}

#[derive(Debug, Clone)]
struct CachedList {
    headers: HeaderMap,
    result: Bytes,
}

/// The cached answers.
#[derive(Debug, Clone)]
pub(super) struct ToolListCache {
    cache: Cache<ListKey, CachedList>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListRequest<'a> {
    jsonrpc: &'a str,
    #[serde(borrow)]
    id: &'a RawValue,
    method: &'a str,
    #[serde(borrow)]
    params: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParams<'a> {
    #[serde(borrow, rename = "_meta")]
    meta: &'a RawValue,
}

/// Parsed into rmcp's own types, so that a malformed member is left to rmcp to refuse.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListMeta<'a> {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    version: &'a str,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
    _capabilities: ClientCapabilities,
    #[serde(default, rename = "io.modelcontextprotocol/clientInfo")]
    _client: Option<Implementation>,
}

#[derive(Deserialize)]
struct ListAnswer<'a> {
    #[serde(borrow)]
    result: &'a RawValue,
}

// === impl CacheableRequest ===

impl CacheableRequest {
    /// Whether a request is one that any two connections with the same rights could have sent.
    pub(super) fn from_request(request: &Request<Bytes>, principal: &Principal) -> Option<Self> {
        let headers = request.headers();
        let fits = is_single_header(headers, "mcp-method", LIST_METHOD)
            && is_single_header(headers, "mcp-protocol-version", MODERN_VERSION)
            && !headers.keys().any(|name| name == "mcp-name" || name.as_str().starts_with("mcp-param-"));
        if !fits {
            return None;
        }
        let list: ListRequest<'_> = serde_json::from_slice(request.body()).ok()?;
        let meta: ListMeta<'_> = parse_object(parse_object::<ListParams<'_>>(list.params)?.meta)?;
        let cacheable = list.jsonrpc == "2.0" && list.method == LIST_METHOD && meta.version == MODERN_VERSION;
        cacheable.then(|| Self {
            key: ListKey {
                scope: principal.scope,
                allowed_tools: principal.allowed_tools.clone(),
                method_level: principal.method_level,
            },
            id: list.id.get().to_owned(),
        })
    }
}

/// Parses an object; serde would parse a struct from an array as well.
fn parse_object<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    raw.get().starts_with('{').then(|| serde_json::from_str(raw.get()).ok()).flatten()
}

fn is_single_header(headers: &HeaderMap, name: &str, value: &str) -> bool {
    let mut values = headers.get_all(name).iter();
    values.next().is_some_and(|found| found == value) && values.next().is_none()
}

// === impl ToolListCache ===

impl ToolListCache {
    pub(super) fn new() -> Self {
        Self { cache: Cache::builder().max_capacity(MAX_CACHED_LISTS).time_to_live(LIST_TTL).build() }
    }

    /// The cached answer to a request.
    pub(super) async fn get(&self, cacheable: &CacheableRequest) -> Option<Response<ResponseBody>> {
        let CachedList { headers, result } = self.cache.get(&cacheable.key).await?;
        let mut text = BytesMut::with_capacity(result.len() + cacheable.id.len() + 40);
        for part in [
            br#"{"jsonrpc":"2.0","id":"#.as_slice(),
            cacheable.id.as_bytes(),
            br#","result":"#,
            &result,
            b"}",
        ] {
            text.put_slice(part);
        }
        let mut response = Response::new(Full::new(text.freeze()).boxed());
        *response.headers_mut() = headers;
        Some(response)
    }

    /// Caches rmcp's answer, if it is a list, and returns it.
    pub(super) async fn insert(
        &self,
        cacheable: CacheableRequest,
        response: Response<ResponseBody>,
    ) -> Response<ResponseBody> {
        let (parts, body) = response.into_parts();
        let is_json =
            parts.headers.get(http::header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
        if parts.status != StatusCode::OK || !is_json {
            return Response::from_parts(parts, body);
        }
        let text = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        if let Ok(ListAnswer { result }) = serde_json::from_slice(&text) {
            let result = Bytes::copy_from_slice(result.get().as_bytes());
            self.cache.insert(cacheable.key, CachedList { headers: parts.headers.clone(), result }).await;
        }
        Response::from_parts(parts, Full::new(text).boxed())
    }
}
