//! The scheduler on a paused clock.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{advance, sleep};

use super::*;

fn short(owner: i64) -> Demand {
    Demand { owner: Some(ConnectionId(owner)), ..Demand::default() }
}

fn heavy(owner: i64) -> Demand {
    Demand { heavy: true, ..short(owner) }
}

/// A permit if one is free, without waiting.
async fn acquire_now(admission: &Arc<Admission>, demand: Demand) -> Option<Permit> {
    let acquiring = admission.acquire(demand);
    tokio::pin!(acquiring);
    std::future::poll_fn(|context| match acquiring.as_mut().poll(context) {
        Poll::Ready(permit) => Poll::Ready(permit),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Queues in the background, in order of the calls.
async fn queued(admission: &Arc<Admission>, demand: Demand) -> JoinHandle<Option<Permit>> {
    let admission = Arc::clone(admission);
    let task = tokio::spawn(async move { admission.acquire(demand).await });
    yield_now().await;
    task
}

fn is_idle(admission: &Admission) -> bool {
    let state = admission.state();
    state.running.is_empty() && state.queues.is_empty() && state.round_robin.is_empty()
}

#[tokio::test(start_paused = true)]
async fn short_calls_use_every_worker_and_no_more() {
    let admission = Admission::new(64, 3);
    let permits: Vec<_> = [
        acquire_now(&admission, short(1)).await,
        acquire_now(&admission, short(1)).await,
        acquire_now(&admission, short(1)).await,
    ]
    .into_iter()
    .flatten()
    .collect();
    assert_eq!(permits.len(), 3);
    assert!(acquire_now(&admission, short(2)).await.is_none());
    drop(permits);
    assert!(is_idle(&admission));
}

#[tokio::test(start_paused = true)]
async fn long_calls_leave_a_worker_and_a_connection_has_half_of_theirs() {
    // Permits, how many heavy calls of one connection run, and how many of many connections.
    for (permits, own, all) in [(1, 1, 1), (2, 1, 1), (3, 1, 2), (4, 1, 3), (5, 2, 4), (9, 4, 8)] {
        let admission = Admission::new(64, permits);
        let mut granted = Vec::new();
        while let Some(permit) = acquire_now(&admission, heavy(1)).await {
            granted.push(permit);
        }
        assert_eq!(granted.len(), own, "{permits} permits");
        for owner in 2..20 {
            granted.extend(acquire_now(&admission, heavy(owner)).await);
        }
        assert_eq!(granted.len(), all, "{permits} permits");
        let rest = acquire_now(&admission, short(1)).await;
        assert_eq!(rest.is_some(), permits > 1, "a short call finds the worker that is left");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_becomes_long_counts_as_one_while_it_runs() {
    let admission = Admission::new(64, 2);
    let slow = acquire_now(&admission, short(1)).await.unwrap();
    advance(Duration::from_millis(250)).await;
    assert!(acquire_now(&admission, heavy(2)).await.is_some(), "not yet");
    advance(Duration::from_millis(1)).await;
    assert!(acquire_now(&admission, heavy(2)).await.is_none());
    let waiting = queued(&admission, heavy(2)).await;
    assert!(acquire_now(&admission, short(3)).await.is_some(), "short ones go on");
    assert!(!waiting.is_finished());
    drop(slow);
    assert!(waiting.await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_was_long_is_expected_to_be_until_it_is_not() {
    let admission = Admission::new(64, 2);
    let scan = Demand { kind: Some(7), ..short(1) };
    let first = acquire_now(&admission, scan).await.unwrap();
    advance(Duration::from_millis(300)).await;
    drop(first);
    assert!(admission.is_heavy(scan) && !admission.is_heavy(short(1)));
    let running = acquire_now(&admission, scan).await.unwrap();
    assert!(acquire_now(&admission, scan).await.is_none(), "it has the share of long ones from the start");
    drop(running);
    assert!(!admission.is_heavy(scan));
    admission.mark_heavy(scan);
    assert!(admission.is_heavy(scan) && !admission.is_heavy(Demand { kind: Some(8), ..short(1) }));
}

#[tokio::test(start_paused = true)]
async fn a_waiter_is_reclassified_when_its_kind_turns_out_short() {
    let admission = Admission::new(64, 2);
    let scan = Demand { kind: Some(7), ..short(1) };
    admission.mark_heavy(scan);
    let running = acquire_now(&admission, scan).await;
    let waiting = [queued(&admission, scan).await, queued(&admission, scan).await];
    assert!(waiting.iter().all(|task| !task.is_finished()));
    drop(running);
    yield_now().await;
    assert!(waiting.iter().all(JoinHandle::is_finished), "both workers are used again");
}

#[tokio::test(start_paused = true)]
async fn connections_take_turns() {
    let admission = Admission::new(64, 1);
    let running = acquire_now(&admission, short(9)).await;
    let mut waiting = Vec::new();
    // One connection queues five calls before the others queue any.
    for owner in [1, 1, 1, 1, 1, 2, 3, 2] {
        waiting.push((owner, queued(&admission, short(owner)).await));
    }
    drop(running);
    let mut order = Vec::new();
    while !waiting.is_empty() {
        yield_now().await;
        let at = waiting.iter().position(|(_, task)| task.is_finished()).unwrap();
        let (owner, task) = waiting.remove(at);
        order.push(owner);
        drop(task.await.unwrap());
    }
    assert_eq!(order, [1, 2, 3, 1, 2, 1, 1, 1]);
    assert!(is_idle(&admission));
}

#[tokio::test(start_paused = true)]
async fn waiting_heavy_calls_do_not_block_short_ones_of_their_connection() {
    let admission = Admission::new(64, 2);
    let running = acquire_now(&admission, heavy(1)).await;
    let waiting = queued(&admission, heavy(1)).await;
    assert!(acquire_now(&admission, short(1)).await.is_some());
    drop(running);
    assert!(waiting.await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_left_takes_no_permit_and_blocks_no_other() {
    let admission = Admission::new(64, 1);
    let running = acquire_now(&admission, short(1)).await;
    let (left, stays) = (queued(&admission, short(2)).await, queued(&admission, short(3)).await);
    left.abort();
    let _ = left.await;
    drop(running);
    assert!(stays.await.unwrap().is_some());
    assert!(is_idle(&admission));
}

#[tokio::test(start_paused = true)]
async fn a_permit_granted_to_a_waiter_that_left_passes_to_the_next() {
    let admission = Admission::new(64, 1);
    let running = acquire_now(&admission, short(1)).await;
    let mut acquiring: Pin<Box<_>> = Box::pin(admission.acquire(short(2)));
    let mut context = Context::from_waker(Waker::noop());
    assert!(acquiring.as_mut().poll(&mut context).is_pending());
    let next = queued(&admission, short(3)).await;
    // Granted, but never looked at.
    drop(running);
    drop(acquiring);
    assert!(next.await.unwrap().is_some());
    assert!(is_idle(&admission));
}

#[tokio::test(start_paused = true)]
async fn more_workers_are_used_at_once() {
    let admission = Admission::new(3, 1);
    let _running = acquire_now(&admission, short(1)).await;
    let waiting = [
        queued(&admission, short(1)).await,
        queued(&admission, short(1)).await,
        queued(&admission, short(1)).await,
    ];
    admission.set_permits(8);
    yield_now().await;
    let served = waiting.iter().filter(|task| task.is_finished()).count();
    assert_eq!(served, 2, "but never more than the settings say");
}

proptest! {
    /// Any mix of calls that end and callers that cancel: the bounds hold, and all that wait are served.
    #[test]
    fn bounds_hold_and_no_wake_up_is_lost(
        permits in 1_usize..6,
        calls in proptest::collection::vec((0_i64..4, any::<bool>(), 1_u64..600, any::<bool>()), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let admission = Admission::new(64, permits);
            let mut tasks = Vec::new();
            for (owner, is_heavy, millis, leaves) in calls {
                let (admission, demand) = (Arc::clone(&admission), Demand { heavy: is_heavy, ..short(owner) });
                let work = async move {
                    let _permit = admission.acquire(demand).await.unwrap();
                    {
                        let state = admission.state();
                        let known = |owner: Option<i64>| state.running.iter()
                            .filter(|run| run.demand.heavy && owner.is_none_or(|id| run.demand.owner == Some(ConnectionId(id))))
                            .count();
                        assert!(state.running.len() <= permits);
                        assert!(known(None) <= (permits - 1).max(1));
                        assert!(known(Some(owner)) <= ((permits - 1).max(1) / 2).max(1));
                    }
                    sleep(Duration::from_millis(millis)).await;
                };
                tasks.push((leaves, tokio::spawn(work)));
            }
            sleep(Duration::from_millis(100)).await;
            for (leaves, task) in tasks {
                if leaves {
                    task.abort();
                } else {
                    tokio::time::timeout(Duration::from_secs(600), task).await.expect("never served").unwrap();
                }
            }
            yield_now().await;
            assert!(is_idle(&admission));
        });
    }
}
