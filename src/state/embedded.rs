//! Counts and spool of one process: counts exact in memory, everything kept in its file.
//!
//! A request is counted under the lock of its connection, so no two can take the last place. Where a day limit is in force, the answer of a request waits until its count is written (beside
//! its work, not before it): what a client has got an answer for is counted, whatever happens to the process
//! then, short of a loss of power. Otherwise a kill can take the last tenth of a second. The counts of the
//! minute lie in the same row but are not waited for: a minute is soon over.
//!
//! One writes at a time, whoever has the pen. Who leaves an entry takes it if it lies there, since writing takes
//! less time (8 us) than to wake another thread and be woken by it (60 us); else, and for all that nobody waits
//! for, there is a thread. What could not be written is tried again every second; meanwhile `trouble` tells that
//! nothing more should be begun.
//!
//! On a volume without room the file may not even be opened: the process serves all the same, refuses what has to
//! be kept, and goes on by itself when there is room.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::counter_map::CounterMap;
use super::sqlite_file::Error;
use super::write_queue::{Maintenance, WriteOp, WriteQueue};
use super::writer::{Health, Writer};
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
        let (queue, written) = WriteQueue::new();
        let queue = Arc::new(queue);
        let health = Arc::new(Health::default());
        let state_writer = Writer::open(directory, Arc::clone(&counters), Arc::clone(&health), written)?;
        let state_writer = Arc::new(Mutex::new(state_writer));
        let writing = (Arc::clone(&queue), Arc::clone(&state_writer), Arc::clone(&health));
        let writer = std::thread::Builder::new()
            .name("state".to_owned())
            .spawn(move || run_writer(&writing.0, &writing.1, &writing.2))
            .map_err(|error| unusable(rusqlite::Error::ToSqlConversionFailure(Box::new(error))))?;
        Ok(Self { counters, queue, writer: state_writer, health, writer_thread: Mutex::new(Some(writer)) })
    }

    /// Writes what lies on the desk, unless somebody else is writing: then the thread does it next.
    fn write_or_wake(&self) {
        match self.writer.try_lock() {
            Ok(mut state_writer) => {
                let (batch, last) = self.queue.drain_urgent();
                if state_writer.commit(batch, last) {
                    self.queue.wake_writer();
                }
            }
            Err(_) => self.queue.wake_writer(),
        }
    }

    /// Counts a request; answers how many the day has with it.
    fn count_in_memory(&self, owner: ConnectionId, windows: Windows) -> Result<i64, LimitPeriod> {
        let mut counts = self.counters.entry(owner).or_default();
        counts.minute.roll_over(windows.minute);
        counts.day.roll_over(windows.day);
        // The day first: where both are full, it is what the client has to wait for.
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
        // Nobody waits for a disk that is full: the counts in memory still hold.
        let urgent = windows.day.limit > 0 && self.health.fault().is_none();
        let counted = self.count_in_memory(owner, windows);
        let counted =
            counted.map(|day| CountedRequest { ticket: self.queue.enqueue_count(owner, urgent), day });
        Box::pin(std::future::ready(counted))
    }

    fn close(&self) {
        self.queue.close();
        let writer = self.writer_thread.locked().take();
        if let Some(writer) = writer {
            let _ = writer.join();
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

/// The thread that writes what nobody waits for, and all that comes while somebody else has the pen. It also
/// looks after the file.
fn run_writer(queue: &WriteQueue, state_writer: &Mutex<Writer>, health: &Health) {
    let mut seen = 0;
    let mut maintenance = state_writer.locked().maintenance();
    loop {
        let failing = matches!(health.fault(), Some(StorageFault::NotOpen | StorageFault::Unwritable));
        queue.wait_for_work(failing, maintenance);
        let mut state_writer = state_writer.locked();
        let drained = queue.drain();
        state_writer.commit(drained.batch, drained.last_sequence);
        state_writer.answer_queries(drained.queries);
        if drained.closed {
            return state_writer.close();
        }
        let idle = maintenance == Maintenance::WhenIdle && drained.last_sequence == seen;
        state_writer.maintain(idle);
        (seen, maintenance) = (drained.last_sequence, state_writer.maintenance());
    }
}

#[cfg(test)]
mod tests;
