//! The seam between what happened and where it is kept until it has been handed on.

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::CommitTicket;

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is not over. Should the process end before that is told, it is handed on as it stands.
    Open,
    /// It can be handed on.
    Ready,
}

/// An entry as it is kept: what it says is for others to know. Ids are of version 7, so that their order is
/// that of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolEntry {
    pub id: Uuid,
    pub body: String,
}

/// What became of entries that were handed on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryReport {
    /// They are forgotten.
    pub delivered: Vec<Uuid>,
    /// They stay, and are not told of before `requeue_deferred`.
    pub deferred: Vec<Uuid>,
    /// They are never told of again, but stay for a person to look at, with the reason.
    pub dead_lettered: Vec<(Uuid, String)>,
}

/// Why nothing new should be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageFault {
    /// The file could not be opened yet.
    NotOpen,
    /// The last entries could not be written; they wait in memory.
    Unwritable,
    /// What is begun can be finished, but the volume has no room for more.
    NoSpace,
}

/// Entries that must outlive the process until they have been handed on.
pub trait Spool: std::fmt::Debug + Send + Sync {
    /// Keeps an entry in place of what stood under its id. The receipt tells whether a kill could still lose it.
    fn put(&self, entry: SpoolEntry, stage: Stage) -> CommitTicket;

    /// Keeps entries that nobody waits for.
    fn put_in_background(&self, entries: Vec<(SpoolEntry, Stage)>);

    /// Forgets an entry that came to nothing.
    fn remove(&self, id: Uuid);

    /// The oldest entries that can be handed on, in their order.
    fn peek_oldest(&self, limit: usize) -> BoxFuture<'_, Vec<SpoolEntry>>;

    /// Notes what became of them; whether that is kept.
    fn acknowledge(&self, report: DeliveryReport) -> BoxFuture<'_, bool>;

    /// What was put off can be handed on again.
    fn requeue_deferred(&self);

    /// How many bytes all that is kept takes, roughly.
    fn bytes_used(&self) -> u64;

    /// What keeps a new entry from being begun at the moment; none: it can be kept.
    fn fault(&self) -> Option<StorageFault>;
}
