//! The list of tools that is kept: the same answer as rmcp's own, and only where rmcp would have given it.

use odoo_mcp_sidecar::vocab::Proof;
use serde_json::{Value, json};

use crate::support::server::{Answer, Server, key, modern_body};

async fn list(server: &Server, number: u32, body: &Value) -> Answer {
    let version = "2026-07-28";
    let request = server.post(number, body).header("MCP-Protocol-Version", version);
    server.ask(request.header("Mcp-Method", "tools/list")).await
}

#[tokio::test]
async fn a_kept_list_is_rmcps_own() {
    let server = Server::start().await;
    let mut body = modern_body("tools/list", Value::Null);
    let first = list(&server, 1, &body).await;
    assert_eq!(first.status, 200);
    for id in [json!("a\n\"b"), json!(i64::MAX), json!(-7)] {
        body["id"] = id.clone();
        let again = list(&server, 1, &body).await;
        let mut expected = first.json();
        expected["id"] = id;
        assert_eq!(again.json(), expected);
        assert_eq!(again.status, 200);
        for name in ["content-type", "cache-control"] {
            assert_eq!(again.header(name), first.header(name), "{name}");
        }
    }
}

#[tokio::test]
async fn other_rights_get_another_list() {
    let server = Server::start().await;
    server.odoo.add_key(&Proof::of_text(&key(9)).to_hex(), 9, "read_only");
    server.odoo.add_key_for_models(&Proof::of_text(&key(8)).to_hex(), 8, &["res.partner"]);
    let body = modern_body("tools/list", Value::Null);
    for _ in 0..2 {
        let full = list(&server, 1, &body).await.text;
        let read_only = list(&server, 9, &body).await.text;
        let confined = list(&server, 8, &body).await.text;
        assert!(full.contains("\"delete_record\"") && !read_only.contains("\"delete_record\""));
        assert!(full.contains("\"execute_method\"") && !confined.contains("\"execute_method\""));
        assert!(confined.contains("\"delete_record\""));
    }
}

#[tokio::test]
async fn the_level_of_methods_decides_what_is_said_of_them() {
    let server = Server::start().await;
    for (number, level) in [(7, "buttons"), (8, "none"), (9, "a level of tomorrow")] {
        server.odoo.add_key_with_level(&Proof::of_text(&key(number)).to_hex(), i64::from(number), level);
    }
    let body = modern_body("tools/list", Value::Null);
    for _ in 0..2 {
        let any = list(&server, 1, &body).await.text;
        let buttons = list(&server, 7, &body).await.text;
        assert!(any.contains("Calls a public method") && !any.contains("Presses a button"));
        assert!(buttons.contains("Presses a button") && !buttons.contains("Calls a public method"));
        assert!(buttons.len() <= 16 * 1024, "{} bytes", buttons.len());
        for number in [8, 9] {
            assert!(!list(&server, number, &body).await.text.contains("execute_method"));
        }
    }
}

#[tokio::test]
async fn what_is_not_plain_is_judged_as_before() {
    let server = Server::start().await;
    let plain = modern_body("tools/list", Value::Null);
    let version = "io.modelcontextprotocol/protocolVersion";
    let change = |change: &dyn Fn(&mut Value)| {
        let mut body = plain.clone();
        change(&mut body);
        body
    };
    let odd = [
        change(&|body| body["params"] = json!([body["params"].clone()])),
        change(&|body| body["params"]["_meta"] = json!([version])),
        change(&|body| body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!(5)),
        change(&|body| body["params"]["_meta"][version] = json!("2027-01-01")),
        change(&|body| drop(body["params"].as_object_mut().unwrap().remove("_meta"))),
        change(&|body| body["method"] = json!("prompts/list")),
    ];
    let mut before = Vec::new();
    for body in &odd {
        before.push(list(&server, 1, body).await);
    }
    assert_eq!(list(&server, 1, &plain).await.status, 200);
    for (body, before) in odd.iter().zip(before) {
        let after = list(&server, 1, body).await;
        assert_eq!((after.status, &after.text), (before.status, &before.text), "{body}");
        assert_ne!((after.status, after.json().get("result").is_some()), (200, true), "{body}");
    }
    let headerless = server.ask(server.post(1, &plain).header("MCP-Protocol-Version", "2026-07-28")).await;
    assert_eq!((headerless.status, headerless.code()), (400, -32020));
}
