//! Which era a request belongs to, which session, which of rmcp's services; and what rmcp gets to see of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};

use super::MCP_PATH;
use super::fault::Fault;
use super::message::{Kind, Message};
use crate::guard::{Full as NoRoom, Slot};
use crate::mcp::{Activity, Caller, Endpoint, Era, Lane};
use crate::vocab::ConnectionId;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The first revision without sessions. Revisions are dates, so they sort as text.
const MODERN: &str = "2026-07-28";

/// Revisions of the legacy era that are served.
const LEGACY: [&str; 2] = ["2025-06-18", "2025-11-25"];

const NO_META: &str = "params._meta needs io.modelcontextprotocol/protocolVersion";

/// When a session may have been given up.
const LATER: Duration = Duration::from_secs(60);

/// Where a POST goes, and what it holds meanwhile.
pub struct Road {
    pub lane: Lane,
    /// Room for the session that is about to be opened.
    pub reservation: Option<Slot>,
}

/// The session that a POST belongs to or is about to open. None where it names one that is not there: `post`
/// refuses that, after the limits have seen it.
pub fn activity(
    endpoint: &Endpoint,
    message: &Message,
    headers: &HeaderMap,
    caller: &Caller,
) -> Option<Arc<Activity>> {
    let ledger = endpoint.ledger();
    if message.is("initialize") && !wants_json_only(headers) {
        return Some(ledger.opening(caller, message.client.as_deref()));
    }
    if is_modern(message, headers) && !message.is("initialize") {
        return Some(ledger.meet(caller, Era::Modern, message.client.as_deref()));
    }
    match headers.get(SESSION) {
        Some(_) if !message.is("initialize") => named(endpoint, headers, caller.principal.connection),
        // Without a session, only the first request of a client would say who it is: all are one.
        _ if wants_json_only(headers) => Some(ledger.meet(caller, Era::Legacy, None)),
        _ => None,
    }
}

/// The session that a GET or a DELETE names.
pub fn named(endpoint: &Endpoint, headers: &HeaderMap, owner: ConnectionId) -> Option<Arc<Activity>> {
    endpoint.sessions().find(headers.get(SESSION)?.to_str().ok()?, owner)
}

/// Finds the road of a POST, and removes a session id that means nothing there.
pub fn post(
    endpoint: &Endpoint,
    message: &Message,
    headers: &mut HeaderMap,
    caller: &Caller,
) -> Result<Road, Fault> {
    let road = |lane, reservation| Ok(Road { lane, reservation });
    if message.is("initialize") {
        // A stale id is no reason to refuse a new session; rmcp would. Nor is a version in the header: the handshake
        // negotiates by its parameters, and some clients send the version of an earlier one.
        headers.remove(SESSION);
        if message.version.is_none() {
            headers.remove(VERSION);
        }
        if wants_json_only(headers) {
            return road(Lane::Plain, None);
        }
        return road(Lane::Full, Some(reserve(endpoint, caller.principal.connection)?));
    }
    one_version(headers)?;
    if is_modern(message, headers) {
        if message.version.is_none() && version(headers).is_none() {
            // Of server/discover alone rmcp would not know the era, and ask for a session.
            return Err(Fault::Params { message: NO_META.into() });
        }
        headers.remove(SESSION);
        return road(Lane::Full, None);
    }
    check_version(headers)?;
    if enter(headers, caller.activity.as_ref())? {
        road(Lane::Full, None)
    } else if wants_json_only(headers) {
        road(Lane::Plain, None)
    } else {
        Err(no_session_id())
    }
}

/// Whether this is a notification of a legacy client without a session. There is nothing that it could be about, and
/// no client expects an answer to it.
pub fn is_for_no_session(message: &Message, headers: &HeaderMap) -> bool {
    message.kind == Kind::Notification
        && !headers.contains_key(SESSION)
        && !is_modern(message, headers)
        && one_version(headers).and_then(|()| check_version(headers)).is_ok()
}

/// Finds the session of a GET or a DELETE.
pub fn session(headers: &mut HeaderMap, activity: Option<Arc<Activity>>) -> Result<Arc<Activity>, Fault> {
    if version(headers).is_some_and(|version| version >= MODERN) {
        return Err(Fault::Method { allow: "POST" });
    }
    one_version(headers)?;
    check_version(headers)?;
    enter(headers, activity.as_ref())?;
    activity.ok_or_else(no_session_id)
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

/// Whether a session is named; it has to be there, and not to have ended meanwhile.
fn enter(headers: &mut HeaderMap, activity: Option<&Arc<Activity>>) -> Result<bool, Fault> {
    let Some(id) = headers.get(SESSION).cloned() else { return Ok(false) };
    if activity.is_none_or(|activity| activity.is_over()) {
        return Err(Fault::Session);
    }
    // Exactly the id that was checked, should there be several.
    headers.insert(SESSION, id);
    Ok(true)
}

fn is_modern(message: &Message, headers: &HeaderMap) -> bool {
    message.version.is_some()
        || message.is("server/discover")
        || version(headers).is_some_and(|version| version >= MODERN)
}

fn version(headers: &HeaderMap) -> Option<&str> {
    headers.get(VERSION).map(|value| value.to_str().unwrap_or(""))
}

/// Named twice and differently, one of them was not what the request is judged by.
fn one_version(headers: &HeaderMap) -> Result<(), Fault> {
    let mut versions = headers.get_all(VERSION).iter();
    let first = versions.next();
    if versions.all(|version| Some(version) == first) {
        return Ok(());
    }
    Err(Fault::Invalid { message: "MCP-Protocol-Version is named twice".into() })
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
