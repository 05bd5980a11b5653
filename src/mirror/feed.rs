//! Follows Odoo: says hello, asks for changes, hears wake-ups, and keeps the rest of the mirror true.
//!
//! One task does all the asking, so answers cannot overtake each other; only a wake-up can overtake an
//! answer, and `switch` and `lives` see to that.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{HelloState, Mirror};
use crate::odoo::Error;
use crate::odoo::gateway::{CONTRACT, ChangesRequest, FaultCode, HelloAnswer, HelloRequest, WakeUp};
use crate::vocab::{Backoff, Secret};

/// Backoff while Odoo cannot be followed.
const FEED_BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
/// How often the age of the settings is looked at, for those who wait for the gate.
const AGE_CHECK_INTERVAL: Duration = Duration::from_secs(1);
const CLEANUP_INTERVAL: Duration = Duration::from_secs(60);

/// Who this sidecar is, as it tells Odoo.
#[derive(Debug, Clone)]
pub struct ReplicaIdentity {
    /// Kept over restarts, so that a restart is no new replica.
    pub replica: uuid::Uuid,
    pub version: String,
    pub public_url: String,
    /// Where Odoo posts wake-ups; none: it is asked often instead.
    pub wake_url: Option<String>,
    /// Signs the wake-ups; made anew at each start.
    pub wake_secret: Option<Secret>,
}

/// When what is due next.
#[derive(Debug)]
struct FeedSchedule {
    hello: Instant,
    changes: Instant,
    cleanup: Instant,
    backoff: Backoff,
}

impl Mirror {
    /// Keeps the mirror true until cancelled. Runs once, in a task of its own.
    pub async fn run_feed(self: Arc<Self>, cancel: CancellationToken, identity: ReplicaIdentity) {
        self.wakeup_verifier.set_secret(identity.wake_secret.clone());
        let now = Instant::now();
        let mut plan =
            FeedSchedule { hello: now, changes: now, cleanup: now + CLEANUP_INTERVAL, backoff: FEED_BACKOFF };
        while cancel.run_until_cancelled(self.step(&mut plan, &identity)).await.is_some() {}
        self.wakeup_verifier.set_secret(None);
    }

    /// Does what is due and waits for what is next.
    async fn step(&self, plan: &mut FeedSchedule, identity: &ReplicaIdentity) {
        let now = Instant::now();
        if now >= plan.cleanup {
            self.epochs.remove_expired();
            self.principals.remove_idle();
            plan.cleanup = now + CLEANUP_INTERVAL;
        }
        let outcome = if now >= plan.hello {
            self.hello(identity).await.map(|()| {
                plan.hello = Instant::now() + Duration::from_millis(self.options.hello_ms);
                // What happened while Odoo was away is asked for at once.
                plan.changes = now;
            })
        } else if now >= plan.changes {
            self.changes(identity).await.map(|()| plan.changes = Instant::now() + self.poll_interval())
        } else {
            self.wait_until_due(plan).await;
            return;
        };
        match outcome {
            Ok(()) => plan.backoff.reset(),
            Err(error) => {
                self.record_failure(&error);
                // Back from being away, Odoo may have forgotten this replica: hello comes first again.
                plan.hello = Instant::now() + plan.backoff.next_delay();
                plan.changes = plan.hello;
            }
        }
        self.settings_gate.publish();
    }

    /// Waits until something is due, or somebody rings.
    async fn wait_until_due(&self, plan: &mut FeedSchedule) {
        // The first stream shortens the wait that has already begun.
        plan.changes = plan.changes.min(Instant::now() + self.poll_interval());
        let next = plan.hello.min(plan.changes);
        let look = Instant::now() + AGE_CHECK_INTERVAL;
        let rung =
            timeout(look.min(next).saturating_duration_since(Instant::now()), self.feed_trigger.notified())
                .await;
        if rung.is_ok() {
            // Whoever rang knows that Odoo is there. A wake-up says less than all, and `changes` may have told
            // its part before: all settings are read again.
            plan.hello = Instant::now();
        }
        self.settings_gate.publish();
    }

    fn poll_interval(&self) -> Duration {
        let watched = self.open_streams.load(Ordering::Acquire) > 0;
        Duration::from_millis(if watched { self.options.poll_watched_ms } else { self.options.poll_ms })
    }

    async fn hello(&self, identity: &ReplicaIdentity) -> Result<(), Error> {
        let asked = self.settings_gate.stamp();
        let request = HelloRequest {
            contract: CONTRACT,
            replica: identity.replica,
            version: identity.version.clone(),
            public_url: identity.public_url.clone(),
            wake_url: identity.wake_url.clone(),
            wake_secret: identity.wake_secret.as_ref().map(|secret| secret.expose().to_owned()),
        };
        let answer = self.client.hello(&request).await?;
        if answer.contract != CONTRACT {
            self.reject_contract(&format!(
                "The sidecar speaks contract {CONTRACT}, the addon {}.",
                answer.contract
            ));
            return Err(Error::InvalidAnswer);
        }
        self.apply_hello(&answer);
        self.settings_gate.confirm(asked, Some(answer.settings));
        if self.feed_error().is_some() {
            tracing::info!("Odoo can be followed again");
            self.set_feed_error(None);
        }
        Ok(())
    }

    /// Takes over what hello says besides the settings.
    fn apply_hello(&self, answer: &HelloAnswer) {
        let before = self.hello_state();
        let same = before.as_ref().is_some_and(|known| known.database_uuid == answer.database_uuid);
        if before.is_some() && !same {
            tracing::warn!("Odoo answers with another database: everything is read again");
            self.invalidate_all();
        }
        if !same {
            // The cursor of the first hello only: later ones would skip what was not asked for yet.
            self.set_cursor(Some(answer.cursor.clone()));
            tracing::info!(
                odoo = %answer.odoo_version, addon = %answer.addon_version, database = %answer.database,
                wake_ups = %answer.wake, "Odoo is there"
            );
        }
        let state = answer.public_url_state.as_str();
        let told = before.as_ref().map(|known| &*known.public_url_state);
        if told != Some(state) {
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
        self.set_hello_state(HelloState {
            database_uuid: answer.database_uuid.clone(),
            web_url: answer.web_url.as_str().into(),
            odoo_version: answer.odoo_version.as_str().into(),
            public_url_state: state.into(),
        });
    }

    async fn changes(&self, identity: &ReplicaIdentity) -> Result<(), Error> {
        let Some(cursor) = self.cursor() else { return Ok(()) };
        let asked = self.settings_gate.stamp();
        let answer = self.client.changes(&ChangesRequest { replica: identity.replica, cursor }).await?;
        if answer.reset {
            tracing::warn!("Odoo cannot tell what changed: everything is read again");
            self.invalidate_all();
        }
        for connection in &answer.connections {
            self.epochs.invalidate(*connection);
        }
        for session in &answer.sessions {
            self.session_end_hook.call(session);
        }
        if answer.schema {
            self.schema.invalidate();
        }
        self.settings_gate.confirm(asked, answer.settings);
        self.set_cursor(Some(answer.cursor));
        Ok(())
    }

    /// Acts on a wake-up that was believed.
    pub(super) fn apply_wakeup(&self, wake: &WakeUp) {
        for connection in &wake.revoked {
            self.epochs.invalidate(*connection);
        }
        self.settings_gate.apply_wakeup(wake);
        self.feed_trigger.notify_one();
    }

    fn record_failure(&self, error: &Error) {
        match error {
            Error::Fault(fault) if matches!(fault.code, FaultCode::Contract | FaultCode::NotService) => {
                self.reject_contract(&fault.message);
            }
            _ => {
                // Once, not with each of the many tries.
                if self.feed_error().is_none() {
                    tracing::warn!(%error, "Odoo cannot be followed; trying until it can");
                }
                self.set_feed_error(Some(error.to_string()));
            }
        }
    }

    fn reject_contract(&self, message: &str) {
        if self.feed_error().as_deref() != Some(message) {
            tracing::error!("{message}");
        }
        self.settings_gate.invalidate();
        self.set_feed_error(Some(message.to_owned()));
    }
}
