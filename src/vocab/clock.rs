//! A source of time: ages by a monotonic clock, dates by the wall clock.
//! Tests use a manual one that advances only on demand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of time. Clones share it.
#[derive(Debug, Clone)]
pub struct Clock(ClockSource);

#[derive(Debug, Clone)]
enum ClockSource {
    System { start: Instant },
    Manual { unix_ms: u64, moved_ms: Arc<AtomicU64> },
}

impl Clock {
    /// The clocks of the operating system.
    pub fn system() -> Self {
        Self(ClockSource::System { start: Instant::now() })
    }

    /// A manual clock at this time, moved by `advance`.
    pub fn manual_at(unix_ms: u64) -> Self {
        Self(ClockSource::Manual { unix_ms, moved_ms: Arc::default() })
    }

    /// Moves a manual clock; no effect on the system's.
    pub fn advance(&self, by: Duration) {
        if let ClockSource::Manual { moved_ms, .. } = &self.0 {
            moved_ms.fetch_add(millis(by), Ordering::AcqRel);
        }
    }

    /// Milliseconds since the clock was made, beginning with 1 so that 0 can mean never.
    pub fn age_ms(&self) -> u64 {
        1 + match &self.0 {
            ClockSource::System { start } => millis(start.elapsed()),
            ClockSource::Manual { moved_ms, .. } => moved_ms.load(Ordering::Acquire),
        }
    }

    /// Milliseconds since 1970.
    pub fn unix_ms(&self) -> u64 {
        match &self.0 {
            ClockSource::System { .. } => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis),
            ClockSource::Manual { unix_ms, moved_ms } => unix_ms + moved_ms.load(Ordering::Acquire),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 2)
}
