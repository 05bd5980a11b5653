//! How many requests a connection may make in a minute and in a day of the calendar.
//!
//! The limits come with each request, from the connection and from the settings as the mirror knows them
//! now, so that a change counts at once and against what was used already. A minute is one of the clock; a
//! day ends at midnight in the time zone of the company.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::odoo::gateway::SettingsDocument;
use crate::state::{Counters, Receipt, Span, Window, Windows};
use crate::vocab::{Clock, Principal};

const MINUTE: i64 = 60;

/// The limits of all connections.
#[derive(Debug)]
pub struct Rate {
    counters: Arc<dyn Counters>,
    clock: Clock,
    today: Mutex<Option<Today>>,
}

/// A day and the zone that it is one in.
#[derive(Debug, Clone)]
struct Today {
    tz: String,
    start: i64,
    end: i64,
}

/// A limit that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    pub span: Span,
    pub most: u32,
    pub wait: Duration,
    pub resets_at: Timestamp,
}

// === impl Rate ===

impl Rate {
    pub fn new(counters: Arc<dyn Counters>, clock: Clock) -> Self {
        Self { counters, clock, today: Mutex::default() }
    }

    /// Counts one request of this caller; one beyond a limit is not counted.
    pub async fn take(&self, principal: &Principal, settings: &SettingsDocument) -> Result<Receipt, Reached> {
        let now_ms = self.clock.unix_ms();
        let now = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
        let (start, end) = self.day(now, &settings.tz);
        let limits = principal.limits;
        let windows = Windows {
            minute: Window {
                start: now - now.rem_euclid(MINUTE),
                end: now - now.rem_euclid(MINUTE) + MINUTE,
                most: limits.minute.unwrap_or(settings.rate_limit_minute),
            },
            day: Window { start, end, most: limits.day.unwrap_or(settings.rate_limit_day) },
        };
        self.counters.take(principal.connection, windows).await.map_err(|span| {
            let window = if span == Span::Minute { windows.minute } else { windows.day };
            let end_ms = u64::try_from(window.end).unwrap_or(0).saturating_mul(1000);
            Reached {
                span,
                most: window.most,
                wait: Duration::from_millis(end_ms.saturating_sub(now_ms).max(1)),
                resets_at: Timestamp::from_second(window.end).unwrap_or(Timestamp::MAX),
            }
        })
    }

    /// Where the day of `now` begins and ends.
    fn day(&self, now: i64, tz: &str) -> (i64, i64) {
        let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
        match &*today {
            Some(day) if day.tz == tz && (day.start..day.end).contains(&now) => (day.start, day.end),
            _ => {
                let (start, end) = day_in(now, tz);
                *today = Some(Today { tz: tz.to_owned(), start, end });
                (start, end)
            }
        }
    }
}

/// The day of `now` in this time zone; in UTC where nobody knows the zone.
fn day_in(now: i64, tz: &str) -> (i64, i64) {
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
    let whole = now - now.rem_euclid(86_400);
    zoned.as_ref().and_then(bounds).unwrap_or((whole, whole + 86_400))
}

#[cfg(test)]
mod tests;
