//! Routing of a request: its era, its session, which of rmcp's services; and the request as rmcp gets it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};

use super::http_fault::HttpFault;
use super::message::{Message, MessageKind};
use super::{MCP_PATH, media_type};
use crate::guard::{ConcurrencyExceeded, ConcurrencyPermit};
use crate::mcp::{Endpoint, ServiceMode};
use crate::sessions::{Era, SessionOwner, TrackedSession};
use crate::vocab::ConnectionId;

const SESSION_HEADER: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION_HEADER: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The first revision without sessions. Revisions are dates, so they sort as text.
const FIRST_MODERN_REVISION: &str = "2026-07-28";

/// Revisions of the legacy era that are served.
const LEGACY_REVISIONS: [&str; 2] = ["2025-06-18", "2025-11-25"];

const MISSING_META_VERSION: &str = "params._meta needs io.modelcontextprotocol/protocolVersion";

/// Retry hint of the session limits: an idle session may have expired by then.
const SESSION_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The route of a POST.
pub(super) struct EngineRoute {
    pub mode: ServiceMode,
    /// The permit of the session that is about to be opened.
    pub reservation: Option<ConcurrencyPermit>,
}

/// The session that a POST belongs to or is about to open. None if it names one that does not exist: `route_post`
/// refuses that, after the limits have counted it.
pub(super) fn session_of_post(
    endpoint: &Endpoint,
    message: &Message,
    headers: &HeaderMap,
    owner: SessionOwner<'_>,
) -> Option<Arc<TrackedSession>> {
    let registry = endpoint.registry();
    if message.is("initialize") && !wants_json_only(headers) {
        return Some(registry.pending(owner, message.client.as_deref()));
    }
    if is_modern(message, headers) && !message.is("initialize") {
        return Some(registry.get_or_create(owner, Era::Modern, message.client.as_deref()));
    }
    match headers.get(SESSION_HEADER) {
        Some(_) if !message.is("initialize") => session_by_header(endpoint, headers, owner.connection),
        // Without a session, only the first request of a client would name the client: all share one.
        _ if wants_json_only(headers) => Some(registry.get_or_create(owner, Era::Legacy, None)),
        _ => None,
    }
}

/// The session that a GET or a DELETE names.
pub(super) fn session_by_header(
    endpoint: &Endpoint,
    headers: &HeaderMap,
    connection: ConnectionId,
) -> Option<Arc<TrackedSession>> {
    endpoint.sessions().find(headers.get(SESSION_HEADER)?.to_str().ok()?, connection)
}

/// Routes a POST to one of rmcp's services, and removes a session id that means nothing there.
pub(super) fn route_post(
    endpoint: &Endpoint,
    message: &Message,
    headers: &mut HeaderMap,
    connection: ConnectionId,
    session: Option<&Arc<TrackedSession>>,
) -> Result<EngineRoute, HttpFault> {
    let route = |mode, reservation| Ok(EngineRoute { mode, reservation });
    if message.is("initialize") {
        // A stale id is no reason to refuse a new session; rmcp would. Nor is a version in the header: the handshake
        // negotiates by its parameters, and some clients send the version of an earlier one.
        headers.remove(SESSION_HEADER);
        if message.version.is_none() {
            headers.remove(VERSION_HEADER);
        }
        if wants_json_only(headers) {
            return route(ServiceMode::Stateless, None);
        }
        return route(ServiceMode::Sessions, Some(reserve_session(endpoint, connection)?));
    }
    check_single_version(headers)?;
    if is_modern(message, headers) {
        if message.version.is_none() && version(headers).is_none() {
            // Of server/discover alone rmcp would not know the era, and ask for a session.
            return Err(HttpFault::InvalidParams { message: MISSING_META_VERSION.into() });
        }
        headers.remove(SESSION_HEADER);
        return route(ServiceMode::Sessions, None);
    }
    check_version(headers)?;
    if check_session(headers, session)? {
        route(ServiceMode::Sessions, None)
    } else if wants_json_only(headers) {
        route(ServiceMode::Stateless, None)
    } else {
        Err(no_session_id())
    }
}

/// Whether this is a notification of a legacy client without a session: it has no subject, and no client expects an
/// answer to it.
pub(super) fn is_for_no_session(message: &Message, headers: &HeaderMap) -> bool {
    message.kind == MessageKind::Notification
        && !headers.contains_key(SESSION_HEADER)
        && !is_modern(message, headers)
        && check_single_version(headers).and_then(|()| check_version(headers)).is_ok()
}

/// Finds the session of a GET or a DELETE.
pub(super) fn require_session(
    headers: &mut HeaderMap,
    session: Option<Arc<TrackedSession>>,
) -> Result<Arc<TrackedSession>, HttpFault> {
    if version(headers).is_some_and(|version| version >= FIRST_MODERN_REVISION) {
        return Err(HttpFault::MethodNotAllowed { allow: "POST" });
    }
    check_single_version(headers)?;
    check_version(headers)?;
    check_session(headers, session.as_ref())?;
    session.ok_or_else(no_session_id)
}

fn no_session_id() -> HttpFault {
    HttpFault::InvalidRequest { message: "Mcp-Session-Id is needed; initialize opens a session".into() }
}

fn reserve_session(endpoint: &Endpoint, connection: ConnectionId) -> Result<ConcurrencyPermit, HttpFault> {
    endpoint.sessions().reserve(connection).map_err(|exceeded| match exceeded {
        ConcurrencyExceeded::Connection => {
            HttpFault::LimitReached { limit: "sessions_per_connection", retry_after: SESSION_RETRY_AFTER }
        }
        ConcurrencyExceeded::Server => {
            HttpFault::LimitReached { limit: "sessions", retry_after: SESSION_RETRY_AFTER }
        }
    })
}

/// Whether a session is named; one that does not exist or has ended is refused.
fn check_session(headers: &mut HeaderMap, session: Option<&Arc<TrackedSession>>) -> Result<bool, HttpFault> {
    let Some(id) = headers.get(SESSION_HEADER).cloned() else { return Ok(false) };
    if session.is_none_or(|session| session.has_ended()) {
        return Err(HttpFault::SessionNotFound);
    }
    // Exactly the id that was checked, should there be several.
    headers.insert(SESSION_HEADER, id);
    Ok(true)
}

fn is_modern(message: &Message, headers: &HeaderMap) -> bool {
    message.version.is_some()
        || message.is("server/discover")
        || version(headers).is_some_and(|version| version >= FIRST_MODERN_REVISION)
}

fn version(headers: &HeaderMap) -> Option<&str> {
    headers.get(VERSION_HEADER).map(|value| value.to_str().unwrap_or(""))
}

/// Two different versions are refused: only one of them could count.
fn check_single_version(headers: &HeaderMap) -> Result<(), HttpFault> {
    let mut versions = headers.get_all(VERSION_HEADER).iter();
    let first = versions.next();
    if versions.all(|version| Some(version) == first) {
        return Ok(());
    }
    Err(HttpFault::InvalidRequest { message: "MCP-Protocol-Version is named twice".into() })
}

/// Without the header, 2025-03-26 would have to be assumed; clients of the revisions that are served here
/// have been seen to forget it.
fn check_version(headers: &HeaderMap) -> Result<(), HttpFault> {
    match version(headers) {
        Some(version) if !LEGACY_REVISIONS.contains(&version) => {
            let message = format!(
                "MCP-Protocol-Version {version:?} is not served; served are {}, {} and {FIRST_MODERN_REVISION}",
                LEGACY_REVISIONS[0], LEGACY_REVISIONS[1]
            );
            Err(HttpFault::InvalidRequest { message: message.into() })
        }
        _ => Ok(()),
    }
}

/// The request as rmcp sees it.
pub(super) fn engine_http_request(method: Method, mut headers: HeaderMap, body: Bytes) -> Request<Bytes> {
    // rmcp keeps the parts of a session's first request alive; no secret may lie in them.
    for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, CONTENT_LENGTH] {
        headers.remove(name);
    }
    // rmcp requires both types, most clients send one or a wildcard.
    if method == Method::POST {
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    } else if media_type::accepts(&headers, &["text/event-stream", "text/*", "*/*"]) {
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    }
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = http::Uri::from_static(MCP_PATH);
    // rmcp requires a host, though it does not check it.
    headers.insert(http::header::HOST, HeaderValue::from_static("localhost"));
    *request.headers_mut() = headers;
    request
}

fn wants_json_only(headers: &HeaderMap) -> bool {
    headers.contains_key(ACCEPT) && !media_type::accepts(headers, &["text/event-stream", "text/*", "*/*"])
}
