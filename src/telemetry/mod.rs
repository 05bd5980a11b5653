//! Logs: one subscriber, text or JSON, and one table of the names that occur in them.
//!
//! A log line never carries a credential, a proof, a header, a query string or a row of data: modules log
//! ids and reasons. rmcp is held at `error`, since it writes results of tools at `debug`, and its service is silent,
//! since clients could flood the log through it: a warning for each unknown tool, an error for each disconnect.

pub mod names;
pub mod panics;

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::config::{Log, LogFormat};

/// Log levels of libraries that would drown our lines or log data, unless the operator names the library.
const LIBRARY_LEVELS: [(&str, &str); 5] =
    [("rmcp", "error"), ("rmcp::service", "off"), ("hyper", "warn"), ("h2", "warn"), ("reqwest", "warn")];

/// Installs the subscriber and the panic hook of this process; a second subscriber (tests) is left out silently.
pub fn init(log: &Log) {
    panics::install_hook();
    let _ = tracing::subscriber::set_global_default(subscriber(log, std::io::stderr));
}

/// The subscriber of `log`, writing to `writer`.
pub fn subscriber<W>(log: &Log, writer: W) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer).with_ansi(false);
    let lines = match log.format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.boxed(),
    };
    Registry::default().with(lines.with_filter(filter(&log.level)))
}

fn filter(level: &str) -> EnvFilter {
    let mut directives = level.to_owned();
    for (library, at) in LIBRARY_LEVELS {
        let root = library.split("::").next().unwrap_or(library);
        if !level.contains(root) {
            directives.push_str(&format!(",{library}={at}"));
        }
    }
    // The configuration was checked; what could not be read after all must not silence the errors.
    EnvFilter::try_new(&directives).unwrap_or_else(|_| EnvFilter::new("info"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_stay_quiet_unless_named() {
        let quiet = filter("debug").to_string();
        assert!(quiet.contains("rmcp=error") && quiet.contains("rmcp::service=off"), "{quiet}");
        let named = filter("info,rmcp=debug").to_string();
        assert!(!named.contains("rmcp=error") && !named.contains("rmcp::service"), "{named}");
    }
}
