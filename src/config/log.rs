//! `[log]`: how much is told, and in which form.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use super::Faults;

/// `[log]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,odoo_mcp_sidecar::web=debug`.
    pub level: String,
    pub format: Format,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: Format::Text }
    }
}

impl Log {
    pub(super) fn check(&self, faults: &mut Faults) {
        if self.level.trim().is_empty() || EnvFilter::try_new(&self.level).is_err() {
            faults.add("log.level", format_args!("{:?} is not a level", self.level));
        }
    }
}
