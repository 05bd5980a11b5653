//! Reads a request's body: bounded in bytes and in time. warp's own reader is bounded in neither.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};

use super::fault::Fault;

/// A body as it comes in; the error says only that the client broke off.
pub type Incoming = Pin<Box<dyn Stream<Item = Result<Bytes, warp::Error>> + Send>>;

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
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}
