//! `[log]`: log level and format.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::Faults;

/// `[log]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, `off`, or directives such as `info,odoo_mcp_sidecar::web=debug`.
    pub level: String,
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    /// Plain text.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

impl Log {
    pub(super) fn check(&self, faults: &mut Faults) {
        let strange = self.level.split(',').find(|part| !is_level(part) && !is_directive(part));
        if let Some(part) = strange {
            let levels = "error, warn, info, debug, trace, off";
            faults.add("log.level", format_args!("{part:?} is not a level: {levels}"));
        } else if let Err(error) = EnvFilter::try_new(&self.level) {
            faults.add("log.level", format_args!("{:?}: {error}", self.level));
        }
    }
}

fn is_level(part: &str) -> bool {
    !part.is_empty() && part.parse::<LevelFilter>().is_ok()
}

/// Whether a part says what it is for. A bare word would be taken for a target, everything else left silent: a
/// misspelt level must not do that.
fn is_directive(part: &str) -> bool {
    part.contains(['=', '['])
}

/// By hand, as serde's own words for a wrong name speak of variants.
impl TryFrom<String> for LogFormat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.to_lowercase().as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("{text:?} is no form of a log: text or json")),
        }
    }
}
