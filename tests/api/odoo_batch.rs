//! Small reads that come while Odoo is busy share a request, and nobody pays for his neighbour.

use std::sync::Arc;
use std::time::Duration;

use odoo_mcp_sidecar::odoo::contract::{Answer, Call, HelloRequest, Mode, Step};
use odoo_mcp_sidecar::odoo::{Client, Error};
use odoo_mcp_sidecar::vocab::ConnectionId;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::support::client::{call, client, options, read_call, until};
use crate::support::fake_odoo::{FakeOdoo, Trouble};

type Reading = JoinHandle<Result<Answer, Error>>;

/// An Odoo whose single calls wait until the gate lets them through; batches don't.
async fn gated() -> (FakeOdoo, Arc<Semaphore>) {
    let odoo = FakeOdoo::start().await;
    let gate = Arc::new(Semaphore::new(0));
    let closed = gate.clone();
    odoo.on_async("execute", move |request| {
        let gate = closed.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            json!({"call_id": request["call_id"], "results": [{"count": 1}], "replayed": false})
        }
    });
    (odoo, gate)
}

fn start(client: &Arc<Client>, call: Call) -> Reading {
    let client = client.clone();
    tokio::spawn(async move { client.read_batched(call).await })
}

/// Starts reads one after the other, so that their order is known.
async fn start_many(client: &Arc<Client>, count: usize) -> Vec<(Value, Reading)> {
    let mut started = Vec::new();
    for _ in 0..count {
        let call = read_call();
        started.push((json!(call.call_id), start(client, call)));
        tokio::task::yield_now().await;
    }
    started
}

/// Two reads in Odoo: all of its workers are busy.
async fn keep_busy(odoo: &FakeOdoo, client: &Arc<Client>) -> Vec<(Value, Reading)> {
    let busy = start_many(client, 2).await;
    until("both lanes are taken", || async { odoo.count("execute") == 2 }).await;
    busy
}

async fn all_answered(reads: Vec<(Value, Reading)>) {
    for (id, reading) in reads {
        assert_eq!(json!(reading.await.unwrap().unwrap().call_id), id);
    }
}

fn batches(odoo: &FakeOdoo) -> Vec<usize> {
    odoo.requests("execute_batch").iter().map(|batch| batch["calls"].as_array().unwrap().len()).collect()
}

#[tokio::test]
async fn reads_that_find_odoo_busy_leave_together() {
    let (odoo, gate) = gated().await;
    let client = client(&odoo);
    let busy = keep_busy(&odoo, &client).await;
    let waiting = start_many(&client, 11).await;
    assert_eq!((odoo.count("execute"), batches(&odoo)), (2, vec![]));
    gate.add_permits(1);
    // A lane takes its share: the other one will want work as well.
    until("the first batch", || async { !batches(&odoo).is_empty() }).await;
    assert_eq!(batches(&odoo)[0], 6);
    gate.add_permits(10);
    all_answered(busy).await;
    all_answered(waiting).await;
    // Nothing is left behind: with all lanes free a read leaves alone again.
    let before = odoo.count("execute");
    client.read_batched(read_call()).await.unwrap();
    assert_eq!(odoo.count("execute"), before + 1);
}

#[tokio::test]
async fn a_few_do_not_wait_for_another_lane() {
    let (odoo, gate) = gated().await;
    let client = client(&odoo);
    let busy = keep_busy(&odoo, &client).await;
    let waiting = start_many(&client, 4).await;
    gate.add_permits(1);
    // The other lane stays shut: whoever is answered left with the first.
    all_answered(waiting).await;
    assert_eq!(batches(&odoo), [4]);
    gate.add_permits(1);
    all_answered(busy).await;
}

#[tokio::test]
async fn slow_reads_keep_their_workers_and_the_others_take_the_first_that_comes_free() {
    let (odoo, gate) = gated().await;
    let client = client(&odoo);
    let slow = keep_busy(&odoo, &client).await;
    let waiting = start_many(&client, 3).await;
    // Longer than a request has a lane for itself: more would only queue before Odoo's own users.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!((odoo.count("execute"), batches(&odoo)), (2, vec![]));
    gate.add_permits(1);
    // One stays shut.
    all_answered(waiting).await;
    gate.add_permits(1);
    all_answered(slow).await;
}

#[tokio::test]
async fn a_batch_is_no_larger_than_the_settings_say_and_one_means_none() {
    let (odoo, gate) = gated().await;
    let client =
        Client::new(odoo_mcp_sidecar::config::odoo::OdooConfig { batch_size: 3, ..options(&odoo) }).unwrap();
    let busy = keep_busy(&odoo, &client).await;
    let waiting = start_many(&client, 12).await;
    gate.add_permits(100);
    all_answered(busy).await;
    all_answered(waiting).await;
    assert!(batches(&odoo).iter().all(|size| *size <= 3), "{:?}", batches(&odoo));

    let (odoo, gate) = gated().await;
    let client = Client::new(odoo_mcp_sidecar::config::odoo::OdooConfig {
        batch_size: 1,
        threads: 5,
        ..options(&odoo)
    })
    .unwrap();
    let reads = start_many(&client, 5).await;
    until("all are in Odoo at once", || async { odoo.count("execute") == 5 }).await;
    gate.add_permits(5);
    all_answered(reads).await;
    assert_eq!(batches(&odoo), Vec::<usize>::new());
}

#[tokio::test]
async fn as_many_lanes_as_odoo_has_workers() {
    let (odoo, gate) = gated().await;
    let client = client(&odoo);
    let hello = HelloRequest {
        contract: 1,
        replica: uuid::Uuid::new_v4(),
        version: "0".into(),
        public_url: "http://localhost".into(),
        wake_url: None,
        wake_secret: None,
    };
    let busy = keep_busy(&odoo, &client).await;
    let waiting = start_many(&client, 3).await;
    odoo.set_workers(4);
    client.hello(&hello).await.unwrap();
    // Those who waited go at once, on a new lane.
    all_answered(waiting).await;
    let more = start_many(&client, 3).await;
    until("four are in Odoo", || async { odoo.count("execute") == 4 }).await;
    gate.add_permits(10);
    all_answered(busy).await;
    all_answered(more).await;
    assert_eq!((odoo.count("execute"), batches(&odoo)), (5, vec![3]));
}

#[tokio::test]
async fn a_refusal_reaches_its_own_call_only() {
    let (odoo, gate) = gated().await;
    odoo.on("execute_batch", |request| {
        let calls = request["calls"].as_array().unwrap().iter().enumerate();
        let answers = calls.map(|(index, call)| match index {
            0 => json!({"call_id": call["call_id"],
                        "error": {"code": "access_denied", "message": "No.", "data": {}}}),
            _ => json!({"call_id": call["call_id"], "results": [{"count": 1}], "replayed": false}),
        });
        json!({"answers": answers.collect::<Vec<_>>()})
    });
    let client = client(&odoo);
    let busy = keep_busy(&odoo, &client).await;
    let mut waiting = start_many(&client, 3).await;
    gate.add_permits(10);
    let refused = waiting.remove(0).1.await.unwrap().unwrap_err();
    assert!(matches!(refused, Error::Fault(fault) if fault.message == "No."));
    all_answered(waiting).await;
    all_answered(busy).await;
}

#[tokio::test]
async fn what_a_batch_had_no_time_for_is_asked_again_alone() {
    let (odoo, gate) = gated().await;
    odoo.on("execute_batch", |request| {
        let calls = request["calls"].as_array().unwrap().iter();
        let answers = calls.map(|call| {
            assert!(call["deadline_ms"].as_u64().unwrap() <= 1_000);
            json!({"call_id": call["call_id"],
                   "error": {"code": "deadline", "message": "Too slow.", "data": {"deadline_ms": 1000}}})
        });
        json!({"answers": answers.collect::<Vec<_>>()})
    });
    let client = client(&odoo);
    let busy = keep_busy(&odoo, &client).await;
    let waiting = start_many(&client, 4).await;
    gate.add_permits(100);
    all_answered(waiting).await;
    all_answered(busy).await;
    let alone = odoo.requests("execute");
    assert!(alone.iter().all(|call| call["deadline_ms"].as_u64().unwrap() > 10_000));
}

#[tokio::test]
async fn a_batch_that_fails_as_a_whole_is_asked_call_by_call() {
    for spoilt in [Trouble::Body("garbage".into()), Trouble::Traceback("Traceback: boom".into())] {
        let (odoo, gate) = gated().await;
        let client = client(&odoo);
        let busy = keep_busy(&odoo, &client).await;
        let waiting = start_many(&client, 4).await;
        odoo.set_fault(Some("execute_batch"), spoilt, 100);
        gate.add_permits(100);
        all_answered(waiting).await;
        all_answered(busy).await;
    }
}

#[tokio::test]
async fn a_dead_odoo_is_told_to_all_who_wait() {
    let (odoo, gate) = gated().await;
    let client = client(&odoo);
    let busy = keep_busy(&odoo, &client).await;
    let waiting = start_many(&client, 4).await;
    odoo.refuse();
    gate.add_permits(100);
    for (_, reading) in busy.into_iter().chain(waiting) {
        assert!(matches!(reading.await.unwrap(), Err(Error::Unreachable | Error::InvalidAnswer)));
    }
}

#[tokio::test]
async fn who_left_is_not_asked_for_and_its_worker_is_waited_for() {
    let (odoo, gate) = gated().await;
    let client = client(&odoo);
    let mut busy = keep_busy(&odoo, &client).await;
    let mut waiting = start_many(&client, 4).await;
    let left = waiting.remove(1);
    left.1.abort();
    let _ = left.1.await;
    // A caller leaves, and Odoo is still at it: its worker is as busy as before.
    busy.remove(0).1.abort();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(batches(&odoo), Vec::<usize>::new());
    gate.add_permits(2);
    until("a batch", || async { !batches(&odoo).is_empty() }).await;
    gate.add_permits(100);
    all_answered(busy).await;
    all_answered(waiting).await;
    assert!(odoo.calls().iter().all(|call| !call.body.contains(left.0.as_str().unwrap())));
}

#[tokio::test]
async fn large_reads_leave_alone() {
    let (odoo, gate) = gated().await;
    let client = client(&odoo);
    let busy = keep_busy(&odoo, &client).await;
    let large = Step::Read { model: "res.partner".into(), ids: (1..=101).collect(), fields: None };
    let large = call(Mode::Read, large);
    let id = json!(large.call_id);
    let large = start(&client, large);
    let waiting = start_many(&client, 3).await;
    gate.add_permits(10);
    large.await.unwrap().unwrap();
    all_answered(busy).await;
    all_answered(waiting).await;
    assert!(odoo.requests("execute").iter().any(|call| call["call_id"] == id));
}

#[tokio::test]
async fn connections_take_turns_in_a_batch() {
    let (odoo, gate) = gated().await;
    let client =
        Client::new(odoo_mcp_sidecar::config::odoo::OdooConfig { batch_size: 4, ..options(&odoo) }).unwrap();
    let busy = keep_busy(&odoo, &client).await;
    // One connection asks ten times before two others come.
    let mut waiting = start_many(&client, 10).await;
    for connection in [2, 3] {
        let call = Call { connection: ConnectionId(connection), ..read_call() };
        waiting.push((json!(call.call_id), start(&client, call)));
        tokio::task::yield_now().await;
    }
    let others: Vec<_> = waiting[10..].iter().map(|(id, _)| id.clone()).collect();
    gate.add_permits(1);
    until("the first batch", || async { !batches(&odoo).is_empty() }).await;
    let first = odoo.requests("execute_batch")[0]["calls"].as_array().unwrap().clone();
    let first: Vec<_> = first.iter().map(|call| call["call_id"].clone()).collect();
    assert!(first.len() == 4 && others.iter().all(|id| first.contains(id)), "{first:?}");
    gate.add_permits(100);
    all_answered(busy).await;
    all_answered(waiting).await;
}

#[tokio::test]
async fn the_queue_ends_with_the_deadline() {
    let (odoo, _gate) = gated().await;
    let client = client(&odoo);
    let _busy = keep_busy(&odoo, &client).await;
    let mut late = read_call();
    late.deadline_ms = 100;
    let error = client.read_batched(late).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut));
}
