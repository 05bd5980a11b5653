//! Writes of one kind in one step: create, update, delete.

use std::collections::HashSet;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::odoo::Error;
use crate::odoo::contract::{Mode, Step};
use crate::tools::arguments::schema::{
    Arg, ArgKind, CONTEXT, DRY_RUN, IDEMPOTENCY_KEY, MODEL, WIZARD_CONTEXT,
};
use crate::tools::plan::{
    ADDITIVE, ArgumentError, DESTRUCTIVE, Found, Plan, ShapeContext, Tool, ToolArguments, ToolDefinition,
    record_id,
};
use crate::tools::wording::answer::{ObjectWriter, Rows, parse_result, record_url};
use crate::tools::{Category, Reply, Risk};

const VALUES_HELP: &str = "By field name, e.g. {\"name\":\"Azure\",\"user_id\":2}; many2one: id; x2many: commands, e.g. \
                      [[0,0,{…}],[4,id],[6,0,[ids]]]";

/// The records that a write names, over all its steps.
pub(in crate::tools) fn changed_reply(
    verb: &str,
    arguments: &ToolArguments,
    got: &Found<'_>,
    context: &ShapeContext<'_>,
) -> Result<Reply, Error> {
    let Found::Results { results, replayed, .. } = got else { return Err(Error::InvalidAnswer) };
    let steps = results.iter().map(|raw| parse_result::<Rows<'_>>(raw)).collect::<Result<Vec<_>, _>>()?;
    let records: Vec<_> = steps.iter().flat_map(|rows| rows.records.iter().copied()).collect();
    let model = arguments.model();
    let mut body = reply_header(&model, records.len(), *replayed);
    let mut notes: Vec<_> = steps.iter().flat_map(|rows| &rows.notes).collect();
    // Steps of one call have the same things to say; equal ones stand together only by chance.
    let mut seen = HashSet::new();
    notes.retain(|note| seen.insert(*note));
    body.put_if(!notes.is_empty(), "notes", notes);
    // What a dry run created is gone again: no address leads to it.
    if let (false, Some(url)) = (arguments.flag("dry_run"), record_url(context.web_url, &model)) {
        body.put("record_url", url);
    }
    body.rows(verb, &records);
    Ok(Reply::json(body))
}

#[derive(serde::Deserialize)]
struct Deleted<'a> {
    deleted: Vec<i64>,
    /// The same with their names; an addon of before sends none.
    #[serde(borrow, default)]
    records: Vec<&'a RawValue>,
    #[serde(default)]
    notes: Vec<String>,
}

/// The records that are gone: their ids, and what they were called.
pub(in crate::tools) fn deleted_reply(arguments: &ToolArguments, got: &Found<'_>) -> Result<Reply, Error> {
    let Found::Results { replayed, .. } = got else { return Err(Error::InvalidAnswer) };
    let Deleted { deleted, records, notes } = parse_result(got.first()?)?;
    let mut body = reply_header(&arguments.model(), deleted.len(), *replayed);
    body.put_if(!notes.is_empty(), "notes", notes);
    body.put("deleted", deleted);
    if !records.is_empty() {
        body.rows("records", &records);
    }
    Ok(Reply::json(body))
}

fn reply_header(model: &str, count: usize, replayed: bool) -> ObjectWriter {
    let mut body = ObjectWriter::new();
    body.put("model", model).put("count", count);
    body.put_if(replayed, "replayed", true);
    body.put_if(replayed, "note", "Done by an earlier call with this idempotency_key; this is its answer.");
    body
}

// === create_record ===

pub(in crate::tools) struct CreateRecord;

static CREATE: ToolDefinition = ToolDefinition {
    name: "create_record",
    title: "Create a record",
    description: "Creates one record; answers its id and display_name.",
    args: &[
        MODEL,
        Arg::required("values", ArgKind::Object, VALUES_HELP),
        DRY_RUN,
        IDEMPOTENCY_KEY,
        WIZARD_CONTEXT,
    ],
    category: Category::Write,
    risk: Risk::Medium,
    annotations: ADDITIVE,
};

impl Tool for CreateRecord {
    fn definition(&self) -> &'static ToolDefinition {
        &CREATE
    }

    fn compile(&self, arguments: &mut ToolArguments) -> Result<Plan, ArgumentError> {
        let step = Step::Create { model: arguments.model(), values: vec![arguments.object("values")] };
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

// === update_record ===

pub(in crate::tools) struct UpdateRecord;

static UPDATE: ToolDefinition = ToolDefinition {
    name: "update_record",
    title: "Update records",
    description: "Writes the same values to one or more records. Different values: batch_update.",
    args: &[
        MODEL,
        Arg::required("ids", ArgKind::Ids, "At most 1000"),
        Arg::required("values", ArgKind::Object, "As for create_record, e.g. {\"name\":\"Azure\"}"),
        DRY_RUN,
        IDEMPOTENCY_KEY,
        CONTEXT,
    ],
    category: Category::Write,
    risk: Risk::Medium,
    annotations: DESTRUCTIVE,
};

impl Tool for UpdateRecord {
    fn definition(&self) -> &'static ToolDefinition {
        &UPDATE
    }

    fn compile(&self, arguments: &mut ToolArguments) -> Result<Plan, ArgumentError> {
        let ids = arguments.ids("ids")?;
        let values = arguments.object("values");
        if values.is_empty() {
            return Err(ArgumentError::new(
                "`values` is empty: name the fields to change and their new values.",
            ));
        }
        let step = Step::Write { model: arguments.model(), ids, values };
        Ok(Plan::change(Mode::Write, vec![step], arguments))
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

// === delete_record ===

pub(in crate::tools) struct DeleteRecord;

static DELETE: ToolDefinition = ToolDefinition {
    name: "delete_record",
    title: "Delete a record",
    description: "Deletes one record for good. Writing active = false archives it instead, where the model has that field.",
    args: &[MODEL, Arg::required("id", ArgKind::Id, "The record"), DRY_RUN, IDEMPOTENCY_KEY],
    category: Category::Write,
    risk: Risk::High,
    annotations: DESTRUCTIVE,
};

impl Tool for DeleteRecord {
    fn definition(&self) -> &'static ToolDefinition {
        &DELETE
    }

    fn compile(&self, arguments: &mut ToolArguments) -> Result<Plan, ArgumentError> {
        let id = record_id("id", arguments.0.get("id").unwrap_or(&Value::Null))?;
        let step = Step::Unlink { model: arguments.model(), ids: vec![id] };
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
