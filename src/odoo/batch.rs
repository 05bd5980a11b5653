//! Small reads that come while Odoo is busy share one request.
//!
//! Odoo has a handful of workers, and what a small read costs there is mostly the request round it. A read
//! that finds a lane free leaves at once and alone; further ones wait until a lane comes free and then leave
//! together. There is no timer: a single client never waits, and the busier Odoo is, the more share a request.
//!
//! Nobody pays for his neighbour: each call is answered for itself, a batch is given little time in Odoo, and
//! what it could not do in that time, or because the batch failed as a whole, is asked again alone.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{timeout, timeout_at};

use super::client::{Client, Deadline};
use super::contract::{Answer, Call, FaultCode, Step};
use super::memory_budget::ANSWER_COPIES;
use super::{Error, cost};
use crate::vocab::{ConnectionId, MutexExt};

/// The time in Odoo that a whole batch gets.
const BATCH_DEADLINE_MS: u64 = 1_000;
/// How long a request has a lane for itself.
const MAX_SLOT_HOLD: Duration = Duration::from_millis(BATCH_DEADLINE_MS);
/// The most rows or records that a small read asks for.
const MAX_SMALL_ROWS: usize = 100;
/// The most steps of one.
const MAX_SMALL_STEPS: usize = 3;
/// So many leave together without waiting for another lane.
const MIN_BATCH_CALLS: usize = 4;
/// Who waits, and how many requests are on their way.
#[derive(Debug)]
pub(super) struct Batcher {
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

/// Where a call that has to wait gets its answer.
type PendingAnswer = oneshot::Receiver<Result<Answer, Error>>;

/// A request on its way. Dropped, it lets those go who wait.
struct BatchSlot(Arc<Client>);

impl BatchSlot {
    /// Holds the lane while the request is under way, but no longer than a batch may take: what is slow keeps
    /// one worker of Odoo busy, and those who wait may find another one idle.
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
    pub(super) fn new(most: usize, lanes: usize) -> Self {
        let line = BatchQueue { slots: lanes, busy: 0, waiting: VecDeque::new() };
        Self { max_calls: most, queue: Mutex::new(line) }
    }

    /// The call itself where it may leave now: it has a lane then.
    fn start_or_queue(&self, call: Call, deadline: Deadline) -> Result<Call, PendingAnswer> {
        let mut line = self.lock_queue();
        if line.busy < line.slots {
            line.busy += 1;
            return Ok(call);
        }
        let (reply, answer) = oneshot::channel();
        line.waiting.push_back(WaitingCall { call, deadline, reply });
        Err(answer)
    }

    fn lock_queue(&self) -> MutexGuard<'_, BatchQueue> {
        self.queue.locked()
    }
}

impl BatchQueue {
    /// The next to leave together: a few at once, as one request more would cost them more than their company;
    /// of many each lane takes its share. Connections take turns: each one's first, then each one's second.
    fn next_batch(&mut self, most: usize) -> Vec<WaitingCall> {
        self.waiting.retain(|waiting| !waiting.reply.is_closed());
        let share = self.waiting.len().div_ceil(self.slots.max(1)).max(MIN_BATCH_CALLS).min(most);
        let leaving = share.min(self.waiting.len());
        if leaving < self.waiting.len() {
            let mut asked: HashMap<ConnectionId, usize> = HashMap::new();
            let turn = |waiting: &WaitingCall| {
                let before = asked.entry(waiting.call.connection).or_default();
                *before += 1;
                *before
            };
            let turns: Vec<_> = self.waiting.iter().map(turn).collect();
            let mut waiting: Vec<_> = turns.into_iter().zip(self.waiting.drain(..)).collect();
            waiting.sort_by_key(|(turn, _)| *turn);
            self.waiting = waiting.into_iter().map(|(_, waiting)| waiting).collect();
        }
        self.waiting.drain(..leaving).collect()
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

/// Reserves the memory of an answer that came with others.
fn reserve_answer(call: &Call, answer: &Answer) -> bool {
    let bytes: usize = answer.results.iter().map(|result| result.get().len()).sum();
    call.account.try_grow(bytes.saturating_mul(ANSWER_COPIES)).is_ok()
}

// === impl Client ===

impl Client {
    /// Carries out a reading call, together with others where Odoo is busy.
    pub async fn read_batched(self: &Arc<Self>, call: Call) -> Result<Answer, Error> {
        let deadline = Deadline::within(Duration::from_millis(call.deadline_ms));
        if !self.is_batchable(&call) {
            return self.read_within(&call, deadline).await;
        }
        match self.batcher.start_or_queue(call, deadline) {
            Ok(call) => BatchSlot(Arc::clone(self)).run(self.read_within(&call, deadline)).await,
            Err(answer) => match timeout_at(deadline.http, answer).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(Error::Unreachable),
                Err(_) => Err(Error::TimedOut),
            },
        }
    }

    /// Not what is slow: those that share its request would wait for it.
    fn is_batchable(&self, call: &Call) -> bool {
        self.batcher.max_calls > 1 && is_small(call) && !self.admission.is_heavy(cost::demand(call))
    }

    /// Odoo has said how many workers it has: as many requests keep all of them busy.
    pub(super) fn set_workers(self: &Arc<Self>, workers: usize) {
        let workers = if workers == 0 { self.options.threads } else { workers };
        self.admission.set_permits(workers);
        let mut line = self.batcher.lock_queue();
        line.slots = workers;
        let more = line.slots.saturating_sub(line.busy).min(line.waiting.len());
        line.busy += more;
        drop(line);
        for _ in 0..more {
            drop(BatchSlot(Arc::clone(self)));
        }
    }

    /// A lane has come free: those who wait take it, or nobody does.
    fn release_slot(self: &Arc<Self>) {
        let mut line = self.batcher.lock_queue();
        let surplus = line.busy > line.slots;
        let group = if surplus { Vec::new() } else { line.next_batch(self.batcher.max_calls) };
        if group.is_empty() {
            line.busy -= 1;
            return;
        }
        drop(line);
        let lane = BatchSlot(Arc::clone(self));
        // Without a runtime the process is ending; those who wait are dropped like all else.
        if let Ok(runtime) = Handle::try_current() {
            let client = Arc::clone(self);
            runtime.spawn(lane.run(async move { client.send_group(group).await }));
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
        let _ = reply.send(self.read_within(&call, deadline).await);
    }

    async fn send_batch(self: &Arc<Self>, group: Vec<WaitingCall>) {
        let calls: Vec<_> = group.iter().map(|waiting| (&waiting.call, waiting.deadline)).collect();
        match self.read_batch(&calls, BATCH_DEADLINE_MS).await {
            Ok(answers) => {
                for (waiting, answer) in group.into_iter().zip(answers) {
                    match answer {
                        Err(fault) if fault.code == FaultCode::Deadline => self.resend_single(waiting),
                        // What was read for all together becomes a matter of its own connection.
                        Ok(answer) if !reserve_answer(&waiting.call, &answer) => self.resend_single(waiting),
                        answer => _ = waiting.reply.send(answer.map_err(Error::Fault)),
                    }
                }
            }
            // One call may have spoilt the request for all, or their answers be too much together.
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

    /// Alone and outside of the lanes: it may be slow, and others wait for the lane.
    fn resend_single(self: &Arc<Self>, waiting: WaitingCall) {
        let client = Arc::clone(self);
        tokio::spawn(async move { client.send_single(waiting).await });
    }
}
