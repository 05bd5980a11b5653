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
//! Owns the seams that it needs: `state::Spool` keeps, `Sink` takes. Knows no HTTP and no XML-RPC.

mod chain;
mod document;
mod entry;
mod fit;
mod mask;
mod row;
mod sender;
mod shapes;
mod sums;
mod watch;

pub use chain::{ChainState, Incident, IncidentKind, Inspection, Link};
pub use document::{Document, Status};
pub use entry::{Asked, Entry, Session, Verdict};
pub use mask::without_secrets;
pub use row::{Deed, Outcome, Row};
pub use sender::{Sink, Taken, Untaken};
pub use shapes::names_a_secret;
pub use watch::{Acknowledged, ChainWatch, CheckAnswer, CheckQuestion};

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::state::{Receipt, Spool, Stage, Trouble};
use crate::vocab::Clock;
use sums::Sums;

/// How long counts may lie before they are kept.
const REST: Duration = Duration::from_millis(100);

/// How many requests of one kind are summed: callers that are known, and strangers.
const WINDOW_MS: u64 = 10_000;
const WINDOW_OF_STRANGERS_MS: u64 = 60_000;

/// How many kinds are told apart at a time; a flood of more counts without its details.
const MOST_KINDS: usize = 8192;
const MOST_KINDS_OF_STRANGERS: usize = 1024;

/// Whether the administrator wants payloads in the log, asked at each call.
pub type Wish = Box<dyn Fn() -> bool + Send + Sync>;

/// The audit trail of one sidecar.
pub struct Audit {
    spool: Arc<dyn Spool>,
    clock: Clock,
    most_bytes: u64,
    payloads: Wish,
    callers: Sums,
    strangers: Sums,
    /// Rung where something is to be summed up.
    counted: Notify,
    /// Rung where something can be sent.
    ready: Notify,
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").field("spool", &self.spool).finish_non_exhaustive()
    }
}

impl Audit {
    /// An audit trail that refuses calls when `spool` has grown to `most_bytes`.
    pub fn new(spool: Arc<dyn Spool>, most_bytes: u64, clock: Clock, payloads: Wish) -> Arc<Self> {
        Arc::new(Self {
            spool,
            clock,
            most_bytes,
            payloads,
            callers: Sums::new(WINDOW_MS, MOST_KINDS),
            strangers: Sums::new(WINDOW_OF_STRANGERS_MS, MOST_KINDS_OF_STRANGERS),
            counted: Notify::new(),
            ready: Notify::new(),
        })
    }

    /// Opens the entry of a request that came at `begun`.
    pub fn open(self: &Arc<Self>, request_id: Uuid, peer: IpAddr, begun: Instant) -> Arc<Entry> {
        Arc::new(Entry::new(Arc::clone(self), request_id, peer, begun))
    }

    /// Whether another call can be accounted for. Where it cannot, it must not be made.
    pub fn has_room(&self) -> bool {
        self.trouble().is_none()
    }

    /// Why no other call can be accounted for, as a word for machines.
    pub fn trouble(&self) -> Option<&'static str> {
        match self.spool.trouble() {
            Some(Trouble::Closed) => Some("closed"),
            Some(Trouble::Unwritable) => Some("unwritable"),
            Some(Trouble::NoRoom) => Some("no_room"),
            None => (self.spool.used() >= self.most_bytes).then_some("spool_full"),
        }
    }

    /// Keeps running sums, until `cancel`.
    pub async fn sum_up(self: Arc<Self>, cancel: CancellationToken) {
        let step = || async {
            if self.callers.is_empty() && self.strangers.is_empty() {
                self.counted.notified().await;
            }
            tokio::time::sleep(REST).await;
            self.keep_sums(false);
        };
        while cancel.run_until_cancelled(step()).await.is_some() {}
    }

    /// Keeps all sums as they are, for the end of the process.
    pub fn close(&self) {
        self.keep_sums(true);
    }

    fn keep_sums(&self, all: bool) {
        let now_ms = self.clock.unix_ms();
        // What cannot be written grows here, in as few sums as there are kinds, rather than in the queue.
        let held = !all && matches!(self.spool.trouble(), Some(Trouble::Closed | Trouble::Unwritable));
        for sums in [&self.callers, &self.strangers] {
            sums.hold(held);
        }
        if held {
            return;
        }
        for sums in [&self.callers, &self.strangers] {
            let taken = sums.take(now_ms, all);
            let over = taken.iter().any(|(_, over)| *over);
            let stage = |over| if over { Stage::Ready } else { Stage::Open };
            let kept = taken.into_iter().map(|(document, over)| (document.to_kept(), stage(over))).collect();
            self.spool.keep_soon(kept);
            if over {
                self.ready.notify_one();
            }
        }
    }

    fn keep(&self, document: &Document, stage: Stage) -> Receipt {
        let receipt = self.spool.keep(document.to_kept(), stage);
        if stage == Stage::Ready {
            self.ready.notify_one();
        }
        receipt
    }
}

#[cfg(test)]
mod tests;
