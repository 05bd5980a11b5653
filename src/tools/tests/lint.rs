//! Linter of `tools/list`: what some client cannot take. One bad schema can make a client drop all tools.

use serde_json::Value;

const MAX_DESCRIPTION_CHARS: usize = 1023;
const MAX_NAME_CHARS: usize = 40;
/// Keywords that some client refuses, or does not follow.
const FOREIGN: [&str; 17] = [
    "$ref",
    "$defs",
    "definitions",
    "anyOf",
    "oneOf",
    "allOf",
    "not",
    "if",
    "then",
    "else",
    "enum",
    "const",
    "default",
    "pattern",
    "format",
    "nullable",
    "patternProperties",
];

/// What is wrong with a tool as it is listed, each fault with its place.
pub(in crate::tools) fn faults(tool: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let name = tool["name"].as_str().unwrap_or_default();
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if name.is_empty() || name.len() > MAX_NAME_CHARS || !name.bytes().all(plain) {
        faults.push(format!("name {name:?}"));
    }
    if tool["title"].as_str().is_none_or(str::is_empty) {
        faults.push("title missing".to_owned());
    }
    described(tool, name, &mut faults);
    root(&tool["inputSchema"], &format!("{name}.inputSchema"), &mut faults);
    if let Some(output) = tool.get("outputSchema") {
        root(output, &format!("{name}.outputSchema"), &mut faults);
    }
    faults
}

/// The root of a schema: an object, even of a tool that takes nothing.
fn root(schema: &Value, at: &str, faults: &mut Vec<String>) {
    if schema["type"] != "object" {
        faults.push(format!("{at}: the root is no object"));
    }
    if !schema["properties"].is_object() {
        faults.push(format!("{at}: no properties"));
    }
    walk(schema, at, faults, true);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        described(property, &format!("{at}.{name}"), faults);
    }
}

fn described(holder: &Value, at: &str, faults: &mut Vec<String>) {
    let text = holder["description"].as_str().unwrap_or_default();
    if text.is_empty() {
        faults.push(format!("{at}: no description"));
    }
    if text.chars().count() > MAX_DESCRIPTION_CHARS {
        faults.push(format!("{at}: description too long"));
    }
}

fn walk(schema: &Value, at: &str, faults: &mut Vec<String>, is_root: bool) {
    let Some(members) = schema.as_object() else {
        faults.push(format!("{at}: no schema"));
        return;
    };
    for keyword in FOREIGN.iter().filter(|keyword| members.contains_key(**keyword)) {
        faults.push(format!("{at}: {keyword}"));
    }
    if schema["description"].as_str().is_some_and(|text| text.chars().count() > MAX_DESCRIPTION_CHARS) {
        faults.push(format!("{at}: description too long"));
    }
    match members.get("type").and_then(Value::as_str) {
        Some("object") => object(schema, at, faults, is_root),
        Some("array") => match schema["items"].as_object() {
            Some(items) if !items.is_empty() => walk(&schema["items"], &format!("{at}[]"), faults, false),
            _ => faults.push(format!("{at}: no items")),
        },
        Some("string" | "integer" | "number" | "boolean") => {
            if members.contains_key("items") || members.contains_key("properties") {
                faults.push(format!("{at}: members of another type"));
            }
        }
        _ => faults.push(format!("{at}: not one type")),
    }
}

fn object(schema: &Value, at: &str, faults: &mut Vec<String>, is_root: bool) {
    let none = serde_json::Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    if properties.is_empty() && !is_root {
        faults.push(format!("{at}: no properties"));
    }
    if schema["additionalProperties"].is_object() {
        faults.push(format!("{at}: a schema for additionalProperties"));
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if !required.as_str().is_some_and(|name| properties.contains_key(name)) {
            faults.push(format!("{at}: requires {required}, which is no property"));
        }
    }
    for (name, property) in properties {
        if name.is_empty() || name.len() > 64 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        {
            faults.push(format!("{at}: the property {name:?}"));
        }
        walk(property, &format!("{at}.{name}"), faults, false);
    }
}
