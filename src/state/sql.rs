//! The SQL of the spool and of the key-value table.
//!
//! Ids are stored as text, which sorts by time; the table is its own index (`WITHOUT ROWID`), so that an
//! insert touches one page.

use rusqlite::Connection;

use super::write_queue::WriteOp;
use super::{DeliveryReport, SpoolEntry, Stage};

pub(super) const SPOOL_SCHEMA_SQL: &str = "
    CREATE TABLE spool (id TEXT PRIMARY KEY, stage INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE spool_aside (id TEXT PRIMARY KEY, reason TEXT NOT NULL, body TEXT NOT NULL);";

/// Newer than the other tables; created if missing.
pub(super) const VALUES_SCHEMA_SQL: &str =
    "CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID";

const UPSERT_VALUE_SQL: &str = "INSERT OR REPLACE INTO note VALUES (?1, ?2)";

const STAGE_OPEN: i64 = 0;
const STAGE_READY: i64 = 1;
const STAGE_DEFERRED: i64 = 2;

const UPSERT_ENTRY_SQL: &str = "INSERT OR REPLACE INTO spool VALUES (?1, ?2, ?3)";
const DELETE_ENTRY_SQL: &str = "DELETE FROM spool WHERE id = ?1";
const SET_STAGE_SQL: &str = "UPDATE spool SET stage = ?2 WHERE id = ?1";
const DEAD_LETTER_SQL: &str =
    "INSERT OR REPLACE INTO spool_aside SELECT id, ?2, body FROM spool WHERE id = ?1";
const MOVE_STAGE_SQL: &str = "UPDATE spool SET stage = ?2 WHERE stage = ?1";
const OLDEST_ENTRIES_SQL: &str = "SELECT id, body FROM spool WHERE stage = ?1 ORDER BY id LIMIT ?2";

/// Applies one change, inside a transaction.
pub(super) fn apply(connection: &Connection, op: &WriteOp) -> rusqlite::Result<()> {
    match op {
        WriteOp::Put(SpoolEntry { id, body }, stage) => {
            let stage = if *stage == Stage::Open { STAGE_OPEN } else { STAGE_READY };
            connection.prepare_cached(UPSERT_ENTRY_SQL)?.execute((id.to_string(), stage, body))?;
        }
        WriteOp::Remove(id) => {
            connection.prepare_cached(DELETE_ENTRY_SQL)?.execute([id.to_string()])?;
        }
        WriteOp::Acknowledge(report) => acknowledge(connection, report)?,
        WriteOp::SetValue(name, text) => {
            connection.prepare_cached(UPSERT_VALUE_SQL)?.execute((name, text))?;
        }
        WriteOp::RequeueDeferred => {
            connection.prepare_cached(MOVE_STAGE_SQL)?.execute((STAGE_DEFERRED, STAGE_READY))?;
        }
    }
    Ok(())
}

fn acknowledge(connection: &Connection, report: &DeliveryReport) -> rusqlite::Result<()> {
    let mut delete = connection.prepare_cached(DELETE_ENTRY_SQL)?;
    for id in &report.delivered {
        delete.execute([id.to_string()])?;
    }
    for id in &report.deferred {
        connection.prepare_cached(SET_STAGE_SQL)?.execute((id.to_string(), STAGE_DEFERRED))?;
    }
    for (id, reason) in &report.dead_lettered {
        connection.prepare_cached(DEAD_LETTER_SQL)?.execute((id.to_string(), reason))?;
        delete.execute([id.to_string()])?;
    }
    Ok(())
}

/// Crash recovery: entries that an earlier process left open or deferred become ready.
pub(super) fn recover(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(MOVE_STAGE_SQL, (STAGE_OPEN, STAGE_READY))?;
    connection.execute(MOVE_STAGE_SQL, (STAGE_DEFERRED, STAGE_READY))?;
    Ok(())
}

pub(super) fn load_values(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare("SELECT name, text FROM note")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

pub(super) fn oldest_entries(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<SpoolEntry>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(OLDEST_ENTRIES_SQL)?;
    let rows = statement.query_map((STAGE_READY, limit), |row| {
        let id: String = row.get(0)?;
        let id = id.parse().map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
        })?;
        Ok(SpoolEntry { id, body: row.get(1)? })
    })?;
    rows.collect()
}
