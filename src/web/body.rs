//! Reads a request's body: bounded in bytes and in time. warp's own reader is bounded in neither.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};

use super::fault::Fault;

/// A body as it comes in; the error says only that the client broke off.
pub type Incoming = Pin<Box<dyn Stream<Item = Result<Bytes, warp::Error>> + Send>>;

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
