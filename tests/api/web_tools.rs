//! The product's tools over HTTP: what a client sees of them, and what happens when it leaves.

use std::time::Duration;

use odoo_mcp_sidecar::vocab::Proof;
use serde_json::{Value, json};

use crate::support::fake_odoo::{Reply, Trouble};
use crate::support::server::{Server, key, request, until};

fn names(result: &Value) -> Vec<String> {
    let tools = result["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

fn search() -> Value {
    json!({"name": "search_read", "arguments": {"model": "res.partner", "domain": [], "fields": ["name"]}})
}

fn create() -> Value {
    json!({"name": "create_record", "arguments": {"model": "res.partner", "values": {"name": "New"}}})
}

#[tokio::test]
async fn both_eras_list_the_same_tools_within_the_budget() {
    let server = Server::start().await;
    let modern = server.ask(server.modern(1, "tools/list", Value::Null)).await;
    let session = server.session(1).await;
    let legacy = server.ask(server.in_session(1, &session, &request("tools/list", json!({})))).await;
    assert_eq!(names(&modern.json()["result"]), names(&legacy.json()["result"]));
    assert!(modern.text.len() <= 16_000, "{} bytes", modern.text.len());
    for tool in modern.json()["result"]["tools"].as_array().unwrap() {
        assert!(tool["title"].is_string() && tool["description"].is_string(), "{tool}");
        assert_eq!(tool["inputSchema"]["type"], "object");
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(tool["annotations"][hint].is_boolean(), "{tool}");
        }
        assert!(["read", "write", "execute"].contains(&tool["_meta"]["category"].as_str().unwrap()));
        assert!(["low", "medium", "high"].contains(&tool["_meta"]["risk"].as_str().unwrap()));
        assert!(tool.get("outputSchema").is_none());
    }
}

#[tokio::test]
async fn a_read_only_key_neither_sees_nor_calls_writing_tools() {
    let server = Server::start().await;
    server.odoo.add_key(&Proof::of_text(&key(9)).to_hex(), 9, "read_only");
    let list = server.ask(server.modern(9, "tools/list", Value::Null)).await.json();
    let names = names(&list["result"]);
    assert!(
        names.contains(&"search_read".to_owned()) && !names.contains(&"create_record".to_owned()),
        "{names:?}"
    );
    let hidden = server.ask(server.modern(9, "tools/call", create())).await;
    assert_eq!((hidden.status, hidden.code()), (200, -32602));
    assert_eq!(hidden.reason(), "scope");
    assert_eq!(server.odoo.count("execute"), 0);
}

#[tokio::test]
async fn a_tool_that_is_not_allowed_says_why_and_an_unknown_one_that_it_is_unknown() {
    let server = Server::start().await;
    server.odoo.add_key(&Proof::of_text(&key(9)).to_hex(), 9, "read_only");
    server.odoo.change(2, |document| document["allowed_tools"] = json!(["search_read", "execute_method"]));
    server.odoo.change(3, |document| document["method_level"] = json!("none"));
    server.until_followed().await;
    // Scope before list before switch; what is not there is unknown to all.
    for (number, tool, reason, part) in [
        (9, "create_record", "scope", "its scope is read-only"),
        (9, "execute_method", "scope", "its scope is read-only"),
        (2, "create_record", "list", "its list of allowed tools does not hold it"),
        (2, "search_count", "list", "its list of allowed tools does not hold it"),
        (3, "execute_method", "switched_off", "methods are switched off"),
        (9, "no_such_tool", "unknown_tool", "Unknown tool: \"no_such_tool\""),
        (2, "Search_Read", "unknown_tool", "Unknown tool: \"Search_Read\""),
        (3, "", "unknown_tool", "Unknown tool: \"\""),
    ] {
        let call = json!({"name": tool, "arguments": {"model": "res.partner"}});
        let modern = server.ask(server.modern(number, "tools/call", call.clone())).await;
        let session = server.session(number).await;
        let legacy = server.ask(server.in_session(number, &session, &request("tools/call", call))).await;
        for answer in [modern, legacy] {
            assert_eq!(
                (answer.status, answer.code(), answer.reason().as_str()),
                (200, -32602, reason),
                "{tool}"
            );
            let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
            assert!(message.contains(part) && message.contains(tool), "{message}");
        }
    }
    assert_eq!(server.odoo.count("execute"), 0);
    let answer = server.ask(server.modern(2, "tools/call", search())).await;
    assert_eq!(answer.json()["result"]["isError"], false, "{answer:?}");
}

#[tokio::test]
async fn an_answer_comes_once_and_as_text() {
    let server = Server::start().await;
    let answer = server.ask(server.modern(1, "tools/call", search())).await;
    let result = &answer.json()["result"];
    assert_eq!((answer.status, &result["isError"]), (200, &json!(false)), "{answer:?}");
    assert!(result.get("structuredContent").is_none());
    assert_eq!(result["content"].as_array().unwrap().len(), 1);
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert!(text["records"].is_array(), "{text}");
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "odoo-mcp-sidecar");
    let session = server.session(1).await;
    let legacy = server.ask(server.in_session(1, &session, &request("tools/call", search()))).await;
    assert!(legacy.json()["result"].get("_meta").is_none(), "{legacy:?}");
    assert_eq!(server.odoo.requests("execute")[0]["ip"], "127.0.0.1");
}

#[tokio::test]
async fn what_the_model_can_mend_is_a_result() {
    let server = Server::start().await;
    server.odoo.on("execute", |_| Reply::fault("unknown_model", json!({"model": "res.partnr"})));
    let wrong = json!({"name": "search_read", "arguments": {"model": "res.partnr"}});
    for call in
        [wrong, json!({"name": "search_read", "arguments": {"domain": 5}}), json!({"name": "search_read"})]
    {
        let answer = server.ask(server.modern(1, "tools/call", call)).await;
        assert_eq!((answer.status, &answer.json()["result"]["isError"]), (200, &json!(true)), "{answer:?}");
    }
    server.odoo.refuse();
    let answer = server.ask(server.modern(1, "tools/call", search())).await;
    assert_eq!((answer.status, &answer.json()["result"]["isError"]), (200, &json!(true)), "{answer:?}");
}

#[tokio::test]
async fn a_client_that_leaves_does_not_undo_a_write() {
    let server = Server::start().await;
    server.odoo.set_fault(Some("execute"), Trouble::Slow(Duration::from_millis(400)), 1);
    let call = tokio::spawn(server.modern(1, "tools/call", create()).send());
    until("the write is in Odoo", || async { server.odoo.count("execute") == 1 }).await;
    call.abort();
    // Stopping waits for its answer, so nothing asks what became of it.
    server.running.stop().await;
    assert_eq!(server.odoo.count("execute"), 1);
    assert_eq!(server.odoo.count("call_status"), 0);
}

#[tokio::test]
async fn a_cancelled_read_gives_its_place_back() {
    let server = Server::with(|config| config.limits.in_flight_per_connection = 1).await;
    server.odoo.set_fault(Some("execute"), Trouble::Silence, 1);
    let call = tokio::spawn(server.modern(1, "tools/call", search()).send());
    until("the read is in Odoo", || async { server.odoo.count("execute") == 1 }).await;
    assert_eq!(server.ask(server.modern(1, "tools/list", Value::Null)).await.status, 429);
    call.abort();
    until("its place is free", || async {
        server.ask(server.modern(1, "tools/list", Value::Null)).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn a_legacy_client_cancels_a_read_by_a_notification() {
    let server = Server::with(|config| config.limits.in_flight_per_connection = 1).await;
    server.odoo.set_fault(Some("execute"), Trouble::Silence, 1);
    let session = server.session(1).await;
    let call = tokio::spawn(server.in_session(1, &session, &request("tools/call", search())).send());
    until("the read is in Odoo", || async { server.odoo.count("execute") == 1 }).await;
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}});
    assert_eq!(server.ask(server.in_session(1, &session, &cancel)).await.status, 202);
    until("its place is free", || async {
        server.ask(server.modern(1, "tools/list", Value::Null)).await.status == 200
    })
    .await;
    let answer = call.await.unwrap().unwrap().text().await.unwrap();
    assert!(!answer.contains("\"result\""), "{answer}");
}
