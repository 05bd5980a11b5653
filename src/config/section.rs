//! Deserializer of a section that reports every fault, not only the first.

use std::collections::HashMap;

use config::{Value, ValueKind};
use serde::de::DeserializeOwned;

use super::Faults;

/// Values by key, as the sources gave them.
pub(super) type Table = HashMap<String, Value>;

/// Takes a section out of the tree and reads it.
pub(super) fn take_section<T: DeserializeOwned + Default>(
    tree: &mut Table,
    name: &str,
    faults: &mut Faults,
) -> T {
    match tree.remove(name).map(|value| value.kind) {
        None => T::default(),
        Some(ValueKind::Table(table)) => read_section(table, name, faults),
        Some(_) => {
            faults.add(name, "is a section, not a value");
            T::default()
        }
    }
}

/// Reads a section key by key: serde reports only the first fault. Each key is tried alone, which is
/// possible because every key has a default; those that pass make the section.
pub(super) fn read_section<T: DeserializeOwned + Default>(
    table: Table,
    section: &str,
    faults: &mut Faults,
) -> T {
    let mut sound = Table::new();
    let mut keys: Vec<_> = table.into_iter().collect();
    keys.sort_by(|left, right| left.0.cmp(&right.0));
    for (key, value) in keys {
        let alone = Table::from([(key.clone(), value.clone())]);
        match build::<T>(alone) {
            Ok(_) => {
                sound.insert(key, value);
            }
            Err(error) => faults.add(key_path(section, &key), describe_error(&key, value.origin(), &error)),
        }
    }
    build(sound).unwrap_or_default()
}

fn build<T: DeserializeOwned>(table: Table) -> Result<T, config::ConfigError> {
    Value::new(None, ValueKind::Table(table)).try_deserialize()
}

fn key_path(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

fn describe_error(key: &str, origin: Option<&str>, error: &config::ConfigError) -> String {
    let error = plain_reason(error);
    // The parser's sentence quotes the value; a secret must not reach a terminal or a log.
    let what = if error.starts_with("unknown field") {
        "is not a known key".to_owned()
    } else if ["key", "secret", "password"].iter().any(|word| key.ends_with(word)) {
        "is not a text".to_owned()
    } else {
        error
    };
    origin.map_or_else(|| what.clone(), |origin| format!("{what} (from {origin})"))
}

fn plain_reason(error: &config::ConfigError) -> String {
    match error {
        config::ConfigError::At { error, .. } => plain_reason(error),
        config::ConfigError::Message(text) => text.clone(),
        config::ConfigError::Type { unexpected, expected, .. } => {
            format!("is {unexpected}, must be {expected}")
        }
        other => other.to_string(),
    }
}
