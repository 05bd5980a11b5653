//! Hands on what is kept, oldest first and one batch at a time, and forgets only what was taken.
//!
//! The other side knows entries by their id, so a batch whose answer was lost is simply sent again. Nothing is
//! dropped: what cannot be taken now comes later, what is refused by itself is set aside for a person.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Audit, ChainState, ChainWatch, CheckAnswer, CheckQuestion, Inspection};
use crate::state::{Handled, Kept, Pending};

/// The most that one batch holds.
const MOST: usize = 500;
const MOST_BYTES: usize = 2 * 1024 * 1024;

/// How long the first entry waits for company.
const LINGER: Duration = Duration::from_millis(500);

/// When what was put off is tried again.
const LATER: Duration = Duration::from_secs(5);

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Entries that fail alone, one after the other, before it is not taken for their fault any more.
const MOST_FAILURES: usize = 3;

/// Entries that were taken, but for those to be sent again later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    pub pending: Vec<Uuid>,
    /// The tip of the chain now, if the addon answers it.
    pub chain: Option<ChainState>,
}

/// Why entries were not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untaken {
    /// They have a form that will never be taken; says what is wrong, and nothing of what stands there.
    Malformed(String),
    /// The other side failed over them.
    Failed,
    /// It did not answer in time: there were perhaps too many.
    Slow,
    /// It cannot be asked at the moment.
    Away,
}

/// Where entries go.
pub trait Sink: Send + Sync {
    /// Gives entries away, oldest first; `seen`: the number in the chain whose hash is wanted.
    fn append<'a>(&'a self, entries: &'a [Kept], seen: Option<u64>) -> Pending<'a, Result<Taken, Untaken>>;

    /// Asks whether what was given away is still there.
    fn check<'a>(&'a self, question: &'a CheckQuestion) -> Pending<'a, Result<CheckAnswer, Untaken>>;
}

/// One run of the task.
struct Sender {
    audit: Arc<Audit>,
    chain: Arc<ChainWatch>,
    sink: Arc<dyn Sink>,
    most: usize,
    pause: Duration,
    /// When something was last put off.
    put_off: Option<Instant>,
    told: bool,
}

impl Audit {
    /// Sends what is kept to `sink`, until `cancel`.
    pub async fn hand_on(
        self: Arc<Self>,
        sink: Arc<dyn Sink>,
        chain: Arc<ChainWatch>,
        cancel: CancellationToken,
    ) {
        let mut sender =
            Sender { audit: self, chain, sink, most: MOST, pause: FIRST_PAUSE, put_off: None, told: false };
        while cancel.run_until_cancelled(sender.step()).await.is_some() {}
    }
}

// === impl Sender ===

impl Sender {
    /// Sends one batch, or waits for something to send.
    async fn step(&mut self) {
        if self.put_off.is_some_and(|since| since.elapsed() >= LATER) {
            self.put_off = None;
            self.audit.spool.recall();
        }
        let mut entries = self.audit.spool.oldest(self.most).await;
        if entries.is_empty() {
            return self.rest().await;
        }
        bound(&mut entries);
        let full = entries.len() >= self.most;
        let begun = Instant::now();
        let (handled, untaken) = self.batch(&entries).await;
        if !handled.put_off.is_empty() {
            self.put_off.get_or_insert_with(Instant::now);
        }
        let kept = handled == Handled::default() || self.audit.spool.settle(handled).await;
        match untaken {
            None if kept => {
                self.heard();
                // A long queue must not take a worker of Odoo all for itself.
                sleep(if full { begun.elapsed().min(LINGER) } else { LINGER }).await;
            }
            untaken => self.back_off(untaken.as_ref()).await,
        }
    }

    async fn rest(&self) {
        let ready = self.audit.ready.notified();
        let rung = match self.put_off {
            // Also where nothing new comes.
            Some(since) => timeout(LATER.saturating_sub(since.elapsed()), ready).await.is_ok(),
            // A store that opens late holds entries of before, for which nothing rings.
            None if self.audit.trouble().is_some() => timeout(LATER, ready).await.is_ok(),
            None => {
                ready.await;
                true
            }
        };
        if rung {
            sleep(LINGER).await;
        }
    }

    fn heard(&mut self) {
        if std::mem::take(&mut self.told) {
            tracing::info!("the audit log is handed on again");
        }
        self.pause = FIRST_PAUSE;
        self.most = (self.most * 2).min(MOST);
    }

    async fn back_off(&mut self, untaken: Option<&Untaken>) {
        if untaken == Some(&Untaken::Slow) {
            self.most = (self.most / 2).max(1);
        }
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!("the audit log cannot be handed on; it is kept until it can");
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    async fn append(&self, entries: &[Kept]) -> Result<Taken, Untaken> {
        let _turn = self.chain.turn().await;
        let taken = self.sink.append(entries, self.chain.seen()).await?;
        if let Some(state) = &taken.chain {
            let made = entries.iter().filter_map(|entry| made_ms(entry.id)).max();
            self.chain.observe(state, &Inspection::default(), made);
        }
        Ok(taken)
    }

    /// What became of the entries, and what stood in the way of the rest. A batch that is refused is divided until
    /// the entries are found that it was refused for.
    async fn batch(&self, entries: &[Kept]) -> (Handled, Option<Untaken>) {
        let (mut all, mut failures) = (Handled::default(), 0);
        let mut parts = vec![entries];
        while let Some(part) = parts.pop() {
            match self.append(part).await {
                Ok(taken) => {
                    failures = 0;
                    let (put_off, taken): (Vec<_>, Vec<_>) =
                        part.iter().map(|entry| entry.id).partition(|id| taken.pending.contains(id));
                    all.taken.extend(taken);
                    all.put_off.extend(put_off);
                }
                Err(Untaken::Malformed(_) | Untaken::Failed) if part.len() > 1 => {
                    let (older, newer) = part.split_at(part.len() / 2);
                    parts.extend([newer, older]);
                }
                Err(Untaken::Malformed(what)) => {
                    for Kept { id, .. } in part {
                        tracing::error!(entry = %id, %what, "an audit entry was refused and is set aside");
                        all.set_aside.push((*id, what.clone()));
                    }
                }
                Err(Untaken::Failed) => {
                    failures += 1;
                    all.put_off.extend(part.iter().map(|entry| entry.id));
                    if failures >= MOST_FAILURES {
                        return (all, Some(Untaken::Failed));
                    }
                }
                Err(untaken) => return (all, Some(untaken)),
            }
        }
        (all, None)
    }
}

/// When an entry was made, as its id says.
fn made_ms(id: Uuid) -> Option<u64> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    Some(seconds * 1000 + u64::from(nanos / 1_000_000))
}

/// Leaves out what would make a batch too large; at least one stays.
fn bound(entries: &mut Vec<Kept>) {
    let mut bytes = 0;
    let fitting = entries.iter().take_while(|entry| {
        bytes += entry.body.len();
        bytes <= MOST_BYTES
    });
    let fitting = fitting.count().max(1);
    entries.truncate(fitting);
}
