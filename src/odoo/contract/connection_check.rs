//! `begin_check`, `report_check`: a sidecar looks at itself through its public URL, for an administrator.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::vocab::Proof;

#[derive(Debug, Clone, Serialize)]
pub struct BeginCheckRequest {
    pub check: Uuid,
    pub replica: Uuid,
    /// Of an API key that this replica has made for the check.
    pub proof: Proof,
}

#[derive(Debug, Clone, Deserialize)]
pub struct BeginCheckAnswer {
    /// Whether the key now opens `get_session`, for 60 s at most.
    pub accepted: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct ReportCheckRequest {
    pub check: Uuid,
    pub replica: Uuid,
    pub results: Vec<CheckResult>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ReportCheckAnswer {}

/// What was found in one place. Odoo has the sentence for each name and code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    pub name: &'static str,
    pub status: CheckStatus,
    pub code: Option<&'static str>,
    /// Texts and integers that the sentence names.
    pub data: BTreeMap<&'static str, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    Ok,
    Warning,
    Failed,
    Skipped,
}
