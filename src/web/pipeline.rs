//! The request path of `/odoo/mcp`: one function of nine named steps, `serve`.
//!
//! A refusal echoes the id of the request, which lies in the body; before authentication the body is read only up to
//! a small bound, so that anonymous requests cannot fill the memory.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, Method, Response as Raw, StatusCode};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;
use warp::reply::Response;

use super::authenticate::{authenticate, check_address_rules};
use super::authenticated::{AuthenticatedRequest, check_enabled, refuse};
use super::body::{self, BodyStream};
use super::era::{self, EngineRoute};
use super::host::HostPolicy;
use super::http_fault::{HttpFault, Refusal};
use super::limits::{AcquiredLimits, acquire_limits, is_limited};
use super::message::Message;
use super::origin::OriginPolicy;
use super::request::HttpRequest;
use super::respond::{ResponseContext, ResponseGuards, StreamEnd, respond};
use super::server_state::ServerState;
use super::{media_type, reply, session_request};
use crate::audit::{RequestEntry, RequestInfo, RequestOutcome, SessionInfo};
use crate::guard::{ConcurrencyPermit, Counted};
use crate::mcp::{Caller, EngineRequest, ResponseBody};
use crate::odoo::memory_budget::{MemoryAccount, ReserveError};
use crate::sessions::{ActivityGuard, SessionOwner, TrackedSession};
use crate::telemetry::names;
use crate::vocab::{OFFLOAD_FROM_BYTES, Offload, offload};

/// Bound of a body that is read only to echo its id in a refusal, in bytes and in time.
const MAX_BYTES_FOR_ID: usize = 16 * 1024;
const MAX_WAIT_FOR_ID: Duration = Duration::from_secs(5);

/// A body that is larger, or does not announce its size, needs memory before it is read.
const RESERVE_FROM_BYTES: u64 = 64 * 1024;

/// How long a body waits for memory.
const MEMORY_WAIT: Duration = Duration::from_secs(2);

/// Serves one request to `/odoo/mcp`, and opens its audit entry.
pub(super) async fn serve_mcp(state: &ServerState, request: HttpRequest) -> Response {
    let request_id = Uuid::now_v7();
    let peer = state.client_address(&request.transport, &request.headers);
    // Not at `info`: making the span would cost every request as much as reading its headers does.
    let span = tracing::debug_span!(names::REQUEST_SPAN, %request_id, %peer);
    let origin = state.origin_policy.allowed_origin(&request.headers).cloned();
    let begun = Instant::now();
    let served = async {
        // Each path through `serve` closes this entry, or the stream that it answers does.
        let entry = state.deps.audit.open(request_id, peer, begun);
        let response = match serve(state, request, peer, request_id, &entry).await {
            Ok(response) => response,
            Err(refusal) => refuse(&refusal.fault, refusal.id.as_ref(), &entry),
        };
        let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(status = response.status().as_u16(), elapsed_ms, "answered");
        response
    };
    let mut response = served.instrument(span).await;
    OriginPolicy::add_cors_headers(origin, response.headers_mut());
    response
}

/// Refuses a path beside `/odoo/mcp`: a client that guesses the path, or a scanner. Audited, unlike other paths.
pub(super) fn unknown_path(state: &ServerState, request: &HttpRequest) -> Response {
    let peer = state.client_address(&request.transport, &request.headers);
    let fault = unserved_path(&state.host_policy, request);
    refuse(&fault, None, &state.deps.audit.open(Uuid::nil(), peer, Instant::now()))
}

/// Why a path that is not served is refused.
pub(super) fn unserved_path(hosts: &HostPolicy, request: &HttpRequest) -> HttpFault {
    hosts.check(&request.transport.target, &request.headers).err().unwrap_or(HttpFault::PathNotFound)
}

async fn serve(
    state: &ServerState,
    request: HttpRequest,
    peer: IpAddr,
    request_id: Uuid,
    entry: &Arc<RequestEntry>,
) -> Result<Response, Box<Refusal>> {
    // 1. Form of the request, `Host`, `Origin`, announced size.
    check_headers(state, &request).map_err(|fault| fault.with_id(None))?;
    let HttpRequest { method, headers, body, .. } = request;
    if method == Method::OPTIONS {
        return Ok(answer_preflight(&headers, entry));
    }
    let admitted = async {
        // 2. Master switch: before authentication, which is what an attacker makes the server pay for.
        check_enabled(state)?;
        // 3. Limiter of failed attempts, credential, principal.
        let principal = authenticate(state, &headers, peer, entry).await?;
        // 4. Address rules of the connection.
        check_address_rules(&principal, peer)?;
        Ok(principal)
    };
    let principal = match admitted.await {
        Ok(principal) => principal,
        Err(fault) => return Err(HttpFault::with_id(fault, read_id(state, body).await)),
    };
    let account = state.memory.account(principal.connection);
    let entry = Arc::clone(entry);
    let mut request = AuthenticatedRequest { request_id, method, headers, peer, principal, entry, account };
    if request.method != Method::POST {
        return session_request::serve(state, request).await;
    }

    // 5. Media type, memory, bounded body, JSON-RPC envelope.
    let (message, body) = read_message(state, &request, body).await?;
    let id = message.id.clone();
    let with_id = |fault: HttpFault| fault.with_id(id.clone());
    let (endpoint, connection) = (&state.deps.endpoint, request.principal.connection);
    let lifetime = state.deps.mirror.lifetime(connection);
    let owner = SessionOwner { connection, user: request.principal.user.id, peer, lifetime: &lifetime };
    let session = era::session_of_post(endpoint, &message, &request.headers, owner);
    request.entry.describe(request_info(&message, session.clone()));
    //    The switch again, since reading may have taken long; its token first, so that no change falls between.
    let switched_off = state.deps.master_switch.enabled_token();
    check_enabled(state).map_err(with_id)?;

    // 6. Audit capacity, concurrency permit, rate limits per minute and day.
    check_recordable(state, &message).map_err(with_id)?;
    let AcquiredLimits { permit, counted } =
        acquire_limits(state, &request.principal, &message).await.map_err(with_id)?;
    let Counted { receipt, scarce } = counted;

    // 7. Parameters, era, session.
    check_params(&message).map_err(with_id)?;
    if era::is_for_no_session(&message, &request.headers) {
        request.entry.end(RequestOutcome::SUCCESS);
        return Ok(reply::empty(StatusCode::ACCEPTED));
    }
    let EngineRoute { mode, reservation } =
        era::route_post(endpoint, &message, &mut request.headers, connection, session.as_ref())
            .map_err(with_id)?;

    // 8. rmcp, the tool, Odoo.
    let activity = begin_activity(session.as_ref(), &message, peer);
    let notice = scarce.map(|scarce| scarce.to_string().into());
    let caller = build_caller(&request, &message, lifetime, session, permit.clone(), notice);
    let listens = message.is("subscriptions/listen");
    let end = listens.then(|| StreamEnd::new(&caller, switched_off, &state.deps.shutdown));
    let fast_poll = listens.then(|| state.deps.mirror.poll_fast());
    tracing::debug!(%connection, method = message.method, tool = message.name, "admitted");
    let AuthenticatedRequest { method, headers, entry, account, .. } = request;
    let request = era::engine_http_request(method, headers, body.clone());
    let answer = call_engine(state, EngineRequest { caller, mode, reservation, request }).await;

    // 9. The answer, and with it the outcome in the audit entry. A request that is answered is counted, even if
    //    this process is killed now; its permits are released with the last byte.
    receipt.committed().await;
    let guards = ResponseGuards { account: Some(account), permit, activity, fast_poll };
    let context = ResponseContext { id: id.as_ref(), request_body: &body, guards, end, entry };
    Ok(respond(answer, context).await)
}

/// Step 1: host, origin, method, the announced size.
fn check_headers(state: &ServerState, request: &HttpRequest) -> Result<(), HttpFault> {
    let HttpRequest { method, headers, transport, .. } = request;
    state.host_policy.check(&transport.target, headers)?;
    state.origin_policy.check(headers)?;
    if !matches!(*method, Method::POST | Method::GET | Method::DELETE | Method::OPTIONS) {
        return Err(HttpFault::MethodNotAllowed { allow: "POST, GET, DELETE, OPTIONS" });
    }
    let max_bytes = state.limits.max_body_bytes;
    if content_length(headers).is_some_and(|length| length > max_bytes as u64) {
        return Err(HttpFault::BodyTooLarge { max_bytes });
    }
    Ok(())
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A CORS preflight ends with step 1: a browser sends no credential with it.
fn answer_preflight(headers: &HeaderMap, entry: &RequestEntry) -> Response {
    entry.describe(RequestInfo::default());
    let mut response = reply::empty(StatusCode::NO_CONTENT);
    OriginPolicy::answer_preflight(headers, response.headers_mut());
    response
}

/// The id to echo to a caller that was not admitted.
async fn read_id(state: &ServerState, body: BodyStream) -> Option<Value> {
    let timeout = state.limits.body_timeout.min(MAX_WAIT_FOR_ID);
    let body = body::read(body, MAX_BYTES_FOR_ID, timeout).await.ok()?;
    Message::read(&body).map_or_else(|refusal| refusal.id, |message| message.id)
}

/// Step 5: the message of a POST, and the body that rmcp gets.
async fn read_message(
    state: &ServerState,
    request: &AuthenticatedRequest,
    body: BodyStream,
) -> Result<(Message, Bytes), Box<Refusal>> {
    let body = read_body(state, request, body).await.map_err(|fault| fault.with_id(None))?;
    // Parsing a large body must not delay the other requests of this worker.
    let mut message = offload(body.len(), || Message::read(&body))?;
    let body = message.body.take().unwrap_or(body);
    Ok((message, body))
}

async fn read_body(
    state: &ServerState,
    request: &AuthenticatedRequest,
    body: BodyStream,
) -> Result<Bytes, HttpFault> {
    let AuthenticatedRequest { headers, account, .. } = request;
    if !media_type::is(headers, "application/json") {
        return Err(HttpFault::MediaType);
    }
    if is_encoded(headers) {
        return Err(HttpFault::Encoding);
    }
    let limits = &state.limits;
    let announced = content_length(headers).unwrap_or(limits.max_body_bytes as u64);
    if announced > RESERVE_FROM_BYTES {
        reserve_memory(account, usize::try_from(announced).unwrap_or(usize::MAX)).await?;
    }
    let body = body::read(body, limits.max_body_bytes, limits.body_timeout).await?;
    account.resize(body.len());
    reserve_memory(account, body::memory_estimate(&body).saturating_sub(body.len())).await?;
    Ok(body)
}

/// Reserves the memory of a body.
async fn reserve_memory(account: &MemoryAccount, bytes: usize) -> Result<(), HttpFault> {
    let until = tokio::time::Instant::now() + MEMORY_WAIT;
    account.grow(bytes, until).await.map_err(|error| match error {
        ReserveError::TooLarge => HttpFault::InvalidRequest {
            message: "the message holds more values than are taken at once; send it in parts".into(),
        },
        ReserveError::Connection => {
            HttpFault::LimitReached { limit: "memory_per_connection", retry_after: MEMORY_WAIT }
        }
        ReserveError::Server => HttpFault::LimitReached { limit: "memory", retry_after: MEMORY_WAIT },
    })
}

/// Whether the body is compressed: a few bytes could expand to very many.
fn is_encoded(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    values.any(|value| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity") && !value.is_empty())
}

/// What the audit entry records of a message.
fn request_info(message: &Message, session: Option<Arc<TrackedSession>>) -> RequestInfo {
    RequestInfo {
        method: message.method.clone(),
        tool: message.name.clone().filter(|_| message.is("tools/call")),
        session: session.map(|session| session as Arc<dyn SessionInfo>),
        is_request: is_limited(message),
    }
}

/// Step 6: a call that cannot be audited is not made.
fn check_recordable(state: &ServerState, message: &Message) -> Result<(), HttpFault> {
    if message.is("tools/call") && !state.deps.audit.can_record() {
        Err(HttpFault::AuditFull)
    } else {
        Ok(())
    }
}

/// Step 7: parameters that rmcp would misread or refuse with a misleading sentence.
fn check_params(message: &Message) -> Result<(), HttpFault> {
    match &message.params_error {
        Some(error) => Err(HttpFault::InvalidParams { message: error.clone().into() }),
        None => Ok(()),
    }
}

/// Step 8: counts the request in its session, which is not idle while the guard lives.
fn begin_activity(
    session: Option<&Arc<TrackedSession>>,
    message: &Message,
    peer: IpAddr,
) -> Option<ActivityGuard> {
    session.map(|session| {
        if is_limited(message) {
            session.count_request();
        }
        session.begin_request(peer)
    })
}

/// Step 8: the caller as handlers see it. A session keeps the caller of its `initialize`, so that one gets no
/// resources: they would never be released.
fn build_caller(
    request: &AuthenticatedRequest,
    message: &Message,
    lifetime: CancellationToken,
    session: Option<Arc<TrackedSession>>,
    permit: Option<Arc<ConcurrencyPermit>>,
    notice: Option<Arc<str>>,
) -> Caller {
    let opens_session = message.is("initialize");
    Caller {
        principal: Arc::clone(&request.principal),
        peer: request.peer,
        request_id: request.request_id,
        lifetime,
        session,
        audit: (!opens_session).then(|| Arc::clone(&request.entry)),
        permit: permit.filter(|_| !opens_session),
        account: if opens_session { Arc::default() } else { Arc::clone(&request.account) },
        unreadable: message.unreadable.as_deref().map(Arc::from),
        notice,
    }
}

/// Step 8: a request in rmcp; one with a large body runs off the runtime's workers.
async fn call_engine(state: &ServerState, request: EngineRequest) -> Raw<ResponseBody> {
    let bytes = request.request.body().len();
    let endpoint = &state.deps.endpoint;
    if bytes >= OFFLOAD_FROM_BYTES {
        return Offload::new(bytes, endpoint.handle(request)).await;
    }
    endpoint.handle(request).await
}
