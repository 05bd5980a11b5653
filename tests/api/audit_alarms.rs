//! The audit log in Odoo is tampered with: the sidecar finds it, says so and says it again.

use serde_json::{Value, json};

use odoo_mcp_sidecar::vocab::Clock;

use crate::support::fake_odoo::Chain;
use crate::support::server::{Server, until};

async fn with_entries() -> (Server, u64) {
    let server = Server::start().await;
    for _ in 0..5 {
        let params = json!({"name": "get_record", "arguments": {"model": "res.partner", "id": 14}});
        server.ask(server.modern(1, "tools/call", params)).await;
    }
    until("Odoo has the entries", || async { server.odoo.audit().len() >= 5 }).await;
    // Until what is kept is the newest.
    let tip = || server.odoo.tamper(|chain| chain.tip);
    until("they are kept", || async {
        server.odoo.requests("check_audit").last().is_some_and(|asked| asked["seen"] == tip())
    })
    .await;
    let tip = tip();
    (server, tip)
}

fn alarms(server: &Server) -> Vec<Value> {
    server.odoo.tamper(|chain| chain.alarms.values().cloned().collect())
}

async fn open_alarms(server: &Server) -> u64 {
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status, 200, "an alarm is no reason to stop serving");
    ready.json()["audit"]["open_alarms"].as_u64().unwrap()
}

/// What a deed is found as.
async fn found(deed: impl FnOnce(&mut Chain)) -> (Server, Vec<Value>) {
    let (server, _tip) = with_entries().await;
    assert_eq!((open_alarms(&server).await, alarms(&server).len()), (0, 0));
    server.odoo.tamper(deed);
    until("an alarm is raised", || async { !alarms(&server).is_empty() }).await;
    let alarms = alarms(&server);
    assert_eq!(open_alarms(&server).await, alarms.len() as u64);
    (server, alarms)
}

#[tokio::test]
async fn newest_entries_that_are_gone_are_found() {
    let (server, alarms) = found(|chain| {
        chain.hashes.pop_last();
    })
    .await;
    assert_eq!(alarms[0]["kind"], "lowered");
    // The record is deleted in Odoo: it comes back.
    server.odoo.tamper(|chain| chain.alarms.clear());
    until("it is raised again", || async {
        server.odoo.tamper(|chain| chain.alarms.contains_key(alarms[0]["id"].as_str().unwrap()))
    })
    .await;
    // Known over a restart, and over once it is acknowledged.
    let server = server.again(Clock::system()).await;
    until("it is known", || async { open_alarms(&server).await == 1 }).await;
    let id = alarms[0]["id"].as_str().unwrap().to_owned();
    server.odoo.tamper(|chain| chain.acknowledged.insert(id));
    until("it is over", || async { open_alarms(&server).await == 0 }).await;
    let server = server.again(Clock::system()).await;
    let checks = server.odoo.count("check_audit");
    until("it was checked", || async { server.odoo.count("check_audit") > checks }).await;
    assert_eq!(open_alarms(&server).await, 0);
}

#[tokio::test]
async fn a_gap_and_a_chain_made_anew_are_found() {
    let (_server, alarms) = found(|chain| {
        chain.hashes.remove(&2);
    })
    .await;
    assert_eq!(
        (&alarms[0]["kind"], &alarms[0]["sequence"], &alarms[0]["missing"]),
        (&json!("missing"), &json!(2), &json!(1))
    );
    let (_server, alarms) =
        found(|chain| chain.hashes.values_mut().for_each(|hash| *hash = "f".repeat(64))).await;
    assert_eq!(alarms[0]["kind"], "changed");
}

#[tokio::test]
async fn a_chain_made_anew_just_before_the_next_entry_is_found() {
    let (server, tip) = with_entries().await;
    server.odoo.on("check_audit", |_| json!({"chain": {}}));
    server.odoo.tamper(|chain| chain.hashes.values_mut().for_each(|hash| *hash = "f".repeat(64)));
    server
        .ask(server.modern(
            1,
            "tools/call",
            json!({"name": "get_record", "arguments": {"model": "res.partner", "id": 14}}),
        ))
        .await;
    until("it is found", || async { open_alarms(&server).await == 1 }).await;
    assert_eq!(server.odoo.requests("append_audit").last().unwrap()["seen"], tip);
}

#[tokio::test]
async fn deleting_younger_entries_than_the_retention_does_is_found() {
    let (_server, alarms) = found(|chain| {
        chain.start = chain.tip;
        chain.hashes.clear();
    })
    .await;
    assert_eq!(alarms[0]["kind"], "deleted");
}

#[tokio::test]
async fn nothing_is_raised_where_nothing_was_done() {
    let (server, tip) = with_entries().await;
    // The answer to an append is lost: Odoo knows more than the sidecar.
    server.odoo.set_fault(Some("append_audit"), crate::support::fake_odoo::Trouble::HangUp, 2);
    server.ask(server.modern(1, "tools/list", Value::Null)).await;
    let params = json!({"name": "get_record", "arguments": {"model": "res.partner", "id": 14}});
    server.ask(server.modern(1, "tools/call", params)).await;
    until("there are more", || async { server.odoo.tamper(|chain| chain.tip) > tip }).await;
    let server = server.again(Clock::system()).await;
    let checks = server.odoo.count("check_audit");
    until("it was checked", || async { server.odoo.count("check_audit") > checks }).await;
    assert_eq!((alarms(&server).len(), open_alarms(&server).await), (0, 0));
    // The state file is lost, the id of the sidecar is not: nothing to compare with.
    let server = server.without_state(Clock::system()).await;
    let checks = server.odoo.count("check_audit");
    until("it was checked twice", || async { server.odoo.count("check_audit") > checks + 1 }).await;
    assert_eq!((alarms(&server).len(), open_alarms(&server).await), (0, 0));
    // From there on it is guarded again.
    server.odoo.tamper(|chain| chain.hashes.pop_last());
    until("an alarm is raised", || async { alarms(&server).len() == 1 }).await;
}
