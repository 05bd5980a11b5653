//! What each part of a check expects, and what it says where the answer is another.

use std::time::Duration;

use reqwest::header::WWW_AUTHENTICATE;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::fetch::{Fetcher, Finding, Page, finding, warning};
use super::random_path;
use crate::oauth::NOTHING_SERVED;

const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource/odoo/mcp";
const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";

const LEGACY_VERSION: &str = "2025-11-25";
const MODERN_VERSION: &str = "2026-07-28";
const BOTH_TYPES: &str = "application/json, text/event-stream";

/// How long the first byte of a stream may take: it is sent at once.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(3);

pub(super) async fn resource_metadata(fetcher: &Fetcher) -> Result<(), Finding> {
    let document = fetcher.get(RESOURCE_METADATA).await?.json(StatusCode::OK)?;
    is_ours(&document, "/resource", format!("{}/odoo/mcp", fetcher.origin))
}

pub(super) async fn server_metadata(fetcher: &Fetcher) -> Result<(), Finding> {
    let document = fetcher.get(SERVER_METADATA).await?.json(StatusCode::OK)?;
    is_ours(&document, "/issuer", fetcher.origin.as_str())
}

/// A path of which only this server knows that there is nothing.
pub(super) async fn oauth_paths(fetcher: &Fetcher) -> Result<(), Finding> {
    let answer = fetcher.get(&random_path()).await?.json(StatusCode::NOT_FOUND)?;
    is_ours(&answer, "/error_description", NOTHING_SERVED)
}

/// What a client without a credential gets.
pub(super) async fn challenge(fetcher: &Fetcher, offers_oauth: bool) -> Result<(), Finding> {
    let request = post(fetcher.mcp(Method::POST), &list_tools());
    let page = fetcher.read(request).await?;
    let answer = page.json(StatusCode::UNAUTHORIZED)?;
    is_ours(&answer, "/error/code", 1003)?;
    let challenge = page.header(WWW_AUTHENTICATE.as_str());
    if challenge.is_empty() {
        return Err(finding("no_header"));
    }
    let metadata = format!("resource_metadata=\"{}{RESOURCE_METADATA}\"", fetcher.origin);
    if offers_oauth && !challenge.contains(&metadata) {
        return Err(finding("not_ours").with_text("found", challenge));
    }
    Ok(())
}

/// A call with a key, as a modern client makes it.
pub(super) async fn session(fetcher: &Fetcher) -> Result<(), Finding> {
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "get_session", "arguments": {}, "_meta": meta()},
    });
    let request = post(fetcher.mcp_with_key(Method::POST), &call)
        .header("mcp-protocol-version", MODERN_VERSION)
        .header("mcp-method", "tools/call")
        .header("mcp-name", "get_session");
    let page = fetcher.read(request).await?;
    if is_without_key(&page) {
        return Err(finding("header_dropped"));
    }
    let answer = page.json(StatusCode::OK)?;
    if let Some(message) = answer.pointer("/error/message").and_then(Value::as_str) {
        return Err(finding("tool_error").with_text("detail", message));
    }
    let text = answer.pointer("/result/content/0/text").and_then(Value::as_str).unwrap_or("");
    match answer.pointer("/result/isError").and_then(Value::as_bool) {
        Some(true) => Err(finding("tool_error").with_text("detail", text)),
        _ if text.is_empty() => Err(finding("not_ours").with_text("found", &page.body)),
        _ => Ok(()),
    }
}

/// The stream of a legacy session, whose first byte a proxy may hold back.
pub(super) async fn stream(fetcher: &Fetcher) -> Result<(), Finding> {
    let opening = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": LEGACY_VERSION, "capabilities": {}, "clientInfo": client()},
    });
    let opened = fetcher.send(post(fetcher.mcp_with_key(Method::POST), &opening)).await?;
    let session = opened.headers().get("mcp-session-id").cloned();
    let Some(session) = session.filter(|_| opened.status() == StatusCode::OK) else {
        return Err(finding("status").with("status", json!(opened.status().as_u16())));
    };
    let in_session = |method| {
        let request = fetcher.mcp_with_key(method).header("mcp-session-id", &session);
        request.header("mcp-protocol-version", LEGACY_VERSION)
    };
    let found = first_byte(fetcher, in_session(Method::GET).header("accept", "text/event-stream")).await;
    // The session would end by itself.
    let _ = fetcher.send(in_session(Method::DELETE)).await;
    found
}

async fn first_byte(fetcher: &Fetcher, request: RequestBuilder) -> Result<(), Finding> {
    let mut stream = match tokio::time::timeout(FIRST_BYTE_TIMEOUT, fetcher.send(request)).await {
        Ok(stream) => stream?,
        // A buffering proxy holds the head back with the first byte.
        Err(_) => return Err(warning("buffered")),
    };
    if stream.status() != StatusCode::OK {
        return Err(finding("status").with("status", json!(stream.status().as_u16())));
    }
    match tokio::time::timeout(FIRST_BYTE_TIMEOUT, stream.chunk()).await {
        Ok(Ok(Some(_))) => Ok(()),
        _ => Err(warning("buffered")),
    }
}

/// A 401 of ours that says that nothing was sent.
fn is_without_key(page: &Page) -> bool {
    let answer: Value = serde_json::from_str(&page.body).unwrap_or_default();
    let reason = answer.pointer("/error/data/reason").and_then(Value::as_str);
    page.status == StatusCode::UNAUTHORIZED && reason == Some("no_credential")
}

/// Whether the member at this pointer is what this server answers there.
fn is_ours(answer: &Value, pointer: &str, expected: impl Into<Value>) -> Result<(), Finding> {
    let found = answer.pointer(pointer).unwrap_or(&Value::Null);
    if *found == expected.into() {
        return Ok(());
    }
    let text = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
    Err(finding("not_ours").with_text("found", &text))
}

fn post(request: RequestBuilder, message: &Value) -> RequestBuilder {
    request.header("accept", BOTH_TYPES).header("content-type", "application/json").body(message.to_string())
}

fn list_tools() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta()}})
}

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": MODERN_VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": client(),
    })
}

fn client() -> Value {
    json!({"name": "connection-check", "version": env!("CARGO_PKG_VERSION")})
}
