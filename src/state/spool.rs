//! The seam between what happened and where it is kept until it has been handed on.

use uuid::Uuid;

use super::{Pending, Receipt};

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
pub struct Kept {
    pub id: Uuid,
    pub body: String,
}

/// What became of entries that were handed on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handled {
    /// They are forgotten.
    pub taken: Vec<Uuid>,
    /// They stay, and are not told of before `recall`.
    pub put_off: Vec<Uuid>,
    /// They are never told of again, but stay for a person to look at, with the reason.
    pub set_aside: Vec<(Uuid, String)>,
}

/// Why nothing new should be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The file could not be opened yet.
    Closed,
    /// The last entries could not be written; they wait in memory.
    Unwritable,
    /// What is begun can be finished, but the volume has no room for more.
    NoRoom,
}

/// Entries that must outlive the process until they have been handed on.
pub trait Spool: std::fmt::Debug + Send + Sync {
    /// Keeps an entry in place of what stood under its id. The receipt tells whether a kill could still lose it.
    fn keep(&self, entry: Kept, stage: Stage) -> Receipt;

    /// Keeps entries that nobody waits for.
    fn keep_soon(&self, entries: Vec<(Kept, Stage)>);

    /// Forgets an entry that came to nothing.
    fn withdraw(&self, id: Uuid);

    /// The oldest entries that can be handed on, in their order.
    fn oldest(&self, most: usize) -> Pending<'_, Vec<Kept>>;

    /// Notes what became of them; whether that is kept.
    fn settle(&self, handled: Handled) -> Pending<'_, bool>;

    /// What was put off can be handed on again.
    fn recall(&self);

    /// How many bytes all that is kept takes, roughly.
    fn used(&self) -> u64;

    /// What keeps a new entry from being begun at the moment; none: it can be kept.
    fn trouble(&self) -> Option<Trouble>;
}
