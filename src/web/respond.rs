//! Response mapping, from rmcp's answer to the client's: bodies as they are, streams with a cancellation token,
//! refusals as JSON.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, HeaderName, Response as Raw, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use warp::reply::Response;

use super::authenticated::refuse;
use super::http_fault::HttpFault;
use super::shutdown::Shutdown;
use super::{audit_outcome, media_type, reply};
use crate::audit::{RequestEntry, RequestOutcome};
use crate::guard::ConcurrencyPermit;
use crate::mcp::{Caller, ResponseBody};
use crate::mirror::FastPollGuard;
use crate::odoo::memory_budget::MemoryAccount;
use crate::sessions::ActivityGuard;
use crate::vocab::{offload, with_short_quote};

/// Bound of a sentence of rmcp.
const MAX_ENGINE_CHARS: usize = 500;

/// Headers of rmcp's answer that the client needs. Everything else is set here.
const ENGINE_HEADERS: [&str; 5] =
    ["content-type", "cache-control", "x-accel-buffering", "mcp-session-id", "allow"];

/// How long the head of an answer is delayed; a later refusal comes within the stream.
const MAX_HEAD_DELAY: Duration = Duration::from_secs(1);

/// Smallest body whose spare capacity is worth freeing.
const SHRINK_FROM_BYTES: usize = 64 * 1024;

/// Cancellation of a long-lived stream.
#[derive(Debug, Clone, Default)]
pub(super) struct StreamEnd {
    /// The switch went off.
    pub switched_off: CancellationToken,
    /// The connection was revoked or changed.
    pub revoked: CancellationToken,
    /// The session was closed.
    pub session_ended: CancellationToken,
    /// The server shuts down.
    pub shutdown: CancellationToken,
}

impl StreamEnd {
    /// The end of a stream of `caller`, opened while the switch was on.
    pub(super) fn new(caller: &Caller, switched_off: CancellationToken, shutdown: &Shutdown) -> Self {
        Self {
            switched_off,
            revoked: caller.lifetime.clone(),
            session_ended: caller.session.as_ref().map(|session| session.ended().clone()).unwrap_or_default(),
            shutdown: shutdown.stop.clone(),
        }
    }

    async fn wait(self) {
        tokio::select! {
            () = self.switched_off.cancelled() => {}
            () = self.revoked.cancelled() => {}
            () = self.session_ended.cancelled() => {}
            () = self.shutdown.cancelled() => {}
        }
    }
}

/// Resources of an answer, released when its last byte has been sent or the client has disconnected.
#[derive(Default)]
#[expect(dead_code, reason = "released by being dropped")]
pub(super) struct ResponseGuards {
    /// Where its memory is reserved; none for a stream without an end to reserve for.
    pub account: Option<Arc<MemoryAccount>>,
    /// Among the requests in flight or the open streams.
    pub permit: Option<Arc<ConcurrencyPermit>>,
    /// Keeps the session from being idle.
    pub activity: Option<ActivityGuard>,
    /// Keeps the feed polling fast for a stream of changes.
    pub fast_poll: Option<FastPollGuard>,
}

/// Bytes that are sent, and the guards that are released with the last of them. hyper and h2 let go of a body's
/// stream as soon as they have its bytes, long before they have sent them; the bytes themselves live until then.
struct GuardedBytes {
    bytes: Bytes,
    _guards: Arc<ResponseGuards>,
}

impl AsRef<[u8]> for GuardedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn guarded_bytes(bytes: Bytes, guards: &Arc<ResponseGuards>) -> Bytes {
    Bytes::from_owner(GuardedBytes { bytes, _guards: Arc::clone(guards) })
}

/// The request that is answered.
pub(super) struct ResponseContext<'a> {
    /// The id of its message.
    pub id: Option<&'a Value>,
    /// Empty where it has no message.
    pub request_body: &'a Bytes,
    /// They live as long as the answer is being sent.
    pub guards: ResponseGuards,
    /// Of a long-lived stream; none for the answer to one request.
    pub end: Option<StreamEnd>,
    /// Closed by the answer.
    pub entry: Arc<RequestEntry>,
}

/// Turns rmcp's answer into warp's.
pub(super) async fn respond(raw: Raw<ResponseBody>, context: ResponseContext<'_>) -> Response {
    let ResponseContext { id, request_body, guards, end, entry } = context;
    let (parts, body) = raw.into_parts();
    let guards = Arc::new(guards);
    if media_type::is(&parts.headers, "text/event-stream") {
        let mut response = match end {
            Some(end) => {
                // A long-lived stream is answered with its first byte.
                entry.end(RequestOutcome::SUCCESS);
                // A stream of its own begins with a comment: without a first byte, a proxy or a client may not see yet
                // that it is open. A requested one begins with its acknowledgement.
                let opened = stream::iter(request_body.is_empty().then(|| Ok(Bytes::from_static(b":\n\n"))));
                let events = opened.chain(body.into_data_stream()).take_until(end.wait());
                reply::stream(guarded_stream(events, guards, entry))
            }
            // The answer to one request: cut off, it would leave a client unsure of what was done.
            None => {
                let mut events = body.into_data_stream();
                let first = buffer_first_events(&mut events, &entry).await;
                if let Some(fault) = first.iter().find_map(audit_outcome::first_event_fault) {
                    return refuse(&fault, id, &entry);
                }
                let events = stream::iter(first.into_iter().map(Ok)).chain(events);
                reply::stream(guarded_stream(events, guards, entry))
            }
        };
        copy_engine_headers(&mut response, parts.status, &parts.headers);
        return response;
    }
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    if parts.status.as_u16() >= 400 && !media_type::is(&parts.headers, "application/json") {
        return refuse(&engine_fault(parts.status, &body, request_body), id, &entry);
    }
    if let Some(fault) = audit_outcome::close_by_body(&body, &entry) {
        return refuse(&fault, id, &entry);
    }
    let body = if audit_outcome::may_be_error(&body) { shorten_quotes(body) } else { body };
    let body = fit_to_memory(body, guards.account.as_deref());
    let mut response = reply::bytes(parts.status, guarded_bytes(body, &guards));
    copy_engine_headers(&mut response, parts.status, &parts.headers);
    response
}

/// Shortens rmcp's own errors, which quote the client's text in full length, invisible characters included.
fn shorten_quotes(body: Bytes) -> Bytes {
    let Ok(mut answer) = serde_json::from_slice::<Value>(&body) else { return body };
    let Some(Value::String(message)) = answer.pointer_mut("/error/message") else { return body };
    let shown = with_short_quote(message, MAX_ENGINE_CHARS);
    if *message == shown {
        return body;
    }
    *message = shown;
    Bytes::from(answer.to_string())
}

/// Buffers the head of an answer while the call may still be refused with a status of its own: the events up to
/// the first message, or those before the call is recorded.
async fn buffer_first_events<S>(events: &mut S, entry: &RequestEntry) -> Vec<Bytes>
where
    S: Stream<Item = Result<Bytes, Infallible>> + Unpin,
{
    let mut first = Vec::new();
    let until_message = async {
        while let Some(Ok(event)) = events.next().await {
            // The priming event for resuming comes before, without a message.
            let is_message = event.contains(&b'{');
            first.push(event);
            if is_message {
                break;
            }
        }
    };
    tokio::select! {
        biased;
        () = until_message => {}
        () = entry.call_recorded() => {}
        () = tokio::time::sleep(MAX_HEAD_DELAY) => {}
    }
    first
}

/// Resizes the reservation to the body, which is all that is left of the request. The buffer that it was written
/// into can be twice as large.
fn fit_to_memory(body: Bytes, account: Option<&MemoryAccount>) -> Bytes {
    let Some(account) = account else { return body };
    let mut body = Vec::from(body);
    if body.len() > SHRINK_FROM_BYTES {
        body.shrink_to_fit();
    }
    account.resize(body.capacity());
    Bytes::from(body)
}

fn guarded_stream<S>(
    stream: S,
    guards: Arc<ResponseGuards>,
    entry: Arc<RequestEntry>,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + Sync
where
    S: Stream<Item = Result<Bytes, Infallible>> + Send + Sync,
{
    stream.map(move |chunk| {
        chunk.map(|chunk| {
            audit_outcome::close_by_events(&chunk, &entry);
            guarded_bytes(chunk, &guards)
        })
    })
}

fn copy_engine_headers(response: &mut Response, status: StatusCode, headers: &HeaderMap) {
    *response.status_mut() = status;
    for name in ENGINE_HEADERS {
        if let Some(value) = headers.get(name) {
            response.headers_mut().insert(HeaderName::from_static(name), value.clone());
        }
    }
}

/// Maps rmcp's plain-text refusal of `request_body` to a fault.
fn engine_fault(status: StatusCode, text: &Bytes, request_body: &Bytes) -> HttpFault {
    let text = String::from_utf8_lossy(text);
    match status {
        StatusCode::NOT_FOUND => HttpFault::SessionNotFound,
        // The media type was checked before: rmcp could not parse the message.
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            HttpFault::InvalidRequest { message: unreadable_reason(request_body).into() }
        }
        _ => {
            if status.is_server_error() {
                tracing::error!(error = %text, "rmcp could not serve a request");
            }
            let message = text.strip_prefix("Bad Request: ").unwrap_or(&text);
            let message = with_short_quote(message, MAX_ENGINE_CHARS);
            HttpFault::EngineRefused { status, message }
        }
    }
}

/// Why rmcp could not parse a message. `Message::read` parses the envelope only: half of a surrogate, a number or a
/// depth that no tree can hold shows when all of it is parsed.
fn unreadable_reason(request_body: &Bytes) -> String {
    match offload(request_body.len(), || serde_json::from_slice::<Value>(request_body).map(drop)) {
        Ok(()) => "the message has a form that MCP does not know".to_owned(),
        Err(error) => {
            let why = with_short_quote(&error.to_string(), MAX_ENGINE_CHARS);
            format!("the message cannot be read: {why}")
        }
    }
}
