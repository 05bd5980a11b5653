//! A call that the store cannot take is refused with a status of its own, however late that shows.

use serde_json::{Value, json};

use crate::support::fake_odoo::FakeOdoo;
use crate::support::server::{Answer, LEGACY, Server, initialize, request, until};

/// The store fails for rows of this model only, so that there is room before the call, and none for it.
const TRIGGER: &str = "CREATE TRIGGER no_room BEFORE INSERT ON spool WHEN NEW.body LIKE '%\"x.no.room\"%'
                       BEGIN SELECT RAISE(ABORT, 'no room'); END";

async fn server() -> Server {
    let (odoo, data): (FakeOdoo, tempfile::TempDir) = Server::start().await.stop().await;
    let file = rusqlite::Connection::open(data.path().join("data/state.sqlite")).unwrap();
    file.execute_batch(TRIGGER).unwrap();
    drop(file);
    let server = Server::on(odoo, data).await;
    server.until_ready().await;
    server
}

fn call(model: &str) -> Value {
    json!({"name": "get_record", "arguments": {"model": model, "id": 7}})
}

fn is_refused(answer: &Answer, id: i64) {
    assert_eq!(
        (answer.status, answer.code(), answer.reason().as_str()),
        (503, 1007, "audit_full"),
        "{answer:?}"
    );
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!((answer.header("retry-after"), &answer.json()["id"]), ("30", &json!(id)));
}

/// The early look before the call must find room again: what is tried here is what comes after it.
async fn has_room(server: &Server) {
    until("there is room", || async {
        server.ask(server.modern(2, "tools/call", call("res.partner"))).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn a_call_without_an_account_is_refused_on_every_path() {
    let server = server().await;
    let session = server.session(1).await;
    has_room(&server).await;
    let calls = server.odoo.count("execute");
    // One JSON answer, of either era, and the event stream of a session.
    is_refused(&server.ask(server.modern(1, "tools/call", call("x.no.room"))).await, 1);
    has_room(&server).await;
    let plain =
        server.post(1, &request("tools/call", call("x.no.room"))).header("mcp-protocol-version", LEGACY);
    let mut plain = plain.build().unwrap();
    plain.headers_mut().insert("accept", "application/json".parse().unwrap());
    is_refused(&Answer::of(server.http.execute(plain).await.unwrap()).await, 7);
    has_room(&server).await;
    is_refused(
        &server.ask(server.in_session(1, &session, &request("tools/call", call("x.no.room")))).await,
        7,
    );
    // Odoo saw none of them, and each is in the log as refused.
    let seen = server.odoo.requests("execute");
    assert!(seen.len() > calls && seen.iter().all(|call| !call.to_string().contains("x.no.room")));
    let refused = || {
        let audit = server.odoo.audit();
        let entries =
            audit.iter().filter(|entry| entry["reason"] == "audit_full" && entry["connection"] == 1);
        entries.map(|entry| entry["count"].as_i64().unwrap_or_default()).sum::<i64>()
    };
    until("the refusals are in the log", || async { refused() >= 3 }).await;
    assert_eq!(refused(), 3);
}

#[tokio::test]
async fn other_answers_of_a_session_are_streams_as_before() {
    let server = server().await;
    let opening = server.ask(server.post(1, &initialize(LEGACY))).await;
    assert_eq!((opening.status, opening.header("content-type")), (200, "text/event-stream"));
    let session = server.session(1).await;
    for (params, is_error) in
        [(call("res.partner"), false), (json!({"name": "no_such_tool", "arguments": {}}), true)]
    {
        let answer = server.ask(server.in_session(1, &session, &request("tools/call", params))).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"), "{answer:?}");
        assert_eq!(answer.json().get("error").is_some(), is_error, "{answer:?}");
    }
}
