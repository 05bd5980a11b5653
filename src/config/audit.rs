//! `[audit]`: size of the spool of audit entries.

use serde::Deserialize;

use super::Faults;

/// Less than this would be full after a few calls with payloads.
const MIN_SPOOL_BYTES: u64 = 1024 * 1024;

/// The `[audit]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// Bytes in the spool; when it is full, tool calls are refused.
    pub spool_max_bytes: u64,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { spool_max_bytes: 1024 * 1024 * 1024 }
    }
}

impl AuditConfig {
    pub(super) fn check(&self, faults: &mut Faults) {
        if self.spool_max_bytes < MIN_SPOOL_BYTES {
            faults.add("audit.spool_max_bytes", format!("must be at least {MIN_SPOOL_BYTES}"));
        }
    }
}
