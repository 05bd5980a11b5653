//! Rate limit of requests for each connection: fixed windows of a minute and of a calendar day.
//!
//! The limits are passed with each request, from the connection and from the current settings, so that a change
//! takes effect at once and counts requests already made. A minute is one of the clock; a day ends at midnight in the
//! time zone of the company.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::state::{CommitTicket, CountedRequest, CounterStore, LimitPeriod, Window, Windows};
use crate::vocab::{Clock, MutexExt, Principal};

const MINUTE_SECONDS: i64 = 60;

/// The rate limiter of all connections.
#[derive(Debug)]
pub struct RequestRateLimiter {
    counters: Arc<dyn CounterStore>,
    clock: Clock,
    today: Mutex<Option<CalendarDay>>,
}

/// The limits of connections without their own, and the time zone in which a day ends.
#[derive(Debug, Clone, Copy)]
pub struct RateSettings<'a> {
    pub minute: u32,
    pub day: u32,
    /// An IANA name; empty: UTC.
    pub tz: &'a str,
}

/// The bounds of a day in its time zone.
#[derive(Debug, Clone)]
struct CalendarDay {
    tz: String,
    start: i64,
    end: i64,
}

/// A rate limit that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimitExceeded {
    pub span: LimitPeriod,
    pub max_requests: u32,
    pub retry_after: Duration,
    pub resets_at: Timestamp,
}

/// A request that was counted.
#[derive(Debug)]
pub struct Counted {
    pub receipt: CommitTicket,
    /// Set where little of the day's limit is left.
    pub scarce: Option<Scarce>,
}

/// The rest of a day's limit, below a tenth of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scarce {
    pub remaining: u32,
    pub max_requests: u32,
    pub wait: Duration,
    pub resets_at: Timestamp,
}

// === impl Counted ===

impl Counted {
    /// For a request without a limit.
    pub fn not() -> Self {
        Self { receipt: CommitTicket::not_required(), scarce: None }
    }
}

// === impl Scarce ===

impl Scarce {
    fn of(day: Window, used: i64, now_ms: u64) -> Option<Self> {
        let max_requests = i64::from(day.limit);
        let remaining = (max_requests - used).max(0);
        (max_requests > 0 && remaining * 10 < max_requests).then(|| Self {
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            max_requests: day.limit,
            wait: until(day.end, now_ms),
            resets_at: instant(day.end),
        })
    }
}

impl std::fmt::Display for Scarce {
    /// A note for the model.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { remaining, max_requests, wait, resets_at } = self;
        write!(
            f,
            "{remaining} of the {max_requests} requests a day of this connection are left (rate_limit_day) until {resets_at}, in {} s: \
             use few calls, each for many records.",
            wait.as_secs().max(1)
        )
    }
}

// === impl RequestRateLimiter ===

impl RequestRateLimiter {
    pub fn new(counters: Arc<dyn CounterStore>, clock: Clock) -> Self {
        Self { counters, clock, today: Mutex::default() }
    }

    /// Counts one request of this caller; one beyond a limit is not counted.
    pub async fn acquire(
        &self,
        principal: &Principal,
        settings: &RateSettings<'_>,
    ) -> Result<Counted, RateLimitExceeded> {
        let now_ms = self.clock.unix_ms();
        let now = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
        let (start, end) = self.day_bounds(now, settings.tz);
        let limits = principal.limits;
        let windows = Windows {
            minute: Window {
                start: now - now.rem_euclid(MINUTE_SECONDS),
                end: now - now.rem_euclid(MINUTE_SECONDS) + MINUTE_SECONDS,
                limit: limits.minute.unwrap_or(settings.minute),
            },
            day: Window { start, end, limit: limits.day.unwrap_or(settings.day) },
        };
        match self.counters.count_request(principal.connection, windows).await {
            Ok(CountedRequest { ticket: receipt, day }) => {
                Ok(Counted { receipt, scarce: Scarce::of(windows.day, day, now_ms) })
            }
            Err(span) => {
                let window = if span == LimitPeriod::Minute { windows.minute } else { windows.day };
                let (wait, resets_at) = (until(window.end, now_ms), instant(window.end));
                Err(RateLimitExceeded { span, max_requests: window.limit, retry_after: wait, resets_at })
            }
        }
    }

    /// The bounds of the day of `now`, cached.
    fn day_bounds(&self, now: i64, tz: &str) -> (i64, i64) {
        let mut today = self.today.locked();
        match &*today {
            Some(day) if day.tz == tz && (day.start..day.end).contains(&now) => (day.start, day.end),
            _ => {
                let (start, end) = day_bounds_in(now, tz);
                *today = Some(CalendarDay { tz: tz.to_owned(), start, end });
                (start, end)
            }
        }
    }
}

fn until(end: i64, now_ms: u64) -> Duration {
    let end_ms = u64::try_from(end).unwrap_or(0).saturating_mul(1000);
    Duration::from_millis(end_ms.saturating_sub(now_ms).max(1))
}

fn instant(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}

/// The bounds of the day of `now` in this time zone; in UTC where the zone is unknown.
fn day_bounds_in(now: i64, tz: &str) -> (i64, i64) {
    let zone = match tz {
        "" => TimeZone::UTC,
        tz => TimeZone::get(tz).unwrap_or_else(|error| {
            tracing::warn!(%error, "the company's time zone is not known: days end at midnight UTC");
            TimeZone::UTC
        }),
    };
    let bounds = |zoned: &Zoned| {
        let start = zoned.start_of_day().ok()?;
        let end = start.checked_add(1.day()).ok()?.start_of_day().ok()?;
        Some((start.timestamp().as_second(), end.timestamp().as_second()))
    };
    let zoned = Timestamp::from_second(now).ok().map(|now| now.to_zoned(zone));
    let utc_day = now - now.rem_euclid(86_400);
    zoned.as_ref().and_then(bounds).unwrap_or((utc_day, utc_day + 86_400))
}

#[cfg(test)]
mod tests;
