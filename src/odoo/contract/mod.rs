//! The contract with the addon as types: one file for each method of `mcp.gateway`, with its request and answer.
//!
//! `tests/wire/contract` holds samples of everything here and the meaning of each member.

mod audit;
mod authenticate;
mod call_status;
mod changes;
mod connection_check;
mod execute;
mod execute_batch;
mod fault;
mod hello;
pub mod oauth;
mod schema;
mod sync_sessions;

pub use audit::{
    AcknowledgedDocument, AlarmDocument, AppendAuditAnswer, AppendAuditRequest, ChainDocument,
    CheckAuditAnswer, CheckAuditRequest, GapDocument, LinkDocument, WindowDocument,
};
pub use authenticate::{AuthenticateAnswer, AuthenticateRequest, ConnectionDocument, UserDocument};
pub use call_status::{CallState, CallStatusAnswer, CallStatusRequest};
pub use changes::{ChangesAnswer, ChangesRequest, WakeUp};
pub use connection_check::{
    BeginCheckAnswer, BeginCheckRequest, CheckResult, CheckStatus, ReportCheckAnswer, ReportCheckRequest,
};
pub(super) use execute::WireCall;
pub use execute::{Answer, Call, Mode, Step};
pub(super) use execute_batch::{BatchAnswer, BatchItem, BatchRequest};
pub use fault::{Fault, FaultCode};
pub use hello::{HelloAnswer, HelloRequest, SettingsDocument, SharedKeysDocument};
pub use schema::{FieldDocument, FieldsAnswer, ModelDocument, ModelsAnswer, SchemaRequest};
pub use sync_sessions::{SessionDocument, SyncSessionsAnswer, SyncSessionsRequest};

/// The version of the contract that this sidecar speaks.
pub const CONTRACT: u32 = 1;

/// The largest `limit` of a step.
pub const MAX_LIMIT: u32 = 1000;

/// The largest id and the largest offset: PostgreSQL's `integer`.
pub const MAX_INTEGER: u32 = 2_147_483_647;
