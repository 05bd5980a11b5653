//! Tools that create, change or delete records of one kind in one step.

use std::collections::HashSet;

use serde_json::Value;
use serde_json::value::RawValue;

use super::answer::{Body, Rows, read, record_url};
use super::args::{Arg, CONTEXT, DRY_RUN, KEY, Kind, MODEL, WIZARD_CONTEXT};
use super::plan::{ADDS, Arguments, CHANGES, Got, Plan, Refusal, Site, Spec, Tool, record_id};
use super::{Category, Reply, Risk};
use crate::odoo::Error;
use crate::odoo::gateway::{Mode, Step};

const VALUES: &str = "By field name, e.g. {\"name\":\"Azure\",\"user_id\":2}; many2one: id; x2many: commands, e.g. \
                      [[0,0,{…}],[4,id],[6,0,[ids]]]";

/// The records that a write names, over all its steps.
pub(super) fn changed(
    verb: &str,
    arguments: &Arguments,
    got: &Got<'_>,
    site: &Site<'_>,
) -> Result<Reply, Error> {
    let Got::Results { results, replayed, .. } = got else { return Err(Error::BadAnswer) };
    let steps = results.iter().map(|raw| read::<Rows<'_>>(raw)).collect::<Result<Vec<_>, _>>()?;
    let records: Vec<_> = steps.iter().flat_map(|rows| rows.records.iter().copied()).collect();
    let model = arguments.model();
    let mut body = begin(&model, records.len(), *replayed);
    let mut notes: Vec<_> = steps.iter().flat_map(|rows| &rows.notes).collect();
    // Steps of one call have the same things to say; equal ones stand together only by chance.
    let mut seen = HashSet::new();
    notes.retain(|note| seen.insert(*note));
    body.put_if(!notes.is_empty(), "notes", notes);
    // What a dry run created is gone again: no address leads to it.
    if let (false, Some(url)) = (arguments.flag("dry_run"), record_url(site.web_url, &model)) {
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
pub(super) fn deleted(arguments: &Arguments, got: &Got<'_>) -> Result<Reply, Error> {
    let Got::Results { replayed, .. } = got else { return Err(Error::BadAnswer) };
    let Deleted { deleted, records, notes } = read(got.first()?)?;
    let mut body = begin(&arguments.model(), deleted.len(), *replayed);
    body.put_if(!notes.is_empty(), "notes", notes);
    body.put("deleted", deleted);
    if !records.is_empty() {
        body.rows("records", &records);
    }
    Ok(Reply::json(body))
}

fn begin(model: &str, count: usize, replayed: bool) -> Body {
    let mut body = Body::new();
    body.put("model", model).put("count", count);
    body.put_if(replayed, "replayed", true);
    body.put_if(replayed, "note", "Done by an earlier call with this idempotency_key; this is its answer.");
    body
}

// === create_record ===

pub(super) struct CreateRecord;

static CREATE: Spec = Spec {
    name: "create_record",
    title: "Create a record",
    description: "Creates one record; answers its id and display_name.",
    args: &[MODEL, Arg::must("values", Kind::Object, VALUES), DRY_RUN, KEY, WIZARD_CONTEXT],
    category: Category::Write,
    risk: Risk::Medium,
    annotations: ADDS,
};

impl Tool for CreateRecord {
    fn spec(&self) -> &'static Spec {
        &CREATE
    }

    fn compile(&self, arguments: &mut Arguments) -> Result<Plan, Refusal> {
        let step = Step::Create { model: arguments.model(), values: vec![arguments.object("values")] };
        Ok(Plan::change(Mode::Write, vec![step], arguments))
    }

    fn shape(&self, arguments: &Arguments, got: &Got<'_>, site: &Site<'_>) -> Result<Reply, Error> {
        changed("created", arguments, got, site)
    }
}

// === update_record ===

pub(super) struct UpdateRecord;

static UPDATE: Spec = Spec {
    name: "update_record",
    title: "Update records",
    description: "Writes the same values to one or more records. Different values: batch_update.",
    args: &[
        MODEL,
        Arg::must("ids", Kind::Ids, "At most 1000"),
        Arg::must("values", Kind::Object, "As for create_record, e.g. {\"name\":\"Azure\"}"),
        DRY_RUN,
        KEY,
        CONTEXT,
    ],
    category: Category::Write,
    risk: Risk::Medium,
    annotations: CHANGES,
};

impl Tool for UpdateRecord {
    fn spec(&self) -> &'static Spec {
        &UPDATE
    }

    fn compile(&self, arguments: &mut Arguments) -> Result<Plan, Refusal> {
        let ids = arguments.ids("ids")?;
        let values = arguments.object("values");
        if values.is_empty() {
            return Err(Refusal::new("`values` is empty: name the fields to change and their new values."));
        }
        let step = Step::Write { model: arguments.model(), ids, values };
        Ok(Plan::change(Mode::Write, vec![step], arguments))
    }

    fn shape(&self, arguments: &Arguments, got: &Got<'_>, site: &Site<'_>) -> Result<Reply, Error> {
        changed("updated", arguments, got, site)
    }
}

// === delete_record ===

pub(super) struct DeleteRecord;

static DELETE: Spec = Spec {
    name: "delete_record",
    title: "Delete a record",
    description: "Deletes one record for good. Writing active = false archives it instead, where the model has that field.",
    args: &[MODEL, Arg::must("id", Kind::Id, "The record"), DRY_RUN, KEY],
    category: Category::Write,
    risk: Risk::High,
    annotations: CHANGES,
};

impl Tool for DeleteRecord {
    fn spec(&self) -> &'static Spec {
        &DELETE
    }

    fn compile(&self, arguments: &mut Arguments) -> Result<Plan, Refusal> {
        let id = record_id("id", arguments.0.get("id").unwrap_or(&Value::Null))?;
        let step = Step::Unlink { model: arguments.model(), ids: vec![id] };
        Ok(Plan::change(Mode::Write, vec![step], arguments))
    }

    fn shape(&self, arguments: &Arguments, got: &Got<'_>, _site: &Site<'_>) -> Result<Reply, Error> {
        deleted(arguments, got)
    }
}
