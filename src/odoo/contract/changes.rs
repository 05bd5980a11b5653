//! `changes`: the change feed after a cursor; and the wake-up, which the addon posts to the sidecar.

use serde::{Deserialize, Serialize};

use super::hello::SettingsDocument;
use crate::vocab::ConnectionId;

#[derive(Debug, Clone, Serialize)]
pub struct ChangesRequest {
    pub replica: uuid::Uuid,
    pub cursor: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ChangesAnswer {
    pub cursor: String,
    pub reset: bool,
    pub settings: Option<SettingsDocument>,
    pub connections: Vec<ConnectionId>,
    /// Ids of sessions that an administrator has ended.
    #[serde(default)]
    pub sessions: Vec<String>,
    pub schema: bool,
    /// A connection check that an administrator has started.
    #[serde(default)]
    pub check: Option<uuid::Uuid>,
    /// Odoo's clock, RFC 3339.
    #[serde(default)]
    pub now: Option<String>,
}

/// The wake-up that the addon posts to the sidecar after a change of the switch, the settings or a connection.
#[derive(Debug, Clone, Deserialize)]
pub struct WakeUp {
    pub seq: u64,
    /// Seconds since the epoch.
    pub time: f64,
    pub enabled: bool,
    pub settings_version: u64,
    pub revoked: Vec<ConnectionId>,
}
