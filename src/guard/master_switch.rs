//! The administrator's master switch, checked by every request and watched for every open stream.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::mirror::{Gate, Mirror};
use crate::vocab::MutexExt;

/// How often the gate is polled besides notifications: settings that become stale close it without one.
const RECHECK_INTERVAL: Duration = Duration::from_millis(250);

/// The switch. Streams hold its token, which is cancelled when the switch goes off.
#[derive(Debug)]
pub struct MasterSwitch {
    mirror: Arc<Mirror>,
    enabled: Mutex<CancellationToken>,
}

impl MasterSwitch {
    pub fn new(mirror: Arc<Mirror>) -> Self {
        Self { mirror, enabled: Mutex::new(CancellationToken::new()) }
    }

    /// Whether requests are served, at this moment.
    pub fn gate(&self) -> Gate {
        self.mirror.gate()
    }

    /// Cancelled as soon as the switch goes off. Take it before `gate`, so that no change is missed in between.
    pub fn enabled_token(&self) -> CancellationToken {
        self.enabled.locked().clone()
    }

    /// Watches the gate and ends streams when it closes; runs until `cancel`.
    pub async fn watch_gate(self: Arc<Self>, cancel: CancellationToken) {
        let mut changes = self.mirror.watch_gate();
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                Ok(()) = changes.changed() => {}
                () = tokio::time::sleep(RECHECK_INTERVAL) => {}
            }
            if self.gate() != Gate::Open {
                self.cancel_streams();
            }
        }
    }

    fn cancel_streams(&self) {
        let mut enabled = self.enabled.locked();
        enabled.cancel();
        *enabled = CancellationToken::new();
    }
}
