//! Reads a request's body: bounded in bytes and in time. warp's own reader is bounded in neither.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, Stream, StreamExt};

use super::fault::Fault;

/// A body as it comes in; the error says only that the client broke off.
type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, warp::Error>> + Send>>;

/// How much of a body that is not wanted is read all the same, and for how long. A socket that is closed with bytes
/// unread resets the connection, and the client, still writing, may never see its answer.
const MOST_DRAINED: usize = 64 * 1024 * 1024;
const LONGEST_DRAIN: Duration = Duration::from_secs(5);
/// A client that sends nothing for so long waits for the connection to close.
const MAX_DRAIN_PAUSE: Duration = Duration::from_secs(1);

/// UTF-8's byte order mark: some editors and Windows clients put it before JSON.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A body as it comes in. What is left of it when it is dropped is drained, within bounds, beside the answer.
pub struct Incoming {
    /// None once it has ended.
    chunks: Option<Chunks>,
    /// The client sends nothing before it is asked to: there is nothing to drain.
    waits: bool,
}

/// How often the bytes of a message are there at once: as it came, in its values, and on its way to Odoo.
const TEXTS: usize = 4;
/// What a value of a message takes besides its text: one in the message, one in the call that is made of it.
const VALUE: usize = 160;

/// The memory that a message takes until it is answered. A body of nothing but commas takes forty times its length.
pub fn weight(body: &[u8]) -> usize {
    let values = body.iter().filter(|byte| matches!(**byte, b',' | b'[' | b'{')).count();
    body.len().saturating_mul(TEXTS).saturating_add(values.saturating_mul(VALUE))
}

/// Reads all of `body`, however it is framed.
pub async fn read(body: Incoming, most: usize, within: Duration) -> Result<Bytes, Fault> {
    let mut reading = std::pin::pin!(collect(body, most));
    // Most bodies come with the headers: those need no timer.
    if let Some(read) = futures_util::future::poll_immediate(&mut reading).await {
        return read;
    }
    match tokio::time::timeout(within, reading).await {
        Ok(read) => read,
        Err(_) => Err(Fault::SlowBody),
    }
}

// === impl Incoming ===

impl Incoming {
    pub fn new(chunks: Chunks, waits: bool) -> Self {
        Self { chunks: Some(chunks), waits }
    }

    async fn next(&mut self) -> Option<Result<Bytes, warp::Error>> {
        let next = self.chunks.as_mut()?.next().await;
        self.waits = false;
        if !matches!(next, Some(Ok(_))) {
            self.chunks = None;
        }
        next
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let Some(mut chunks) = self.chunks.take().filter(|_| !self.waits) else { return };
        // Most requests that are answered unread have no body, or one that is there already.
        if let Some(None | Some(Err(_))) = chunks.next().now_or_never() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(LONGEST_DRAIN, drain(chunks)));
        }
    }
}

async fn drain(mut chunks: Chunks) {
    let mut drained = 0;
    while let Ok(Some(Ok(chunk))) = tokio::time::timeout(MAX_DRAIN_PAUSE, chunks.next()).await {
        drained += chunk.len();
        if drained > MOST_DRAINED {
            return;
        }
    }
}

async fn collect(mut body: Incoming, most: usize) -> Result<Bytes, Fault> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| Fault::Invalid { message: "the body broke off".into() })?;
        if chunk.len() > most.saturating_sub(first.len() + rest.len()) {
            return Err(Fault::TooLarge { most });
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
