//! The seam between what counts and where the counts are kept.

use std::pin::Pin;

use super::Receipt;
use crate::vocab::ConnectionId;

/// Which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    Minute,
    Day,
}

/// A stretch of the calendar, in seconds since 1970, and how many requests fit into it (0: any number).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub start: i64,
    pub end: i64,
    pub most: u32,
}

/// The minute and the day of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    pub minute: Window,
    pub day: Window,
}

/// A request that was counted.
#[derive(Debug)]
pub struct Taken {
    pub receipt: Receipt,
    /// The requests of its day so far, itself included.
    pub day: i64,
}

/// What a store will answer; one in memory knows it at once.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Counts of requests.
pub trait Counters: std::fmt::Debug + Send + Sync {
    /// Counts a request of `owner` in both windows, or in neither and says which one is full. Exact however
    /// many ask at once.
    fn take(&self, owner: ConnectionId, windows: Windows) -> Pending<'_, Result<Taken, Span>>;

    /// Keeps what is not kept yet and lets go of what is held. Counting goes on, but is not kept.
    fn close(&self);
}
