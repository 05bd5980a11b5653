//! `sync_sessions` (session sync): the live sessions of a replica, and the ones that an administrator has ended.

use serde::{Deserialize, Serialize};

use crate::vocab::{ConnectionId, UserId};

#[derive(Debug, Clone, Serialize)]
pub struct SyncSessionsRequest {
    pub replica: uuid::Uuid,
    /// The list holds all live sessions of this replica: every other one that Odoo lists for it has ended.
    pub complete: bool,
    pub sessions: Vec<SessionDocument>,
}

/// A session of the legacy era, or a pair of connection and client.
#[derive(Debug, Clone, Serialize)]
pub struct SessionDocument {
    pub session: String,
    pub connection: ConnectionId,
    pub user: UserId,
    pub client: Option<String>,
    pub ip: Option<String>,
    /// `legacy` or `modern`.
    pub era: &'static str,
    pub created: String,
    pub last_activity: String,
    pub requests: u64,
    pub live: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub struct SyncSessionsAnswer {
    /// The sessions of the request that an administrator has ended.
    pub ended: Vec<String>,
}
