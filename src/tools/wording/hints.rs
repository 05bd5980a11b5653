//! Hints from the schema: a comparison with a value that the selection does not have, an aggregate that does not fit its field.

use serde_json::value::RawValue;

use super::answer::{CountResult, Rows, parse_result};
use super::selection;
use crate::odoo::contract::FieldDocument;
use crate::tools::plan::{Found, ToolArguments};

/// An answer without rows is short; a longer one need not be parsed to know that it has some.
const MAX_EMPTY_ANSWER_BYTES: usize = 4096;

/// Whether a search, a grouping or a count found nothing and compares what could be a selection.
pub(in crate::tools) fn may_compare_wrong_value(arguments: &ToolArguments, got: &Found<'_>) -> bool {
    let nothing = |raw: &RawValue| {
        parse_result::<CountResult>(raw).map_or_else(
            |_| parse_result::<Rows<'_>>(raw).is_ok_and(|rows| is_empty_result(arguments, &rows)),
            |found| found.count == 0,
        )
    };
    arguments.0.get("domain").is_some_and(selection::may_be_compared)
        && got.first().is_ok_and(|raw| raw.get().len() < MAX_EMPTY_ANSWER_BYTES && nothing(raw))
}

/// Hint for a condition that compares with a value that its selection does not have.
pub(in crate::tools) fn wrong_value(arguments: &ToolArguments, got: &Found<'_>) -> Option<String> {
    let Found::Results { fields, .. } = got else { return None };
    selection::wrong_value(arguments.0.get("domain")?, fields)
}

/// Whether the first page is empty; a later page may just lie past the last row.
pub(in crate::tools) fn is_empty_result(arguments: &ToolArguments, rows: &Rows<'_>) -> bool {
    rows.records.is_empty() && arguments.offset() == 0
}

/// The first aggregate whose function cannot be computed of its field, in words.
pub(in crate::tools) fn incompatible_aggregate(
    aggregates: &[String],
    fields: &[FieldDocument],
) -> Option<String> {
    aggregates.iter().find_map(|aggregate| {
        let (name, function) = aggregate.split_once(':')?;
        // Ids are numbers to the database.
        let (needs, kinds): (_, &[&str]) = match function {
            "sum" | "avg" => {
                ("a number", &["integer", "float", "monetary", "many2one", "many2one_reference"])
            }
            "sum_currency" => ("an amount of money", &["monetary"]),
            "bool_and" | "bool_or" => ("true or false", &["boolean"]),
            _ => return None,
        };
        let kind = &fields.iter().find(|field| field.name == name)?.kind;
        let fits = kinds.contains(&kind.as_str());
        (!fits).then(|| format!("`{function}` needs {needs}; `{name}` is a {kind} field."))
    })
}
