//! Configuration of the process: the settings file, the environment, the flags.
//!
//! The only module that reads any of the three. Everything is read once, before a port is bound; all faults
//! are reported together. What the administrator decides while the sidecar runs (switch, limits of
//! a connection, policy) lives in Odoo and never here. Later sources win: file, environment
//! (`ODOO_MCP_ODOO__URL` for `url` of `[odoo]`), flags.

mod arguments;
pub mod audit;
mod fault;
mod limits;
mod log;
pub mod mirror;
pub mod oauth;
pub mod odoo;
mod secret;
mod section;
mod server;
mod sources;
mod value;

pub use arguments::{Arguments, ParsedCommand};
pub use fault::Faults;
pub use limits::Limits;
pub use log::{Log, LogFormat};
pub use server::Server;
pub use sources::ConfigSources;

/// The validated configuration.
#[derive(Debug, Clone, Default)]
pub struct Config {
    pub server: Server,
    pub limits: Limits,
    pub odoo: odoo::OdooConfig,
    pub mirror: mirror::MirrorConfig,
    pub audit: audit::AuditConfig,
    pub oauth: oauth::OauthConfig,
    pub log: Log,
}

impl Config {
    /// Reads, merges and checks all sources; the error holds every fault, not only the first.
    pub fn load(source: &ConfigSources) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let mut tree = source.merge(&mut faults);
        secret::from_file(&mut tree, "odoo", "api_key", &mut faults);
        let config = Self {
            limits: section::take_section(&mut tree, "limits", &mut faults),
            odoo: section::take_section(&mut tree, "odoo", &mut faults),
            mirror: section::take_section(&mut tree, "mirror", &mut faults),
            audit: section::take_section(&mut tree, "audit", &mut faults),
            oauth: section::take_section(&mut tree, "oauth", &mut faults),
            log: section::take_section(&mut tree, "log", &mut faults),
            // Last: the remaining keys belong to no section.
            server: section::read_section(tree, "", &mut faults),
        };
        config.server.check(&mut faults);
        config.limits.check(&mut faults);
        config.odoo.check(&mut faults);
        config.mirror.check(&mut faults);
        config.audit.check(&mut faults);
        config.log.check(&mut faults);
        faults.into_result(config)
    }
}

#[cfg(test)]
mod tests;
