//! Starting and stopping: order, bounds, exit codes.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::support::fake_odoo::FakeOdoo;
use crate::support::server::{Answer, Server, key, request, until};

const BINARY: &str = env!("CARGO_BIN_EXE_odoo-mcp-sidecar");

#[tokio::test]
async fn stopping_ends_streams_and_lets_calls_finish() {
    let (server, bell) = Server::waiting(|_| {}).await;
    let session = server.session(1).await;
    let stream = server.stream(1, &session).send().await.unwrap();
    let body = request("tools/call", json!({"name": "wait", "arguments": {}}));
    let legacy = tokio::spawn(server.in_session(1, &session, &body).send());
    let modern = tokio::spawn(server.wait_call(2).send());
    until("both wait", || async { bell.waiting() == 2 }).await;
    let readyz = server.admin("/readyz");
    let (public, running) = (server.running.public_addr(), server.running);
    let start = Instant::now();
    let stopping = tokio::spawn(running.stop());
    tokio::time::timeout(Duration::from_secs(1), stream.bytes())
        .await
        .expect("the stream ends at once")
        .unwrap();
    until("nobody is accepted", || async { tokio::net::TcpStream::connect(public).await.is_err() }).await;
    assert!(!stopping.is_finished());
    let ready = Answer::of(server.http.get(readyz).send().await.unwrap()).await;
    assert_eq!((ready.status, ready.json()["reason"].as_str()), (503, Some("stopping")));
    (0..2).for_each(|_| bell.ring());
    for call in [legacy, modern] {
        let text = call.await.unwrap().unwrap().text().await.unwrap();
        assert!(text.contains("admin from"), "{text}");
    }
    stopping.await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let (server, bell) =
        Server::waiting(|config| config.server.drain_timeout = Duration::from_millis(300)).await;
    let session = server.session(1).await;
    let body = request("tools/call", json!({"name": "wait", "arguments": {}}));
    let call = tokio::spawn(server.in_session(1, &session, &body).send());
    until("it waits", || async { bell.waiting() == 1 }).await;
    let start = Instant::now();
    server.running.stop().await;
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    let _ = call.await;
}

#[tokio::test]
async fn readiness_follows_odoo() {
    let server = Server::start().await;
    let ready = server.get("/readyz").await.json();
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("ready"), &Value::Null));
    assert_eq!(ready["store"], json!({"writable": true, "reason": null}));
    assert_eq!((&ready["odoo"]["up"], &ready["audit"]["open_alarms"]), (&json!(1), &json!(0)));
    assert_eq!(ready["public_url"], "confirmed");
    assert_eq!(server.get("/healthz").await.json(), json!({"status": "alive"}));
    assert_eq!(server.get("/odoo/mcp").await.status, 404);
    let hello = server.odoo.requests("hello").remove(0);
    assert_eq!(hello["wake_url"], Value::from(server.admin("/wake")));
    assert_eq!(hello["public_url"], "https://odoo.example.com");
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    let odoo = FakeOdoo::start().await;
    let data = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (listen, url, data) = (port.to_string(), odoo.url(), data.path().to_str().unwrap().to_owned());
    let arguments =
        ["--listen", &listen, "--admin-listen", "127.0.0.1:0", "--data-dir", &data, "--odoo-url", &url];
    let mut child = sidecar(&arguments, &SOUND).spawn().unwrap();
    // Asked when the answer to hello has been read, and with it that the switch is on.
    until("it asks for changes", || async { odoo.count("changes") > 0 }).await;
    // A request whose body never ends keeps the drain waiting.
    let mut slow = tokio::net::TcpStream::connect(port).await.unwrap();
    let head = format!(
        "POST /odoo/mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nAuthorization: Bearer {}\r\n\r\n",
        key(1)
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    until("it is being served", || async { odoo.count("authenticate") > 0 }).await;
    let signal = |child: &std::process::Child| {
        assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    };
    signal(&child);
    until("nobody is accepted", || async { tokio::net::TcpStream::connect(port).await.is_err() }).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(child.try_wait().unwrap().is_none(), "it did not drain");
    let start = Instant::now();
    signal(&child);
    let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(status.code(), Some(0));
}

// === the binary ===

fn sidecar(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).env_clear().envs(environment.iter().copied());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn outcome(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let output = sidecar(arguments, environment).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

const SOUND: [(&str, &str); 3] = [
    ("ODOO_MCP_PUBLIC_URL", "https://odoo.example.com"),
    ("ODOO_MCP_ODOO__DATABASE", "db"),
    ("ODOO_MCP_ODOO__API_KEY", "key"),
];

#[test]
fn exit_codes_tell_what_went_wrong() {
    let (code, text) = outcome(&["--check"], &SOUND);
    assert_eq!((code, text.as_str()), (0, "the configuration is sound\n"));
    let (code, text) = outcome(&["--check"], &[]);
    assert_eq!(code, 64);
    assert!(
        text.contains("public_url") && text.contains("odoo.database") && text.contains("odoo.api_key"),
        "{text}"
    );
    assert_eq!(outcome(&["--nonsense"], &SOUND).0, 64);
    assert_eq!(outcome(&["--help"], &[]).0, 0);

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    let (code, text) =
        outcome(&["--listen", &address, "--admin-listen", "127.0.0.1:0", "--data-dir", data], &SOUND);
    assert_eq!(code, 1);
    assert!(text.contains(&format!("cannot listen on {address} (listen)")), "{text}");
}

#[tokio::test]
async fn a_signal_ends_the_process_in_order() {
    let odoo = FakeOdoo::start().await;
    let data = tempfile::tempdir().unwrap();
    for signal in ["-TERM", "-INT"] {
        let url = odoo.url();
        let data = data.path().to_str().unwrap();
        let arguments = [
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
            "--data-dir",
            data,
            "--odoo-url",
            &url,
        ];
        let hellos = odoo.count("hello");
        let child = sidecar(&arguments, &SOUND).spawn().unwrap();
        until("it says hello", || async { odoo.count("hello") > hellos }).await;
        let kill = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{log}");
        assert!(log.contains("stopped"), "{log}");
    }
    // The replica is the same after a restart.
    let replicas: Vec<_> = odoo.requests("hello").iter().map(|hello| hello["replica"].clone()).collect();
    assert!(replicas.windows(2).all(|two| two[0] == two[1]), "{replicas:?}");
}
