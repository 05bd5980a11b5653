//! Takes secrets out of payloads: by the name of the member that holds them, and by their shape.
//!
//! Always before anything is cut, so that no half of a secret stands. JSON inside of texts is opened and masked
//! like the rest. What no rule knows of stays: this is why payloads are logged only where an administrator asks
//! for it.

use serde_json::{Map, Value};

use super::document;
use super::fit::fit;
use super::shapes::{self, names_a_secret};
use crate::vocab::{aside, first_bytes};

/// What stands in place of a secret.
pub(super) const MASK: &str = "***";

const MOST_REQUEST: usize = 16_000;
const MOST_RESPONSE: usize = 4_000;

/// So many times of what is shown is looked at, since masks are shorter than what they hide.
const ROOM: usize = 4;

/// What each value takes of that at least.
const LEAST_BYTES: usize = 4;

/// What names a secret does so early.
const MOST_NAME: usize = 1000;

/// Longer words are no secrets that are known by their shape.
const LONGEST_WORD: usize = 300;

/// Far more than any sentence has that is told.
const MOST_SENTENCE: usize = 16_000;

/// How often JSON is opened that lies inside of a text inside of JSON.
const MOST_LAYERS: u8 = 8;

/// The arguments of a call, given as JSON text.
pub(super) fn request(text: &str) -> String {
    payload(text, MOST_REQUEST)
}

/// What a tool answered: JSON text or a sentence.
pub(super) fn response(text: &str) -> String {
    payload(text, MOST_RESPONSE)
}

/// The message for the client: it may quote the request, or an error of code in Odoo.
pub(super) fn sentence(text: &str) -> String {
    document::sentence(&without_secrets(text))
}

/// A sentence without its secrets.
pub fn without_secrets(text: &str) -> String {
    shapes::hide_in_sentence(head(text, MOST_SENTENCE))
}

/// What a client calls itself, a method or a tool.
pub(super) fn name(text: &str) -> String {
    shapes::hide(text)
}

fn payload(text: &str, most: usize) -> String {
    aside(text.len(), || match serde_json::from_str::<Value>(text) {
        Ok(mut value) => {
            Masker { left: ROOM * most }.hide(&mut value, MOST_LAYERS);
            fit(&value, most)
        }
        Err(_) => document::cut(&shapes::hide(head(text, ROOM * most)), most),
    })
}

/// Masks as much of a payload as can be shown of it, and leaves out the rest: a large one costs no more than
/// one that fits.
struct Masker {
    /// Bytes that are still looked at.
    left: usize,
}

impl Masker {
    fn hide(&mut self, value: &mut Value, layers: u8) {
        self.left = self.left.saturating_sub(LEAST_BYTES);
        match value {
            Value::String(text) => *text = self.hidden(text, layers),
            Value::Array(items) => {
                // A condition of a domain names a member in another way.
                if let [Value::String(name), Value::String(_), operand] = items.as_mut_slice()
                    && names_a_secret(name)
                {
                    blot(operand);
                }
                self.hide_items(items, layers);
            }
            Value::Object(members) => {
                *value = Value::Object(self.hide_members(std::mem::take(members), layers));
            }
            _ => {}
        }
    }

    fn hide_items(&mut self, items: &mut Vec<Value>, layers: u8) {
        let mut seen = 0;
        for item in items.iter_mut() {
            if self.left == 0 {
                break;
            }
            self.hide(item, layers);
            seen += 1;
        }
        let more = items.len() - seen;
        if more > 0 {
            items.truncate(seen);
            items.push(Value::String(format!("… {more} more")));
        }
    }

    fn hide_members(&mut self, members: Map<String, Value>, layers: u8) -> Map<String, Value> {
        // A method such as `change_password` is given its secrets in a row.
        let method = members.get("method").and_then(Value::as_str).is_some_and(names_a_secret);
        let (count, mut masked) = (members.len(), Map::new());
        for (seen, (name, mut value)) in members.into_iter().enumerate() {
            if self.left == 0 {
                masked.insert("…".to_owned(), Value::String(format!("{} more", count - seen)));
                break;
            }
            if names_a_secret(head(&name, MOST_NAME))
                || (method && matches!(name.as_str(), "args" | "kwargs"))
            {
                blot(&mut value);
            } else {
                self.hide(&mut value, layers);
            }
            masked.insert(self.hidden(&name, layers), value);
        }
        masked
    }

    fn hidden(&mut self, text: &str, layers: u8) -> String {
        if text.trim_start().starts_with(['{', '[', '"'])
            && let Ok(mut inner) = serde_json::from_str::<Value>(text)
        {
            let Some(layers) = layers.checked_sub(1) else { return MASK.to_owned() };
            self.hide(&mut inner, layers);
            return inner.to_string();
        }
        let shown = head(text, self.left);
        self.left -= shown.len();
        let hidden = shapes::hide(shown);
        if shown.len() < text.len() { format!("{hidden}…") } else { hidden }
    }
}

/// The beginning of a text, without the word at its end if that is cut: half of a secret is no longer known by
/// its shape.
fn head(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let cut = first_bytes(text, most);
    let whole = cut.trim_end_matches(|c: char| !c.is_whitespace());
    let least = first_bytes(cut, cut.len().saturating_sub(LONGEST_WORD));
    if whole.len() < least.len() { least } else { whole }
}

/// Everything but the fact that there is something.
fn blot(value: &mut Value) {
    if !value.is_null() {
        *value = Value::String(MASK.to_owned());
    }
}

#[cfg(test)]
mod tests;
