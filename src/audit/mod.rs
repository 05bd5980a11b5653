//! The audit trail: every request is accounted for exactly once, over any kill of the process.
//!
//! ```text
//! web opens an Entry -> tools turn it into a Row (a call that Odoo gets to see) -> spool -> sender -> Odoo
//!                    -> else it ends as a verdict, which is summed              -> spool ->
//! ```
//!
//! A row is kept as "opened" before the call is sent and as "closed" before the answer leaves; what was opened
//! and never closed is told of after the next start. Everything else is counted: one sum for each kind of
//! request and stretch of time, kept at most a tenth of a second late. No type here has a place for a
//! credential; payloads are masked before they are cut, and left out unless the administrator wants them.
//!
//! What Odoo has stored is guarded from there on: see `chain`.
//!
//! Owns the seams that it needs: `state::Spool` keeps, `AuditSink` takes. Knows no HTTP and no XML-RPC.

mod aggregate;
mod call_entry;
mod chain;
mod chain_monitor;
mod document;
mod redact;
mod request_entry;
mod secret_patterns;
mod sender;
mod truncate;

pub use call_entry::{CallEntry, CallInfo, CallOutcome};
pub use chain::{ChainLink, ChainState, Incident, IncidentKind, Inspection};
pub use chain_monitor::{Acknowledgement, ChainMonitor, CheckAnswer, CheckRequest};
pub use document::{EntryDocument, Status};
pub use redact::without_secrets;
pub use request_entry::{RequestEntry, RequestInfo, RequestOutcome, SessionInfo};
pub use secret_patterns::names_a_secret;
pub use sender::{Accepted, AuditSink, SinkError, SpoolSender};

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::state::{CommitTicket, Spool, Stage, StorageFault};
use crate::vocab::Clock;
use aggregate::Aggregator;

/// How long counts may lie before they are kept.
const AGGREGATE_FLUSH_INTERVAL: Duration = Duration::from_millis(100);

/// How many requests of one kind are summed: callers that are known, and strangers.
const AGGREGATE_WINDOW_MS: u64 = 10_000;
const ANONYMOUS_WINDOW_MS: u64 = 60_000;

/// How many kinds are told apart at a time; a flood of more counts without its details.
const MAX_AGGREGATES: usize = 8192;
const MAX_ANONYMOUS_AGGREGATES: usize = 1024;

/// Whether the administrator wants payloads in the log, asked at each call.
pub type PayloadPolicy = Box<dyn Fn() -> bool + Send + Sync>;

/// The audit trail of one sidecar.
pub struct AuditTrail {
    spool: Arc<dyn Spool>,
    clock: Clock,
    max_spool_bytes: u64,
    payload_policy: PayloadPolicy,
    identified: Aggregator,
    anonymous: Aggregator,
    /// Rung where something is to be summed up.
    aggregated: Notify,
    /// Rung where something can be sent.
    deliverable: Notify,
}

impl std::fmt::Debug for AuditTrail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").field("spool", &self.spool).finish_non_exhaustive()
    }
}

impl AuditTrail {
    /// An audit trail that refuses calls when `spool` has grown to `max_spool_bytes`.
    pub fn new(
        spool: Arc<dyn Spool>,
        max_spool_bytes: u64,
        clock: Clock,
        payload_policy: PayloadPolicy,
    ) -> Arc<Self> {
        Arc::new(Self {
            spool,
            clock,
            max_spool_bytes,
            payload_policy,
            identified: Aggregator::new(AGGREGATE_WINDOW_MS, MAX_AGGREGATES),
            anonymous: Aggregator::new(ANONYMOUS_WINDOW_MS, MAX_ANONYMOUS_AGGREGATES),
            aggregated: Notify::new(),
            deliverable: Notify::new(),
        })
    }

    /// Opens the entry of a request that came at `begun`.
    pub fn open(self: &Arc<Self>, request_id: Uuid, peer: IpAddr, begun: Instant) -> Arc<RequestEntry> {
        Arc::new(RequestEntry::new(Arc::clone(self), request_id, peer, begun))
    }

    /// Whether another call can be accounted for. Where it cannot, it must not be made.
    pub fn can_record(&self) -> bool {
        self.unavailable_reason().is_none()
    }

    /// Why no other call can be accounted for, as a word for machines.
    pub fn unavailable_reason(&self) -> Option<&'static str> {
        match self.spool.fault() {
            Some(StorageFault::NotOpen) => Some("closed"),
            Some(StorageFault::Unwritable) => Some("unwritable"),
            Some(StorageFault::NoSpace) => Some("no_room"),
            None => (self.spool.bytes_used() >= self.max_spool_bytes).then_some("spool_full"),
        }
    }

    /// Keeps running sums, until `cancel`.
    pub async fn run_aggregation(self: Arc<Self>, cancel: CancellationToken) {
        let step = || async {
            if self.identified.is_empty() && self.anonymous.is_empty() {
                self.aggregated.notified().await;
            }
            tokio::time::sleep(AGGREGATE_FLUSH_INTERVAL).await;
            self.flush_aggregates(false);
        };
        while cancel.run_until_cancelled(step()).await.is_some() {}
    }

    /// Keeps all sums as they are, for the end of the process.
    pub fn close(&self) {
        self.flush_aggregates(true);
    }

    fn flush_aggregates(&self, all: bool) {
        let now_ms = self.clock.unix_ms();
        // What cannot be written grows here, in as few sums as there are kinds, rather than in the queue.
        let paused =
            !all && matches!(self.spool.fault(), Some(StorageFault::NotOpen | StorageFault::Unwritable));
        for aggregator in [&self.identified, &self.anonymous] {
            aggregator.pause_rollover(paused);
        }
        if paused {
            return;
        }
        for aggregator in [&self.identified, &self.anonymous] {
            let drained = aggregator.drain(now_ms, all);
            let ended = drained.iter().any(|(_, ended)| *ended);
            let stage = |ended| if ended { Stage::Ready } else { Stage::Open };
            let entries = drained
                .into_iter()
                .map(|(document, ended)| (document.to_spool_entry(), stage(ended)))
                .collect();
            self.spool.put_in_background(entries);
            if ended {
                self.deliverable.notify_one();
            }
        }
    }

    fn put(&self, document: &EntryDocument, stage: Stage) -> CommitTicket {
        let ticket = self.spool.put(document.to_spool_entry(), stage);
        if stage == Stage::Ready {
            self.deliverable.notify_one();
        }
        ticket
    }
}

#[cfg(test)]
mod tests;
