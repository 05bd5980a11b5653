//! The write queue of the group commit: requests queue their changes and wait for the commit where they must.
//!
//! The thread that holds the writer drains the queue, commits the batch in one transaction and publishes the
//! sequence number it has reached: many requests share a transaction, and none waits for a timer.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::{DeliveryReport, SpoolEntry, Stage};
use crate::vocab::{ConnectionId, MutexExt};

/// The longest that counts without a waiter stay in memory.
const COUNT_FLUSH_INTERVAL: Duration = Duration::from_millis(100);

/// The pause before a failed write is retried.
const WRITE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// The time without a change after which the queue counts as idle.
const IDLE_AFTER: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct WriteQueue {
    state: Mutex<QueueState>,
    wakeup: Condvar,
    progress: watch::Receiver<CommitProgress>,
}

/// The changes of the next transaction.
#[derive(Debug, Default)]
pub(super) struct WriteBatch {
    pub(super) dirty_counters: HashSet<ConnectionId>,
    pub(super) ops: Vec<WriteOp>,
}

#[derive(Debug, Default)]
struct QueueState {
    batch: WriteBatch,
    queries: Vec<OldestQuery>,
    /// The sequence number of the last change.
    last_sequence: u64,
    /// A request waits for a count.
    urgent: bool,
    /// The writer thread is to run at once.
    wake_requested: bool,
    /// The writer thread sleeps until it is woken.
    writer_sleeps: bool,
    closed: bool,
}

/// When the writer thread is to checkpoint and vacuum the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maintenance {
    NotDue,
    WhenIdle,
    /// There is no disk reserve: retried every second.
    RecoverSpace,
}

/// What the writer thread drains at a time.
#[derive(Debug)]
pub(super) struct Drained {
    pub(super) batch: WriteBatch,
    pub(super) queries: Vec<OldestQuery>,
    pub(super) last_sequence: u64,
    pub(super) closed: bool,
}

/// The commit position that waiters watch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CommitProgress {
    /// The sequence number of the last change that was attempted.
    pub(super) sequence: u64,
    /// Its commit failed, and perhaps that of earlier changes.
    pub(super) failed: bool,
}

/// A change of the spool or of a value.
#[derive(Debug)]
pub(super) enum WriteOp {
    Put(SpoolEntry, Stage),
    Remove(Uuid),
    Acknowledge(DeliveryReport),
    RequeueDeferred,
    /// A key and its value.
    SetValue(&'static str, String),
}

/// A read of the oldest entries, answered by the writer thread.
#[derive(Debug)]
pub(super) struct OldestQuery {
    pub(super) limit: usize,
    pub(super) reply: oneshot::Sender<Vec<SpoolEntry>>,
}

/// Resolves when a queued change is committed, so that an answer need not leave before.
#[derive(Debug)]
pub struct CommitTicket(TicketState);

#[derive(Debug)]
enum TicketState {
    /// No wait is needed.
    NotRequired,
    /// The queue is closed.
    WriterGone,
    Pending(u64, watch::Receiver<CommitProgress>, Arc<WriteQueue>),
}

impl CommitTicket {
    /// A ticket that is committed at once, for a count that no answer waits for.
    pub fn not_required() -> Self {
        Self(TicketState::NotRequired)
    }

    /// A ticket that never commits.
    #[cfg(test)]
    pub fn writer_gone() -> Self {
        Self(TicketState::WriterGone)
    }

    /// Waits until a kill of the process can no longer lose the change; false if the write failed.
    pub async fn committed(self) -> bool {
        self.expedite();
        match self.0 {
            TicketState::NotRequired => true,
            TicketState::WriterGone => false,
            TicketState::Pending(sequence, mut progress, _) => {
                // An error means that the writer is gone. A failed change is retried with all later ones, so
                // a later success counts for this one too.
                progress.wait_for(|done| done.sequence >= sequence).await.is_ok_and(|done| !done.failed)
            }
        }
    }

    /// Wakes the writer thread if the change is not committed yet.
    pub fn expedite(&self) {
        if let TicketState::Pending(sequence, progress, queue) = &self.0
            && progress.borrow().sequence < *sequence
        {
            queue.wake_writer();
        }
    }
}

// === impl WriteOp ===

impl WriteOp {
    /// The approximate number of bytes that it writes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Put(entry, _) => entry.body.len(),
            Self::SetValue(_, text) => text.len(),
            Self::Remove(_) | Self::Acknowledge(_) | Self::RequeueDeferred => 0,
        }
    }

    /// The number of rows that it changes.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Put(..) | Self::Remove(_) | Self::RequeueDeferred | Self::SetValue(..) => 1,
            Self::Acknowledge(DeliveryReport { delivered, deferred, dead_lettered }) => {
                delivered.len() + deferred.len() + dead_lettered.len()
            }
        }
    }
}

// === impl QueueState ===

impl QueueState {
    fn is_empty(&self) -> bool {
        self.batch.dirty_counters.is_empty() && self.batch.ops.is_empty() && self.queries.is_empty()
    }
}

// === impl WriteQueue ===

impl WriteQueue {
    /// An empty queue, and the sender of its commit position.
    pub(super) fn new() -> (Self, watch::Sender<CommitProgress>) {
        let (sender, progress) = watch::channel(CommitProgress::default());
        (Self { state: Mutex::default(), wakeup: Condvar::new(), progress }, sender)
    }

    /// Queues a changed counter; to be called after the change. An urgent one gets a ticket and is committed
    /// with the next entry, after the flush interval, or when its ticket is awaited.
    pub(super) fn enqueue_count(self: &Arc<Self>, owner: ConnectionId, urgent: bool) -> CommitTicket {
        let mut state = self.lock();
        if state.closed {
            return CommitTicket::not_required();
        }
        state.batch.dirty_counters.insert(owner);
        state.last_sequence += 1;
        state.urgent |= urgent;
        let sequence = state.last_sequence;
        let wake = std::mem::take(&mut state.writer_sleeps);
        drop(state);
        if wake {
            self.wakeup.notify_one();
        }
        if urgent { self.ticket(sequence) } else { CommitTicket::not_required() }
    }

    /// Queues a change of the spool; the caller commits it or wakes the writer thread.
    pub(super) fn enqueue(self: &Arc<Self>, op: WriteOp) -> CommitTicket {
        let mut state = self.lock();
        if state.closed {
            return CommitTicket(TicketState::WriterGone);
        }
        state.batch.ops.push(op);
        state.last_sequence += 1;
        let sequence = state.last_sequence;
        drop(state);
        self.ticket(sequence)
    }

    /// Queries the oldest entries of the spool; a dropped reply means that the queue is closed.
    pub(super) fn query_oldest(&self, limit: usize) -> oneshot::Receiver<Vec<SpoolEntry>> {
        let (reply, receiver) = oneshot::channel();
        let mut state = self.lock();
        if !state.closed {
            state.queries.push(OldestQuery { limit, reply });
        }
        drop(state);
        self.wake_writer();
        receiver
    }

    /// Wakes the writer thread.
    pub(super) fn wake_writer(&self) {
        self.lock().wake_requested = true;
        self.wakeup.notify_one();
    }

    /// Drains the changes that are waited for, with the sequence number of the last one.
    pub(super) fn drain_urgent(&self) -> (WriteBatch, u64) {
        let mut state = self.lock();
        let ops = std::mem::take(&mut state.batch.ops);
        // Counts without a waiter stay for the writer thread, which commits many of them at a time.
        let urgent = std::mem::take(&mut state.urgent);
        let dirty_counters =
            if urgent { std::mem::take(&mut state.batch.dirty_counters) } else { HashSet::new() };
        (WriteBatch { dirty_counters, ops }, state.last_sequence)
    }

    /// Blocks the writer thread until there is work; with `retry`, for the retry delay; with `maintenance`
    /// due, at most until it is due.
    pub(super) fn wait_for_work(&self, retry: bool, maintenance: Maintenance) {
        let mut state = self.lock();
        if retry {
            // A full disk is not retried with each change.
            let open = |state: &mut QueueState| !state.closed;
            let _ = self.wakeup.wait_timeout_while(state, WRITE_RETRY_DELAY, open);
            return;
        }
        let idle = |state: &mut QueueState| state.is_empty() && !state.wake_requested && !state.closed;
        let limit = match maintenance {
            Maintenance::NotDue => Duration::MAX,
            Maintenance::WhenIdle => IDLE_AFTER,
            Maintenance::RecoverSpace => WRITE_RETRY_DELAY,
        };
        state.writer_sleeps = true;
        let (mut state, _) =
            self.wakeup.wait_timeout_while(state, limit, idle).unwrap_or_else(PoisonError::into_inner);
        state.writer_sleeps = false;
        if idle(&mut state) {
            return;
        }
        let _ = self
            .wakeup
            .wait_timeout_while(state, COUNT_FLUSH_INTERVAL, |state| !state.wake_requested && !state.closed);
    }

    /// Drains everything, for the writer thread.
    pub(super) fn drain(&self) -> Drained {
        let mut state = self.lock();
        state.wake_requested = false;
        state.urgent = false;
        Drained {
            batch: std::mem::take(&mut state.batch),
            queries: std::mem::take(&mut state.queries),
            last_sequence: state.last_sequence,
            closed: state.closed,
        }
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wakeup.notify_one();
    }

    fn ticket(self: &Arc<Self>, sequence: u64) -> CommitTicket {
        CommitTicket(TicketState::Pending(sequence, self.progress.clone(), Arc::clone(self)))
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.locked()
    }
}
