//! What writes the file, and looks after it.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::desk::{Care, Job, Pile, Question, Written};
use super::embedded::{Tallies, Tally};
use super::file::{Error, File, is_no_room};
use super::room::Room;
use super::{Handled, Kept, Trouble};
use crate::vocab::ConnectionId;

/// How often counts of past days are forgotten, in seconds.
const TIDY: i64 = 3600;

/// Changed rows after which the file is measured; after which it is looked after as soon as nobody is there who
/// would wait meanwhile; and after which it is looked after all the same.
const FEW: usize = 64;
const SOME: usize = 1024;
const MANY: usize = 8192;

/// What one transaction writes at most, so that the log of changes keeps its bound.
const MOST_BATCH_BYTES: usize = 128 * 1024;

/// Entries that one transaction forgets where there is hardly any room to write that down.
const FEW_TO_FORGET: usize = 16;

/// How often a reserve that is not there is tried to be allocated.
const LOOK_FOR_ROOM: Duration = Duration::from_secs(1);

/// What is known of the file without asking it.
#[derive(Debug, Default)]
pub(super) struct Health {
    closed: AtomicBool,
    failing: AtomicBool,
    no_room: AtomicBool,
    used: AtomicU64,
    notes: Mutex<HashMap<String, String>>,
}

impl Health {
    pub(super) fn trouble(&self) -> Option<Trouble> {
        if self.closed.load(Ordering::Acquire) {
            Some(Trouble::Closed)
        } else if self.failing.load(Ordering::Acquire) {
            Some(Trouble::Unwritable)
        } else {
            self.no_room.load(Ordering::Acquire).then_some(Trouble::NoRoom)
        }
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Acquire)
    }

    pub(super) fn notes(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(super) struct Pen {
    directory: PathBuf,
    /// None: not opened yet, or put down for good.
    file: Option<File>,
    room: Room,
    tallies: Arc<Tallies>,
    health: Arc<Health>,
    written: watch::Sender<Written>,
    tidied: i64,
    looked_for_room: Instant,
    /// Changed rows since the file was measured, and since it was looked after.
    unmeasured: usize,
    untended: usize,
    /// What could not be written yet.
    left: Vec<Job>,
    owners: HashSet<ConnectionId>,
}

impl Pen {
    /// Opens the file; one on a volume without room is opened later.
    pub(super) fn open(
        directory: &Path,
        tallies: Arc<Tallies>,
        health: Arc<Health>,
        written: watch::Sender<Written>,
    ) -> Result<Self, Error> {
        let mut pen = Self {
            directory: directory.to_owned(),
            file: None,
            room: Room::of(directory),
            tallies,
            health,
            written,
            tidied: 0,
            looked_for_room: Instant::now(),
            unmeasured: 0,
            untended: 0,
            left: Vec::new(),
            owners: HashSet::new(),
        };
        match pen.open_file() {
            Err(error) if error.is_no_room() => {
                tracing::error!(%error, "the state file cannot be opened: tool calls are refused until it can");
                pen.health.closed.store(true, Ordering::Release);
            }
            opened => opened?,
        }
        Ok(pen)
    }

    fn open_file(&mut self) -> Result<(), Error> {
        let file = match File::open(&self.directory, self.room.log_bytes()) {
            Err(error) if error.is_no_room() => {
                self.room.release();
                File::open(&self.directory, self.room.log_bytes())?
            }
            opened => opened?,
        };
        let unusable = |error| Error::Unusable(self.directory.clone(), error);
        for (owner, tally) in file.read().map_err(unusable)? {
            self.tallies.entry(owner).or_default().add(tally);
        }
        let mut notes = self.health.notes();
        for (name, text) in file.notes().map_err(unusable)? {
            notes.entry(name).or_insert(text);
        }
        drop(notes);
        self.health.used.store(file.used().map_err(unusable)?, Ordering::Release);
        self.file = Some(file);
        self.health.closed.store(false, Ordering::Release);
        self.find_room();
        Ok(())
    }

    /// Writes all of it, and what is left from before, or nothing; announces it as note number `last`. Tells
    /// where the file is to be looked after from now on.
    pub(super) fn write(&mut self, pile: Pile, last: u64) -> bool {
        let before = self.care();
        self.owners.extend(pile.owners);
        self.left.extend(pile.jobs);
        let outcome = match self.file.take() {
            Some(mut file) => {
                let outcome = self.put_down_all(&mut file);
                self.file = Some(file);
                outcome
            }
            None => Err(rusqlite::Error::InvalidQuery),
        };
        if outcome.is_err() {
            compact(&mut self.left);
        }
        let failed = outcome.is_err();
        self.tell(outcome);
        self.written.send_replace(Written { number: last, failed });
        self.care() != before
    }

    fn put_down_all(&mut self, file: &mut File) -> rusqlite::Result<()> {
        if self.left.is_empty() && self.owners.is_empty() {
            return Ok(());
        }
        if !self.room.is_held() && self.room.is_scarce() {
            self.forget_taken(file)?;
            self.find_room_in(file);
        }
        if !self.room.is_held() && self.room.is_scarce() && !self.left.is_empty() {
            // What is left is kept for deleting: these wait in memory.
            return Err(no_room());
        }
        match self.put_down(file) {
            Err(error) if is_no_room(&error) => {
                self.room.release();
                self.note_room();
                let _ = file.make_room();
                let outcome = self.put_down(file);
                self.find_room_in(file);
                outcome
            }
            outcome => outcome,
        }
    }

    /// Writes everything, some of it at a time.
    fn put_down(&mut self, file: &mut File) -> rusqlite::Result<()> {
        let tallies: Vec<_> = self
            .owners
            .iter()
            .filter_map(|owner| self.tallies.get(owner).map(|tally| (*owner, *tally)))
            .collect();
        let mut counts = tallies.as_slice();
        while !self.left.is_empty() || !counts.is_empty() {
            let jobs = fitting(&self.left);
            file.write(counts, self.left.get(..jobs).unwrap_or(&self.left))?;
            counts = &[];
            let rows = self.left.drain(..jobs).map(|job| job.rows()).sum::<usize>();
            self.unmeasured += rows;
            self.untended += rows;
            self.bound_log(file)?;
        }
        self.owners.clear();
        if self.unmeasured >= FEW {
            self.unmeasured = 0;
            self.health.used.store(file.used()?, Ordering::Release);
        }
        self.tidy(file, &tallies)
    }

    fn bound_log(&mut self, file: &File) -> rusqlite::Result<()> {
        if file.log_bytes() <= self.room.log_bytes() * 3 / 4 {
            return Ok(());
        }
        self.untended = 0;
        file.checkpoint()
    }

    /// Writes down what Odoo has taken, and nothing else, in small steps: that frees room.
    fn forget_taken(&mut self, file: &mut File) -> rusqlite::Result<()> {
        let (taken, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.left).into_iter().partition(|job| matches!(job, Job::Settle(_)));
        self.left = rest;
        let mut taken = taken.into_iter().flat_map(divided);
        while let Some(job) = taken.next() {
            if let Err(error) = file.write(&[], std::slice::from_ref(&job)).and_then(|()| file.checkpoint()) {
                // Before what came after it.
                self.left.splice(0..0, std::iter::once(job).chain(taken));
                return Err(error);
            }
        }
        Ok(())
    }

    pub(super) fn answer(&self, questions: Vec<Question>) {
        for question in questions {
            let found = self.file.as_ref().and_then(|file| file.oldest(question.most).ok());
            // One who has left wants no answer.
            let _ = question.answer.send(found.unwrap_or_default());
        }
    }

    /// Lets go of the file.
    pub(super) fn put_down_for_good(&mut self) {
        self.file = None;
    }

    pub(super) fn care(&self) -> Care {
        if self.file.is_none() || !self.room.is_held() {
            Care::Soon
        } else if self.untended >= SOME {
            Care::WhenQuiet
        } else {
            Care::None
        }
    }

    /// Waits for the disk, and whoever comes meanwhile waits too: so better when it is `quiet`.
    pub(super) fn look_after(&mut self, quiet: bool) {
        if self.looked_for_room.elapsed() >= LOOK_FOR_ROOM && self.care() == Care::Soon {
            self.looked_for_room = Instant::now();
            if self.file.is_none() && self.open_file().is_ok() {
                tracing::info!("the state file is open");
            }
            self.find_room();
        }
        if self.untended < if quiet { SOME } else { MANY } {
            return;
        }
        self.untended = 0;
        if let Some(Err(error)) = self.file.as_ref().map(File::tidy) {
            tracing::debug!(%error, "the state file could not be tidied");
        }
    }

    fn find_room(&mut self) {
        if let Some(file) = self.file.take() {
            self.find_room_in(&file);
            self.file = Some(file);
        }
    }

    /// Shortens the file as far as possible and allocates the reserve.
    fn find_room_in(&mut self, file: &File) {
        if !self.room.is_held() {
            let _ = file.make_room();
            self.room.hold();
        }
        self.note_room();
    }

    fn note_room(&self) {
        let no_room = !self.room.is_held();
        if self.health.no_room.swap(no_room, Ordering::AcqRel) != no_room {
            if no_room {
                tracing::error!(
                    "the volume of the data directory is full: tool calls are refused until it has room"
                );
            } else {
                tracing::info!("the volume of the data directory has room again");
            }
        }
    }

    fn tell(&self, outcome: rusqlite::Result<()>) {
        let was = self.health.failing.swap(outcome.is_err(), Ordering::AcqRel);
        match outcome {
            Err(error) if !was && self.file.is_some() => {
                tracing::error!(%error, "the state file cannot be written: tool calls are refused until it can");
            }
            Ok(()) if was => tracing::info!("the state file can be written again"),
            _ => {}
        }
    }

    /// Forgets, now and then, the days that are over where the latest request was made.
    fn tidy(&mut self, file: &mut File, tallies: &[(ConnectionId, Tally)]) -> rusqlite::Result<()> {
        let now = tallies.iter().map(|(_, tally)| tally.minute.start).max().unwrap_or(0);
        if now < self.tidied + TIDY {
            return Ok(());
        }
        self.tidied = now;
        self.tallies.retain(|_, tally| tally.day.end > now);
        file.forget(now)
    }
}

#[cfg(test)]
impl Pen {
    pub(super) fn execute(&self, sql: &str) {
        self.file.as_ref().unwrap().execute(sql);
    }

    pub(super) fn log_bytes(&self) -> (u64, u64) {
        (self.file.as_ref().unwrap().log_bytes(), self.room.log_bytes())
    }
}

fn no_room() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None)
}

/// How many of the jobs one transaction takes.
fn fitting(jobs: &[Job]) -> usize {
    let mut bytes = 0;
    let fitting = jobs.iter().take_while(|job| {
        bytes += job.bytes();
        bytes <= MOST_BATCH_BYTES
    });
    fitting.count().max(1).min(jobs.len())
}

/// The same in small steps.
fn divided(job: Job) -> Vec<Job> {
    let Job::Settle(Handled { taken, put_off, set_aside }) = job else { return vec![job] };
    let few = taken.chunks(FEW_TO_FORGET).map(|few| Handled { taken: few.to_vec(), ..Handled::default() });
    let rest = Handled { taken: Vec::new(), put_off, set_aside };
    few.chain([rest]).map(Job::Settle).collect()
}

/// Leaves of what is said of an entry the last, so that waiting jobs do not outnumber entries.
fn compact(jobs: &mut Vec<Job>) {
    let (mut said, mut named) = (HashSet::new(), HashSet::new());
    let mut kept: Vec<Job> = std::mem::take(jobs)
        .into_iter()
        .rev()
        .filter(|job| match job {
            Job::Keep(Kept { id, .. }, _) | Job::Withdraw(id) => said.insert(*id),
            Job::Note(name, _) => named.insert(*name),
            Job::Settle(_) | Job::Recall => true,
        })
        .collect();
    kept.reverse();
    *jobs = kept;
}
