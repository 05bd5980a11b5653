//! A memory budget for requests and answers: a bound for each connection and one for the process.
//!
//! Each request has a `MemoryAccount`. It reserves bytes before they are allocated (a long body, an answer of Odoo),
//! waits with a timeout where the budget is used up, and releases everything when the last byte of the answer has
//! been sent or the client has disconnected. A request that holds a part and waits for the rest times out, so that
//! two that wait for each other are no deadlock.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::vocab::{ConnectionId, MutexExt};

/// Copies of an answer in memory at the same time: as Odoo sent it, as parsed results, and as the text that is made
/// of them; later as that text, and as the escaped body around it.
pub const ANSWER_COPIES: usize = 3;

/// Why a reservation is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReserveError {
    /// More than the empty budget would hold.
    TooLarge,
    /// The budget of the connection is used up.
    Connection,
    /// The budget of the process is used up.
    Server,
}

/// The budget of a process.
#[derive(Debug)]
pub struct MemoryBudget {
    per_connection: usize,
    total: usize,
    reserved: Mutex<ReservedBytes>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct ReservedBytes {
    total: usize,
    by_connection: HashMap<ConnectionId, usize>,
}

/// The reservation of one request. Dropped, it releases all of it.
#[derive(Debug, Default)]
pub struct MemoryAccount {
    /// None: without bounds, for requests of the sidecar itself.
    budget: Option<Arc<MemoryBudget>>,
    /// None: the request belongs to several connections.
    owner: Option<ConnectionId>,
    reserved: Mutex<usize>,
    abandoned: AtomicBool,
}

/// A part of an account that is released again unless it is committed.
#[derive(Debug)]
pub struct MemoryClaim {
    account: Arc<MemoryAccount>,
    bytes: usize,
}

// === impl MemoryBudget ===

impl MemoryBudget {
    pub fn new(per_connection: usize, total: usize) -> Arc<Self> {
        Arc::new(Self { per_connection, total, reserved: Mutex::default(), freed: Notify::new() })
    }

    /// An empty account of a connection.
    pub fn account(self: &Arc<Self>, owner: ConnectionId) -> Arc<MemoryAccount> {
        Arc::new(MemoryAccount::with_owner(Some(Arc::clone(self)), Some(owner)))
    }

    /// The bytes reserved by all accounts.
    pub fn reserved(&self) -> usize {
        self.lock_reserved().total
    }

    /// The bound of one account.
    fn max_for(&self, owner: Option<ConnectionId>) -> usize {
        if owner.is_some() { self.per_connection.min(self.total) } else { self.total }
    }

    fn reserve(&self, owner: Option<ConnectionId>, bytes: usize) -> Result<(), ReserveError> {
        let mut reserved = self.lock_reserved();
        let of = owner.map_or(0, |owner| reserved.by_connection.get(&owner).copied().unwrap_or(0));
        if owner.is_some() && of.saturating_add(bytes) > self.per_connection {
            return Err(ReserveError::Connection);
        }
        if reserved.total.saturating_add(bytes) > self.total {
            return Err(ReserveError::Server);
        }
        reserved.add(owner, bytes);
        Ok(())
    }

    fn release(&self, owner: Option<ConnectionId>, bytes: usize) {
        if bytes > 0 {
            self.lock_reserved().remove(owner, bytes);
            self.freed.notify_waiters();
        }
    }

    fn lock_reserved(&self) -> MutexGuard<'_, ReservedBytes> {
        self.reserved.locked()
    }
}

impl ReservedBytes {
    fn add(&mut self, owner: Option<ConnectionId>, bytes: usize) {
        self.total += bytes;
        if let Some(owner) = owner {
            *self.by_connection.entry(owner).or_default() += bytes;
        }
    }

    fn remove(&mut self, owner: Option<ConnectionId>, bytes: usize) {
        self.total = self.total.saturating_sub(bytes);
        let Some(owner) = owner else { return };
        if let Some(of) = self.by_connection.get_mut(&owner) {
            *of = of.saturating_sub(bytes);
            if *of == 0 {
                self.by_connection.remove(&owner);
            }
        }
    }
}

// === impl MemoryAccount ===

impl MemoryAccount {
    /// Another account of the same budget, for a request of several connections.
    pub fn shared(&self) -> Arc<Self> {
        Arc::new(Self::with_owner(self.budget.clone(), None))
    }

    fn with_owner(memory: Option<Arc<MemoryBudget>>, owner: Option<ConnectionId>) -> Self {
        Self { budget: memory, owner, reserved: Mutex::new(0), abandoned: AtomicBool::new(false) }
    }

    /// Reserves `bytes` more without waiting, or answers which bound refuses them.
    pub fn try_grow(&self, bytes: usize) -> Result<(), ReserveError> {
        let Some(memory) = &self.budget else { return Ok(()) };
        let mut reserved = self.lock_reserved();
        if reserved.saturating_add(bytes) > memory.max_for(self.owner) {
            return Err(ReserveError::TooLarge);
        }
        memory.reserve(self.owner, bytes)?;
        *reserved += bytes;
        Ok(())
    }

    /// Reserves `bytes` more, with a timeout at `until`.
    pub async fn grow(&self, bytes: usize, until: Instant) -> Result<(), ReserveError> {
        loop {
            let Some(memory) = &self.budget else { return Ok(()) };
            // Registered before the attempt, so that no release in between is missed.
            let mut freed = pin!(memory.freed.notified());
            freed.as_mut().enable();
            match self.try_grow(bytes) {
                Ok(()) => return Ok(()),
                Err(ReserveError::TooLarge) => return Err(ReserveError::TooLarge),
                Err(full) => timeout_at(until, freed).await.map_err(|_| full)?,
            }
        }
    }

    /// Releases `bytes` of the reservation.
    pub fn shrink(&self, bytes: usize) {
        let Some(memory) = &self.budget else { return };
        let mut reserved = self.lock_reserved();
        let bytes = bytes.min(*reserved);
        *reserved -= bytes;
        memory.release(self.owner, bytes);
    }

    /// Reserves `bytes` more until the claim is dropped or committed.
    pub fn claim(self: &Arc<Self>, bytes: usize) -> Result<MemoryClaim, ReserveError> {
        self.try_grow(bytes)?;
        Ok(MemoryClaim { account: Arc::clone(self), bytes })
    }

    /// Sets the reservation to the bytes in use, also beyond the bounds: they are allocated already.
    pub fn resize(&self, bytes: usize) {
        let Some(memory) = &self.budget else { return };
        let mut reserved = self.lock_reserved();
        match bytes.checked_sub(*reserved) {
            Some(more) => memory.lock_reserved().add(self.owner, more),
            None => memory.release(self.owner, *reserved - bytes),
        }
        *reserved = bytes;
    }

    /// Marks the client as disconnected: answers for it need not be read.
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    pub fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    fn lock_reserved(&self) -> MutexGuard<'_, usize> {
        self.reserved.locked()
    }
}

impl Drop for MemoryAccount {
    fn drop(&mut self) {
        self.resize(0);
    }
}

// === impl MemoryClaim ===

impl MemoryClaim {
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn account(&self) -> &Arc<MemoryAccount> {
        &self.account
    }

    /// Grows the claim to `bytes` in all, with a timeout at `until`.
    pub async fn grow_to(&mut self, bytes: usize, until: Instant) -> Result<(), ReserveError> {
        let more = bytes.saturating_sub(self.bytes);
        self.account.grow(more, until).await?;
        self.bytes += more;
        Ok(())
    }

    /// Leaves the bytes to the account.
    pub fn commit(mut self) {
        self.bytes = 0;
    }
}

impl Drop for MemoryClaim {
    fn drop(&mut self) {
        self.account.shrink(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ONE: ConnectionId = ConnectionId(1);
    const TWO: ConnectionId = ConnectionId(2);

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[test]
    fn each_connection_and_the_process_have_a_limit() {
        let memory = MemoryBudget::new(10, 15);
        let (first, second, other) = (memory.account(ONE), memory.account(ONE), memory.account(TWO));
        first.try_grow(6).unwrap();
        assert_eq!(second.try_grow(5), Err(ReserveError::Connection));
        second.try_grow(4).unwrap();
        assert_eq!(other.try_grow(6), Err(ReserveError::Server));
        other.try_grow(5).unwrap();
        assert_eq!(first.try_grow(5), Err(ReserveError::TooLarge));
        drop((first, second));
        other.try_grow(5).unwrap();
        assert_eq!(memory.reserved(), 10);
        drop(other);
        assert_eq!(memory.reserved(), 0);
        assert!(memory.lock_reserved().by_connection.is_empty());
    }

    #[test]
    fn a_resized_account_is_counted_exactly_and_releases_the_rest() {
        let memory = MemoryBudget::new(10, 15);
        let account = memory.account(ONE);
        account.try_grow(9).unwrap();
        account.resize(2);
        assert_eq!(memory.reserved(), 2);
        account.resize(40);
        assert_eq!(memory.reserved(), 40);
        drop(account);
        assert_eq!(memory.reserved(), 0);
    }

    #[test]
    fn a_claim_is_released_unless_it_is_committed() {
        let memory = MemoryBudget::new(10, 15);
        let account = memory.account(ONE);
        drop(account.claim(4).unwrap());
        assert_eq!(memory.reserved(), 0);
        account.claim(4).unwrap().commit();
        assert_eq!(memory.reserved(), 4);
        drop(account);
        assert_eq!(memory.reserved(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_gets_released_memory() {
        let memory = MemoryBudget::new(10, 15);
        let (first, second) = (memory.account(ONE), memory.account(ONE));
        first.try_grow(8).unwrap();
        let waiting = second.grow(8, soon());
        let freeing = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            first.resize(1);
        };
        assert_eq!(tokio::join!(waiting, freeing).0, Ok(()));
        assert_eq!(memory.reserved(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn two_accounts_that_wait_for_each_other_time_out() {
        let memory = MemoryBudget::new(10, 15);
        let (first, second) = (memory.account(ONE), memory.account(ONE));
        first.try_grow(5).unwrap();
        second.try_grow(5).unwrap();
        let start = Instant::now();
        let both = tokio::join!(first.grow(5, soon()), second.grow(5, soon()));
        assert_eq!(both, (Err(ReserveError::Connection), Err(ReserveError::Connection)));
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        assert_eq!(
            first.grow(50, soon()).await,
            Err(ReserveError::TooLarge),
            "a reservation that can never fit does not wait"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn every_waiter_is_served_in_the_end() {
        let memory = MemoryBudget::new(10, 10);
        let one = |number: i64| {
            let account = memory.account(ConnectionId(number));
            async move {
                account.grow(10, soon()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        futures_util::future::join_all((0..50).map(one)).await;
        assert_eq!(memory.reserved(), 0);
    }
}
