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
use super::credential::{self, Shown};
use super::edge::Edge;
use super::fault::{Fault, Refusal};
use super::message::Message;
use super::origin::Origins;
use super::reply;
use super::routes::{Asked, nowhere};
use super::target::Target;
use super::visit;
use crate::audit::{self, Entry, Verdict};
use crate::guard::{self, Closed};
use crate::mirror::Denied;
use crate::odoo::memory::{Account, Full};
use crate::telemetry::names;
use crate::vocab::{Aside, Credential, LARGE_BYTES, Principal, aside};

/// How much of a body is read only to echo its id in a refusal, and for how long.
const MOST_FOR_AN_ID: usize = 16 * 1024;
const LONGEST_FOR_AN_ID: Duration = Duration::from_secs(5);

/// A body that is larger, or does not say how large it is, needs memory before it is read.
const SMALL: u64 = 64 * 1024;

/// How long a body waits for memory.
const MEMORY_PATIENCE: Duration = Duration::from_secs(2);

/// A request whose caller is known.
pub struct Admitted {
    pub request_id: Uuid,
    pub method: Method,
    pub headers: HeaderMap,
    pub peer: IpAddr,
    pub principal: Arc<Principal>,
    pub entry: Arc<Entry>,
    /// Where its memory is reserved.
    pub account: Arc<Account>,
}

/// Serves one request to `/odoo/mcp`.
pub async fn mcp(edge: &Edge, asked: Asked) -> Response {
    let request_id = Uuid::now_v7();
    let peer = edge.peer(&asked.wire, &asked.headers);
    // Not at `info`: making the span would cost every request as much as reading its headers does.
    let span = tracing::debug_span!(names::REQUEST, %request_id, %peer);
    let origin = edge.origins.origin(&asked.headers).cloned();
    let begun = Instant::now();
    let served = async {
        // No way leads past this entry: it is closed where `serve` ends, or with the stream that it answers.
        let entry = edge.audit.open(request_id, peer, begun);
        let response = serve(edge, asked, peer, request_id, &entry).await;
        let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(status = response.status().as_u16(), elapsed_ms, "answered");
        response
    };
    let mut response = served.instrument(span).await;
    Origins::expose(origin, response.headers_mut());
    response
}

/// Refuses a path beside `/odoo/mcp`: somebody looks for MCP, or for holes in it.
pub fn astray(edge: &Edge, asked: &Asked) -> Response {
    let peer = edge.peer(&asked.wire, &asked.headers);
    refuse(&nowhere(&edge.hosts, asked), None, &edge.audit.open(Uuid::nil(), peer, Instant::now()))
}

async fn serve(edge: &Edge, asked: Asked, peer: IpAddr, request_id: Uuid, entry: &Arc<Entry>) -> Response {
    let Asked { method, headers, wire, body } = asked;
    // 1. What the headers alone tell.
    if let Err(fault) = look(edge, &method, &headers, &wire.target) {
        return refuse(&fault, None, entry);
    }
    if method == Method::OPTIONS {
        entry.asks(audit::Asked::default());
        let mut response = reply::empty(StatusCode::NO_CONTENT);
        Origins::preflight(&headers, response.headers_mut());
        return response;
    }
    // 2, 3. The switch, the address, the credential.
    let principal = match admit(edge, &headers, peer, entry).await {
        Ok(principal) => principal,
        Err(fault) => {
            let within = edge.limits.body_timeout.min(LONGEST_FOR_AN_ID);
            let body = body::read(body, MOST_FOR_AN_ID, within).await;
            let id = body.ok().and_then(|body| {
                Message::read(&body).map_or_else(|refusal| refusal.id, |message| message.id)
            });
            return refuse(&fault, id.as_ref(), entry);
        }
    };
    let account = edge.memory.account(principal.connection);
    let admitted =
        Admitted { request_id, method, headers, peer, principal, entry: Arc::clone(entry), account };
    match carry(edge, admitted, body).await {
        Ok(response) => response,
        Err(refusal) => refuse(&refusal.fault, refusal.id.as_ref(), entry),
    }
}

/// Step 1: route, `Host`, `Origin`, the announced size.
fn look(edge: &Edge, method: &Method, headers: &HeaderMap, target: &Target) -> Result<(), Fault> {
    edge.hosts.check(target, headers)?;
    edge.origins.check(headers)?;
    if !matches!(*method, Method::POST | Method::GET | Method::DELETE | Method::OPTIONS) {
        return Err(Fault::Method { allow: "POST, GET, DELETE, OPTIONS" });
    }
    let most = edge.limits.max_body_bytes;
    if length(headers).is_some_and(|length| length > most as u64) {
        return Err(Fault::TooLarge { most });
    }
    Ok(())
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Steps 2 and 3: who is calling, and whether he may from there.
async fn admit(
    edge: &Edge,
    headers: &HeaderMap,
    peer: IpAddr,
    entry: &Entry,
) -> Result<Arc<Principal>, Fault> {
    // The switch and the address come first: authentication is what an attacker makes the server pay for.
    open(edge)?;
    let shown = credential::read(headers);
    let gate = edge.addresses.check(peer).map_err(|wait| Fault::Limit { limit: "failed_attempts", wait });
    match shown {
        Shown::Credential(credential) => {
            // A closed gate stands before what was refused already, not before a key that works or may work.
            if gate.is_err() && edge.mirror.has_refused(&credential).await {
                gate?;
            }
            resolve(edge, &credential, peer, entry).await
        }
        Shown::Malformed(fault) => {
            gate?;
            edge.addresses.failed(peer);
            Err(fault)
        }
        // A client that asks whether it needs a credential has not failed at anything.
        Shown::Nothing => Err(credential::missing()),
    }
}

async fn resolve(
    edge: &Edge,
    credential: &Credential,
    peer: IpAddr,
    entry: &Entry,
) -> Result<Arc<Principal>, Fault> {
    let found = edge.mirror.principal(credential, peer).await;
    if let Ok(principal) = &found {
        entry.identify(principal.connection, principal.user.id);
    }
    match found {
        // Step 4 begins: whose rules refuse this address is known from here on. The credential is good, so
        // this is no failed attempt.
        Ok(principal) if !guard::admits(&principal.addresses, peer) => Err(Fault::Address),
        Ok(principal) => Ok(principal),
        Err(Denied::Invalid { reason }) => {
            edge.addresses.failed(peer);
            Err(credential::refused(&reason))
        }
        Err(Denied::Address { .. }) => Err(Fault::Address),
        Err(Denied::Disabled) => Err(Fault::Disabled),
        Err(Denied::Busy { retry_after }) => {
            Err(Fault::Limit { limit: "unknown_credentials", wait: retry_after })
        }
        Err(Denied::Unreachable) => Err(Fault::Unreachable),
    }
}

/// Whether the switch is on. Asked again after everything that can take long.
pub fn open(edge: &Edge) -> Result<(), Fault> {
    edge.switch.check().map_err(|closed| match closed {
        Closed::Disabled => Fault::Disabled,
        Closed::Unknown => Fault::Unknown,
    })
}

/// From the body on: what the caller wants, and whether there is room for it.
async fn carry(edge: &Edge, admitted: Admitted, body: body::Incoming) -> Result<Response, Box<Refusal>> {
    if admitted.method != Method::POST {
        return visit::session(edge, admitted).await;
    }
    if !is_json(&admitted.headers) {
        return Err(Fault::MediaType.of(None));
    }
    if is_encoded(&admitted.headers) {
        return Err(Fault::Encoding.of(None));
    }
    let limits = &edge.limits;
    let announced = length(&admitted.headers).unwrap_or(limits.max_body_bytes as u64);
    if announced > SMALL {
        reserve(&admitted.account, usize::try_from(announced).unwrap_or(usize::MAX)).await?;
    }
    let body =
        body::read(body, limits.max_body_bytes, limits.body_timeout).await.map_err(|fault| fault.of(None))?;
    admitted.account.settle(body.len());
    reserve(&admitted.account, body::weight(&body).saturating_sub(body.len())).await?;
    // What a large body costs to read must not hold back the other requests of this worker.
    let bytes = body.len();
    let mut message = aside(bytes, || Message::read(&body))?;
    let body = message.body.take().unwrap_or(body);
    if bytes >= LARGE_BYTES {
        return Aside::new(bytes, visit::post(edge, admitted, message, body)).await;
    }
    visit::post(edge, admitted, message, body).await
}

/// Reserves the memory of a body.
async fn reserve(account: &Account, bytes: usize) -> Result<(), Box<Refusal>> {
    let until = tokio::time::Instant::now() + MEMORY_PATIENCE;
    let fault = match account.grow(bytes, until).await {
        Ok(()) => return Ok(()),
        Err(Full::Ever) => Fault::Invalid {
            message: "the message holds more values than are taken at once; send it in parts".into(),
        },
        Err(Full::Connection) => Fault::Limit { limit: "memory_per_connection", wait: MEMORY_PATIENCE },
        Err(Full::Server) => Fault::Limit { limit: "memory", wait: MEMORY_PATIENCE },
    };
    Err(fault.of(None))
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
pub fn refuse(fault: &Fault, id: Option<&Value>, entry: &Entry) -> Response {
    tracing::debug!(reason = %fault.reason(), "refused");
    let (reason, message) = fault.told();
    entry.end(Verdict::refused(&reason, &message));
    reply::refuse(fault, id)
}

/// A body for requests that have none.
pub const NO_BODY: Bytes = Bytes::new();
