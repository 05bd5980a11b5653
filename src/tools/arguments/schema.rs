//! JSON Schemas of tool arguments: one declaration gives the JSON Schema that clients see and the one that is enforced.
//!
//! The published schema is typed throughout, since clients skip tools that are not: one type each, typed `items` in
//! every array, named `properties` in every object, no `$ref`, no combinators. It shows the plainest form of each
//! argument. `accepted` is the schema that arguments are validated by, once `coerce` has read them: it leaves open
//! what Odoo judges, so that a form which the published schema does not show is taken all the same.

use serde_json::{Map, Value, json};

/// What an argument holds; decides its schema and how a near miss is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tools) enum ArgKind {
    Text,
    /// A text that is looked up, or compared with what there is.
    Name,
    /// At least 1.
    Number,
    /// At least 0.
    Offset,
    Flag,
    Id,
    Ids,
    Names,
    /// Fields with functions, `amount_total:sum`; also as an object.
    Aggregates,
    /// Names that may also come joined by dots.
    Path,
    Domain,
    /// Field names with directions; also as an object or a list.
    Order,
    Object,
    Objects,
    /// Objects of `id` and `values`.
    Updates,
    List,
    Context,
}

/// One argument of a tool.
#[derive(Debug, Clone, Copy)]
pub(in crate::tools) struct Arg {
    pub name: &'static str,
    pub kind: ArgKind,
    pub description: &'static str,
    pub required: bool,
}

impl Arg {
    pub(crate) const fn required(name: &'static str, kind: ArgKind, about: &'static str) -> Self {
        Self { name, kind, description: about, required: true }
    }

    pub(crate) const fn optional(name: &'static str, kind: ArgKind, about: &'static str) -> Self {
        Self { name, kind, description: about, required: false }
    }
}

pub(in crate::tools) const MODEL: Arg = Arg::required("model", ArgKind::Name, "e.g. sale.order");
pub(in crate::tools) const DOMAIN: Arg =
    Arg::optional("domain", ArgKind::Domain, "Odoo domain, e.g. [[\"state\",\"=\",\"sale\"]]");
pub(in crate::tools) const FIELDS: Arg =
    Arg::optional("fields", ArgKind::Names, "Default: the most relevant");
pub(in crate::tools) const LIMIT: Arg = Arg::optional("limit", ArgKind::Number, "Default 20, at most 1000");
pub(in crate::tools) const OFFSET: Arg = Arg::optional("offset", ArgKind::Offset, "Rows to skip");
pub(in crate::tools) const ORDER: Arg = Arg::optional("order", ArgKind::Order, "E.g. date desc, id");
pub(in crate::tools) const CONTEXT: Arg = Arg::optional(
    "context",
    ArgKind::Context,
    "E.g. {\"lang\":\"fr_FR\"}, tz, active_test, allowed_company_ids (default: all)",
);
/// For what creates and uses the record of a wizard.
pub(in crate::tools) const WIZARD_CONTEXT: Arg = Arg::optional(
    "context",
    ArgKind::Context,
    "E.g. {\"lang\":\"fr_FR\"}, tz, active_test, allowed_company_ids (default: all), handle (of a wizard)",
);
pub(in crate::tools) const IDEMPOTENCY_KEY: Arg =
    Arg::optional("idempotency_key", ArgKind::Text, "Unique text; with it a repeat is not done twice");
pub(in crate::tools) const DRY_RUN: Arg =
    Arg::optional("dry_run", ArgKind::Flag, "Roll back at the end; sequences, mails, outside calls stay");

/// The keys of a context; Odoo refuses any other.
pub(in crate::tools) const CONTEXT_KEYS: [&str; 5] =
    ["lang", "tz", "allowed_company_ids", "active_test", "handle"];

/// The JSON Schema of a list of arguments, as clients see it. Every byte of it is paid in each conversation.
pub(in crate::tools) fn published(args: &[Arg]) -> Map<String, Value> {
    let mut schema = schema(args, |arg| {
        let mut property = shown(arg.kind);
        if let Some(property) = property.as_object_mut() {
            property.insert("description".into(), json!(arg.description));
        }
        property
    });
    // Enforced, with a sentence that names the right argument; here it would cost half a kilobyte over all tools.
    schema.shift_remove("additionalProperties");
    schema
}

/// The JSON Schema that arguments are validated by.
pub(in crate::tools) fn accepted(args: &[Arg]) -> Map<String, Value> {
    schema(args, |arg| taken(arg.kind))
}

fn schema(args: &[Arg], of: impl Fn(&Arg) -> Value) -> Map<String, Value> {
    let properties: Map<String, Value> = args.iter().map(|arg| (arg.name.to_owned(), of(arg))).collect();
    let required: Vec<&str> = args.iter().filter(|arg| arg.required).map(|arg| arg.name).collect();
    let mut schema = Map::new();
    schema.insert("type".into(), json!("object"));
    schema.insert("properties".into(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    schema.insert("additionalProperties".into(), json!(false));
    schema
}

/// The typed form. Where values may have any type, text stands for all of them: it is what most values are, and
/// a schema cannot say "any" without a form that some client refuses.
fn shown(kind: ArgKind) -> Value {
    match kind {
        ArgKind::Domain => json!({"type": "array", "items": {"type": "array", "items": {"type": "string"}}}),
        ArgKind::List => json!({"type": "array", "items": {"type": "string"}}),
        ArgKind::Objects => json!({"type": "array", "items": record()}),
        ArgKind::Updates => json!({
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "integer"}, "values": record()},
                "required": ["id", "values"],
            },
        }),
        ArgKind::Object => record(),
        // Its keys are checked in `coerce`: each one spelt out here costs half a kilobyte over all tools.
        ArgKind::Context => json!({
            "type": "object",
            "properties": {"lang": {"type": "string"}},
        }),
        // Bounds stand in the descriptions where they matter, and are enforced all the same.
        ArgKind::Number | ArgKind::Offset => json!({"type": "integer"}),
        other => taken(other),
    }
}

/// An object of any fields, with the one that most models have.
fn record() -> Value {
    json!({"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": true})
}

/// The open form.
fn taken(kind: ArgKind) -> Value {
    match kind {
        ArgKind::Text | ArgKind::Name | ArgKind::Order => json!({"type": "string"}),
        ArgKind::Number => json!({"type": "integer", "minimum": 1}),
        ArgKind::Offset => json!({"type": "integer", "minimum": 0}),
        ArgKind::Flag => json!({"type": "boolean"}),
        ArgKind::Id => json!({"type": "integer"}),
        ArgKind::Ids => json!({"type": "array", "items": {"type": "integer"}}),
        ArgKind::Names | ArgKind::Aggregates | ArgKind::Path => {
            json!({"type": "array", "items": {"type": "string"}})
        }
        ArgKind::Domain | ArgKind::List => json!({"type": "array"}),
        ArgKind::Objects => json!({"type": "array", "items": {"type": "object"}}),
        ArgKind::Updates => json!({
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "integer"}, "values": {"type": "object"}},
                "required": ["id", "values"],
            },
        }),
        ArgKind::Object | ArgKind::Context => json!({"type": "object"}),
    }
}

/// The expected form of an argument, for error sentences.
pub(in crate::tools) fn expected_form(kind: ArgKind) -> &'static str {
    match kind {
        ArgKind::Text | ArgKind::Name => "text",
        ArgKind::Order => "text such as \"date desc, id\"",
        ArgKind::Number => "a whole number from 1",
        ArgKind::Offset => "a whole number from 0",
        ArgKind::Flag => "true or false",
        ArgKind::Id => "the id of one record, a whole number (batch_delete takes many)",
        ArgKind::Ids => "a list of record ids, whole numbers",
        ArgKind::Names => "a list of field names",
        ArgKind::Aggregates => "a list such as [\"amount_total:sum\"]",
        ArgKind::Path => "a list of field names, as in [\"order_line\", \"product_id\"]",
        ArgKind::Domain => "a list of conditions, as in [[\"state\", \"=\", \"sale\"]]",
        ArgKind::Object => "an object of field names and values",
        ArgKind::Objects => "a list of objects of field names and values",
        ArgKind::Updates => "a list of objects, each with `id` and `values`",
        ArgKind::List => "a list",
        ArgKind::Context => "an object with keys of lang, tz, allowed_company_ids, active_test, handle",
    }
}
