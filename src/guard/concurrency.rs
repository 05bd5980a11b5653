//! Concurrency limits by connection and in total: requests in flight, streams, sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;

use crate::vocab::ConnectionId;

/// The limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConcurrencyExceeded {
    Connection,
    Server,
}

/// A semaphore with a limit for each connection and one for the server.
#[derive(Debug)]
pub struct ConcurrencyLimit {
    per_connection: usize,
    total: usize,
    by_connection: DashMap<ConnectionId, usize>,
    in_use: AtomicUsize,
}

/// One permit; dropped, it is released.
#[derive(Debug)]
pub struct ConcurrencyPermit {
    limit: Arc<ConcurrencyLimit>,
    owner: ConnectionId,
}

// === impl ConcurrencyLimit ===

impl ConcurrencyLimit {
    pub fn new(per_connection: usize, total: usize) -> Arc<Self> {
        Arc::new(Self { per_connection, total, by_connection: DashMap::new(), in_use: AtomicUsize::new(0) })
    }

    /// Takes a permit for `owner`, or answers which limit was reached.
    pub fn try_acquire(
        self: &Arc<Self>,
        owner: ConnectionId,
    ) -> Result<ConcurrencyPermit, ConcurrencyExceeded> {
        let one_more = |taken: usize| (taken < self.total).then_some(taken + 1);
        if self.in_use.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).is_err() {
            return Err(ConcurrencyExceeded::Server);
        }
        let mut permits = self.by_connection.entry(owner).or_insert(0);
        if *permits >= self.per_connection {
            self.in_use.fetch_sub(1, Ordering::AcqRel);
            return Err(ConcurrencyExceeded::Connection);
        }
        *permits += 1;
        Ok(ConcurrencyPermit { limit: Arc::clone(self), owner })
    }
}

// === impl ConcurrencyPermit ===

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        if let Some(mut permits) = self.limit.by_connection.get_mut(&self.owner) {
            *permits = permits.saturating_sub(1);
        }
        // Checked again under the lock of the entry: another request may have taken a permit meanwhile.
        self.limit.by_connection.remove_if(&self.owner, |_, permits| *permits == 0);
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
        let limit = ConcurrencyLimit::new(2, 3);
        let first = limit.try_acquire(ONE).unwrap();
        let _second = limit.try_acquire(ONE).unwrap();
        assert_eq!(limit.try_acquire(ONE).unwrap_err(), ConcurrencyExceeded::Connection);
        let _other = limit.try_acquire(TWO).unwrap();
        assert_eq!(limit.try_acquire(TWO).unwrap_err(), ConcurrencyExceeded::Server);
        drop(first);
        assert!(limit.try_acquire(ONE).is_ok());
    }

    #[test]
    fn released_permits_leave_no_entry() {
        let limit = ConcurrencyLimit::new(2, 3);
        drop((limit.try_acquire(ONE).unwrap(), limit.try_acquire(ONE).unwrap()));
        assert_eq!(limit.in_use.load(Ordering::Acquire), 0);
        assert!(limit.by_connection.is_empty());
    }
}
