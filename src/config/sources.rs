//! Sources of the settings, and how they are merged.

use std::collections::HashMap;
use std::path::PathBuf;

use config::{Environment, File, FileFormat};

use super::section::Table;
use super::{Arguments, Faults};

const VARIABLE_PREFIX: &str = "ODOO_MCP_";

/// Variables with our prefix that are no settings: the name of the settings file, and what `deploy/dev`
/// hands down to the processes that it starts.
const RESERVED_VARIABLES: [&str; 3] = ["ODOO_MCP_CONFIG", "ODOO_MCP_DEV_DIR", "ODOO_MCP_CACHE"];

/// The three sources, as plain data, so that tests need no real environment.
#[derive(Debug, Clone, Default)]
pub struct ConfigSources {
    pub file: Option<PathBuf>,
    pub environment: HashMap<String, String>,
    pub overrides: Vec<(&'static str, String)>,
}

impl ConfigSources {
    /// The file that the arguments name, this process' environment, and the flags.
    pub fn from_process(arguments: &Arguments) -> Self {
        Self {
            file: arguments.config.clone(),
            environment: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            overrides: arguments.overrides(),
        }
    }

    pub(super) fn merge(&self, faults: &mut Faults) -> Table {
        let mut builder = config::Config::builder();
        if let Some(path) = &self.file {
            // Checked alone first: a file that cannot be read must not hide the faults of the rest.
            let file = File::from(path.as_path()).format(FileFormat::Toml);
            match config::Config::builder().add_source(file.clone()).build() {
                Ok(_) => builder = builder.add_source(file),
                Err(error) => faults.add(path.display(), error),
            }
        }
        let environment = self
            .environment
            .iter()
            .filter(|(name, _)| {
                name.starts_with(VARIABLE_PREFIX) && !RESERVED_VARIABLES.contains(&name.as_str())
            })
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        builder = builder.add_source(
            Environment::with_prefix("ODOO_MCP")
                .prefix_separator("_")
                .separator("__")
                // `ODOO_MCP_X=` in a compose file means "not set".
                .ignore_empty(true)
                .source(Some(environment)),
        );
        for (key, value) in &self.overrides {
            match builder.clone().set_override(*key, value.as_str()) {
                Ok(next) => builder = next,
                Err(error) => faults.add(key, error),
            }
        }
        match builder.build() {
            Ok(config) => config.cache.into_table().unwrap_or_default(),
            Err(error) => {
                faults.add("settings", error);
                Table::new()
            }
        }
    }
}
