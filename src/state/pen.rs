//! What writes the file, and looks after it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::watch;

use super::Kept;
use super::desk::{Job, Pile, Question, Written};
use super::embedded::{Tallies, Tally};
use super::file::File;
use crate::vocab::ConnectionId;

/// How often counts of past days are forgotten, in seconds.
const TIDY: i64 = 3600;

/// Changed rows after which the file is measured; after which it is looked after as soon as nobody is there who
/// would wait meanwhile; and after which it is looked after all the same.
const FEW: usize = 64;
const SOME: usize = 1024;
const MANY: usize = 8192;

/// What is known of the file without asking it.
#[derive(Debug, Default)]
pub(super) struct Health {
    failing: AtomicBool,
    used: AtomicU64,
}

impl Health {
    pub(super) fn works(&self) -> bool {
        !self.failing.load(Ordering::Acquire)
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Acquire)
    }
}

#[derive(Debug)]
pub(super) struct Pen {
    /// None: put down for good.
    file: Option<File>,
    tallies: Arc<Tallies>,
    health: Arc<Health>,
    written: watch::Sender<Written>,
    tidied: i64,
    /// Changed rows since the file was measured, and since it was looked after.
    unmeasured: usize,
    untended: usize,
    /// What could not be written yet.
    left: Vec<Job>,
    owners: HashSet<ConnectionId>,
}

impl Pen {
    pub(super) fn new(
        file: File,
        tallies: Arc<Tallies>,
        health: Arc<Health>,
        written: watch::Sender<Written>,
    ) -> rusqlite::Result<Self> {
        health.used.store(file.used()?, Ordering::Release);
        Ok(Self {
            file: Some(file),
            tallies,
            health,
            written,
            tidied: 0,
            unmeasured: 0,
            untended: 0,
            left: Vec::new(),
            owners: HashSet::new(),
        })
    }

    /// Writes all of it, and what is left from before, or nothing; announces it as note number `last`. Tells
    /// where the file is to be looked after from now on.
    pub(super) fn write(&mut self, pile: Pile, last: u64) -> bool {
        let tended = !self.wants_care();
        self.owners.extend(pile.owners);
        self.left.extend(pile.jobs);
        let Some(mut file) = self.file.take() else { return false };
        let outcome = self.put_down_all(&mut file);
        self.file = Some(file);
        let failed = outcome.is_err();
        self.tell(outcome);
        self.written.send_replace(Written { number: last, failed });
        tended && self.wants_care()
    }

    fn put_down_all(&mut self, file: &mut File) -> rusqlite::Result<()> {
        if self.left.is_empty() && self.owners.is_empty() {
            return Ok(());
        }
        let tallies: Vec<_> = self
            .owners
            .iter()
            .filter_map(|owner| self.tallies.get(owner).map(|tally| (*owner, *tally)))
            .collect();
        if let Err(error) = file.write(&tallies, &self.left) {
            compact(&mut self.left);
            return Err(error);
        }
        let rows: usize = self.left.iter().map(Job::rows).sum();
        self.unmeasured += rows;
        self.untended += rows;
        self.left.clear();
        self.owners.clear();
        if self.unmeasured >= FEW {
            self.unmeasured = 0;
            self.health.used.store(file.used()?, Ordering::Release);
        }
        self.tidy(file, &tallies)
    }

    pub(super) fn answer(&self, questions: Vec<Question>) {
        for question in questions {
            let found = self.file.as_ref().and_then(|file| file.oldest(question.most).ok());
            // One who has left wants no answer.
            let _ = question.answer.send(found.unwrap_or_default());
        }
    }

    /// Lets go of the file.
    pub(super) fn put_down(&mut self) {
        self.file = None;
    }

    pub(super) fn wants_care(&self) -> bool {
        self.untended >= SOME
    }

    /// Waits for the disk, and whoever comes meanwhile waits too: so better when it is `quiet`.
    pub(super) fn look_after(&mut self, quiet: bool) {
        if self.untended < if quiet { SOME } else { MANY } {
            return;
        }
        self.untended = 0;
        if let Some(Err(error)) = self.file.as_ref().map(File::tidy) {
            tracing::debug!(%error, "the state file could not be tidied");
        }
    }

    fn tell(&self, outcome: rusqlite::Result<()>) {
        let was = self.health.failing.swap(outcome.is_err(), Ordering::AcqRel);
        match outcome {
            Err(error) if !was => {
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
}

/// Leaves of what is said of an entry the last, so that waiting jobs do not outnumber entries.
fn compact(jobs: &mut Vec<Job>) {
    let mut said = HashSet::new();
    let mut kept: Vec<Job> = std::mem::take(jobs)
        .into_iter()
        .rev()
        .filter(|job| match job {
            Job::Keep(Kept { id, .. }, _) | Job::Withdraw(id) => said.insert(*id),
            Job::Settle(_) | Job::Recall => true,
        })
        .collect();
    kept.reverse();
    *jobs = kept;
}
