//! Arguments in forms that clients send and rmcp does not read: a tool answers them, with the argument's name.

use odoo_mcp_sidecar::vocab::Proof;
use serde_json::{Value, json};

use crate::support::server::{Answer, Server, key, modern_body, request};

/// Calls a tool with arguments that are put into the message as they are, in both eras.
async fn called(server: &Server, tool: &str, arguments: &[u8]) -> [Answer; 2] {
    let put = |body: Value| {
        let text = body.to_string();
        let (before, after) = text.split_once("\"ARGUMENTS\"").unwrap();
        [before.as_bytes(), arguments, after.as_bytes()].concat()
    };
    let params = json!({"name": tool, "arguments": "ARGUMENTS"});
    let modern = server.modern(1, "tools/call", json!({"name": tool}));
    let modern = server.ask(modern.body(put(modern_body("tools/call", params.clone())))).await;
    let session = server.session(1).await;
    let legacy = request("tools/call", params);
    let legacy = server.ask(server.in_session(1, &session, &legacy).body(put(legacy))).await;
    [modern, legacy]
}

fn text(answer: &Answer) -> (bool, String) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let result = answer.json()["result"].clone();
    let text = result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no result: {answer:?}"));
    (result["isError"].as_bool().unwrap(), text.to_owned())
}

#[tokio::test]
async fn an_odd_value_is_a_tool_answer_that_names_the_argument() {
    let server = Server::start().await;
    let deep = format!("{{\"model\":\"res.partner\",\"domain\":{}{}}}", "[".repeat(300), "]".repeat(300));
    for (arguments, expected) in [
        (br#"{"model": "res.partner", "query": "\ud83d"}"#.to_vec(), "`query` holds half a character"),
        (
            br#"{"model": "res.partner", "domain": [["name", "=", "a\udc00"]]}"#.to_vec(),
            "`domain[0][2]` holds half",
        ),
        (
            br#"{"model": "res.partner", "limit": 1e400}"#.to_vec(),
            "`limit` is a number that JSON readers cannot hold",
        ),
        (br#"{"model": "res.partner", "offset": -1e999}"#.to_vec(), "`offset` is a number"),
        (br#"{"model": "res.partner", "domain": [["a", "=", NaN]]}"#.to_vec(), "`domain[0][2]` is a number"),
        (br#"{"model": "res.partner", "limit": Infinity}"#.to_vec(), "`limit` is a number"),
        (br#"{"model": "res.partner", "limit": -Infinity}"#.to_vec(), "`limit` is a number"),
        (deep.into_bytes(), "`domain` is nested deeper than 120 levels"),
        (br#"{"model": "res.partner", "model": "res.users"}"#.to_vec(), "`arguments` names model twice"),
        (br#"{"model": "a", "context": {"lang": "a", "lang": "b"}}"#.to_vec(), "`context` names lang twice"),
        (
            b"{\"model\": \"res.partner\", \"query\": \"Fran\xe7ois\"}".to_vec(),
            "`query` holds half a character",
        ),
        (br#""{\"model\": \"res.partner\", \"limit\": uid}""#.to_vec(), "`arguments` holds the name \"uid\""),
        (br#""search all partners""#.to_vec(), "`arguments` holds the name \"search\""),
    ] {
        for answer in called(&server, "search_records", &arguments).await {
            let (failed, text) = text(&answer);
            assert!(failed && text.starts_with(expected), "{}: {text}", String::from_utf8_lossy(&arguments));
        }
    }
    assert_eq!(server.odoo.count("execute"), 0);
}

#[tokio::test]
async fn numbers_that_a_reader_can_hold_are_judged_by_the_tool() {
    let server = Server::start().await;
    for (arguments, expected) in [
        (r#"{"model": "res.partner", "ids": [99999999999999999999999]}"#, "`ids` takes ids up to"),
        (r#"{"model": "res.partner", "ids": [-0]}"#, "`ids` takes ids up to"),
        (r#"{"model": "res.partner", "ids": [1.5]}"#, "`ids` takes a list of record ids"),
    ] {
        for answer in called(&server, "get_record", arguments.as_bytes()).await {
            let (failed, text) = text(&answer);
            assert!(failed && text.starts_with(expected), "{arguments}: {text}");
        }
    }
    for arguments in [
        r#"{"model": "res.partner", "offset": -0, "limit": 99999999999999999999}"#,
        r#"{"model": "a", "limit": 2e1}"#,
    ] {
        for answer in called(&server, "search_read", arguments.as_bytes()).await {
            assert!(!text(&answer).0, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn arguments_may_come_as_text() {
    let server = Server::start().await;
    let object = r#"{"model": "res.partner", "domain": [["name", "=", "é \" \\"]], "limit": 5}"#;
    for form in [
        object.to_owned(),
        json!(object).to_string(),
        json!(format!("```json\n{object}\n```")).to_string(),
        json!(json!(object).to_string()).to_string(),
        json!("{'model': 'res.partner', 'domain': [('name', '=', 'é \" \\\\')], 'limit': 5}").to_string(),
    ] {
        for answer in called(&server, "search_read", form.as_bytes()).await {
            assert!(!text(&answer).0, "{form}: {answer:?}");
        }
        let asked = server.odoo.requests("execute").pop().unwrap();
        assert_eq!(asked["steps"][0]["domain"], json!([["name", "=", "é \" \\"]]), "{form}");
        assert_eq!(asked["steps"][0]["limit"], 5);
    }
}

#[tokio::test]
async fn no_arguments_come_in_many_forms() {
    let server = Server::start().await;
    for nothing in ["{}", "null", "[]", r#""""#, r#"" ""#, r#""{}""#, r#""null""#] {
        for answer in called(&server, "list_models", nothing.as_bytes()).await {
            assert!(!text(&answer).0, "{nothing}: {answer:?}");
        }
        // What a tool needs is still missed.
        for answer in called(&server, "delete_record", nothing.as_bytes()).await {
            let (failed, text) = text(&answer);
            assert!(failed && text.starts_with("delete_record needs `model`"), "{nothing}: {text}");
        }
    }
    assert_eq!(server.odoo.count("execute"), 0);
}

/// What is no form of an object stays a fault of the protocol.
#[tokio::test]
async fn other_kinds_of_arguments_are_no_call() {
    let server = Server::start().await;
    for odd in ["5", "true", "[1]", "1.5"] {
        for answer in called(&server, "list_models", odd.as_bytes()).await {
            assert_eq!(answer.code(), -32602, "{odd}: {answer:?}");
        }
    }
    // Nor does a mark outside of the arguments make a message of what is none.
    let body = modern_body("tools/call", json!({"name": "list_models", "arguments": {}})).to_string();
    for broken in [
        body.replace("\"2026-07-28\"", "NaN"),
        body.replace("{}", "{NaN}"),
        body.replace("\"id\":1", "\"id\":NaN"),
    ] {
        let asked = server.modern(1, "tools/call", json!({"name": "list_models"})).body(broken.clone());
        let answer = server.ask(asked).await;
        assert_eq!((answer.status, answer.code()), (400, -32700), "{broken}: {answer:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_like_any_call() {
    let server = Server::start().await;
    server.odoo.add_key(&Proof::of_text(&key(9)).to_hex(), 9, "read_only");
    let body = modern_body("tools/call", json!({"name": "create_record", "arguments": {"values": "ODD"}}));
    let body = body.to_string().replace("\"ODD\"", "1e400");
    let answer =
        server.ask(server.modern(9, "tools/call", json!({"name": "create_record"})).body(body)).await;
    assert_eq!((answer.code(), answer.reason().as_str()), (-32602, "scope"), "{answer:?}");
}
