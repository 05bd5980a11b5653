//! Exact counts, whatever happens at the same time or in between.

use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;

use super::*;

const ONE: ConnectionId = ConnectionId(1);
const TWO: ConnectionId = ConnectionId(2);
const NOON: i64 = 1_795_435_200;

/// The windows of this second, with days that begin at midnight UTC.
fn at(now: i64, minute: u32, day: u32) -> Windows {
    let window = |length, most| {
        let start = now - now.rem_euclid(length);
        Window { start, end: start + length, most }
    };
    Windows { minute: window(60, minute), day: window(86_400, day) }
}

fn count(store: &Embedded, owner: ConnectionId, windows: Windows, times: usize) -> usize {
    (0..times).filter(|_| store.count(owner, windows).is_ok()).count()
}

#[tokio::test]
async fn fifty_threads_get_exactly_what_the_limit_gives() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    let barrier = Barrier::new(50);
    let run = || {
        barrier.wait();
        count(&store, ONE, at(NOON, 777, 0), 40)
    };
    let passed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..50).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(passed, 777);
    assert_eq!(store.tallies.get(&ONE).unwrap().day.count, 777);
}

#[tokio::test]
async fn a_window_that_is_over_gives_everything_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    assert_eq!(count(&store, ONE, at(NOON + 59, 3, 5), 10), 3);
    assert_eq!(store.count(ONE, at(NOON + 59, 3, 5)), Err(Span::Minute));
    assert_eq!(count(&store, ONE, at(NOON + 60, 3, 5), 10), 2);
    assert_eq!(store.count(ONE, at(NOON + 60, 3, 5)), Err(Span::Day));
    assert_eq!(count(&store, TWO, at(NOON + 60, 3, 5), 10), 3);
    assert_eq!(count(&store, ONE, at(NOON + 86_400, 3, 5), 10), 3);
    // Somebody looked at his clock just before, and asks only now.
    assert_eq!(count(&store, ONE, at(NOON + 86_399, 3, 5), 10), 0);
    assert_eq!(store.tallies.get(&ONE).unwrap().day.count, 3);
    // A raised limit counts at once, 0 means none.
    assert_eq!(count(&store, ONE, at(NOON + 86_400, 4, 5), 10), 1);
    assert_eq!(count(&store, ONE, at(NOON + 86_400, 0, 0), 10), 10);
    // A clock that was set right does not lock anybody out until the wrong time comes.
    assert_eq!(count(&store, ONE, at(NOON - 5 * 86_400, 3, 5), 10), 3);
}

#[tokio::test]
async fn counts_outlive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    for _ in 0..7 {
        store.take(ONE, at(NOON, 0, 10)).await.unwrap().kept().await;
    }
    // As after a kill: only what is in the file by now is known.
    let copy = tempfile::tempdir().unwrap();
    for name in ["state.sqlite", "state.sqlite-wal"] {
        std::fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
    }
    let after = Embedded::open(copy.path()).unwrap();
    assert_eq!(count(&after, ONE, at(NOON + 61, 0, 10), 10), 3);
    // And after an orderly end, also what nobody waited for.
    store.take(TWO, at(NOON, 5, 0)).await.unwrap().kept().await;
    store.close();
    store.take(TWO, at(NOON, 5, 10)).await.unwrap().kept().await;
    drop(store);
    let after = Embedded::open(directory.path()).unwrap();
    assert_eq!(count(&after, ONE, at(NOON + 61, 0, 10), 10), 3);
    assert_eq!(count(&after, TWO, at(NOON, 5, 0), 10), 4);
}

#[test]
fn one_process_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let first = Embedded::open(directory.path()).unwrap();
    let error = Embedded::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains("another sidecar runs with the same data_dir"), "{error}");
    drop(first);
    Embedded::open(directory.path()).unwrap();
    let mode = std::fs::metadata(directory.path().join("state.sqlite")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_is_no_store_is_told_of() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("state.sqlite"), "no database at all, but text ".repeat(100))
        .unwrap();
    let error = Embedded::open(directory.path()).unwrap_err();
    assert!(matches!(error, Error::Unusable(..)), "{error}");
}

#[tokio::test]
async fn past_days_are_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    store.take(ONE, at(NOON, 0, 10)).await.unwrap().kept().await;
    store.take(TWO, at(NOON + 2 * 86_400, 0, 10)).await.unwrap().kept().await;
    assert_eq!(store.tallies.len(), 1);
    drop(store);
    assert_eq!(Embedded::open(directory.path()).unwrap().tallies.len(), 1);
}
