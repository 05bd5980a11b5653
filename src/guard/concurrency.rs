//! Things of which a connection may hold only so many at a time: requests in flight, streams, sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;

use crate::vocab::ConnectionId;

/// Whose bound was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConcurrencyExceeded {
    Connection,
    Server,
}

/// A bound for each connection and one for all together.
#[derive(Debug)]
pub struct ConcurrencyLimit {
    per_connection: usize,
    total: usize,
    by_connection: DashMap<ConnectionId, usize>,
    in_use: AtomicUsize,
}

/// One taken slot; dropping it gives it back.
#[derive(Debug)]
pub struct ConcurrencyPermit {
    limit: Arc<ConcurrencyLimit>,
    owner: ConnectionId,
}

// === impl Slots ===

impl ConcurrencyLimit {
    pub fn new(per_connection: usize, in_all: usize) -> Arc<Self> {
        Arc::new(Self {
            per_connection,
            total: in_all,
            by_connection: DashMap::new(),
            in_use: AtomicUsize::new(0),
        })
    }

    /// Takes a slot for `owner`, or says whose bound stands in the way.
    pub fn try_acquire(
        self: &Arc<Self>,
        owner: ConnectionId,
    ) -> Result<ConcurrencyPermit, ConcurrencyExceeded> {
        let room = |taken: usize| (taken < self.total).then_some(taken + 1);
        if self.in_use.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_err() {
            return Err(ConcurrencyExceeded::Server);
        }
        let mut held = self.by_connection.entry(owner).or_insert(0);
        if *held >= self.per_connection {
            self.in_use.fetch_sub(1, Ordering::AcqRel);
            return Err(ConcurrencyExceeded::Connection);
        }
        *held += 1;
        Ok(ConcurrencyPermit { limit: Arc::clone(self), owner })
    }
}

// === impl Slot ===

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        if let Some(mut held) = self.limit.by_connection.get_mut(&self.owner) {
            *held = held.saturating_sub(1);
        }
        // Checked again under the lock of the entry: another request may have come meanwhile.
        self.limit.by_connection.remove_if(&self.owner, |_, held| *held == 0);
        self.limit.in_use.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ConnectionId = ConnectionId(1);
    const TWO: ConnectionId = ConnectionId(2);

    #[test]
    fn a_connection_gets_its_share_and_no_more() {
        let slots = ConcurrencyLimit::new(2, 3);
        let first = slots.try_acquire(ONE).unwrap();
        let _second = slots.try_acquire(ONE).unwrap();
        assert_eq!(slots.try_acquire(ONE).unwrap_err(), ConcurrencyExceeded::Connection);
        let _other = slots.try_acquire(TWO).unwrap();
        assert_eq!(slots.try_acquire(TWO).unwrap_err(), ConcurrencyExceeded::Server);
        drop(first);
        assert!(slots.try_acquire(ONE).is_ok());
    }

    #[test]
    fn released_permits_leave_no_entry() {
        let slots = ConcurrencyLimit::new(2, 3);
        drop((slots.try_acquire(ONE).unwrap(), slots.try_acquire(ONE).unwrap()));
        assert_eq!(slots.in_use.load(Ordering::Acquire), 0);
        assert!(slots.by_connection.is_empty());
    }
}
