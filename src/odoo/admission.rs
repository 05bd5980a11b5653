//! The scheduler before Odoo: a weighted semaphore with round robin over connections and a cap on long calls.
//!
//! Odoo has a handful of workers, which its own users need as well. There are as many permits as workers. A short
//! call may take any of them; calls that are expected to be long, or have run for longer than `LONG_CALL_AFTER`,
//! hold all but one together, and those of one connection at most half of these. Each connection has a queue, and
//! the queues are served round robin.
//!
//! Knows no HTTP, no contract, no memory: a `Demand` in, a `Permit` out, which gives itself back when it is
//! dropped. Whether a call has become long is seen when the next permit is due, so there is no timer: a call that
//! becomes long frees nothing, it only bars others.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::vocab::{ConnectionId, MutexExt};

/// A call that runs for longer counts as long, even if its estimate was short.
const LONG_CALL_AFTER: Duration = Duration::from_millis(250);

/// How many kinds of long calls are remembered. They are cleared together, and learned again.
const MAX_LONG_KINDS: usize = 4096;

/// The demand of a call on the scheduler.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Demand {
    /// None: it is of several connections, or of the sidecar itself.
    pub owner: Option<ConnectionId>,
    /// Estimated to be long before it runs.
    pub heavy: bool,
    /// Calls of the same kind are expected to take about as long; none: the scheduler learns nothing from it.
    pub kind: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Admission {
    /// The most permits, however many workers there are.
    max_permits: usize,
    state: Mutex<SchedulerState>,
}

#[derive(Debug)]
struct SchedulerState {
    permits: usize,
    running: Vec<RunningCall>,
    queues: HashMap<Option<ConnectionId>, VecDeque<Waiter>>,
    /// The order of the turns: every connection that has a queue, once.
    round_robin: VecDeque<Option<ConnectionId>>,
    /// Kinds whose last call was long.
    long_kinds: HashSet<u64>,
    last_id: u64,
}

#[derive(Debug)]
struct RunningCall {
    id: u64,
    demand: Demand,
    since: Instant,
}

#[derive(Debug)]
struct Waiter {
    id: u64,
    demand: Demand,
    reply: oneshot::Sender<Permit>,
}

/// A permit for one call in Odoo. Dropped, it passes to the next waiter.
#[derive(Debug)]
pub(super) struct Permit {
    admission: Arc<Admission>,
    id: u64,
}

/// The position of a waiter in its queue. Dropped, the waiter is removed.
struct QueuePosition {
    admission: Arc<Admission>,
    owner: Option<ConnectionId>,
    id: u64,
}

// === impl Admission ===

impl Admission {
    pub(super) fn new(max_permits: usize, permits: usize) -> Arc<Self> {
        let max_permits = max_permits.max(1);
        let state = SchedulerState {
            permits: permits.clamp(1, max_permits),
            running: Vec::new(),
            queues: HashMap::new(),
            round_robin: VecDeque::new(),
            long_kinds: HashSet::new(),
            last_id: 0,
        };
        Arc::new(Self { max_permits, state: Mutex::new(state) })
    }

    /// Sets the number of permits: the calls that Odoo executes at once.
    pub(super) fn set_permits(self: &Arc<Self>, permits: usize) {
        self.state().permits = permits.clamp(1, self.max_permits);
        self.dispatch();
    }

    /// Whether a call counts as long: by its estimate, or since the last of its kind was.
    pub(super) fn is_heavy(&self, demand: Demand) -> bool {
        is_heavy(&self.state().long_kinds, demand)
    }

    /// Makes the next call of its kind count as long: this one was fast, but its answer large.
    pub(super) fn mark_heavy(&self, demand: Demand) {
        if let Some(kind) = demand.kind {
            self.state().expect_long(kind);
        }
    }

    /// Waits for a permit without a timeout of its own. None only where the scheduler is gone.
    pub(super) async fn acquire(self: &Arc<Self>, demand: Demand) -> Option<Permit> {
        let (_position, granted) = self.enqueue(demand);
        self.dispatch();
        granted.await.ok()
    }

    fn enqueue(self: &Arc<Self>, demand: Demand) -> (QueuePosition, oneshot::Receiver<Permit>) {
        let (reply, granted) = oneshot::channel();
        let mut state = self.state();
        let id = state.next_id();
        if !state.queues.contains_key(&demand.owner) {
            state.round_robin.push_back(demand.owner);
        }
        state.queues.entry(demand.owner).or_default().push_back(Waiter { id, demand, reply });
        (QueuePosition { admission: Arc::clone(self), owner: demand.owner, id }, granted)
    }

    /// Grants all permits that are free.
    fn dispatch(self: &Arc<Self>) {
        loop {
            let Some((waiter, id)) = self.state().grant() else { return };
            let permit = Permit { admission: Arc::clone(self), id };
            // Outside the lock: the permit of a waiter that has just left is dropped here and takes it again.
            drop(waiter.reply.send(permit));
        }
    }

    fn state(&self) -> MutexGuard<'_, SchedulerState> {
        self.state.locked()
    }
}

impl SchedulerState {
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// How many long calls there may be at once.
    fn heavy_cap(&self) -> usize {
        self.permits.saturating_sub(1).max(1)
    }

    /// How many of these may be of one connection.
    fn heavy_share(&self) -> usize {
        (self.heavy_cap() / 2).max(1)
    }

    fn count_heavy(&self, now: Instant, of: impl Fn(&RunningCall) -> bool) -> usize {
        self.running.iter().filter(|running| running.is_heavy(now) && of(running)).count()
    }

    /// Takes the next waiter out of its queue and counts it as running.
    fn grant(&mut self) -> Option<(Waiter, u64)> {
        if self.running.len() >= self.permits {
            return None;
        }
        let now = Instant::now();
        let below_cap = self.count_heavy(now, |_| true) < self.heavy_cap();
        for turn in 0..self.round_robin.len() {
            let Some(owner) = self.round_robin.get(turn).copied() else { break };
            let of_owner = |running: &RunningCall| running.demand.owner == owner;
            let heavy =
                below_cap && (owner.is_none() || self.count_heavy(now, of_owner) < self.heavy_share());
            let Some(waiter) = self.next_waiter(owner, heavy) else { continue };
            self.round_robin.remove(turn);
            self.round_robin.push_back(owner);
            self.remove_empty_queue(owner);
            let id = self.next_id();
            self.running.push(RunningCall { id, demand: waiter.demand, since: now });
            return Some((waiter, id));
        }
        None
    }

    /// The longest waiter of a connection that may run. Whether it counts as long is decided only now: its kind may
    /// have been learned meanwhile.
    fn next_waiter(&mut self, owner: Option<ConnectionId>, heavy: bool) -> Option<Waiter> {
        let queue = self.queues.get_mut(&owner)?;
        let may_run = |waiter: &Waiter| heavy || !is_heavy(&self.long_kinds, waiter.demand);
        let at = queue.iter().position(may_run)?;
        let mut waiter = queue.remove(at)?;
        waiter.demand.heavy = is_heavy(&self.long_kinds, waiter.demand);
        Some(waiter)
    }

    /// Removes the queue of a connection without waiters.
    fn remove_empty_queue(&mut self, owner: Option<ConnectionId>) {
        if self.queues.get(&owner).is_some_and(VecDeque::is_empty) {
            self.queues.remove(&owner);
            self.round_robin.retain(|turn| *turn != owner);
        }
    }

    /// Records the duration of a call, by which the next of its kind is classified.
    fn learn(&mut self, done: &RunningCall) {
        let Some(kind) = done.demand.kind else { return };
        if done.since.elapsed() <= LONG_CALL_AFTER {
            self.long_kinds.remove(&kind);
        } else {
            self.expect_long(kind);
        }
    }

    fn expect_long(&mut self, kind: u64) {
        if self.long_kinds.len() >= MAX_LONG_KINDS {
            self.long_kinds.clear();
        }
        self.long_kinds.insert(kind);
    }
}

impl RunningCall {
    fn is_heavy(&self, now: Instant) -> bool {
        self.demand.heavy || now.duration_since(self.since) > LONG_CALL_AFTER
    }
}

fn is_heavy(long: &HashSet<u64>, demand: Demand) -> bool {
    demand.heavy || demand.kind.is_some_and(|kind| long.contains(&kind))
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.admission.state();
        if let Some(at) = state.running.iter().position(|running| running.id == self.id) {
            let done = state.running.swap_remove(at);
            state.learn(&done);
        }
        drop(state);
        self.admission.dispatch();
    }
}

impl Drop for QueuePosition {
    fn drop(&mut self) {
        let mut state = self.admission.state();
        if let Some(queue) = state.queues.get_mut(&self.owner) {
            queue.retain(|waiter| waiter.id != self.id);
        }
        state.remove_empty_queue(self.owner);
    }
}

#[cfg(test)]
mod tests;
