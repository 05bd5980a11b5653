//! What the authorization server goes by: its names, and the settings that an administrator can change at any time.

use std::sync::Arc;

use http::StatusCode;

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
    /// The scope that a client gets which asks for none.
    pub default_scope: Scope,
    /// Some client may use the grant `client_credentials`.
    pub offers_client_credentials: bool,
    /// Origins whose tokens stay valid until they expire.
    pub previous_public_urls: Vec<String>,
    /// Where people open Odoo; empty before the first hello.
    pub web_url: Arc<str>,
    /// The key from which codes and tokens are derived, the same for all replicas; none before the first hello.
    pub key: Option<Secret>,
}

/// Gives the present policy.
pub type PolicySource = Box<dyn Fn() -> Policy + Send + Sync>;

impl Policy {
    /// Refuses where an administrator wants API keys only.
    pub fn check_enabled(&self) -> Result<(), OauthError> {
        if self.enable_oauth {
            return Ok(());
        }
        let text = "OAuth is turned off on this server; use an API key, which an administrator makes in Odoo";
        Err(OauthError {
            status: StatusCode::NOT_FOUND,
            ..OauthError::new("access_denied", "oauth_disabled", text)
        })
    }

    /// Refuses while the switch is off or the settings are unknown.
    pub fn check_open(&self) -> Result<(), OauthError> {
        match self.gate {
            Gate::Open => Ok(()),
            Gate::Disabled => Err(OauthError::disabled()),
            Gate::Unknown => Err(OauthError::unreachable()),
        }
    }
}
