//! Bytes on a socket: what no well-behaved client would send, in HTTP/1 and HTTP/2.

#![allow(dead_code, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What HTTP/2 begins with: the preface and empty settings.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const GOAWAY: u8 = 7;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// What an HTTP/2 request was answered with.
#[derive(Debug, Default)]
pub struct Answer {
    /// The block of the head, as it came.
    pub head: Vec<u8>,
    pub body: String,
    /// The stream was reset, or the connection ended.
    pub reset: bool,
}

impl Answer {
    /// 400 stands in the static table of HPACK, at 12.
    pub fn is_400(&self) -> bool {
        self.head.first() == Some(&0x8c)
    }
}

/// Sends these bytes and reads until the server closes, or `within` has passed.
pub async fn send(to: SocketAddr, bytes: &[u8], within: Duration) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let mut answer = Vec::new();
    // A server that refuses early may close while the rest is still being sent.
    let _ = stream.write_all(bytes).await;
    let _ = tokio::time::timeout(within, stream.read_to_end(&mut answer)).await;
    answer
}

/// Sends an HTTP/1 request and reads its answer to the end, which the request has to ask for or deserve.
pub async fn http_1(to: SocketAddr, request: &str) -> String {
    String::from_utf8_lossy(&send(to, request.as_bytes(), Duration::from_secs(5)).await).into_owned()
}

/// A frame of HTTP/2.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A block of headers, each a literal that is not indexed (RFC 7541, section 6.2.2).
pub fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        for text in [name, value] {
            text_of(&mut block, text.as_bytes());
        }
    }
    block
}

fn text_of(block: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push(u8::try_from(length % 128).unwrap() | 128);
            length /= 128;
        }
        block.push(u8::try_from(length).unwrap());
    }
    block.extend(text);
}

/// Sends one HTTP/2 request without a body.
pub async fn http_2(to: SocketAddr, headers: &[(&str, &str)]) -> Answer {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let head = frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(headers));
    stream.write_all(&[PREFACE, &head].concat()).await.unwrap();
    let read = tokio::time::timeout(Duration::from_secs(5), answer(&mut stream));
    read.await.expect("no answer came")
}

async fn answer(stream: &mut TcpStream) -> Answer {
    let mut answer = Answer::default();
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            answer.reset = true;
            return answer;
        }
        let [a, b, c, kind, flags, ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).await.unwrap();
        match kind {
            HEADERS => answer.head = payload,
            DATA => answer.body.push_str(&String::from_utf8_lossy(&payload)),
            RST_STREAM | GOAWAY => answer.reset = true,
            _ => continue,
        }
        if answer.reset || (matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0) {
            return answer;
        }
    }
}
