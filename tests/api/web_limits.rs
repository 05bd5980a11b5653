//! Bounds of the edge, tried on bare sockets.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::server::{Server, key, modern_body, request, until};

const SHORT: Duration = Duration::from_millis(300);

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.running.public_addr()).await.unwrap()
}

/// Everything that comes until the server closes; fails if it does not within five seconds.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut text));
    // A reset closes as well.
    let _ = read.await.expect("the server did not close the connection");
    String::from_utf8_lossy(&text).into_owned()
}

fn head(extra: &str) -> String {
    format!(
        "POST /odoo/mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n{extra}\r\n",
        key(1)
    )
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let server = Server::with(|config| config.limits.first_byte_timeout = SHORT).await;
    let (mut stream, start) = (connect(&server).await, Instant::now());
    assert_eq!(rest(&mut stream).await, "");
    assert!(start.elapsed() >= SHORT && start.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn slow_headers_are_given_up() {
    let server = Server::with(|config| config.limits.header_timeout = SHORT).await;
    // The last is half a preface of HTTP/2, which hyper by itself would wait for without end.
    for part in ["P", "POST /odoo/mcp HTTP/1.1\r\nHost: loc", "PRI * HTTP/2.0\r\n"] {
        let (mut stream, start) = (connect(&server).await, Instant::now());
        stream.write_all(part.as_bytes()).await.unwrap();
        rest(&mut stream).await;
        assert!(start.elapsed() >= SHORT && start.elapsed() < Duration::from_secs(3), "{part}");
    }
}

#[tokio::test]
async fn a_slow_body_is_told_408() {
    let server = Server::with(|config| config.limits.body_timeout = SHORT).await;
    let mut stream = connect(&server).await;
    stream.write_all(head("Content-Length: 100\r\n").as_bytes()).await.unwrap();
    stream.write_all(b"{\"jsonrpc\"").await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("\"reason\":\"body_timeout\""), "{answer}");
}

#[tokio::test]
async fn a_chunked_body_is_read() {
    let server = Server::start().await;
    let body = modern_body("tools/list", Value::Null).to_string();
    let (first, second) = body.split_at(20);
    let mut stream = connect(&server).await;
    let request = format!(
        "{}{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        head("Transfer-Encoding: chunked\r\nConnection: close\r\n"),
        first.len(),
        second.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"tools\""), "{answer}");
}

#[tokio::test]
async fn a_large_body_is_refused_announced_or_not() {
    let server = Server::with(|config| config.limits.max_body_bytes = 1000).await;
    let large = request("tools/list", json!({"x": "y".repeat(2000)}));
    let answer = server.ask(server.post(1, &large)).await;
    assert_eq!((answer.status, answer.reason().as_str()), (413, "body_too_large"));
    let mut stream = connect(&server).await;
    let chunk = "z".repeat(600);
    let chunked = format!(
        "{}258\r\n{chunk}\r\n258\r\n{chunk}\r\n",
        head("Transfer-Encoding: chunked\r\nConnection: close\r\n")
    );
    stream.write_all(chunked.as_bytes()).await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 413"));
    assert_eq!(server.ask(server.modern(1, "tools/list", Value::Null)).await.status, 200);
}

#[tokio::test]
async fn nobody_unknown_makes_us_read_a_large_body() {
    let server = Server::start().await;
    let large = request("tools/list", json!({"x": "y".repeat(1_000_000)}));
    let bare =
        server.http.post(server.url()).header("content-type", "application/json").body(large.to_string());
    // The rest of the body is not read, so the answer may meet a reset.
    if let Ok(answer) = bare.send().await {
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.json::<Value>().await.unwrap()["id"], Value::Null);
    }
}

#[tokio::test]
async fn too_many_header_bytes_are_refused() {
    let server = Server::with(|config| config.limits.max_header_bytes = 8192).await;
    let padded = server.modern(1, "tools/list", Value::Null).header("x-padding", "p".repeat(10_000));
    assert_eq!(server.ask(padded).await.status, 431);
}

#[tokio::test]
async fn connections_beyond_the_cap_are_told_and_closed() {
    let server = Server::with(|config| config.limits.max_connections = 2).await;
    let held = [connect(&server).await, connect(&server).await];
    let mut third = connect(&server).await;
    assert!(rest(&mut third).await.starts_with("HTTP/1.1 503"));
    // Health has places of its own.
    assert_eq!(server.get("/healthz").await.status, 200);
    drop(held);
    until("a place is free", || async {
        server.modern(1, "tools/list", Value::Null).send().await.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
}

#[tokio::test]
async fn http_2_without_tls_is_served() {
    let server = Server::start().await;
    let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let request = server.modern(1, "tools/list", Value::Null).build().unwrap();
    let answer = http.execute(request).await.unwrap();
    assert_eq!((answer.version(), answer.status().as_u16()), (reqwest::Version::HTTP_2, 200));
}

#[tokio::test]
async fn a_client_that_leaves_cancels_a_modern_call() {
    let (server, bell) = Server::waiting(|_| {}).await;
    let call = tokio::spawn(server.wait_call(1).send());
    until("the call waits", || async { bell.waiting() == 1 }).await;
    call.abort();
    until("it is cancelled", || async { bell.cancelled.load(std::sync::atomic::Ordering::SeqCst) == 1 })
        .await;
}
