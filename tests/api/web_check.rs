//! Connection check: what a sidecar reports of itself through proxies of several kinds.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use odoo_mcp_sidecar::vocab::Proof;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::server::{Server, until};

/// What a proxy does with a request: answers it itself, or passes it on, changed perhaps.
type Rule = fn(&str) -> Proxied;

enum Proxied {
    Passed(String),
    Answered(&'static str),
    /// The answer is held back until it has ended.
    Held,
}

/// A sidecar behind a proxy at its public URL.
async fn behind(rule: Rule) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let target = Arc::new(OnceLock::new());
    tokio::spawn(forward(listener, Arc::clone(&target), rule));
    let server = Server::with(|config| {
        config.server.public_url = origin;
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;
    target.set(server.running.public_addr()).unwrap();
    server
}

async fn forward(listener: TcpListener, target: Arc<OnceLock<SocketAddr>>, rule: Rule) {
    while let Ok((client, _)) = listener.accept().await {
        let target = Arc::clone(&target);
        tokio::spawn(async move { forward_one(client, *target.get().unwrap(), rule).await });
    }
}

/// Forwards one request of one connection, which then closes.
async fn forward_one(mut client: TcpStream, target: SocketAddr, rule: Rule) -> Option<()> {
    let mut request = Vec::new();
    let mut part = [0; 8192];
    loop {
        let read = client.read(&mut part).await.ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            break;
        }
    }
    let text = String::from_utf8(request).unwrap();
    let (passed, held) = match rule(&text) {
        Proxied::Answered(answer) => {
            client.write_all(answer.as_bytes()).await.ok()?;
            return None;
        }
        Proxied::Passed(changed) => (changed, false),
        Proxied::Held => (text, true),
    };
    let mut server = TcpStream::connect(target).await.ok()?;
    server.write_all(passed.replacen("\r\n", "\r\nconnection: close\r\n", 1).as_bytes()).await.ok()?;
    if held {
        let mut all = Vec::new();
        server.read_to_end(&mut all).await.ok()?;
        client.write_all(&all).await.ok()?;
    } else {
        tokio::io::copy(&mut server, &mut client).await.ok()?;
    }
    None
}

fn passed(request: &str) -> Proxied {
    Proxied::Passed(request.to_owned())
}

/// The results of one check, by name.
async fn check(server: &Server) -> Value {
    let id = server.odoo.start_check();
    until("the check is reported", || async { server.odoo.count("report_check") > 0 }).await;
    let report = server.odoo.requests("report_check").pop().unwrap();
    assert_eq!(report["check"], id.to_string());
    let begun = server.odoo.requests("begin_check");
    assert_eq!(
        (begun.len(), &begun[0]["check"], &begun[0]["replica"]),
        (1, &report["check"], &report["replica"])
    );
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 10, "{results:?}");
    results.iter().map(|row| (row["name"].as_str().unwrap().to_owned(), row.clone())).collect()
}

#[track_caller]
fn found(results: &Value, name: &str, status: &str, code: Option<&str>) {
    let row = &results[name];
    assert_eq!((row["status"].as_str().unwrap(), row["code"].as_str()), (status, code), "{row}");
}

#[tokio::test]
async fn a_good_proxy_is_found_good() {
    let server = behind(passed).await;
    let results = check(&server).await;
    for name in [
        "address",
        "reachable",
        "resource_metadata",
        "server_metadata",
        "oauth_paths",
        "challenge",
        "session",
        "stream",
        "proxy",
    ] {
        found(&results, name, "ok", None);
    }
    assert!(results["address"]["data"]["address"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    // The clock of the fake Odoo stands still.
    found(&results, "clock", "warning", Some("skew"));
    assert!(results["clock"]["data"]["seconds"].as_i64().unwrap() > 30);
    // Each check once, though `changes` goes on naming it.
    server.until_followed().await;
    assert_eq!(server.odoo.count("begin_check"), 1);
    server.odoo.start_check();
    until("the next one is reported", || async { server.odoo.count("report_check") == 2 }).await;
}

#[tokio::test]
async fn the_key_of_a_check_is_made_here_and_new_each_time() {
    let server = behind(passed).await;
    check(&server).await;
    server.odoo.start_check();
    until("the next one is reported", || async { server.odoo.count("report_check") == 2 }).await;
    let begun = server.odoo.requests("begin_check");
    assert_ne!(begun[0]["proof"], begun[1]["proof"]);
    assert!(Proof::of_text("x").to_hex().len() == begun[0]["proof"].as_str().unwrap().len());
    let sent = json!([server.odoo.requests("begin_check"), server.odoo.requests("report_check")]).to_string();
    assert!(!sent.contains("mcp_ak_"), "{sent}");
}

#[tokio::test]
async fn a_check_that_odoo_does_not_accept_is_not_made() {
    let server = behind(passed).await;
    server.odoo.on("begin_check", |_| json!({"accepted": false}));
    server.odoo.start_check();
    until("it is asked for", || async { server.odoo.count("begin_check") == 1 }).await;
    server.until_followed().await;
    assert_eq!(server.odoo.count("report_check"), 0);
}

#[tokio::test]
async fn a_proxy_that_drops_the_key_is_found() {
    let server = behind(|request| Proxied::Passed(request.replace("authorization:", "x-was-dropped:"))).await;
    let results = check(&server).await;
    found(&results, "session", "failed", Some("header_dropped"));
    found(&results, "challenge", "ok", None);
    found(&results, "stream", "skipped", None);
}

#[tokio::test]
async fn odoo_in_place_of_the_sidecar_is_found() {
    const PAGE: &str = "HTTP/1.1 404 NOT FOUND\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: 15\r\n\
                        connection: close\r\n\r\n<!doctype html>";
    let server = behind(|request| {
        let path = request.split(' ').nth(1).unwrap();
        if path == "/odoo/mcp" { passed(request) } else { Proxied::Answered(PAGE) }
    })
    .await;
    let results = check(&server).await;
    for name in ["resource_metadata", "server_metadata", "oauth_paths"] {
        found(&results, name, "failed", Some("html"));
        assert_eq!(results[name]["data"]["status"], 404);
    }
    found(&results, "reachable", "ok", None);
    found(&results, "session", "ok", None);
}

#[tokio::test]
async fn another_server_a_redirect_and_a_status_are_found() {
    const OTHER: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 52\r\nconnection: close\r\n\r\n\
                         {\"resource\":\"https://other.example.com/odoo/mcp\"   }";
    const MOVED: &str = "HTTP/1.1 301 Moved\r\nlocation: https://www.example.com/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const BROKEN: &str = "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/plain\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let server = behind(|request| match request.split(' ').nth(1).unwrap() {
        "/.well-known/oauth-protected-resource/odoo/mcp" => Proxied::Answered(OTHER),
        "/.well-known/oauth-authorization-server" => Proxied::Answered(MOVED),
        "/odoo/mcp" => Proxied::Answered(BROKEN),
        _ => passed(request),
    })
    .await;
    let results = check(&server).await;
    found(&results, "resource_metadata", "failed", Some("not_ours"));
    assert_eq!(results["resource_metadata"]["data"]["found"], "https://other.example.com/odoo/mcp");
    found(&results, "server_metadata", "failed", Some("redirect"));
    assert_eq!(results["server_metadata"]["data"]["location"], "https://www.example.com/");
    for name in ["challenge", "session"] {
        found(&results, name, "failed", Some("status"));
        assert_eq!(results[name]["data"]["status"], 502);
    }
    found(&results, "oauth_paths", "ok", None);
}

#[tokio::test]
async fn a_proxy_that_holds_streams_back_is_found() {
    let server = behind(|request| {
        let is_stream = request.starts_with("GET /odoo/mcp ");
        if is_stream { Proxied::Held } else { passed(request) }
    })
    .await;
    let results = check(&server).await;
    found(&results, "session", "ok", None);
    found(&results, "stream", "warning", Some("buffered"));
}

#[tokio::test]
async fn a_missing_challenge_and_a_switched_off_oauth_are_told_apart() {
    let server = behind(passed).await;
    server.odoo.settings(|settings| settings["enable_oauth"] = json!(false));
    server.until_followed().await;
    let results = check(&server).await;
    for name in ["resource_metadata", "server_metadata", "oauth_paths"] {
        found(&results, name, "skipped", Some("oauth_off"));
    }
    found(&results, "challenge", "ok", None);

    const BARE: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: 23\r\n\
                        connection: close\r\n\r\n{\"error\":{\"code\":1003}}";
    let server = behind(|request| {
        let is_bare = request.contains("tools/list") && !request.contains("authorization:");
        if is_bare { Proxied::Answered(BARE) } else { passed(request) }
    })
    .await;
    found(&check(&server).await, "challenge", "failed", Some("no_header"));
}

#[tokio::test]
async fn nothing_at_the_public_url_is_found() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::with(|config| config.server.public_url = format!("http://{free}")).await;
    let results = check(&server).await;
    found(&results, "reachable", "failed", Some("refused"));
    for name in ["resource_metadata", "server_metadata", "oauth_paths", "challenge", "session", "stream"] {
        found(&results, name, "skipped", None);
    }
    // A switched-off server looks no different from outside: the call through it says so.
    let server = behind(passed).await;
    server.odoo.on("execute", |_| crate::support::fake_odoo::Reply::fault("access_denied", json!({})));
    server.odoo.on("execute_batch", |_| crate::support::fake_odoo::Reply::fault("access_denied", json!({})));
    found(&check(&server).await, "session", "failed", Some("tool_error"));
}
