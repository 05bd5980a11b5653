//! Where requests leave word for the one writer, and wait for it where they must.
//!
//! The writer takes whatever lies on the desk, writes it in one transaction and announces how far it came:
//! many requests share a transaction, and none waits for a timer.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::vocab::ConnectionId;

/// How long counts that nobody waits for may lie.
const REST: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Desk {
    pile: Mutex<Pile>,
    bell: Condvar,
    written: watch::Receiver<u64>,
}

#[derive(Debug, Default)]
struct Pile {
    owners: HashSet<ConnectionId>,
    /// The number of the last note.
    last: u64,
    /// Somebody waits.
    urgent: bool,
    closed: bool,
}

/// What the writer takes at a time.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) owners: HashSet<ConnectionId>,
    pub(super) last: u64,
    pub(super) closed: bool,
}

/// Tells when a counted request is kept, so that its answer need not leave before.
#[derive(Debug)]
pub struct Receipt(Option<(u64, watch::Receiver<u64>)>);

impl Receipt {
    /// The receipt of a request for whose count nobody has to wait.
    pub fn settled() -> Self {
        Self(None)
    }

    /// Comes back when a kill of the process would not lose the count any more.
    pub async fn kept(self) {
        if let Some((number, mut written)) = self.0 {
            // An error says that there is no writer any more, and so nothing to wait for.
            let _ = written.wait_for(|done| *done >= number).await;
        }
    }
}

impl Desk {
    /// A desk, and what its writer announces with.
    pub(super) fn new() -> (Self, watch::Sender<u64>) {
        let (sender, written) = watch::channel(0);
        (Self { pile: Mutex::default(), bell: Condvar::new(), written }, sender)
    }

    /// Notes that a count changed; to be called after the change.
    pub(super) fn note(&self, owner: ConnectionId, urgent: bool) -> Receipt {
        let mut pile = self.pile();
        if pile.closed {
            return Receipt::settled();
        }
        let ring = pile.owners.is_empty() || (urgent && !pile.urgent);
        pile.owners.insert(owner);
        pile.last += 1;
        pile.urgent |= urgent;
        let number = pile.last;
        drop(pile);
        if ring {
            self.bell.notify_one();
        }
        Receipt(urgent.then(|| (number, self.written.clone())))
    }

    /// For the writer: waits until there is something to do.
    pub(super) fn next(&self) -> Work {
        let mut pile = self.pile();
        while pile.owners.is_empty() && !pile.closed {
            pile = self.bell.wait(pile).unwrap_or_else(PoisonError::into_inner);
        }
        let resting = |pile: &mut Pile| !pile.urgent && !pile.closed;
        let (mut pile, _) =
            self.bell.wait_timeout_while(pile, REST, resting).unwrap_or_else(PoisonError::into_inner);
        pile.urgent = false;
        Work { owners: std::mem::take(&mut pile.owners), last: pile.last, closed: pile.closed }
    }

    pub(super) fn close(&self) {
        self.pile().closed = true;
        self.bell.notify_one();
    }

    fn pile(&self) -> MutexGuard<'_, Pile> {
        self.pile.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
