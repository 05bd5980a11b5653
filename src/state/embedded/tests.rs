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
        store.take(ONE, at(NOON, 0, 10)).await.unwrap().receipt.kept().await;
    }
    // As after a kill: only what is in the file by now is known.
    let copy = tempfile::tempdir().unwrap();
    for name in ["state.sqlite", "state.sqlite-wal"] {
        std::fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
    }
    let after = Embedded::open(copy.path()).unwrap();
    assert_eq!(count(&after, ONE, at(NOON + 61, 0, 10), 10), 3);
    // And after an orderly end, also what nobody waited for.
    store.take(TWO, at(NOON, 5, 0)).await.unwrap().receipt.kept().await;
    store.close();
    store.take(TWO, at(NOON, 5, 10)).await.unwrap().receipt.kept().await;
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
    store.take(ONE, at(NOON, 0, 10)).await.unwrap().receipt.kept().await;
    store.take(TWO, at(NOON + 2 * 86_400, 0, 10)).await.unwrap().receipt.kept().await;
    assert_eq!(store.tallies.len(), 1);
    drop(store);
    assert_eq!(Embedded::open(directory.path()).unwrap().tallies.len(), 1);
}

// === the spool ===

fn entry(body: &str) -> Kept {
    Kept { id: Uuid::now_v7(), body: body.to_owned() }
}

/// The data as a kill at this moment leaves it.
fn killed(directory: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in ["state.sqlite", "state.sqlite-wal"] {
        std::fs::copy(directory.join(name), copy.path().join(name)).unwrap();
    }
    copy
}

#[tokio::test]
async fn what_is_kept_outlives_a_kill_and_what_was_open_can_be_handed_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    let (first, second, third) = (entry("first"), entry("second"), entry("third"));
    assert!(store.keep(third.clone(), Stage::Ready).kept().await);
    assert!(store.keep(first.clone(), Stage::Open).kept().await);
    assert!(store.keep(second.clone(), Stage::Open).kept().await);
    // Closed: another text under the same id.
    let closed = Kept { body: "second, closed".to_owned(), ..second };
    assert!(store.keep(closed.clone(), Stage::Ready).kept().await);
    assert_eq!(store.oldest(10).await, [closed.clone(), third.clone()]);
    let copy = killed(directory.path());
    let after = Embedded::open(copy.path()).unwrap();
    assert_eq!(after.oldest(10).await, [first, closed, third]);
}

#[tokio::test]
async fn what_was_handed_on_is_forgotten_and_the_rest_stays() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    let entries: Vec<_> = (0..5).map(|number| entry(&number.to_string())).collect();
    store.keep_soon(entries.iter().map(|entry| (entry.clone(), Stage::Ready)).collect());
    assert_eq!(store.oldest(2).await, entries[..2]);
    let handled = Handled {
        taken: vec![entries[0].id],
        put_off: vec![entries[1].id],
        set_aside: vec![(entries[2].id, "odd".to_owned())],
    };
    assert!(store.settle(handled).await);
    store.withdraw(entries[4].id);
    assert_eq!(store.oldest(10).await, [entries[3].clone()]);
    store.recall();
    assert_eq!(store.oldest(10).await, [entries[1].clone(), entries[3].clone()]);
    let copy = killed(directory.path());
    let file = rusqlite::Connection::open(copy.path().join("state.sqlite")).unwrap();
    let aside: (String, String, String) = file
        .query_row("SELECT * FROM spool_aside", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    assert_eq!(aside, (entries[2].id.to_string(), "odd".to_owned(), "2".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_are_all_kept() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Embedded::open(directory.path()).unwrap());
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for _ in 0..50 {
                    let entry = entry("x");
                    assert!(store.keep(entry.clone(), Stage::Open).kept().await);
                    assert!(store.keep(entry, Stage::Ready).kept().await);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(store.oldest(10_000).await.len(), 2000);
}

#[tokio::test]
async fn used_space_is_known_and_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    let empty = store.used();
    let entries: Vec<_> = (0..2000).map(|_| entry(&"x".repeat(2000))).collect();
    store.keep_soon(entries.iter().map(|entry| (entry.clone(), Stage::Ready)).collect());
    assert_eq!(store.oldest(1).await.len(), 1);
    let full = store.used();
    assert!(full > empty + 4_000_000, "{full}");
    let taken = entries.iter().map(|entry| entry.id).collect();
    assert!(store.settle(Handled { taken, ..Handled::default() }).await);
    assert!(store.used() < empty + 100_000, "{}", store.used());
    // When it has been quiet for a while, the file becomes small again.
    let size = || std::fs::metadata(directory.path().join("state.sqlite")).unwrap().len();
    let start = std::time::Instant::now();
    while size() > 1_000_000 || size() < 10_000 {
        assert!(start.elapsed().as_secs() < 20, "the file still has {} bytes", size());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_file_from_before_the_spool_is_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    drop(Embedded::open(directory.path()).unwrap());
    let old = rusqlite::Connection::open(directory.path().join("state.sqlite")).unwrap();
    old.execute_batch(
        "DROP TABLE spool; DROP TABLE spool_aside; PRAGMA user_version = 1;
         INSERT INTO counter VALUES (1, 0, 60, 3, 0, 86400, 5)",
    )
    .unwrap();
    drop(old);
    let store = Embedded::open(directory.path()).unwrap();
    assert_eq!(store.tallies.get(&ONE).unwrap().day.count, 5);
    assert!(store.keep(entry("x"), Stage::Ready).kept().await);
}

#[tokio::test]
async fn notes_outlive_the_process_and_the_latest_counts() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    assert!(store.is_open());
    assert_eq!(store.noted("a"), None);
    store.note("a", "one".to_owned());
    store.note("b", "two".to_owned());
    store.note("a", "three".to_owned());
    assert_eq!(store.noted("a").as_deref(), Some("three"));
    assert!(store.settle(Handled::default()).await);
    let copy = killed(directory.path());
    let after = Embedded::open(copy.path()).unwrap();
    assert_eq!((after.noted("a").as_deref(), after.noted("b").as_deref()), (Some("three"), Some("two")));
}

#[tokio::test]
async fn the_log_of_changes_keeps_its_bound() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    let mut most = 0;
    for _ in 0..60 {
        let entries: Vec<_> = (0..400).map(|_| (entry(&"x".repeat(2000)), Stage::Ready)).collect();
        let ids = entries.iter().map(|(entry, _)| entry.id).collect();
        store.keep_soon(entries);
        assert!(store.settle(Handled { taken: ids, ..Handled::default() }).await);
        let (log, bound) = store.pen.lock().unwrap().log_bytes();
        assert!(log <= bound, "{log} bytes of {bound}");
        most = most.max(log);
    }
    assert!(most > 0);
}

#[tokio::test]
async fn what_cannot_be_written_is_said_and_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    let small = |limit: u32| {
        store.pen.lock().unwrap().execute(&format!("PRAGMA max_page_count = {limit}"));
    };
    small(1);
    let large = entry(&"x".repeat(100_000));
    assert!(!store.keep(large.clone(), Stage::Ready).kept().await);
    assert_eq!(store.trouble(), Some(Trouble::Unwritable));
    // A count is kept in memory, and nobody waits for it.
    assert!(store.take(ONE, at(NOON, 0, 10)).await.unwrap().receipt.kept().await);
    small(100_000);
    let start = std::time::Instant::now();
    while store.trouble().is_some() {
        assert!(start.elapsed().as_secs() < 20, "it is not tried again");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(store.oldest(10).await, [large]);
}
