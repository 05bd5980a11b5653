//! The counter store: the seam between rate limits and the place where requests are counted.

use futures_util::future::BoxFuture;

use super::CommitTicket;
use crate::vocab::ConnectionId;

/// The rate limit that a request exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitPeriod {
    Minute,
    Day,
}

/// A rate limit window in seconds since 1970, and the most requests in it (0: unlimited).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub start: i64,
    pub end: i64,
    pub limit: u32,
}

/// The two windows that a request counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    pub minute: Window,
    pub day: Window,
}

/// The receipt of a counted request.
#[derive(Debug)]
pub struct CountedRequest {
    pub ticket: CommitTicket,
    /// The requests of its day so far, this one included.
    pub day: i64,
}

/// Counts requests against rate limits.
pub trait CounterStore: std::fmt::Debug + Send + Sync {
    /// Counts a request of `owner` in both windows, or in neither and returns the one that is full. Exact
    /// under concurrency.
    fn count_request(
        &self,
        owner: ConnectionId,
        windows: Windows,
    ) -> BoxFuture<'_, Result<CountedRequest, LimitPeriod>>;

    /// Flushes all pending writes and closes the file. Counting goes on in memory only.
    fn close(&self);
}
