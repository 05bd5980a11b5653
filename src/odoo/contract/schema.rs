//! `schema`: the models and fields that a user may reach.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::vocab::Proof;

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
    pub fields: HashMap<String, Vec<FieldDocument>>,
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
