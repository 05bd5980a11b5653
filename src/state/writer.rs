//! The writer: commits batches to the SQLite file, checkpoints its write-ahead log and manages the disk
//! reserve.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::counter_map::{ConnectionCounters, CounterMap};
use super::disk_reserve::DiskReserve;
use super::sqlite_file::{Error, SqliteFile, is_disk_full};
use super::write_queue::{CommitProgress, Maintenance, OldestQuery, WriteBatch, WriteOp};
use super::{DeliveryReport, SpoolEntry, StorageFault};
use crate::vocab::{ConnectionId, MutexExt};

/// How often counters of past days are deleted, in seconds.
const COUNTER_EXPIRY_INTERVAL_SECS: i64 = 3600;

/// Changed rows after which the file is measured; after which it is checkpointed as soon as the queue is
/// idle, so that no request waits for it; and after which it is checkpointed in any case.
const MEASURE_AFTER_ROWS: usize = 64;
const IDLE_CHECKPOINT_AFTER_ROWS: usize = 1024;
const FORCED_CHECKPOINT_AFTER_ROWS: usize = 8192;

/// The most bytes of one transaction, so that the write-ahead log keeps its bound.
const MAX_TRANSACTION_BYTES: usize = 128 * 1024;

/// The most entries that one transaction deletes while the volume is nearly full.
const LOW_SPACE_DELETE_ROWS: usize = 16;

/// How often the allocation of a missing reserve is retried.
const RESERVE_RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The health of the file, readable without the writer's lock.
#[derive(Debug, Default)]
pub(super) struct Health {
    closed: AtomicBool,
    failing: AtomicBool,
    no_space: AtomicBool,
    bytes_used: AtomicU64,
    values: Mutex<HashMap<String, String>>,
}

impl Health {
    pub(super) fn fault(&self) -> Option<StorageFault> {
        if self.closed.load(Ordering::Acquire) {
            Some(StorageFault::NotOpen)
        } else if self.failing.load(Ordering::Acquire) {
            Some(StorageFault::Unwritable)
        } else {
            self.no_space.load(Ordering::Acquire).then_some(StorageFault::NoSpace)
        }
    }

    pub(super) fn bytes_used(&self) -> u64 {
        self.bytes_used.load(Ordering::Acquire)
    }

    pub(super) fn values(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.values.locked()
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    directory: PathBuf,
    /// None before it could be opened and after `close`.
    file: Option<SqliteFile>,
    reserve: DiskReserve,
    counters: Arc<CounterMap>,
    health: Arc<Health>,
    progress: watch::Sender<CommitProgress>,
    expired_at: i64,
    reserve_tried: Instant,
    /// Changed rows since the file was measured, and since its last checkpoint.
    rows_since_measured: usize,
    rows_since_checkpoint: usize,
    /// Changes that are not committed yet.
    pending_ops: Vec<WriteOp>,
    dirty_counters: HashSet<ConnectionId>,
}

impl Writer {
    /// Opens the file; on a full volume it is opened later.
    pub(super) fn open(
        directory: &Path,
        counters: Arc<CounterMap>,
        health: Arc<Health>,
        progress: watch::Sender<CommitProgress>,
    ) -> Result<Self, Error> {
        let mut writer = Self {
            directory: directory.to_owned(),
            file: None,
            reserve: DiskReserve::new(directory),
            counters,
            health,
            progress,
            expired_at: 0,
            reserve_tried: Instant::now(),
            rows_since_measured: 0,
            rows_since_checkpoint: 0,
            pending_ops: Vec::new(),
            dirty_counters: HashSet::new(),
        };
        match writer.open_file() {
            Err(error) if error.is_disk_full() => {
                tracing::error!(%error, "the state file cannot be opened: tool calls are refused until a retry succeeds");
                writer.health.closed.store(true, Ordering::Release);
            }
            opened => opened?,
        }
        Ok(writer)
    }

    fn open_file(&mut self) -> Result<(), Error> {
        let file = match SqliteFile::open(&self.directory, self.reserve.max_wal_bytes()) {
            Err(error) if error.is_disk_full() => {
                self.reserve.release();
                SqliteFile::open(&self.directory, self.reserve.max_wal_bytes())?
            }
            opened => opened?,
        };
        let unusable = |error| Error::Unusable(self.directory.clone(), error);
        for (owner, counts) in file.read_counters().map_err(unusable)? {
            self.counters.entry(owner).or_default().merge(counts);
        }
        let mut values = self.health.values();
        for (name, text) in file.load_values().map_err(unusable)? {
            values.entry(name).or_insert(text);
        }
        drop(values);
        self.health.bytes_used.store(file.bytes_used().map_err(unusable)?, Ordering::Release);
        self.file = Some(file);
        self.health.closed.store(false, Ordering::Release);
        self.restore_reserve();
        Ok(())
    }

    /// Commits a batch together with all earlier changes that failed, and publishes `last` as the commit
    /// position. Returns whether the maintenance state has changed.
    pub(super) fn commit(&mut self, batch: WriteBatch, last: u64) -> bool {
        let before = self.maintenance();
        self.dirty_counters.extend(batch.dirty_counters);
        self.pending_ops.extend(batch.ops);
        let outcome = match self.file.take() {
            Some(mut file) => {
                let outcome = self.write_pending(&mut file);
                self.file = Some(file);
                outcome
            }
            None => Err(rusqlite::Error::InvalidQuery),
        };
        if outcome.is_err() {
            coalesce(&mut self.pending_ops);
        }
        let failed = outcome.is_err();
        self.report_health(outcome);
        self.progress.send_replace(CommitProgress { sequence: last, failed });
        self.maintenance() != before
    }

    fn write_pending(&mut self, file: &mut SqliteFile) -> rusqlite::Result<()> {
        if self.pending_ops.is_empty() && self.dirty_counters.is_empty() {
            return Ok(());
        }
        if !self.reserve.is_allocated() && self.reserve.is_space_low() {
            self.write_acknowledgements(file)?;
            self.restore_reserve_with(file);
        }
        if !self.reserve.is_allocated() && self.reserve.is_space_low() && !self.pending_ops.is_empty() {
            // The space that is left is for deletions: entries wait in memory.
            return Err(disk_full_error());
        }
        match self.write_in_batches(file) {
            Err(error) if is_disk_full(&error) => {
                self.reserve.release();
                self.report_space();
                let _ = file.reclaim_space();
                let outcome = self.write_in_batches(file);
                self.restore_reserve_with(file);
                outcome
            }
            outcome => outcome,
        }
    }

    /// Commits all pending changes in transactions of bounded size.
    fn write_in_batches(&mut self, file: &mut SqliteFile) -> rusqlite::Result<()> {
        let counters: Vec<_> = self
            .dirty_counters
            .iter()
            .filter_map(|owner| self.counters.get(owner).map(|counts| (*owner, *counts)))
            .collect();
        let mut counts = counters.as_slice();
        while !self.pending_ops.is_empty() || !counts.is_empty() {
            let ops = batch_len(&self.pending_ops);
            file.write(counts, self.pending_ops.get(..ops).unwrap_or(&self.pending_ops))?;
            counts = &[];
            let rows = self.pending_ops.drain(..ops).map(|op| op.rows()).sum::<usize>();
            self.rows_since_measured += rows;
            self.rows_since_checkpoint += rows;
            self.checkpoint_if_wal_large(file)?;
        }
        self.dirty_counters.clear();
        if self.rows_since_measured >= MEASURE_AFTER_ROWS {
            self.rows_since_measured = 0;
            self.health.bytes_used.store(file.bytes_used()?, Ordering::Release);
        }
        self.expire_counters(file, &counters)
    }

    fn checkpoint_if_wal_large(&mut self, file: &SqliteFile) -> rusqlite::Result<()> {
        if file.wal_bytes() <= self.reserve.max_wal_bytes() * 3 / 4 {
            return Ok(());
        }
        self.rows_since_checkpoint = 0;
        file.checkpoint()
    }

    /// Commits only the acknowledgements, in small steps: deletions free space.
    fn write_acknowledgements(&mut self, file: &mut SqliteFile) -> rusqlite::Result<()> {
        let (delivered, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pending_ops)
            .into_iter()
            .partition(|op| matches!(op, WriteOp::Acknowledge(_)));
        self.pending_ops = rest;
        let mut delivered = delivered.into_iter().flat_map(split_acknowledgement);
        while let Some(op) = delivered.next() {
            if let Err(error) = file.write(&[], std::slice::from_ref(&op)).and_then(|()| file.checkpoint()) {
                // Ahead of the changes queued after it.
                self.pending_ops.splice(0..0, std::iter::once(op).chain(delivered));
                return Err(error);
            }
        }
        Ok(())
    }

    pub(super) fn answer_queries(&self, queries: Vec<OldestQuery>) {
        for query in queries {
            let found = self.file.as_ref().and_then(|file| file.oldest_entries(query.limit).ok());
            // The receiver may be gone.
            let _ = query.reply.send(found.unwrap_or_default());
        }
    }

    /// Closes the file.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    pub(super) fn maintenance(&self) -> Maintenance {
        if self.file.is_none() || !self.reserve.is_allocated() {
            Maintenance::RecoverSpace
        } else if self.rows_since_checkpoint >= IDLE_CHECKPOINT_AFTER_ROWS {
            Maintenance::WhenIdle
        } else {
            Maintenance::NotDue
        }
    }

    /// Retries a missing file or reserve, and checkpoints. Blocks on the disk, and so do requests meanwhile:
    /// hence sooner when the queue is `idle`.
    pub(super) fn maintain(&mut self, idle: bool) {
        if self.reserve_tried.elapsed() >= RESERVE_RETRY_INTERVAL
            && self.maintenance() == Maintenance::RecoverSpace
        {
            self.reserve_tried = Instant::now();
            if self.file.is_none() && self.open_file().is_ok() {
                tracing::info!("the state file is open");
            }
            self.restore_reserve();
        }
        if self.rows_since_checkpoint
            < if idle { IDLE_CHECKPOINT_AFTER_ROWS } else { FORCED_CHECKPOINT_AFTER_ROWS }
        {
            return;
        }
        self.rows_since_checkpoint = 0;
        if let Some(Err(error)) = self.file.as_ref().map(SqliteFile::vacuum_and_checkpoint) {
            tracing::debug!(%error, "the state file could not be checkpointed");
        }
    }

    fn restore_reserve(&mut self) {
        if let Some(file) = self.file.take() {
            self.restore_reserve_with(&file);
            self.file = Some(file);
        }
    }

    /// Vacuums the file and allocates the reserve.
    fn restore_reserve_with(&mut self, file: &SqliteFile) {
        if !self.reserve.is_allocated() {
            let _ = file.reclaim_space();
            self.reserve.ensure_allocated();
        }
        self.report_space();
    }

    fn report_space(&self) {
        let no_space = !self.reserve.is_allocated();
        if self.health.no_space.swap(no_space, Ordering::AcqRel) != no_space {
            if no_space {
                tracing::error!(
                    "the volume of the data directory is full: tool calls are refused until it has space"
                );
            } else {
                tracing::info!("the volume of the data directory has space again");
            }
        }
    }

    fn report_health(&self, outcome: rusqlite::Result<()>) {
        let was = self.health.failing.swap(outcome.is_err(), Ordering::AcqRel);
        match outcome {
            Err(error) if !was && self.file.is_some() => {
                tracing::error!(%error, "the state file cannot be written: tool calls are refused until a retry succeeds");
            }
            Ok(()) if was => tracing::info!("the state file can be written again"),
            _ => {}
        }
    }

    /// Deletes, once an hour, the counters whose day has ended at the time of the latest request.
    fn expire_counters(
        &mut self,
        file: &mut SqliteFile,
        counters: &[(ConnectionId, ConnectionCounters)],
    ) -> rusqlite::Result<()> {
        let now = counters.iter().map(|(_, counts)| counts.minute.start).max().unwrap_or(0);
        if now < self.expired_at + COUNTER_EXPIRY_INTERVAL_SECS {
            return Ok(());
        }
        self.expired_at = now;
        self.counters.retain(|_, counts| counts.day.end > now);
        file.delete_expired(now)
    }
}

#[cfg(test)]
impl Writer {
    pub(super) fn execute(&self, sql: &str) {
        self.file.as_ref().unwrap().execute(sql);
    }

    pub(super) fn wal_bytes(&self) -> (u64, u64) {
        (self.file.as_ref().unwrap().wal_bytes(), self.reserve.max_wal_bytes())
    }
}

fn disk_full_error() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None)
}

/// How many of the changes fit into one transaction.
fn batch_len(ops: &[WriteOp]) -> usize {
    let mut bytes = 0;
    let fitting = ops.iter().take_while(|op| {
        bytes += op.bytes();
        bytes <= MAX_TRANSACTION_BYTES
    });
    fitting.count().max(1).min(ops.len())
}

/// Splits an acknowledgement into small ones.
fn split_acknowledgement(op: WriteOp) -> Vec<WriteOp> {
    let WriteOp::Acknowledge(DeliveryReport { delivered, deferred, dead_lettered }) = op else {
        return vec![op];
    };
    let chunk = delivered
        .chunks(LOW_SPACE_DELETE_ROWS)
        .map(|chunk| DeliveryReport { delivered: chunk.to_vec(), ..DeliveryReport::default() });
    let rest = DeliveryReport { delivered: Vec::new(), deferred, dead_lettered };
    chunk.chain([rest]).map(WriteOp::Acknowledge).collect()
}

/// Keeps only the latest change of each entry and key, so that pending changes do not outnumber entries.
fn coalesce(ops: &mut Vec<WriteOp>) {
    let (mut seen_ids, mut seen_names) = (HashSet::new(), HashSet::new());
    let mut latest: Vec<WriteOp> = std::mem::take(ops)
        .into_iter()
        .rev()
        .filter(|op| match op {
            WriteOp::Put(SpoolEntry { id, .. }, _) | WriteOp::Remove(id) => seen_ids.insert(*id),
            WriteOp::SetValue(name, _) => seen_names.insert(*name),
            WriteOp::Acknowledge(_) | WriteOp::RequeueDeferred => true,
        })
        .collect();
    latest.reverse();
    *ops = latest;
}
