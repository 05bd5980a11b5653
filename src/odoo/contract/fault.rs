//! Faults: a refusal of the gateway, with a code that the sidecar acts on.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A refusal that the gateway raised.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Fault {
    pub code: FaultCode,
    pub message: String,
    #[serde(default)]
    pub data: Value,
}

/// The codes of the contract; an unknown code of a newer addon counts as `internal`.
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
