//! An entry as the addon stores it; `tests/wire/contract/append_audit.json` holds samples.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::state::Kept;
use crate::vocab::{CallId, ConnectionId, UserId};

/// The longest sentence that is kept.
const MOST_ERROR: usize = 2000;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Success,
    /// The tool answered that it failed.
    Error,
    /// It was not let through.
    Refused,
    /// It ended without an answer.
    Abandoned,
}

/// One request, or `count` of the same kind. None of the members can hold a credential but the two payloads,
/// which only `mask` makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
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

impl Document {
    /// As it is kept and sent.
    pub(super) fn to_kept(&self) -> Kept {
        // Texts and numbers only: nothing here can fail to serialise.
        Kept { id: self.id, body: serde_json::to_string(self).unwrap_or_default() }
    }
}

/// An instant as the contract writes it.
pub(super) fn instant(unix_ms: u64) -> String {
    let ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    format!("{:.3}", Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX))
}

/// A sentence within its bound.
pub(super) fn sentence(text: &str) -> String {
    cut(text, MOST_ERROR)
}

/// The first characters of a text, of which the last says that there were more.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most || text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}
