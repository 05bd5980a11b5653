//! Batches of writes in one transaction: all records or none.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value};

use super::write::{changed_reply, deleted_reply};
use crate::odoo::Error;
use crate::odoo::contract::{Mode, Step};
use crate::tools::arguments::schema::{Arg, ArgKind, CONTEXT, DRY_RUN, IDEMPOTENCY_KEY, MODEL};
use crate::tools::plan::{
    ADDITIVE, ArgumentError, DESTRUCTIVE, Found, Plan, ShapeContext, Tool, ToolArguments, ToolDefinition,
    record_id,
};
use crate::tools::{Category, Reply, Risk};
use crate::vocab::quoted;

/// As many steps as the contract lets into one call.
const MAX_STEPS: usize = 100;

// === batch_create ===

pub(in crate::tools) struct BatchCreate;

static CREATE: ToolDefinition = ToolDefinition {
    name: "batch_create",
    title: "Create many records",
    description: "Creates up to 1000 records of a model, all or none.",
    args: &[
        MODEL,
        Arg::required(
            "records",
            ArgKind::Objects,
            "Values as for create_record, e.g. [{\"name\":\"A\"},{\"name\":\"B\"}]",
        ),
        DRY_RUN,
        IDEMPOTENCY_KEY,
        CONTEXT,
    ],
    category: Category::Write,
    risk: Risk::Medium,
    annotations: ADDITIVE,
};

impl Tool for BatchCreate {
    fn definition(&self) -> &'static ToolDefinition {
        &CREATE
    }

    fn compile(&self, arguments: &mut ToolArguments) -> Result<Plan, ArgumentError> {
        let values: Vec<Map<String, Value>> =
            arguments.list("records").into_iter().filter_map(object).collect();
        let step = Step::Create { model: arguments.model(), values };
        Ok(Plan::change(Mode::Write, vec![step], arguments))
    }

    fn shape(
        &self,
        arguments: &ToolArguments,
        got: &Found<'_>,
        context: &ShapeContext<'_>,
    ) -> Result<Reply, Error> {
        changed_reply("created", arguments, got, context)
    }
}

// === batch_update ===

pub(in crate::tools) struct BatchUpdate;

static UPDATE: ToolDefinition = ToolDefinition {
    name: "batch_update",
    title: "Update many records",
    description: "Writes different values to different records of a model, all or none.",
    args: &[
        MODEL,
        Arg::required(
            "updates",
            ArgKind::Updates,
            "Each record once, e.g. [{\"id\":7,\"values\":{\"name\":\"A\"}}]",
        ),
        DRY_RUN,
        IDEMPOTENCY_KEY,
        CONTEXT,
    ],
    category: Category::Write,
    risk: Risk::Medium,
    annotations: DESTRUCTIVE,
};

impl Tool for BatchUpdate {
    fn definition(&self) -> &'static ToolDefinition {
        &UPDATE
    }

    fn compile(&self, arguments: &mut ToolArguments) -> Result<Plan, ArgumentError> {
        let updates = arguments.list("updates");
        let groups = group_by_values(updates)?;
        if groups.len() > MAX_STEPS {
            return Err(ArgumentError::new(format!(
                "`updates` holds {} different sets of values and one call takes {MAX_STEPS}: send them in parts.",
                groups.len()
            )));
        }
        let model = arguments.model();
        let write = |(values, ids)| Step::Write { model: model.clone(), ids, values };
        let steps = groups.into_iter().map(write).collect();
        Ok(Plan::change(Mode::Write, steps, arguments))
    }

    fn shape(
        &self,
        arguments: &ToolArguments,
        got: &Found<'_>,
        context: &ShapeContext<'_>,
    ) -> Result<Reply, Error> {
        changed_reply("updated", arguments, got, context)
    }
}

/// Values and the ids of the records that get them.
type UpdateGroup = (Map<String, Value>, Vec<i64>);

/// Records that get the same values share a step. Each record may occur once, so the order of steps is free.
fn group_by_values(updates: Vec<Value>) -> Result<Vec<UpdateGroup>, ArgumentError> {
    let mut seen = HashSet::new();
    let mut groups: Vec<UpdateGroup> = Vec::new();
    // By their text: comparing all values pairwise would be slow if they share a prefix.
    let mut known: HashMap<String, usize> = HashMap::new();
    for mut update in updates.into_iter().filter_map(object) {
        let id = record_id("updates", update.get("id").unwrap_or(&Value::Null))?;
        if update.contains_key("ids") {
            return Err(ArgumentError::new(format!(
                "`updates` gives both `id` ({id}) and `ids` in one entry: name its records in one of them."
            )));
        }
        if let Some(other) = update.keys().find(|key| *key != "id" && *key != "values") {
            return Err(ArgumentError::new(format!(
                "`updates` holds the key {} for id {id}: put fields inside `values`.",
                quoted(other)
            )));
        }
        let values = update.shift_remove("values").and_then(object).unwrap_or_default();
        if values.is_empty() {
            return Err(ArgumentError::new(format!("`updates` gives no `values` for id {id}.")));
        }
        if !seen.insert(id) {
            return Err(ArgumentError::new(format!("`updates` names id {id} twice: join its values.")));
        }
        match known.entry(sorted_text(&values)) {
            Entry::Occupied(at) => groups.get_mut(*at.get()).into_iter().for_each(|(_, ids)| ids.push(id)),
            Entry::Vacant(at) => {
                at.insert(groups.len());
                groups.push((values, vec![id]));
            }
        }
    }
    Ok(groups)
}

/// The same for values that differ in the order of their fields only.
fn sorted_text(values: &Map<String, Value>) -> String {
    let sorted: BTreeMap<&String, &Value> = values.iter().collect();
    serde_json::to_string(&sorted).unwrap_or_default()
}

// === batch_delete ===

pub(in crate::tools) struct BatchDelete;

static DELETE: ToolDefinition = ToolDefinition {
    name: "batch_delete",
    title: "Delete many records",
    description: "Deletes up to 1000 records of a model for good, all or none.",
    args: &[MODEL, Arg::required("ids", ArgKind::Ids, "The records"), DRY_RUN, IDEMPOTENCY_KEY],
    category: Category::Write,
    risk: Risk::High,
    annotations: DESTRUCTIVE,
};

impl Tool for BatchDelete {
    fn definition(&self) -> &'static ToolDefinition {
        &DELETE
    }

    fn compile(&self, arguments: &mut ToolArguments) -> Result<Plan, ArgumentError> {
        let step = Step::Unlink { model: arguments.model(), ids: arguments.ids("ids")? };
        Ok(Plan::change(Mode::Write, vec![step], arguments))
    }

    fn shape(
        &self,
        arguments: &ToolArguments,
        got: &Found<'_>,
        _context: &ShapeContext<'_>,
    ) -> Result<Reply, Error> {
        deleted_reply(arguments, got)
    }
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}
