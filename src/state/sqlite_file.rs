//! The SQLite file: opened by one process at a time, readable by a person with `sqlite3`.

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

/// The form of the file; another number is another program's.
const SCHEMA_VERSION: i64 = 2;

/// The form before there was a spool.
const SCHEMA_VERSION_WITHOUT_SPOOL: i64 = 1;

/// For a process that is just letting go.
const BUSY_TIMEOUT: Duration = Duration::from_millis(500);

const COUNTER_SCHEMA_SQL: &str = "
    CREATE TABLE IF NOT EXISTS counter (
        connection INTEGER PRIMARY KEY,
        minute_start INTEGER NOT NULL, minute_end INTEGER NOT NULL, minute_count INTEGER NOT NULL,
        day_start INTEGER NOT NULL, day_end INTEGER NOT NULL, day_count INTEGER NOT NULL
    )";

const PAGE_BYTES: u64 = 4096;

/// How many steps are made at a time while room is made.
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
    /// Whether it may be over once the volume has room.
    pub(super) fn is_disk_full(&self) -> bool {
        matches!(self, Self::Unusable(_, error) if is_disk_full(error))
    }
}

/// Whether the volume had no room, by SQLite's error code.
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
    /// Opens or makes the file in `directory` and holds it until dropped.
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

    /// Writes all of them or none.
    pub(super) fn write(
        &mut self,
        counters: &[(ConnectionId, ConnectionCounters)],
        ops: &[WriteOp],
    ) -> rusqlite::Result<()> {
        if let ([], [op @ WriteOp::Put(..)]) = (counters, ops) {
            // The commonest case, one statement, is a transaction by itself.
            return sql::apply(&self.0, op);
        }
        self.execute_cached("BEGIN")?;
        match self.write_all(counters, ops).and_then(|()| self.execute_cached("COMMIT")) {
            Ok(()) => Ok(()),
            Err(error) => {
                // Fails where the error has ended the transaction already.
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

    /// Parsed once: two of these stand round every call.
    fn execute_cached(&self, statement: &str) -> rusqlite::Result<()> {
        self.0.prepare_cached(statement)?.execute([]).map(drop)
    }

    /// The oldest entries of the spool that can be handed on.
    pub(super) fn oldest_entries(&self, limit: usize) -> rusqlite::Result<Vec<SpoolEntry>> {
        sql::oldest_entries(&self.0, limit)
    }

    /// How many bytes are in use.
    pub(super) fn bytes_used(&self) -> rusqlite::Result<u64> {
        let ask = |pragma| self.0.prepare_cached(pragma)?.query_row([], |row| row.get::<_, i64>(0));
        let pages = ask("PRAGMA page_count")? - ask("PRAGMA freelist_count")?;
        Ok(u64::try_from(pages * ask("PRAGMA page_size")?).unwrap_or(0))
    }

    /// The texts by their names.
    pub(super) fn load_values(&self) -> rusqlite::Result<Vec<(String, String)>> {
        sql::load_values(&self.0)
    }

    /// How long the write-ahead log is.
    pub(super) fn wal_bytes(&self) -> u64 {
        std::fs::metadata(&self.1).map_or(0, |wal| wal.len())
    }

    /// Checkpoints the write-ahead log and truncates it. This connection is the only one that there can be, so
    /// that no reader stands in the way. Waits for the disk.
    pub(super) fn checkpoint(&self) -> rusqlite::Result<()> {
        self.0.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    /// The same with hardly any room: in small steps, each of which is checkpointed before the next.
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

    /// Gives freed space back, a part at a time, and checkpoints. Waits for the disk.
    pub(super) fn vacuum_and_checkpoint(&self) -> rusqlite::Result<()> {
        self.run_vacuum("PRAGMA incremental_vacuum(4096)")?;
        self.checkpoint()
    }

    fn run_vacuum(&self, statement: &str) -> rusqlite::Result<()> {
        // A page for each step.
        let mut vacuum = self.0.prepare_cached(statement)?;
        let mut pages = vacuum.query([])?;
        while pages.next()?.is_some() {}
        Ok(())
    }

    /// Forgets counts of days that ended before `now`.
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
    // Taken with the first transaction and kept: a second process would count for itself.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    // Before the first table; in a file of an older version freed space is used again, but not given back.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // The last bound: the writer checkpoints before, and does not wait for SQLite to do it within a write.
    connection.pragma_update(None, "wal_autocheckpoint", (max_wal_bytes / PAGE_BYTES).cast_signed())?;
    connection.pragma_update(None, "journal_size_limit", max_wal_bytes.cast_signed())?;
    // What was committed outlives the process; a loss of power may take the last moments.
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

/// Makes the file for this user only, in case the directory is open to others; SQLite's own beside it follow.
fn create_private(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        // Not even opened: to close it would let go of every lock that this process holds on it.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}
