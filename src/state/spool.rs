//! The spool: a durable queue of entries, each kept until it has been delivered.

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::CommitTicket;

/// The stage of an entry in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Still running. If the process ends before it is closed, it is delivered as it stands after the
    /// restart.
    Open,
    /// Can be delivered.
    Ready,
}

/// A queued entry with an opaque body. Ids are UUIDs of version 7, so that they sort by time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolEntry {
    pub id: Uuid,
    pub body: String,
}

/// The result of a delivery, entry by entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryReport {
    /// Taken: deleted from the spool.
    pub delivered: Vec<Uuid>,
    /// To be retried: skipped by `peek_oldest` until `requeue_deferred`.
    pub deferred: Vec<Uuid>,
    /// Refused for good: moved to the dead letters with the reason, for a person to look at.
    pub dead_lettered: Vec<(Uuid, String)>,
}

/// Why no new entry can be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageFault {
    /// The file could not be opened yet.
    NotOpen,
    /// The last write failed; its entries wait in memory for the retry.
    Unwritable,
    /// The volume is full: open entries can be closed, new ones cannot be opened.
    NoSpace,
}

/// A durable queue with at-least-once delivery.
pub trait Spool: std::fmt::Debug + Send + Sync {
    /// Inserts an entry, or replaces the one with its id. The ticket resolves when a kill can no longer lose
    /// it.
    fn put(&self, entry: SpoolEntry, stage: Stage) -> CommitTicket;

    /// Inserts entries without a ticket, in the next group commit.
    fn put_in_background(&self, entries: Vec<(SpoolEntry, Stage)>);

    /// Deletes an entry whose call was not made.
    fn remove(&self, id: Uuid);

    /// The oldest entries that are ready, in order; they stay queued until acknowledged.
    fn peek_oldest(&self, limit: usize) -> BoxFuture<'_, Vec<SpoolEntry>>;

    /// Records the result of a delivery; true once it is committed.
    fn acknowledge(&self, report: DeliveryReport) -> BoxFuture<'_, bool>;

    /// Makes the deferred entries ready again.
    fn requeue_deferred(&self);

    /// The approximate size of the file in bytes.
    fn bytes_used(&self) -> u64;

    /// Why no new entry can be accepted at the moment, if so.
    fn fault(&self) -> Option<StorageFault>;
}
