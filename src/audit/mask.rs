//! Takes secrets out of payloads: by the name of the member that holds them, and by their shape.
//!
//! Always before anything is cut, so that no half of a secret stands. JSON inside of texts is opened and masked
//! like the rest. What no rule knows of stays: this is why payloads are logged only where an administrator asks
//! for it.

use serde_json::{Map, Value};

use super::document;
use super::fit::fit;
use super::shapes::{self, names_a_secret};

/// What stands in place of a secret.
pub(super) const MASK: &str = "***";

const MOST_REQUEST: usize = 16_000;
const MOST_RESPONSE: usize = 4_000;

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

/// What a client was told: it may quote what it sent.
pub(super) fn sentence(text: &str) -> String {
    document::sentence(&shapes::hide(text))
}

/// What a client calls itself, a method or a tool.
pub(super) fn name(text: &str) -> String {
    shapes::hide(text)
}

fn payload(text: &str, most: usize) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(mut value) => {
            hide(&mut value, MOST_LAYERS);
            fit(&value, most)
        }
        Err(_) => document::cut(&shapes::hide(text), most),
    }
}

fn hide(value: &mut Value, layers: u8) {
    match value {
        Value::String(text) => *text = hidden(text, layers),
        Value::Array(items) => {
            // A condition of a domain names a member in another way.
            if let [Value::String(name), Value::String(_), operand] = items.as_mut_slice()
                && names_a_secret(name)
            {
                blot(operand);
            }
            items.iter_mut().for_each(|item| hide(item, layers));
        }
        Value::Object(members) => *value = Value::Object(hide_members(std::mem::take(members), layers)),
        _ => {}
    }
}

fn hide_members(members: Map<String, Value>, layers: u8) -> Map<String, Value> {
    // A method such as `change_password` is given its secrets in a row.
    let method = members.get("method").and_then(Value::as_str).is_some_and(names_a_secret);
    let mask = |(name, mut value): (String, Value)| {
        if names_a_secret(&name) || (method && matches!(name.as_str(), "args" | "kwargs")) {
            blot(&mut value);
        } else {
            hide(&mut value, layers);
        }
        (hidden(&name, layers), value)
    };
    members.into_iter().map(mask).collect()
}

/// Everything but the fact that there is something.
fn blot(value: &mut Value) {
    if !value.is_null() {
        *value = Value::String(MASK.to_owned());
    }
}

fn hidden(text: &str, layers: u8) -> String {
    if text.trim_start().starts_with(['{', '[', '"'])
        && let Ok(mut inner) = serde_json::from_str::<Value>(text)
    {
        let Some(layers) = layers.checked_sub(1) else { return MASK.to_owned() };
        hide(&mut inner, layers);
        return inner.to_string();
    }
    shapes::hide(text)
}

#[cfg(test)]
mod tests;
