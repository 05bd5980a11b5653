//! Request targets, `Host` and `Origin` as bytes on a socket: both listeners, HTTP/1 and HTTP/2.

use std::net::SocketAddr;

use crate::support::panics;
use crate::support::raw::{http_1, http_2};
use crate::support::server::{Server, key};

/// Whatever a test here sends, no task may panic. Each test has a process of its own under nextest.
async fn server() -> Server {
    panics::watch();
    Server::with(|config| {
        config.server.allowed_hosts = vec!["metrics.internal".into()];
        config.server.wake_url = Some("http://sidecar:8766/wake".into());
    })
    .await
}

async fn is_well(server: &Server) {
    assert_eq!(server.get("/healthz").await.status, 200);
    let list = server.modern(1, "tools/list", serde_json::Value::Null);
    assert_eq!(server.ask(list).await.status, 200);
    assert_eq!(panics::count(), 0, "a task panicked");
}

fn listeners(server: &Server) -> [(SocketAddr, &'static str); 2] {
    [(server.running.public_addr(), "/odoo/mcp"), (server.running.admin_addr(), "/readyz")]
}

/// A line of a status and a reason in the body.
fn is(answer: &str, status: u16, reason: &str) -> bool {
    answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(&format!("\"reason\":\"{reason}\""))
}

fn get(target: &str, host: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn targets_that_are_no_path_are_refused() {
    let server = server().await;
    for (to, path) in listeners(&server) {
        for request in [
            "CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n".to_owned(),
            "CONNECT 10.0.0.1:25 HTTP/1.1\r\nHost: 10.0.0.1:25\r\n\r\nEHLO there\r\n".to_owned(),
            "CONNECT [::1]:443 HTTP/1.0\r\n\r\n".to_owned(),
            format!("CONNECT {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            format!("CONNECT http://localhost{path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            get("localhost:80", "localhost"),
            get("localhost", "localhost"),
            "POST odoo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
            get("*", "localhost"),
            get(&format!("ftp://localhost{path}"), "localhost"),
            get("http://localhost?x", "localhost"),
        ] {
            let answer = http_1(to, &request).await;
            assert!(is(&answer.replace("HTTP/1.0", "HTTP/1.1"), 400, "request_target"), "{request}{answer}");
            // What follows is no request.
            assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
            assert_eq!(answer.matches("HTTP/1.").count(), 1, "{answer}");
        }
        // What the parser refuses by itself has no body.
        for target in ["", "http://", "http:///x", "odoo/mcp", "a b", "/\0", "/%", "//", "/x\u{7f}"] {
            let answer = http_1(to, &get(target, "localhost")).await;
            assert!(!answer.starts_with("HTTP/1.1 2"), "{target}: {answer}");
        }
    }
    is_well(&server).await;
}

#[tokio::test]
async fn targets_of_http_2_that_are_no_path_are_refused() {
    let server = server().await;
    for (to, path) in listeners(&server) {
        for headers in [
            vec![(":method", "CONNECT"), (":authority", "localhost:443")],
            vec![(":method", "CONNECT"), (":authority", "10.0.0.1:25"), ("host", "localhost")],
            vec![(":method", "CONNECT")],
            vec![(":method", "GET"), (":scheme", "http")],
            vec![(":method", "GET"), (":scheme", "http"), ("host", "localhost")],
            vec![(":method", "OPTIONS"), (":scheme", "http"), (":authority", "localhost"), (":path", "*")],
            vec![(":method", "GET"), (":scheme", "ftp"), (":authority", "localhost"), (":path", path)],
        ] {
            let answer = http_2(to, &headers).await;
            let refused = answer.is_400() && answer.body.contains("\"reason\":\"request_target\"");
            assert!(refused, "{headers:?} {answer:?}");
        }
        // Malformed by RFC 9113, section 8.3: the stream or the connection ends.
        for headers in [
            vec![(":method", "GET"), (":scheme", "http"), (":authority", "localhost")],
            vec![(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "")],
            vec![(":method", "GET"), (":authority", "localhost"), (":path", path)],
            vec![(":scheme", "http"), (":authority", "localhost"), (":path", path)],
            vec![(":method", "CONNECT"), (":scheme", "http"), (":authority", "localhost"), (":path", path)],
            vec![
                (":method", "CONNECT"),
                (":protocol", "websocket"),
                (":scheme", "http"),
                (":authority", "localhost"),
                (":path", path),
            ],
            vec![(":method", "GET"), (":scheme", "http"), (":authority", "a b"), (":path", path)],
            vec![(":method", "GET"), (":scheme", "1"), (":authority", "localhost"), (":path", path)],
            vec![(":method", "GET"), (":scheme", "http"), (":authority", ""), (":path", path)],
        ] {
            let answer = http_2(to, &headers).await;
            assert!(answer.reset || answer.is_400(), "{headers:?} {answer:?}");
        }
    }
    is_well(&server).await;
}

#[tokio::test]
async fn very_long_targets_and_fragments_do_no_harm() {
    let server = server().await;
    for (to, path) in listeners(&server) {
        for length in [8_000, 31_000, 33_000, 66_000, 200_000] {
            let answer = http_1(to, &get(&format!("/{}", "a".repeat(length)), "localhost")).await;
            let refused =
                ["404", "414", "431"].iter().any(|status| answer.starts_with(&format!("HTTP/1.1 {status}")));
            assert!(refused || answer.is_empty(), "{length}: {answer}");
            let long = "a".repeat(length.min(16_000));
            let target = format!("/{long}");
            let headers = [
                (":method", "GET"),
                (":scheme", "http"),
                (":authority", "localhost"),
                (":path", target.as_str()),
            ];
            let answer = http_2(to, &headers).await;
            assert!(answer.reset || answer.body.contains("path_not_found"), "{length}: {answer:?}");
        }
        // The HTTP library drops fragments; what is left is judged as any other target.
        let whole = http_1(to, &get(path, "localhost")).await;
        let cut = http_1(to, &get(&format!("{path}#x"), "localhost")).await;
        let line = |answer: &str| answer.lines().next().unwrap_or_default().to_owned();
        assert_eq!(line(&cut), line(&whole));
        let answer = http_1(to, &get("#x", "localhost")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    is_well(&server).await;
}

/// What is no `Host`, and what is one that is served nowhere.
const MALFORMED: [&str; 13] = [
    "127.0.0.1:evil",
    "user:pw@localhost",
    "localhost..",
    "localhost:",
    "localhost:0",
    "localhost:65536",
    "127.0.0.1:8765.evil.example",
    "http://localhost",
    "localhost/evil",
    "127.1",
    "0x7f.1",
    "[::1%25lo]",
    "[::1",
];
const FOREIGN: [&str; 4] = ["evil.example", "localhost.evil.example", "localhost.", "evil.example:8765"];

#[tokio::test]
async fn a_host_is_exactly_host_and_port_on_both_listeners() {
    let server = server().await;
    for (to, path) in listeners(&server) {
        let own = format!("127.0.0.1:{}", to.port());
        for host in ["localhost", "LOCALHOST:1", "127.0.0.1", own.as_str(), "[::1]:9", "metrics.internal:7"] {
            let answer = http_1(to, &get(path, host)).await;
            assert!(!answer.contains("\"host_"), "{host}: {answer}");
        }
        for host in MALFORMED {
            let answer = http_1(to, &get(path, host)).await;
            assert!(is(&answer, 400, "host_malformed"), "{host}: {answer}");
        }
        for host in MALFORMED.iter().filter(|host| !host.contains('/')) {
            let absolute = http_1(to, &get(&format!("http://{host}{path}"), "localhost")).await;
            assert!(absolute.starts_with("HTTP/1.1 400"), "{host}: {absolute}");
        }
        for host in FOREIGN {
            for path in [path, "/", "/wake"] {
                let answer = http_1(to, &get(path, host)).await;
                assert!(is(&answer, 403, "host_refused"), "{host}: {answer}");
            }
            let absolute = http_1(to, &get(&format!("http://{host}{path}"), host)).await;
            assert!(is(&absolute, 403, "host_refused"), "{host}: {absolute}");
            let differs = http_1(to, &get(&format!("http://{host}{path}"), "localhost")).await;
            assert!(is(&differs, 400, "host_malformed"), "{host}: {differs}");
            let differs = http_1(to, &get(&format!("http://localhost{path}"), host)).await;
            assert!(is(&differs, 400, "host_malformed"), "{host}: {differs}");
        }
        let agrees = http_1(to, &get(&format!("http://localhost:1{path}"), "localhost:1")).await;
        assert!(!agrees.contains("\"host_"), "{agrees}");
        for hosts in [
            "",
            "Host: localhost\r\nHost: localhost\r\n",
            "Host: localhost\r\nHost: evil.example\r\n",
            "Host:\r\n",
        ] {
            let answer =
                http_1(to, &format!("GET {path} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n")).await;
            assert!(is(&answer, 400, "host_malformed"), "{hosts}: {answer}");
        }
    }
    is_well(&server).await;
}

#[tokio::test]
async fn a_host_of_http_2_is_exactly_host_and_port_on_both_listeners() {
    let server = server().await;
    for (to, path) in listeners(&server) {
        let ask = async |authority: Option<&str>, host: Option<&str>| {
            let mut headers = vec![(":method", "GET"), (":scheme", "http")];
            headers.extend(authority.map(|authority| (":authority", authority)));
            headers.push((":path", path));
            headers.extend(host.map(|host| ("host", host)));
            http_2(to, &headers).await
        };
        for (authority, host) in
            [(Some("localhost"), None), (None, Some("localhost")), (Some("localhost:1"), Some("LOCALHOST:1"))]
        {
            let answer = ask(authority, host).await;
            assert!(!answer.reset && !answer.body.contains("\"host_"), "{answer:?}");
        }
        for host in MALFORMED {
            let answer = ask(Some(host), None).await;
            let refused = answer.is_400() && answer.body.contains("host_malformed");
            assert!(refused || answer.reset, "{host}: {answer:?}");
            let answer = ask(None, Some(host)).await;
            assert!(answer.is_400() && answer.body.contains("host_malformed"), "{host}: {answer:?}");
        }
        for host in FOREIGN {
            for (authority, header) in [(Some(host), None), (None, Some(host)), (Some(host), Some(host))] {
                let answer = ask(authority, header).await;
                assert!(answer.body.contains("host_refused"), "{host}: {answer:?}");
            }
            for (authority, header) in [(host, "localhost"), ("localhost", host)] {
                let answer = ask(Some(authority), Some(header)).await;
                assert!(answer.is_400() && answer.body.contains("host_malformed"), "{host}: {answer:?}");
            }
        }
        let answer = ask(None, None).await;
        assert!(answer.is_400() && answer.body.contains("host_malformed"), "{answer:?}");
    }
    is_well(&server).await;
}

#[tokio::test]
async fn the_admin_listener_serves_addresses_and_configured_names() {
    let server = server().await;
    let to = server.running.admin_addr();
    for host in ["10.244.3.7:8766", "[fd00::7]:8766", "sidecar:8766", "metrics.internal"] {
        let answer = http_1(to, &get("/readyz", host)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
    }
    // A health check of a load balancer; no browser sends such a request.
    let answer = http_1(to, "GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    // Its names are not those of the public listener, and the other way round.
    let answer = http_1(to, &get("/readyz", "odoo.example.com")).await;
    assert!(is(&answer, 403, "host_refused"), "{answer}");
    for host in ["sidecar:8766", "10.244.3.7:8765"] {
        let answer = http_1(server.running.public_addr(), &get("/odoo/mcp", host)).await;
        assert!(is(&answer, 403, "host_refused"), "{host}: {answer}");
    }
}

#[tokio::test]
async fn an_origin_is_exactly_scheme_host_and_port() {
    let server = Server::with(|config| config.server.public_url = "http://127.0.0.1:8765".into()).await;
    let ask = async |origin: &str| {
        let request = format!(
            "DELETE /odoo/mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nConnection: close\r\n\
             Authorization: Bearer {}\r\n\r\n",
            key(1)
        );
        http_1(server.running.public_addr(), &request).await
    };
    for origin in ["http://localhost:6274", "http://127.0.0.1:8765", "https://[::1]"] {
        let answer = ask(origin).await;
        assert!(!answer.contains("origin_refused"), "{origin}: {answer}");
        assert!(answer.contains(&format!("access-control-allow-origin: {origin}")), "{origin}: {answer}");
    }
    for origin in [
        "http://localhost/evil",
        "http://localhost/",
        "http://localhost?x",
        "http://user:pw@localhost",
        "http://127.0.0.1:8765.evil.example",
        "http://127.0.0.1:evil",
        "http://localhost..",
        "http://localhost:",
        "http://127.1",
        "localhost",
        "null",
        "",
    ] {
        let answer = ask(origin).await;
        assert!(is(&answer, 403, "origin_refused"), "{origin}: {answer}");
        assert!(!answer.contains("access-control-allow-origin"), "{origin}: {answer}");
    }
}
