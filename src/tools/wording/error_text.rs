//! Error messages: the one table from an error to the sentence that a model can act on.
//!
//! Sentences contain only what the caller sent and what the mirror shows to it, so a suggestion never names a model
//! or field that the caller may not see. Never a traceback.

use serde_json::{Value, json};

use super::suggest::{sentence, suggest};
use super::{hints, paths, selection};
use crate::audit;
use crate::odoo::Error;
use crate::odoo::contract::{Fault, FaultCode, FieldDocument, ModelDocument, Step};
use crate::tools::arguments::bounds::MAX_NAME_CHARS;
use crate::tools::arguments::domain::OPERATORS;
use crate::tools::arguments::schema::CONTEXT_KEYS;
use crate::vocab::{quoted, quoted_json, single_line};

const COMMANDS_HINT: &str = "x2many fields take a list of ids or commands: [0,0,{values}] create, [1,id,{values}] update, \
                        [2,id] delete, [3,id] unlink, [4,id] link, [5] unlink all, [6,0,[ids]] replace by these";
/// A sentence of Odoo is longer than a value, and all of it may matter.
const MAX_ODOO_TEXT_CHARS: usize = 1000;
const RETRY_HINT: &str = "This is temporary: try again in a minute.";

/// The call that failed.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::tools) struct CallContext<'a> {
    pub steps: &'a [Step],
    /// The call writes or runs, so a lost answer leaves its outcome open.
    pub changes: bool,
    pub has_key: bool,
}

/// The part of the mirror that helps to explain an error.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::tools) enum NeededSchema {
    Nothing,
    Models,
    Fields(String),
}

/// What the mirror shows to this caller; empty if it was not asked or had no answer.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::tools) struct KnownSchema<'a> {
    pub models: &'a [ModelDocument],
    pub fields: &'a [FieldDocument],
}

pub(in crate::tools) fn needed_schema(error: &Error, doing: CallContext<'_>) -> NeededSchema {
    let Error::Fault(fault) = error else { return NeededSchema::Nothing };
    match fault.code {
        FaultCode::UnknownModel | FaultCode::ModelDenied => NeededSchema::Models,
        FaultCode::UnknownField | FaultCode::InvalidValue => {
            NeededSchema::Fields(text(fault, "model").to_owned())
        }
        FaultCode::BadRequest => match failed_grouping(fault, doing) {
            Some((model, _)) => NeededSchema::Fields(model.to_owned()),
            None => NeededSchema::Nothing,
        },
        _ => NeededSchema::Nothing,
    }
}

/// The sentence for an error.
pub(in crate::tools) fn explain(error: &Error, doing: CallContext<'_>, seen: KnownSchema<'_>) -> String {
    match error {
        Error::Fault(fault) => explain_fault(fault, doing, seen),
        Error::Unreachable => format!("Odoo cannot be reached, so nothing was done. {RETRY_HINT}"),
        Error::Busy => format!("Odoo is too busy, so nothing was done. {RETRY_HINT}"),
        Error::MemoryFull => format!(
            "Too many long answers are on their way and have not been fetched yet, so nothing was done; fetch them, ask \
             for fewer rows or fields, or make fewer calls at once. {RETRY_HINT}"
        ),
        Error::AnswerTooLong => {
            "The answer is longer than this server passes on, and nothing was changed; ask for fewer rows \
                           or fields."
                .to_owned()
        }
        Error::AnswerDropped => {
            "Odoo has carried this out, but its answer was too long to be passed on. Do not repeat the call; \
                          read the records to see what it did."
                .to_owned()
        }
        Error::InvalidSetup | Error::ServiceLoginRefused | Error::NotOdoo(_) => {
            "This server is not configured correctly to reach Odoo; an administrator has to correct it, \
             repeating the call does not help."
                .to_owned()
        }
        Error::OutcomeUnknown => unknown_outcome(doing),
        // An answer that came but could not be read: the change was made.
        Error::TimedOut | Error::InvalidAnswer if doing.changes => unknown_outcome(doing),
        Error::TimedOut => format!("Odoo did not answer in time; ask for fewer rows or fields. {RETRY_HINT}"),
        Error::InvalidAnswer => format!("The answer of Odoo was lost on its way. {RETRY_HINT}"),
    }
}

/// A change whose answer never came may have been made.
fn unknown_outcome(doing: CallContext<'_>) -> String {
    let then = if doing.has_key {
        "repeat the call with the same idempotency_key: it is not done twice."
    } else {
        "read the records to see before you repeat it; an idempotency_key makes repeating safe."
    };
    format!("The answer of Odoo was lost, so the change may or may not have been made; {then}")
}

fn explain_fault(fault: &Fault, doing: CallContext<'_>, seen: KnownSchema<'_>) -> String {
    let said = one_line(&fault.message);
    match fault.code {
        FaultCode::UnknownModel => unknown_model(fault, seen),
        FaultCode::UnknownField => unknown_field(fault, doing, seen, &said),
        FaultCode::InvalidValue => invalid_value(fault, seen, &said),
        FaultCode::InvalidDomain => invalid_domain(fault, &said),
        // Where the gateway says what to send, general advice would only hide it.
        FaultCode::InvalidCommand if fault.data.get("meant").is_some() => said,
        FaultCode::InvalidCommand => format!("{said} In general {COMMANDS_HINT}."),
        FaultCode::InvalidContext => {
            format!("{} `context` takes {}; get_session shows their values.", said, CONTEXT_KEYS.join(", "))
        }
        FaultCode::Invalid => format!("Odoo refuses this: {said}"),
        FaultCode::AccessDenied => access_denied(fault, &said),
        FaultCode::ModelDenied => model_denied(seen, &said),
        FaultCode::NotFound => not_found(text(fault, "model"), &ids(fault)),
        FaultCode::ReadOnly => "This connection may only read; an administrator of Odoo can change that.".to_owned(),
        // What the level of the connection forbids, the addon explains in full.
        FaultCode::ToolDenied | FaultCode::MethodDenied if fault.data.get("level").is_some() => said,
        FaultCode::ToolDenied => format!(
            "The administrator has not allowed the tool {} for this connection.",
            quoted(text(fault, "tool"))
        ),
        FaultCode::MethodDenied => said,
        FaultCode::Deadline => "Odoo did not finish in time and undid what it had begun; ask for less at once.".to_owned(),
        FaultCode::Unavailable => {
            format!("Odoo's database is busy or not available, so nothing was done. {RETRY_HINT}")
        }
        FaultCode::IdempotencyConflict => {
            "This idempotency_key was used with other arguments; take a new key for a new change.".to_owned()
        }
        FaultCode::Disabled => "MCP server is disabled by the administrator.".to_owned(),
        FaultCode::Unauthenticated => "This connection is no longer valid; it has to be authorized anew.".to_owned(),
        FaultCode::AddressDenied => {
            "This connection may not be used from this address; an administrator of Odoo can change that.".to_owned()
        }
        // The gateway names arguments here that only Odoo can judge: an order, a grouping, a method's arguments.
        FaultCode::BadRequest => bad_request(fault, doing, seen, &said),
        FaultCode::Contract | FaultCode::NotService => {
            "The MCP server and its Odoo module do not fit together; an administrator has to update or set up one \
             of them."
                .to_owned()
        }
        FaultCode::DryRun | FaultCode::Internal => internal(fault),
    }
}

fn bad_request(fault: &Fault, doing: CallContext<'_>, seen: KnownSchema<'_>, said: &str) -> String {
    let wrong = failed_grouping(fault, doing)
        .and_then(|(_, aggregates)| hints::incompatible_aggregate(aggregates, seen.fields));
    if let Some(wrong) = wrong {
        return format!("`aggregates`: {wrong}");
    }
    let (at, said) = (strip_step_paths(&one_line(text(fault, "at"))), strip_step_paths(said));
    let argument = argument_name(&at, doing.steps);
    match said.strip_prefix(&at) {
        _ if at.is_empty() => said,
        // The gateway begins with the place itself where the shape of a value is wrong.
        Some(rest) if rest.starts_with(' ') => format!("`{argument}`{rest}"),
        _ => format!("`{argument}`: {said}"),
    }
}

/// What callers call a member of a step.
fn argument_name<'a>(member: &'a str, steps: &[Step]) -> &'a str {
    match (steps, member) {
        ([Step::NameSearch { .. }], "name") => "query",
        _ => member,
    }
}

/// The model and aggregates of a grouping that Odoo could not do; it does not say which part failed.
fn failed_grouping<'a>(fault: &Fault, doing: CallContext<'a>) -> Option<(&'a str, &'a [String])> {
    match doing.steps {
        [Step::ReadGroup { model, aggregates, .. }] if strip_step_paths(text(fault, "at")) == "groupby" => {
            Some((model, aggregates))
        }
        _ => None,
    }
}

/// Places in the call as the caller knows them: `steps.0.ids` is `ids`.
fn strip_step_paths(text: &str) -> String {
    let mut parts = text.split("steps.");
    let mut stripped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('.') {
            Some((number, rest)) if number.parse::<u32>().is_ok() => stripped.push_str(rest),
            _ => stripped.extend(["steps.", part]),
        }
    }
    stripped
}

fn unknown_model(fault: &Fault, seen: KnownSchema<'_>) -> String {
    let model = text(fault, "model");
    let guess = suggest(model, seen.models.iter().map(|known| (known.model.as_str(), known.label.as_str())));
    let question = sentence(&guess);
    format!("There is no model {} that you may use.{question} list_models finds them.", quoted(model))
}

fn unknown_field(fault: &Fault, doing: CallContext<'_>, seen: KnownSchema<'_>, said: &str) -> String {
    let field = text(fault, "field");
    let known = |name: &str| seen.fields.iter().find(|known| known.name == name);
    if known(field).is_some() {
        // The field exists and is misused: the gateway says how.
        return said.to_owned();
    }
    // A path, as callers write it: with dots, or with slashes as in files of an import.
    if let Some((head, rest)) = field.split_once(['.', '/'])
        && let Some(head) = known(head)
    {
        return match paths::instead(head, rest, doing.steps) {
            Some(instead) => format!("{said} {instead}"),
            // A property, a part of a date, a value to write: the gateway says which there are.
            None => said.to_owned(),
        };
    }
    let guess = suggest(field, seen.fields.iter().map(|known| (known.name.as_str(), known.label.as_str())));
    let question = sentence(&guess);
    format!("{said}{question} describe_model (pattern) finds fields.")
}

/// What Odoo says, and what the field takes instead. Where Odoo itself sets a field, no value would help.
fn invalid_value(fault: &Fault, seen: KnownSchema<'_>, said: &str) -> String {
    let name = text(fault, "field");
    let field = seen.fields.iter().find(|field| field.name == name && !field.readonly);
    let given = fault.data.get("value").and_then(Value::as_str);
    if fault.data.get("meant").is_some() {
        return said.to_owned();
    }
    match field.and_then(|field| takes(field, given)) {
        Some(takes) => format!("{said} `{name}` takes {takes}."),
        None => said.to_owned(),
    }
}

fn takes(field: &FieldDocument, given: Option<&str>) -> Option<String> {
    if !field.selection.is_empty() {
        return Some(selection::options(field, given));
    }
    Some(match (field.kind.as_str(), field.relation.as_deref()) {
        ("many2one", Some(to)) => format!("the id of a {to} (search_records finds it), or null"),
        ("one2many" | "many2many", _) => format!("ids or commands; {COMMANDS_HINT}"),
        ("date", _) => "a date as YYYY-MM-DD, or null".to_owned(),
        ("datetime", _) => "an instant in UTC as YYYY-MM-DDTHH:MM:SSZ, or null".to_owned(),
        _ => return None,
    })
}

fn invalid_domain(fault: &Fault, said: &str) -> String {
    let at = fault.data.get("at").filter(|at| !at.is_null());
    let at = at.map(|at| format!(" It is at {}.", domain_part(at))).unwrap_or_default();
    match fault.data.get("operator").and_then(Value::as_str) {
        Some(operator) if OPERATORS.split(", ").any(|known| known == operator) => format!("{said}{at}"),
        Some(_) => format!("{said}{at} Operators are {OPERATORS}."),
        None => format!(
            "{said}{at} Conditions are [field, operator, value]; & and | stand before the two that they join, ! before \
             one."
        ),
    }
}

/// A part of a domain. What is compared with a secret may be one.
fn domain_part(at: &Value) -> String {
    match at.as_array().map(Vec::as_slice) {
        Some([Value::String(name), operator, _]) if audit::names_a_secret(name) => {
            quoted_json(&json!([name, operator, "***"]))
        }
        _ => quoted_json(at),
    }
}

/// Odoo's own message: it names fields, rules and companies to switch to.
fn access_denied(fault: &Fault, said: &str) -> String {
    let said = match (said, text(fault, "model")) {
        ("", model) => format!("Odoo does not let this user use {} so.", quoted(model)),
        (said, _) => said.to_owned(),
    };
    format!(
        "{said} Repeating the call does not help; access rights are for an administrator of Odoo to decide."
    )
}

/// What may be used instead: the mirror shows a connection with allowed models no others.
fn model_denied(seen: KnownSchema<'_>, said: &str) -> String {
    let few: Vec<&str> = seen.models.iter().take(20).map(|known| known.model.as_str()).collect();
    let instead = match seen.models.len() {
        0 => String::new(),
        1..=20 => format!(" It may use {}.", few.join(", ")),
        all => format!(" It may use {} and {} more: list_models shows them all.", few.join(", "), all - 20),
    };
    format!("{said}{instead} The list of models is for an administrator of Odoo to change.")
}

/// No such record, or none that this user may see: Odoo does not distinguish the two.
pub(in crate::tools) fn not_found(model: &str, ids: &[i64]) -> String {
    let few: Vec<String> = ids.iter().take(20).map(i64::to_string).collect();
    let more = if ids.len() > 20 { format!(" and {} more", ids.len() - 20) } else { String::new() };
    let (noun, verb) = if ids.len() == 1 { ("id", "exists") } else { ("ids", "exist") };
    format!(
        "No record of {} with the {noun} {}{more} {verb} or may be seen by this user; search_records finds ids.",
        single_line(model, MAX_NAME_CHARS),
        few.join(", ")
    )
}

fn internal(fault: &Fault) -> String {
    match text(fault, "error_id") {
        "" => "Odoo failed to carry this out; its log says why.".to_owned(),
        id => format!(
            "Odoo failed to carry this out; an administrator finds why in Odoo's log under {}.",
            one_line(id)
        ),
    }
}

fn text<'a>(fault: &'a Fault, member: &str) -> &'a str {
    fault.data.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn ids(fault: &Fault) -> Vec<i64> {
    let ids = fault.data.get("ids").and_then(Value::as_array);
    ids.into_iter().flatten().filter_map(Value::as_i64).collect()
}

/// A message of Odoo as one line of bounded length, cut where a traceback would begin.
fn one_line(message: &str) -> String {
    let said = message.split("Traceback (most recent call last)").next().unwrap_or_default();
    single_line(said, MAX_ODOO_TEXT_CHARS)
}

#[cfg(test)]
mod tests;
