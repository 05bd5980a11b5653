//! Secrets that lie in a file of their own: `api_key_file` gives `api_key`.

use config::{Value, ValueKind};

use super::Faults;
use super::section::Table;

/// Replaces `<key>_file` of a section by `<key>` with the file's text, without the blanks around it.
pub(super) fn from_file(tree: &mut Table, section: &str, key: &str, faults: &mut Faults) {
    let Some(ValueKind::Table(table)) = tree.get_mut(section).map(|value| &mut value.kind) else { return };
    let Some(path) = table.remove(&format!("{key}_file")).and_then(|value| value.into_string().ok()) else {
        return;
    };
    let name = format!("{section}.{key}_file");
    if table.contains_key(key) {
        return faults.add(name, format_args!("is given besides {section}.{key}; give one of them"));
    }
    match std::fs::read_to_string(&path) {
        Ok(text) if text.trim().is_empty() => faults.add(name, format_args!("{path} is empty")),
        Ok(text) => {
            let value = Value::new(None, ValueKind::String(text.trim().to_owned()));
            table.insert(key.to_owned(), value);
        }
        Err(error) => faults.add(name, format_args!("{path} cannot be read: {error}")),
    }
}
