//! Many records in one transaction: all of them or none.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value};

use super::args::{Arg, CONTEXT, DRY_RUN, KEY, Kind, MODEL};
use super::plan::{ADDS, Arguments, CHANGES, Got, Plan, Refusal, Site, Spec, Tool, record_id};
use super::write::{changed, deleted};
use super::{Category, Reply, Risk};
use crate::odoo::Error;
use crate::odoo::gateway::{Mode, Step};
use crate::vocab::quoted;

/// As many steps as the contract lets into one call.
const MAX_STEPS: usize = 100;

// === batch_create ===

pub(super) struct BatchCreate;

static CREATE: Spec = Spec {
    name: "batch_create",
    title: "Create many records",
    description: "Creates up to 1000 records of a model, all or none.",
    args: &[
        MODEL,
        Arg::must(
            "records",
            Kind::Objects,
            "Values as for create_record, e.g. [{\"name\":\"A\"},{\"name\":\"B\"}]",
        ),
        DRY_RUN,
        KEY,
        CONTEXT,
    ],
    category: Category::Write,
    risk: Risk::Medium,
    annotations: ADDS,
};

impl Tool for BatchCreate {
    fn spec(&self) -> &'static Spec {
        &CREATE
    }

    fn compile(&self, arguments: &mut Arguments) -> Result<Plan, Refusal> {
        let values: Vec<Map<String, Value>> =
            arguments.list("records").into_iter().filter_map(object).collect();
        let step = Step::Create { model: arguments.model(), values };
        Ok(Plan::change(Mode::Write, vec![step], arguments))
    }

    fn shape(&self, arguments: &Arguments, got: &Got<'_>, site: &Site<'_>) -> Result<Reply, Error> {
        changed("created", arguments, got, site)
    }
}

// === batch_update ===

pub(super) struct BatchUpdate;

static UPDATE: Spec = Spec {
    name: "batch_update",
    title: "Update many records",
    description: "Writes different values to different records of a model, all or none.",
    args: &[
        MODEL,
        Arg::must(
            "updates",
            Kind::Updates,
            "Each record once, e.g. [{\"id\":7,\"values\":{\"name\":\"A\"}}]",
        ),
        DRY_RUN,
        KEY,
        CONTEXT,
    ],
    category: Category::Write,
    risk: Risk::Medium,
    annotations: CHANGES,
};

impl Tool for BatchUpdate {
    fn spec(&self) -> &'static Spec {
        &UPDATE
    }

    fn compile(&self, arguments: &mut Arguments) -> Result<Plan, Refusal> {
        let updates = arguments.list("updates");
        let groups = group(updates)?;
        if groups.len() > MAX_STEPS {
            return Err(Refusal::new(format!(
                "`updates` holds {} different sets of values and one call takes {MAX_STEPS}: send them in parts.",
                groups.len()
            )));
        }
        let model = arguments.model();
        let write = |(values, ids)| Step::Write { model: model.clone(), ids, values };
        let steps = groups.into_iter().map(write).collect();
        Ok(Plan::change(Mode::Write, steps, arguments))
    }

    fn shape(&self, arguments: &Arguments, got: &Got<'_>, site: &Site<'_>) -> Result<Reply, Error> {
        changed("updated", arguments, got, site)
    }
}

/// Values and the ids of the records that get them.
type Group = (Map<String, Value>, Vec<i64>);

/// Records that get the same values share a step. Each record may occur once, so the order of steps is free.
fn group(updates: Vec<Value>) -> Result<Vec<Group>, Refusal> {
    let mut seen = HashSet::new();
    let mut groups: Vec<Group> = Vec::new();
    // By their text: comparing all values with all others would take long where they begin alike.
    let mut known: HashMap<String, usize> = HashMap::new();
    for mut update in updates.into_iter().filter_map(object) {
        let id = record_id("updates", update.get("id").unwrap_or(&Value::Null))?;
        if update.contains_key("ids") {
            return Err(Refusal::new(format!(
                "`updates` gives both `id` ({id}) and `ids` in one entry: name its records in one of them."
            )));
        }
        if let Some(other) = update.keys().find(|key| *key != "id" && *key != "values") {
            return Err(Refusal::new(format!(
                "`updates` holds the key {} for id {id}: put fields inside `values`.",
                quoted(other)
            )));
        }
        let values = update.shift_remove("values").and_then(object).unwrap_or_default();
        if values.is_empty() {
            return Err(Refusal::new(format!("`updates` gives no `values` for id {id}.")));
        }
        if !seen.insert(id) {
            return Err(Refusal::new(format!("`updates` names id {id} twice: join its values.")));
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

pub(super) struct BatchDelete;

static DELETE: Spec = Spec {
    name: "batch_delete",
    title: "Delete many records",
    description: "Deletes up to 1000 records of a model for good, all or none.",
    args: &[MODEL, Arg::must("ids", Kind::Ids, "The records"), DRY_RUN, KEY],
    category: Category::Write,
    risk: Risk::High,
    annotations: CHANGES,
};

impl Tool for BatchDelete {
    fn spec(&self) -> &'static Spec {
        &DELETE
    }

    fn compile(&self, arguments: &mut Arguments) -> Result<Plan, Refusal> {
        let step = Step::Unlink { model: arguments.model(), ids: arguments.ids("ids")? };
        Ok(Plan::change(Mode::Write, vec![step], arguments))
    }

    fn shape(&self, arguments: &Arguments, got: &Got<'_>, _site: &Site<'_>) -> Result<Reply, Error> {
        deleted(arguments, got)
    }
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}
