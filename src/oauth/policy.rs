//! What the authorization server goes by: its names, and the settings that an administrator can change at any time.

use std::sync::Arc;

use super::error::OauthError;
use crate::mirror::Gate;
use crate::vocab::{Scope, Secret};

/// The path of the resource behind the issuer.
pub const RESOURCE_PATH: &str = "/odoo/mcp";

/// A snapshot of the settings; taken anew for each request, so that a change is in effect at once.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The master switch.
    pub gate: Gate,
    /// Off: API keys only, and no endpoint of OAuth exists.
    pub enable_oauth: bool,
    /// Whether `/authorize`, `/token` and `/register` are served too.
    pub aliases: bool,
    pub allow_dynamic_registration: bool,
    /// The scope of a client that asks for none; `None`: there is no default.
    pub default_scope: Scope,
    /// Some client may use the grant `client_credentials`.
    pub offers_client_credentials: bool,
    /// Origins whose tokens stay valid until they expire.
    pub previous_public_urls: Vec<String>,
    /// Where people open Odoo; empty before the first hello.
    pub web_url: Arc<str>,
    /// The key from which codes and tokens are derived, the same for all replicas; none before the first hello.
    pub key: Option<Arc<Secret>>,
}

/// Gives the present policy.
pub type PolicySource = Box<dyn Fn() -> Policy + Send + Sync>;

impl Policy {
    /// Refuses while the switch is off or the settings are unknown.
    pub fn check_open(&self) -> Result<(), OauthError> {
        match self.gate {
            Gate::Open => Ok(()),
            Gate::Disabled => Err(OauthError::disabled()),
            Gate::Unknown => Err(OauthError::unreachable()),
        }
    }
}
