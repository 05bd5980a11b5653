//! Things of which a connection may hold only so many at a time: requests in flight, streams, sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;

use crate::vocab::ConnectionId;

/// Whose bound was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    Connection,
    Server,
}

/// A bound for each connection and one for all together.
#[derive(Debug)]
pub struct Slots {
    per_connection: usize,
    in_all: usize,
    held: DashMap<ConnectionId, usize>,
    taken: AtomicUsize,
}

/// One taken slot; dropping it gives it back.
#[derive(Debug)]
pub struct Slot {
    slots: Arc<Slots>,
    owner: ConnectionId,
}

// === impl Slots ===

impl Slots {
    pub fn new(per_connection: usize, in_all: usize) -> Arc<Self> {
        Arc::new(Self { per_connection, in_all, held: DashMap::new(), taken: AtomicUsize::new(0) })
    }

    /// Takes a slot for `owner`, or says whose bound stands in the way.
    pub fn take(self: &Arc<Self>, owner: ConnectionId) -> Result<Slot, Full> {
        let room = |taken: usize| (taken < self.in_all).then_some(taken + 1);
        if self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_err() {
            return Err(Full::Server);
        }
        let mut held = self.held.entry(owner).or_insert(0);
        if *held >= self.per_connection {
            self.taken.fetch_sub(1, Ordering::AcqRel);
            return Err(Full::Connection);
        }
        *held += 1;
        Ok(Slot { slots: Arc::clone(self), owner })
    }

    /// How many are taken in all.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }
}

// === impl Slot ===

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(mut held) = self.slots.held.get_mut(&self.owner) {
            *held = held.saturating_sub(1);
        }
        // Checked again under the lock of the entry: another request may have come meanwhile.
        self.slots.held.remove_if(&self.owner, |_, held| *held == 0);
        self.slots.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ConnectionId = ConnectionId(1);
    const TWO: ConnectionId = ConnectionId(2);

    #[test]
    fn a_connection_gets_its_share_and_no_more() {
        let slots = Slots::new(2, 3);
        let first = slots.take(ONE).unwrap();
        let _second = slots.take(ONE).unwrap();
        assert_eq!(slots.take(ONE).unwrap_err(), Full::Connection);
        let _other = slots.take(TWO).unwrap();
        assert_eq!(slots.take(TWO).unwrap_err(), Full::Server);
        drop(first);
        assert!(slots.take(ONE).is_ok());
    }

    #[test]
    fn nothing_is_left_behind() {
        let slots = Slots::new(2, 3);
        drop((slots.take(ONE).unwrap(), slots.take(ONE).unwrap()));
        assert_eq!(slots.taken(), 0);
        assert!(slots.held.is_empty());
    }
}
