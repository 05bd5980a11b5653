//! From rmcp's answer to the client's: whole bodies as they are, streams under a token, refusals as JSON.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, Response as Raw, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use warp::reply::Response;

use super::fault::Fault;
use super::pipeline::refuse;
use super::{reply, verdict};
use crate::audit::{Entry, Verdict};
use crate::mcp::{Body, UNACCOUNTED};
use crate::odoo::memory::Account;

/// Headers of rmcp's answer that the client needs. Everything else is set here.
const ADOPTED: [&str; 5] = ["content-type", "cache-control", "x-accel-buffering", "mcp-session-id", "allow"];

/// A body that is worth making its memory fit.
const LARGE: usize = 64 * 1024;

/// What ends a stream that would go on by itself.
#[derive(Debug, Clone, Default)]
pub struct End {
    /// The switch went off.
    pub opening: CancellationToken,
    /// The connection was revoked or changed.
    pub lifetime: CancellationToken,
    /// The session was closed.
    pub session: CancellationToken,
    /// The server is told to stop.
    pub stopping: CancellationToken,
}

impl End {
    async fn come(self) {
        tokio::select! {
            () = self.opening.cancelled() => {}
            () = self.lifetime.cancelled() => {}
            () = self.session.cancelled() => {}
            () = self.stopping.cancelled() => {}
        }
    }
}

/// What an answer holds until its last byte has been sent, or the client has left.
pub struct Held<H> {
    /// Where its memory is reserved; none where it has no end to reserve for.
    account: Option<Arc<Account>>,
    _keep: H,
}

impl<H> Held<H> {
    pub fn new(account: Option<Arc<Account>>, keep: H) -> Self {
        Self { account, _keep: keep }
    }
}

/// Bytes that are sent, and what is given back with the last of them. hyper and h2 let go of a body's stream as soon
/// as they have its bytes, long before they have sent them; the bytes themselves live until then.
struct Sent<H> {
    bytes: Bytes,
    _held: Arc<Held<H>>,
}

impl<H> AsRef<[u8]> for Sent<H> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn sent<H: Send + Sync + 'static>(bytes: Bytes, held: &Arc<Held<H>>) -> Bytes {
    Bytes::from_owner(Sent { bytes, _held: Arc::clone(held) })
}

/// Turns rmcp's answer into warp's, and tells `entry` how it turned out. `held` lives as long as the answer is
/// being sent.
pub async fn answer<H>(
    raw: Raw<Body>,
    id: Option<&Value>,
    asked: &Bytes,
    held: Held<H>,
    end: Option<End>,
    entry: Arc<Entry>,
) -> Response
where
    H: Send + Sync + 'static,
{
    let (parts, body) = raw.into_parts();
    let held = Arc::new(held);
    if is(&parts.headers, "text/event-stream") {
        let mut response = match end {
            Some(end) => {
                // What goes on by itself was answered with its first byte.
                entry.end(Verdict::SUCCESS);
                reply::stream(hold(body.into_data_stream().take_until(end.come()), held, entry))
            }
            // The answer to one request: cut off, it would leave a client unsure of what was done.
            None => reply::stream(hold(body.into_data_stream(), held, entry)),
        };
        adopt(&mut response, parts.status, &parts.headers);
        return response;
    }
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    if parts.status.as_u16() >= 400 && !is(&parts.headers, "application/json") {
        return refuse(&fault(parts.status, &body, asked), id, &entry);
    }
    if verdict::of_body(&body, &entry) == Some(UNACCOUNTED.0) {
        return refuse(&Fault::AuditFull, id, &entry);
    }
    let body = settled(body, held.account.as_deref());
    let mut response = reply::bytes(parts.status, sent(body, &held));
    adopt(&mut response, parts.status, &parts.headers);
    response
}

/// The body is all that is left of the request: its memory is what counts from here on. What it was made in can be
/// twice as large.
fn settled(body: Bytes, account: Option<&Account>) -> Bytes {
    let Some(account) = account else { return body };
    let mut body = Vec::from(body);
    if body.len() > LARGE {
        body.shrink_to_fit();
    }
    account.settle(body.capacity());
    Bytes::from(body)
}

fn hold<S, H>(
    stream: S,
    held: Arc<Held<H>>,
    entry: Arc<Entry>,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + Sync
where
    S: Stream<Item = Result<Bytes, Infallible>> + Send + Sync,
    H: Send + Sync + 'static,
{
    stream.map(move |chunk| {
        chunk.map(|chunk| {
            verdict::of_events(&chunk, &entry);
            sent(chunk, &held)
        })
    })
}

fn adopt(response: &mut Response, status: StatusCode, headers: &HeaderMap) {
    *response.status_mut() = status;
    for name in ADOPTED {
        if let Some(value) = headers.get(name) {
            response.headers_mut().insert(HeaderName::from_static(name), value.clone());
        }
    }
}

fn is(headers: &HeaderMap, media_type: &str) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case(media_type)
}

/// rmcp refuses in plain text. `asked` is what it was asked.
fn fault(status: StatusCode, text: &Bytes, asked: &Bytes) -> Fault {
    let text = String::from_utf8_lossy(text);
    match status {
        StatusCode::NOT_FOUND => Fault::Session,
        // The media type was checked before: what rmcp could not read has a wrong form.
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Fault::Invalid { message: form_of(asked).into() },
        _ => {
            if status.is_server_error() {
                tracing::error!(error = %text, "rmcp could not serve a request");
            }
            let message = text.strip_prefix("Bad Request: ").unwrap_or(&text).to_owned();
            Fault::Engine { status, message }
        }
    }
}

/// What is wrong with a message that rmcp could not read. The edge looks at the outside of a message only: a
/// half of a surrogate, a number or a depth that no tree can hold shows when all of it is read.
fn form_of(asked: &Bytes) -> String {
    match serde_json::from_slice::<Value>(asked) {
        Ok(_) => "the message has a form that MCP does not know".to_owned(),
        Err(error) => format!("the message cannot be read: {error}"),
    }
}
