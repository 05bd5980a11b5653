//! A budget for the memory that requests and answers take: a bound for each connection and one for all.
//!
//! Each request has an `Account`. It reserves bytes before they are there (a long body, an answer of Odoo), waits
//! a bounded time where the budget is used up, and gives everything back when the last byte of the answer has
//! been sent or the client has left. Nothing waits for ever: who holds a part and waits for the rest is refused
//! in the end, so that two who wait for each other are no deadlock.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::vocab::ConnectionId;

/// How often the bytes of an answer are there at the same time: as Odoo sent them, as parsed results, and as the
/// text that is made of them; later as that text, and as the escaped body round it.
pub const COPIES: usize = 3;

/// Why bytes are not reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// More than the budget would hold if it were empty.
    Ever,
    /// The connection has used up its part.
    Connection,
    /// All connections together have used it up.
    Server,
}

/// The budget of a process.
#[derive(Debug)]
pub struct Memory {
    per_connection: usize,
    in_all: usize,
    held: Mutex<Held>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Held {
    in_all: usize,
    of: HashMap<ConnectionId, usize>,
}

/// What one request has reserved. Dropped, it gives all of it back.
#[derive(Debug, Default)]
pub struct Account {
    /// None: without bounds, for what the sidecar asks for itself.
    memory: Option<Arc<Memory>>,
    /// None: the request is of several connections.
    owner: Option<ConnectionId>,
    held: Mutex<usize>,
    abandoned: AtomicBool,
}

/// A part of an account that is given back again unless it is kept.
#[derive(Debug)]
pub struct Claim {
    account: Arc<Account>,
    bytes: usize,
}

// === impl Memory ===

impl Memory {
    pub fn new(per_connection: usize, in_all: usize) -> Arc<Self> {
        Arc::new(Self { per_connection, in_all, held: Mutex::default(), freed: Notify::new() })
    }

    /// An empty account of a connection.
    pub fn account(self: &Arc<Self>, owner: ConnectionId) -> Arc<Account> {
        Arc::new(Account::of(Some(Arc::clone(self)), Some(owner)))
    }

    /// How many bytes are reserved in all.
    pub fn reserved(&self) -> usize {
        self.held().in_all
    }

    /// The bound of one account.
    fn most(&self, owner: Option<ConnectionId>) -> usize {
        if owner.is_some() { self.per_connection.min(self.in_all) } else { self.in_all }
    }

    fn take(&self, owner: Option<ConnectionId>, bytes: usize) -> Result<(), Full> {
        let mut held = self.held();
        let of = owner.map_or(0, |owner| held.of.get(&owner).copied().unwrap_or(0));
        if owner.is_some() && of.saturating_add(bytes) > self.per_connection {
            return Err(Full::Connection);
        }
        if held.in_all.saturating_add(bytes) > self.in_all {
            return Err(Full::Server);
        }
        held.add(owner, bytes);
        Ok(())
    }

    fn give(&self, owner: Option<ConnectionId>, bytes: usize) {
        if bytes > 0 {
            self.held().remove(owner, bytes);
            self.freed.notify_waiters();
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn add(&mut self, owner: Option<ConnectionId>, bytes: usize) {
        self.in_all += bytes;
        if let Some(owner) = owner {
            *self.of.entry(owner).or_default() += bytes;
        }
    }

    fn remove(&mut self, owner: Option<ConnectionId>, bytes: usize) {
        self.in_all = self.in_all.saturating_sub(bytes);
        let Some(owner) = owner else { return };
        if let Some(of) = self.of.get_mut(&owner) {
            *of = of.saturating_sub(bytes);
            if *of == 0 {
                self.of.remove(&owner);
            }
        }
    }
}

// === impl Account ===

impl Account {
    /// Another account of the same budget, for what several connections share.
    pub fn shared(&self) -> Arc<Self> {
        Arc::new(Self::of(self.memory.clone(), None))
    }

    fn of(memory: Option<Arc<Memory>>, owner: Option<ConnectionId>) -> Self {
        Self { memory, owner, held: Mutex::new(0), abandoned: AtomicBool::new(false) }
    }

    /// Reserves `bytes` more at once, or says what stands in the way.
    pub fn try_grow(&self, bytes: usize) -> Result<(), Full> {
        let Some(memory) = &self.memory else { return Ok(()) };
        let mut held = self.held();
        if held.saturating_add(bytes) > memory.most(self.owner) {
            return Err(Full::Ever);
        }
        memory.take(self.owner, bytes)?;
        *held += bytes;
        Ok(())
    }

    /// Reserves `bytes` more, and waits for them until `until`.
    pub async fn grow(&self, bytes: usize, until: Instant) -> Result<(), Full> {
        loop {
            let Some(memory) = &self.memory else { return Ok(()) };
            // Before the look, so that nothing given back in between goes unseen.
            let mut freed = pin!(memory.freed.notified());
            freed.as_mut().enable();
            match self.try_grow(bytes) {
                Ok(()) => return Ok(()),
                Err(Full::Ever) => return Err(Full::Ever),
                Err(full) => timeout_at(until, freed).await.map_err(|_| full)?,
            }
        }
    }

    /// Gives back `bytes` of what was reserved.
    pub fn shrink(&self, bytes: usize) {
        let Some(memory) = &self.memory else { return };
        let mut held = self.held();
        let bytes = bytes.min(*held);
        *held -= bytes;
        memory.give(self.owner, bytes);
    }

    /// Reserves `bytes` more until the claim is dropped or kept.
    pub fn claim(self: &Arc<Self>, bytes: usize) -> Result<Claim, Full> {
        self.try_grow(bytes)?;
        Ok(Claim { account: Arc::clone(self), bytes })
    }

    /// What is there now, exactly; more than was reserved counts as well, since it is there.
    pub fn settle(&self, bytes: usize) {
        let Some(memory) = &self.memory else { return };
        let mut held = self.held();
        match bytes.checked_sub(*held) {
            Some(more) => memory.held().add(self.owner, more),
            None => memory.give(self.owner, *held - bytes),
        }
        *held = bytes;
    }

    /// The caller has left: what still comes for it need not be read.
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    pub fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    fn held(&self) -> MutexGuard<'_, usize> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.settle(0);
    }
}

// === impl Claim ===

impl Claim {
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Makes it `bytes` in all, and waits for them until `until`.
    pub async fn grow_to(&mut self, bytes: usize, until: Instant) -> Result<(), Full> {
        let more = bytes.saturating_sub(self.bytes);
        self.account.grow(more, until).await?;
        self.bytes += more;
        Ok(())
    }

    /// Leaves it to the account.
    pub fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Claim {
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
    fn each_connection_has_its_part_and_all_have_a_bound() {
        let memory = Memory::new(10, 15);
        let (first, second, other) = (memory.account(ONE), memory.account(ONE), memory.account(TWO));
        first.try_grow(6).unwrap();
        assert_eq!(second.try_grow(5), Err(Full::Connection));
        second.try_grow(4).unwrap();
        assert_eq!(other.try_grow(6), Err(Full::Server));
        other.try_grow(5).unwrap();
        assert_eq!(first.try_grow(5), Err(Full::Ever));
        drop((first, second));
        other.try_grow(5).unwrap();
        assert_eq!(memory.reserved(), 10);
        drop(other);
        assert_eq!(memory.reserved(), 0);
        assert!(memory.held().of.is_empty());
    }

    #[test]
    fn what_is_there_is_counted_and_what_was_too_much_given_back() {
        let memory = Memory::new(10, 15);
        let account = memory.account(ONE);
        account.try_grow(9).unwrap();
        account.settle(2);
        assert_eq!(memory.reserved(), 2);
        account.settle(40);
        assert_eq!(memory.reserved(), 40);
        drop(account);
        assert_eq!(memory.reserved(), 0);
    }

    #[test]
    fn a_claim_is_given_back_unless_it_is_kept() {
        let memory = Memory::new(10, 15);
        let account = memory.account(ONE);
        drop(account.claim(4).unwrap());
        assert_eq!(memory.reserved(), 0);
        account.claim(4).unwrap().keep();
        assert_eq!(memory.reserved(), 4);
        drop(account);
        assert_eq!(memory.reserved(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_what_another_gives_back() {
        let memory = Memory::new(10, 15);
        let (first, second) = (memory.account(ONE), memory.account(ONE));
        first.try_grow(8).unwrap();
        let waiting = second.grow(8, soon());
        let freeing = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            first.settle(1);
        };
        assert_eq!(tokio::join!(waiting, freeing).0, Ok(()));
        assert_eq!(memory.reserved(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn two_who_hold_a_part_and_wait_for_the_rest_are_refused_in_the_end() {
        let memory = Memory::new(10, 15);
        let (first, second) = (memory.account(ONE), memory.account(ONE));
        first.try_grow(5).unwrap();
        second.try_grow(5).unwrap();
        let start = Instant::now();
        let both = tokio::join!(first.grow(5, soon()), second.grow(5, soon()));
        assert_eq!(both, (Err(Full::Connection), Err(Full::Connection)));
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        assert_eq!(first.grow(50, soon()).await, Err(Full::Ever), "what never fits does not wait");
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_wait_are_all_served_in_the_end() {
        let memory = Memory::new(10, 10);
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
