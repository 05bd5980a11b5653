//! Writes happen once: never sent again after they may have arrived, finished without their caller, and
//! asked about where the answer was lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use odoo_mcp_sidecar::odoo::contract::FaultCode;
use odoo_mcp_sidecar::odoo::{Client, Error};
use serde_json::json;
use tokio::sync::Notify;

use crate::support::client::{client, options, until, write_call};
use crate::support::fake_odoo::{FakeOdoo, Reply, Trouble};

#[tokio::test]
async fn a_write_is_carried_out_once() {
    let odoo = FakeOdoo::start().await;
    let call = write_call();
    let answer = client(&odoo).write(call.clone()).await.unwrap();
    assert_eq!((answer.call_id, answer.replayed), (call.call_id, false));
    assert_eq!((odoo.count("execute"), odoo.count("call_status")), (1, 0));
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_and_the_write_not_repeated() {
    for trouble in [
        Trouble::HangUp,
        Trouble::CutMidAnswer,
        Trouble::Body("garbage".into()),
        Trouble::Http(502),
        Trouble::Http(500),
    ] {
        let odoo = FakeOdoo::start().await;
        odoo.set_fault(Some("execute"), trouble.clone(), 1);
        let call = write_call();
        let answer = client(&odoo).write(call.clone()).await.unwrap();
        assert_eq!(answer.call_id, call.call_id);
        assert_eq!((odoo.count("execute"), odoo.count("call_status")), (1, 1), "{trouble:?}");
    }
}

#[tokio::test]
async fn a_write_that_did_not_answer_in_time_is_asked_about() {
    let odoo = FakeOdoo::start().await;
    odoo.set_fault(Some("execute"), Trouble::Silence, 1);
    let mut call = write_call();
    call.deadline_ms = 100;
    client(&odoo).write(call).await.unwrap();
    assert_eq!((odoo.count("execute"), odoo.count("call_status")), (1, 1));
}

#[tokio::test]
async fn a_running_write_is_waited_for() {
    let odoo = FakeOdoo::start().await;
    odoo.set_fault(Some("execute"), Trouble::HangUp, 1);
    let asked = AtomicUsize::new(0);
    odoo.on("call_status", move |request| {
        if asked.fetch_add(1, Ordering::SeqCst) < 2 {
            return json!({"state": "running", "answer": null});
        }
        json!({"state": "done", "answer": {"call_id": request["call_id"], "results": [1], "replayed": false}})
    });
    let answer = client(&odoo).write(write_call()).await.unwrap();
    assert_eq!((answer.results[0].get(), odoo.count("execute")), ("1", 1));
}

#[tokio::test]
async fn an_unknown_write_is_said_to_be_lost() {
    let odoo = FakeOdoo::start().await;
    odoo.set_fault(Some("execute"), Trouble::HangUp, 1);
    odoo.on("call_status", |_| json!({"state": "unknown", "answer": null}));
    let error = client(&odoo).write(write_call()).await.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown), "{error:?}");
    assert!(odoo.count("call_status") > 1 && odoo.count("execute") == 1);
}

#[tokio::test]
async fn a_write_is_lost_where_odoo_stays_away() {
    let odoo = FakeOdoo::start().await;
    let mut options = options(&odoo);
    options.settle_ms = 0;
    let client = Client::new(options).unwrap();
    odoo.set_fault(Some("execute"), Trouble::Silence, 1);
    odoo.on("call_status", |_| Reply::Raised { code: 1, text: "Traceback".into() });
    let mut call = write_call();
    call.deadline_ms = 100;
    assert!(matches!(client.write(call).await, Err(Error::OutcomeUnknown)));
}

#[tokio::test]
async fn refusals_and_what_was_never_sent_are_certain() {
    let odoo = FakeOdoo::start().await;
    let client = client(&odoo);
    odoo.on("execute", |_| Reply::fault("access_denied", json!({})));
    let Err(Error::Fault(fault)) = client.write(write_call()).await else { panic!("no fault") };
    assert_eq!(fault.code, FaultCode::AccessDenied);
    // Rolled back by Odoo: nothing was done, nothing is repeated.
    odoo.on("execute", |_| Reply::Raised { code: 1, text: "could not serialize access".into() });
    assert!(matches!(client.write(write_call()).await, Err(Error::Busy)));
    odoo.refuse();
    assert!(matches!(client.write(write_call()).await, Err(Error::Unreachable)));
    assert_eq!((odoo.count("execute"), odoo.count("call_status")), (2, 0));
}

#[tokio::test]
async fn a_write_never_goes_over_a_connection_that_odoo_may_be_closing() {
    let odoo = FakeOdoo::start().await;
    let client = client(&odoo);
    odoo.set_fault(Some("execute"), Trouble::StaleConnection, 1000);
    for _ in 0..5 {
        client.write(write_call()).await.unwrap();
    }
    assert_eq!((odoo.count("execute"), odoo.count("call_status")), (5, 0));
}

#[tokio::test]
async fn a_write_survives_its_caller_and_shutdown_waits_for_it() {
    let odoo = FakeOdoo::start().await;
    let client = client(&odoo);
    let (go, finished) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    odoo.on_async("execute", {
        let (go, finished) = (go.clone(), finished.clone());
        move |request| {
            let (go, finished) = (go.clone(), finished.clone());
            async move {
                go.notified().await;
                finished.fetch_add(1, Ordering::SeqCst);
                json!({"call_id": request["call_id"], "results": [], "replayed": false})
            }
        }
    });
    let caller = tokio::spawn({
        let client = client.clone();
        async move { client.write(write_call()).await }
    });
    until("the write is in Odoo", || async { odoo.count("execute") == 1 }).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    assert_eq!(client.drain(Duration::from_millis(1)).await, 1);
    go.notify_one();
    assert_eq!(client.drain(Duration::from_secs(10)).await, 0);
    assert_eq!((finished.load(Ordering::SeqCst), client.drain(Duration::ZERO).await), (1, 0));
}

#[tokio::test]
async fn an_answer_replayed_for_an_idempotency_key_counts() {
    let odoo = FakeOdoo::start().await;
    odoo.on("execute", |_| json!({"call_id": uuid::Uuid::nil(), "results": [7], "replayed": true}));
    let answer = client(&odoo).write(write_call()).await.unwrap();
    assert!(answer.replayed && answer.results[0].get() == "7");
}

#[tokio::test]
async fn a_lost_dry_run_is_no_lost_write() {
    let odoo = FakeOdoo::start().await;
    odoo.set_fault(Some("execute"), Trouble::HangUp, 1);
    let mut call = write_call();
    call.dry_run = true;
    assert!(matches!(client(&odoo).write(call).await, Err(Error::InvalidAnswer)));
    assert_eq!((odoo.count("execute"), odoo.count("call_status")), (1, 0));
}
