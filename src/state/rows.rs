//! The spool's rows in the SQLite file.
//!
//! An id is kept as text, whose order is that of time; the table is the index on it, so that a new entry
//! touches one page.

use rusqlite::Connection;

use super::desk::Job;
use super::{Handled, Kept, Stage};

pub(super) const SCHEMA: &str = "
    CREATE TABLE spool (id TEXT PRIMARY KEY, stage INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE spool_aside (id TEXT PRIMARY KEY, reason TEXT NOT NULL, body TEXT NOT NULL);";

/// Came later than the rest; made where it is not there.
pub(super) const NOTES_SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID";

const NOTE: &str = "INSERT OR REPLACE INTO note VALUES (?1, ?2)";

const OPEN: i64 = 0;
const READY: i64 = 1;
const PUT_OFF: i64 = 2;

const KEEP: &str = "INSERT OR REPLACE INTO spool VALUES (?1, ?2, ?3)";
const FORGET: &str = "DELETE FROM spool WHERE id = ?1";
const STAGE: &str = "UPDATE spool SET stage = ?2 WHERE id = ?1";
const ASIDE: &str = "INSERT OR REPLACE INTO spool_aside SELECT id, ?2, body FROM spool WHERE id = ?1";
const ALL_FROM: &str = "UPDATE spool SET stage = ?2 WHERE stage = ?1";
const OLDEST: &str = "SELECT id, body FROM spool WHERE stage = ?1 ORDER BY id LIMIT ?2";

/// Does one job; inside a transaction.
pub(super) fn apply(connection: &Connection, job: &Job) -> rusqlite::Result<()> {
    match job {
        Job::Keep(Kept { id, body }, stage) => {
            let stage = if *stage == Stage::Open { OPEN } else { READY };
            connection.prepare_cached(KEEP)?.execute((id.to_string(), stage, body))?;
        }
        Job::Withdraw(id) => {
            connection.prepare_cached(FORGET)?.execute([id.to_string()])?;
        }
        Job::Settle(handled) => settle(connection, handled)?,
        Job::Note(name, text) => {
            connection.prepare_cached(NOTE)?.execute((name, text))?;
        }
        Job::Recall => {
            connection.prepare_cached(ALL_FROM)?.execute((PUT_OFF, READY))?;
        }
    }
    Ok(())
}

fn settle(connection: &Connection, handled: &Handled) -> rusqlite::Result<()> {
    let mut forget = connection.prepare_cached(FORGET)?;
    for id in &handled.taken {
        forget.execute([id.to_string()])?;
    }
    for id in &handled.put_off {
        connection.prepare_cached(STAGE)?.execute((id.to_string(), PUT_OFF))?;
    }
    for (id, reason) in &handled.set_aside {
        connection.prepare_cached(ASIDE)?.execute((id.to_string(), reason))?;
        forget.execute([id.to_string()])?;
    }
    Ok(())
}

/// What an earlier process left half done can be handed on as it stands.
pub(super) fn recover(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(ALL_FROM, (OPEN, READY))?;
    connection.execute(ALL_FROM, (PUT_OFF, READY))?;
    Ok(())
}

pub(super) fn notes(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare("SELECT name, text FROM note")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

pub(super) fn oldest(connection: &Connection, most: usize) -> rusqlite::Result<Vec<Kept>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(OLDEST)?;
    let rows = statement.query_map((READY, most), |row| {
        let id: String = row.get(0)?;
        let id = id.parse().map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
        })?;
        Ok(Kept { id, body: row.get(1)? })
    })?;
    rows.collect()
}
