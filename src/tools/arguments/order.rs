//! Normalization of sort orders: `{"date": "desc"}`, lists of fields and directions, words of SQL.

use serde_json::{Map, Value};

use super::literal;

/// An order as text: `{"date": "desc"}`, `[["date", "desc"], "id"]` and lists of these say the same.
pub(in crate::tools) fn read(value: Value, text: impl Fn(Value) -> Value) -> Value {
    let value = match value {
        Value::String(text) if text.trim_start().starts_with(['[', '(', '{']) => {
            literal::parse(&text).unwrap_or(Value::String(text))
        }
        other => other,
    };
    match terms(&value) {
        Some(terms) if !terms.is_empty() => Value::String(terms.join(", ")),
        _ => match text(value) {
            Value::String(text) if !text.is_empty() => Value::String(in_words(&text)),
            other => other,
        },
    }
}

/// Names that others give to the two parts of a term.
const FIELD_KEYS: [&str; 6] = ["field", "column", "by", "key", "property", "name"];
const DIRECTION_KEYS: [&str; 5] = ["direction", "dir", "order", "sort", "type"];

fn terms(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Object(members) => match object(members) {
            Some(term) => Some(vec![term]),
            None => members.iter().map(|(name, way)| term(name, way)).collect(),
        },
        Value::Array(items) => match items.as_slice() {
            [Value::String(name), way @ Value::String(_)] if term(name, way).is_some() => {
                Some(vec![term(name, way)?])
            }
            _ => Some(items.iter().map(item).collect::<Option<Vec<_>>>()?.concat()),
        },
        _ => None,
    }
}

fn item(item: &Value) -> Option<Vec<String>> {
    match item {
        Value::String(name) => Some(vec![name.trim().to_owned()]),
        other => terms(other),
    }
}

/// `{"field": "date", "direction": "desc"}`: an object with other members is none.
fn object(members: &Map<String, Value>) -> Option<String> {
    let of = |keys: &[&str]| members.iter().find(|(key, _)| keys.contains(&key.as_str()));
    let way = of(&DIRECTION_KEYS);
    // A field can be called name, and is then ordered by.
    let keys = if way.is_some() { &FIELD_KEYS[..] } else { &FIELD_KEYS[..5] };
    let (_, field) = of(keys)?;
    let field = field.as_str().filter(|field| direction(field).is_none())?.trim();
    match (way, members.len()) {
        (Some((_, way)), 2) => term(field, way),
        (None, 1) => Some(field.to_owned()),
        _ => None,
    }
}

fn term(name: &str, way: &Value) -> Option<String> {
    Some(format!("{} {}", name.trim(), direction(way.as_str()?)?))
}

/// The direction as Odoo has it.
fn direction(text: &str) -> Option<&str> {
    let text = text.trim();
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    match text {
        _ if is("asc") || is("desc") => Some(text),
        _ if is("ascending") => Some("asc"),
        _ if is("descending") => Some("desc"),
        _ => None,
    }
}

/// `order by date descending` in Odoo's words.
fn in_words(text: &str) -> String {
    let text = text.trim();
    let bare = text
        .get(..9)
        .filter(|head| head.eq_ignore_ascii_case("order by "))
        .and(text.get(9..))
        .unwrap_or(text);
    let words = |term: &str| {
        let words = term.split_whitespace().map(|word| match direction(word) {
            Some(way) if way.len() < word.len() => way,
            _ => word,
        });
        words.collect::<Vec<_>>().join(" ")
    };
    bare.split(',').map(words).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Value {
        super::read(value, |value| match value {
            Value::String(text) => Value::String(text.trim().to_owned()),
            other => other,
        })
    }

    #[test]
    fn an_order_comes_in_many_forms() {
        for value in [
            json!("name desc, id"),
            json!(["name desc", "id"]),
            json!([["name", "desc"], "id"]),
            json!([{"name": "desc"}, "id"]),
            json!("[('name', 'desc'), 'id']"),
        ] {
            assert_eq!(read(value), json!("name desc, id"));
        }
        assert_eq!(read(json!({"name": "desc"})), json!("name desc"));
        for value in [
            json!([{"field": "date", "direction": "desc"}]),
            json!({"name": "date", "order": "descending"}),
            json!("order by date descending"),
            json!({"date": "descending"}),
        ] {
            assert_eq!(read(value), json!("date desc"));
        }
        assert_eq!(read(json!([{"field": "date"}, "-name"])), json!("date, -name"));
        assert_eq!(read(json!("-name")), json!("-name"));
        assert_eq!(read(json!("name desc nulls last")), json!("name desc nulls last"));
        let more = json!({"field": "date", "direction": "desc", "limit": 5});
        assert_eq!(read(more.clone()), more);
        assert_eq!(read(json!(["name", "DESC"])), json!("name DESC"));
        // Odoo has the last word on what stays as it is; an object that says something else is refused.
        assert_eq!(read(json!("name:desc")), json!("name:desc"));
        assert_eq!(read(json!({"name": -1})), json!({"name": -1}));
    }
}
