//! Both eras of MCP are served on the one endpoint.

use serde_json::{Value, json};

use crate::support::server::{LEGACY, MODERN, Server, initialize, request};

#[tokio::test]
async fn a_modern_client_discovers_and_lists() {
    let server = Server::start().await;
    let answer = server.ask(server.modern(1, "server/discover", Value::Null)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let result = &answer.json()["result"];
    assert_eq!(result["supportedVersions"], json!(["2025-06-18", "2025-11-25", "2026-07-28"]));
    assert_eq!(result["capabilities"], json!({"tools": {}}));
    assert_eq!(result["cacheScope"], "private");
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "odoo-mcp-sidecar");
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["title"], "Odoo");

    let answer = server.ask(server.modern(1, "tools/list", Value::Null)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
    let result = &answer.json()["result"];
    assert_eq!(result["cacheScope"], "private");
    assert_eq!(result["ttlMs"], 60000);
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "odoo-mcp-sidecar");
    assert_eq!(result["resultType"], "complete");
}

#[tokio::test]
async fn a_legacy_client_gets_a_session() {
    let server = Server::start().await;
    for version in [LEGACY, "2025-06-18"] {
        let answer = server.ask(server.post(1, &initialize(version))).await;
        assert_eq!(answer.json()["result"]["protocolVersion"], version);
        assert_eq!(answer.json()["result"]["serverInfo"]["name"], "odoo-mcp-sidecar");
    }
    let session = server.session(1).await;
    let answer = server.ask(server.in_session(1, &session, &request("tools/list", json!({})))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!(answer.header("x-accel-buffering"), "no");
    assert!(answer.json()["result"]["tools"].as_array().is_some_and(|tools| !tools.is_empty()));
    assert_eq!(answer.json()["id"], 7);
}

#[tokio::test]
async fn an_old_revision_is_answered_with_the_newest_of_its_era() {
    let server = Server::start().await;
    for version in ["2025-03-26", "2024-11-05", MODERN, "1999-01-01"] {
        let answer = server.ask(server.post(1, &initialize(version))).await;
        assert_eq!(answer.json()["result"]["protocolVersion"], LEGACY, "{version}");
    }
}
