//! The audit log as Odoo gets it: every request is in it, once.

use std::collections::BTreeMap;
use std::time::Duration;

use odoo_mcp_sidecar::vocab::Clock;
use serde_json::{Value, json};

use crate::support::fake_odoo::{Reply, Trouble};
use crate::support::server::{Server, initialize, key, request, until};

/// 2026-11-23T13:30:12.5Z.
const NOW_MS: u64 = 1_795_440_612_500;

fn call(server: &Server, number: u32, tool: &str, arguments: Value) -> reqwest::RequestBuilder {
    server.modern(number, "tools/call", json!({"name": tool, "arguments": arguments}))
}

fn read(server: &Server, number: u32) -> reqwest::RequestBuilder {
    call(server, number, "get_record", json!({"model": "res.partner", "id": 14}))
}

/// What every request became, as method, tool, status and reason; how often.
type Told = BTreeMap<(String, String, String, String), u64>;

fn told(entries: &[Value]) -> Told {
    let mut told = Told::new();
    for entry in entries {
        let text = |member: &str| entry[member].as_str().unwrap_or("-").to_owned();
        *told.entry((text("method"), text("tool"), text("status"), text("reason"))).or_default() +=
            entry["count"].as_u64().unwrap();
    }
    told
}

fn expected(rows: &[(&str, &str, &str, &str, u64)]) -> Told {
    let own = str::to_owned;
    rows.iter().map(|(a, b, c, d, count)| ((own(a), own(b), own(c), own(d)), *count)).collect()
}

/// Lets all sums run out, and waits until Odoo has them.
async fn settled(server: &Server, clock: &Clock, total: u64) -> Vec<Value> {
    clock.advance(Duration::from_secs(60));
    let count = || server.odoo.audit().iter().map(|entry| entry["count"].as_u64().unwrap()).sum::<u64>();
    until("all is told", || async { count() >= total }).await;
    // What would be told twice would be told by now.
    tokio::time::sleep(Duration::from_millis(700)).await;
    server.odoo.audit()
}

/// Tool calls: one that reads, one that writes, one that Odoo refuses, one that it denies, and two that never come
/// as far.
async fn tools(server: &Server) {
    server.ask(read(server, 1)).await;
    let values = json!({"model": "res.partner", "values": {"name": "x"}});
    server.ask(call(server, 1, "create_record", values)).await;
    server.odoo.on("execute", |_| Reply::fault("not_found", json!({"model": "res.partner", "ids": [14]})));
    server.ask(read(server, 1)).await;
    server.odoo.on("execute", |_| Reply::fault("access_denied", json!({"model": "res.partner"})));
    server.ask(read(server, 1)).await;
    server.ask(call(server, 1, "get_record", json!({"model": 7, "nonsense": 1}))).await;
    server.ask(call(server, 1, "no_such_tool", json!({}))).await;
}

/// What never reaches Odoo, and strangers.
async fn others(server: &Server) {
    for _ in 0..3 {
        server.ask(server.modern(1, "tools/list", Value::Null)).await;
    }
    server.ask(server.modern(1, "server/discover", Value::Null)).await;
    server.ask(server.modern(1, "no/such/method", Value::Null)).await;
    server.ask(server.post(1, &json!("no message")).body("{")).await;
    server.ask(server.post(1, &json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))).await;
    for number in [98, 99] {
        server.ask(server.modern(number, "tools/list", Value::Null)).await;
    }
    server.ask(server.http.post(server.url())).await;
    server.ask(server.http.post(server.url()).bearer_auth("short")).await;
    server.ask(server.http.post(server.url()).header("origin", "https://evil.example")).await;
    server.ask(server.http.get(format!("{}/x", server.url()))).await;
    server.ask(server.http.put(server.url()).bearer_auth(key(1))).await;
}

#[tokio::test]
async fn every_outcome_is_told_once() {
    let clock = Clock::manual_at(NOW_MS);
    let server = Server::at(clock.clone()).await;
    tools(&server).await;
    others(&server).await;
    let entries = settled(&server, &clock, 18).await;
    assert_eq!(
        told(&entries),
        expected(&[
            ("tools/call", "get_record", "success", "-", 1),
            ("tools/call", "create_record", "success", "-", 1),
            ("tools/call", "get_record", "error", "not_found", 1),
            ("tools/call", "get_record", "refused", "access_denied", 1),
            ("tools/call", "get_record", "refused", "invalid_arguments", 1),
            ("tools/call", "no_such_tool", "refused", "unknown_tool", 1),
            ("tools/list", "-", "success", "-", 3),
            ("server/discover", "-", "success", "-", 1),
            ("no/such/method", "-", "refused", "method_not_found", 1),
            ("-", "-", "refused", "parse_error", 1),
            ("-", "-", "refused", "unknown", 2),
            ("-", "-", "refused", "no_credential", 1),
            ("-", "-", "refused", "malformed_credential", 1),
            ("-", "-", "refused", "origin_refused", 1),
            ("-", "-", "refused", "path_not_found", 1),
            ("-", "-", "refused", "method_not_allowed", 1),
        ])
    );
    let of = |tool: &str| entries.iter().find(|entry| entry["tool"] == tool).unwrap();
    let created = of("create_record");
    assert_eq!(
        (&created["model"], &created["res_ids"], &created["connection"], &created["user"], &created["ip"]),
        (&json!("res.partner"), &json!([77]), &json!(1), &json!(2), &json!("127.0.0.1"))
    );
    assert_eq!(
        (&created["client"], &created["time"]),
        (&json!("test 1"), &json!("2026-11-23T13:30:12.500Z"))
    );
    assert!(created["session"].is_string() && created["duration_ms"].is_u64());
    assert_eq!(
        (&created["request"], &created["response"], &created["call_id"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(of("get_record")["res_ids"], json!([14]));
    let stranger = entries.iter().find(|entry| entry["reason"] == "unknown").unwrap();
    assert_eq!((&stranger["ip"], &stranger["connection"]), (&json!("127.0.0.0/24"), &Value::Null));
    assert_eq!(stranger["error"], "The API key is not known");
}

#[tokio::test]
async fn refusals_of_known_callers_name_them() {
    let clock = Clock::manual_at(NOW_MS);
    let server = Server::at(clock.clone()).await;
    server.odoo.change(1, |document| document["rate_limit_minute"] = json!(1));
    server.odoo.change(2, |document| document["blocked_ips"] = json!(["127.0.0.0/8"]));
    for number in [1, 1, 1, 2, 2] {
        server.ask(read(&server, number)).await;
    }
    server.odoo.settings(|settings| settings["enabled"] = json!(false));
    until("it is off", || async { server.ask(read(&server, 3)).await.code() == 1001 }).await;
    let off = server.odoo.count("authenticate");
    clock.advance(Duration::from_secs(60));
    let all = || {
        let entries = server.odoo.audit();
        ["rate_limit_minute", "address_refused", "disabled"].map(|reason| {
            entries.iter().filter(|entry| entry["reason"] == reason).cloned().collect::<Vec<_>>()
        })
    };
    until("all is told, the switch being off", || async { all().iter().all(|found| !found.is_empty()) })
        .await;
    let [limited, blocked, disabled] = all();
    let told = |entries: &[Value]| entries.iter().map(|entry| entry["count"].as_u64().unwrap()).sum::<u64>();
    assert_eq!((limited[0]["connection"].clone(), told(&limited)), (json!(1), 2));
    assert_eq!((blocked[0]["connection"].clone(), told(&blocked)), (json!(2), 2));
    assert!(disabled[0]["connection"].is_null() && told(&disabled) >= 1);
    assert_eq!(server.odoo.count("authenticate"), off);
}

#[tokio::test]
async fn answers_that_stream_are_told_when_they_are_made() {
    let clock = Clock::manual_at(NOW_MS);
    let server = Server::at(clock.clone()).await;
    let session = server.session(1).await;
    let ask =
        |method: &str, params: Value| server.ask(server.in_session(1, &session, &request(method, params)));
    let tool = json!({"name": "get_record", "arguments": {"model": "res.partner", "id": 14}});
    let answer = ask("tools/call", tool).await;
    assert_eq!(answer.header("content-type"), "text/event-stream");
    ask("tools/list", json!({})).await;
    ask("prompts/list", json!({})).await;
    let stream = server.stream(1, &session).send().await.unwrap();
    drop(stream);
    server.ask(server.post(1, &initialize("1999-01-01"))).await;
    let entries = settled(&server, &clock, 5).await;
    let told = told(&entries);
    let expected = expected(&[
        ("initialize", "-", "success", "-", 2),
        ("tools/call", "get_record", "success", "-", 1),
        ("tools/list", "-", "success", "-", 1),
        ("prompts/list", "-", "success", "-", 1),
    ]);
    assert_eq!(told, expected);
    let row = entries.iter().find(|entry| entry["tool"] == "get_record").unwrap();
    assert_eq!((&row["session"], &row["client"]), (&json!(session), &json!("test 1")));
}

#[tokio::test]
async fn a_client_that_leaves_is_told_of_and_a_change_is_seen_through() {
    let clock = Clock::manual_at(NOW_MS);
    let server = Server::at(clock.clone()).await;
    server.odoo.set_fault(Some("execute"), Trouble::Slow(Duration::from_millis(1500)), 2);
    let reading = tokio::spawn(read(&server, 1).send());
    let values = json!({"model": "res.partner", "values": {"name": "x"}});
    let writing = tokio::spawn(call(&server, 1, "create_record", values).send());
    until("Odoo has both", || async { server.odoo.count("execute") == 2 }).await;
    reading.abort();
    writing.abort();
    let entries = settled(&server, &clock, 2).await;
    assert_eq!(
        told(&entries),
        expected(&[
            ("tools/call", "create_record", "success", "-", 1),
            ("tools/call", "get_record", "abandoned", "client_left", 1),
        ])
    );
}

#[tokio::test]
async fn an_odoo_that_is_away_gets_all_of_it_later_and_nothing_twice() {
    let clock = Clock::manual_at(NOW_MS);
    let server = Server::at(clock.clone()).await;
    // Stored, but the answer is lost: it is sent again.
    server.odoo.set_fault(Some("append_audit"), Trouble::HangUp, 2);
    for _ in 0..3 {
        server.ask(read(&server, 1)).await;
    }
    server.odoo.refuse();
    for _ in 0..4 {
        let answer = server.ask(read(&server, 1)).await;
        assert!(answer.text.contains("isError"), "{answer:?}");
    }
    // A restart between changes nothing.
    let server = server.restart(clock.clone()).await;
    server.odoo.resume().await;
    server.until_ready().await;
    server.ask(read(&server, 1)).await;
    let entries = settled(&server, &clock, 8).await;
    assert_eq!(
        told(&entries),
        expected(&[
            ("tools/call", "get_record", "success", "-", 4),
            ("tools/call", "get_record", "error", "odoo_unreachable", 4),
        ])
    );
}

#[tokio::test]
async fn a_change_whose_outcome_is_unknown_is_left_to_odoo() {
    let clock = Clock::manual_at(NOW_MS);
    let server = Server::at(clock.clone()).await;
    server.odoo.set_fault(Some("execute"), Trouble::HangUp, 1);
    server.odoo.on("call_status", |_| Reply::fault("unauthenticated", json!({"reason": "revoked"})));
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let store = server.odoo.store();
    // Not settled at first: it is asked to send it again.
    server.odoo.on("append_audit", {
        let seen = std::sync::Arc::clone(&seen);
        move |request| {
            let (open, rest): (Vec<Value>, Vec<Value>) = request["entries"]
                .as_array()
                .unwrap()
                .iter()
                .cloned()
                .partition(|entry| !entry["call_id"].is_null());
            let first = seen.lock().unwrap().is_empty();
            seen.lock().unwrap().extend(open.clone());
            if !first || open.is_empty() {
                return store(&request);
            }
            let pending: Vec<_> = open.iter().map(|entry| entry["id"].clone()).collect();
            if !rest.is_empty() {
                store(&json!({"entries": rest}));
            }
            Reply::Answer(json!({"stored": rest.len(), "pending": pending}))
        }
    });
    let values = json!({"model": "res.partner", "values": {"name": "x"}});
    let answer = server.ask(call(&server, 1, "create_record", values)).await;
    assert!(answer.text.contains("may or may not"), "{answer:?}");
    server.ask(read(&server, 2)).await;
    let entries = settled(&server, &clock, 2).await;
    let sent = seen.lock().unwrap()[0].clone();
    assert_eq!((&sent["status"], &sent["reason"]), (&json!("error"), &json!("unknown")));
    assert_eq!(sent["call_id"], server.odoo.requests("execute")[0]["call_id"]);
    assert_eq!(
        told(&entries),
        expected(&[
            ("tools/call", "create_record", "success", "unknown", 1),
            ("tools/call", "get_record", "success", "-", 1),
        ])
    );
    // It did not hold up the other.
    assert_eq!(entries[0]["tool"], "get_record");
}

#[tokio::test]
async fn an_entry_that_odoo_refuses_is_set_aside_and_holds_up_nobody() {
    let clock = Clock::manual_at(NOW_MS);
    let server = Server::at(clock.clone()).await;
    let store = server.odoo.store();
    server.odoo.on("append_audit", move |request| {
        let entries = request["entries"].as_array().unwrap();
        if entries.iter().any(|entry| entry["connection"] == 2) {
            return Reply::fault("bad_request", json!({"at": "entries.0.tool"}));
        }
        store(&request)
    });
    for number in [1, 2, 3] {
        server.ask(read(&server, number)).await;
    }
    let entries = settled(&server, &clock, 2).await;
    assert_eq!(entries.len(), 2);
    let data = server.data.path().join("data");
    server.running.stop().await;
    let file = rusqlite::Connection::open(data.join("state.sqlite")).unwrap();
    let count = |table: &str| -> i64 {
        file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("spool"), count("spool_aside")), (0, 1));
    let aside: (String, String) = file
        .query_row("SELECT reason, body FROM spool_aside", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(aside.0, "entries.0.tool");
    assert!(aside.1.contains("\"connection\":2"));
}

#[tokio::test]
async fn a_full_spool_refuses_tool_calls_and_says_so() {
    let server = Server::with(|config| config.audit.spool_max_bytes = 500_000).await;
    server.odoo.on("append_audit", |_| Reply::Raised { code: 1, text: "no room".into() });
    let mut made = 0;
    let refused = loop {
        let answer = server.ask(read(&server, 1)).await;
        if answer.status != 200 {
            break answer;
        }
        made += 1;
        assert!(made < 5000, "it is never full");
    };
    assert_eq!((refused.status, refused.code(), refused.reason().as_str()), (503, 1007, "audit_full"));
    assert_eq!((refused.header("retry-after"), &refused.json()["id"]), ("30", &json!(1)));
    assert_eq!(server.odoo.count("execute"), made);
    assert_eq!(server.ask(server.modern(1, "tools/list", Value::Null)).await.status, 200);
    let store = server.odoo.store();
    server.odoo.on("append_audit", move |request| store(&request));
    until("there is room again", || async { server.ask(read(&server, 2)).await.status == 200 }).await;
    let rows = || {
        server
            .odoo
            .audit()
            .iter()
            .filter(|entry| {
                entry["tool"] == "get_record" && entry["connection"] == 1 && entry["status"] == "success"
            })
            .count()
    };
    until("Odoo has all of it", || async { rows() == made }).await;
}

#[tokio::test]
async fn payloads_are_kept_where_they_are_wanted_and_no_secret_ever() {
    let clock = Clock::manual_at(NOW_MS);
    let server = Server::at(clock.clone()).await;
    let values =
        |name: &str| json!({"model": "res.users", "values": {"name": name, "password": "hunter2-secret"}});
    server.ask(call(&server, 1, "create_record", values("before the wish"))).await;
    server.odoo.settings(|settings| settings["log_payloads"] = json!(true));
    until("it is known", || async {
        server.ask(call(&server, 2, "create_record", values("wanted"))).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        server.odoo.audit().iter().any(|entry| !entry["request"].is_null())
    })
    .await;
    let secret = format!("it is {}", key(4));
    server.ask(call(&server, 1, "search_records", json!({"model": "res.partner", "query": secret}))).await;
    server.ask(call(&server, 1, &key(4), json!({"token": "hunter2-secret"}))).await;
    server.ask(server.modern(1, &key(4), json!({"token": "hunter2-secret"}))).await;
    server
        .ask(call(&server, 1, "get_record", json!({"model": "res.partner", key(4): "hunter2-secret"})))
        .await;
    until("all is told", || async {
        server.odoo.audit().iter().any(|entry| entry["tool"] == "search_records")
    })
    .await;
    let data = server.data.path().join("data");
    let audit = server.odoo.audit();
    // What waits at the end is looked at as well.
    server.odoo.on("append_audit", |_| Reply::Raised { code: 1, text: "later".into() });
    server.ask(call(&server, 1, "create_record", values("at the end"))).await;
    server.running.stop().await;
    let mut kept = Vec::new();
    for file in std::fs::read_dir(data).unwrap() {
        kept.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let kept = format!("{}{}", String::from_utf8_lossy(&kept), json!(audit));
    assert!(kept.contains("at the end") && kept.contains("\\\"password\\\":\\\"***\\\""));
    for secret in ["hunter2-secret", &key(4), &key(1), "before the wish", "key-of-the-service-user"] {
        assert!(!kept.contains(secret), "{secret} is kept");
    }
    let proof = odoo_mcp_sidecar::vocab::Proof::of_text(&key(1)).to_hex();
    assert!(!kept.contains(&proof));
    let wanted = audit.iter().find(|entry| !entry["request"].is_null()).unwrap();
    let request: Value = serde_json::from_str(wanted["request"].as_str().unwrap()).unwrap();
    assert_eq!(request["values"], json!({"name": "wanted", "password": "***"}));
    assert!(wanted["response"].as_str().unwrap().contains("77"));
}
