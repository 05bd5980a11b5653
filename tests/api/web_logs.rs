//! No secret reaches a log, whatever goes wrong and however much is logged.

use std::io::{self, BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use odoo_mcp_sidecar::config::{Log, LogFormat};
use odoo_mcp_sidecar::telemetry;
use odoo_mcp_sidecar::vocab::Proof;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::server::{Server, initialize, key, request, token};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_secret_reaches_a_log() {
    let lines = Lines::default();
    let log = Log { level: "trace,rmcp=trace,hyper=trace".to_owned(), format: LogFormat::Json };
    tracing::subscriber::set_global_default(telemetry::subscriber(&log, lines.clone())).unwrap();

    let server = Server::start().await;
    let list = request("tools/list", json!({}));
    let url = format!("{}?token=in-the-query", server.url());
    for number in [1, 99] {
        server.ask(server.post(number, &list)).await;
        server
            .ask(server.modern(number, "tools/call", json!({"name": "x", "arguments": {"a": "an-argument"}})))
            .await;
        server.ask(server.post(number, &initialize("2025-11-25"))).await;
        server.ask(server.http.post(&url).header("cookie", "a-cookie").body("no-json")).await;
    }
    let session = server.session(1).await;
    server.ask(server.in_session(1, &session, &list).header("proxy-authorization", "a-proxy-secret")).await;
    server.ask(server.http.post(server.url()).header("authorization", "Basic a-password")).await;
    for (header, number) in [("x-api-key", 98), ("x-auth-token", 97)] {
        server.ask(server.http.post(server.url()).header(header, key(number)).body(list.to_string())).await;
    }
    server.ask(server.modern_with(&token(96), "tools/list", Value::Null)).await;
    let wake = server.http.post(server.admin("/wake")).header("x-mcp-signature", "sha256=00").body("{}");
    server.ask(wake).await;
    let hello = server.odoo.requests("hello").remove(0);
    server.running.stop().await;

    let told = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for expected in
        ["\"message\":\"admitted\"", "\"reason\":\"unknown\"", "\"request_id\"", "a wake-up was refused"]
    {
        assert!(told.contains(expected), "{expected} is not logged");
    }
    for line in told.lines() {
        let line: Value = serde_json::from_str(line).expect("a line is one object");
        assert!(line["timestamp"].is_string() && line["level"].is_string());
    }
    let wake_secret = hello["wake_secret"].as_str().unwrap();
    for secret in [
        key(1).as_str(),
        key(99).as_str(),
        key(98).as_str(),
        key(97).as_str(),
        token(96).as_str(),
        &Proof::of_text(&key(1)).to_hex(),
        &Proof::of_text(&key(99)).to_hex(),
        "key-of-the-service-user",
        wake_secret,
        "in-the-query",
        "a-cookie",
        "a-proxy-secret",
        "a-password",
    ] {
        let line = told.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} is logged: {line:?}");
    }
}

/// The log of a sidecar that starts with these settings, up to the line that says that it serves.
fn log_of_start(settings: &[(&str, &str)]) -> String {
    let data = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_odoo-mcp-sidecar"))
        .args([
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
            "--odoo-url",
            "http://127.0.0.1:9",
        ])
        .arg("--data-dir")
        .arg(data.path())
        .env_clear()
        .envs([("ODOO_MCP_ODOO__DATABASE", "db"), ("ODOO_MCP_ODOO__API_KEY", "key")])
        .envs(settings.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        log.push_str(&line.unwrap());
        log.push('\n');
        if log.contains("serving") {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(log.contains("serving"), "{log}");
    log
}

#[test]
fn the_start_warns_of_a_proxy_that_is_not_trusted() {
    let warning = "no proxy is in trusted_proxies";
    let tls = ("ODOO_MCP_PUBLIC_URL", "https://odoo.example.com");
    let log = log_of_start(&[tls]);
    assert_eq!((log.matches(warning).count(), log.contains("WARN")), (1, true), "{log}");
    for quiet in [
        vec![tls, ("ODOO_MCP_TRUSTED_PROXIES", "127.0.0.1/32")],
        vec![("ODOO_MCP_PUBLIC_URL", "http://localhost")],
    ] {
        let log = log_of_start(&quiet);
        assert!(!log.contains(warning), "{log}");
    }
}
