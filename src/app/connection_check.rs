//! Runs the connection checks that administrators start in Odoo, one at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::check::{ConnectionCheck, random_bits};
use crate::mirror::{Mirror, PendingCheck};
use crate::odoo::contract::{BeginCheckRequest, ReportCheckRequest};
use crate::odoo::{Client, Error};
use crate::vocab::{CredentialKind, Proof};

/// How often a report is sent, and the pause in between: an administrator waits for it.
const MAX_REPORTS: usize = 3;
const REPORT_RETRY_DELAY: Duration = Duration::from_secs(1);

/// What the checks of this replica have in common.
pub(super) struct ConnectionChecks {
    pub(super) mirror: Arc<Mirror>,
    pub(super) client: Arc<Client>,
    pub(super) replica: Uuid,
    /// The public URL, without a slash at its end.
    pub(super) origin: String,
    pub(super) has_untrusted_proxy: Box<dyn Fn() -> bool + Send + Sync>,
}

impl ConnectionChecks {
    /// Takes part in each check once, until `cancel`.
    pub(super) async fn run(self: Arc<Self>, cancel: CancellationToken) {
        let mut pending = self.mirror.watch_check();
        while let Some(Ok(())) = cancel.run_until_cancelled(pending.changed()).await {
            let check = pending.borrow_and_update().clone();
            if let Some(check) = check
                && let Some(Err(error)) = cancel.run_until_cancelled(self.check(&check)).await
            {
                tracing::warn!(%error, "a connection check could not be carried out");
            }
        }
        cancel.cancelled().await;
    }

    async fn check(&self, pending: &PendingCheck) -> Result<(), Error> {
        let key = CredentialKind::ApiKey.text_of(&random_bits());
        let (check, replica) = (pending.id, self.replica);
        let begin = BeginCheckRequest { check, replica, proof: Proof::of_text(key.expose()) };
        if !self.client.begin_check(&begin).await?.accepted {
            return Ok(());
        }
        let looking = ConnectionCheck {
            origin: self.origin.clone(),
            offers_oauth: self.mirror.settings().is_some_and(|settings| settings.enable_oauth),
            key,
            skew_seconds: pending.skew_seconds,
            has_untrusted_proxy: (self.has_untrusted_proxy)(),
        };
        let report = ReportCheckRequest { check, replica, results: looking.run().await };
        let mut sent = self.client.report_check(&report).await;
        for _ in 1..MAX_REPORTS {
            if sent.is_ok() {
                break;
            }
            tokio::time::sleep(REPORT_RETRY_DELAY).await;
            sent = self.client.report_check(&report).await;
        }
        sent.map(drop)
    }
}
