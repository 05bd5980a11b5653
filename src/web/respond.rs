//! From rmcp's answer to the client's: whole bodies as they are, streams under a token, refusals as JSON.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, Response as Raw, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use warp::reply::Response;

use super::http_fault::HttpFault;
use super::pipeline::refuse;
use super::{audit_outcome, reply};
use crate::audit::{RequestEntry, RequestOutcome};
use crate::mcp::ResponseBody;
use crate::odoo::memory_budget::MemoryAccount;
use crate::vocab::with_short_quote;

/// A sentence of rmcp.
const MAX_ENGINE_CHARS: usize = 500;

/// Headers of rmcp's answer that the client needs. Everything else is set here.
const ENGINE_HEADERS: [&str; 5] =
    ["content-type", "cache-control", "x-accel-buffering", "mcp-session-id", "allow"];

/// How long the head of an answer is held back at most; what is decided later comes within the stream.
const MAX_HEAD_DELAY: Duration = Duration::from_secs(1);

/// A body that is worth making its memory fit.
const SHRINK_FROM_BYTES: usize = 64 * 1024;

/// What ends a stream that would go on by itself.
#[derive(Debug, Clone, Default)]
pub struct StreamEnd {
    /// The switch went off.
    pub switched_off: CancellationToken,
    /// The connection was revoked or changed.
    pub revoked: CancellationToken,
    /// The session was closed.
    pub session_ended: CancellationToken,
    /// The server is told to stop.
    pub shutdown: CancellationToken,
}

impl StreamEnd {
    async fn wait(self) {
        tokio::select! {
            () = self.switched_off.cancelled() => {}
            () = self.revoked.cancelled() => {}
            () = self.session_ended.cancelled() => {}
            () = self.shutdown.cancelled() => {}
        }
    }
}

/// What an answer holds until its last byte has been sent, or the client has left.
pub struct ResponseGuards<H> {
    /// Where its memory is reserved; none where it has no end to reserve for.
    account: Option<Arc<MemoryAccount>>,
    _guards: H,
}

impl<H> ResponseGuards<H> {
    pub fn new(account: Option<Arc<MemoryAccount>>, keep: H) -> Self {
        Self { account, _guards: keep }
    }
}

/// Bytes that are sent, and what is given back with the last of them. hyper and h2 let go of a body's stream as soon
/// as they have its bytes, long before they have sent them; the bytes themselves live until then.
struct GuardedBytes<H> {
    bytes: Bytes,
    _guards: Arc<ResponseGuards<H>>,
}

impl<H> AsRef<[u8]> for GuardedBytes<H> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn guarded_bytes<H: Send + Sync + 'static>(bytes: Bytes, held: &Arc<ResponseGuards<H>>) -> Bytes {
    Bytes::from_owner(GuardedBytes { bytes, _guards: Arc::clone(held) })
}

/// Turns rmcp's answer into warp's, and tells `entry` how it turned out. `held` lives as long as the answer is
/// being sent.
pub async fn respond<H>(
    raw: Raw<ResponseBody>,
    id: Option<&Value>,
    asked: &Bytes,
    held: ResponseGuards<H>,
    end: Option<StreamEnd>,
    entry: Arc<RequestEntry>,
) -> Response
where
    H: Send + Sync + 'static,
{
    let (parts, body) = raw.into_parts();
    let held = Arc::new(held);
    if has_media_type(&parts.headers, "text/event-stream") {
        let mut response = match end {
            Some(end) => {
                // What goes on by itself was answered with its first byte.
                entry.end(RequestOutcome::SUCCESS);
                reply::stream(guarded_stream(body.into_data_stream().take_until(end.wait()), held, entry))
            }
            // The answer to one request: cut off, it would leave a client unsure of what was done.
            None => {
                let mut events = body.into_data_stream();
                let first = buffer_first_events(&mut events, &entry).await;
                if let Some(fault) = first.iter().find_map(audit_outcome::first_event_fault) {
                    return refuse(&fault, id, &entry);
                }
                let events = stream::iter(first.into_iter().map(Ok)).chain(events);
                reply::stream(guarded_stream(events, held, entry))
            }
        };
        copy_engine_headers(&mut response, parts.status, &parts.headers);
        return response;
    }
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    if parts.status.as_u16() >= 400 && !has_media_type(&parts.headers, "application/json") {
        return refuse(&engine_fault(parts.status, &body, asked), id, &entry);
    }
    if let Some(fault) = audit_outcome::close_by_body(&body, &entry) {
        return refuse(&fault, id, &entry);
    }
    let body = if audit_outcome::may_be_error(&body) { shorten_quotes(body) } else { body };
    let body = fit_to_memory(body, held.account.as_deref());
    let mut response = reply::bytes(parts.status, guarded_bytes(body, &held));
    copy_engine_headers(&mut response, parts.status, &parts.headers);
    response
}

/// rmcp's own errors repeat what a client sent: as long as it was, and with characters that show nothing.
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

/// Holds back the head of an answer while the call may still be refused with a status of its own: the events up
/// to the first message, or those that come before the call is under way.
async fn buffer_first_events<S>(events: &mut S, entry: &RequestEntry) -> Vec<Bytes>
where
    S: Stream<Item = Result<Bytes, Infallible>> + Unpin,
{
    let mut first = Vec::new();
    let until_message = async {
        while let Some(Ok(event)) = events.next().await {
            // What resuming needs comes before, without a message.
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

/// The body is all that is left of the request: its memory is what counts from here on. What it was made in can be
/// twice as large.
fn fit_to_memory(body: Bytes, account: Option<&MemoryAccount>) -> Bytes {
    let Some(account) = account else { return body };
    let mut body = Vec::from(body);
    if body.len() > SHRINK_FROM_BYTES {
        body.shrink_to_fit();
    }
    account.resize(body.capacity());
    Bytes::from(body)
}

fn guarded_stream<S, H>(
    stream: S,
    held: Arc<ResponseGuards<H>>,
    entry: Arc<RequestEntry>,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + Sync
where
    S: Stream<Item = Result<Bytes, Infallible>> + Send + Sync,
    H: Send + Sync + 'static,
{
    stream.map(move |chunk| {
        chunk.map(|chunk| {
            audit_outcome::close_by_events(&chunk, &entry);
            guarded_bytes(chunk, &held)
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

fn has_media_type(headers: &HeaderMap, media_type: &str) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case(media_type)
}

/// rmcp refuses in plain text. `asked` is what it was asked.
fn engine_fault(status: StatusCode, text: &Bytes, asked: &Bytes) -> HttpFault {
    let text = String::from_utf8_lossy(text);
    match status {
        StatusCode::NOT_FOUND => HttpFault::SessionNotFound,
        // The media type was checked before: what rmcp could not read has a wrong form.
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            HttpFault::InvalidRequest { message: unreadable_reason(asked).into() }
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

/// What is wrong with a message that rmcp could not read. The edge looks at the outside of a message only: a
/// half of a surrogate, a number or a depth that no tree can hold shows when all of it is read.
fn unreadable_reason(asked: &Bytes) -> String {
    match serde_json::from_slice::<Value>(asked) {
        Ok(_) => "the message has a form that MCP does not know".to_owned(),
        Err(error) => {
            let why = with_short_quote(&error.to_string(), MAX_ENGINE_CHARS);
            format!("the message cannot be read: {why}")
        }
    }
}
