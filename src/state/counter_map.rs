//! The request counters in memory: fixed windows of a minute and a day for each connection.

use dashmap::DashMap;

use super::Window;
use crate::vocab::ConnectionId;

/// The requests counted in one window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct WindowCount {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) count: i64,
}

/// The counters of one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ConnectionCounters {
    pub(super) minute: WindowCount,
    pub(super) day: WindowCount,
}

pub(super) type CounterMap = DashMap<ConnectionId, ConnectionCounters>;

// === impl WindowCount ===

impl WindowCount {
    /// Resets the counter when its window has passed. A request that is late and belongs to the window before
    /// counts in the current one; a clock that was set back by more than a window resets it too.
    pub(super) fn roll_over(&mut self, window: Window) {
        let set_back = self.start - window.start > window.end - window.start;
        if window.start > self.start || set_back {
            *self = Self { start: window.start, end: window.end, count: 0 };
        }
    }

    fn merge(&mut self, before: Self) {
        if self.end == before.end {
            self.count += before.count;
        } else if self.end < before.end {
            *self = before;
        }
    }

    pub(super) fn is_at_limit(&self, window: Window) -> bool {
        window.limit > 0 && self.count >= i64::from(window.limit)
    }
}

// === impl ConnectionCounters ===

impl ConnectionCounters {
    /// Adds the counts of the file to those that this process has counted before the file could be opened.
    pub(super) fn merge(&mut self, before: Self) {
        self.minute.merge(before.minute);
        self.day.merge(before.day);
    }
}
