//! Validation of arguments against the accepted schema, with one sentence for what is wrong.

use jsonschema::error::ValidationErrorKind as Why;
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value};

use super::bounds::MAX_NAME_CHARS;
use super::schema::{Arg, ArgKind, CONTEXT_KEYS, accepted, expected_form};
use crate::tools::wording::suggest::{question_or_facts, suggest};
use crate::vocab::{quoted, quoted_json, single_line};

/// The schema of one tool, compiled once, with what sentences about it need.
pub(in crate::tools) struct ArgumentValidator {
    tool: &'static str,
    args: &'static [Arg],
    validator: Validator,
}

impl ArgumentValidator {
    /// None only where the schema itself is faulty, which a test rules out for all tools.
    pub(crate) fn new(tool: &'static str, args: &'static [Arg]) -> Option<Self> {
        let validator = jsonschema::validator_for(&Value::Object(accepted(args))).ok()?;
        Some(Self { tool, args, validator })
    }

    /// The arguments back, or the sentence for the fault that matters most.
    pub(crate) fn validate(&self, arguments: Map<String, Value>) -> Result<Map<String, Value>, String> {
        let arguments = Value::Object(arguments);
        // An unknown name first: it explains the missing one that it was meant for.
        let fault = self.validator.iter_errors(&arguments).min_by_key(|error| match error.kind() {
            Why::AdditionalProperties { .. } => 0,
            Why::Required { .. } => 1,
            _ => 2,
        });
        let sentence = fault.map(|error| self.explain(&error));
        match (sentence, arguments) {
            (None, Value::Object(arguments)) => Ok(arguments),
            (sentence, _) => Err(sentence.unwrap_or_default()),
        }
    }

    fn explain(&self, error: &ValidationError<'_>) -> String {
        let path = error.instance_path().as_str();
        match error.kind() {
            Why::AdditionalProperties { unexpected } => {
                let name = unexpected.first().map(String::as_str).unwrap_or_default();
                self.explain_unknown(name)
            }
            Why::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                if path.is_empty() {
                    format!("{} needs `{name}`: {}.", self.tool, self.explain_missing(name))
                } else {
                    format!("`{}` needs `{name}`: it takes {}.", readable(path), self.expected_at(path))
                }
            }
            _ => self.explain_wrong_type(path, error.instance()),
        }
    }

    fn explain_wrong_type(&self, path: &str, instance: &Value) -> String {
        let (at, takes, got) = (readable(path), self.expected_at(path), quoted_json(instance));
        match at.split_once('[') {
            Some((list, _)) => format!("`{list}` takes {takes}, but `{at}` is {got}."),
            None => format!("`{at}` takes {takes}, not {got}."),
        }
    }

    /// What a missing argument should hold; of text only its description says anything.
    fn explain_missing(&self, name: &str) -> String {
        let text = self
            .args
            .iter()
            .find(|arg| arg.name == name && matches!(arg.kind, ArgKind::Text | ArgKind::Name));
        text.map_or_else(|| self.expected_for(name).to_owned(), |arg| format!("text, {}", arg.description))
    }

    fn explain_unknown(&self, name: &str) -> String {
        let all = self.args.iter().map(|arg| arg.name).collect::<Vec<_>>();
        if CONTEXT_KEYS.contains(&name) && all.contains(&"context") {
            return format!("`{name}` belongs in `context`, as in {{\"context\": {{\"{name}\": …}}}}.");
        }
        let guess = suggest(name, all.iter().map(|name| (*name, "")));
        match all.as_slice() {
            [] => format!("{} takes no arguments, so not {}.", self.tool, quoted(name)),
            all => {
                let rest = question_or_facts(&guess, &format!("it takes {}.", all.join(", ")));
                format!("{} has no argument {}; {rest}", self.tool, quoted(name))
            }
        }
    }

    /// What the argument at the head of a path takes.
    fn expected_at(&self, path: &str) -> &'static str {
        self.expected_for(path.split('/').nth(1).unwrap_or_default())
    }

    fn expected_for(&self, name: &str) -> &'static str {
        self.args.iter().find(|arg| arg.name == name).map_or("another value", |arg| expected_form(arg.kind))
    }
}

/// `/updates/0/id` as `updates[0].id`.
/// The places inside of values are the caller's words.
fn readable(path: &str) -> String {
    let mut text = String::new();
    for part in path.split('/').skip(1) {
        if part.bytes().all(|b| b.is_ascii_digit()) {
            text.push_str(&format!("[{part}]"));
        } else {
            text.push_str(if text.is_empty() { "" } else { "." });
            text.push_str(part);
        }
    }
    single_line(&text, MAX_NAME_CHARS)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::arguments::schema::{CONTEXT, DOMAIN, FIELDS, LIMIT, MODEL};

    static ARGS: [Arg; 6] =
        [MODEL, DOMAIN, FIELDS, LIMIT, CONTEXT, Arg::optional("updates", ArgKind::Updates, "")];

    fn explained(arguments: Value) -> String {
        let check = ArgumentValidator::new("search_read", &ARGS).unwrap();
        check.validate(arguments.as_object().cloned().unwrap()).unwrap_err()
    }

    #[test]
    fn faults_are_explained_in_one_teaching_sentence() {
        for (arguments, sentence) in [
            (json!({}), "search_read needs `model`: text, e.g. sale.order."),
            (
                json!({"modle": "x"}),
                "search_read has no argument \"modle\"; did you mean `model`? \
                 It takes model, domain, fields, limit, context, updates.",
            ),
            (
                json!({"model": "x", "zzz": 1}),
                "search_read has no argument \"zzz\"; it takes model, domain, fields, limit, context, updates.",
            ),
            (json!({"model": "x", "limit": "many"}), "`limit` takes a whole number from 1, not \"many\"."),
            (json!({"model": "x", "limit": 0}), "`limit` takes a whole number from 1, not 0."),
            (
                json!({"model": "x", "fields": ["a", 5]}),
                "`fields` takes a list of field names, but `fields[1]` is 5.",
            ),
            (
                json!({"model": "x", "active_test": false}),
                "`active_test` belongs in `context`, as in {\"context\": {\"active_test\": …}}.",
            ),
            (
                json!({"model": "x", "updates": [{"id": 1}]}),
                "`updates[0]` needs `values`: it takes a list of objects, each with `id` and `values`.",
            ),
        ] {
            assert_eq!(explained(arguments), sentence);
        }
    }
}
