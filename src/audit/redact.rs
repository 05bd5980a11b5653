//! Redaction of secrets in payloads: by the name of the member that holds them, and by their shape.
//!
//! Always before truncation, so that no part of a secret is left. JSON inside of strings is parsed and
//! redacted too. A secret that no rule matches stays: hence payloads are logged only if an administrator
//! enables that.

use serde_json::{Map, Value};

use super::document;
use super::secret_patterns::{self, MASK, names_a_secret};
use super::truncate::truncate_json;
use crate::vocab::{first_bytes, offload};

const MAX_REQUEST_CHARS: usize = 16_000;
const MAX_RESPONSE_CHARS: usize = 4_000;

/// How many times the bound is scanned, since masks are shorter than the secrets they replace.
const SCAN_FACTOR: usize = 4;

/// The least that each value takes of the scan budget.
const MIN_VALUE_BYTES: usize = 4;

/// The part of a member's name that is matched.
const MAX_NAME_BYTES: usize = 1000;

/// The longest word that the shape rules match.
const MAX_WORD_BYTES: usize = 300;

/// Far more than the longest error sentence.
const MAX_SENTENCE_BYTES: usize = 16_000;

/// The most levels of JSON inside of strings.
const MAX_JSON_DEPTH: u8 = 8;

/// Redacts and truncates the arguments of a call, given as JSON text.
pub(super) fn request(text: &str) -> String {
    redact_payload(text, MAX_REQUEST_CHARS)
}

/// Redacts and truncates the answer of a tool: JSON text or a sentence.
pub(super) fn response(text: &str) -> String {
    redact_payload(text, MAX_RESPONSE_CHARS)
}

/// Redacts an error sentence, which may quote the request or an error raised in Odoo.
pub(super) fn sentence(text: &str) -> String {
    document::bounded_sentence(&without_secrets(text))
}

/// Redacts a sentence.
pub fn without_secrets(text: &str) -> String {
    secret_patterns::redact_sentence(leading_words(text, MAX_SENTENCE_BYTES))
}

/// Redacts the name of a client, a method or a tool.
pub(super) fn name(text: &str) -> String {
    secret_patterns::redact(text)
}

fn redact_payload(text: &str, max_chars: usize) -> String {
    offload(text.len(), || match serde_json::from_str::<Value>(text) {
        Ok(mut value) => {
            Redactor { bytes_left: SCAN_FACTOR * max_chars }.redact(&mut value, MAX_JSON_DEPTH);
            truncate_json(&value, max_chars)
        }
        Err(_) => document::truncate_chars(
            &secret_patterns::redact(leading_words(text, SCAN_FACTOR * max_chars)),
            max_chars,
        ),
    })
}

/// Redacts as much of a payload as can be shown and drops the rest: a large one costs no more than one that
/// fits.
struct Redactor {
    /// The rest of the scan budget.
    bytes_left: usize,
}

impl Redactor {
    fn redact(&mut self, value: &mut Value, depth: u8) {
        self.bytes_left = self.bytes_left.saturating_sub(MIN_VALUE_BYTES);
        match value {
            Value::String(text) => *text = self.redacted_text(text, depth),
            Value::Array(items) => {
                // A condition of a domain: [field, operator, value].
                if let [Value::String(name), Value::String(_), operand] = items.as_mut_slice()
                    && names_a_secret(name)
                {
                    redact_value(operand);
                }
                self.redact_items(items, depth);
            }
            Value::Object(members) => {
                *value = Value::Object(self.redact_members(std::mem::take(members), depth));
            }
            _ => {}
        }
    }

    fn redact_items(&mut self, items: &mut Vec<Value>, depth: u8) {
        let mut scanned = 0;
        for item in items.iter_mut() {
            if self.bytes_left == 0 {
                break;
            }
            self.redact(item, depth);
            scanned += 1;
        }
        let more = items.len() - scanned;
        if more > 0 {
            items.truncate(scanned);
            items.push(Value::String(format!("… {more} more")));
        }
    }

    fn redact_members(&mut self, members: Map<String, Value>, depth: u8) -> Map<String, Value> {
        // A method such as `change_password` takes its secrets as positional arguments.
        let method = members.get("method").and_then(Value::as_str).is_some_and(names_a_secret);
        let (count, mut redacted) = (members.len(), Map::new());
        for (seen, (name, mut value)) in members.into_iter().enumerate() {
            if self.bytes_left == 0 {
                redacted.insert("…".to_owned(), Value::String(format!("{} more", count - seen)));
                break;
            }
            if names_a_secret(leading_words(&name, MAX_NAME_BYTES))
                || (method && matches!(name.as_str(), "args" | "kwargs"))
            {
                redact_value(&mut value);
            } else {
                self.redact(&mut value, depth);
            }
            redacted.insert(self.redacted_text(&name, depth), value);
        }
        redacted
    }

    fn redacted_text(&mut self, text: &str, depth: u8) -> String {
        if text.trim_start().starts_with(['{', '[', '"'])
            && let Ok(mut inner) = serde_json::from_str::<Value>(text)
        {
            let Some(depth) = depth.checked_sub(1) else { return MASK.to_owned() };
            self.redact(&mut inner, depth);
            return inner.to_string();
        }
        let shown = leading_words(text, self.bytes_left);
        self.bytes_left -= shown.len();
        let redacted = secret_patterns::redact(shown);
        if shown.len() < text.len() { format!("{redacted}…") } else { redacted }
    }
}

/// The beginning of a text, without a last word that is cut: half of a secret no longer matches its shape.
fn leading_words(text: &str, max_bytes: usize) -> &str {
    if text.len() <= max_bytes {
        return text;
    }
    let cut = first_bytes(text, max_bytes);
    let whole = cut.trim_end_matches(|c: char| !c.is_whitespace());
    let tail = first_bytes(cut, cut.len().saturating_sub(MAX_WORD_BYTES));
    if whole.len() < tail.len() { tail } else { whole }
}

/// Replaces any value but null by the mask.
fn redact_value(value: &mut Value) {
    if !value.is_null() {
        *value = Value::String(MASK.to_owned());
    }
}

#[cfg(test)]
mod tests;
