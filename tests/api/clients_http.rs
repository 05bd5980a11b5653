//! HTTP as clients speak it: marks, compression, a slash too many, and bodies that are still being sent.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::server::{LEGACY, Server, initialize, key, modern_body};

const MARK: &[u8] = b"\xef\xbb\xbf";

#[tokio::test]
async fn a_byte_order_mark_is_passed_over() {
    let server = Server::start().await;
    let list = modern_body("tools/list", Value::Null).to_string();
    let marked = server.modern(1, "tools/list", Value::Null).body([MARK, list.as_bytes()].concat());
    assert_eq!(server.ask(marked).await.status, 200);
    let opening = initialize(LEGACY).to_string();
    let marked = server.post(1, &Value::Null).body([MARK, opening.as_bytes()].concat());
    assert_eq!(server.ask(marked).await.json()["result"]["protocolVersion"], LEGACY);
    // The id is echoed to a caller without a credential, too.
    let bare = server.http.post(server.url()).body([MARK, list.as_bytes()].concat());
    let answer = server.ask(bare).await;
    assert_eq!((answer.status, &answer.json()["id"]), (401, &Value::from(1)));
    // One mark, at the start; another encoding is no JSON.
    for body in
        [[MARK, MARK, list.as_bytes()].concat(), [list.as_bytes(), MARK].concat(), b"\xff\xfe{\0}\0".to_vec()]
    {
        let answer = server.ask(server.modern(1, "tools/list", Value::Null).body(body)).await;
        assert_eq!((answer.status, answer.code()), (400, -32700), "{answer:?}");
    }
}

#[tokio::test]
async fn compressed_bodies_are_refused_in_json() {
    let server = Server::start().await;
    for encoding in ["gzip", "GZIP", "br", "deflate", "zstd", "gzip, identity", "identity, gzip"] {
        let asked = server.modern(1, "tools/list", Value::Null).header("content-encoding", encoding);
        let answer = server.ask(asked.body(vec![0x1f, 0x8b, 8, 0])).await;
        assert_eq!((answer.status, answer.reason().as_str()), (415, "content_encoding"), "{encoding}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("accept-encoding"), "identity");
    }
    for plain in ["identity", "Identity", ""] {
        let asked = server.modern(1, "tools/list", Value::Null).header("content-encoding", plain);
        assert_eq!(server.ask(asked).await.status, 200, "{plain}");
    }
}

#[tokio::test]
async fn a_slash_behind_the_address_is_the_same_address() {
    let server = Server::start().await;
    let url = format!("{}/", server.url());
    let list = server.modern(1, "tools/list", Value::Null).build().unwrap();
    let mut slashed = list.try_clone().unwrap();
    *slashed.url_mut() = url.parse().unwrap();
    let [one, other] =
        [server.http.execute(list).await.unwrap(), server.http.execute(slashed).await.unwrap()];
    assert_eq!((one.status(), other.status()), (http::StatusCode::OK, http::StatusCode::OK));
    assert_eq!(one.text().await.unwrap(), other.text().await.unwrap());
    // Guards and sessions are the same as well.
    assert_eq!(server.ask(server.http.post(&url)).await.status, 401);
    let mut opening = server.post(1, &initialize(LEGACY)).build().unwrap();
    *opening.url_mut() = url.parse().unwrap();
    let opened = server.http.execute(opening).await.unwrap();
    let session = opened.headers()["mcp-session-id"].to_str().unwrap().to_owned();
    assert_eq!(
        server
            .ask(server.http.delete(&url).bearer_auth(key(1)).header("mcp-session-id", session))
            .await
            .status,
        204
    );
    for path in ["//", "/x", "/.", "/x/"] {
        let answer =
            server.ask(server.http.post(format!("{}{path}", server.url())).bearer_auth(key(1))).await;
        assert_eq!(answer.status, if path == "/." { 415 } else { 404 }, "{path}");
    }
}

/// Sends a head and then a whole body before it reads, as simple clients do; what it reads.
async fn written_first(server: &Server, head: &str, body: &[u8]) -> std::io::Result<String> {
    let mut socket = TcpStream::connect(server.running.public_addr()).await?;
    let head =
        format!("POST /odoo/mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{head}\r\n");
    socket.write_all(head.as_bytes()).await?;
    for chunk in body.chunks(16 * 1024) {
        socket.write_all(chunk).await?;
        tokio::task::yield_now().await;
    }
    let mut text = Vec::new();
    let mut part = [0; 4096];
    while !text.ends_with(b"}") {
        match tokio::time::timeout(Duration::from_secs(5), socket.read(&mut part)).await? {
            Ok(0) => break,
            Ok(read) => text.extend_from_slice(&part[..read]),
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn a_client_that_is_still_writing_reads_its_refusal() {
    let server = Server::start().await;
    let large = vec![b' '; 24 << 20];
    let length = format!("Content-Length: {}\r\n", large.len());
    let authorized = format!("Authorization: Bearer {}\r\n", key(1));
    for (head, status) in [
        (format!("{authorized}{length}"), "413"),
        (length.clone(), "401"),
        (format!("{length}Origin: https://evil.example\r\n"), "403"),
    ] {
        let answer = written_first(&server, &head, &large).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("application/json") && answer.ends_with('}'), "{answer}");
    }
    // Within the bound, refused for other reasons.
    let whole = vec![b' '; 3 << 20];
    let length = format!("Content-Length: {}\r\n", whole.len());
    for (head, status) in [
        (length.clone(), "401"),
        (format!("{length}Authorization: Bearer nonsense\r\n"), "401"),
        (format!("{length}{authorized}Content-Encoding: gzip\r\n"), "415"),
        (format!("{length}Host: two\r\n"), "400"),
    ] {
        let answer = written_first(&server, &head, &whole).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.ends_with('}'), "{answer}");
    }
}

#[tokio::test]
async fn chunks_beyond_the_bound_are_refused_readably() {
    let server = Server::start().await;
    let chunk = [b"100000\r\n".to_vec(), vec![b' '; 1 << 20], b"\r\n".to_vec()].concat();
    let body = [chunk.repeat(24), b"0\r\n\r\n".to_vec()].concat();
    let head = format!("Authorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n", key(1));
    let answer = written_first(&server, &head, &body).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("body_too_large"), "{answer}");
}

/// A client that asks first gets its answer at once and sends nothing.
#[tokio::test]
async fn a_client_that_waits_to_be_asked_is_not_waited_for() {
    let server = Server::start().await;
    let head = "Content-Length: 99999999\r\nExpect: 100-continue\r\n";
    let authorized = format!("Authorization: Bearer {}\r\n{head}", key(1));
    for (head, status) in [(head, 401), (&*authorized, 413)] {
        let began = std::time::Instant::now();
        let answer = written_first(&server, head, b"").await.unwrap();
        let expected = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&expected) && !answer.contains("100 Continue"), "{answer}");
        assert!(began.elapsed() < Duration::from_secs(3));
    }
}

/// After a refusal that was drained, the connection goes on.
#[tokio::test]
async fn a_drained_connection_is_used_again() {
    let server = Server::start().await;
    for _ in 0..3 {
        let large = server.http.post(server.url()).bearer_auth(key(1)).body(vec![b' '; 8 << 20]);
        let large = server.ask(large.header("content-type", "application/json")).await;
        assert_eq!((large.status, large.reason().as_str()), (413, "body_too_large"));
        assert_eq!(server.ask(server.modern(1, "tools/list", Value::Null)).await.status, 200);
    }
}
