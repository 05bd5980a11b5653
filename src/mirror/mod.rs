//! What Odoo says now, cached: settings, connections, schemas. `feed` follows `changes` and wake-ups.
//!
//! May be lost at any time; Odoo stays the authority. Knows no MCP and no HTTP server.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::odoo::gateway::{FieldDocument, ModelDocument, SettingsDocument};
use crate::vocab::{ConnectionId, Credential, Principal};

/// Whether MCP requests are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Open,
    /// The administrator switched the server off.
    Disabled,
    /// Odoo has not confirmed its settings for longer than they count.
    Unknown,
}

/// Why a credential gives no principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Unknown, expired or revoked, or its user is gone; `reason` is the contract's word for it.
    #[error("the credential is not valid: {reason}")]
    Invalid { reason: String },
    /// The switch went off meanwhile.
    #[error("the server is disabled")]
    Disabled,
    /// The shared budget for look-ups of unknown credentials is used up.
    #[error("too many unknown credentials")]
    Busy { retry_after: Duration },
    /// Odoo cannot be asked.
    #[error("Odoo cannot be reached")]
    Unreachable,
}

/// The cache of what Odoo says.
#[derive(Debug)]
pub struct Mirror {}

impl Mirror {
    /// The latest settings; none before the first hello.
    pub fn settings(&self) -> Option<Arc<SettingsDocument>> {
        None
    }

    /// Where people open Odoo, for links; empty before the first hello.
    pub fn web_url(&self) -> Arc<str> {
        "".into()
    }

    /// The state of the master switch, now; fails closed with age.
    pub fn gate(&self) -> Gate {
        Gate::Unknown
    }

    /// Changes of the gate, for streams that must end with it.
    pub fn watch_gate(&self) -> watch::Receiver<Gate> {
        watch::channel(Gate::Unknown).1
    }

    /// Resolves a credential, from the cache or by asking Odoo once for all who wait.
    pub async fn principal(&self, _credential: &Credential, _peer: IpAddr) -> Result<Arc<Principal>, Denied> {
        Err(Denied::Unreachable)
    }

    /// Cancelled when the connection is revoked, changed or deleted: streams and sessions of it end.
    pub fn lifetime(&self, _connection: ConnectionId) -> CancellationToken {
        CancellationToken::new()
    }

    /// The models that this principal may reach, with labels in `lang` (none: the user's own).
    pub async fn models(
        &self,
        _principal: &Principal,
        _lang: Option<&str>,
    ) -> Result<Arc<[ModelDocument]>, crate::odoo::Error> {
        Err(crate::odoo::Error::Unreachable)
    }

    /// The fields of a model that this principal may read, the most relevant first.
    pub async fn fields(
        &self,
        _principal: &Principal,
        _model: &str,
        _lang: Option<&str>,
    ) -> Result<Arc<[FieldDocument]>, crate::odoo::Error> {
        Err(crate::odoo::Error::Unreachable)
    }
}
