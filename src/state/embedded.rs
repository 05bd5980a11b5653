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
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use dashmap::DashMap;
use uuid::Uuid;

use super::desk::{Care, Desk, Job};
use super::file::Error;
use super::pen::{Health, Pen};
use super::{
    Counters, Handled, Kept, Notes, Pending, Receipt, Span, Spool, Stage, Taken, Trouble, Window, Windows,
};
use crate::vocab::ConnectionId;

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

pub(super) type Tallies = DashMap<ConnectionId, Tally>;

/// The store of one process.
#[derive(Debug)]
pub struct Embedded {
    tallies: Arc<Tallies>,
    desk: Arc<Desk>,
    pen: Arc<Mutex<Pen>>,
    health: Arc<Health>,
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

    fn add(&mut self, before: Self) {
        if self.end == before.end {
            self.count += before.count;
        } else if self.end < before.end {
            *self = before;
        }
    }

    fn is_full(&self, window: Window) -> bool {
        window.most > 0 && self.count >= i64::from(window.most)
    }
}

// === impl Tally ===

impl Tally {
    /// Takes over what was counted before, where this process has begun to count already.
    pub(super) fn add(&mut self, before: Self) {
        self.minute.add(before.minute);
        self.day.add(before.day);
    }
}

// === impl Embedded ===

impl Embedded {
    /// Opens the store in `directory`, which no other process may use.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let unusable = |error| Error::Unusable(directory.to_owned(), error);
        let tallies = Arc::new(Tallies::default());
        let (desk, written) = Desk::new();
        let desk = Arc::new(desk);
        let health = Arc::new(Health::default());
        let pen = Pen::open(directory, Arc::clone(&tallies), Arc::clone(&health), written)?;
        let pen = Arc::new(Mutex::new(pen));
        let writing = (Arc::clone(&desk), Arc::clone(&pen), Arc::clone(&health));
        let writer = std::thread::Builder::new()
            .name("state".to_owned())
            .spawn(move || write(&writing.0, &writing.1, &writing.2))
            .map_err(|error| unusable(rusqlite::Error::ToSqlConversionFailure(Box::new(error))))?;
        Ok(Self { tallies, desk, pen, health, writer: Mutex::new(Some(writer)) })
    }

    /// Writes what lies on the desk, unless somebody else is writing: then the thread does it next.
    fn write_now(&self) {
        match self.pen.try_lock() {
            Ok(mut pen) => {
                let (pile, last) = self.desk.take();
                if pen.write(pile, last) {
                    self.desk.ring();
                }
            }
            Err(_) => self.desk.ring(),
        }
    }

    /// Counts a request; answers how many the day has with it.
    fn count(&self, owner: ConnectionId, windows: Windows) -> Result<i64, Span> {
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
        Ok(tally.day.count)
    }
}

impl Counters for Embedded {
    fn take(&self, owner: ConnectionId, windows: Windows) -> Pending<'_, Result<Taken, Span>> {
        // Nobody waits for a disk that is full: the counts in memory still hold.
        let urgent = windows.day.most > 0 && self.health.trouble().is_none();
        let taken = self.count(owner, windows);
        let taken = taken.map(|day| Taken { receipt: self.desk.note(owner, urgent), day });
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

impl Spool for Embedded {
    fn keep(&self, entry: Kept, stage: Stage) -> Receipt {
        let receipt = self.desk.put(Job::Keep(entry, stage));
        self.write_now();
        receipt
    }

    fn keep_soon(&self, entries: Vec<(Kept, Stage)>) {
        for (entry, stage) in entries {
            self.desk.put(Job::Keep(entry, stage));
        }
        self.desk.ring();
    }

    fn withdraw(&self, id: Uuid) {
        self.desk.put(Job::Withdraw(id));
        self.desk.ring();
    }

    fn oldest(&self, most: usize) -> Pending<'_, Vec<Kept>> {
        let answer = self.desk.question(most);
        Box::pin(async move { answer.await.unwrap_or_default() })
    }

    fn settle(&self, handled: Handled) -> Pending<'_, bool> {
        let receipt = self.desk.put(Job::Settle(handled));
        self.desk.ring();
        Box::pin(receipt.kept())
    }

    fn recall(&self) {
        self.desk.put(Job::Recall);
        self.desk.ring();
    }

    fn used(&self) -> u64 {
        self.health.used()
    }

    fn trouble(&self) -> Option<Trouble> {
        self.health.trouble()
    }
}

impl Notes for Embedded {
    fn is_open(&self) -> bool {
        self.health.trouble() != Some(Trouble::Closed)
    }

    fn noted(&self, name: &str) -> Option<String> {
        self.health.notes().get(name).cloned()
    }

    fn note(&self, name: &'static str, text: String) {
        self.health.notes().insert(name.to_owned(), text.clone());
        self.desk.put(Job::Note(name, text));
        self.desk.ring();
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.close();
    }
}

/// The thread that writes what nobody waits for, and all that comes while somebody else has the pen. It also
/// looks after the file.
fn write(desk: &Desk, pen: &Mutex<Pen>, health: &Health) {
    let mut seen = 0;
    let mut care = pen.lock().unwrap_or_else(PoisonError::into_inner).care();
    loop {
        let failing = matches!(health.trouble(), Some(Trouble::Closed | Trouble::Unwritable));
        desk.wait(failing, care);
        let mut pen = pen.lock().unwrap_or_else(PoisonError::into_inner);
        let work = desk.take_all();
        pen.write(work.pile, work.last);
        pen.answer(work.questions);
        if work.closed {
            return pen.put_down_for_good();
        }
        let quiet = care == Care::WhenQuiet && work.last == seen;
        pen.look_after(quiet);
        (seen, care) = (work.last, pen.care());
    }
}

#[cfg(test)]
mod tests;
