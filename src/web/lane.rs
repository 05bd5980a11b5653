//! Which era a request belongs to, which session, which of rmcp's services; and what rmcp gets to see of it.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};

use super::MCP_PATH;
use super::fault::Fault;
use super::message::Message;
use crate::guard::{Full as NoRoom, Slot};
use crate::mcp::{Endpoint, Lane, Ticket};
use crate::vocab::ConnectionId;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The first revision without sessions. Revisions are dates, so they sort as text.
const MODERN: &str = "2026-07-28";

/// Revisions of the legacy era that are served.
const LEGACY: [&str; 2] = ["2025-06-18", "2025-11-25"];

/// When a session may have been given up.
const LATER: Duration = Duration::from_secs(60);

/// Where a POST goes, and what it holds meanwhile.
pub struct Road {
    pub lane: Lane,
    pub ticket: Option<Ticket>,
    /// Room for the session that is about to be opened.
    pub reservation: Option<Slot>,
}

/// Finds the road of a POST, and removes a session id that means nothing there.
pub fn post(
    endpoint: &Endpoint,
    message: &Message,
    headers: &mut HeaderMap,
    owner: ConnectionId,
) -> Result<Road, Fault> {
    let road = |lane, ticket, reservation| Ok(Road { lane, ticket, reservation });
    if message.is("initialize") {
        // A stale id is no reason to refuse a new session; rmcp would.
        headers.remove(SESSION);
        if wants_json_only(headers) {
            return road(Lane::Plain, None, None);
        }
        return road(Lane::Full, None, Some(reserve(endpoint, owner)?));
    }
    if is_modern(message, headers) {
        headers.remove(SESSION);
        return road(Lane::Full, None, None);
    }
    check_version(headers)?;
    match enter(endpoint, headers, owner)? {
        Some(ticket) => road(Lane::Full, Some(ticket), None),
        None if wants_json_only(headers) => road(Lane::Plain, None, None),
        None => Err(no_session_id()),
    }
}

/// Finds the session of a GET or a DELETE.
pub fn session(endpoint: &Endpoint, headers: &mut HeaderMap, owner: ConnectionId) -> Result<Ticket, Fault> {
    if version(headers).is_some_and(|version| version >= MODERN) {
        return Err(Fault::Method { allow: "POST" });
    }
    check_version(headers)?;
    enter(endpoint, headers, owner)?.ok_or_else(no_session_id)
}

fn no_session_id() -> Fault {
    Fault::Invalid { message: "Mcp-Session-Id is needed; initialize opens a session".into() }
}

fn reserve(endpoint: &Endpoint, owner: ConnectionId) -> Result<Slot, Fault> {
    endpoint.sessions().reserve(owner).map_err(|full| match full {
        NoRoom::Connection => Fault::Limit { limit: "sessions_per_connection", wait: LATER },
        NoRoom::Server => Fault::Limit { limit: "sessions", wait: LATER },
    })
}

fn enter(endpoint: &Endpoint, headers: &mut HeaderMap, owner: ConnectionId) -> Result<Option<Ticket>, Fault> {
    let Some(id) = headers.get(SESSION).cloned() else { return Ok(None) };
    let text = id.to_str().map_err(|_| Fault::Session)?;
    let ticket = endpoint.sessions().enter(text, owner).map_err(|_| Fault::Session)?;
    // Exactly the id that was checked, should there be several.
    headers.insert(SESSION, id);
    Ok(Some(ticket))
}

fn is_modern(message: &Message, headers: &HeaderMap) -> bool {
    message.version.is_some()
        || message.is("server/discover")
        || version(headers).is_some_and(|version| version >= MODERN)
}

fn version(headers: &HeaderMap) -> Option<&str> {
    headers.get(VERSION).map(|value| value.to_str().unwrap_or(""))
}

/// Without the header, 2025-03-26 would have to be assumed; clients of the revisions that are served here
/// have been seen to forget it.
fn check_version(headers: &HeaderMap) -> Result<(), Fault> {
    match version(headers) {
        Some(version) if !LEGACY.contains(&version) => {
            let message = format!(
                "MCP-Protocol-Version {version:?} is not served; served are {}, {} and {MODERN}",
                LEGACY[0], LEGACY[1]
            );
            Err(Fault::Invalid { message: message.into() })
        }
        _ => Ok(()),
    }
}

/// The request as rmcp sees it.
pub fn request(method: Method, mut headers: HeaderMap, body: Bytes) -> Request<Bytes> {
    // rmcp keeps the parts of a session's first request alive; no secret may lie in them.
    for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, CONTENT_LENGTH] {
        headers.remove(name);
    }
    // The engine insists on both types, most clients send one or a wildcard.
    if method == Method::POST {
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    } else if accepts(&headers, &["text/event-stream", "text/*", "*/*"]) {
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    }
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = http::Uri::from_static(MCP_PATH);
    // rmcp wants a host even where it does not check it.
    headers.insert(http::header::HOST, HeaderValue::from_static("localhost"));
    *request.headers_mut() = headers;
    request
}

fn wants_json_only(headers: &HeaderMap) -> bool {
    headers.contains_key(ACCEPT) && !accepts(headers, &["text/event-stream", "text/*", "*/*"])
}

/// Whether one of the media ranges is asked for; nothing asked is everything accepted.
fn accepts(headers: &HeaderMap, ranges: &[&str]) -> bool {
    let mut values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    values.peek().is_none()
        || values.flat_map(|value| value.split(',')).any(|entry| {
            let essence = entry.split(';').next().unwrap_or("").trim();
            ranges.iter().any(|range| essence.eq_ignore_ascii_case(range))
        })
}
