//! The delivery task: sends the spool to Odoo in batches, oldest first, with retry and backoff.
//!
//! Delivery is at least once: the receiver deduplicates by entry id, so a batch whose answer was lost is sent
//! again. Nothing is dropped: an entry that fails is deferred, an entry that is refused for good is
//! dead-lettered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{AuditTrail, ChainMonitor, ChainState, CheckAnswer, CheckRequest, Inspection};
use crate::state::{DeliveryReport, SpoolEntry};
use crate::vocab::{Backoff, Outage};

/// The most entries and bytes of one batch.
const MAX_BATCH_ENTRIES: usize = 500;
const MAX_BATCH_BYTES: usize = 2 * 1024 * 1024;

/// How long the first entry waits for others to share its batch.
const BATCH_DELAY: Duration = Duration::from_millis(500);

/// The pause before deferred entries are retried.
const DEFERRED_RETRY_DELAY: Duration = Duration::from_secs(5);

/// Backoff while nothing can be delivered.
const DELIVERY_BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));

/// The failures of single entries in a row after which the receiver, not the entry, counts as failing.
const MAX_SINGLE_FAILURES: usize = 3;

/// An accepted batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The entries to be sent again later.
    pub pending: Vec<Uuid>,
    /// The state of the hash chain, if the addon returns it.
    pub chain: Option<ChainState>,
}

/// Why a batch was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkError {
    /// Invalid for good; names what is wrong without quoting the entry.
    Rejected(String),
    /// The receiver failed while processing it.
    Failed,
    /// No answer in time: perhaps the batch was too large.
    TimedOut,
    /// The receiver is unreachable.
    Unavailable,
}

/// The receiver of entries.
pub trait AuditSink: Send + Sync {
    /// Sends a batch, oldest first; `seen`: the sequence number whose hash is requested.
    fn append<'a>(
        &'a self,
        entries: &'a [SpoolEntry],
        seen: Option<u64>,
    ) -> BoxFuture<'a, Result<Accepted, SinkError>>;

    /// Requests the state of the hash chain and an inspection of stored entries.
    fn check<'a>(&'a self, question: &'a CheckRequest) -> BoxFuture<'a, Result<CheckAnswer, SinkError>>;
}

/// The state of the delivery task.
pub struct SpoolSender {
    audit: Arc<AuditTrail>,
    chain: Arc<ChainMonitor>,
    sink: Arc<dyn AuditSink>,
    batch_limit: usize,
    backoff: Backoff,
    /// Since when entries have been deferred.
    deferred_since: Option<Instant>,
    outage: Outage,
}

// === impl SpoolSender ===

impl SpoolSender {
    /// Delivers the spool to `sink` until `cancel`.
    pub async fn run(
        audit: Arc<AuditTrail>,
        sink: Arc<dyn AuditSink>,
        chain: Arc<ChainMonitor>,
        cancel: CancellationToken,
    ) {
        let mut sender = Self {
            audit,
            chain,
            sink,
            batch_limit: MAX_BATCH_ENTRIES,
            backoff: DELIVERY_BACKOFF,
            deferred_since: None,
            outage: Outage::default(),
        };
        while cancel.run_until_cancelled(sender.step()).await.is_some() {}
    }

    /// Sends one batch, or waits for entries.
    async fn step(&mut self) {
        if self.deferred_since.is_some_and(|since| since.elapsed() >= DEFERRED_RETRY_DELAY) {
            self.deferred_since = None;
            self.audit.spool.requeue_deferred();
        }
        let mut entries = self.audit.spool.peek_oldest(self.batch_limit).await;
        if entries.is_empty() {
            return self.wait_for_entries().await;
        }
        limit_bytes(&mut entries);
        let full = entries.len() >= self.batch_limit;
        let started = Instant::now();
        let (report, error) = self.deliver(&entries).await;
        if !report.deferred.is_empty() {
            self.deferred_since.get_or_insert_with(Instant::now);
        }
        let committed = report == DeliveryReport::default() || self.audit.spool.acknowledge(report).await;
        match error {
            None if committed => {
                self.reset_backoff();
                // A long queue must not occupy a worker of Odoo all the time.
                sleep(if full { started.elapsed().min(BATCH_DELAY) } else { BATCH_DELAY }).await;
            }
            error => self.back_off(error.as_ref()).await,
        }
    }

    async fn wait_for_entries(&self) {
        let ready = self.audit.deliverable.notified();
        let notified = match self.deferred_since {
            // Even if no new entry becomes ready.
            Some(since) => timeout(DEFERRED_RETRY_DELAY.saturating_sub(since.elapsed()), ready).await.is_ok(),
            // A spool that opens late holds entries of earlier processes, without a notification.
            None if self.audit.unavailable_reason().is_some() => {
                timeout(DEFERRED_RETRY_DELAY, ready).await.is_ok()
            }
            None => {
                ready.await;
                true
            }
        };
        if notified {
            sleep(BATCH_DELAY).await;
        }
    }

    fn reset_backoff(&mut self) {
        if self.outage.end() {
            tracing::info!("delivery of the audit log to Odoo works again");
        }
        self.backoff.reset();
        self.batch_limit = (self.batch_limit * 2).min(MAX_BATCH_ENTRIES);
    }

    async fn back_off(&mut self, error: Option<&SinkError>) {
        if error == Some(&SinkError::TimedOut) {
            self.batch_limit = (self.batch_limit / 2).max(1);
        }
        if self.outage.begin() {
            tracing::warn!(
                "delivery of the audit log to Odoo failed; entries stay in the spool and are retried"
            );
        }
        sleep(self.backoff.next_delay()).await;
    }

    async fn append(&self, entries: &[SpoolEntry]) -> Result<Accepted, SinkError> {
        let _exchange = self.chain.begin_exchange().await;
        let accepted = self.sink.append(entries, self.chain.known_sequence()).await?;
        if let Some(state) = &accepted.chain {
            let created = entries.iter().filter_map(|entry| created_ms(entry.id)).max();
            self.chain.observe(state, &Inspection::default(), created);
        }
        Ok(accepted)
    }

    /// Delivers a batch; returns the result of each entry, and the error that stopped the rest. A refused
    /// batch is bisected down to the entries it was refused for.
    async fn deliver(&self, entries: &[SpoolEntry]) -> (DeliveryReport, Option<SinkError>) {
        let (mut report, mut failures) = (DeliveryReport::default(), 0);
        let mut parts = vec![entries];
        while let Some(part) = parts.pop() {
            match self.append(part).await {
                Ok(accepted) => {
                    failures = 0;
                    let (deferred, accepted): (Vec<_>, Vec<_>) =
                        part.iter().map(|entry| entry.id).partition(|id| accepted.pending.contains(id));
                    report.delivered.extend(accepted);
                    report.deferred.extend(deferred);
                }
                Err(SinkError::Rejected(_) | SinkError::Failed) if part.len() > 1 => {
                    let (older, newer) = part.split_at(part.len() / 2);
                    parts.extend([newer, older]);
                }
                Err(SinkError::Rejected(what)) => {
                    for SpoolEntry { id, .. } in part {
                        tracing::error!(entry = %id, %what, "an audit entry was refused and moved to the dead letters");
                        report.dead_lettered.push((*id, what.clone()));
                    }
                }
                Err(SinkError::Failed) => {
                    failures += 1;
                    report.deferred.extend(part.iter().map(|entry| entry.id));
                    if failures >= MAX_SINGLE_FAILURES {
                        return (report, Some(SinkError::Failed));
                    }
                }
                Err(error) => return (report, Some(error)),
            }
        }
        (report, None)
    }
}

/// The creation time in the id of an entry.
fn created_ms(id: Uuid) -> Option<u64> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    Some(seconds * 1000 + u64::from(nanos / 1_000_000))
}

/// Truncates a batch to its bound in bytes, but not below one entry.
fn limit_bytes(entries: &mut Vec<SpoolEntry>) {
    let mut bytes = 0;
    let fitting = entries.iter().take_while(|entry| {
        bytes += entry.body.len();
        bytes <= MAX_BATCH_BYTES
    });
    let fitting = fitting.count().max(1);
    entries.truncate(fitting);
}
