//! The audit trail: accounts for every request exactly once, across any crash of the process.
//!
//! ```text
//! web opens a RequestEntry -> a call that reaches Odoo becomes a CallEntry -> spool -> sender -> Odoo
//!                          -> any other request is aggregated by its kind  -> spool ->
//! ```
//!
//! A call entry is committed as open before the call is sent, and as ready before the answer leaves; one that
//! a crash left open is delivered after the restart. All other requests are aggregated: one entry with a
//! count for each kind of request and time window, flushed within a tenth of a second. No type here has a
//! member for a credential; payloads are redacted before they are truncated, and left out unless the
//! administrator has enabled them.
//!
//! Entries stored in Odoo are covered by tamper detection: see `chain`.
//!
//! Owns the seams that it needs: `state::Spool` queues entries, `AuditSink` receives them. Knows no HTTP and
//! no XML-RPC.

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

/// How often aggregates are flushed to the spool.
const AGGREGATE_FLUSH_INTERVAL: Duration = Duration::from_millis(100);

/// The aggregation windows: of identified callers, and of anonymous requests.
const AGGREGATE_WINDOW_MS: u64 = 10_000;
const ANONYMOUS_WINDOW_MS: u64 = 60_000;

/// The most aggregates at a time; beyond that, requests are counted without their details.
const MAX_AGGREGATES: usize = 8192;
const MAX_ANONYMOUS_AGGREGATES: usize = 1024;

/// Whether payloads are logged, evaluated for each call.
pub type PayloadPolicy = Box<dyn Fn() -> bool + Send + Sync>;

/// The audit trail of one sidecar.
pub struct AuditTrail {
    spool: Arc<dyn Spool>,
    clock: Clock,
    max_spool_bytes: u64,
    payload_policy: PayloadPolicy,
    identified: Aggregator,
    anonymous: Aggregator,
    /// Notified when the first aggregate begins.
    aggregated: Notify,
    /// Notified when an entry is ready for delivery.
    deliverable: Notify,
}

impl std::fmt::Debug for AuditTrail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditTrail").field("spool", &self.spool).finish_non_exhaustive()
    }
}

impl AuditTrail {
    /// An audit trail that refuses calls once `spool` has reached `max_spool_bytes`.
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

    /// Opens the entry of a request that arrived at `started`.
    pub fn open(self: &Arc<Self>, request_id: Uuid, peer: IpAddr, started: Instant) -> Arc<RequestEntry> {
        Arc::new(RequestEntry::new(Arc::clone(self), request_id, peer, started))
    }

    /// Whether another call can be recorded. If not, it must not be made.
    pub fn can_record(&self) -> bool {
        self.unavailable_reason().is_none()
    }

    /// Why no other call can be recorded, as a machine-readable reason.
    pub fn unavailable_reason(&self) -> Option<&'static str> {
        match self.spool.fault() {
            Some(StorageFault::NotOpen) => Some("closed"),
            Some(StorageFault::Unwritable) => Some("unwritable"),
            Some(StorageFault::NoSpace) => Some("no_room"),
            None => (self.spool.bytes_used() >= self.max_spool_bytes).then_some("spool_full"),
        }
    }

    /// Flushes running aggregates until `cancel`.
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

    /// Flushes all aggregates, at shutdown.
    pub fn close(&self) {
        self.flush_aggregates(true);
    }

    fn flush_aggregates(&self, all: bool) {
        let now_ms = self.clock.unix_ms();
        // While the file cannot be written, counts grow here, one aggregate for each kind, rather than in the
        // queue.
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
            let ready = drained.iter().any(|(_, ended)| *ended);
            let stage = |ended| if ended { Stage::Ready } else { Stage::Open };
            let entries = drained
                .into_iter()
                .map(|(document, ended)| (document.to_spool_entry(), stage(ended)))
                .collect();
            self.spool.put_in_background(entries);
            if ready {
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
