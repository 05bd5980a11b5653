//! `execute`: one call of a tool, compiled to steps, and its answer.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::odoo::memory_budget::MemoryAccount;
use crate::vocab::{CallId, ConnectionId, Proof};

/// The access of a call; the addon checks it by its own lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Read,
    Write,
    Run,
}

/// One compiled call of a tool.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    pub call_id: CallId,
    /// The connection of the call, for queues and limits here; Odoo resolves the proof.
    #[serde(skip)]
    pub connection: ConnectionId,
    pub proof: Proof,
    pub ip: String,
    pub tool: String,
    pub mode: Mode,
    pub steps: Vec<Step>,
    pub context: Map<String, Value>,
    pub dry_run: bool,
    pub deadline_ms: u64,
    pub idempotency_key: Option<String>,
    /// The bound of the results, where it is another than Odoo's default.
    pub max_chars: Option<usize>,
    /// The account for the memory of its answer.
    #[serde(skip)]
    pub account: Arc<MemoryAccount>,
}

/// A call as sent: with the time that the queue left of its deadline.
#[derive(Debug, Serialize)]
pub(in crate::odoo) struct WireCall<'a> {
    call_id: CallId,
    proof: &'a Proof,
    ip: &'a str,
    tool: &'a str,
    mode: Mode,
    steps: &'a [Step],
    context: &'a Map<String, Value>,
    dry_run: bool,
    deadline_ms: u64,
    idempotency_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_chars: Option<usize>,
}

impl<'a> WireCall<'a> {
    pub(in crate::odoo) fn new(call: &'a Call, deadline_ms: u64) -> Self {
        Self {
            call_id: call.call_id,
            proof: &call.proof,
            ip: &call.ip,
            tool: &call.tool,
            mode: call.mode,
            steps: &call.steps,
            context: &call.context,
            dry_run: call.dry_run,
            deadline_ms,
            idempotency_key: call.idempotency_key.as_deref(),
            max_chars: call.max_chars,
        }
    }
}

/// One operation of a call. Values of the caller are passed on unchanged: the addon checks them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    SearchRead {
        model: String,
        domain: Value,
        fields: Option<Vec<String>>,
        limit: u32,
        offset: u32,
        order: Option<String>,
        total: bool,
    },
    NameSearch {
        model: String,
        name: String,
        domain: Value,
        limit: u32,
        #[serde(default)]
        offset: u32,
    },
    SearchCount {
        model: String,
        domain: Value,
    },
    Read {
        model: String,
        ids: Vec<i64>,
        fields: Option<Vec<String>>,
    },
    ReadGroup {
        model: String,
        domain: Value,
        groupby: Vec<String>,
        aggregates: Vec<String>,
        having: Value,
        limit: u32,
        offset: u32,
        order: Option<String>,
    },
    Traverse {
        model: String,
        ids: Vec<i64>,
        path: Vec<String>,
        fields: Option<Vec<String>>,
        domain: Value,
        limit: u32,
        #[serde(default)]
        offset: u32,
    },
    Create {
        model: String,
        values: Vec<Map<String, Value>>,
    },
    Write {
        model: String,
        ids: Vec<i64>,
        values: Map<String, Value>,
    },
    Unlink {
        model: String,
        ids: Vec<i64>,
    },
    Call {
        model: String,
        method: String,
        ids: Vec<i64>,
        args: Vec<Value>,
        kwargs: Map<String, Value>,
    },
    Session {},
}

/// The answer of a call. Results stay raw JSON text: they are passed on, not parsed.
#[derive(Debug, Clone, Deserialize)]
pub struct Answer {
    pub call_id: CallId,
    pub results: Vec<Box<RawValue>>,
    #[serde(default)]
    pub replayed: bool,
}
