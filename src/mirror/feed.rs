//! The polling loop that keeps the mirror current: `hello`, then `changes`, with backoff while Odoo is unreachable.
//!
//! One task sends all of these requests, so their answers cannot overtake each other; only a wake-up can overtake
//! an answer, which `settings_gate` and `epochs` allow for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{HelloState, Mirror, PendingCheck};
use crate::odoo::Error;
use crate::odoo::contract::{CONTRACT, ChangesRequest, FaultCode, HelloAnswer, HelloRequest};
use crate::vocab::{Backoff, Secret};

/// Backoff while Odoo cannot be followed.
const FEED_BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
/// How often the age of the settings is checked, for those that watch the gate.
const AGE_CHECK_INTERVAL: Duration = Duration::from_secs(1);
const CLEANUP_INTERVAL: Duration = Duration::from_secs(60);

/// The identity of this sidecar, as `hello` sends it.
#[derive(Debug, Clone)]
pub struct ReplicaIdentity {
    /// Kept over restarts, so that a restart is no new replica.
    pub replica: uuid::Uuid,
    pub version: String,
    pub public_url: String,
    /// Where Odoo posts wake-ups; none: it is polled often instead.
    pub wake_url: Option<String>,
    /// Signs the wake-ups; made anew at each start.
    pub wake_secret: Option<Secret>,
}

/// One run of the polling task.
pub(super) struct Feed {
    mirror: Arc<Mirror>,
    identity: ReplicaIdentity,
    schedule: FeedSchedule,
}

/// When each request is due next.
struct FeedSchedule {
    hello: Instant,
    changes: Instant,
    cleanup: Instant,
    backoff: Backoff,
}

impl Feed {
    pub(super) fn new(mirror: Arc<Mirror>, identity: ReplicaIdentity) -> Self {
        let now = Instant::now();
        let schedule =
            FeedSchedule { hello: now, changes: now, cleanup: now + CLEANUP_INTERVAL, backoff: FEED_BACKOFF };
        Self { mirror, identity, schedule }
    }

    /// Polls Odoo until `cancel`.
    pub(super) async fn run(mut self, cancel: CancellationToken) {
        self.mirror.wakeup_verifier.set_secret(self.identity.wake_secret.clone());
        while cancel.run_until_cancelled(self.step()).await.is_some() {}
        self.mirror.wakeup_verifier.set_secret(None);
    }

    /// Sends one request that is due, or waits for the next.
    async fn step(&mut self) {
        let now = Instant::now();
        if now >= self.schedule.cleanup {
            self.mirror.epochs.remove_expired();
            self.mirror.principals.remove_idle();
            self.schedule.cleanup = now + CLEANUP_INTERVAL;
        }
        let outcome = if now >= self.schedule.hello {
            self.hello().await.map(|()| {
                self.schedule.hello = Instant::now() + Duration::from_millis(self.mirror.options.hello_ms);
                // Changes made while Odoo was unreachable are requested at once.
                self.schedule.changes = now;
            })
        } else if now >= self.schedule.changes {
            self.changes().await.map(|()| self.schedule.changes = Instant::now() + self.poll_interval())
        } else {
            self.wait_until_due().await;
            return;
        };
        match outcome {
            Ok(()) => self.schedule.backoff.reset(),
            Err(error) => {
                self.record_failure(&error);
                // Odoo may have lost this replica during the outage: hello comes first again.
                self.schedule.hello = Instant::now() + self.schedule.backoff.next_delay();
                self.schedule.changes = self.schedule.hello;
            }
        }
        self.mirror.settings_gate.publish();
    }

    /// Waits until a request is due or the feed is triggered.
    async fn wait_until_due(&mut self) {
        // The first stream shortens the wait that has already begun.
        self.schedule.changes = self.schedule.changes.min(Instant::now() + self.poll_interval());
        let due = self.schedule.hello.min(self.schedule.changes);
        let age_check = Instant::now() + AGE_CHECK_INTERVAL;
        let triggered = timeout_at(age_check.min(due), self.mirror.feed_trigger.notified()).await;
        if triggered.is_ok() {
            // A trigger means that Odoo is reachable. A wake-up carries only a part, and `changes` may have
            // delivered that part before: all settings are read again.
            self.schedule.hello = Instant::now();
        }
        self.mirror.settings_gate.publish();
    }

    fn poll_interval(&self) -> Duration {
        let options = &self.mirror.options;
        let watched = self.mirror.open_streams.load(Ordering::Acquire) > 0;
        Duration::from_millis(if watched { options.poll_watched_ms } else { options.poll_ms })
    }

    async fn hello(&self) -> Result<(), Error> {
        let (mirror, identity) = (&self.mirror, &self.identity);
        let stamp = mirror.settings_gate.stamp();
        let request = HelloRequest {
            contract: CONTRACT,
            replica: identity.replica,
            version: identity.version.clone(),
            public_url: identity.public_url.clone(),
            wake_url: identity.wake_url.clone(),
            wake_secret: identity.wake_secret.as_ref().map(|secret| secret.expose().to_owned()),
        };
        let answer = mirror.client.hello(&request).await?;
        if answer.contract != CONTRACT {
            self.reject_contract(&format!(
                "The sidecar speaks contract {CONTRACT}, the addon {}.",
                answer.contract
            ));
            return Err(Error::InvalidAnswer);
        }
        self.apply_hello(&answer);
        mirror.confirm_settings(stamp, Some(answer.settings));
        if mirror.feed_error().is_some() {
            tracing::info!("Odoo can be followed again");
            mirror.set_feed_error(None);
        }
        Ok(())
    }

    /// Stores what `hello` answers besides the settings.
    fn apply_hello(&self, answer: &HelloAnswer) {
        let before = self.mirror.hello_state();
        let same = before.as_ref().is_some_and(|known| known.database_uuid == answer.database_uuid);
        if before.is_some() && !same {
            tracing::warn!("Odoo answers with another database: everything is read again");
            self.mirror.invalidate_all();
        }
        if !same {
            // The cursor of the first hello only: later ones would skip changes that were not requested yet.
            self.mirror.set_cursor(Some(answer.cursor.clone()));
            tracing::info!(
                odoo = %answer.odoo_version, addon = %answer.addon_version, database = %answer.database,
                wake_ups = %answer.wake, "Odoo is there"
            );
        }
        let state = answer.public_url_state.as_str();
        if before.as_ref().map(|known| &*known.public_url_state) != Some(state) {
            log_public_url_state(state);
        }
        self.mirror.set_hello_state(HelloState {
            database_uuid: answer.database_uuid.clone(),
            web_url: answer.web_url.as_str().into(),
            odoo_version: answer.odoo_version.as_str().into(),
            public_url_state: state.into(),
            shared_key: answer.shared_keys.oauth.clone(),
        });
    }

    async fn changes(&self) -> Result<(), Error> {
        let mirror = &self.mirror;
        let Some(cursor) = mirror.cursor() else { return Ok(()) };
        let stamp = mirror.settings_gate.stamp();
        let request = ChangesRequest { replica: self.identity.replica, cursor };
        let answer = mirror.client.changes(&request).await?;
        if answer.reset {
            tracing::warn!("Odoo does not know what changed since the cursor: everything is read again");
            mirror.invalidate_all();
        }
        for connection in &answer.connections {
            mirror.epochs.invalidate(*connection);
        }
        for session in &answer.sessions {
            mirror.end_session(session);
        }
        if answer.schema {
            mirror.schema.invalidate();
        }
        mirror.confirm_settings(stamp, answer.settings);
        if let Some(id) = answer.check {
            let skew_seconds = answer.now.as_deref().and_then(skew_of);
            mirror.publish_check(PendingCheck { id, skew_seconds });
        }
        mirror.set_cursor(Some(answer.cursor));
        Ok(())
    }

    fn record_failure(&self, error: &Error) {
        match error {
            Error::Fault(fault) if matches!(fault.code, FaultCode::Contract | FaultCode::NotService) => {
                self.reject_contract(&fault.message);
            }
            _ => {
                // Logged once for an outage, not with each retry.
                if self.mirror.feed_error().is_none() {
                    tracing::warn!(%error, "Odoo cannot be followed; retrying until it can");
                }
                self.mirror.set_feed_error(Some(error.to_string()));
            }
        }
    }

    fn reject_contract(&self, message: &str) {
        if self.mirror.feed_error().as_deref() != Some(message) {
            tracing::error!("{message}");
        }
        self.mirror.settings_gate.invalidate();
        self.mirror.set_feed_error(Some(message.to_owned()));
    }
}

/// By how much Odoo's clock is ahead of ours, in seconds.
fn skew_of(now: &str) -> Option<i64> {
    let theirs: jiff::Timestamp = now.parse().ok()?;
    Some(theirs.as_second() - jiff::Timestamp::now().as_second())
}

fn log_public_url_state(state: &str) {
    match state {
        "pending" | "refused" => tracing::warn!(
            public_url = state,
            "AI tools are not given the public_url of this sidecar until an administrator confirms it on Server Settings in Odoo"
        ),
        "confirmed" => {
            tracing::info!(public_url = state, "AI tools are given the public_url of this sidecar")
        }
        _ => {}
    }
}
