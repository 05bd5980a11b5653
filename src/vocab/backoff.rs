//! Exponential backoff between attempts, and an outage that is logged once instead of with each attempt.

use std::time::Duration;

/// A pause that doubles with each failure up to a maximum, and starts over after a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    delay: Duration,
}

impl Backoff {
    pub const fn new(initial: Duration, max: Duration) -> Self {
        Self { initial, max, delay: initial }
    }

    /// The pause before the next attempt, without a change of it.
    pub fn delay(&self) -> Duration {
        self.delay
    }

    /// The pause before the next attempt; the one after it is twice as long.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.delay;
        self.delay = (delay * 2).min(self.max);
        delay
    }

    pub fn reset(&mut self) {
        self.delay = self.initial;
    }
}

/// Whether attempts fail at the moment: each change is worth one line in the log.
#[derive(Debug, Default)]
pub struct Outage(bool);

impl Outage {
    /// Records a failure; true for the first in a row.
    pub fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.0, true)
    }

    /// Records a success; true for the first after a failure.
    pub fn end(&mut self) -> bool {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_maximum_and_start_over() {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(1));
        let delays: Vec<_> = (0..5).map(|_| backoff.next_delay().as_millis()).collect();
        assert_eq!(delays, [200, 400, 800, 1000, 1000]);
        backoff.reset();
        assert_eq!(backoff.delay(), Duration::from_millis(200));
        assert_eq!(backoff.next_delay(), Duration::from_millis(200));
    }

    #[test]
    fn an_outage_begins_and_ends_once() {
        let mut outage = Outage::default();
        assert!(!outage.end());
        assert_eq!([outage.begin(), outage.begin(), outage.end(), outage.end()], [true, false, true, false]);
    }
}
