//! Tells Odoo of the sessions, as far as it does not know: who begins, who works, who has ended.
//!
//! What changed since Odoo last confirmed is told every few seconds while a session is live, sooner where one
//! begins or ends; where nothing changed, an empty list says that this sidecar is there. Where there is nothing
//! to tell, nothing is sent.
//!
//! Whenever the two may have lost each other (at the start, after a failure, after a silence) everything is
//! told again, and as a complete list: whatever else Odoo believes of this sidecar has ended. A complete list
//! has to fit into one request. With more sessions than that, the pieces are told as changes and the
//! complete list stays owed until it fits; at the start, when it matters most, nothing is live yet.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Activity, Ledger};

/// How often Odoo hears of live sessions.
const BEAT: Duration = Duration::from_secs(5);

/// What begins or ends within this time is told together.
const LINGER: Duration = Duration::from_millis(500);

/// After so long a silence, Odoo believes that nothing is live here.
const SILENCE: Duration = Duration::from_secs(15);

/// The pause after a failure; doubled each time, up to `BEAT`.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// How long telling of the end may take when the process is told to end.
const FAREWELL: Duration = Duration::from_millis(1500);

/// The most rows that are told at once.
const MOST_ROWS: usize = 1000;

/// Where sessions are told of.
pub trait Register: Send + Sync {
    /// Tells of sessions; answers the ids of those that an administrator has ended. `complete`: these are all
    /// that are live.
    fn tell<'a>(&'a self, complete: bool, rows: &'a [Row]) -> BoxFuture<'a, Result<Vec<String>, Unheard>>;
}

/// Why nobody could be told, in one sentence without secrets.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unheard(pub String);

/// A session as it is told of.
#[derive(Debug, Clone)]
pub struct Row {
    pub id: Arc<str>,
    pub activity: Arc<Activity>,
    pub state: State,
}

/// What changes of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    pub peer: IpAddr,
    pub created_unix_ms: u64,
    pub seen_unix_ms: u64,
    pub requests: u64,
    pub live: bool,
}

/// What one run of the task knows.
struct Teller {
    ledger: Arc<Ledger>,
    register: Arc<dyn Register>,
    /// What has been confirmed.
    told: HashMap<Arc<str>, State>,
    /// Those that have ended and whose end is not confirmed.
    leaving: Vec<Arc<Activity>>,
    /// When something was confirmed last.
    heard: Option<Instant>,
    /// A complete list is still to be told.
    owed: bool,
    pause: Duration,
}

// === impl Row ===

impl Row {
    fn of(activity: &Arc<Activity>, live: bool) -> Option<Self> {
        let state = State {
            peer: activity.peer(),
            created_unix_ms: activity.created_unix_ms(),
            seen_unix_ms: activity.seen_unix_ms(),
            requests: activity.requests(),
            live: live && !activity.is_over(),
        };
        Some(Self { id: Arc::clone(activity.id()?), activity: Arc::clone(activity), state })
    }
}

// === impl Ledger ===

impl Ledger {
    /// Tells of the sessions until `cancel`, and then that all have ended.
    pub async fn tell(self: Arc<Self>, register: Arc<dyn Register>, cancel: CancellationToken) {
        let mut teller = Teller {
            ledger: self,
            register,
            told: HashMap::new(),
            leaving: Vec::new(),
            heard: None,
            owed: true,
            pause: FIRST_PAUSE,
        };
        while cancel.run_until_cancelled(teller.step()).await.is_some() {}
        if timeout(FAREWELL, teller.farewell()).await.is_err() {
            tracing::warn!("Odoo could not be told in time that the sessions have ended");
        }
    }
}

// === impl Teller ===

impl Teller {
    /// Tells what there is to tell and waits for more.
    async fn step(&mut self) {
        // What rang until now is about to be told.
        let _ = self.ledger.news.notified().now_or_never();
        match self.sync().await {
            Ok(()) => {
                if self.pause > FIRST_PAUSE {
                    tracing::info!("Odoo hears of the sessions again");
                }
                self.pause = FIRST_PAUSE;
                if timeout(BEAT, self.ledger.news.notified()).await.is_ok() {
                    sleep(LINGER).await;
                }
            }
            Err(error) => {
                // Once, not with each of the many tries.
                if self.pause == FIRST_PAUSE {
                    tracing::warn!(%error, "Odoo does not hear of the sessions; trying until it does");
                }
                // Whatever was confirmed before may have been lost with it: a backup may come back.
                self.owe();
                sleep(self.pause).await;
                self.pause = (self.pause * 2).min(BEAT);
            }
        }
    }

    fn owe(&mut self) {
        self.owed = true;
        self.told.clear();
    }

    async fn sync(&mut self) -> Result<(), Unheard> {
        self.leaving.extend(self.ledger.take_gone());
        let live = self.ledger.live();
        if self.heard.is_some() && live.is_empty() && self.leaving.is_empty() {
            return Ok(());
        }
        if self.heard.is_none_or(|heard| heard.elapsed() > SILENCE) {
            self.owe();
        }
        let complete = self.owed && live.len() + self.leaving.len() <= MOST_ROWS;
        let rows = self.rows(&live, complete);
        if rows.is_empty() {
            self.say(complete, &[]).await?;
        }
        for piece in rows.chunks(MOST_ROWS) {
            self.say(complete, piece).await?;
        }
        self.leaving.clear();
        self.told.retain(|id, _| self.ledger.is_live(id));
        self.owed &= !complete;
        Ok(())
    }

    /// What Odoo does not know, or everything.
    fn rows(&self, live: &[Arc<Activity>], all: bool) -> Vec<Row> {
        let mut rows: HashMap<Arc<str>, Row> = HashMap::new();
        // Live ones last: a client that came back after its end is not told of as ended.
        let ended = self.leaving.iter().map(|activity| (activity, false));
        for (activity, live) in ended.chain(live.iter().map(|activity| (activity, true))) {
            if let Some(row) = Row::of(activity, live) {
                rows.insert(Arc::clone(&row.id), row);
            }
        }
        let news = |row: &Row| all || self.told.get(&row.id) != Some(&row.state);
        rows.into_values().filter(news).collect()
    }

    async fn say(&mut self, complete: bool, rows: &[Row]) -> Result<(), Unheard> {
        let ended = self.register.tell(complete, rows).await?;
        self.heard = Some(Instant::now());
        for row in rows {
            // The very life that was told of: its client may have begun another meanwhile.
            if row.state.live && ended.iter().any(|id| **id == *row.id) {
                self.ledger.end_life(&row.activity);
            }
            self.told.insert(Arc::clone(&row.id), row.state);
        }
        Ok(())
    }

    /// The process is told to end, and with it every session.
    async fn farewell(&mut self) {
        // Odoo that never heard of this process has nothing to forget.
        if self.heard.is_none() {
            return;
        }
        self.ledger.end_all();
        if let Err(error) = self.sync().await {
            tracing::warn!(%error, "Odoo could not be told that the sessions have ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::mcp::caller::fixture::caller;
    use crate::mcp::{Caller, Era};
    use crate::vocab::Clock;

    use super::*;

    /// What was told: complete or not, and of each session its client, its requests and whether it is live.
    type Said = (bool, Vec<(String, u64, bool)>);

    #[derive(Default)]
    struct Odoo {
        said: Mutex<Vec<Said>>,
        away: AtomicBool,
        /// Ids to answer as ended.
        ended: Mutex<Vec<String>>,
    }

    impl Register for Odoo {
        fn tell<'a>(
            &'a self,
            complete: bool,
            rows: &'a [Row],
        ) -> BoxFuture<'a, Result<Vec<String>, Unheard>> {
            let row = |row: &Row| {
                let client = row.activity.client().unwrap_or_default().to_owned();
                (client, row.state.requests, row.state.live)
            };
            let mut rows: Vec<_> = rows.iter().map(row).collect();
            rows.sort();
            let away = self.away.load(Ordering::SeqCst);
            if !away {
                self.said.lock().unwrap().push((complete, rows));
            }
            let ended = self.ended.lock().unwrap().clone();
            Box::pin(async move { if away { Err(Unheard("away".into())) } else { Ok(ended) } })
        }
    }

    struct Scene {
        clock: Clock,
        ledger: Arc<Ledger>,
        odoo: Arc<Odoo>,
        caller: Caller,
        cancel: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    impl Scene {
        fn new() -> Self {
            let clock = Clock::still_at(0);
            let ledger = Ledger::new(clock.clone(), Duration::from_secs(60));
            let (odoo, cancel) = (Arc::new(Odoo::default()), CancellationToken::new());
            let register: Arc<dyn Register> = Arc::clone(&odoo) as _;
            let task = tokio::spawn(Arc::clone(&ledger).tell(register, cancel.clone()));
            Self { clock, ledger, odoo, caller: caller(1), cancel, task }
        }

        /// A request of a client.
        fn work(&self, client: &str) -> Arc<Activity> {
            let pair = self.ledger.meet(&self.caller, Era::Modern, Some(client));
            self.clock.advance(Duration::from_millis(1));
            pair.count();
            drop(pair.enter(self.caller.peer));
            pair
        }

        /// What was said within this time.
        async fn after(&self, time: f64) -> Vec<Said> {
            sleep(Duration::from_secs_f64(time)).await;
            std::mem::take(&mut self.odoo.said.lock().unwrap())
        }
    }

    fn said(complete: bool, rows: &[(&str, u64, bool)]) -> Said {
        let row = |&(client, requests, live): &(&str, u64, bool)| (client.to_owned(), requests, live);
        (complete, rows.iter().map(row).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn changes_are_told_and_silence_is_kept_where_nothing_is_live() {
        let scene = Scene::new();
        assert_eq!(scene.after(0.1).await, [said(true, &[])]);
        assert_eq!(scene.after(12.0).await, []);
        // A new one shows within a second, its work with the next beat.
        scene.work("a");
        assert_eq!(scene.after(1.0).await, [said(false, &[("a", 1, true)])]);
        scene.work("a");
        scene.work("a");
        assert_eq!(scene.after(5.0).await, [said(false, &[("a", 3, true)])]);
        // Nothing changed, but it is live.
        assert_eq!(scene.after(10.0).await, [said(false, &[]), said(false, &[])]);
        scene.work("b").end();
        scene.ledger.reap();
        assert_eq!(scene.after(1.0).await, [said(false, &[("b", 1, false)])]);
        scene.clock.advance(Duration::from_secs(61));
        scene.ledger.reap();
        assert_eq!(scene.after(1.0).await, [said(false, &[("a", 3, false)])]);
        assert_eq!(scene.after(60.0).await, []);
        // After a silence the list is complete again.
        scene.work("c");
        assert_eq!(scene.after(1.0).await, [said(true, &[("c", 1, true)])]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_confirmed_is_told_again() {
        let scene = Scene::new();
        scene.work("a");
        let b = scene.work("b");
        assert_eq!(scene.after(1.0).await.len(), 1);
        scene.odoo.away.store(true, Ordering::SeqCst);
        b.end();
        scene.work("c");
        scene.ledger.reap();
        assert_eq!(scene.after(60.0).await, []);
        scene.odoo.away.store(false, Ordering::SeqCst);
        let told = scene.after(BEAT.as_secs_f64()).await;
        assert_eq!(told, [said(true, &[("a", 1, true), ("b", 1, false), ("c", 1, true)])]);
        assert_eq!(scene.after(BEAT.as_secs_f64()).await, [said(false, &[])]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_odoo_answers_as_ended_ends() {
        let scene = Scene::new();
        let (a, b) = (scene.work("a"), scene.work("b"));
        *scene.odoo.ended.lock().unwrap() = vec![a.id().unwrap().to_string(), "unknown".to_owned()];
        scene.after(1.0).await;
        assert!(a.is_over() && !b.is_over());
        scene.odoo.ended.lock().unwrap().clear();
        scene.ledger.reap();
        assert_eq!(scene.after(1.0).await, [said(false, &[("a", 1, false)])]);
        // It may come back, under the same id.
        scene.work("a");
        assert_eq!(scene.after(1.0).await, [said(false, &[("a", 1, true)])]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_is_back_is_not_told_of_as_ended() {
        let scene = Scene::new();
        scene.after(0.1).await;
        scene.work("a").end();
        scene.ledger.reap();
        scene.work("a");
        assert_eq!(scene.after(1.0).await, [said(false, &[("a", 1, true)])]);
        // Nor where it came back before its end was noticed.
        scene.work("a").end();
        let again = scene.work("a");
        again.count();
        scene.ledger.reap();
        assert_eq!(scene.after(1.0).await, [said(false, &[("a", 2, true)])]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_does_not_fit_is_told_in_pieces_and_completed_later() {
        let scene = Scene::new();
        let many: Vec<_> = (0..1001).map(|number| caller(100 + number)).collect();
        for caller in &many {
            scene.ledger.meet(caller, Era::Modern, Some("x"));
        }
        let told = scene.after(1.0).await;
        let sizes: Vec<_> = told.iter().map(|(complete, rows)| (*complete, rows.len())).collect();
        assert_eq!(sizes, [(false, 1000), (false, 1)]);
        for caller in &many[1..] {
            caller.lifetime.cancel();
        }
        scene.ledger.reap();
        let told = scene.after(BEAT.as_secs_f64()).await;
        let ended = told.iter().flat_map(|(_, rows)| rows).filter(|(_, _, live)| !live).count();
        assert_eq!(ended, 1000);
        let told = scene.after(2.0 * BEAT.as_secs_f64()).await;
        assert!(told.contains(&said(true, &[("x", 0, true)])), "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_end_all_are_told_to_have_ended() {
        let scene = Scene::new();
        scene.work("a");
        scene.after(1.0).await;
        scene.cancel.cancel();
        scene.task.await.unwrap();
        let told = std::mem::take(&mut *scene.odoo.said.lock().unwrap());
        assert_eq!(told, [said(false, &[("a", 1, false)])]);

        let scene = Scene::new();
        scene.odoo.away.store(true, Ordering::SeqCst);
        scene.work("a");
        scene.after(1.0).await;
        scene.cancel.cancel();
        let start = Instant::now();
        scene.task.await.unwrap();
        assert!(start.elapsed() <= FAREWELL);
    }
}
