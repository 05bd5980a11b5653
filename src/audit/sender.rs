//! Hands on what is kept, oldest first and one batch at a time, and forgets only what was taken.
//!
//! The other side knows entries by their id, so a batch whose answer was lost is simply sent again. Nothing is
//! dropped: what cannot be taken now comes later, what is refused by itself is set aside for a person.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{AuditTrail, ChainMonitor, ChainState, CheckAnswer, CheckRequest, Inspection};
use crate::state::{DeliveryReport, SpoolEntry};
use crate::vocab::{Backoff, Outage};

/// The most that one batch holds.
const MAX_BATCH_ENTRIES: usize = 500;
const MAX_BATCH_BYTES: usize = 2 * 1024 * 1024;

/// How long the first entry waits for company.
const BATCH_DELAY: Duration = Duration::from_millis(500);

/// When what was put off is tried again.
const DEFERRED_RETRY_DELAY: Duration = Duration::from_secs(5);

/// Backoff while nothing can be delivered.
const DELIVERY_BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));

/// Entries that fail alone, one after the other, before it is not taken for their fault any more.
const MAX_SINGLE_FAILURES: usize = 3;

/// Entries that were taken, but for those to be sent again later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    pub pending: Vec<Uuid>,
    /// The tip of the chain now, if the addon answers it.
    pub chain: Option<ChainState>,
}

/// Why entries were not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkError {
    /// They have a form that will never be taken; says what is wrong, and nothing of what stands there.
    Rejected(String),
    /// The other side failed over them.
    Failed,
    /// It did not answer in time: there were perhaps too many.
    TimedOut,
    /// It cannot be asked at the moment.
    Unavailable,
}

/// Where entries go.
pub trait AuditSink: Send + Sync {
    /// Gives entries away, oldest first; `seen`: the number in the chain whose hash is wanted.
    fn append<'a>(
        &'a self,
        entries: &'a [SpoolEntry],
        seen: Option<u64>,
    ) -> BoxFuture<'a, Result<Accepted, SinkError>>;

    /// Asks whether what was given away is still there.
    fn check<'a>(&'a self, question: &'a CheckRequest) -> BoxFuture<'a, Result<CheckAnswer, SinkError>>;
}

/// One run of the task.
pub struct SpoolSender {
    audit: Arc<AuditTrail>,
    chain: Arc<ChainMonitor>,
    sink: Arc<dyn AuditSink>,
    batch_limit: usize,
    backoff: Backoff,
    /// When something was last put off.
    deferred_since: Option<Instant>,
    outage: Outage,
}

// === impl SpoolSender ===

impl SpoolSender {
    /// Sends what is kept to `sink`, until `cancel`.
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

    /// Sends one batch, or waits for something to send.
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
                // A long queue must not take a worker of Odoo all for itself.
                sleep(if full { started.elapsed().min(BATCH_DELAY) } else { BATCH_DELAY }).await;
            }
            error => self.back_off(error.as_ref()).await,
        }
    }

    async fn wait_for_entries(&self) {
        let ready = self.audit.deliverable.notified();
        let notified = match self.deferred_since {
            // Also where nothing new comes.
            Some(since) => timeout(DEFERRED_RETRY_DELAY.saturating_sub(since.elapsed()), ready).await.is_ok(),
            // A store that opens late holds entries of before, for which nothing rings.
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
            tracing::info!("the audit log is handed on again");
        }
        self.backoff.reset();
        self.batch_limit = (self.batch_limit * 2).min(MAX_BATCH_ENTRIES);
    }

    async fn back_off(&mut self, error: Option<&SinkError>) {
        if error == Some(&SinkError::TimedOut) {
            self.batch_limit = (self.batch_limit / 2).max(1);
        }
        if self.outage.begin() {
            tracing::warn!("the audit log cannot be handed on; it is kept until it can");
        }
        sleep(self.backoff.next_delay()).await;
    }

    async fn append(&self, entries: &[SpoolEntry]) -> Result<Accepted, SinkError> {
        let _turn = self.chain.begin_exchange().await;
        let accepted = self.sink.append(entries, self.chain.known_sequence()).await?;
        if let Some(state) = &accepted.chain {
            let created = entries.iter().filter_map(|entry| created_ms(entry.id)).max();
            self.chain.observe(state, &Inspection::default(), created);
        }
        Ok(accepted)
    }

    /// What became of the entries, and what stood in the way of the rest. A batch that is refused is divided until
    /// the entries are found that it was refused for.
    async fn deliver(&self, entries: &[SpoolEntry]) -> (DeliveryReport, Option<SinkError>) {
        let (mut all, mut failures) = (DeliveryReport::default(), 0);
        let mut parts = vec![entries];
        while let Some(part) = parts.pop() {
            match self.append(part).await {
                Ok(accepted) => {
                    failures = 0;
                    let (deferred, accepted): (Vec<_>, Vec<_>) =
                        part.iter().map(|entry| entry.id).partition(|id| accepted.pending.contains(id));
                    all.delivered.extend(accepted);
                    all.deferred.extend(deferred);
                }
                Err(SinkError::Rejected(_) | SinkError::Failed) if part.len() > 1 => {
                    let (older, newer) = part.split_at(part.len() / 2);
                    parts.extend([newer, older]);
                }
                Err(SinkError::Rejected(what)) => {
                    for SpoolEntry { id, .. } in part {
                        tracing::error!(entry = %id, %what, "an audit entry was refused and is set aside");
                        all.dead_lettered.push((*id, what.clone()));
                    }
                }
                Err(SinkError::Failed) => {
                    failures += 1;
                    all.deferred.extend(part.iter().map(|entry| entry.id));
                    if failures >= MAX_SINGLE_FAILURES {
                        return (all, Some(SinkError::Failed));
                    }
                }
                Err(error) => return (all, Some(error)),
            }
        }
        (all, None)
    }
}

/// When an entry was made, as its id says.
fn created_ms(id: Uuid) -> Option<u64> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    Some(seconds * 1000 + u64::from(nanos / 1_000_000))
}

/// Leaves out what would make a batch too large; at least one stays.
fn limit_bytes(entries: &mut Vec<SpoolEntry>) {
    let mut bytes = 0;
    let fitting = entries.iter().take_while(|entry| {
        bytes += entry.body.len();
        bytes <= MAX_BATCH_BYTES
    });
    let fitting = fitting.count().max(1);
    entries.truncate(fitting);
}
