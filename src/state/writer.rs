//! The writer: commits batches to the SQLite file, checkpoints its write-ahead log and manages the disk
//! reserve.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::counter_map::{ConnectionCounters, CounterMap};
use super::disk_reserve::DiskReserve;
use super::health::Health;
use super::pending_ops::{batch_len, coalesce, split_acknowledgement};
use super::sqlite_file::{Error, SqliteFile, is_disk_full};
use super::write_queue::{CommitProgress, Maintenance, OldestQuery, WriteBatch, WriteOp};
use crate::vocab::ConnectionId;

/// How often counters of past days are deleted, in seconds.
const COUNTER_EXPIRY_INTERVAL_SECS: i64 = 3600;

/// Changed rows after which the file is measured; after which it is checkpointed as soon as the queue is
/// idle, so that no request waits for it; and after which it is checkpointed in any case.
const MEASURE_AFTER_ROWS: usize = 64;
const IDLE_CHECKPOINT_AFTER_ROWS: usize = 1024;
const FORCED_CHECKPOINT_AFTER_ROWS: usize = 8192;

/// How often the allocation of a missing reserve is retried.
const RESERVE_RETRY_INTERVAL: Duration = Duration::from_secs(1);

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
                writer.health.report_closed(&error);
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
        self.health.set_bytes_used(file.bytes_used().map_err(unusable)?);
        self.file = Some(file);
        self.health.report_open();
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
        self.health.report_commit(outcome);
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
                self.health.report_space(!self.reserve.is_allocated());
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
            self.health.set_bytes_used(file.bytes_used()?);
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
        self.health.report_space(!self.reserve.is_allocated());
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
