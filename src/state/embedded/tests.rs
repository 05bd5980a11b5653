//! Exact counters and durable entries, under concurrency, crashes and full disks.

use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;

use super::*;
use crate::state::Window;

const ONE: ConnectionId = ConnectionId(1);
const TWO: ConnectionId = ConnectionId(2);
const NOON: i64 = 1_795_435_200;

/// The windows of this second, with days that begin at midnight UTC.
fn at(now: i64, minute: u32, day: u32) -> Windows {
    let window = |length, limit| {
        let start = now - now.rem_euclid(length);
        Window { start, end: start + length, limit }
    };
    Windows { minute: window(60, minute), day: window(86_400, day) }
}

fn count(store: &EmbeddedStore, owner: ConnectionId, windows: Windows, times: usize) -> usize {
    (0..times).filter(|_| store.count_in_memory(owner, windows).is_ok()).count()
}

#[tokio::test]
async fn fifty_threads_get_exactly_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
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
    assert_eq!(store.counters.get(&ONE).unwrap().day.count, 777);
}

#[tokio::test]
async fn an_expired_window_starts_again_at_zero() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    assert_eq!(count(&store, ONE, at(NOON + 59, 3, 5), 10), 3);
    assert_eq!(store.count_in_memory(ONE, at(NOON + 59, 3, 5)), Err(LimitPeriod::Minute));
    assert_eq!(count(&store, ONE, at(NOON + 60, 3, 5), 10), 2);
    assert_eq!(store.count_in_memory(ONE, at(NOON + 60, 3, 5)), Err(LimitPeriod::Day));
    assert_eq!(count(&store, TWO, at(NOON + 60, 3, 5), 10), 3);
    assert_eq!(count(&store, ONE, at(NOON + 86_400, 3, 5), 10), 3);
    // A request that read the clock before midnight and is counted after it.
    assert_eq!(count(&store, ONE, at(NOON + 86_399, 3, 5), 10), 0);
    assert_eq!(store.counters.get(&ONE).unwrap().day.count, 3);
    // A raised limit applies at once; 0 is unlimited.
    assert_eq!(count(&store, ONE, at(NOON + 86_400, 4, 5), 10), 1);
    assert_eq!(count(&store, ONE, at(NOON + 86_400, 0, 0), 10), 10);
    // A clock that was set back does not block requests until the wrong time has come.
    assert_eq!(count(&store, ONE, at(NOON - 5 * 86_400, 3, 5), 10), 3);
}

#[tokio::test]
async fn counts_outlive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    for _ in 0..7 {
        store.count_request(ONE, at(NOON, 0, 10)).await.unwrap().ticket.committed().await;
    }
    // As after a kill: only the file as it is now.
    let copy = tempfile::tempdir().unwrap();
    for name in ["state.sqlite", "state.sqlite-wal"] {
        std::fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
    }
    let after = EmbeddedStore::open(copy.path()).unwrap();
    assert_eq!(count(&after, ONE, at(NOON + 61, 0, 10), 10), 3);
    // After an orderly shutdown, counts without a waiter too.
    store.count_request(TWO, at(NOON, 5, 0)).await.unwrap().ticket.committed().await;
    store.close();
    store.count_request(TWO, at(NOON, 5, 10)).await.unwrap().ticket.committed().await;
    drop(store);
    let after = EmbeddedStore::open(directory.path()).unwrap();
    assert_eq!(count(&after, ONE, at(NOON + 61, 0, 10), 10), 3);
    assert_eq!(count(&after, TWO, at(NOON, 5, 0), 10), 4);
}

#[test]
fn a_second_process_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = EmbeddedStore::open(directory.path()).unwrap();
    let error = EmbeddedStore::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains("another sidecar runs with the same data_dir"), "{error}");
    drop(first);
    EmbeddedStore::open(directory.path()).unwrap();
    let mode = std::fs::metadata(directory.path().join("state.sqlite")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_is_no_store_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("state.sqlite"), "no database at all, but text ".repeat(100))
        .unwrap();
    let error = EmbeddedStore::open(directory.path()).unwrap_err();
    assert!(matches!(error, Error::Unusable(..)), "{error}");
}

#[tokio::test]
async fn counters_of_past_days_are_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    store.count_request(ONE, at(NOON, 0, 10)).await.unwrap().ticket.committed().await;
    store.count_request(TWO, at(NOON + 2 * 86_400, 0, 10)).await.unwrap().ticket.committed().await;
    assert_eq!(store.counters.len(), 1);
    drop(store);
    assert_eq!(EmbeddedStore::open(directory.path()).unwrap().counters.len(), 1);
}

// === the spool ===

fn entry(body: &str) -> SpoolEntry {
    SpoolEntry { id: Uuid::now_v7(), body: body.to_owned() }
}

/// A copy of the data as a kill at this moment leaves it.
fn copy_after_kill(directory: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in ["state.sqlite", "state.sqlite-wal"] {
        std::fs::copy(directory.join(name), copy.path().join(name)).unwrap();
    }
    copy
}

#[tokio::test]
async fn committed_entries_survive_a_kill_and_open_ones_can_be_delivered() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let (first, second, third) = (entry("first"), entry("second"), entry("third"));
    assert!(store.put(third.clone(), Stage::Ready).committed().await);
    assert!(store.put(first.clone(), Stage::Open).committed().await);
    assert!(store.put(second.clone(), Stage::Open).committed().await);
    // Closed: another body under the same id.
    let closed = SpoolEntry { body: "second, closed".to_owned(), ..second };
    assert!(store.put(closed.clone(), Stage::Ready).committed().await);
    assert_eq!(store.peek_oldest(10).await, [closed.clone(), third.clone()]);
    let copy = copy_after_kill(directory.path());
    let after = EmbeddedStore::open(copy.path()).unwrap();
    assert_eq!(after.peek_oldest(10).await, [first, closed, third]);
}

#[tokio::test]
async fn delivered_entries_are_deleted_and_the_rest_stays() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let entries: Vec<_> = (0..5).map(|number| entry(&number.to_string())).collect();
    store.put_in_background(entries.iter().map(|entry| (entry.clone(), Stage::Ready)).collect());
    assert_eq!(store.peek_oldest(2).await, entries[..2]);
    let report = DeliveryReport {
        delivered: vec![entries[0].id],
        deferred: vec![entries[1].id],
        dead_lettered: vec![(entries[2].id, "odd".to_owned())],
    };
    assert!(store.acknowledge(report).await);
    store.remove(entries[4].id);
    assert_eq!(store.peek_oldest(10).await, [entries[3].clone()]);
    store.requeue_deferred();
    assert_eq!(store.peek_oldest(10).await, [entries[1].clone(), entries[3].clone()]);
    let copy = copy_after_kill(directory.path());
    let file = rusqlite::Connection::open(copy.path().join("state.sqlite")).unwrap();
    let dead_letter: (String, String, String) = file
        .query_row("SELECT * FROM spool_aside", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    assert_eq!(dead_letter, (entries[2].id.to_string(), "odd".to_owned(), "2".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_entries_are_all_committed() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(EmbeddedStore::open(directory.path()).unwrap());
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for _ in 0..50 {
                    let entry = entry("x");
                    assert!(store.put(entry.clone(), Stage::Open).committed().await);
                    assert!(store.put(entry, Stage::Ready).committed().await);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(store.peek_oldest(10_000).await.len(), 2000);
}

#[tokio::test]
async fn used_space_is_measured_and_reclaimed() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let empty = store.bytes_used();
    let entries: Vec<_> = (0..2000).map(|_| entry(&"x".repeat(2000))).collect();
    store.put_in_background(entries.iter().map(|entry| (entry.clone(), Stage::Ready)).collect());
    assert_eq!(store.peek_oldest(1).await.len(), 1);
    let full = store.bytes_used();
    assert!(full > empty + 4_000_000, "{full}");
    let delivered = entries.iter().map(|entry| entry.id).collect();
    assert!(store.acknowledge(DeliveryReport { delivered, ..DeliveryReport::default() }).await);
    assert!(store.bytes_used() < empty + 100_000, "{}", store.bytes_used());
    // When the queue has been idle for a while, the file is vacuumed.
    let size = || std::fs::metadata(directory.path().join("state.sqlite")).unwrap().len();
    let start = std::time::Instant::now();
    while size() > 1_000_000 || size() < 10_000 {
        assert!(start.elapsed().as_secs() < 20, "the file still has {} bytes", size());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_file_from_before_the_spool_is_migrated() {
    let directory = tempfile::tempdir().unwrap();
    drop(EmbeddedStore::open(directory.path()).unwrap());
    let old = rusqlite::Connection::open(directory.path().join("state.sqlite")).unwrap();
    old.execute_batch(
        "DROP TABLE spool; DROP TABLE spool_aside; PRAGMA user_version = 1;
         INSERT INTO counter VALUES (1, 0, 60, 3, 0, 86400, 5)",
    )
    .unwrap();
    drop(old);
    let store = EmbeddedStore::open(directory.path()).unwrap();
    assert_eq!(store.counters.get(&ONE).unwrap().day.count, 5);
    assert!(store.put(entry("x"), Stage::Ready).committed().await);
}

#[tokio::test]
async fn values_survive_a_restart_and_the_latest_wins() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    assert!(store.is_open());
    assert_eq!(store.get("a"), None);
    store.set("a", "one".to_owned());
    store.set("b", "two".to_owned());
    store.set("a", "three".to_owned());
    assert_eq!(store.get("a").as_deref(), Some("three"));
    assert!(store.acknowledge(DeliveryReport::default()).await);
    let copy = copy_after_kill(directory.path());
    let after = EmbeddedStore::open(copy.path()).unwrap();
    assert_eq!((after.get("a").as_deref(), after.get("b").as_deref()), (Some("three"), Some("two")));
}

#[tokio::test]
async fn the_write_ahead_log_keeps_its_bound() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let mut largest = 0;
    for _ in 0..60 {
        let entries: Vec<_> = (0..400).map(|_| (entry(&"x".repeat(2000)), Stage::Ready)).collect();
        let ids = entries.iter().map(|(entry, _)| entry.id).collect();
        store.put_in_background(entries);
        assert!(store.acknowledge(DeliveryReport { delivered: ids, ..DeliveryReport::default() }).await);
        let (log, bound) = store.writer.lock().unwrap().wal_bytes();
        assert!(log <= bound, "{log} bytes of {bound}");
        largest = largest.max(log);
    }
    assert!(largest > 0);
}

#[tokio::test]
async fn a_failed_write_is_reported_and_retried() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let small = |limit: u32| {
        store.writer.lock().unwrap().execute(&format!("PRAGMA max_page_count = {limit}"));
    };
    small(1);
    let large = entry(&"x".repeat(100_000));
    assert!(!store.put(large.clone(), Stage::Ready).committed().await);
    assert_eq!(store.fault(), Some(StorageFault::Unwritable));
    // Counts stay in memory and are not waited for.
    assert!(store.count_request(ONE, at(NOON, 0, 10)).await.unwrap().ticket.committed().await);
    small(100_000);
    let start = std::time::Instant::now();
    while store.fault().is_some() {
        assert!(start.elapsed().as_secs() < 20, "the write is not retried");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(store.peek_oldest(10).await, [large]);
}
