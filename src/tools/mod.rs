//! Tools over Odoo: registry, argument validation, dispatch, answers. Knows neither MCP's wire nor HTTP nor OAuth.
//!
//! A tool compiles arguments to a call and shapes the answer for a model; `Toolbox` joins the two:
//!
//! ```text
//! arguments -> coerce (near misses, bounds) -> validate (schema) -> Tool::compile -> Plan
//! Plan -> odoo (read, write) or mirror -> Found -> Tool::shape -> Reply
//! error -> error_text (one table, with the nearest names of the mirror) -> Reply
//! ```
//!
//! To add a tool: a file in `families` that implements `plan::Tool`, its line in `registry`, its golden file.

use std::sync::Arc;

use serde_json::{Map, Value};

mod admission;
mod arguments;
mod audit_targets;
mod families;
mod plan;
mod registry;
mod toolbox;
mod wording;

pub use admission::{Barred, NoTool};
pub use arguments::lenient::arguments_of;
pub use toolbox::{ToolHandle, Toolbox};

/// A tool as `tools/list` shows it.
#[derive(Debug, Clone)]
pub struct ToolSpec {
    /// `[a-z0-9_]`, at most 40 characters.
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub input_schema: Arc<Map<String, Value>>,
    pub category: Category,
    pub risk: Risk,
    pub annotations: Annotations,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    Read,
    Write,
    Execute,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    Low,
    Medium,
    High,
}

/// MCP's hints to the client, each a promise of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Annotations {
    pub read_only: bool,
    pub destructive: bool,
    pub idempotent: bool,
    pub open_world: bool,
}

/// The result of a call for the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Compact JSON, or one sentence where `is_error`.
    pub text: String,
    pub is_error: bool,
}

impl Reply {
    fn json(body: wording::answer::ObjectWriter) -> Self {
        Self { text: body.finish(), is_error: false }
    }

    /// A sentence that says why there is no answer.
    pub fn error(sentence: String) -> Self {
        Self { text: sentence, is_error: true }
    }

    /// The reply with a note about something else: a member of its object, or another sentence.
    pub fn noting(mut self, note: &str) -> Self {
        match self.text.strip_prefix('{') {
            Some(rest) if !self.is_error => {
                let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
                self.text = format!("{{\"limit_note\":{}{comma}{rest}", Value::from(note));
            }
            _ => self.text = format!("{} {note}", self.text),
        }
        self
    }
}

/// Why a tool was not called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallRejected {
    #[error(transparent)]
    NoTool(#[from] NoTool),
    /// Without an audit entry there is no call.
    #[error("The audit log cannot be written at the moment, so no tool can be called; try again later")]
    AuditUnavailable,
}

#[cfg(test)]
mod tests;
