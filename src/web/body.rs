//! Bounded reader of request bodies, in bytes and in time. warp's own reader is bounded in neither.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, Stream, StreamExt};

use super::http_fault::HttpFault;

/// The chunks of a body; an error means only that the client disconnected.
type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, warp::Error>> + Send>>;

/// Bounds of draining a body that is not needed, in bytes and in time. A socket that is closed with bytes unread
/// resets the connection, and the client, still writing, may never see its answer.
const MAX_DRAIN_BYTES: usize = 64 * 1024 * 1024;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle timeout of draining: such a client waits for the connection to close.
const MAX_DRAIN_PAUSE: Duration = Duration::from_secs(1);

/// UTF-8's byte order mark: some editors and Windows clients put it before JSON.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A streamed body. Dropped unread, the rest is drained in the background, within bounds.
pub(super) struct BodyStream {
    /// None once it has ended.
    chunks: Option<Chunks>,
    /// The client waits for `100 Continue` before it sends: nothing to drain.
    awaits_continue: bool,
}

/// Copies of a message's bytes in memory at once: as received, in its values, and on the way to Odoo.
const TEXT_COPIES: usize = 4;
/// Overhead of a value besides its text: once in the message, once in the call made of it.
const BYTES_PER_VALUE: usize = 160;

/// The memory that a message takes until it is answered. A body of nothing but commas takes forty times its length.
pub(super) fn memory_estimate(body: &[u8]) -> usize {
    let values = body.iter().filter(|byte| matches!(**byte, b',' | b'[' | b'{')).count();
    body.len().saturating_mul(TEXT_COPIES).saturating_add(values.saturating_mul(BYTES_PER_VALUE))
}

/// Reads all of `body`, however it is framed.
pub(super) async fn read(body: BodyStream, max_bytes: usize, timeout: Duration) -> Result<Bytes, HttpFault> {
    let mut reading = std::pin::pin!(collect(body, max_bytes));
    // Most bodies come with the headers: those need no timer.
    if let Some(read) = futures_util::future::poll_immediate(&mut reading).await {
        return read;
    }
    match tokio::time::timeout(timeout, reading).await {
        Ok(read) => read,
        Err(_) => Err(HttpFault::BodyTimeout),
    }
}

// === impl BodyStream ===

impl BodyStream {
    pub(super) fn new(chunks: Chunks, awaits_continue: bool) -> Self {
        Self { chunks: Some(chunks), awaits_continue }
    }

    async fn next(&mut self) -> Option<Result<Bytes, warp::Error>> {
        let next = self.chunks.as_mut()?.next().await;
        self.awaits_continue = false;
        if !matches!(next, Some(Ok(_))) {
            self.chunks = None;
        }
        next
    }
}

impl Drop for BodyStream {
    fn drop(&mut self) {
        let Some(mut chunks) = self.chunks.take().filter(|_| !self.awaits_continue) else { return };
        // Most requests that are answered unread have no body, or one that is there already.
        if let Some(None | Some(Err(_))) = chunks.next().now_or_never() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(DRAIN_TIMEOUT, drain(chunks)));
        }
    }
}

async fn drain(mut chunks: Chunks) {
    let mut drained = 0;
    while let Ok(Some(Ok(chunk))) = tokio::time::timeout(MAX_DRAIN_PAUSE, chunks.next()).await {
        drained += chunk.len();
        if drained > MAX_DRAIN_BYTES {
            return;
        }
    }
}

async fn collect(mut body: BodyStream, max_bytes: usize) -> Result<Bytes, HttpFault> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| HttpFault::InvalidRequest { message: "the body broke off".into() })?;
        if chunk.len() > max_bytes.saturating_sub(first.len() + rest.len()) {
            return Err(HttpFault::BodyTooLarge { max_bytes });
        }
        // Most bodies are one chunk, which then is not copied.
        if first.is_empty() {
            first = chunk;
        } else {
            rest.extend_from_slice(&chunk);
        }
    }
    if rest.is_empty() {
        return Ok(unmarked(first));
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(unmarked(whole.freeze()))
}

fn unmarked(mut body: Bytes) -> Bytes {
    if body.starts_with(BYTE_ORDER_MARK) {
        drop(body.split_to(BYTE_ORDER_MARK.len()));
    }
    body
}
