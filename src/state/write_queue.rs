//! Where requests leave word for whoever writes, and wait for it where they must.
//!
//! Who has the pen takes whatever lies on the desk, writes it in one transaction and announces how far it came:
//! many requests share a transaction, and none waits for a timer.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::{DeliveryReport, SpoolEntry, Stage};
use crate::vocab::{ConnectionId, MutexExt};

/// How long counts that nobody waits for may lie.
const COUNT_FLUSH_INTERVAL: Duration = Duration::from_millis(100);

/// How long the writer waits before it tries again what it could not write.
const WRITE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// How long nothing must have come for it to count as quiet.
const IDLE_AFTER: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct WriteQueue {
    state: Mutex<QueueState>,
    wakeup: Condvar,
    progress: watch::Receiver<CommitProgress>,
}

/// What lies there to be written.
#[derive(Debug, Default)]
pub(super) struct WriteBatch {
    pub(super) dirty_counters: HashSet<ConnectionId>,
    pub(super) ops: Vec<WriteOp>,
}

#[derive(Debug, Default)]
struct QueueState {
    batch: WriteBatch,
    queries: Vec<OldestQuery>,
    /// The number of the last note.
    last_sequence: u64,
    /// Somebody waits for a count.
    urgent: bool,
    /// The thread is to come at once.
    wake_requested: bool,
    /// The thread sleeps until it is woken.
    writer_sleeps: bool,
    closed: bool,
}

/// When the thread is to look after the file, should nothing come meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maintenance {
    NotDue,
    WhenIdle,
    /// There is no reserve: room is looked for every second.
    RecoverSpace,
}

/// What the thread takes at a time.
#[derive(Debug)]
pub(super) struct Drained {
    pub(super) batch: WriteBatch,
    pub(super) queries: Vec<OldestQuery>,
    pub(super) last_sequence: u64,
    pub(super) closed: bool,
}

/// How far the writer came.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CommitProgress {
    /// The number of the last note that was dealt with.
    pub(super) sequence: u64,
    /// It could not be written, and what came before it perhaps neither.
    pub(super) failed: bool,
}

/// What is to be done with the spool.
#[derive(Debug)]
pub(super) enum WriteOp {
    Put(SpoolEntry, Stage),
    Remove(Uuid),
    Acknowledge(DeliveryReport),
    RequeueDeferred,
    /// A text and its name.
    SetValue(&'static str, String),
}

/// A question for what is kept.
#[derive(Debug)]
pub(super) struct OldestQuery {
    pub(super) limit: usize,
    pub(super) reply: oneshot::Sender<Vec<SpoolEntry>>,
}

/// Tells when what was left with the writer is kept, so that an answer need not leave before.
#[derive(Debug)]
pub struct CommitTicket(TicketState);

#[derive(Debug)]
enum TicketState {
    /// Nobody has to wait.
    NotRequired,
    /// There is no writer any more.
    WriterGone,
    Pending(u64, watch::Receiver<CommitProgress>, Arc<WriteQueue>),
}

impl CommitTicket {
    /// The receipt of a request for whose count nobody has to wait.
    pub fn not_required() -> Self {
        Self(TicketState::NotRequired)
    }

    /// The receipt of what nobody will write.
    #[cfg(test)]
    pub fn writer_gone() -> Self {
        Self(TicketState::WriterGone)
    }

    /// Comes back when a kill of the process would not lose it any more; false where it could not be written.
    pub async fn committed(self) -> bool {
        self.expedite();
        match self.0 {
            TicketState::NotRequired => true,
            TicketState::WriterGone => false,
            TicketState::Pending(sequence, mut progress, _) => {
                // An error says that there is no writer any more. What failed is tried again with all that comes
                // after it, so a later success counts for this one too.
                progress.wait_for(|done| done.sequence >= sequence).await.is_ok_and(|done| !done.failed)
            }
        }
    }

    /// Calls for somebody to write it now, where nobody is expected to do so anyway.
    pub fn expedite(&self) {
        if let TicketState::Pending(sequence, progress, queue) = &self.0
            && progress.borrow().sequence < *sequence
        {
            queue.wake_writer();
        }
    }
}

// === impl Job ===

impl WriteOp {
    /// How many bytes it writes, roughly.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Put(entry, _) => entry.body.len(),
            Self::SetValue(_, text) => text.len(),
            Self::Remove(_) | Self::Acknowledge(_) | Self::RequeueDeferred => 0,
        }
    }

    /// How many rows it changes.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Put(..) | Self::Remove(_) | Self::RequeueDeferred | Self::SetValue(..) => 1,
            Self::Acknowledge(DeliveryReport {
                delivered: taken,
                deferred: put_off,
                dead_lettered: set_aside,
            }) => taken.len() + put_off.len() + set_aside.len(),
        }
    }
}

// === impl Inner ===

impl QueueState {
    fn is_empty(&self) -> bool {
        self.batch.dirty_counters.is_empty() && self.batch.ops.is_empty() && self.queries.is_empty()
    }
}

// === impl Desk ===

impl WriteQueue {
    /// A desk, and what is announced with.
    pub(super) fn new() -> (Self, watch::Sender<CommitProgress>) {
        let (sender, progress) = watch::channel(CommitProgress::default());
        (Self { state: Mutex::default(), wakeup: Condvar::new(), progress }, sender)
    }

    /// Notes that a count changed; to be called after the change. Where it is urgent, the receipt tells when it is
    /// kept; it is written with the next entry, or soon, or when somebody waits for it.
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

    /// Puts work on the spool down; somebody has to see to it that it is written.
    pub(super) fn enqueue(self: &Arc<Self>, job: WriteOp) -> CommitTicket {
        let mut state = self.lock();
        if state.closed {
            return CommitTicket(TicketState::WriterGone);
        }
        state.batch.ops.push(job);
        state.last_sequence += 1;
        let sequence = state.last_sequence;
        drop(state);
        self.ticket(sequence)
    }

    /// Asks what the spool holds; an answer that never comes says that nobody writes any more.
    pub(super) fn query_oldest(&self, limit: usize) -> oneshot::Receiver<Vec<SpoolEntry>> {
        let (answer, receiver) = oneshot::channel();
        let mut state = self.lock();
        if !state.closed {
            state.queries.push(OldestQuery { limit, reply: answer });
        }
        drop(state);
        self.wake_writer();
        receiver
    }

    /// Calls the thread.
    pub(super) fn wake_writer(&self) {
        self.lock().wake_requested = true;
        self.wakeup.notify_one();
    }

    /// What is to be written at once, and the number of the last note in it.
    pub(super) fn drain_urgent(&self) -> (WriteBatch, u64) {
        let mut state = self.lock();
        let jobs = std::mem::take(&mut state.batch.ops);
        // Counts that nobody waits for stay for the thread, which writes many of them at a time.
        let urgent = std::mem::take(&mut state.urgent);
        let owners = if urgent { std::mem::take(&mut state.batch.dirty_counters) } else { HashSet::new() };
        (WriteBatch { dirty_counters: owners, ops: jobs }, state.last_sequence)
    }

    /// For the thread: waits until there is something to do; `again`: or to do again; `care`: or until it
    /// was quiet for a while.
    pub(super) fn wait_for_work(&self, retry: bool, maintenance: Maintenance) {
        let mut state = self.lock();
        if retry {
            // A disk that is full will not have room a moment later.
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

    /// For the thread: all there is to do.
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
