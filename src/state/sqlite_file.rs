//! The SQLite file: locked by one process at a time, readable by a person with `sqlite3`.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::SpoolEntry;
use super::counter_map::{ConnectionCounters, WindowCount};
use super::sql;
use super::write_queue::WriteOp;
use crate::vocab::ConnectionId;

const STATE_FILE_NAME: &str = "state.sqlite";
const WAL_FILE_NAME: &str = "state.sqlite-wal";

/// The schema version of the file (`user_version`).
const SCHEMA_VERSION: i64 = 2;

/// The schema version before the spool was added.
const SCHEMA_VERSION_WITHOUT_SPOOL: i64 = 1;

/// How long to wait for a process that is just closing the file.
const BUSY_TIMEOUT: Duration = Duration::from_millis(500);

const COUNTER_SCHEMA_SQL: &str = "
    CREATE TABLE IF NOT EXISTS counter (
        connection INTEGER PRIMARY KEY,
        minute_start INTEGER NOT NULL, minute_end INTEGER NOT NULL, minute_count INTEGER NOT NULL,
        day_start INTEGER NOT NULL, day_end INTEGER NOT NULL, day_count INTEGER NOT NULL
    )";

const PAGE_BYTES: u64 = 4096;

/// The most vacuum steps at a time on a full volume.
const MAX_VACUUM_STEPS: usize = 256;

const UPSERT_COUNTER_SQL: &str = "INSERT OR REPLACE INTO counter VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} is in use: another sidecar runs with the same data_dir; give each one its own")]
    InUse(PathBuf),
    #[error("{0} was written by another version of the sidecar")]
    Version(PathBuf),
    #[error("{0}: {1}")]
    Unusable(PathBuf, rusqlite::Error),
}

impl Error {
    /// Whether a retry may succeed once the volume has space.
    pub(super) fn is_disk_full(&self) -> bool {
        matches!(self, Self::Unusable(_, error) if is_disk_full(error))
    }
}

/// Whether the volume was full, by SQLite's error code.
pub(super) fn is_disk_full(error: &rusqlite::Error) -> bool {
    if let rusqlite::Error::ToSqlConversionFailure(inner) = error {
        let io = inner.downcast_ref::<std::io::Error>();
        return io.is_some_and(|io| matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded));
    }
    let full = [ErrorCode::DiskFull, ErrorCode::SystemIoFailure];
    error.sqlite_error_code().is_some_and(|code| full.contains(&code))
}

/// The connection, and the path of its write-ahead log.
#[derive(Debug)]
pub(super) struct SqliteFile(Connection, PathBuf);

impl SqliteFile {
    /// Opens or creates the file in `directory` and locks it until dropped.
    pub(super) fn open(directory: &Path, max_wal_bytes: u64) -> Result<Self, Error> {
        let path = directory.join(STATE_FILE_NAME);
        match open(&path, max_wal_bytes) {
            Ok((connection, SCHEMA_VERSION)) => Ok(Self(connection, directory.join(WAL_FILE_NAME))),
            Ok(_) => Err(Error::Version(path)),
            Err(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Err(Error::InUse(path)),
                _ => Err(Error::Unusable(path, error)),
            },
        }
    }

    pub(super) fn read_counters(&self) -> rusqlite::Result<Vec<(ConnectionId, ConnectionCounters)>> {
        let mut statement = self.0.prepare("SELECT * FROM counter")?;
        let rows = statement.query_map([], |row| {
            let count = |at: usize| -> rusqlite::Result<WindowCount> {
                Ok(WindowCount { start: row.get(at)?, end: row.get(at + 1)?, count: row.get(at + 2)? })
            };
            Ok((ConnectionId(row.get(0)?), ConnectionCounters { minute: count(1)?, day: count(4)? }))
        })?;
        rows.collect()
    }

    /// Commits all changes in one transaction.
    pub(super) fn write(
        &mut self,
        counters: &[(ConnectionId, ConnectionCounters)],
        ops: &[WriteOp],
    ) -> rusqlite::Result<()> {
        if let ([], [op @ WriteOp::Put(..)]) = (counters, ops) {
            // The most frequent case: a single statement is a transaction by itself.
            return sql::apply(&self.0, op);
        }
        self.execute_cached("BEGIN")?;
        match self.write_all(counters, ops).and_then(|()| self.execute_cached("COMMIT")) {
            Ok(()) => Ok(()),
            Err(error) => {
                // Fails if the error has rolled back already.
                let _ = self.execute_cached("ROLLBACK");
                Err(error)
            }
        }
    }

    fn write_all(
        &self,
        counters: &[(ConnectionId, ConnectionCounters)],
        ops: &[WriteOp],
    ) -> rusqlite::Result<()> {
        for op in ops {
            sql::apply(&self.0, op)?;
        }
        let mut statement = self.0.prepare_cached(UPSERT_COUNTER_SQL)?;
        for (owner, ConnectionCounters { minute, day }) in counters {
            let row = [owner.0, minute.start, minute.end, minute.count, day.start, day.end, day.count];
            statement.execute(row)?;
        }
        Ok(())
    }

    /// A prepared statement: two of these run for every call.
    fn execute_cached(&self, statement: &str) -> rusqlite::Result<()> {
        self.0.prepare_cached(statement)?.execute([]).map(drop)
    }

    /// The oldest ready entries of the spool.
    pub(super) fn oldest_entries(&self, limit: usize) -> rusqlite::Result<Vec<SpoolEntry>> {
        sql::oldest_entries(&self.0, limit)
    }

    /// The bytes in use, without free pages.
    pub(super) fn bytes_used(&self) -> rusqlite::Result<u64> {
        let read = |pragma| self.0.prepare_cached(pragma)?.query_row([], |row| row.get::<_, i64>(0));
        let pages = read("PRAGMA page_count")? - read("PRAGMA freelist_count")?;
        Ok(u64::try_from(pages * read("PRAGMA page_size")?).unwrap_or(0))
    }

    /// All values of the key-value table.
    pub(super) fn load_values(&self) -> rusqlite::Result<Vec<(String, String)>> {
        sql::load_values(&self.0)
    }

    /// The size of the write-ahead log.
    pub(super) fn wal_bytes(&self) -> u64 {
        std::fs::metadata(&self.1).map_or(0, |wal| wal.len())
    }

    /// WAL checkpoint: copies the log into the file and truncates it. No reader can block it, since this
    /// connection is the only one. Waits for the disk.
    pub(super) fn checkpoint(&self) -> rusqlite::Result<()> {
        self.0.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    /// Vacuums a file on a nearly full volume: in small steps, each checkpointed before the next.
    pub(super) fn reclaim_space(&self) -> rusqlite::Result<()> {
        self.checkpoint()?;
        for _ in 0..MAX_VACUUM_STEPS {
            if self.0.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0))? == 0 {
                break;
            }
            self.run_vacuum("PRAGMA incremental_vacuum(16)")?;
            self.checkpoint()?;
        }
        Ok(())
    }

    /// Incremental vacuum, then a checkpoint. Waits for the disk.
    pub(super) fn vacuum_and_checkpoint(&self) -> rusqlite::Result<()> {
        self.run_vacuum("PRAGMA incremental_vacuum(4096)")?;
        self.checkpoint()
    }

    fn run_vacuum(&self, statement: &str) -> rusqlite::Result<()> {
        // Each step frees one page.
        let mut vacuum = self.0.prepare_cached(statement)?;
        let mut pages = vacuum.query([])?;
        while pages.next()?.is_some() {}
        Ok(())
    }

    /// Deletes counters of days that ended before `now`.
    pub(super) fn delete_expired(&mut self, now: i64) -> rusqlite::Result<()> {
        self.0.execute("DELETE FROM counter WHERE day_end <= ?1", [now]).map(drop)
    }
}

#[cfg(test)]
impl SqliteFile {
    pub(super) fn execute(&self, sql: &str) {
        self.0.execute_batch(sql).unwrap();
    }
}

/// The connection, holding the file's lock, and the version of the file.
fn open(path: &Path, max_wal_bytes: u64) -> rusqlite::Result<(Connection, i64)> {
    create_private(path).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Locked with the first transaction and until closed: a second process would count for itself.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    // Before the first table; a file of an older version reuses freed pages but does not shrink.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // The upper bound: the writer checkpoints earlier, and not within a write as SQLite would.
    connection.pragma_update(None, "wal_autocheckpoint", (max_wal_bytes / PAGE_BYTES).cast_signed())?;
    connection.pragma_update(None, "journal_size_limit", max_wal_bytes.cast_signed())?;
    // Committed data survives a crash of the process; a loss of power may lose the last moments.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive)?;
    let mut version = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if matches!(version, 0 | SCHEMA_VERSION_WITHOUT_SPOOL) {
        transaction.execute_batch(COUNTER_SCHEMA_SQL)?;
        transaction.execute_batch(sql::SPOOL_SCHEMA_SQL)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        version = SCHEMA_VERSION;
    }
    if version == SCHEMA_VERSION {
        transaction.execute_batch(sql::VALUES_SCHEMA_SQL)?;
        sql::recover(&transaction)?;
    }
    transaction.commit()?;
    Ok((connection, version))
}

/// Creates the file with mode 600, in case the directory is open to others; SQLite's files beside it inherit
/// that.
fn create_private(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        // Not even opened: closing it would drop every lock that this process holds on it.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        created => created.map(drop),
    }
}
