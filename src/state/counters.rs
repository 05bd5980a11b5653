//! The seam between what counts and where the counts are kept.

use futures_util::future::BoxFuture;

use super::CommitTicket;
use crate::vocab::ConnectionId;

/// Which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitPeriod {
    Minute,
    Day,
}

/// A stretch of the calendar, in seconds since 1970, and how many requests fit into it (0: any number).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub start: i64,
    pub end: i64,
    pub limit: u32,
}

/// The minute and the day of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    pub minute: Window,
    pub day: Window,
}

/// A request that was counted.
#[derive(Debug)]
pub struct CountedRequest {
    pub ticket: CommitTicket,
    /// The requests of its day so far, itself included.
    pub day: i64,
}

/// Counts of requests.
pub trait CounterStore: std::fmt::Debug + Send + Sync {
    /// Counts a request of `owner` in both windows, or in neither and says which one is full. Exact however
    /// many ask at once.
    fn count_request(
        &self,
        owner: ConnectionId,
        windows: Windows,
    ) -> BoxFuture<'_, Result<CountedRequest, LimitPeriod>>;

    /// Keeps what is not kept yet and lets go of what is held. Counting goes on, but is not kept.
    fn close(&self);
}
