//! Session sync: reports sessions to Odoo in batches (begun, active, ended), and ends those that the answer
//! names.
//!
//! While a session is live, changes since the last confirmed sync are sent every few seconds, and debounced
//! when one begins or ends; without changes, an empty list is the heartbeat of this sidecar. Without live
//! sessions nothing is sent.
//!
//! Whenever the two sides may have diverged (at the start, after a failure, after a silence) a full sync
//! follows: a complete list, from which Odoo concludes that every other session of this sidecar has ended. A
//! complete list has to fit into one request. With more sessions, the parts are sent as changes and the full
//! sync stays due until it fits; at the start, when it matters most, nothing is live yet.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{SessionRegistry, TrackedSession};
use crate::vocab::{Backoff, Outage};

/// The sync interval while a session is live.
const SYNC_INTERVAL: Duration = Duration::from_secs(5);

/// The debounce: sessions that begin or end within this time share a sync.
const SYNC_DEBOUNCE: Duration = Duration::from_millis(500);

/// The silence after which Odoo has expired all sessions of this sidecar, so that a full sync is due.
const RESYNC_AFTER: Duration = Duration::from_secs(15);

/// Backoff after a failed sync.
const SYNC_BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), SYNC_INTERVAL);

/// The timeout of the last sync at shutdown.
const FINAL_SYNC_TIMEOUT: Duration = Duration::from_millis(1500);

/// The most sessions in one request.
const MAX_SESSIONS_PER_SYNC: usize = 1000;

/// The receiver of session syncs.
pub trait SessionSink: Send + Sync {
    /// Sends one batch; returns the ids of sessions that an administrator has ended. `complete`: the batch
    /// holds all live sessions.
    fn sync<'a>(
        &'a self,
        complete: bool,
        snapshots: &'a [SessionSnapshot],
    ) -> BoxFuture<'a, Result<Vec<String>, SyncError>>;
}

/// Why a sync failed, in one sentence without secrets.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SyncError(pub String);

/// A session as it is sent.
#[derive(Debug, Clone)]
pub struct SessionSnapshot {
    pub id: Arc<str>,
    pub session: Arc<TrackedSession>,
    pub state: SessionState,
}

/// The mutable state of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionState {
    pub peer: IpAddr,
    pub created_unix_ms: u64,
    pub last_request_unix_ms: u64,
    pub requests: u64,
    pub live: bool,
}

/// The state of the sync task.
pub struct SessionSync {
    registry: Arc<SessionRegistry>,
    sink: Arc<dyn SessionSink>,
    /// The state of each session that Odoo has confirmed.
    confirmed: HashMap<Arc<str>, SessionState>,
    /// Ended sessions whose end is not confirmed.
    ended: Vec<Arc<TrackedSession>>,
    /// When a sync last succeeded.
    last_confirmed: Option<Instant>,
    /// The next sync has to be complete.
    full_sync_due: bool,
    backoff: Backoff,
    outage: Outage,
}

// === impl SessionSnapshot ===

impl SessionSnapshot {
    fn capture(session: &Arc<TrackedSession>, live: bool) -> Option<Self> {
        let state = SessionState {
            peer: session.peer(),
            created_unix_ms: session.created_unix_ms(),
            last_request_unix_ms: session.last_request_unix_ms(),
            requests: session.requests(),
            live: live && !session.has_ended(),
        };
        Some(Self { id: Arc::clone(session.id()?), session: Arc::clone(session), state })
    }
}

// === impl SessionSync ===

impl SessionSync {
    /// Runs the sync until `cancel`, then ends all sessions and reports that.
    pub async fn run(registry: Arc<SessionRegistry>, sink: Arc<dyn SessionSink>, cancel: CancellationToken) {
        let mut sync = Self {
            registry,
            sink,
            confirmed: HashMap::new(),
            ended: Vec::new(),
            last_confirmed: None,
            full_sync_due: true,
            backoff: SYNC_BACKOFF,
            outage: Outage::default(),
        };
        while cancel.run_until_cancelled(sync.step()).await.is_some() {}
        if timeout(FINAL_SYNC_TIMEOUT, sync.final_sync()).await.is_err() {
            tracing::warn!(
                "the last session sync timed out: Odoo expires the sessions of this sidecar by itself"
            );
        }
    }

    /// One sync, then a wait: the interval or a change after a success, the backoff after a failure.
    async fn step(&mut self) {
        // Changes notified until now are part of this sync.
        let _ = self.registry.changed.notified().now_or_never();
        match self.sync().await {
            Ok(()) => {
                if self.outage.end() {
                    tracing::info!("session sync with Odoo works again");
                }
                self.backoff.reset();
                if timeout(SYNC_INTERVAL, self.registry.changed.notified()).await.is_ok() {
                    sleep(SYNC_DEBOUNCE).await;
                }
            }
            Err(error) => {
                // Once per outage, not with each retry.
                if self.outage.begin() {
                    tracing::warn!(%error, "session sync with Odoo failed; retrying");
                }
                // Confirmed state may be lost too: Odoo may return with a restored backup.
                self.require_full_sync();
                sleep(self.backoff.next_delay()).await;
            }
        }
    }

    fn require_full_sync(&mut self) {
        self.full_sync_due = true;
        self.confirmed.clear();
    }

    async fn sync(&mut self) -> Result<(), SyncError> {
        self.ended.extend(self.registry.take_ended());
        let live = self.registry.live();
        if self.last_confirmed.is_some() && live.is_empty() && self.ended.is_empty() {
            return Ok(());
        }
        if self.last_confirmed.is_none_or(|confirmed| confirmed.elapsed() > RESYNC_AFTER) {
            self.require_full_sync();
        }
        let complete = self.full_sync_due && live.len() + self.ended.len() <= MAX_SESSIONS_PER_SYNC;
        let snapshots = self.pending_snapshots(&live, complete);
        if snapshots.is_empty() {
            self.send(complete, &[]).await?;
        }
        for part in snapshots.chunks(MAX_SESSIONS_PER_SYNC) {
            self.send(complete, part).await?;
        }
        self.ended.clear();
        self.confirmed.retain(|id, _| self.registry.is_live(id));
        self.full_sync_due &= !complete;
        Ok(())
    }

    /// The sessions that differ from what Odoo has confirmed, or all of them.
    fn pending_snapshots(&self, live: &[Arc<TrackedSession>], all: bool) -> Vec<SessionSnapshot> {
        let mut snapshots: HashMap<Arc<str>, SessionSnapshot> = HashMap::new();
        // Live ones last: a session that began again under the same id is not reported as ended.
        let ended = self.ended.iter().map(|session| (session, false));
        for (session, live) in ended.chain(live.iter().map(|session| (session, true))) {
            if let Some(snapshot) = SessionSnapshot::capture(session, live) {
                snapshots.insert(Arc::clone(&snapshot.id), snapshot);
            }
        }
        let is_new =
            |snapshot: &SessionSnapshot| all || self.confirmed.get(&snapshot.id) != Some(&snapshot.state);
        snapshots.into_values().filter(is_new).collect()
    }

    async fn send(&mut self, complete: bool, snapshots: &[SessionSnapshot]) -> Result<(), SyncError> {
        let ended = self.sink.sync(complete, snapshots).await?;
        self.last_confirmed = Some(Instant::now());
        for snapshot in snapshots {
            // Exactly the session that was sent: its client may have begun a new one with the same id since.
            if snapshot.state.live && ended.iter().any(|id| **id == *snapshot.id) {
                self.registry.end_session(&snapshot.session);
            }
            self.confirmed.insert(Arc::clone(&snapshot.id), snapshot.state);
        }
        Ok(())
    }

    /// The last sync at shutdown, with every session ended.
    async fn final_sync(&mut self) {
        // Without a successful sync, Odoo has no session of this process.
        if self.last_confirmed.is_none() {
            return;
        }
        self.registry.end_all();
        if let Err(error) = self.sync().await {
            tracing::warn!(%error, "the last session sync failed: Odoo expires the sessions of this sidecar by itself");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::sessions::Era;
    use crate::sessions::session::fixture::{Connection, PEER, connection};
    use crate::vocab::Clock;

    /// A batch: complete or not, and of each session its client, its requests and whether it is live.
    type SentList = (bool, Vec<(String, u64, bool)>);

    #[derive(Default)]
    struct FakeSink {
        sent: Mutex<Vec<SentList>>,
        unavailable: AtomicBool,
        /// Ids to answer as ended.
        ended: Mutex<Vec<String>>,
    }

    impl SessionSink for FakeSink {
        fn sync<'a>(
            &'a self,
            complete: bool,
            snapshots: &'a [SessionSnapshot],
        ) -> BoxFuture<'a, Result<Vec<String>, SyncError>> {
            let snapshot = |snapshot: &SessionSnapshot| {
                let client = snapshot.session.client().unwrap_or_default().to_owned();
                (client, snapshot.state.requests, snapshot.state.live)
            };
            let mut snapshots: Vec<_> = snapshots.iter().map(snapshot).collect();
            snapshots.sort();
            let unavailable = self.unavailable.load(Ordering::SeqCst);
            if !unavailable {
                self.sent.lock().unwrap().push((complete, snapshots));
            }
            let ended = self.ended.lock().unwrap().clone();
            Box::pin(async move { if unavailable { Err(SyncError("away".into())) } else { Ok(ended) } })
        }
    }

    struct SyncScene {
        clock: Clock,
        registry: Arc<SessionRegistry>,
        sink: Arc<FakeSink>,
        connection: Connection,
        cancel: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    impl SyncScene {
        fn new() -> Self {
            let clock = Clock::manual_at(0);
            let registry = SessionRegistry::new(clock.clone(), Duration::from_secs(60));
            let (fake, cancel) = (Arc::new(FakeSink::default()), CancellationToken::new());
            let sink: Arc<dyn SessionSink> = Arc::clone(&fake) as _;
            let task = tokio::spawn(SessionSync::run(Arc::clone(&registry), sink, cancel.clone()));
            Self { clock, registry, sink: fake, connection: connection(1), cancel, task }
        }

        /// A request of a client.
        fn request(&self, client: &str) -> Arc<TrackedSession> {
            let session = self.registry.get_or_create(self.connection.owner(), Era::Modern, Some(client));
            self.clock.advance(Duration::from_millis(1));
            session.count_request();
            drop(session.begin_request(PEER));
            session
        }

        /// The batches that were sent within this time, in seconds.
        async fn sent_within(&self, time: f64) -> Vec<SentList> {
            sleep(Duration::from_secs_f64(time)).await;
            std::mem::take(&mut self.sink.sent.lock().unwrap())
        }
    }

    fn list(complete: bool, snapshots: &[(&str, u64, bool)]) -> SentList {
        let snapshot = |&(client, requests, live): &(&str, u64, bool)| (client.to_owned(), requests, live);
        (complete, snapshots.iter().map(snapshot).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn changes_are_synced_and_nothing_is_sent_while_no_session_is_live() {
        let scene = SyncScene::new();
        assert_eq!(scene.sent_within(0.1).await, [list(true, &[])]);
        assert_eq!(scene.sent_within(12.0).await, []);
        // A new session is sent within a second, its requests with the next interval.
        scene.request("a");
        assert_eq!(scene.sent_within(1.0).await, [list(false, &[("a", 1, true)])]);
        scene.request("a");
        scene.request("a");
        assert_eq!(scene.sent_within(5.0).await, [list(false, &[("a", 3, true)])]);
        // Nothing changed, but it is live: heartbeats.
        assert_eq!(scene.sent_within(10.0).await, [list(false, &[]), list(false, &[])]);
        scene.request("b").end();
        scene.registry.reap();
        assert_eq!(scene.sent_within(1.0).await, [list(false, &[("b", 1, false)])]);
        scene.clock.advance(Duration::from_secs(61));
        scene.registry.reap();
        assert_eq!(scene.sent_within(1.0).await, [list(false, &[("a", 3, false)])]);
        assert_eq!(scene.sent_within(60.0).await, []);
        // After a silence, a full sync.
        scene.request("c");
        assert_eq!(scene.sent_within(1.0).await, [list(true, &[("c", 1, true)])]);
    }

    #[tokio::test(start_paused = true)]
    async fn unconfirmed_changes_are_sent_again() {
        let scene = SyncScene::new();
        scene.request("a");
        let b = scene.request("b");
        assert_eq!(scene.sent_within(1.0).await.len(), 1);
        scene.sink.unavailable.store(true, Ordering::SeqCst);
        b.end();
        scene.request("c");
        scene.registry.reap();
        assert_eq!(scene.sent_within(60.0).await, []);
        scene.sink.unavailable.store(false, Ordering::SeqCst);
        let sent = scene.sent_within(SYNC_INTERVAL.as_secs_f64()).await;
        assert_eq!(sent, [list(true, &[("a", 1, true), ("b", 1, false), ("c", 1, true)])]);
        assert_eq!(scene.sent_within(SYNC_INTERVAL.as_secs_f64()).await, [list(false, &[])]);
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_that_odoo_answers_as_ended_end() {
        let scene = SyncScene::new();
        let (a, b) = (scene.request("a"), scene.request("b"));
        *scene.sink.ended.lock().unwrap() = vec![a.id().unwrap().to_string(), "unknown".to_owned()];
        scene.sent_within(1.0).await;
        assert!(a.has_ended() && !b.has_ended());
        scene.sink.ended.lock().unwrap().clear();
        scene.registry.reap();
        assert_eq!(scene.sent_within(1.0).await, [list(false, &[("a", 1, false)])]);
        // The client may return, under the same id.
        scene.request("a");
        assert_eq!(scene.sent_within(1.0).await, [list(false, &[("a", 1, true)])]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_returns_is_not_synced_as_ended() {
        let scene = SyncScene::new();
        scene.sent_within(0.1).await;
        scene.request("a").end();
        scene.registry.reap();
        scene.request("a");
        assert_eq!(scene.sent_within(1.0).await, [list(false, &[("a", 1, true)])]);
        // Nor if it returned before the ended session was reaped.
        scene.request("a").end();
        let again = scene.request("a");
        again.count_request();
        scene.registry.reap();
        assert_eq!(scene.sent_within(1.0).await, [list(false, &[("a", 2, true)])]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_does_not_fit_is_sent_in_parts_and_completed_later() {
        let scene = SyncScene::new();
        let many: Vec<_> = (0..1001).map(|number| connection(100 + number)).collect();
        for connection in &many {
            scene.registry.get_or_create(connection.owner(), Era::Modern, Some("x"));
        }
        let sent = scene.sent_within(1.0).await;
        let sizes: Vec<_> = sent.iter().map(|(complete, snapshots)| (*complete, snapshots.len())).collect();
        assert_eq!(sizes, [(false, 1000), (false, 1)]);
        for connection in &many[1..] {
            connection.lifetime.cancel();
        }
        scene.registry.reap();
        let sent = scene.sent_within(SYNC_INTERVAL.as_secs_f64()).await;
        let ended = sent.iter().flat_map(|(_, snapshots)| snapshots).filter(|(_, _, live)| !live).count();
        assert_eq!(ended, 1000);
        let sent = scene.sent_within(2.0 * SYNC_INTERVAL.as_secs_f64()).await;
        assert!(sent.contains(&list(true, &[("x", 0, true)])), "{sent:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_final_sync_ends_all_sessions() {
        let scene = SyncScene::new();
        scene.request("a");
        scene.sent_within(1.0).await;
        scene.cancel.cancel();
        scene.task.await.unwrap();
        let sent = std::mem::take(&mut *scene.sink.sent.lock().unwrap());
        assert_eq!(sent, [list(false, &[("a", 1, false)])]);

        let scene = SyncScene::new();
        scene.sink.unavailable.store(true, Ordering::SeqCst);
        scene.request("a");
        scene.sent_within(1.0).await;
        scene.cancel.cancel();
        let start = Instant::now();
        scene.task.await.unwrap();
        assert!(start.elapsed() <= FINAL_SYNC_TIMEOUT);
    }
}
