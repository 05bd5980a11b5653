//! The memory of answers is reserved while they are read, and a write is never said to be undone for want of it.

use std::sync::Arc;
use std::time::Duration;

use odoo_mcp_sidecar::config::odoo::OdooConfig;
use odoo_mcp_sidecar::odoo::contract::Call;
use odoo_mcp_sidecar::odoo::memory_budget::{ANSWER_COPIES, MemoryBudget};
use odoo_mcp_sidecar::odoo::{Client, Error};
use odoo_mcp_sidecar::vocab::ConnectionId;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::client::{client, options, read_call, until, write_call};
use crate::support::fake_odoo::{FakeOdoo, Reply, Trouble};

const ONE: ConnectionId = ConnectionId(1);
const LONG: usize = 1_000_000;

/// An Odoo whose answers are `LONG`, and room for a few of them.
async fn long_answers() -> (FakeOdoo, Arc<MemoryBudget>) {
    let odoo = FakeOdoo::start().await;
    odoo.on("execute", answer);
    (odoo, MemoryBudget::new(8 * LONG, 12 * LONG))
}

fn answer(request: Value) -> Value {
    json!({"call_id": request["call_id"], "results": ["y".repeat(LONG)], "replayed": false})
}

fn with(memory: &Arc<MemoryBudget>, call: Call) -> Call {
    Call { account: memory.account(ONE), ..call }
}

#[tokio::test]
async fn an_answer_keeps_its_room_as_long_as_its_account() {
    let (odoo, memory) = long_answers().await;
    let client = client(&odoo);
    let first = with(&memory, read_call());
    client.read(&first).await.unwrap();
    let reserved = memory.reserved();
    assert!((ANSWER_COPIES * LONG..ANSWER_COPIES * LONG + 100_000).contains(&reserved), "{reserved}");
    drop(first);
    assert_eq!(memory.reserved(), 0);
}

/// Reads that wait for two slow ones, and so leave together.
async fn shared(
    odoo: &FakeOdoo,
    memory: &Arc<MemoryBudget>,
    max_answer_bytes: usize,
) -> Vec<Result<usize, Error>> {
    let gate = Arc::new(Semaphore::new(0));
    odoo.on_async("execute", {
        let gate = gate.clone();
        move |request| {
            let gate = gate.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                answer(request)
            }
        }
    });
    odoo.on("execute_batch", |request| {
        let calls = request["calls"].as_array().unwrap().iter().cloned();
        json!({"answers": calls.map(answer).collect::<Vec<_>>()})
    });
    let client = Client::new(OdooConfig { max_answer_bytes, ..options(odoo) }).unwrap();
    let start = |connection| {
        let (client, account) = (client.clone(), memory.account(ConnectionId(connection)));
        let call = Call { connection: ConnectionId(connection), account, ..read_call() };
        tokio::spawn(
            async move { client.read_batched(call).await.map(|answer| answer.results[0].get().len()) },
        )
    };
    let slow = [start(8), start(9)];
    until("both workers are busy", || async { odoo.count("execute") == 2 }).await;
    let reads: Vec<_> = [1, 2, 2].into_iter().map(start).collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    gate.add_permits(100);
    for read in slow {
        read.await.unwrap().unwrap();
    }
    let mut found = Vec::new();
    for read in reads {
        found.push(read.await.unwrap());
    }
    found
}

#[tokio::test]
async fn the_part_of_a_shared_answer_counts_for_its_own_connection() {
    let (odoo, _) = long_answers().await;
    let memory = MemoryBudget::new(8 * LONG, 100 * LONG);
    let held = memory.account(ONE);
    held.try_grow(7 * LONG).unwrap();
    let found = shared(&odoo, &memory, 20 * LONG).await;
    assert!(odoo.count("execute_batch") > 0);
    assert!(matches!(found[0], Err(Error::MemoryFull)), "{found:?}");
    assert!(found[1..].iter().all(|read| matches!(read, Ok(length) if *length > LONG)), "{found:?}");
    assert_eq!(memory.reserved(), 7 * LONG);
}

#[tokio::test]
async fn answers_that_are_too_much_together_come_alone() {
    let (odoo, _) = long_answers().await;
    let memory = MemoryBudget::new(8 * LONG, 100 * LONG);
    let found = shared(&odoo, &memory, 2 * LONG).await;
    assert!(odoo.count("execute_batch") > 0);
    assert!(found.iter().all(|read| matches!(read, Ok(length) if *length > LONG)), "{found:?}");
}

#[tokio::test]
async fn a_read_that_finds_no_room_is_refused_and_leaves_nothing_behind() {
    let (odoo, memory) = long_answers().await;
    let client = client(&odoo);
    let held = memory.account(ONE);
    held.try_grow(6 * LONG).unwrap();
    assert!(matches!(client.read(&with(&memory, read_call())).await, Err(Error::MemoryFull)));
    assert_eq!((odoo.count("execute"), memory.reserved()), (1, 6 * LONG));
    // No room for any answer: Odoo is not even asked.
    held.try_grow(2 * LONG).unwrap();
    assert!(matches!(client.read(&with(&memory, read_call())).await, Err(Error::MemoryFull)));
    assert_eq!(odoo.count("execute"), 1);
    // Another connection has its own part, and the same one has it back when it has been given back.
    let other = Call { account: memory.account(ConnectionId(2)), ..read_call() };
    client.read(&other).await.unwrap();
    drop(held);
    client.read(&with(&memory, read_call())).await.unwrap();
}

#[tokio::test]
async fn a_read_waits_for_room() {
    let (odoo, memory) = long_answers().await;
    let held = memory.account(ONE);
    held.try_grow(8 * LONG).unwrap();
    let call = with(&memory, read_call());
    let freeing = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        drop(held);
    };
    let client = client(&odoo);
    tokio::join!(client.read(&call), freeing).0.unwrap();
}

#[tokio::test]
async fn what_never_fits_says_so() {
    let (odoo, _) = long_answers().await;
    let memory = MemoryBudget::new(2 * LONG, 12 * LONG);
    let client = client(&odoo);
    assert!(matches!(client.read(&with(&memory, read_call())).await, Err(Error::AnswerTooLong)));
    odoo.set_fault(Some("execute"), Trouble::Endless, 1);
    assert!(matches!(client.read(&with(&memory, read_call())).await, Err(Error::AnswerTooLong)));
    assert_eq!(memory.reserved(), 0);
}

#[tokio::test]
async fn a_write_that_finds_no_room_is_not_sent() {
    let (odoo, memory) = long_answers().await;
    let held = memory.account(ONE);
    held.try_grow(8 * LONG).unwrap();
    assert!(matches!(client(&odoo).write(with(&memory, write_call())).await, Err(Error::MemoryFull)));
    assert_eq!((odoo.count("execute"), odoo.count("call_status")), (0, 0));
}

#[tokio::test]
async fn a_write_whose_answer_does_not_fit_is_said_to_be_done() {
    let (odoo, memory) = long_answers().await;
    let client = client(&odoo);
    let held = memory.account(ONE);
    held.try_grow(6 * LONG).unwrap();
    assert!(matches!(client.write(with(&memory, write_call())).await, Err(Error::AnswerDropped)));
    assert_eq!((odoo.count("execute"), odoo.count("call_status")), (1, 0));
    // Its answer was lost, and the one that was kept does not fit either.
    odoo.set_fault(Some("execute"), Trouble::HangUp, 1);
    odoo.on("call_status", |request| json!({"state": "done", "answer": answer(request)}));
    assert!(matches!(client.write(with(&memory, write_call())).await, Err(Error::AnswerDropped)));
    // With room it is handed on.
    drop(held);
    odoo.set_fault(Some("execute"), Trouble::HangUp, 1);
    client.write(with(&memory, write_call())).await.unwrap();
}

#[tokio::test]
async fn a_write_that_was_refused_at_length_was_refused() {
    let (odoo, memory) = long_answers().await;
    odoo.on("execute", |_| Reply::Fault(json!({"code": "invalid", "message": "y".repeat(LONG), "data": {}})));
    let held = memory.account(ONE);
    held.try_grow(6 * LONG).unwrap();
    assert!(matches!(client(&odoo).write(with(&memory, write_call())).await, Err(Error::MemoryFull)));
    assert_eq!((odoo.count("execute"), odoo.count("call_status")), (1, 0));
}
