//! The `Tool` trait: a tool compiles validated arguments to a plan and shapes the results of the plan.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::arguments::schema::Arg;
use super::{Annotations, Category, Reply, Risk};
use crate::odoo::Error;
use crate::odoo::contract::{FieldDocument, MAX_INTEGER, MAX_LIMIT, Mode, ModelDocument, Step};
use crate::vocab::quoted_json;

/// Deadline of a reading call; below the 60 s at which proxies cut idle answers.
pub(super) const READ_DEADLINE_MS: u64 = 30_000;
/// Deadline of a call that writes or runs a method. Together with the time in which the outcome of a lost answer is
/// asked for (`settle_ms`) the client waits less than a minute, after which many give up.
pub(super) const WRITE_DEADLINE_MS: u64 = 45_000;

/// One tool. Adding one is a file that implements this and a line in `registry`.
pub(super) trait Tool: Send + Sync {
    fn definition(&self) -> &'static ToolDefinition;

    /// The description for a connection that may press buttons and call no other methods.
    fn description_for_buttons(&self) -> &'static str {
        self.definition().description
    }

    /// Compiles validated arguments to a plan. Values may be moved out of `arguments`.
    fn compile(&self, arguments: &mut ToolArguments) -> Result<Plan, ArgumentError>;

    /// Shapes the results for a model. An error means that the answer could not be read.
    fn shape(
        &self,
        arguments: &ToolArguments,
        got: &Found<'_>,
        context: &ShapeContext<'_>,
    ) -> Result<Reply, Error>;

    /// Whether the fields of the model would help to explain the results.
    fn needs_fields(&self, _arguments: &ToolArguments, _got: &Found<'_>) -> bool {
        false
    }

    /// A second, reading call if the first found too little.
    fn follow_up(&self, _arguments: &ToolArguments, _got: &Found<'_>) -> Option<Plan> {
        None
    }
}

/// The static definition of a tool.
#[derive(Debug)]
pub(super) struct ToolDefinition {
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub args: &'static [Arg],
    pub category: Category,
    pub risk: Risk,
    pub annotations: Annotations,
}

/// The promises of a tool that only reads.
pub(super) const READ_ONLY: Annotations =
    Annotations { read_only: true, destructive: false, idempotent: true, open_world: false };
/// The promises of a tool that adds.
pub(super) const ADDITIVE: Annotations =
    Annotations { read_only: false, destructive: false, idempotent: false, open_world: false };
/// The promises of a tool that overwrites or deletes; doing it twice ends the same.
pub(super) const DESTRUCTIVE: Annotations =
    Annotations { read_only: false, destructive: true, idempotent: true, open_world: false };
/// The promises of a tool that may do anything, sending mail included.
pub(super) const OPEN_WORLD: Annotations =
    Annotations { read_only: false, destructive: true, idempotent: false, open_world: true };

/// The requests that answer a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plan {
    /// A call to Odoo.
    Call(CallDraft),
    /// The mirrored list of models.
    Models { lang: Option<String> },
    /// The mirrored fields of a model.
    Fields { model: String, lang: Option<String> },
}

/// A call to Odoo without its caller, id and deadline.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CallDraft {
    pub mode: Mode,
    pub steps: Vec<Step>,
    pub context: Map<String, Value>,
    pub dry_run: bool,
    pub idempotency_key: Option<String>,
}

impl Plan {
    /// A call of reading steps.
    pub(super) fn read(steps: Vec<Step>, arguments: &ToolArguments) -> Self {
        Self::Call(CallDraft {
            mode: Mode::Read,
            steps,
            context: arguments.context(),
            dry_run: false,
            idempotency_key: None,
        })
    }

    /// A call that writes or runs.
    pub(super) fn change(mode: Mode, steps: Vec<Step>, arguments: &ToolArguments) -> Self {
        Self::Call(CallDraft {
            mode,
            steps,
            context: arguments.context(),
            dry_run: arguments.flag("dry_run"),
            idempotency_key: arguments.text("idempotency_key").map(str::to_owned),
        })
    }

    /// Whether something is changed for good, so that a lost answer leaves its outcome open.
    pub(super) fn changes(&self) -> bool {
        matches!(self, Self::Call(draft) if draft.mode != Mode::Read && !draft.dry_run)
    }
}

/// The results of a plan.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// One raw result for each step; `follow_up` are those of the follow-up, `fields` are filled if needed.
    Results {
        results: &'a [Box<RawValue>],
        replayed: bool,
        follow_up: &'a [Box<RawValue>],
        fields: &'a [FieldDocument],
    },
    Models(&'a [ModelDocument]),
    Fields {
        about: Option<&'a ModelDocument>,
        fields: &'a [FieldDocument],
    },
}

impl<'a> Found<'a> {
    /// How long the raw results are.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Results { results, .. } => results.iter().map(|raw| raw.get().len()).sum(),
            _ => 0,
        }
    }

    /// The raw result of the first step.
    pub(super) fn first(&self) -> Result<&'a RawValue, Error> {
        match self {
            Self::Results { results, .. } => results.first().map(AsRef::as_ref).ok_or(Error::InvalidAnswer),
            _ => Err(Error::InvalidAnswer),
        }
    }
}

/// The context of shaping.
#[derive(Debug)]
pub(super) struct ShapeContext<'a> {
    /// Where people open Odoo, without a slash at its end; empty before the first hello.
    pub web_url: &'a str,
    /// The tools that the caller may see.
    pub tools: &'a [&'static str],
}

/// Why arguments give no plan: one sentence for the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArgumentError(pub String);

impl ArgumentError {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

/// A row limit, and whether it is smaller than the caller wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowLimit {
    pub rows: u32,
    pub clamped: bool,
}

/// Arguments that passed the schema of their tool, so a wrong type reads as absent.
#[derive(Debug, Clone, Default)]
pub(super) struct ToolArguments(pub Map<String, Value>);

impl ToolArguments {
    /// Arguments that passed the schema. An offset that does not fit is refused here, once for all tools.
    pub(super) fn from_validated(given: Map<String, Value>) -> Result<Self, ArgumentError> {
        match given.get("offset") {
            Some(offset) if offset.as_u64().is_none_or(|rows| rows > MAX_INTEGER.into()) => {
                Err(ArgumentError::new(format!(
                    "`offset` takes a whole number from 0 to {MAX_INTEGER}, not {}.",
                    quoted_json(offset)
                )))
            }
            _ => Ok(Self(given)),
        }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub(super) fn owned_text(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    pub(super) fn model(&self) -> String {
        self.owned_text("model").unwrap_or_default()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    pub(super) fn names(&self, name: &str) -> Option<Vec<String>> {
        let items = self.0.get(name)?.as_array()?;
        Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// The fields to read; none for the most relevant. "All" is refused: it floods the model that asks.
    pub(super) fn fields(&self) -> Result<Option<Vec<String>>, ArgumentError> {
        let names = self.names("fields");
        let all = |name: &String| matches!(name.as_str(), "*" | "all" | "__all__");
        match &names {
            Some(list) if list.iter().any(all) => Err(ArgumentError::new(
                "`fields` takes names; leave it out for the most relevant ones, describe_model lists them all.",
            )),
            _ => Ok(names),
        }
    }

    /// Up to as many ids as one step may touch.
    pub(super) fn ids(&self, name: &str) -> Result<Vec<i64>, ArgumentError> {
        let items = self.0.get(name).and_then(Value::as_array);
        let ids = items.into_iter().flatten().map(|id| record_id(name, id));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        if ids.len() > MAX_LIMIT as usize {
            return Err(ArgumentError::new(format!(
                "`{name}` takes at most {MAX_LIMIT} ids, not {}.",
                ids.len()
            )));
        }
        Ok(ids)
    }

    pub(super) fn domain(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or_else(|| Value::Array(Vec::new()))
    }

    pub(super) fn object(&mut self, name: &str) -> Map<String, Value> {
        match self.take(name) {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        }
    }

    pub(super) fn list(&mut self, name: &str) -> Vec<Value> {
        match self.take(name) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        }
    }

    pub(super) fn context(&self) -> Map<String, Value> {
        self.0.get("context").and_then(Value::as_object).cloned().unwrap_or_default()
    }

    /// The language of the caller, if it names one.
    pub(super) fn lang(&self) -> Option<&str> {
        self.0.get("context")?.get("lang")?.as_str()
    }

    /// A limit beyond the maximum becomes the maximum, never the default.
    pub(super) fn limit(&self, default: u32) -> RowLimit {
        // A whole number that is none here is larger than 64 bits hold.
        let wanted = self.0.get("limit").map_or(default.into(), |rows| rows.as_u64().unwrap_or(u64::MAX));
        let rows = u32::try_from(wanted).unwrap_or(MAX_LIMIT).clamp(1, MAX_LIMIT);
        RowLimit { rows, clamped: wanted > rows.into() }
    }

    pub(super) fn offset(&self) -> u32 {
        let wanted = self.0.get("offset").and_then(Value::as_u64).unwrap_or_default();
        u32::try_from(wanted).unwrap_or(u32::MAX)
    }
}

/// An id that there can be. The schema takes any whole number, `1e16` and more digits than 64 bits hold among them.
pub(super) fn record_id(name: &str, value: &Value) -> Result<i64, ArgumentError> {
    // Rows of a view that joins several tables have negative ids, so that none is there twice.
    let id = value.as_i64().filter(|id| *id != 0 && id.unsigned_abs() <= u64::from(MAX_INTEGER));
    id.ok_or_else(|| {
        ArgumentError::new(format!("`{name}` takes ids up to {MAX_INTEGER}; {} is none.", quoted_json(value)))
    })
}
