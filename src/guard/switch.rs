//! The administrator's master switch, as every request and every open stream meets it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::mirror::{Gate, Mirror};

/// How often the switch is looked at besides being told of a change: settings that grow too old close the
/// gate without anybody announcing it.
const TICK: Duration = Duration::from_millis(250);

/// Why nothing is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    Disabled,
    Unknown,
}

/// The switch. Streams hold its token, which ends with the opening in which they began.
#[derive(Debug)]
pub struct Switch {
    mirror: Arc<Mirror>,
    opening: Mutex<CancellationToken>,
}

impl Switch {
    pub fn new(mirror: Arc<Mirror>) -> Self {
        Self { mirror, opening: Mutex::new(CancellationToken::new()) }
    }

    /// Whether requests are served, at this moment.
    pub fn check(&self) -> Result<(), Closed> {
        match self.mirror.gate() {
            Gate::Open => Ok(()),
            Gate::Disabled => Err(Closed::Disabled),
            Gate::Unknown => Err(Closed::Unknown),
        }
    }

    /// Cancelled as soon as the switch goes off. Take it before `check`, so that no change falls between.
    pub fn opening(&self) -> CancellationToken {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Watches the switch and ends the streams of an opening that is over; runs until `cancel`.
    pub async fn follow(self: Arc<Self>, cancel: CancellationToken) {
        let mut changes = self.mirror.watch_gate();
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                Ok(()) = changes.changed() => {}
                () = tokio::time::sleep(TICK) => {}
            }
            if self.check().is_err() {
                self.close();
            }
        }
    }

    fn close(&self) {
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        opening.cancel();
        *opening = CancellationToken::new();
    }
}
