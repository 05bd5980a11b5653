//! The road of an MCP request, top to bottom.
//!
//! The order is the design's, and each step says why it stands where it does. A refusal wants the id of the
//! request, which lies in the body; the body of a caller nobody has vouched for is read only as far as a
//! small bound, so that anonymous requests cannot fill the memory.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;
use tracing::Instrument;
use uuid::Uuid;
use warp::reply::Response;

use super::body;
use super::credential::{self, PresentedCredential};
use super::dispatch;
use super::http_fault::{HttpFault, Refusal};
use super::message::Message;
use super::origin::OriginPolicy;
use super::reply;
use super::routes::{HttpRequest, unserved_path};
use super::server_state::ServerState;
use super::target::RequestTarget;
use crate::audit::{self, RequestEntry, RequestOutcome};
use crate::guard::{self, SwitchClosed};
use crate::mirror::Denied;
use crate::odoo::memory_budget::{MemoryAccount, ReserveError};
use crate::telemetry::names;
use crate::vocab::{Credential, OFFLOAD_FROM_BYTES, Offload, Principal, offload};

/// How much of a body is read only to echo its id in a refusal, and for how long.
const MAX_BYTES_FOR_ID: usize = 16 * 1024;
const MAX_WAIT_FOR_ID: Duration = Duration::from_secs(5);

/// A body that is larger, or does not say how large it is, needs memory before it is read.
const RESERVE_FROM_BYTES: u64 = 64 * 1024;

/// How long a body waits for memory.
const MEMORY_WAIT: Duration = Duration::from_secs(2);

/// A request whose caller is known.
pub struct AuthenticatedRequest {
    pub request_id: Uuid,
    pub method: Method,
    pub headers: HeaderMap,
    pub peer: IpAddr,
    pub principal: Arc<Principal>,
    pub entry: Arc<RequestEntry>,
    /// Where its memory is reserved.
    pub account: Arc<MemoryAccount>,
}

/// Serves one request to `/odoo/mcp`.
pub async fn serve_mcp(state: &ServerState, asked: HttpRequest) -> Response {
    let request_id = Uuid::now_v7();
    let peer = state.client_address(&asked.transport, &asked.headers);
    // Not at `info`: making the span would cost every request as much as reading its headers does.
    let span = tracing::debug_span!(names::REQUEST_SPAN, %request_id, %peer);
    let origin = state.origin_policy.allowed_origin(&asked.headers).cloned();
    let begun = Instant::now();
    let served = async {
        // No way leads past this entry: it is closed where `serve` ends, or with the stream that it answers.
        let entry = state.audit.open(request_id, peer, begun);
        let response = serve(state, asked, peer, request_id, &entry).await;
        let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(status = response.status().as_u16(), elapsed_ms, "answered");
        response
    };
    let mut response = served.instrument(span).await;
    OriginPolicy::add_cors_headers(origin, response.headers_mut());
    response
}

/// Refuses a path beside `/odoo/mcp`: somebody looks for MCP, or for holes in it.
pub fn unknown_path(state: &ServerState, asked: &HttpRequest) -> Response {
    let peer = state.client_address(&asked.transport, &asked.headers);
    refuse(
        &unserved_path(&state.host_policy, asked),
        None,
        &state.audit.open(Uuid::nil(), peer, Instant::now()),
    )
}

async fn serve(
    state: &ServerState,
    asked: HttpRequest,
    peer: IpAddr,
    request_id: Uuid,
    entry: &Arc<RequestEntry>,
) -> Response {
    let HttpRequest { method, headers, transport: wire, body } = asked;
    // 1. What the headers alone tell.
    if let Err(fault) = check_headers(state, &method, &headers, &wire.target) {
        return refuse(&fault, None, entry);
    }
    if method == Method::OPTIONS {
        entry.describe(audit::RequestInfo::default());
        let mut response = reply::empty(StatusCode::NO_CONTENT);
        OriginPolicy::answer_preflight(&headers, response.headers_mut());
        return response;
    }
    // 2, 3. The switch, the address, the credential.
    let principal = match authenticate(state, &headers, peer, entry).await {
        Ok(principal) => principal,
        Err(fault) => {
            let within = state.limits.body_timeout.min(MAX_WAIT_FOR_ID);
            let body = body::read(body, MAX_BYTES_FOR_ID, within).await;
            let id = body.ok().and_then(|body| {
                Message::read(&body).map_or_else(|refusal| refusal.id, |message| message.id)
            });
            return refuse(&fault, id.as_ref(), entry);
        }
    };
    let account = state.memory.account(principal.connection);
    let admitted = AuthenticatedRequest {
        request_id,
        method,
        headers,
        peer,
        principal,
        entry: Arc::clone(entry),
        account,
    };
    match read_and_dispatch(state, admitted, body).await {
        Ok(response) => response,
        Err(refusal) => refuse(&refusal.fault, refusal.id.as_ref(), entry),
    }
}

/// Step 1: route, `Host`, `Origin`, the announced size.
fn check_headers(
    state: &ServerState,
    method: &Method,
    headers: &HeaderMap,
    target: &RequestTarget,
) -> Result<(), HttpFault> {
    state.host_policy.check(target, headers)?;
    state.origin_policy.check(headers)?;
    if !matches!(*method, Method::POST | Method::GET | Method::DELETE | Method::OPTIONS) {
        return Err(HttpFault::MethodNotAllowed { allow: "POST, GET, DELETE, OPTIONS" });
    }
    let most = state.limits.max_body_bytes;
    if content_length(headers).is_some_and(|length| length > most as u64) {
        return Err(HttpFault::BodyTooLarge { max_bytes: most });
    }
    Ok(())
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Steps 2 and 3: who is calling, and whether he may from there.
async fn authenticate(
    state: &ServerState,
    headers: &HeaderMap,
    peer: IpAddr,
    entry: &RequestEntry,
) -> Result<Arc<Principal>, HttpFault> {
    // The switch and the address come first: authentication is what an attacker makes the server pay for.
    check_enabled(state)?;
    let shown = credential::read(headers);
    let gate = state
        .failed_auth
        .check(peer)
        .map_err(|wait| HttpFault::LimitReached { limit: "failed_attempts", retry_after: wait });
    match shown {
        PresentedCredential::Credential(credential) => {
            // A closed gate stands before what was refused already, not before a key that works or may work.
            if gate.is_err() && state.mirror.has_refused(&credential).await {
                gate?;
            }
            resolve_credential(state, &credential, peer, entry).await
        }
        PresentedCredential::Malformed(fault) => {
            gate?;
            state.failed_auth.record_failure(peer);
            Err(fault)
        }
        // A client that asks whether it needs a credential has not failed at anything.
        PresentedCredential::Missing => Err(credential::missing()),
    }
}

async fn resolve_credential(
    state: &ServerState,
    credential: &Credential,
    peer: IpAddr,
    entry: &RequestEntry,
) -> Result<Arc<Principal>, HttpFault> {
    let found = state.mirror.principal(credential, peer).await;
    if let Ok(principal) = &found {
        entry.identify(principal.connection, principal.user.id);
    }
    match found {
        // Step 4 begins: whose rules refuse this address is known from here on. The credential is good, so
        // this is no failed attempt.
        Ok(principal) if !guard::allows_address(&principal.addresses, peer) => Err(HttpFault::AddressRefused),
        Ok(principal) => Ok(principal),
        Err(Denied::Invalid { reason }) => {
            state.failed_auth.record_failure(peer);
            Err(credential::refused(&reason))
        }
        Err(Denied::Address { .. }) => Err(HttpFault::AddressRefused),
        Err(Denied::Disabled) => Err(HttpFault::Disabled),
        Err(Denied::Busy { retry_after }) => {
            Err(HttpFault::LimitReached { limit: "unknown_credentials", retry_after })
        }
        Err(Denied::Unreachable) => Err(HttpFault::Unreachable),
    }
}

/// Whether the switch is on. Asked again after everything that can take long.
pub fn check_enabled(state: &ServerState) -> Result<(), HttpFault> {
    state.master_switch.check().map_err(|closed| match closed {
        SwitchClosed::Disabled => HttpFault::Disabled,
        SwitchClosed::Unknown => HttpFault::SettingsUnknown,
    })
}

/// From the body on: what the caller wants, and whether there is room for it.
async fn read_and_dispatch(
    state: &ServerState,
    admitted: AuthenticatedRequest,
    body: body::BodyStream,
) -> Result<Response, Box<Refusal>> {
    if admitted.method != Method::POST {
        return dispatch::dispatch_session(state, admitted).await;
    }
    if !is_json(&admitted.headers) {
        return Err(HttpFault::MediaType.with_id(None));
    }
    if is_encoded(&admitted.headers) {
        return Err(HttpFault::Encoding.with_id(None));
    }
    let limits = &state.limits;
    let announced = content_length(&admitted.headers).unwrap_or(limits.max_body_bytes as u64);
    if announced > RESERVE_FROM_BYTES {
        reserve_memory(&admitted.account, usize::try_from(announced).unwrap_or(usize::MAX)).await?;
    }
    let body = body::read(body, limits.max_body_bytes, limits.body_timeout)
        .await
        .map_err(|fault| fault.with_id(None))?;
    admitted.account.resize(body.len());
    reserve_memory(&admitted.account, body::memory_estimate(&body).saturating_sub(body.len())).await?;
    // What a large body costs to read must not hold back the other requests of this worker.
    let bytes = body.len();
    let mut message = offload(bytes, || Message::read(&body))?;
    let body = message.body.take().unwrap_or(body);
    if bytes >= OFFLOAD_FROM_BYTES {
        return Offload::new(bytes, dispatch::dispatch_post(state, admitted, message, body)).await;
    }
    dispatch::dispatch_post(state, admitted, message, body).await
}

/// Reserves the memory of a body.
async fn reserve_memory(account: &MemoryAccount, bytes: usize) -> Result<(), Box<Refusal>> {
    let until = tokio::time::Instant::now() + MEMORY_WAIT;
    let fault = match account.grow(bytes, until).await {
        Ok(()) => return Ok(()),
        Err(ReserveError::TooLarge) => HttpFault::InvalidRequest {
            message: "the message holds more values than are taken at once; send it in parts".into(),
        },
        Err(ReserveError::Connection) => {
            HttpFault::LimitReached { limit: "memory_per_connection", retry_after: MEMORY_WAIT }
        }
        Err(ReserveError::Server) => HttpFault::LimitReached { limit: "memory", retry_after: MEMORY_WAIT },
    };
    Err(fault.with_id(None))
}

/// Whether the body is compressed: a few bytes of it could be very many.
fn is_encoded(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    values.any(|value| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity") && !value.is_empty())
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json")
}

/// Refuses a request that goes no further.
pub fn refuse(fault: &HttpFault, id: Option<&Value>, entry: &RequestEntry) -> Response {
    tracing::debug!(reason = %fault.reason(), "refused");
    let (reason, message) = fault.audit_reason();
    entry.end(RequestOutcome::refused(&reason, &message));
    reply::refuse(fault, id)
}

/// A body for requests that have none.
pub const EMPTY_BODY: Bytes = Bytes::new();
