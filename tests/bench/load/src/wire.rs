//! One HTTP/1 connection: sends bytes, finds the end of the answer, counts what crossed the wire.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MAX_HEADERS: usize = 64;

/// A connection that is opened when it is needed and kept as long as the server allows.
pub struct Connection {
    authority: String,
    timeout: Duration,
    stream: Option<TcpStream>,
    /// Everything received of the current answer.
    received: Vec<u8>,
    /// Its body where it came in chunks.
    joined: Vec<u8>,
    pub connects: usize,
}

/// One answer.
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
    /// Head, framing and body.
    pub wire_bytes: usize,
}

struct Head {
    status: u16,
    length: usize,
    framing: Framing,
    keep: bool,
}

enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// Where the current answer stands.
enum Progress {
    More,
    Done,
}

// === impl Connection ===

impl Connection {
    pub fn new(authority: &str, timeout: Duration) -> Self {
        Self {
            authority: authority.to_owned(),
            timeout,
            stream: None,
            received: Vec::with_capacity(64 * 1024),
            joined: Vec::new(),
            connects: 0,
        }
    }

    /// Send one request and wait for the whole answer.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        let timeout = self.timeout;
        match tokio::time::timeout(timeout, self.attempt(request)).await {
            Ok(Ok(head)) => Ok(self.answer(&head)),
            Ok(Err(error)) => {
                self.stream = None;
                Err(error)
            }
            Err(_) => {
                self.stream = None;
                bail!("no answer within {} s", timeout.as_secs_f64())
            }
        }
    }

    async fn attempt(&mut self, request: &[u8]) -> Result<Head> {
        let reused = self.stream.is_some();
        match self.once(request).await {
            // The server may have closed a kept connection just before: that is how keep-alive works.
            Err(_) if reused && self.received.is_empty() => {
                self.stream = None;
                self.once(request).await
            }
            outcome => outcome,
        }
    }

    async fn once(&mut self, request: &[u8]) -> Result<Head> {
        self.received.clear();
        if self.stream.is_none() {
            let stream = TcpStream::connect(&self.authority).await.context("connect")?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
            self.connects += 1;
        }
        let Some(stream) = self.stream.as_mut() else { bail!("not connected") };
        stream.write_all(request).await.context("send")?;
        let mut head = None;
        loop {
            let read = stream.read_buf(&mut self.received).await.context("receive")?;
            if head.is_none() {
                head = parse_head(&self.received)?;
            }
            let progress = match &head {
                Some(head) => body_progress(head, &self.received, &mut self.joined)?,
                None => Progress::More,
            };
            match (progress, head) {
                (Progress::Done, Some(head)) => return Ok(self.finish(head)),
                (_, Some(head)) if read == 0 && matches!(head.framing, Framing::UntilClose) => {
                    return Ok(self.finish(Head { keep: false, ..head }));
                }
                (_, parsed) if read > 0 => head = parsed,
                _ => bail!("the connection ended in mid-answer"),
            }
        }
    }

    fn finish(&mut self, head: Head) -> Head {
        if !head.keep {
            self.stream = None;
        }
        head
    }

    fn answer(&self, head: &Head) -> Answer<'_> {
        let body = match head.framing {
            Framing::Chunked => self.joined.as_slice(),
            Framing::Length(length) => &self.received[head.length..head.length + length],
            Framing::UntilClose => &self.received[head.length..],
        };
        Answer { status: head.status, body, wire_bytes: self.received.len() }
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(bytes).context("head of the answer")? else {
        return Ok(None);
    };
    let value = |name: &str| {
        let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok().map(|text| text.trim().to_ascii_lowercase())
    };
    let chunked = value("transfer-encoding").is_some_and(|text| text.contains("chunked"));
    let framing = match value("content-length") {
        _ if chunked => Framing::Chunked,
        Some(text) => Framing::Length(text.parse().context("Content-Length")?),
        None => Framing::UntilClose,
    };
    let keep = match value("connection") {
        Some(text) => text.contains("keep-alive") || (response.version == Some(1) && !text.contains("close")),
        None => response.version == Some(1),
    };
    Ok(Some(Head { status: response.code.unwrap_or(0), length, framing, keep }))
}

fn body_progress(head: &Head, received: &[u8], joined: &mut Vec<u8>) -> Result<Progress> {
    let body = &received[head.length..];
    Ok(match head.framing {
        Framing::Length(length) if body.len() >= length => Progress::Done,
        Framing::Chunked => join_chunks(body, joined)?,
        _ => Progress::More,
    })
}

/// Join the chunks; starts over each time, which is cheap because answers arrive in few reads.
fn join_chunks(mut body: &[u8], joined: &mut Vec<u8>) -> Result<Progress> {
    if !body.ends_with(b"0\r\n\r\n") {
        return Ok(Progress::More);
    }
    joined.clear();
    loop {
        let (start, length) = match httparse::parse_chunk_size(body) {
            Ok(httparse::Status::Complete((start, length))) => (start, length as usize),
            Ok(httparse::Status::Partial) => return Ok(Progress::More),
            Err(_) => bail!("a malformed chunk"),
        };
        if body.len() < start + length + 2 {
            return Ok(Progress::More);
        }
        if length == 0 {
            return Ok(Progress::Done);
        }
        joined.extend_from_slice(&body[start..start + length]);
        body = &body[start + length + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    const REQUEST: &[u8] = b"POST / HTTP/1.1\r\n\r\n";

    async fn answered_with(bytes: &'static [u8]) -> Result<(u16, Vec<u8>, usize)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let authority = listener.local_addr()?.to_string();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            stream.read_exact(&mut [0; REQUEST.len()]).await?;
            // In two writes, so that the end is not in the first read.
            let (first, second) = bytes.split_at(bytes.len() - 3);
            stream.write_all(first).await?;
            tokio::time::sleep(Duration::from_millis(5)).await;
            stream.write_all(second).await
        });
        let mut connection = Connection::new(&authority, Duration::from_secs(2));
        let answer = connection.exchange(REQUEST).await?;
        let result = (answer.status, answer.body.to_vec(), answer.wire_bytes);
        server.await??;
        Ok(result)
    }

    #[tokio::test]
    async fn length_chunks_and_close_end_a_body() {
        let (status, body, wire) =
            answered_with(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await.unwrap();
        assert_eq!((status, body.as_slice(), wire), (200, b"hello".as_slice(), 43));
        let chunks = b"HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
        let (status, body, _) = answered_with(chunks).await.unwrap();
        assert_eq!((status, body.as_slice()), (401, b"hello".as_slice()));
        let (_, body, _) = answered_with(b"HTTP/1.0 200 OK\r\n\r\nhello").await.unwrap();
        assert_eq!(body, b"hello");
    }

    #[tokio::test]
    async fn half_an_answer_is_an_error() {
        assert!(answered_with(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello").await.is_err());
    }
}
