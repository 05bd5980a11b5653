//! Stops calling an Odoo that is away, so that callers learn it at once and Odoo can come back in peace.
//!
//! Counts failures of the connection only: whatever answers, be it with a fault, is there. A deadline that
//! passes does not count either: one slow report says nothing of Odoo.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::Options;

#[derive(Debug)]
pub(super) struct Breaker {
    failures: u32,
    pause: Duration,
    pause_max: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
        pause: Duration,
    },
    /// One call is on its way to see whether Odoo is back.
    Trying {
        pause: Duration,
    },
}

/// The right to make one call. Dropped without a word, it changes nothing but frees the try.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    trying: bool,
}

impl Breaker {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            failures: options.breaker_failures.max(1),
            pause: Duration::from_millis(options.breaker_pause_ms),
            pause_max: Duration::from_millis(options.breaker_pause_max_ms),
            state: Mutex::new(State::Closed { failures: 0 }),
        }
    }

    /// A pass, or none while Odoo is taken to be away.
    pub(super) fn pass(&self, now: Instant) -> Option<Pass<'_>> {
        let mut state = self.state();
        match *state {
            State::Closed { .. } => Some(Pass { breaker: self, trying: false }),
            State::Open { until, pause } if now >= until => {
                *state = State::Trying { pause };
                Some(Pass { breaker: self, trying: true })
            }
            State::Open { .. } | State::Trying { .. } => None,
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Whether calls pass, without making one.
    pub(super) fn is_closed(&self) -> bool {
        matches!(*self.state(), State::Closed { .. })
    }

    fn failed(&self, trying: bool, now: Instant) {
        let mut state = self.state();
        *state = match *state {
            State::Closed { failures } if failures + 1 < self.failures => {
                State::Closed { failures: failures + 1 }
            }
            State::Closed { .. } => {
                tracing::warn!("Odoo cannot be reached: calls fail at once until it is back");
                State::Open { until: now + self.pause, pause: self.pause }
            }
            State::Trying { pause } if trying => {
                let pause = (pause * 2).min(self.pause_max);
                State::Open { until: now + pause, pause }
            }
            // A call from before the breaker opened tells nothing new.
            State::Open { until, pause } => State::Open { until, pause },
            State::Trying { pause } => State::Trying { pause },
        };
    }

    fn answered(&self) {
        let mut state = self.state();
        if !matches!(*state, State::Closed { .. }) {
            tracing::info!("Odoo can be reached again");
        }
        *state = State::Closed { failures: 0 };
    }

    fn given_up(&self, now: Instant) {
        let mut state = self.state();
        if let State::Trying { pause } = *state {
            *state = State::Open { until: now, pause };
        }
    }
}

impl Pass<'_> {
    /// The connection failed.
    pub(super) fn failed(mut self, now: Instant) {
        self.breaker.failed(self.trying, now);
        self.trying = false;
    }

    /// Odoo answered, whatever it said.
    pub(super) fn answered(mut self) {
        self.breaker.answered();
        self.trying = false;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.trying {
            self.breaker.given_up(Instant::now());
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
            breaker.pass(now).unwrap().failed(now);
        }
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let (breaker, now) = (breaker(), Instant::now());
        for _ in 0..5 {
            breaker.pass(now).unwrap().failed(now);
            breaker.pass(now).unwrap().failed(now);
            breaker.pass(now).unwrap().answered();
        }
        assert!(breaker.pass(now).is_some());
        assert!(breaker.is_closed());
        open(&breaker, now);
        assert!(breaker.pass(now).is_none() && !breaker.is_closed());
    }

    #[test]
    fn one_try_at_a_time_and_longer_pauses_up_to_the_longest() {
        let (breaker, mut now) = (breaker(), Instant::now());
        open(&breaker, now);
        for pause in [1, 2, 4, 8, 10, 10] {
            assert!(breaker.pass(now + Duration::from_millis(pause * 1000 - 1)).is_none());
            now += Duration::from_secs(pause);
            let attempt = breaker.pass(now).unwrap();
            assert!(breaker.pass(now).is_none(), "a second try");
            attempt.failed(now);
        }
        now += Duration::from_secs(10);
        breaker.pass(now).unwrap().answered();
        assert!(breaker.pass(now).is_some());
    }

    #[test]
    fn a_try_that_was_given_up_frees_its_place() {
        let (breaker, now) = (breaker(), Instant::now());
        open(&breaker, now);
        drop(breaker.pass(now + Duration::from_secs(1)).unwrap());
        assert!(breaker.pass(Instant::now() + Duration::from_millis(1)).is_some());
    }

    #[test]
    fn late_failures_do_not_prolong_the_pause() {
        let (breaker, now) = (breaker(), Instant::now());
        let late = breaker.pass(now).unwrap();
        open(&breaker, now);
        late.failed(now + Duration::from_millis(900));
        assert!(breaker.pass(now + Duration::from_secs(1)).is_some());
    }
}
