//! Parser of the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

/// Serves one MCP endpoint, /odoo/mcp, beside an Odoo server.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "odoo-mcp-sidecar", version, about)]
pub struct Arguments {
    /// Settings file (TOML); every key of it can also be given as ODOO_MCP_SECTION__KEY.
    #[arg(long, env = "ODOO_MCP_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Check the configuration, report every fault, and exit.
    #[arg(long)]
    pub check: bool,
    /// Where AI tools connect, for example 127.0.0.1:8765.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Where health is asked and Odoo posts its wake-ups.
    #[arg(long, value_name = "ADDRESS")]
    pub admin_listen: Option<String>,
    /// The origin under which tools reach /odoo/mcp.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Directory of the data that must outlive a restart.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Odoo's address, as the sidecar reaches it.
    #[arg(long, value_name = "URL")]
    pub odoo_url: Option<String>,
    /// Odoo's database.
    #[arg(long, value_name = "NAME")]
    pub odoo_database: Option<String>,
    /// How much is logged.
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// text or json.
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
}

/// The parsed command line.
#[derive(Debug)]
pub enum ParsedCommand {
    /// Start with these arguments.
    Run(Box<Arguments>),
    /// Print the text and exit (`--help`, `--version`).
    Print(String),
    /// The command line cannot be parsed; the text says why.
    UsageError(String),
}

impl Arguments {
    /// Parses a command line. clap's own `parse` would end the process by itself, with its own exit code.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> ParsedCommand {
        match Self::try_parse_from(arguments) {
            Ok(arguments) => ParsedCommand::Run(Box::new(arguments)),
            Err(error) if error.use_stderr() => ParsedCommand::UsageError(error.render().to_string()),
            Err(text) => ParsedCommand::Print(text.render().to_string()),
        }
    }

    pub(super) fn overrides(&self) -> Vec<(&'static str, String)> {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        [
            ("listen", self.listen.clone()),
            ("admin_listen", self.admin_listen.clone()),
            ("public_url", self.public_url.clone()),
            ("data_dir", self.data_dir.as_ref().map(path)),
            ("odoo.url", self.odoo_url.clone()),
            ("odoo.database", self.odoo_database.clone()),
            ("log.level", self.log_level.clone()),
            ("log.format", self.log_format.clone()),
        ]
        .into_iter()
        .filter_map(|(key, value)| value.map(|value| (key, value)))
        .collect()
    }
}
