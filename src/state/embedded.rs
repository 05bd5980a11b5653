//! Counts of one process: exact in memory, kept in its file.
//!
//! A request is counted under the lock of its connection, so no two can take the last place. One thread
//! writes. Where a day limit is in force, the answer of a request waits until its count is written (beside
//! its work, not before it): what a client has got an answer for is counted, whatever happens to the process
//! then, short of a loss of power. Otherwise a kill can take the last tenth of a second. The counts of the
//! minute lie in the same row but are not waited for: a minute is soon over.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use dashmap::DashMap;
use tokio::sync::watch;

use super::desk::{Desk, Work};
use super::file::{Error, File};
use super::{Counters, Pending, Receipt, Span, Window, Windows};
use crate::vocab::ConnectionId;

/// How often counts of past days are forgotten, in seconds.
const TIDY: i64 = 3600;

/// How many requests were counted in a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) count: i64,
}

/// The counts of one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) minute: Count,
    pub(super) day: Count,
}

type Tallies = DashMap<ConnectionId, Tally>;

/// The store of one process.
#[derive(Debug)]
pub struct Embedded {
    tallies: Arc<Tallies>,
    desk: Arc<Desk>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

// === impl Count ===

impl Count {
    /// Begins anew where another window has come. A request that comes late into the next window counts
    /// there; a clock that was set back by more than a window begins anew.
    fn roll(&mut self, window: Window) {
        let set_back = self.start - window.start > window.end - window.start;
        if window.start > self.start || set_back {
            *self = Self { start: window.start, end: window.end, count: 0 };
        }
    }

    fn is_full(&self, window: Window) -> bool {
        window.most > 0 && self.count >= i64::from(window.most)
    }
}

// === impl Embedded ===

impl Embedded {
    /// Opens the store in `directory`, which no other process may use.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let file = File::open(directory)?;
        let unusable = |error| Error::Unusable(directory.to_owned(), error);
        let tallies: Arc<Tallies> = Arc::new(file.read().map_err(unusable)?.into_iter().collect());
        let (desk, written) = Desk::new();
        let desk = Arc::new(desk);
        let writer = Writer {
            file,
            tallies: Arc::clone(&tallies),
            desk: Arc::clone(&desk),
            tidied: 0,
            failing: false,
        };
        let writer = std::thread::Builder::new()
            .name("state".to_owned())
            .spawn(move || writer.run(&written))
            .map_err(|error| unusable(rusqlite::Error::ToSqlConversionFailure(Box::new(error))))?;
        Ok(Self { tallies, desk, writer: Mutex::new(Some(writer)) })
    }

    fn count(&self, owner: ConnectionId, windows: Windows) -> Result<(), Span> {
        let mut tally = self.tallies.entry(owner).or_default();
        tally.minute.roll(windows.minute);
        tally.day.roll(windows.day);
        // The day first: where both are full, it is what the client has to wait for.
        if tally.day.is_full(windows.day) {
            return Err(Span::Day);
        }
        if tally.minute.is_full(windows.minute) {
            return Err(Span::Minute);
        }
        tally.minute.count += 1;
        tally.day.count += 1;
        Ok(())
    }
}

impl Counters for Embedded {
    fn take(&self, owner: ConnectionId, windows: Windows) -> Pending<'_, Result<Receipt, Span>> {
        let taken = self.count(owner, windows).map(|()| self.desk.note(owner, windows.day.most > 0));
        Box::pin(std::future::ready(taken))
    }

    fn close(&self) {
        self.desk.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.join();
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.close();
    }
}

/// The thread that owns the file.
struct Writer {
    file: File,
    tallies: Arc<Tallies>,
    desk: Arc<Desk>,
    tidied: i64,
    failing: bool,
}

impl Writer {
    fn run(mut self, written: &watch::Sender<u64>) {
        loop {
            let Work { owners, last, closed } = self.desk.next();
            let tallies: Vec<_> = owners
                .into_iter()
                .filter_map(|owner| self.tallies.get(&owner).map(|tally| (owner, *tally)))
                .collect();
            let outcome = self.file.write(&tallies).and_then(|()| self.tidy(&tallies));
            // Nobody is refused because a disk is full: the counts in memory still hold.
            self.tell(outcome);
            written.send_replace(last);
            if closed {
                return;
            }
        }
    }

    fn tell(&mut self, outcome: rusqlite::Result<()>) {
        match outcome {
            Ok(()) => self.failing = false,
            Err(error) if !self.failing => {
                tracing::error!(%error, "counts cannot be kept: a restart would forget them");
                self.failing = true;
            }
            Err(_) => {}
        }
    }

    /// Forgets, now and then, the days that are over where the latest request was made.
    fn tidy(&mut self, tallies: &[(ConnectionId, Tally)]) -> rusqlite::Result<()> {
        let now = tallies.iter().map(|(_, tally)| tally.minute.start).max().unwrap_or(0);
        if now < self.tidied + TIDY {
            return Ok(());
        }
        self.tidied = now;
        self.tallies.retain(|_, tally| tally.day.end > now);
        self.file.forget(now)
    }
}

#[cfg(test)]
mod tests;
