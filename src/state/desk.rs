//! Where requests leave word for whoever writes, and wait for it where they must.
//!
//! Who has the pen takes whatever lies on the desk, writes it in one transaction and announces how far it came:
//! many requests share a transaction, and none waits for a timer.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::{Handled, Kept, Stage};
use crate::vocab::ConnectionId;

/// How long counts that nobody waits for may lie.
const REST: Duration = Duration::from_millis(100);

/// How long the writer waits before it tries again what it could not write.
const BREATH: Duration = Duration::from_secs(1);

/// How long nothing must have come for it to count as quiet.
const QUIET: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Desk {
    inner: Mutex<Inner>,
    bell: Condvar,
    written: watch::Receiver<Written>,
}

/// What lies there to be written.
#[derive(Debug, Default)]
pub(super) struct Pile {
    pub(super) owners: HashSet<ConnectionId>,
    pub(super) jobs: Vec<Job>,
}

#[derive(Debug, Default)]
struct Inner {
    pile: Pile,
    questions: Vec<Question>,
    /// The number of the last note.
    last: u64,
    /// Somebody waits for a count.
    urgent: bool,
    /// The thread is to come at once.
    rung: bool,
    /// The thread sleeps until it is woken.
    asleep: bool,
    closed: bool,
}

/// When the thread is to look after the file, should nothing come meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    None,
    WhenQuiet,
    /// There is no reserve: room is looked for every second.
    Soon,
}

/// What the thread takes at a time.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) pile: Pile,
    pub(super) questions: Vec<Question>,
    pub(super) last: u64,
    pub(super) closed: bool,
}

/// How far the writer came.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Written {
    /// The number of the last note that was dealt with.
    pub(super) number: u64,
    /// It could not be written, and what came before it perhaps neither.
    pub(super) failed: bool,
}

/// What is to be done with the spool.
#[derive(Debug)]
pub(super) enum Job {
    Keep(Kept, Stage),
    Withdraw(Uuid),
    Settle(Handled),
    Recall,
    /// A text and its name.
    Note(&'static str, String),
}

/// A question for what is kept.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) most: usize,
    pub(super) answer: oneshot::Sender<Vec<Kept>>,
}

/// Tells when what was left with the writer is kept, so that an answer need not leave before.
#[derive(Debug)]
pub struct Receipt(Promise);

#[derive(Debug)]
enum Promise {
    /// Nobody has to wait.
    Settled,
    /// There is no writer any more.
    Lost,
    Awaited(u64, watch::Receiver<Written>, Arc<Desk>),
}

impl Receipt {
    /// The receipt of a request for whose count nobody has to wait.
    pub fn settled() -> Self {
        Self(Promise::Settled)
    }

    /// The receipt of what nobody will write.
    #[cfg(test)]
    pub fn lost() -> Self {
        Self(Promise::Lost)
    }

    /// Comes back when a kill of the process would not lose it any more; false where it could not be written.
    pub async fn kept(self) -> bool {
        self.hurry();
        match self.0 {
            Promise::Settled => true,
            Promise::Lost => false,
            Promise::Awaited(number, mut written, _) => {
                // An error says that there is no writer any more. What failed is tried again with all that comes
                // after it, so a later success counts for this one too.
                written.wait_for(|done| done.number >= number).await.is_ok_and(|done| !done.failed)
            }
        }
    }
}

impl Receipt {
    /// Calls for somebody to write it now, where nobody is expected to do so anyway.
    pub fn hurry(&self) {
        if let Promise::Awaited(number, written, desk) = &self.0
            && written.borrow().number < *number
        {
            desk.ring();
        }
    }
}

// === impl Job ===

impl Job {
    /// How many bytes it writes, roughly.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Keep(entry, _) => entry.body.len(),
            Self::Note(_, text) => text.len(),
            Self::Withdraw(_) | Self::Settle(_) | Self::Recall => 0,
        }
    }

    /// How many rows it changes.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Keep(..) | Self::Withdraw(_) | Self::Recall | Self::Note(..) => 1,
            Self::Settle(Handled { taken, put_off, set_aside }) => {
                taken.len() + put_off.len() + set_aside.len()
            }
        }
    }
}

// === impl Inner ===

impl Inner {
    fn is_empty(&self) -> bool {
        self.pile.owners.is_empty() && self.pile.jobs.is_empty() && self.questions.is_empty()
    }
}

// === impl Desk ===

impl Desk {
    /// A desk, and what is announced with.
    pub(super) fn new() -> (Self, watch::Sender<Written>) {
        let (sender, written) = watch::channel(Written::default());
        (Self { inner: Mutex::default(), bell: Condvar::new(), written }, sender)
    }

    /// Notes that a count changed; to be called after the change. Where it is urgent, the receipt tells when it is
    /// kept; it is written with the next entry, or soon, or when somebody waits for it.
    pub(super) fn note(self: &Arc<Self>, owner: ConnectionId, urgent: bool) -> Receipt {
        let mut inner = self.inner();
        if inner.closed {
            return Receipt::settled();
        }
        inner.pile.owners.insert(owner);
        inner.last += 1;
        inner.urgent |= urgent;
        let number = inner.last;
        let wake = std::mem::take(&mut inner.asleep);
        drop(inner);
        if wake {
            self.bell.notify_one();
        }
        if urgent { self.receipt(number) } else { Receipt::settled() }
    }

    /// Puts work on the spool down; somebody has to see to it that it is written.
    pub(super) fn put(self: &Arc<Self>, job: Job) -> Receipt {
        let mut inner = self.inner();
        if inner.closed {
            return Receipt(Promise::Lost);
        }
        inner.pile.jobs.push(job);
        inner.last += 1;
        let number = inner.last;
        drop(inner);
        self.receipt(number)
    }

    /// Asks what the spool holds; an answer that never comes says that nobody writes any more.
    pub(super) fn question(&self, most: usize) -> oneshot::Receiver<Vec<Kept>> {
        let (answer, answered) = oneshot::channel();
        let mut inner = self.inner();
        if !inner.closed {
            inner.questions.push(Question { most, answer });
        }
        drop(inner);
        self.ring();
        answered
    }

    /// Calls the thread.
    pub(super) fn ring(&self) {
        self.inner().rung = true;
        self.bell.notify_one();
    }

    /// What is to be written at once, and the number of the last note in it.
    pub(super) fn take(&self) -> (Pile, u64) {
        let mut inner = self.inner();
        let jobs = std::mem::take(&mut inner.pile.jobs);
        // Counts that nobody waits for stay for the thread, which writes many of them at a time.
        let urgent = std::mem::take(&mut inner.urgent);
        let owners = if urgent { std::mem::take(&mut inner.pile.owners) } else { HashSet::new() };
        (Pile { owners, jobs }, inner.last)
    }

    /// For the thread: waits until there is something to do; `again`: or to do again; `care`: or until it
    /// was quiet for a while.
    pub(super) fn wait(&self, again: bool, care: Care) {
        let mut inner = self.inner();
        if again {
            // A disk that is full will not have room a moment later.
            let open = |inner: &mut Inner| !inner.closed;
            let _ = self.bell.wait_timeout_while(inner, BREATH, open);
            return;
        }
        let idle = |inner: &mut Inner| inner.is_empty() && !inner.rung && !inner.closed;
        let most = match care {
            Care::None => Duration::MAX,
            Care::WhenQuiet => QUIET,
            Care::Soon => BREATH,
        };
        inner.asleep = true;
        let (mut inner, _) =
            self.bell.wait_timeout_while(inner, most, idle).unwrap_or_else(PoisonError::into_inner);
        inner.asleep = false;
        if idle(&mut inner) {
            return;
        }
        let _ = self.bell.wait_timeout_while(inner, REST, |inner| !inner.rung && !inner.closed);
    }

    /// For the thread: all there is to do.
    pub(super) fn take_all(&self) -> Work {
        let mut inner = self.inner();
        inner.rung = false;
        inner.urgent = false;
        Work {
            pile: std::mem::take(&mut inner.pile),
            questions: std::mem::take(&mut inner.questions),
            last: inner.last,
            closed: inner.closed,
        }
    }

    pub(super) fn close(&self) {
        self.inner().closed = true;
        self.bell.notify_one();
    }

    fn receipt(self: &Arc<Self>, number: u64) -> Receipt {
        Receipt(Promise::Awaited(number, self.written.clone(), Arc::clone(self)))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
