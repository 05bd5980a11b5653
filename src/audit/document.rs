//! The audit document: an entry as the addon stores it; `tests/wire/contract/append_audit.json` holds
//! samples.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::state::SpoolEntry;
use crate::vocab::{CallId, ConnectionId, UserId};

/// The bound of an error sentence.
const MAX_ERROR_CHARS: usize = 2000;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Success,
    /// The tool returned an error.
    Error,
    /// A check of the sidecar or of the addon refused it.
    Refused,
    /// It ended before it was answered.
    Abandoned,
}

/// One request, or `count` requests of the same kind. Only the two payloads could hold a credential, and only
/// `redact` produces them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryDocument {
    pub id: Uuid,
    /// RFC 3339 in UTC, with milliseconds.
    pub time: String,
    pub method: Option<String>,
    pub tool: Option<String>,
    pub model: Option<String>,
    pub res_ids: Vec<i64>,
    pub connection: Option<ConnectionId>,
    pub user: Option<UserId>,
    pub session: Option<String>,
    pub client: Option<String>,
    pub ip: Option<String>,
    pub status: Status,
    pub reason: Option<String>,
    pub error: Option<String>,
    pub duration_ms: Option<u64>,
    pub count: u64,
    pub call_id: Option<CallId>,
    pub request: Option<String>,
    pub response: Option<String>,
}

impl EntryDocument {
    /// The spool entry: the same JSON that is sent.
    pub(super) fn to_spool_entry(&self) -> SpoolEntry {
        // Texts and numbers only: nothing here can fail to serialise.
        SpoolEntry { id: self.id, body: serde_json::to_string(self).unwrap_or_default() }
    }
}

/// Truncates an error sentence to its bound.
pub(super) fn bounded_sentence(text: &str) -> String {
    truncate_chars(text, MAX_ERROR_CHARS)
}

/// Truncates a text; the last character then is an ellipsis.
pub(super) fn truncate_chars(text: &str, max_chars: usize) -> String {
    if text.len() <= max_chars || text.chars().nth(max_chars).is_none() {
        return text.to_owned();
    }
    text.chars().take(max_chars.saturating_sub(1)).chain(['…']).collect()
}
