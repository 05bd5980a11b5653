//! Circuit breaker: while Odoo is unreachable, calls fail at once, and a single probe at a time tests whether it is
//! back, with backoff.
//!
//! Counts failures of the connection only: a server that answers, be it with a fault, is reachable. A timeout does
//! not count either: one slow report does not make Odoo unreachable.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::Options;
use crate::vocab::{Backoff, MutexExt};

#[derive(Debug)]
pub(super) struct Breaker {
    failures: u32,
    backoff: Backoff,
    state: Mutex<BreakerState>,
}

#[derive(Debug, Clone, Copy)]
enum BreakerState {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
        backoff: Backoff,
    },
    /// One call is under way as a probe.
    HalfOpen {
        backoff: Backoff,
    },
}

/// A permit for one call. Dropped without a record, it changes nothing but frees the probe.
#[derive(Debug)]
pub(super) struct BreakerPermit<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

impl BreakerState {
    fn open(mut backoff: Backoff, now: Instant) -> Self {
        Self::Open { until: now + backoff.next_delay(), backoff }
    }
}

impl Breaker {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            failures: options.breaker_failures.max(1),
            backoff: Backoff::new(
                Duration::from_millis(options.breaker_pause_ms),
                Duration::from_millis(options.breaker_pause_max_ms),
            ),
            state: Mutex::new(BreakerState::Closed { failures: 0 }),
        }
    }

    /// A permit, or none while the breaker is open.
    pub(super) fn try_acquire(&self, now: Instant) -> Option<BreakerPermit<'_>> {
        let mut state = self.state();
        match *state {
            BreakerState::Closed { .. } => Some(BreakerPermit { breaker: self, is_probe: false }),
            BreakerState::Open { until, backoff } if now >= until => {
                *state = BreakerState::HalfOpen { backoff };
                Some(BreakerPermit { breaker: self, is_probe: true })
            }
            BreakerState::Open { .. } | BreakerState::HalfOpen { .. } => None,
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, BreakerState> {
        self.state.locked()
    }

    /// Whether the breaker is closed; takes no permit.
    pub(super) fn is_closed(&self) -> bool {
        matches!(*self.state(), BreakerState::Closed { .. })
    }

    fn record_failure(&self, is_probe: bool, now: Instant) {
        let mut state = self.state();
        *state = match *state {
            BreakerState::Closed { failures } if failures + 1 < self.failures => {
                BreakerState::Closed { failures: failures + 1 }
            }
            BreakerState::Closed { .. } => {
                tracing::warn!("Odoo cannot be reached: calls fail at once until it is back");
                BreakerState::open(self.backoff, now)
            }
            BreakerState::HalfOpen { backoff } if is_probe => BreakerState::open(backoff, now),
            // A call from before the breaker opened carries no news.
            open @ (BreakerState::Open { .. } | BreakerState::HalfOpen { .. }) => open,
        };
    }

    fn record_success(&self) {
        let mut state = self.state();
        if !matches!(*state, BreakerState::Closed { .. }) {
            tracing::info!("Odoo can be reached again");
        }
        *state = BreakerState::Closed { failures: 0 };
    }

    fn abandon_probe(&self, now: Instant) {
        let mut state = self.state();
        if let BreakerState::HalfOpen { backoff } = *state {
            *state = BreakerState::Open { until: now, backoff };
        }
    }
}

impl BreakerPermit<'_> {
    /// The connection failed.
    pub(super) fn record_failure(mut self, now: Instant) {
        self.breaker.record_failure(self.is_probe, now);
        self.is_probe = false;
    }

    /// Odoo answered, with a result or a fault.
    pub(super) fn record_success(mut self) {
        self.breaker.record_success();
        self.is_probe = false;
    }
}

impl Drop for BreakerPermit<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            self.breaker.abandon_probe(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(&Options { breaker_failures: 3, ..Options::default() })
    }

    fn open(breaker: &Breaker, now: Instant) {
        for _ in 0..3 {
            breaker.try_acquire(now).unwrap().record_failure(now);
        }
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let (breaker, now) = (breaker(), Instant::now());
        for _ in 0..5 {
            breaker.try_acquire(now).unwrap().record_failure(now);
            breaker.try_acquire(now).unwrap().record_failure(now);
            breaker.try_acquire(now).unwrap().record_success();
        }
        assert!(breaker.try_acquire(now).is_some());
        assert!(breaker.is_closed());
        open(&breaker, now);
        assert!(breaker.try_acquire(now).is_none() && !breaker.is_closed());
    }

    #[test]
    fn one_probe_at_a_time_and_pauses_grow_up_to_the_maximum() {
        let (breaker, mut now) = (breaker(), Instant::now());
        open(&breaker, now);
        for pause in [1, 2, 4, 8, 10, 10] {
            assert!(breaker.try_acquire(now + Duration::from_millis(pause * 1000 - 1)).is_none());
            now += Duration::from_secs(pause);
            let probe = breaker.try_acquire(now).unwrap();
            assert!(breaker.try_acquire(now).is_none(), "a second probe");
            probe.record_failure(now);
        }
        now += Duration::from_secs(10);
        breaker.try_acquire(now).unwrap().record_success();
        assert!(breaker.try_acquire(now).is_some());
    }

    #[test]
    fn an_abandoned_probe_lets_the_next_one_through() {
        let (breaker, now) = (breaker(), Instant::now());
        open(&breaker, now);
        drop(breaker.try_acquire(now + Duration::from_secs(1)).unwrap());
        assert!(breaker.try_acquire(Instant::now() + Duration::from_millis(1)).is_some());
    }

    #[test]
    fn late_failures_do_not_prolong_the_pause() {
        let (breaker, now) = (breaker(), Instant::now());
        let late = breaker.try_acquire(now).unwrap();
        open(&breaker, now);
        late.record_failure(now + Duration::from_millis(900));
        assert!(breaker.try_acquire(now + Duration::from_secs(1)).is_some());
    }
}
