//! Coercion of near misses: a list sent as text, an id sent as text, a well-known synonym.
//!
//! Runs before validation: a value that cannot be read with certainty stays as it is, for the schema to refuse.

use serde_json::{Map, Value, json};

use super::lenient::{self, is_blank, is_nothing};
use super::schema::{Arg, ArgKind, CONTEXT_KEYS};
use super::{aggregate, bounds, domain, literal, order};
use crate::vocab::{quoted, quoted_json};

/// Names that other servers and Odoo's own methods use for the same thing.
const SYNONYMS: [(&str, &str); 21] = [
    ("id", "ids"),
    ("record_id", "ids"),
    ("record_ids", "ids"),
    ("res_ids", "ids"),
    ("ids", "id"),
    ("record_id", "id"),
    ("res_id", "id"),
    ("model_name", "model"),
    ("res_model", "model"),
    ("order_by", "order"),
    ("orderby", "order"),
    ("sort", "order"),
    ("filters", "domain"),
    ("filter", "domain"),
    ("group_by", "groupby"),
    ("vals", "values"),
    ("data", "values"),
    ("vals_list", "records"),
    ("values", "records"),
    ("search", "query"),
    ("name", "query"),
];

/// Brings arguments into the form of the schema where their meaning is certain. An error is a whole sentence.
pub(in crate::tools) fn coerce(
    args: &[Arg],
    mut given: Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    bounds::check_all(&given)?;
    rename_synonyms(args, &mut given);
    let mut read = Map::with_capacity(given.len());
    for (name, value) in given {
        let Some(arg) = args.iter().find(|arg| arg.name == name) else {
            read.insert(name, value);
            continue;
        };
        let value =
            coerce_to(arg.kind, value).and_then(|value| bounds::check_one(arg, &value).map(|()| value));
        let value = value.map_err(|why| format!("`{name}` {why}."))?;
        // An empty optional argument counts as absent.
        if !is_nothing(arg, &value) {
            read.insert(name, value);
        }
    }
    Ok(read)
}

fn rename_synonyms(args: &[Arg], given: &mut Map<String, Value>) {
    let known = |name: &str| args.iter().any(|arg| arg.name == name);
    for (other, name) in SYNONYMS {
        if known(name)
            && !known(other)
            && !given.contains_key(name)
            && let Some(value) = given.shift_remove(other)
        {
            given.insert(name.to_owned(), value);
        }
    }
}

fn coerce_to(kind: ArgKind, value: Value) -> Result<Value, String> {
    let value = lenient::plain(kind, value);
    Ok(match kind {
        ArgKind::Text | ArgKind::Name => text(value),
        ArgKind::Order => order::read(value, text),
        ArgKind::Number | ArgKind::Offset => integer(value),
        ArgKind::Flag => flag(value),
        ArgKind::Id => one_id(value),
        ArgKind::Ids => ids(value),
        ArgKind::Names => names(value, &[',']),
        ArgKind::Aggregates => aggregate::listed(names(aggregates(value), &[','])),
        ArgKind::Path => names(value, &[',', '.']),
        ArgKind::Domain => domain::normalize(lenient::conditions(from_text(value)?))?,
        ArgKind::Object => from_text(value)?,
        ArgKind::Objects => list_of_objects(from_text(value)?),
        ArgKind::Updates => updates(list_of_objects(from_text(value)?))?,
        ArgKind::List => from_text(value)?,
        ArgKind::Context => context(from_text(value)?)?,
    })
}

/// A list or object sent as text.
fn from_text(value: Value) -> Result<Value, String> {
    match value {
        Value::String(text) => lenient::read(&text),
        other => Ok(other),
    }
}

fn text(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.trim().to_owned()),
        Value::Number(number) => Value::String(number.to_string()),
        // A text in several parts.
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
            Value::String(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
        }
        other => other,
    }
}

fn integer(value: Value) -> Value {
    let number = match &value {
        Value::String(text) => text.trim().parse::<i64>().ok(),
        // To JSON, 20 and 20.0 are the same number, and some clients send the latter.
        Value::Number(number) => {
            number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 9e15).map(|f| f as i64)
        }
        _ => None,
    };
    number.map_or(value, |number| json!(number))
}

fn flag(value: Value) -> Value {
    match value.as_str().map(str::to_lowercase).as_deref() {
        Some("true" | "1" | "yes") => json!(true),
        Some("false" | "0" | "no") => json!(false),
        Some(_) => value,
        None => match value.as_i64() {
            Some(1) => json!(true),
            Some(0) => json!(false),
            _ => value,
        },
    }
}

/// An id as a number, as text, or as an answer gave it: `{"id", "name"}`.
fn id(value: Value) -> Value {
    match value {
        Value::Object(mut pair) if pair.contains_key("id") => integer(pair.remove("id").unwrap_or_default()),
        other => integer(other),
    }
}

fn one_id(value: Value) -> Value {
    match ids(value) {
        Value::Array(mut items) if items.len() == 1 => items.pop().unwrap_or_default(),
        other => other,
    }
}

fn ids(value: Value) -> Value {
    let items = match value {
        Value::Array(items) => items,
        Value::Null => return Value::Null,
        Value::String(text) => match literal::parse(&text) {
            Ok(Value::Array(items)) => items,
            Ok(pair @ Value::Object(_)) => vec![pair],
            _ => text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| json!(part))
                .collect(),
        },
        other => vec![other],
    };
    let mut seen = std::collections::HashSet::new();
    let items = items.into_iter().map(id).filter(|item| item.as_i64().is_none_or(|id| seen.insert(id)));
    Value::Array(items.collect())
}

/// An object sent as text.
fn aggregates(value: Value) -> Value {
    match value {
        Value::String(text) if text.trim_start().starts_with('{') => {
            literal::parse(&text).unwrap_or(Value::String(text))
        }
        other => other,
    }
}

fn names(value: Value, separators: &[char]) -> Value {
    let value = lenient::names(value);
    let split = |text: &str| -> Vec<Value> {
        text.split(separators)
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| json!(part))
            .collect()
    };
    match value {
        Value::String(text) if text.trim_start().starts_with(['[', '(']) => match literal::parse(&text) {
            Ok(items @ Value::Array(_)) => names(items, separators),
            _ => Value::String(text),
        },
        Value::String(text) => Value::Array(split(&text)),
        // In a list only the path is split further: ["a.b", "c"].
        Value::Array(items) if separators.contains(&'.') => Value::Array(
            items
                .into_iter()
                .flat_map(|item| item.as_str().map(split).unwrap_or_else(|| vec![item]))
                .collect(),
        ),
        other => other,
    }
}

fn list_of_objects(value: Value) -> Value {
    match value {
        single @ Value::Object(_) => Value::Array(vec![single]),
        other => lenient::objects(other),
    }
}

/// `{"ids": [1, 2], "values"}` is two updates.
fn updates(value: Value) -> Result<Value, String> {
    let Value::Array(items) = value else { return Ok(value) };
    bounds::check_record_count(items.len())?;
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        expand_update(item, &mut all)?;
        bounds::check_record_count(all.len())?;
    }
    Ok(Value::Array(all))
}

/// Expands one update into one for each of its ids. Its values are repeated, so how often is bounded first.
fn expand_update(mut item: Value, all: &mut Vec<Value>) -> Result<(), String> {
    // With both, one of them would be left out in silence: `group` refuses the key that stays.
    let both = item.get("ids").is_some() && item.get("id").is_some();
    if let Some(values) = item.get_mut("values").filter(|values| values.is_string()) {
        *values = from_text(values.take())?;
    }
    if let Some(update) = item.as_object_mut().filter(|_| !both) {
        let given = update.shift_remove("ids").or_else(|| update.shift_remove("id"));
        if let Some(Value::Array(given)) = given.map(ids)
            && !given.is_empty()
        {
            bounds::check_spread(update, given.len())?;
            all.extend(given.into_iter().map(|id| {
                let mut one = update.clone();
                one.insert("id".into(), id);
                Value::Object(one)
            }));
            return Ok(());
        }
    }
    all.push(item);
    Ok(())
}

/// The keys of a context have types of their own, checked here since the schema leaves them open.
fn context(value: Value) -> Result<Value, String> {
    let Value::Object(given) = value else { return Ok(value) };
    let mut read = Map::new();
    for (key, value) in given.into_iter().filter(|(_, value)| !is_blank(value)) {
        let (value, fits, takes) = match key.as_str() {
            "allowed_company_ids" => {
                let value = ids(value);
                let fits =
                    value.as_array().is_some_and(|ids| !ids.is_empty() && ids.iter().all(Value::is_i64));
                (value, fits, "a list of company ids")
            }
            "active_test" => {
                let value = flag(value);
                let fits = value.is_boolean();
                (value, fits, "true or false")
            }
            "lang" | "tz" | "handle" => {
                let fits = value.is_string();
                (value, fits, "text")
            }
            _ => {
                return Err(format!(
                    "takes no key {}; its keys are {}",
                    quoted(&key),
                    CONTEXT_KEYS.join(", ")
                ));
            }
        };
        if !fits {
            return Err(format!("takes {takes} for `{key}`, not {}", quoted_json(&value)));
        }
        read.insert(key, value);
    }
    Ok(Value::Object(read))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::arguments::schema::{CONTEXT, MODEL};

    fn read(kind: ArgKind, value: Value) -> Value {
        coerce_to(kind, value).unwrap()
    }

    #[test]
    fn ids_come_in_many_forms() {
        for value in [json!([5, 6]), json!("5,6"), json!("[5, 6]"), json!(["5", 6.0, 5]), json!("(5, 6)")] {
            assert_eq!(read(ArgKind::Ids, value), json!([5, 6]));
        }
        assert_eq!(read(ArgKind::Ids, json!(5)), json!([5]));
        assert_eq!(read(ArgKind::Ids, json!({"id": 5, "name": "x"})), json!([5]));
        assert_eq!(read(ArgKind::Ids, json!("abc")), json!(["abc"]));
        assert_eq!(read(ArgKind::Id, json!(["7"])), json!(7));
        assert_eq!(read(ArgKind::Id, json!([7, 8])), json!([7, 8]));
    }

    #[test]
    fn names_come_in_many_forms() {
        for value in [json!(["a", "b.c"]), json!("a, b.c"), json!("['a', 'b.c']")] {
            assert_eq!(read(ArgKind::Names, value), json!(["a", "b.c"]));
        }
        assert_eq!(read(ArgKind::Path, json!("a.b.c")), json!(["a", "b", "c"]));
        assert_eq!(read(ArgKind::Path, json!(["a.b", "c"])), json!(["a", "b", "c"]));
        assert_eq!(read(ArgKind::Names, json!({"a": 1})), json!({"a": 1}));
    }

    #[test]
    fn scalars_come_in_many_forms() {
        assert_eq!(read(ArgKind::Number, json!("20")), json!(20));
        assert_eq!(read(ArgKind::Number, json!(20.0)), json!(20));
        assert_eq!(read(ArgKind::Number, json!(2.5)), json!(2.5));
        assert_eq!(read(ArgKind::Flag, json!("True")), json!(true));
        assert_eq!(read(ArgKind::Flag, json!(0)), json!(false));
        assert_eq!(read(ArgKind::Flag, json!("maybe")), json!("maybe"));
        assert_eq!(read(ArgKind::Text, json!(42)), json!("42"));
        assert_eq!(read(ArgKind::Text, json!(["name desc", "id"])), json!("name desc, id"));
    }

    #[test]
    fn values_of_records_are_never_touched() {
        let values = json!({"name": "True", "code": "[1, 2]", "note": null, "ref": " 5 "});
        assert_eq!(read(ArgKind::Object, values.clone()), values);
        assert_eq!(read(ArgKind::Object, json!(values.to_string())), values);
        assert_eq!(read(ArgKind::Objects, values.clone()), json!([values]));
        assert_eq!(read(ArgKind::Objects, json!("[{'name': None}]")), json!([{"name": null}]));
    }

    #[test]
    fn updates_of_several_records_are_spread() {
        assert_eq!(
            read(ArgKind::Updates, json!([{"ids": [1, "2"], "values": {"a": 1}}, {"id": "3", "values": {}}])),
            json!([{"values": {"a": 1}, "id": 1}, {"values": {"a": 1}, "id": 2}, {"values": {}, "id": 3}])
        );
    }

    #[test]
    fn an_update_with_both_keys_stays_as_it_is() {
        let both = json!([{"id": 46, "ids": [47], "values": {"a": 1}}]);
        assert_eq!(read(ArgKind::Updates, both.clone()), both);
    }

    #[test]
    fn synonyms_and_absent_values_are_read() {
        let args = [
            MODEL,
            Arg::optional("ids", ArgKind::Ids, ""),
            CONTEXT,
            Arg::optional("fields", ArgKind::Names, ""),
        ];
        let given = json!({"res_model": " res.partner ", "id": 5, "fields": "", "context": null});
        let read = coerce(&args, given.as_object().cloned().unwrap()).unwrap();
        assert_eq!(Value::Object(read), json!({"model": "res.partner", "ids": [5]}));
    }

    #[test]
    fn the_right_name_wins_over_a_synonym() {
        let args = [Arg::optional("ids", ArgKind::Ids, "")];
        let given = json!({"ids": 1, "id": 2});
        let read = coerce(&args, given.as_object().cloned().unwrap()).unwrap();
        assert_eq!(Value::Object(read), json!({"ids": [1], "id": 2}));
    }

    #[test]
    fn context_values_are_read() {
        let context =
            json!({"active_test": "false", "allowed_company_ids": "1,2", "lang": "fr_FR", "tz": null});
        assert_eq!(
            read(ArgKind::Context, context),
            json!({"active_test": false, "allowed_company_ids": [1, 2], "lang": "fr_FR"})
        );
        for (wrong, expected) in [
            (json!({"tracking_disable": true}), "takes no key \"tracking_disable\"; its keys are lang, tz"),
            (json!({"active_test": 3}), "takes true or false for `active_test`, not 3"),
            (json!({"allowed_company_ids": "x"}), "takes a list of company ids for `allowed_company_ids`"),
            (json!({"lang": 1}), "takes text for `lang`, not 1"),
        ] {
            let fault = coerce_to(ArgKind::Context, wrong).unwrap_err();
            assert!(fault.starts_with(expected), "{fault}");
        }
    }

    #[test]
    fn an_invalid_literal_is_reported_with_its_argument() {
        let args = [Arg::optional("domain", ArgKind::Domain, "")];
        let given = json!({"domain": "[('user_id','=',uid)]"});
        let fault = coerce(&args, given.as_object().cloned().unwrap()).unwrap_err();
        assert!(fault.starts_with("`domain` holds the name \"uid\""), "{fault}");
    }
}
