//! The contract with the addon as types: one request and one answer for each method of `mcp.gateway`.
//!
//! `tests/wire/contract` holds samples of everything here and says what each member means.

use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::memory_budget::MemoryAccount;
use crate::vocab::{CallId, ConnectionId, ConnectionKind, MethodLevel, Proof, Scope, UserId};

/// The version of the contract that this sidecar speaks.
pub const CONTRACT: u32 = 1;

/// The most rows that one step may ask for.
pub const MAX_LIMIT: u32 = 1000;

/// The largest id that there is, and the most rows that can be skipped: PostgreSQL's `integer`.
pub const MAX_INTEGER: u32 = 2_147_483_647;

// === hello ===

#[derive(Debug, Clone, Serialize)]
pub struct HelloRequest {
    pub contract: u32,
    pub replica: uuid::Uuid,
    pub version: String,
    pub public_url: String,
    pub wake_url: Option<String>,
    pub wake_secret: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct HelloAnswer {
    pub contract: u32,
    pub addon_version: String,
    pub odoo_version: String,
    /// How many requests Odoo works on at once; 0: it has threads instead.
    #[serde(default)]
    pub workers: usize,
    pub database: String,
    pub database_uuid: String,
    /// Where people open Odoo; used for links only, never for security decisions.
    pub web_url: String,
    pub cursor: String,
    pub settings: SettingsDocument,
    /// `accepted`, or the reason why this replica gets no wake-ups.
    pub wake: String,
    /// Whether AI tools are given the announced public URL: `confirmed`, `pending`, `refused`; empty: unknown.
    #[serde(default)]
    pub public_url_state: String,
}

/// The Server Settings singleton, as far as the sidecar needs it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SettingsDocument {
    pub enabled: bool,
    pub version: u64,
    pub rate_limit_minute: u32,
    pub rate_limit_day: u32,
    pub access_token_timeout: u64,
    pub refresh_token_timeout: u64,
    pub refresh_token_grace: u64,
    pub allow_dynamic_registration: bool,
    pub enable_event_streaming: bool,
    pub enable_report_generation: bool,
    pub audit_retention_days: u32,
    pub log_payloads: bool,
    /// Seconds for which settings that cannot be refreshed still count.
    pub settings_max_age: u64,
    /// The time zone of the company, in which a day ends; an IANA name.
    #[serde(default)]
    pub tz: String,
}

// === authenticate ===

#[derive(Debug, Clone, Serialize)]
pub struct AuthenticateRequest {
    pub proof: Proof,
    pub ip: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct AuthenticateAnswer {
    pub connection: ConnectionDocument,
    pub user: UserDocument,
    pub schema_key: String,
    /// RFC 3339, or none for a credential without end.
    pub expires_at: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ConnectionDocument {
    pub id: ConnectionId,
    pub name: String,
    pub kind: ConnectionKind,
    pub scope: Scope,
    #[serde(default)]
    pub allowed_tools: Vec<String>,
    /// Empty: all models.
    #[serde(default)]
    pub allowed_models: Vec<String>,
    /// None: an addon of before, which says `allow_methods` only.
    #[serde(default)]
    pub method_level: Option<MethodLevel>,
    /// Denied where the addon does not say.
    #[serde(default)]
    allow_methods: bool,
    /// None: the default of the settings. 0: no limit.
    #[serde(default)]
    pub rate_limit_minute: Option<u32>,
    #[serde(default)]
    pub rate_limit_day: Option<u32>,
    /// Empty: every address that is not blocked.
    #[serde(default)]
    pub allowed_ips: Vec<IpNet>,
    #[serde(default)]
    pub blocked_ips: Vec<IpNet>,
}

impl ConnectionDocument {
    /// Which methods the connection may call.
    pub fn effective_method_level(&self) -> MethodLevel {
        let before = if self.allow_methods { MethodLevel::Any } else { MethodLevel::None };
        self.method_level.unwrap_or(before)
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct UserDocument {
    pub id: UserId,
    pub login: String,
    pub name: String,
    pub lang: Option<String>,
    pub tz: Option<String>,
}

// === execute ===

/// What a call may do; the addon checks it by its own lists.
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
    /// Whose call it is; what Odoo goes by is the proof.
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
    /// Where the memory for its answer is reserved.
    #[serde(skip)]
    pub account: Arc<MemoryAccount>,
}

/// A call as it is sent: with the time that the queue left of its deadline.
#[derive(Debug, Serialize)]
pub(super) struct WireCall<'a> {
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
}

impl<'a> WireCall<'a> {
    pub(super) fn new(call: &'a Call, deadline_ms: u64) -> Self {
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
        }
    }
}

/// One operation of a call. Values that come from the caller travel as they came: the addon checks them.
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

/// The answer of a call. Results stay raw JSON text: they are handed on, not read.
#[derive(Debug, Clone, Deserialize)]
pub struct Answer {
    pub call_id: CallId,
    pub results: Vec<Box<RawValue>>,
    #[serde(default)]
    pub replayed: bool,
}

// === execute_batch ===

#[derive(Debug, Serialize)]
pub(super) struct BatchRequest<'a> {
    pub(super) calls: Vec<WireCall<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BatchAnswer {
    pub(super) answers: Vec<BatchItem>,
}

/// The answer to one call of a batch: its results, or why there are none.
#[derive(Debug, Deserialize)]
pub(super) struct BatchItem {
    call_id: CallId,
    #[serde(default)]
    results: Vec<Box<RawValue>>,
    error: Option<Fault>,
}

impl BatchItem {
    pub(super) fn call_id(&self) -> CallId {
        self.call_id
    }

    pub(super) fn into_result(self) -> Result<Answer, Fault> {
        match self.error {
            Some(fault) => Err(fault),
            None => Ok(Answer { call_id: self.call_id, results: self.results, replayed: false }),
        }
    }
}

// === call_status ===

#[derive(Debug, Clone, Serialize)]
pub struct CallStatusRequest {
    pub proof: Proof,
    pub call_id: CallId,
}

#[derive(Debug, Clone, Deserialize)]
pub struct CallStatusAnswer {
    pub state: CallState,
    pub answer: Option<Answer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    Done,
    Running,
    Unknown,
}

// === schema ===

#[derive(Debug, Clone, Serialize)]
pub struct SchemaRequest {
    pub proof: Proof,
    pub lang: Option<String>,
    pub models: Option<Vec<String>>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ModelsAnswer {
    pub models: Vec<ModelDocument>,
}

/// A model that the user may reach.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelDocument {
    pub model: String,
    pub label: String,
    #[serde(default)]
    pub transient: bool,
    /// `read`, `create`, `write`, `unlink`.
    pub access: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct FieldsAnswer {
    /// Model to fields, the most relevant first.
    pub fields: std::collections::HashMap<String, Vec<FieldDocument>>,
}

/// A field that the user may read. Members that do not apply are absent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FieldDocument {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub label: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub required: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub readonly: bool,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub stored: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selection: Vec<(Value, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub company_dependent: bool,
}

fn is_default(flag: &bool) -> bool {
    !flag
}

fn yes() -> bool {
    true
}

fn is_yes(flag: &bool) -> bool {
    *flag
}

// === changes ===

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
}

// === the wake-up ===

/// What the addon posts to the sidecar after a change of the switch, the settings or a connection.
#[derive(Debug, Clone, Deserialize)]
pub struct WakeUp {
    pub seq: u64,
    /// Seconds since the epoch.
    pub time: f64,
    pub enabled: bool,
    pub settings_version: u64,
    pub revoked: Vec<ConnectionId>,
}

// === faults ===

/// A refusal that the gateway raised.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Fault {
    pub code: FaultCode,
    pub message: String,
    #[serde(default)]
    pub data: Value,
}

/// The codes of the contract; one that a newer addon knows and we do not counts as `internal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    NotService,
    Contract,
    BadRequest,
    Disabled,
    Unauthenticated,
    AddressDenied,
    ReadOnly,
    ToolDenied,
    MethodDenied,
    AccessDenied,
    ModelDenied,
    NotFound,
    UnknownModel,
    UnknownField,
    InvalidDomain,
    InvalidValue,
    InvalidCommand,
    InvalidContext,
    Invalid,
    Deadline,
    Unavailable,
    IdempotencyConflict,
    DryRun,
    #[serde(other)]
    Internal,
}
