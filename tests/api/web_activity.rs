//! Sessions of both eras as Odoo hears of them, and as an administrator ends them.

use std::time::Duration;

use futures_util::StreamExt;
use odoo_mcp_sidecar::vocab::Clock;
use serde_json::{Value, json};

use crate::support::fake_odoo::{FakeOdoo, Trouble};
use crate::support::server::{LEGACY, Server, initialize, key, modern_body, request, until};

fn list() -> Value {
    request("tools/list", json!({}))
}

/// A request of the modern era by a client of this name; none: one that does not tell it.
fn by(server: &Server, number: u32, client: Option<&str>) -> reqwest::RequestBuilder {
    let mut body = modern_body("tools/list", Value::Null);
    let meta = body["params"]["_meta"].as_object_mut().unwrap();
    match client {
        Some(name) => meta["io.modelcontextprotocol/clientInfo"]["name"] = json!(name),
        None => drop(meta.remove("io.modelcontextprotocol/clientInfo")),
    }
    let request = server.post(number, &body).header("mcp-protocol-version", "2026-07-28");
    request.header("mcp-method", "tools/list")
}

async fn ok(server: &Server, request: reqwest::RequestBuilder) {
    let answer = server.ask(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Waits until Odoo knows of exactly these: connection, era, client, requests, live.
async fn until_known(odoo: &FakeOdoo, wanted: &[(i64, &str, Option<&str>, u64, bool)]) {
    let wanted: Vec<Value> = wanted.iter().map(|row| json!(row)).collect();
    let sorted = |mut rows: Vec<Value>| {
        rows.sort_by_key(Value::to_string);
        rows
    };
    let wanted = sorted(wanted);
    until(&format!("{wanted:?}"), || async {
        let row =
            |row: &Value| json!([row["connection"], row["era"], row["client"], row["requests"], row["live"]]);
        sorted(odoo.sessions().iter().map(row).collect()) == wanted
    })
    .await;
}

/// The id of the only session that is live.
fn only(odoo: &FakeOdoo) -> String {
    let live: Vec<_> = odoo.sessions().into_iter().filter(|row| row["live"] == true).collect();
    assert_eq!(live.len(), 1, "{live:?}");
    live[0]["session"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_legacy_session_is_told_of_from_its_beginning_to_its_end() {
    let server = Server::start().await;
    let session = server.session(1).await;
    until_known(&server.odoo, &[(1, "legacy", Some("test 1"), 1, true)]).await;
    let row = server.odoo.sessions().remove(0);
    assert_eq!(
        (&row["session"], &row["user"], &row["ip"]),
        (&json!(session), &json!(2), &json!("127.0.0.1"))
    );
    assert!(row["created"].as_str().unwrap() <= row["last_activity"].as_str().unwrap());
    for _ in 0..3 {
        ok(&server, server.in_session(1, &session, &list())).await;
    }
    // Neither counts as a request.
    ok(&server, server.in_session(1, &session, &request("ping", json!({})))).await;
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(server.ask(server.in_session(1, &session, &initialized)).await.status, 202);
    let delete = server.http.delete(server.url()).bearer_auth(key(1)).header("mcp-session-id", &session);
    assert_eq!(server.ask(delete).await.status, 204);
    until_known(&server.odoo, &[(1, "legacy", Some("test 1"), 4, false)]).await;
}

#[tokio::test]
async fn a_modern_client_is_one_session_for_each_connection() {
    let server = Server::start().await;
    for _ in 0..3 {
        ok(&server, by(&server, 1, Some("a"))).await;
    }
    ok(&server, by(&server, 1, Some("b\u{7}\n"))).await;
    ok(&server, by(&server, 1, None)).await;
    ok(&server, by(&server, 2, Some("a"))).await;
    let rows = [
        (1, "modern", Some("a 1"), 3, true),
        (1, "modern", Some("b 1"), 1, true),
        (1, "modern", None, 1, true),
        (2, "modern", Some("a 1"), 1, true),
    ];
    until_known(&server.odoo, &rows).await;
}

#[tokio::test]
async fn a_legacy_client_without_sessions_is_told_of_as_well() {
    let server = Server::start().await;
    let plain = |body: &Value| {
        server
            .http
            .post(server.url())
            .bearer_auth(key(1))
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .body(body.to_string())
    };
    let answer = server.ask(plain(&initialize(LEGACY))).await;
    assert_eq!((answer.status, answer.header("mcp-session-id")), (200, ""), "{answer:?}");
    ok(&server, plain(&list())).await;
    until_known(&server.odoo, &[(1, "legacy", None, 2, true)]).await;
}

#[tokio::test]
async fn refused_requests_are_no_work() {
    let server = Server::at(Clock::manual_at(1_795_440_600_000)).await;
    server.odoo.change(1, |connection| connection["rate_limit_minute"] = json!(2));
    // A change ends what was there before it.
    let told = server.odoo.count("changes") + 2;
    until("the change is known", || async { server.odoo.count("changes") >= told }).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(server.ask(by(&server, 1, None)).await.status);
    }
    assert_eq!(statuses, [200, 200, 429, 429]);
    // A session that is not there is nobody's.
    assert_eq!(server.ask(server.in_session(2, "unknown", &list())).await.status, 404);
    until_known(&server.odoo, &[(1, "modern", None, 2, true)]).await;
}

#[tokio::test]
async fn clients_that_a_connection_makes_up_are_bounded() {
    let server = Server::start().await;
    for number in 0..30 {
        ok(&server, by(&server, 1, Some(&format!("client-{number}")))).await;
    }
    until("all are told of", || async {
        let rows = server.odoo.sessions();
        rows.iter().map(|row| row["requests"].as_u64().unwrap()).sum::<u64>() == 30
    })
    .await;
    let rows = server.odoo.sessions();
    assert_eq!(rows.len(), 21);
    assert!(rows.iter().any(|row| row["client"] == "other clients" && row["requests"] == 10), "{rows:?}");
}

#[tokio::test]
async fn a_revoked_connection_ends_its_sessions_in_odoo_too() {
    let server = Server::start().await;
    server.session(1).await;
    ok(&server, by(&server, 1, None)).await;
    ok(&server, by(&server, 2, None)).await;
    server.odoo.revoke(1);
    let rows = [
        (1, "legacy", Some("test 1"), 1, false),
        (1, "modern", None, 1, false),
        (2, "modern", None, 1, true),
    ];
    until_known(&server.odoo, &rows).await;
}

#[tokio::test]
async fn a_legacy_session_that_an_administrator_ends_is_gone() {
    let server = Server::start().await;
    let (session, other) = (server.session(1).await, server.session(1).await);
    let stream = server.stream(1, &session).send().await.unwrap();
    until("both are told of", || async { server.odoo.sessions().len() == 2 }).await;
    server.odoo.end_session(&session, true);
    tokio::time::timeout(Duration::from_secs(5), stream.bytes()).await.expect("the stream goes on").unwrap();
    let answer = server.ask(server.in_session(1, &session, &list())).await;
    assert_eq!((answer.status, answer.reason().as_str()), (404, "session_not_found"));
    ok(&server, server.in_session(1, &other, &list())).await;
    let rows = [(1, "legacy", Some("test 1"), 1, false), (1, "legacy", Some("test 1"), 2, true)];
    until_known(&server.odoo, &rows).await;
}

#[tokio::test]
async fn a_modern_session_that_an_administrator_ends_begins_anew_with_the_next_request() {
    let (server, _bell) = Server::waiting(|_| {}).await;
    let filter = json!({"notifications": {"toolsListChanged": true}});
    let stream = server.modern(1, "subscriptions/listen", filter).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    ok(&server, server.modern(1, "tools/list", Value::Null)).await;
    until_known(&server.odoo, &[(1, "modern", Some("test 1"), 2, true)]).await;
    let id = only(&server.odoo);
    server.odoo.end_session(&id, true);
    let mut stream = stream.bytes_stream();
    let ended = async { while stream.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(5), ended).await.expect("the stream goes on");
    until_known(&server.odoo, &[(1, "modern", Some("test 1"), 2, false)]).await;
    // One of which nobody knows is no trouble.
    server.odoo.end_session("nobody", true);
    ok(&server, server.modern(1, "tools/list", Value::Null)).await;
    until("it lives again", || async { server.odoo.sessions()[0]["live"] == true }).await;
    assert_eq!(only(&server.odoo), id);
}

#[tokio::test]
async fn a_wake_up_ends_a_session_without_waiting_for_the_next_look() {
    let hour = 3_600_000;
    let server = Server::with(|config| {
        config.mirror.poll_ms = hour;
        config.mirror.poll_watched_ms = hour;
    })
    .await;
    let session = server.session(1).await;
    let stream = server.stream(1, &session).send().await.unwrap();
    server.odoo.end_session(&session, true);
    // Nothing of the settings changed.
    assert_eq!(server.wake(true, 7).await, 204);
    tokio::time::timeout(Duration::from_secs(5), stream.bytes()).await.expect("the stream goes on").unwrap();
    assert_eq!(server.ask(server.in_session(1, &session, &list())).await.status, 404);
}

#[tokio::test]
async fn what_odoo_answers_as_ended_ends() {
    let server = Server::start().await;
    let session = server.session(1).await;
    until("it is told of", || async { server.odoo.sessions().len() == 1 }).await;
    server.odoo.end_session(&session, false);
    // Its work is what makes it told of again; a new neighbour hastens that.
    ok(&server, server.in_session(1, &session, &list())).await;
    ok(&server, by(&server, 2, None)).await;
    until_known(&server.odoo, &[(1, "legacy", Some("test 1"), 2, false), (2, "modern", None, 1, true)]).await;
    assert_eq!(server.ask(server.in_session(1, &session, &list())).await.status, 404);
}

#[tokio::test]
async fn what_odoo_did_not_hear_is_told_again() {
    let server = Server::start().await;
    until("the first word", || async { server.odoo.count("sync_sessions") == 1 }).await;
    assert_eq!(server.odoo.requests("sync_sessions")[0]["complete"], true);
    server.odoo.set_fault(Some("sync_sessions"), Trouble::Traceback("no".to_owned()), 2);
    let session = server.session(1).await;
    until("it failed", || async { server.odoo.count("sync_sessions") == 3 }).await;
    ok(&server, server.in_session(1, &session, &list())).await;
    until("it was told again", || async { server.odoo.count("sync_sessions") == 4 }).await;
    let last = server.odoo.requests("sync_sessions").pop().unwrap();
    assert_eq!((&last["complete"], &last["sessions"][0]["requests"]), (&json!(true), &json!(2)), "{last}");
}

#[tokio::test]
async fn a_stop_ends_all_in_odoo_and_a_restart_knows_its_clients_again() {
    let clock = Clock::system();
    let server = Server::at(clock.clone()).await;
    server.session(1).await;
    ok(&server, by(&server, 1, Some("a"))).await;
    until("both are told of", || async { server.odoo.sessions().len() == 2 }).await;
    let modern = |odoo: &FakeOdoo| {
        odoo.sessions().into_iter().find(|row| row["era"] == "modern").unwrap()["session"].clone()
    };
    let id = modern(&server.odoo);
    let server = server.again(clock).await;
    let rows = [(1, "legacy", Some("test 1"), 1, false), (1, "modern", Some("a 1"), 1, false)];
    until_known(&server.odoo, &rows).await;
    ok(&server, by(&server, 1, Some("a"))).await;
    let rows = [(1, "legacy", Some("test 1"), 1, false), (1, "modern", Some("a 1"), 1, true)];
    until_known(&server.odoo, &rows).await;
    assert_eq!(modern(&server.odoo), id);
    let told = server.odoo.requests("sync_sessions");
    assert_eq!(told.iter().filter(|told| told["complete"] == true).count(), 2);
    let (odoo, _data) = server.stop().await;
    assert!(odoo.sessions().iter().all(|row| row["live"] == false));
}
