//! The embedded store of one process: counters exact in memory, everything durable in one SQLite file.
//!
//! A request is counted under the lock of its connection, so that two requests cannot both take the last one
//! of a limit. With a limit a day, the answer of a request waits until its count is committed (in parallel to
//! its work, not before it): a request that was answered stays counted after a crash of the process, short of
//! a loss of power. Without one, a kill can lose the last tenth of a second. Counts of the minute share the
//! row but are not waited for, since a minute is soon over.
//!
//! Group commit: one thread of the process writes at a time, the one that holds the lock of `Writer`. A
//! request that queues an entry commits the batch itself if the lock is free, since that takes less time (8
//! us) than to wake a thread and be woken by it (60 us); otherwise, and for all writes without a waiter, the
//! writer thread does it. A failed write is retried every second; meanwhile `fault` says that no new call may
//! start.
//!
//! On a full volume the file may not even open: the process serves anyway, refuses calls that need a durable
//! entry, and recovers without a restart when there is space.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::counter_map::CounterMap;
use super::health::Health;
use super::sqlite_file::Error;
use super::write_queue::{Maintenance, WriteOp, WriteQueue};
use super::writer::Writer;
use super::{
    CommitTicket, CountedRequest, CounterStore, DeliveryReport, KeyValueStore, LimitPeriod, Spool,
    SpoolEntry, Stage, StorageFault, Windows,
};
use crate::vocab::{ConnectionId, MutexExt};

/// The store of one process.
#[derive(Debug)]
pub struct EmbeddedStore {
    counters: Arc<CounterMap>,
    queue: Arc<WriteQueue>,
    writer: Arc<Mutex<Writer>>,
    health: Arc<Health>,
    writer_thread: Mutex<Option<JoinHandle<()>>>,
}

// === impl EmbeddedStore ===

impl EmbeddedStore {
    /// Opens the store in `directory`, which no other process may use.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let unusable = |error| Error::Unusable(directory.to_owned(), error);
        let counters = Arc::new(CounterMap::default());
        let (queue, progress) = WriteQueue::new();
        let queue = Arc::new(queue);
        let health = Arc::new(Health::default());
        let writer = Writer::open(directory, Arc::clone(&counters), Arc::clone(&health), progress)?;
        let writer = Arc::new(Mutex::new(writer));
        let shared = (Arc::clone(&queue), Arc::clone(&writer), Arc::clone(&health));
        let thread = std::thread::Builder::new()
            .name("state".to_owned())
            .spawn(move || run_writer(&shared.0, &shared.1, &shared.2))
            .map_err(|error| unusable(rusqlite::Error::ToSqlConversionFailure(Box::new(error))))?;
        Ok(Self { counters, queue, writer, health, writer_thread: Mutex::new(Some(thread)) })
    }

    /// Commits the queued batch if the writer is free; otherwise the writer thread commits it next.
    fn write_or_wake(&self) {
        match self.writer.try_lock() {
            Ok(mut writer) => {
                let (batch, last) = self.queue.drain_urgent();
                if writer.commit(batch, last) {
                    self.queue.wake_writer();
                }
            }
            Err(_) => self.queue.wake_writer(),
        }
    }

    /// Counts a request in memory and returns the count of its day.
    fn count_in_memory(&self, owner: ConnectionId, windows: Windows) -> Result<i64, LimitPeriod> {
        let mut counts = self.counters.entry(owner).or_default();
        counts.minute.roll_over(windows.minute);
        counts.day.roll_over(windows.day);
        // The day first: if both are full, the client has to wait for the day.
        if counts.day.is_at_limit(windows.day) {
            return Err(LimitPeriod::Day);
        }
        if counts.minute.is_at_limit(windows.minute) {
            return Err(LimitPeriod::Minute);
        }
        counts.minute.count += 1;
        counts.day.count += 1;
        Ok(counts.day.count)
    }
}

impl CounterStore for EmbeddedStore {
    fn count_request(
        &self,
        owner: ConnectionId,
        windows: Windows,
    ) -> BoxFuture<'_, Result<CountedRequest, LimitPeriod>> {
        // No wait for a full disk: the counts in memory still hold.
        let urgent = windows.day.limit > 0 && self.health.fault().is_none();
        let counted = self.count_in_memory(owner, windows);
        let counted =
            counted.map(|day| CountedRequest { ticket: self.queue.enqueue_count(owner, urgent), day });
        Box::pin(std::future::ready(counted))
    }

    fn close(&self) {
        self.queue.close();
        let thread = self.writer_thread.locked().take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Spool for EmbeddedStore {
    fn put(&self, entry: SpoolEntry, stage: Stage) -> CommitTicket {
        let ticket = self.queue.enqueue(WriteOp::Put(entry, stage));
        self.write_or_wake();
        ticket
    }

    fn put_in_background(&self, entries: Vec<(SpoolEntry, Stage)>) {
        for (entry, stage) in entries {
            self.queue.enqueue(WriteOp::Put(entry, stage));
        }
        self.queue.wake_writer();
    }

    fn remove(&self, id: Uuid) {
        self.queue.enqueue(WriteOp::Remove(id));
        self.queue.wake_writer();
    }

    fn peek_oldest(&self, limit: usize) -> BoxFuture<'_, Vec<SpoolEntry>> {
        let answer = self.queue.query_oldest(limit);
        Box::pin(async move { answer.await.unwrap_or_default() })
    }

    fn acknowledge(&self, report: DeliveryReport) -> BoxFuture<'_, bool> {
        let ticket = self.queue.enqueue(WriteOp::Acknowledge(report));
        self.queue.wake_writer();
        Box::pin(ticket.committed())
    }

    fn requeue_deferred(&self) {
        self.queue.enqueue(WriteOp::RequeueDeferred);
        self.queue.wake_writer();
    }

    fn bytes_used(&self) -> u64 {
        self.health.bytes_used()
    }

    fn fault(&self) -> Option<StorageFault> {
        self.health.fault()
    }
}

impl KeyValueStore for EmbeddedStore {
    fn is_open(&self) -> bool {
        self.health.fault() != Some(StorageFault::NotOpen)
    }

    fn get(&self, name: &str) -> Option<String> {
        self.health.values().get(name).cloned()
    }

    fn set(&self, name: &'static str, text: String) {
        self.health.values().insert(name.to_owned(), text.clone());
        self.queue.enqueue(WriteOp::SetValue(name, text));
        self.queue.wake_writer();
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.close();
    }
}

/// The writer thread: commits the batches without a waiter and those queued during another commit, answers
/// queries, and does the maintenance of the file.
fn run_writer(queue: &WriteQueue, writer: &Mutex<Writer>, health: &Health) {
    let mut seen = 0;
    let mut maintenance = writer.locked().maintenance();
    loop {
        let failing = matches!(health.fault(), Some(StorageFault::NotOpen | StorageFault::Unwritable));
        queue.wait_for_work(failing, maintenance);
        let mut writer = writer.locked();
        let drained = queue.drain();
        writer.commit(drained.batch, drained.last_sequence);
        writer.answer_queries(drained.queries);
        if drained.closed {
            return writer.close();
        }
        let idle = maintenance == Maintenance::WhenIdle && drained.last_sequence == seen;
        writer.maintain(idle);
        (seen, maintenance) = (drained.last_sequence, writer.maintenance());
    }
}

#[cfg(test)]
mod tests;
