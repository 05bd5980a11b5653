//! The health of the state file, readable without the writer's lock, and its log lines: one for each change.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::StorageFault;
use super::sqlite_file::Error;
use crate::vocab::MutexExt;

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

    pub(super) fn set_bytes_used(&self, bytes: u64) {
        self.bytes_used.store(bytes, Ordering::Release);
    }

    /// The file is open.
    pub(super) fn report_open(&self) {
        self.closed.store(false, Ordering::Release);
    }

    /// The file could not be opened, since the volume is full.
    pub(super) fn report_closed(&self, error: &Error) {
        tracing::error!(%error, "the state file cannot be opened: tool calls are refused until a retry succeeds");
        self.closed.store(true, Ordering::Release);
    }

    /// The outcome of a commit.
    pub(super) fn report_commit(&self, outcome: rusqlite::Result<()>) {
        let was = self.failing.swap(outcome.is_err(), Ordering::AcqRel);
        match outcome {
            Err(error) if !was && !self.closed.load(Ordering::Acquire) => {
                tracing::error!(%error, "the state file cannot be written: tool calls are refused until a retry succeeds");
            }
            Ok(()) if was => tracing::info!("the state file can be written again"),
            _ => {}
        }
    }

    /// Whether the disk reserve is missing.
    pub(super) fn report_space(&self, no_space: bool) {
        if self.no_space.swap(no_space, Ordering::AcqRel) != no_space {
            if no_space {
                tracing::error!(
                    "the volume of the data directory is full: tool calls are refused until it has space"
                );
            } else {
                tracing::info!("the volume of the data directory has space again");
            }
        }
    }
}
