//! `append_audit` and `check_audit`: entries of the audit log and the state of their hash chain.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// A batch of audit entries as JSON text, as spooled, oldest first.
#[derive(Debug, Clone, Serialize)]
pub struct AppendAuditRequest {
    pub replica: Uuid,
    pub entries: Vec<Box<RawValue>>,
    /// The newest known number of the chain; absent until the addon has answered one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AppendAuditAnswer {
    /// The number of new entries.
    pub stored: u64,
    /// Entries to retry later.
    pub pending: Vec<Uuid>,
    /// None: an older addon without a hash chain.
    #[serde(default)]
    pub chain: Option<ChainDocument>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct LinkDocument {
    pub sequence: u64,
    pub hash: String,
}

/// The state of the hash chain in the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct ChainDocument {
    pub start: LinkDocument,
    pub tip: LinkDocument,
    pub newest: LinkDocument,
    pub seen: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct CheckAuditRequest {
    pub replica: Uuid,
    pub seen: Option<u64>,
    pub after: u64,
    pub alarms: Vec<AlarmDocument>,
}

#[derive(Debug, Clone, Serialize)]
pub struct AlarmDocument {
    pub id: String,
    pub kind: &'static str,
    pub sequence: u64,
    pub missing: u64,
    pub time: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct CheckAuditAnswer {
    pub chain: ChainDocument,
    pub gap: Option<GapDocument>,
    pub window: WindowDocument,
    pub acknowledged: Vec<AcknowledgedDocument>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct GapDocument {
    pub sequence: u64,
    pub missing: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct WindowDocument {
    pub changed: Option<u64>,
    pub next: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct AcknowledgedDocument {
    pub id: String,
    pub by: String,
    pub note: String,
}
