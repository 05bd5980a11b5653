//! Normalization of forms that clients send instead of JSON: text in a code fence, JSON as text inside of JSON, and
//! the many ways to say "not given". Anything that could be meant as a value is left alone.

use serde_json::{Map, Value};

use super::literal;
use super::schema::{Arg, ArgKind};
use crate::vocab::quoted;

const FENCE: &str = "```";
/// Languages that stand behind a fence on the same line as the text.
const LANGUAGES: [&str; 5] = ["jsonc", "json", "python", "py", "text"];

/// The arguments of a call, sent as text.
pub fn arguments_of(text: &str) -> Result<Map<String, Value>, String> {
    match read(text).map_err(|why| format!("`arguments` {why}."))? {
        Value::Object(arguments) => Ok(arguments),
        Value::Null => Ok(Map::new()),
        Value::Array(items) if items.is_empty() => Ok(Map::new()),
        _ => Err(format!(
            "`arguments` takes an object of names and values, as in {{\"model\": \"res.partner\"}}, not {}.",
            quoted(text)
        )),
    }
}

/// A list, an object or another value as text; null where the text is empty.
pub(in crate::tools) fn read(text: &str) -> Result<Value, String> {
    let text = unfenced(text);
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let value = literal::parse(text).map_err(|why| why.to_string())?;
    // Text that was made text twice.
    match value {
        Value::String(inner) if inner.trim_start().starts_with(['[', '{']) => {
            literal::parse(&inner).map_err(|why| why.to_string())
        }
        value => Ok(value),
    }
}

/// The text inside of a code fence, or the text itself.
pub(in crate::tools) fn unfenced(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}').trim();
    let Some(inner) = text.strip_prefix(FENCE).and_then(|rest| rest.strip_suffix(FENCE)) else { return text };
    let is_language =
        |word: &str| word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-'));
    if let Some((first, rest)) = inner.split_once('\n')
        && is_language(first.trim())
    {
        return rest.trim();
    }
    let behind = LANGUAGES.iter().find_map(|language| inner.strip_prefix(language));
    match behind {
        Some(rest) if rest.starts_with([' ', '[', '{', '(']) => rest.trim(),
        _ => inner.trim(),
    }
}

/// Whether an argument says nothing, so that it counts as not given. An empty list of records that a tool requires is
/// then missing, and never becomes "all".
pub(in crate::tools) fn is_nothing(arg: &Arg, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        // An empty domain is one; whether a method belongs to no records is for its tool to judge.
        Value::Array(items) => {
            items.is_empty() && (arg.required || !matches!(arg.kind, ArgKind::Domain | ArgKind::Ids))
        }
        Value::Object(members) => {
            members.is_empty() && !matches!(arg.kind, ArgKind::Object | ArgKind::Context)
        }
        _ => false,
    }
}

/// Null, an empty text and an empty list as the value of a key that may be left out.
pub(in crate::tools) fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Text in a fence without its fence, and the text "null" as null. Free text stays as it is.
pub(in crate::tools) fn plain(kind: ArgKind, value: Value) -> Value {
    match value {
        Value::String(text) if kind != ArgKind::Text => match unfenced(&text) {
            "null" | "None" if kind != ArgKind::Name => Value::Null,
            bare if bare.starts_with('"') && is_structure(bare) => {
                literal::parse(bare).unwrap_or(Value::String(text))
            }
            bare if bare.len() < text.trim().len() => Value::String(bare.to_owned()),
            _ => Value::String(text),
        },
        other => other,
    }
}

/// Whether a text in quotes is the text of a list or an object, made text twice.
fn is_structure(quoted: &str) -> bool {
    matches!(literal::parse(quoted), Ok(Value::String(inner)) if inner.trim_start().starts_with(['[', '{', '(']))
}

/// Parses the items of a list that were each sent as text.
pub(in crate::tools) fn objects(value: Value) -> Value {
    each(value, |item| match inner(&item) {
        Some(object @ Value::Object(_)) => object,
        _ => item,
    })
}

/// Parses lists of names sent as text inside of a list.
pub(in crate::tools) fn names(value: Value) -> Value {
    let Value::Array(items) = value else { return value };
    let flat = items.into_iter().flat_map(|item| match inner(&item) {
        Some(Value::Array(names)) => names,
        _ => vec![item],
    });
    Value::Array(flat.collect())
}

/// Parses conditions sent as text, and signs in a list of their own: the published schema has lists only.
pub(in crate::tools) fn conditions(value: Value) -> Value {
    each(value, |item| match inner(&item) {
        Some(condition @ Value::Array(_)) => condition,
        _ => match item {
            Value::Array(mut only) if only.len() == 1 && only.first().is_some_and(is_sign) => {
                only.pop().unwrap_or_default()
            }
            other => other,
        },
    })
}

fn is_sign(value: &Value) -> bool {
    matches!(value.as_str(), Some("&" | "|" | "!"))
}

fn each(value: Value, change: impl Fn(Value) -> Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(change).collect()),
        other => other,
    }
}

/// What a text holds that begins like a list or an object.
fn inner(item: &Value) -> Option<Value> {
    let text = unfenced(item.as_str()?);
    text.starts_with(['[', '{', '(']).then(|| literal::parse(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fence_is_taken_off() {
        for text in [
            "```json\n{\"a\": 1}\n```",
            "```\n{\"a\": 1}\n```",
            "```json {\"a\": 1}```",
            "```{\"a\": 1}```",
            "  ```JSON\r\n{\"a\": 1}\r\n```\n",
            "\u{feff}{\"a\": 1}",
            "{\"a\": 1}",
        ] {
            assert_eq!(unfenced(text), "{\"a\": 1}", "{text:?}");
        }
        assert_eq!(unfenced("```res.partner```"), "res.partner");
        // Half a fence is none.
        assert_eq!(unfenced("```json\n{}"), "```json\n{}");
    }

    #[test]
    fn arguments_come_as_text() {
        let object = json!({"model": "res.partner", "ids": [1]});
        for text in [
            object.to_string(),
            format!("```json\n{object}\n```"),
            json!(object.to_string()).to_string(),
            "{'model': 'res.partner', 'ids': (1,)}".to_owned(),
        ] {
            assert_eq!(Value::Object(arguments_of(&text).unwrap()), object, "{text}");
        }
        for nothing in ["", "  ", "null", "None", "{}", "[]", "```json\n{}\n```"] {
            assert_eq!(arguments_of(nothing), Ok(Map::new()), "{nothing:?}");
        }
        for (wrong, expected) in [
            ("5", "takes an object of names and values"),
            ("[1]", "takes an object of names and values"),
            ("{\"model\": res}", "holds the name \"res\""),
            ("{\"model\": \"a\"", "is no JSON"),
        ] {
            let sentence = arguments_of(wrong).unwrap_err();
            assert!(sentence.starts_with("`arguments` ") && sentence.contains(expected), "{sentence}");
        }
    }

    #[test]
    fn nothing_is_nothing_and_an_empty_list_of_records_never_all() {
        let may = |kind| Arg::optional("a", kind, "");
        let must = |kind| Arg::required("a", kind, "");
        for kind in [
            ArgKind::Number,
            ArgKind::Flag,
            ArgKind::Text,
            ArgKind::Order,
            ArgKind::Names,
            ArgKind::Object,
            ArgKind::List,
        ] {
            for nothing in [json!(null), json!(""), json!(" "), json!([])] {
                assert!(is_nothing(&may(kind), &nothing), "{kind:?} {nothing}");
            }
            for given in [json!(0), json!(false), json!("x"), json!([0]), json!({"a": null})] {
                assert!(!is_nothing(&may(kind), &given), "{kind:?} {given}");
            }
        }
        assert!(is_nothing(&must(ArgKind::Ids), &json!([])) && !is_nothing(&may(ArgKind::Ids), &json!([])));
        assert!(!is_nothing(&may(ArgKind::Domain), &json!([])));
        // Values that are all defaults are values.
        assert!(!is_nothing(&must(ArgKind::Object), &json!({})));
    }

    #[test]
    fn only_free_text_keeps_its_fence() {
        assert_eq!(plain(ArgKind::Name, json!("```res.partner```")), json!("res.partner"));
        assert_eq!(plain(ArgKind::Number, json!("```\n5\n```")), json!("5"));
        assert_eq!(plain(ArgKind::Number, json!("null")), json!(null));
        assert_eq!(plain(ArgKind::Text, json!("```a```")), json!("```a```"));
        assert_eq!(plain(ArgKind::Name, json!("null")), json!("null"));
        assert_eq!(plain(ArgKind::Name, json!(" x ")), json!(" x "));
        assert_eq!(plain(ArgKind::Names, json!("\"[\\\"a\\\"]\"")), json!("[\"a\"]"));
        assert_eq!(plain(ArgKind::Order, json!("\"name\"")), json!("\"name\""));
    }

    #[test]
    fn parts_come_as_text_too() {
        assert_eq!(objects(json!(["{\"a\": 1}", {"b": 2}, "c"])), json!([{"a": 1}, {"b": 2}, "c"]));
        assert_eq!(names(json!(["[\"a\", \"b\"]", "c"])), json!(["a", "b", "c"]));
        assert_eq!(
            conditions(json!(["|", "[\"a\", \"=\", 1]", ["b", "=", "[1]"], ["&"]])),
            json!(["|", ["a", "=", 1], ["b", "=", "[1]"], "&"])
        );
    }
}
