//! Batching: small reads that arrive while Odoo is busy share one request (`execute_batch`).
//!
//! Odoo has a handful of workers, and the cost of a small read there is mostly that of its request. A read that
//! finds a slot free is sent at once and alone; further ones queue until a slot is free and are then sent as a
//! batch. There is no timer: a single client never waits, and the busier Odoo is, the larger the batches.
//!
//! No call pays for its neighbour: each is answered for itself, a batch gets a short deadline in Odoo, and calls
//! that missed it, or whose batch failed as a whole, are retried alone.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{timeout, timeout_at};

use super::Error;
use super::contract::{Answer, Call, FaultCode, Step};
use super::deadline::Deadline;
use super::memory_budget::ANSWER_COPIES;
use super::read::Reader;
use crate::vocab::{ConnectionId, MutexExt};

/// The time in Odoo that a whole batch gets.
const BATCH_DEADLINE_MS: u64 = 1_000;
/// How long a request holds its slot at most.
const MAX_SLOT_HOLD: Duration = Duration::from_millis(BATCH_DEADLINE_MS);
/// The most rows or records of a small read.
const MAX_SMALL_ROWS: usize = 100;
/// The most steps of a small read.
const MAX_SMALL_STEPS: usize = 3;
/// A batch of so many calls is not divided over further slots.
const MIN_BATCH_CALLS: usize = 4;

/// The queue of waiting calls and the slots of requests under way.
#[derive(Debug)]
pub(super) struct Batcher {
    reader: Arc<Reader>,
    max_calls: usize,
    queue: Mutex<BatchQueue>,
}

#[derive(Debug)]
struct BatchQueue {
    slots: usize,
    busy: usize,
    waiting: VecDeque<WaitingCall>,
}

#[derive(Debug)]
struct WaitingCall {
    call: Call,
    deadline: Deadline,
    reply: oneshot::Sender<Result<Answer, Error>>,
}

/// Receives the answer of a call that was queued.
type PendingAnswer = oneshot::Receiver<Result<Answer, Error>>;

/// The slot of one request. Dropped, it sends the next batch.
struct BatchSlot(Arc<Batcher>);

impl BatchSlot {
    /// Holds the slot while the request is under way, but no longer than a batch may take: a slow request keeps
    /// one worker of Odoo busy, and queued calls may find another one idle.
    async fn run<T>(self, request: impl Future<Output = T>) -> T {
        let mut request = pin!(request);
        if let Ok(done) = timeout(MAX_SLOT_HOLD, &mut request).await {
            return done;
        }
        drop(self);
        request.await
    }
}

impl Drop for BatchSlot {
    fn drop(&mut self) {
        self.0.release_slot();
    }
}

// === impl Batcher ===

impl Batcher {
    pub(super) fn new(reader: Arc<Reader>, max_calls: usize, slots: usize) -> Self {
        let queue = BatchQueue { slots, busy: 0, waiting: VecDeque::new() };
        Self { reader, max_calls, queue: Mutex::new(queue) }
    }

    /// Sends a reading call, in a batch with others where Odoo is busy.
    pub(super) async fn read(self: &Arc<Self>, call: Call) -> Result<Answer, Error> {
        let deadline = Deadline::within(Duration::from_millis(call.deadline_ms));
        if !self.is_batchable(&call) {
            return self.reader.read(&call, deadline).await;
        }
        match self.start_or_queue(call, deadline) {
            Ok(call) => BatchSlot(Arc::clone(self)).run(self.reader.read(&call, deadline)).await,
            Err(answer) => match timeout_at(deadline.http, answer).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(Error::Unreachable),
                Err(_) => Err(Error::TimedOut),
            },
        }
    }

    /// Whether a call is small and fast: the others of a batch wait for the slowest.
    fn is_batchable(&self, call: &Call) -> bool {
        self.max_calls > 1 && is_small(call) && !self.reader.is_heavy(call)
    }

    /// Sets the number of requests at a time; further slots take queued calls at once.
    pub(super) fn set_slots(self: &Arc<Self>, slots: usize) {
        let mut queue = self.lock_queue();
        queue.slots = slots;
        let more = queue.slots.saturating_sub(queue.busy).min(queue.waiting.len());
        queue.busy += more;
        drop(queue);
        for _ in 0..more {
            drop(BatchSlot(Arc::clone(self)));
        }
    }

    /// Gives a free slot to the next batch, or back to the queue where no call waits.
    fn release_slot(self: &Arc<Self>) {
        let mut queue = self.lock_queue();
        let surplus = queue.busy > queue.slots;
        let group = if surplus { Vec::new() } else { queue.next_batch(self.max_calls) };
        if group.is_empty() {
            queue.busy -= 1;
            return;
        }
        drop(queue);
        let slot = BatchSlot(Arc::clone(self));
        // Without a runtime the process is ending, and the waiting calls are dropped with it.
        if let Ok(runtime) = Handle::try_current() {
            let batcher = Arc::clone(self);
            runtime.spawn(slot.run(async move { batcher.send_group(group).await }));
        }
    }

    async fn send_group(self: &Arc<Self>, mut group: Vec<WaitingCall>) {
        match group.pop() {
            Some(only) if group.is_empty() => self.send_single(only).await,
            Some(last) => {
                group.push(last);
                self.send_batch(group).await;
            }
            None => {}
        }
    }

    async fn send_single(&self, WaitingCall { call, deadline, reply }: WaitingCall) {
        let _ = reply.send(self.reader.read(&call, deadline).await);
    }

    async fn send_batch(self: &Arc<Self>, group: Vec<WaitingCall>) {
        let calls: Vec<_> = group.iter().map(|waiting| (&waiting.call, waiting.deadline)).collect();
        match self.reader.read_batch(&calls, BATCH_DEADLINE_MS).await {
            Ok(answers) => {
                for (waiting, answer) in group.into_iter().zip(answers) {
                    match answer {
                        Err(fault) if fault.code == FaultCode::Deadline => self.resend_single(waiting),
                        // The memory of a batch is shared; its answers belong to the accounts of their calls.
                        Ok(answer) if !reserve_answer(&waiting.call, &answer) => self.resend_single(waiting),
                        answer => _ = waiting.reply.send(answer.map_err(Error::Fault)),
                    }
                }
            }
            // One call may have failed the batch, or the answers be too long together.
            Err(Error::Fault(_) | Error::InvalidAnswer | Error::AnswerTooLong | Error::MemoryFull) => {
                group.into_iter().for_each(|waiting| self.resend_single(waiting))
            }
            Err(error) => {
                for waiting in group {
                    let _ = waiting.reply.send(Err(error.clone()));
                }
            }
        }
    }

    /// Retries a call alone and without a slot: it may be slow, and queued calls wait for the slot.
    fn resend_single(self: &Arc<Self>, waiting: WaitingCall) {
        let batcher = Arc::clone(self);
        tokio::spawn(async move { batcher.send_single(waiting).await });
    }

    /// The call itself where it may be sent now: it holds a slot then.
    fn start_or_queue(&self, call: Call, deadline: Deadline) -> Result<Call, PendingAnswer> {
        let mut queue = self.lock_queue();
        if queue.busy < queue.slots {
            queue.busy += 1;
            return Ok(call);
        }
        let (reply, answer) = oneshot::channel();
        queue.waiting.push_back(WaitingCall { call, deadline, reply });
        Err(answer)
    }

    fn lock_queue(&self) -> MutexGuard<'_, BatchQueue> {
        self.queue.locked()
    }
}

impl BatchQueue {
    /// The next batch: all of a few calls, since a second request would cost more than it saves; of many, a share
    /// for each slot. Round robin over connections: the first call of each, then the second of each.
    fn next_batch(&mut self, max_calls: usize) -> Vec<WaitingCall> {
        self.waiting.retain(|waiting| !waiting.reply.is_closed());
        let share = self.waiting.len().div_ceil(self.slots.max(1)).max(MIN_BATCH_CALLS).min(max_calls);
        let count = share.min(self.waiting.len());
        if count < self.waiting.len() {
            let mut calls: HashMap<ConnectionId, usize> = HashMap::new();
            let turn = |waiting: &WaitingCall| {
                let before = calls.entry(waiting.call.connection).or_default();
                *before += 1;
                *before
            };
            let turns: Vec<_> = self.waiting.iter().map(turn).collect();
            let mut waiting: Vec<_> = turns.into_iter().zip(self.waiting.drain(..)).collect();
            waiting.sort_by_key(|(turn, _)| *turn);
            self.waiting = waiting.into_iter().map(|(_, waiting)| waiting).collect();
        }
        self.waiting.drain(..count).collect()
    }
}

fn is_small(call: &Call) -> bool {
    !call.dry_run && call.steps.len() <= MAX_SMALL_STEPS && call.steps.iter().all(is_small_step)
}

fn is_small_step(step: &Step) -> bool {
    match step {
        Step::SearchRead { limit, .. } | Step::NameSearch { limit, .. } => *limit as usize <= MAX_SMALL_ROWS,
        Step::Read { ids, .. } => ids.len() <= MAX_SMALL_ROWS,
        Step::SearchCount { .. } | Step::Session {} => true,
        _ => false,
    }
}

/// Reserves the memory of one answer of a batch.
fn reserve_answer(call: &Call, answer: &Answer) -> bool {
    let bytes: usize = answer.results.iter().map(|result| result.get().len()).sum();
    call.account.try_grow(bytes.saturating_mul(ANSWER_COPIES)).is_ok()
}
