//! Limits a minute and a day, through the whole server.

use std::time::Duration;

use odoo_mcp_sidecar::vocab::Clock;
use serde_json::{Value, json};

use crate::support::server::{Answer, LEGACY, Server, initialize, key, modern_body, request, until};

/// 2026-11-23T13:30:12.5Z.
const NOW_MS: u64 = 1_795_440_612_500;

fn limit(server: &Server, connection: i64, minute: Value, day: Value) {
    server.odoo.change(connection, |document| {
        document["rate_limit_minute"] = minute.clone();
        document["rate_limit_day"] = day.clone();
    });
}

async fn list(server: &Server, number: u32) -> Answer {
    server.ask(server.modern(number, "tools/list", Value::Null)).await
}

/// Asks that often; how many requests passed, and the last refusal.
async fn ask(server: &Server, number: u32, times: usize) -> (usize, Option<Answer>) {
    let (mut passed, mut refused) = (0, None);
    for _ in 0..times {
        match list(server, number).await {
            answer if answer.status == 200 => passed += 1,
            answer => refused = Some(answer),
        }
    }
    (passed, refused)
}

#[tokio::test]
async fn fifty_clients_at_once_get_exactly_the_limit() {
    let server = Server::at(Clock::manual_at(NOW_MS)).await;
    limit(&server, 1, json!(123), json!(0));
    limit(&server, 2, json!(0), json!(45));
    for (number, most) in [(1, 123), (2, 45)] {
        let clients: Vec<_> = (0..50)
            .map(|_| {
                let request = server.modern(number, "tools/list", Value::Null);
                tokio::spawn(async move {
                    let http = reqwest::Client::builder().no_proxy().build().unwrap();
                    let mut passed = 0;
                    let mut left = 8;
                    while left > 0 {
                        let answer =
                            http.execute(request.try_clone().unwrap().build().unwrap()).await.unwrap();
                        let answer = Answer::of(answer).await;
                        // Too many at the same time is another matter, and is not counted.
                        if !answer.text.contains("in_flight") {
                            left -= 1;
                            passed += usize::from(answer.status == 200);
                        }
                    }
                    passed
                })
            })
            .collect();
        let mut passed = 0;
        for client in clients {
            passed += client.await.unwrap();
        }
        assert_eq!(passed, most);
    }
}

#[tokio::test]
async fn a_refusal_names_the_limit_and_when_it_resets() {
    let server = Server::at(Clock::manual_at(NOW_MS)).await;
    limit(&server, 1, json!(2), json!(0));
    let (passed, refused) = ask(&server, 1, 3).await;
    let refused = refused.unwrap();
    assert_eq!((passed, refused.status, refused.code()), (2, 429, 1006));
    assert_eq!(refused.header("retry-after"), "48");
    assert_eq!(refused.json()["id"], 1);
    let error = &refused.json()["error"];
    assert_eq!(
        error["data"],
        json!({"reason": "limit_reached", "limit": "rate_limit_minute", "most": 2, "resets_in": 48,
               "resets_at": "2026-11-23T13:31:00Z"})
    );
    let message = error["message"].as_str().unwrap();
    assert_eq!(
        message,
        "Limit reached: this connection may make 2 requests a minute (rate_limit_minute) and has made them. The count \
         starts anew in 48 s, at 2026-11-23T13:31:00Z. Wait so long, then go on with fewer calls, each for many records"
    );
    // Others have limits of their own.
    assert_eq!(ask(&server, 2, 5).await.0, 5);
}

/// The text of a call's answer, in the modern era.
async fn called(server: &Server, number: u32, tool: &str, arguments: Value) -> String {
    let call = json!({"name": tool, "arguments": arguments});
    let answer = server.ask(server.modern(number, "tools/call", call)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["result"]["content"][0]["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn below_a_tenth_of_the_day_answers_carry_a_note() {
    let server = Server::at(Clock::manual_at(NOW_MS)).await;
    limit(&server, 1, json!(0), json!(30));
    server.until_followed().await;
    let read = || json!({"model": "res.partner", "fields": ["name"]});
    assert_eq!(ask(&server, 1, 26).await.0, 26);
    // 3 of 30 left is a tenth, not less.
    assert!(!called(&server, 1, "search_read", read()).await.contains("limit_note"));
    let text = called(&server, 1, "search_read", read()).await;
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        body["limit_note"],
        "2 of the 30 requests a day of this connection are left (rate_limit_day) until 2026-11-24T00:00:00Z, in 37787 s: \
         use few calls, each for many records."
    );
    assert!(body["records"].is_array(), "{body}");
    // Refusals of tools too; the last call says 0, and the next one is refused with what to do.
    let text = called(&server, 1, "search_read", json!({"modle": "x"})).await;
    assert!(text.contains("did you mean `model`?") && text.contains(" 1 of the 30 requests a day"), "{text}");
    let text =
        called(&server, 1, "create_record", json!({"model": "res.partner", "values": {"name": "A"}})).await;
    assert!(text.starts_with("{\"limit_note\":\"0 of the 30 requests"), "{text}");
    let refused = list(&server, 1).await;
    assert_eq!((refused.status, refused.code()), (429, 1006));
    let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("30 requests a day (rate_limit_day)") && message.contains("in 37788 s"),
        "{message}"
    );
    assert!(message.contains("say so to the user"), "{message}");
}

#[tokio::test]
async fn the_note_reaches_legacy_clients_and_batched_reads_and_needs_a_daily_limit() {
    let server = Server::at(Clock::manual_at(NOW_MS)).await;
    limit(&server, 1, json!(0), json!(20));
    limit(&server, 2, json!(20), json!(0));
    server.until_followed().await;
    assert_eq!(ask(&server, 1, 12).await.0, 12);
    let session = server.session(1).await;
    assert_eq!(ask(&server, 1, 5).await.0, 5);
    let call = json!({"name": "list_models", "arguments": {}});
    let legacy = server.ask(server.in_session(1, &session, &request("tools/call", call.clone()))).await;
    let text = legacy.json()["result"]["content"][0]["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("{\"limit_note\":\"1 of the 20 requests a day"), "{text}");
    for _ in 0..19 {
        assert!(!called(&server, 2, "list_models", json!({})).await.contains("limit_note"));
    }
    // Reads that are sent to Odoo together are answered one by one.
    limit(&server, 3, json!(0), json!(1000));
    assert_eq!(ask(&server, 3, 901).await.0, 901);
    let reads = (0..8).map(|_| called(&server, 3, "search_count", json!({"model": "res.partner"})));
    for text in futures_util::future::join_all(reads).await {
        assert!(text.contains("of the 1000 requests a day"), "{text}");
    }
}

#[tokio::test]
async fn the_minute_rolls_and_the_day_outlives_a_restart() {
    let clock = Clock::manual_at(NOW_MS);
    let server = Server::at(clock.clone()).await;
    server.odoo.settings(|settings| settings["tz"] = json!("Europe/Brussels"));
    limit(&server, 1, json!(3), json!(5));
    assert_eq!(ask(&server, 1, 5).await.0, 3);
    clock.advance(Duration::from_millis(47_499));
    assert_eq!(ask(&server, 1, 2).await.0, 0);
    clock.advance(Duration::from_millis(1));
    let server = server.again(clock.clone()).await;
    let (passed, refused) = ask(&server, 1, 5).await;
    let data = refused.unwrap().json()["error"]["data"].clone();
    assert_eq!((passed, &data["limit"]), (2, &json!("rate_limit_day")));
    assert_eq!(data["resets_at"], "2026-11-23T23:00:00Z");
    clock.advance(Duration::from_secs(data["resets_in"].as_u64().unwrap()));
    assert_eq!(ask(&server, 1, 5).await.0, 3);
}

#[tokio::test]
async fn only_requests_count() {
    let server = Server::at(Clock::manual_at(NOW_MS)).await;
    let session = server.session(1).await;
    limit(&server, 1, json!(1), json!(0));
    until("the limit is known", || async {
        server.ask(server.in_session(1, &session, &request("tools/list", json!({})))).await.status != 200
    })
    .await;
    // The change has ended the session; the one request of the minute is spent.
    let answer = list(&server, 1).await;
    if answer.status == 200 {
        assert_eq!(list(&server, 1).await.status, 429);
    }
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    for _ in 0..5 {
        let ping = server.ask(server.modern(1, "ping", Value::Null)).await;
        assert_ne!(ping.status, 429, "{ping:?}");
        assert_ne!(server.ask(server.in_session(1, &session, &initialized)).await.status, 429);
        assert_ne!(server.ask(server.stream(1, &session)).await.status, 429);
        let options = server.http.request(reqwest::Method::OPTIONS, server.url()).send().await.unwrap();
        assert_ne!(options.status(), 429);
        let delete = server.http.delete(server.url()).bearer_auth(key(1)).header("mcp-session-id", &session);
        assert_ne!(delete.send().await.unwrap().status(), 429);
    }
    // Everything else counts, initialize among it.
    assert_eq!(server.ask(server.post(1, &initialize(LEGACY))).await.status, 429);
}

#[tokio::test]
async fn what_does_not_count_leaves_the_limit_whole() {
    let server = Server::at(Clock::manual_at(NOW_MS)).await;
    limit(&server, 1, json!(3), json!(0));
    for _ in 0..5 {
        server.ask(server.modern(1, "ping", Value::Null)).await;
        let notification =
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9}});
        server.ask(server.post(1, &notification)).await;
        server.ask(server.post(1, &json!([modern_body("tools/list", Value::Null)]))).await;
    }
    assert_eq!(ask(&server, 1, 9).await.0, 3);
}

#[tokio::test]
async fn a_changed_default_reaches_connections_without_an_override_at_once() {
    let server = Server::at(Clock::manual_at(NOW_MS)).await;
    server.odoo.settings(|settings| settings["rate_limit_minute"] = json!(2));
    limit(&server, 1, Value::Null, Value::Null);
    limit(&server, 2, json!(1), Value::Null);
    until("the default is known", || async { list(&server, 1).await.status == 429 }).await;
    assert_eq!(ask(&server, 2, 3).await.0, 1);
    server.odoo.settings(|settings| settings["rate_limit_minute"] = json!(0));
    until("the new default is known", || async { list(&server, 1).await.status == 200 }).await;
    assert_eq!(list(&server, 2).await.status, 429);
}

#[tokio::test]
async fn a_second_process_on_the_same_data_is_told() {
    let server = Server::start().await;
    let mut config = odoo_mcp_sidecar::config::Config::default();
    config.server.listen.set_port(0);
    config.server.admin_listen.set_port(0);
    config.server.data_dir = server.data.path().join("data");
    let app = odoo_mcp_sidecar::app::App::build(config).unwrap();
    let error = app.start().await.err().unwrap().to_string();
    assert!(error.contains("another sidecar runs with the same data_dir"), "{error}");
}
