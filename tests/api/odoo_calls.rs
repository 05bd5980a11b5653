//! Calls that change nothing: each way in which Odoo can fail becomes the right error, and only that.

use std::sync::Arc;
use std::time::Duration;

use odoo_mcp_sidecar::config::odoo::OdooConfig;
use odoo_mcp_sidecar::odoo::contract::{Answer, FaultCode};
use odoo_mcp_sidecar::odoo::{Client, Error};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::client::{client, options, read_call, until};
use crate::support::fake_odoo::{FakeOdoo, Reply, Trouble};

/// One read against an Odoo with this trouble, once.
async fn read_with(trouble: Trouble) -> (Result<Answer, Error>, FakeOdoo) {
    let odoo = FakeOdoo::start().await;
    odoo.set_fault(Some("execute"), trouble, 1);
    let answer = client(&odoo).read(&read_call()).await;
    (answer, odoo)
}

#[tokio::test]
async fn a_read_comes_back_to_the_letter() {
    let odoo = FakeOdoo::start().await;
    let text = r#"[{"big":9007199254740993,"control":"\u0000\u0001\u000b\u001f\r\n\t","astral":"😀","html":"<b>&amp;]]></b>","blank":"   ","odd":"\ufffe\uffff\ud800","float":1.10}]"#;
    odoo.on("execute", move |request| {
        let id = request["call_id"].as_str().unwrap();
        Reply::Text(format!(r#"{{"call_id":"{id}","results":[{text}],"replayed":false}}"#))
    });
    let answer = client(&odoo).read(&read_call()).await.unwrap();
    assert_eq!(answer.results[0].get(), text);
}

#[tokio::test]
async fn a_request_reaches_odoo_to_the_letter() {
    let odoo = FakeOdoo::start().await;
    let mut call = read_call();
    let all: String = (0..=0x11_FFFF_u32)
        .filter(|code| {
            *code < 0x300 || (0xFFF0..0x1_0010).contains(code) || *code == 0x1_F600 || *code == 0x10_FFFF
        })
        .filter_map(char::from_u32)
        .collect();
    call.context.insert("text".into(), json!(all));
    call.context.insert("big".into(), json!([i64::MAX, i64::MIN, 9_007_199_254_740_993_i64, u64::MAX]));
    call.context.insert("markup".into(), json!("<a>&lt;]]>\r\n</a> \\ \" \\ufffe"));
    client(&odoo).read(&call).await.unwrap();
    assert_eq!(odoo.requests("execute")[0]["context"], Value::Object(call.context));
    // What XML 1.0 forbids never stands in the request.
    let body = &odoo.calls().pop().unwrap().body;
    let forbidden = |c: char| (c < ' ' && c != '\n') || c == '\u{FFFE}' || c == '\u{FFFF}';
    assert!(!body.contains(forbidden));
}

#[tokio::test]
async fn each_request_names_the_database_in_its_header() {
    let odoo = FakeOdoo::start().await;
    client(&odoo).read(&read_call()).await.unwrap();
    let named: Vec<_> = odoo.calls().into_iter().map(|call| (call.service, call.database)).collect();
    assert_eq!(named, [("common", Some("fake".into())), ("object", Some("fake".into()))]);
}

#[tokio::test]
async fn a_name_that_no_header_can_carry_stays_in_the_body() {
    let odoo = FakeOdoo::start().await;
    let unusual = Client::new(OdooConfig { database: "größe\n".into(), ..options(&odoo) }).unwrap();
    unusual.read(&read_call()).await.unwrap();
    let call = odoo.calls().pop().unwrap();
    assert_eq!(call.database, None);
    assert!(call.body.contains("größe"));
}

#[tokio::test]
async fn the_deadline_that_odoo_gets_is_what_the_queue_left() {
    let odoo = FakeOdoo::start().await;
    client(&odoo).read(&read_call()).await.unwrap();
    let deadline = odoo.requests("execute")[0]["deadline_ms"].as_u64().unwrap();
    assert!((20_000..=30_000).contains(&deadline), "{deadline}");
}

#[tokio::test]
async fn many_callers_log_in_once() {
    let odoo = FakeOdoo::start().await;
    let client = client(&odoo);
    let calls = (0..50).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.read(&read_call()).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    assert_eq!((odoo.logins(), odoo.count("execute")), (1, 50));
}

#[tokio::test]
async fn a_refused_login_is_tried_once_more_and_then_said() {
    let odoo = FakeOdoo::start().await;
    let client = client(&odoo);
    client.read(&read_call()).await.unwrap();
    // The service user was made anew: another id. The old one is refused, then all is well.
    odoo.set_uid(8);
    client.read(&read_call()).await.unwrap();
    assert_eq!(odoo.logins(), 2);
    // The key was revoked.
    odoo.set_uid(0);
    assert!(matches!(client.read(&read_call()).await, Err(Error::ServiceLoginRefused)));
    assert_eq!(odoo.logins(), 3);
    // Those who come right after do not each try it again.
    assert!(matches!(client.read(&read_call()).await, Err(Error::ServiceLoginRefused)));
    assert_eq!(odoo.logins(), 3);
}

#[tokio::test]
async fn a_fault_of_the_contract_is_handed_on() {
    let odoo = FakeOdoo::start().await;
    odoo.on("execute", |_| Reply::fault("unknown_field", json!({"model": "res.partner", "field": "nmae"})));
    let Err(Error::Fault(fault)) = client(&odoo).read(&read_call()).await else { panic!("no fault") };
    assert_eq!((fault.code, fault.data["field"].as_str()), (FaultCode::UnknownField, Some("nmae")));
    assert_eq!(odoo.count("execute"), 1);
}

#[tokio::test]
async fn a_traceback_never_reaches_the_caller() {
    for (code, text) in [(1, "Traceback: password hunter2"), (2, "hunter2"), (4, "hunter2 denied")] {
        let odoo = FakeOdoo::start().await;
        odoo.on("execute", move |_| Reply::Raised { code, text: text.into() });
        let error = client(&odoo).read(&read_call()).await.unwrap_err();
        assert!(matches!(&error, Error::Fault(fault) if fault.code == FaultCode::Internal), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn unusable_answers_are_refused_without_harm() {
    let deep = Trouble::DeepNesting(100_000);
    let troubles = [
        deep,
        Trouble::CutMidAnswer,
        Trouble::Body("<html>Bad</html>".into()),
        Trouble::Body(String::new()),
        Trouble::Body("\u{0}\u{1}garbage<<<&&&".into()),
        Trouble::Body("<!DOCTYPE x [<!ENTITY a 'b'>]><methodResponse/>".into()),
        Trouble::Http(500),
        Trouble::Http(418),
    ];
    for trouble in troubles {
        let (answer, odoo) = read_with(trouble.clone()).await;
        assert!(matches!(answer, Err(Error::InvalidAnswer)), "{trouble:?}: {answer:?}");
        assert_eq!(odoo.count("execute"), 1, "{trouble:?}");
    }
}

#[tokio::test]
async fn who_turns_requests_away_is_not_odoo() {
    for status in [302, 401, 403, 404, 405] {
        let (answer, odoo) = read_with(Trouble::Http(status)).await;
        assert!(matches!(answer, Err(Error::NotOdoo(found)) if found == status), "{answer:?}");
        assert_eq!(odoo.count("execute"), 1, "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_read() {
    let odoo = FakeOdoo::start().await;
    let mut options = options(&odoo);
    options.max_answer_bytes = 1_000_000;
    let client = Client::new(options).unwrap();
    for trouble in [Trouble::Huge(2_000_000), Trouble::Endless] {
        odoo.set_fault(Some("execute"), trouble, 1);
        assert!(matches!(client.read(&read_call()).await, Err(Error::AnswerTooLong)));
    }
    client.read(&read_call()).await.unwrap();
}

#[tokio::test]
async fn an_answer_to_another_call_is_refused() {
    let odoo = FakeOdoo::start().await;
    odoo.on("execute", |_| json!({"call_id": uuid::Uuid::nil(), "results": [], "replayed": false}));
    assert!(matches!(client(&odoo).read(&read_call()).await, Err(Error::InvalidAnswer)));
}

#[tokio::test]
async fn a_read_is_sent_again_where_the_connection_broke() {
    let (answer, odoo) = read_with(Trouble::HangUp).await;
    answer.unwrap();
    assert_eq!(odoo.count("execute"), 2);
    odoo.set_fault(Some("execute"), Trouble::HangUp, 2);
    assert!(matches!(client(&odoo).read(&read_call()).await, Err(Error::InvalidAnswer)));
    assert_eq!(odoo.count("execute"), 4);
}

#[tokio::test]
async fn a_connection_that_odoo_closed_meanwhile_does_no_harm() {
    let odoo = FakeOdoo::start().await;
    let client = client(&odoo);
    for _ in 0..20 {
        client.read(&read_call()).await.unwrap();
        odoo.set_fault(Some("execute"), Trouble::StaleConnection, 1);
    }
    assert_eq!(odoo.count("execute"), 20);
}

#[tokio::test]
async fn the_prefork_server_which_closes_each_connection_is_served() {
    let odoo = FakeOdoo::start().await;
    odoo.keep_alive(false);
    let client = client(&odoo);
    for _ in 0..5 {
        client.read(&read_call()).await.unwrap();
    }
    assert_eq!(odoo.connections(), 6);
}

#[tokio::test]
async fn the_threaded_server_keeps_its_connection() {
    let odoo = FakeOdoo::start().await;
    let client = client(&odoo);
    for _ in 0..5 {
        client.read(&read_call()).await.unwrap();
    }
    assert_eq!(odoo.connections(), 1);
}

#[tokio::test]
async fn a_busy_odoo_is_asked_again_until_the_deadline() {
    for trouble in [
        Trouble::Http(503),
        Trouble::Http(502),
        Trouble::Traceback("psycopg2.errors.SerializationFailure: could not serialize access".into()),
    ] {
        let (answer, odoo) = read_with(trouble.clone()).await;
        answer.unwrap();
        assert_eq!(odoo.count("execute"), 2);
        let mut call = read_call();
        call.deadline_ms = 300;
        odoo.set_fault(Some("execute"), trouble, 1000);
        assert!(matches!(client(&odoo).read(&call).await, Err(Error::Busy)));
    }
}

#[tokio::test]
async fn a_silent_odoo_is_given_up_at_the_deadline() {
    let odoo = FakeOdoo::start().await;
    odoo.set_fault(Some("execute"), Trouble::Silence, 1);
    let mut call = read_call();
    call.deadline_ms = 100;
    assert!(matches!(client(&odoo).read(&call).await, Err(Error::TimedOut)));
    assert_eq!(odoo.count("execute"), 1);
}

#[tokio::test]
async fn who_finds_no_place_in_the_queue_is_told_so() {
    let odoo = FakeOdoo::start().await;
    let gate = Arc::new(Semaphore::new(0));
    odoo.on_async("execute", {
        let gate = gate.clone();
        move |request| {
            let gate = gate.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                json!({"call_id": request["call_id"], "results": [], "replayed": false})
            }
        }
    });
    let client = Client::new(OdooConfig { max_in_flight: 1, ..options(&odoo) }).unwrap();
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.read(&read_call()).await }
    });
    until("the first call is in Odoo", || async { odoo.count("execute") == 1 }).await;
    let mut call = read_call();
    call.deadline_ms = 100;
    assert!(matches!(client.read(&call).await, Err(Error::Busy)));
    // Its caller leaves, but Odoo goes on with it: who asks and leaves again and again gets no more workers.
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert!(matches!(client.read(&call).await, Err(Error::Busy)));
    assert_eq!(odoo.count("execute"), 1);
    // Once Odoo has answered, the next may go.
    gate.add_permits(2);
    client.read(&read_call()).await.unwrap();
    assert_eq!(odoo.count("execute"), 2);
}

#[tokio::test]
async fn the_breaker_opens_on_a_dead_odoo_and_closes_when_it_is_back() {
    let odoo = FakeOdoo::start().await;
    let mut options = options(&odoo);
    options.breaker_pause_ms = 60_000;
    let slow_to_try = Client::new(options).unwrap();
    let client = client(&odoo);
    client.read(&read_call()).await.unwrap();
    odoo.refuse();
    for client in [&client, &slow_to_try] {
        for _ in 0..5 {
            assert!(matches!(client.read(&read_call()).await, Err(Error::Unreachable)));
        }
    }
    odoo.resume().await;
    let before = odoo.connections();
    // While it is open, nothing is sent; after its pause one call tries, and its success closes it.
    assert!(matches!(slow_to_try.read(&read_call()).await, Err(Error::Unreachable)));
    assert_eq!(odoo.connections(), before);
    until("the breaker closes", || async { client.read(&read_call()).await.is_ok() }).await;
    for _ in 0..10 {
        client.read(&read_call()).await.unwrap();
    }
}

#[tokio::test]
async fn faults_and_slow_calls_do_not_open_the_breaker() {
    let odoo = FakeOdoo::start().await;
    let client = Client::new(OdooConfig { threads: 6, ..options(&odoo) }).unwrap();
    odoo.set_fault(Some("execute"), Trouble::Traceback("Traceback".into()), 10);
    for _ in 0..10 {
        assert!(matches!(client.read(&read_call()).await, Err(Error::Fault(_))));
    }
    odoo.set_fault(Some("execute"), Trouble::Silence, 6);
    let mut call = read_call();
    call.deadline_ms = 100;
    let calls = (0..6).map(|_| client.read(&call));
    for answer in futures_util::future::join_all(calls).await {
        assert!(matches!(answer, Err(Error::TimedOut)), "{answer:?}");
    }
    client.read(&read_call()).await.unwrap();
}

#[tokio::test]
async fn an_unusable_address_is_said_at_the_start() {
    for url in ["", "odoo", "ftp://odoo", "http://"] {
        let options = odoo_mcp_sidecar::config::odoo::OdooConfig { url: url.into(), ..Default::default() };
        assert!(matches!(Client::new(options), Err(Error::InvalidSetup)), "{url}");
    }
}

#[tokio::test]
async fn a_slow_answer_is_waited_for() {
    let (answer, odoo) = read_with(Trouble::Slow(Duration::from_millis(200))).await;
    answer.unwrap();
    assert_eq!(odoo.count("execute"), 1);
}
