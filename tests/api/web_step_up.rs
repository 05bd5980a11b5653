//! Step-up: a sign-in that may only read sees tools that write, and is asked to sign in again when it calls one.

use serde_json::{Value, json};

use crate::support::server::{Answer, Server, request, token, until};

/// Of a person who could allow more.
const UPGRADABLE: u32 = 20;
/// Of a person who chose to allow reading only.
const NARROWED: u32 = 21;
/// Upgradable, with a list of tools.
const LISTED: u32 = 22;

async fn server() -> Server {
    let server = Server::start().await;
    for number in [UPGRADABLE, NARROWED, LISTED] {
        server.add_token(number, |document| {
            let connection = &mut document["connection"];
            connection["scope"] = json!("read_only");
            connection["method_level"] = json!("none");
            connection["allow_methods"] = json!(false);
            connection["upgradable"] = json!(number != NARROWED);
            if number == LISTED {
                connection["allowed_tools"] = json!(["search_read", "update_record"]);
            }
        });
    }
    server
}

/// A call of each tool that writes, and of one that runs methods.
fn writing_calls() -> Vec<Value> {
    let model = "res.partner";
    let arguments = [
        ("create_record", json!({"model": model, "values": {"name": "New"}})),
        ("update_record", json!({"model": model, "ids": [1], "values": {"name": "New"}})),
        ("delete_record", json!({"model": model, "ids": [1]})),
        ("batch_create", json!({"model": model, "records": [{"name": "New"}]})),
        ("batch_update", json!({"model": model, "updates": [{"id": 1, "values": {"name": "New"}}]})),
        ("batch_delete", json!({"model": model, "ids": [1]})),
        ("execute_method", json!({"model": model, "method": "message_post", "ids": [1]})),
    ];
    arguments.map(|(name, arguments)| json!({"name": name, "arguments": arguments})).to_vec()
}

#[track_caller]
fn asks_for_more(answer: &Answer, id: i64) {
    assert_eq!((answer.status, answer.code()), (403, 1005), "{answer:?}");
    assert_eq!(answer.reason(), "insufficient_scope");
    assert_eq!(answer.json()["id"], id);
    assert_eq!(answer.json()["error"]["data"]["scope"], "mcp:read mcp:write");
    assert_eq!(answer.header("content-type"), "application/json");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    assert!(challenge.contains("scope=\"mcp:read mcp:write\""), "{challenge}");
    let metadata =
        "resource_metadata=\"https://odoo.example.com/.well-known/oauth-protected-resource/odoo/mcp\"";
    assert!(challenge.starts_with("Bearer ") && challenge.contains(metadata), "{challenge}");
}

fn names(answer: &Answer) -> Vec<String> {
    let tools = answer.json()["result"]["tools"].as_array().unwrap().clone();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_call_that_writes_asks_for_a_wider_scope_in_both_eras() {
    let server = server().await;
    let session = server.session_with(&token(UPGRADABLE)).await;
    for call in writing_calls() {
        let modern = server.modern_with(&token(UPGRADABLE), "tools/call", call.clone());
        asks_for_more(&server.ask(modern).await, 1);
        let legacy = request("tools/call", call.clone());
        asks_for_more(&server.ask(server.in_session_with(&token(UPGRADABLE), &session, &legacy)).await, 7);
        // A legacy client without a session, which takes no event stream.
        let json_only = server
            .http
            .post(server.url())
            .bearer_auth(token(UPGRADABLE))
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .body(legacy.to_string());
        asks_for_more(&server.ask(json_only).await, 7);
    }
    assert_eq!(server.odoo.count("execute"), 0);
    let reads = json!({"name": "search_read", "arguments": {"model": "res.partner", "fields": ["name"]}});
    assert_eq!(server.ask(server.modern_with(&token(UPGRADABLE), "tools/call", reads)).await.status, 200);
    // The session goes on.
    let list = request("tools/list", json!({}));
    assert_eq!(server.ask(server.in_session_with(&token(UPGRADABLE), &session, &list)).await.status, 200);
}

#[tokio::test]
async fn what_can_be_had_is_listed_and_nothing_else() {
    let server = server().await;
    let listed = async |number: u32| {
        let modern = server.ask(server.modern_with(&token(number), "tools/list", Value::Null)).await;
        let session = server.session_with(&token(number)).await;
        let list = request("tools/list", json!({}));
        let legacy = server.ask(server.in_session_with(&token(number), &session, &list)).await;
        assert_eq!(names(&modern), names(&legacy));
        // From the cache as well.
        let again = server.ask(server.modern_with(&token(number), "tools/list", Value::Null)).await;
        assert_eq!(names(&modern), names(&again));
        names(&modern)
    };
    // First the one with less, whose list must not be answered to the other.
    let narrowed = listed(NARROWED).await;
    let upgradable = listed(UPGRADABLE).await;
    assert_eq!(listed(LISTED).await, ["search_read", "update_record"]);
    for call in writing_calls() {
        let name = call["name"].as_str().unwrap().to_owned();
        assert!(upgradable.contains(&name) && !narrowed.contains(&name), "{name}");
    }
    assert!(narrowed.iter().all(|name| upgradable.contains(name)));
    let full = server.ask(server.modern(1, "tools/list", Value::Null)).await;
    assert_eq!(upgradable, names(&full));
}

#[tokio::test]
async fn what_signing_in_again_would_not_bring_is_refused_as_ever() {
    let server = server().await;
    for call in writing_calls() {
        let answer = server.ask(server.modern_with(&token(NARROWED), "tools/call", call.clone())).await;
        assert_eq!((answer.status, answer.code(), answer.reason().as_str()), (200, -32602, "scope"));
        assert!(answer.header("www-authenticate").is_empty());
        let answer = server.ask(server.modern_with(&token(LISTED), "tools/call", call.clone())).await;
        if call["name"] == "update_record" {
            asks_for_more(&answer, 1);
        } else {
            assert_eq!((answer.status, answer.code(), answer.reason().as_str()), (200, -32602, "list"));
        }
    }
    let unknown = json!({"name": "no_such_tool", "arguments": {}});
    let answer = server.ask(server.modern_with(&token(UPGRADABLE), "tools/call", unknown)).await;
    assert_eq!((answer.status, answer.code()), (200, -32602));
}

#[tokio::test]
async fn a_wider_scope_acts_at_once_and_the_refusal_is_audited() {
    let server = server().await;
    let call = writing_calls().swap_remove(0);
    asks_for_more(&server.ask(server.modern_with(&token(UPGRADABLE), "tools/call", call.clone())).await, 1);
    until("the refusal is audited", || async {
        let rows = server.odoo.audit();
        rows.iter().any(|row| {
            row["status"] == "refused"
                && row["reason"] == "insufficient_scope"
                && row["tool"] == "create_record"
                && row["connection"] == UPGRADABLE
        })
    })
    .await;
    server.odoo.change(i64::from(UPGRADABLE), |connection| {
        connection["scope"] = json!("full");
        connection["method_level"] = json!("buttons");
    });
    server.until_followed().await;
    let answer = server.ask(server.modern_with(&token(UPGRADABLE), "tools/call", call)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(server.odoo.count("execute"), 1);
}
