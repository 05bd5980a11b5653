//! Takes secrets out of payloads: by the name of the member that holds them, and by their shape.
//!
//! Always before anything is cut, so that no half of a secret stands. JSON inside of texts is opened and masked
//! like the rest. What no rule knows of stays: this is why payloads are logged only where an administrator asks
//! for it.

use serde_json::{Map, Value};

use super::document;
use super::secret_patterns::{self, MASK, names_a_secret};
use super::truncate::truncate_json;
use crate::vocab::{first_bytes, offload};

const MAX_REQUEST_CHARS: usize = 16_000;
const MAX_RESPONSE_CHARS: usize = 4_000;

/// So many times of what is shown is looked at, since masks are shorter than what they hide.
const SCAN_FACTOR: usize = 4;

/// What each value takes of that at least.
const MIN_VALUE_BYTES: usize = 4;

/// What names a secret does so early.
const MAX_NAME_BYTES: usize = 1000;

/// Longer words are no secrets that are known by their shape.
const MAX_WORD_BYTES: usize = 300;

/// Far more than any sentence has that is told.
const MAX_SENTENCE_BYTES: usize = 16_000;

/// How often JSON is opened that lies inside of a text inside of JSON.
const MAX_JSON_DEPTH: u8 = 8;

/// The arguments of a call, given as JSON text.
pub(super) fn request(text: &str) -> String {
    redact_payload(text, MAX_REQUEST_CHARS)
}

/// What a tool answered: JSON text or a sentence.
pub(super) fn response(text: &str) -> String {
    redact_payload(text, MAX_RESPONSE_CHARS)
}

/// The message for the client: it may quote the request, or an error of code in Odoo.
pub(super) fn sentence(text: &str) -> String {
    document::bounded_sentence(&without_secrets(text))
}

/// A sentence without its secrets.
pub fn without_secrets(text: &str) -> String {
    secret_patterns::redact_sentence(leading_words(text, MAX_SENTENCE_BYTES))
}

/// What a client calls itself, a method or a tool.
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

/// Masks as much of a payload as can be shown of it, and leaves out the rest: a large one costs no more than
/// one that fits.
struct Redactor {
    /// Bytes that are still looked at.
    bytes_left: usize,
}

impl Redactor {
    fn redact(&mut self, value: &mut Value, depth: u8) {
        self.bytes_left = self.bytes_left.saturating_sub(MIN_VALUE_BYTES);
        match value {
            Value::String(text) => *text = self.redacted_text(text, depth),
            Value::Array(items) => {
                // A condition of a domain names a member in another way.
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
        let mut seen = 0;
        for item in items.iter_mut() {
            if self.bytes_left == 0 {
                break;
            }
            self.redact(item, depth);
            seen += 1;
        }
        let more = items.len() - seen;
        if more > 0 {
            items.truncate(seen);
            items.push(Value::String(format!("… {more} more")));
        }
    }

    fn redact_members(&mut self, members: Map<String, Value>, depth: u8) -> Map<String, Value> {
        // A method such as `change_password` is given its secrets in a row.
        let method = members.get("method").and_then(Value::as_str).is_some_and(names_a_secret);
        let (count, mut masked) = (members.len(), Map::new());
        for (seen, (name, mut value)) in members.into_iter().enumerate() {
            if self.bytes_left == 0 {
                masked.insert("…".to_owned(), Value::String(format!("{} more", count - seen)));
                break;
            }
            if names_a_secret(leading_words(&name, MAX_NAME_BYTES))
                || (method && matches!(name.as_str(), "args" | "kwargs"))
            {
                redact_value(&mut value);
            } else {
                self.redact(&mut value, depth);
            }
            masked.insert(self.redacted_text(&name, depth), value);
        }
        masked
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

/// The beginning of a text, without the word at its end if that is cut: half of a secret is no longer known by
/// its shape.
fn leading_words(text: &str, max_chars: usize) -> &str {
    if text.len() <= max_chars {
        return text;
    }
    let cut = first_bytes(text, max_chars);
    let whole = cut.trim_end_matches(|c: char| !c.is_whitespace());
    let tail = first_bytes(cut, cut.len().saturating_sub(MAX_WORD_BYTES));
    if whole.len() < tail.len() { tail } else { whole }
}

/// Everything but the fact that there is something.
fn redact_value(value: &mut Value) {
    if !value.is_null() {
        *value = Value::String(MASK.to_owned());
    }
}

#[cfg(test)]
mod tests;
