//! The arguments of tools: one declaration gives the JSON Schema that clients see and the one that is enforced.
//!
//! The published schema is typed throughout, since clients skip tools that are not: one type each, typed `items` in
//! every array, named `properties` in every object, no `$ref`, no combinators. It shows the plainest form of each
//! argument. `accepted` is the schema that arguments are validated by, once `coerce` has read them: it leaves open
//! what Odoo judges, so that a form which the published schema does not show is taken all the same.

use serde_json::{Map, Value, json};

/// What an argument holds; decides its schema and how a near miss is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
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
pub(super) struct Arg {
    pub name: &'static str,
    pub kind: Kind,
    pub about: &'static str,
    pub required: bool,
}

impl Arg {
    pub const fn must(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, about, required: true }
    }

    pub const fn may(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, about, required: false }
    }
}

pub(super) const MODEL: Arg = Arg::must("model", Kind::Name, "e.g. sale.order");
pub(super) const DOMAIN: Arg =
    Arg::may("domain", Kind::Domain, "Odoo domain, e.g. [[\"state\",\"=\",\"sale\"]]");
pub(super) const FIELDS: Arg = Arg::may("fields", Kind::Names, "Default: the most relevant");
pub(super) const LIMIT: Arg = Arg::may("limit", Kind::Number, "Default 20, at most 1000");
pub(super) const OFFSET: Arg = Arg::may("offset", Kind::Offset, "Rows to skip");
pub(super) const ORDER: Arg = Arg::may("order", Kind::Order, "E.g. date desc, id");
pub(super) const CONTEXT: Arg = Arg::may(
    "context",
    Kind::Context,
    "E.g. {\"lang\":\"fr_FR\"}, tz, active_test, allowed_company_ids (default: all)",
);
/// For what creates and uses the record of a wizard.
pub(super) const WIZARD_CONTEXT: Arg = Arg::may(
    "context",
    Kind::Context,
    "E.g. {\"lang\":\"fr_FR\"}, tz, active_test, allowed_company_ids (default: all), handle (of a wizard)",
);
pub(super) const KEY: Arg =
    Arg::may("idempotency_key", Kind::Text, "Unique text; with it a repeat is not done twice");
pub(super) const DRY_RUN: Arg =
    Arg::may("dry_run", Kind::Flag, "Roll back at the end; sequences, mails, outside calls stay");

/// The keys of a context; Odoo refuses any other.
pub(super) const CONTEXT_KEYS: [&str; 5] = ["lang", "tz", "allowed_company_ids", "active_test", "handle"];

/// The JSON Schema of a list of arguments, as clients see it. Every byte of it is paid in each conversation.
pub(super) fn published(args: &[Arg]) -> Map<String, Value> {
    let mut schema = schema(args, |arg| {
        let mut property = shown(arg.kind);
        if let Some(property) = property.as_object_mut() {
            property.insert("description".into(), json!(arg.about));
        }
        property
    });
    // Enforced, with a sentence that names the right argument; here it would cost half a kilobyte over all tools.
    schema.shift_remove("additionalProperties");
    schema
}

/// The JSON Schema that arguments are validated by.
pub(super) fn accepted(args: &[Arg]) -> Map<String, Value> {
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
fn shown(kind: Kind) -> Value {
    match kind {
        Kind::Domain => json!({"type": "array", "items": {"type": "array", "items": {"type": "string"}}}),
        Kind::List => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Objects => json!({"type": "array", "items": record()}),
        Kind::Updates => json!({
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "integer"}, "values": record()},
                "required": ["id", "values"],
            },
        }),
        Kind::Object => record(),
        // Its keys are checked in `coerce`: each one spelt out here costs half a kilobyte over all tools.
        Kind::Context => json!({
            "type": "object",
            "properties": {"lang": {"type": "string"}},
        }),
        // Bounds stand in the descriptions where they matter, and are enforced all the same.
        Kind::Number | Kind::Offset => json!({"type": "integer"}),
        other => taken(other),
    }
}

/// An object of any fields, with the one that most models have.
fn record() -> Value {
    json!({"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": true})
}

/// The open form.
fn taken(kind: Kind) -> Value {
    match kind {
        Kind::Text | Kind::Name | Kind::Order => json!({"type": "string"}),
        Kind::Number => json!({"type": "integer", "minimum": 1}),
        Kind::Offset => json!({"type": "integer", "minimum": 0}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Id => json!({"type": "integer"}),
        Kind::Ids => json!({"type": "array", "items": {"type": "integer"}}),
        Kind::Names | Kind::Aggregates | Kind::Path => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Domain | Kind::List => json!({"type": "array"}),
        Kind::Objects => json!({"type": "array", "items": {"type": "object"}}),
        Kind::Updates => json!({
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "integer"}, "values": {"type": "object"}},
                "required": ["id", "values"],
            },
        }),
        Kind::Object | Kind::Context => json!({"type": "object"}),
    }
}

/// What an argument takes, for sentences.
pub(super) fn takes(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Name => "text",
        Kind::Order => "text such as \"date desc, id\"",
        Kind::Number => "a whole number from 1",
        Kind::Offset => "a whole number from 0",
        Kind::Flag => "true or false",
        Kind::Id => "the id of one record, a whole number (batch_delete takes many)",
        Kind::Ids => "a list of record ids, whole numbers",
        Kind::Names => "a list of field names",
        Kind::Aggregates => "a list such as [\"amount_total:sum\"]",
        Kind::Path => "a list of field names, as in [\"order_line\", \"product_id\"]",
        Kind::Domain => "a list of conditions, as in [[\"state\", \"=\", \"sale\"]]",
        Kind::Object => "an object of field names and values",
        Kind::Objects => "a list of objects of field names and values",
        Kind::Updates => "a list of objects, each with `id` and `values`",
        Kind::List => "a list",
        Kind::Context => "an object with keys of lang, tz, allowed_company_ids, active_test, handle",
    }
}
