//! Graceful shutdown of the listeners, in two stages.

use tokio_util::sync::CancellationToken;

/// `stop` ends accepting and lets requests finish, `kill` ends everything.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    pub stop: CancellationToken,
    pub kill: CancellationToken,
}
