//! Size limits of arguments. Names, operators, words and lists that are looked up, compared or matched later are
//! bounded on entry, so that a small request cannot cause much work.

use serde_json::{Map, Value};

use super::schema::{Arg, ArgKind};
use crate::odoo::contract::MAX_LIMIT;
use crate::vocab::quoted;

/// No name in Odoo is longer: of a model, field, operator, method or key.
pub(in crate::tools) const MAX_NAME_CHARS: usize = 200;
/// As the addon bounds a query and an order.
const MAX_TEXT_CHARS: usize = 1000;
/// As the addon bounds a list of fields.
const MAX_LISTED_NAMES: usize = 500;
/// As the addon bounds a domain, the domains inside of it included.
const MAX_DOMAIN_ITEMS: usize = 1000;
const MAX_DOMAIN_DEPTH: usize = 10;
/// No tool has as many arguments, and no model as many fields.
const MAX_ARGUMENTS: usize = 50;
const MAX_MEMBERS: usize = 1000;
/// `{"ids", "values"}` repeats its values for each id; in bytes of them.
pub(in crate::tools) const MAX_SPREAD_BYTES: usize = 1 << 20;

/// Checks how many arguments there are and how long their names, before any is read.
pub(in crate::tools) fn check_all(given: &Map<String, Value>) -> Result<(), String> {
    if given.len() > MAX_ARGUMENTS {
        return Err(format!(
            "The call has {} arguments, and no tool takes more than {MAX_ARGUMENTS}.",
            given.len()
        ));
    }
    given
        .keys()
        .try_for_each(|name| check_name_length("The name of an argument", name))
        .map_err(|why| format!("{why}."))
}

/// Checks one coerced argument. An error reads as the end of a sentence, as in `coerce`.
pub(in crate::tools) fn check_one(arg: &Arg, value: &Value) -> Result<(), String> {
    match (arg.kind, value) {
        (ArgKind::Name, Value::String(name)) => check_text_length(name, MAX_NAME_CHARS),
        (ArgKind::Text | ArgKind::Order, Value::String(text)) => check_text_length(text, MAX_TEXT_CHARS),
        (ArgKind::Names | ArgKind::Aggregates | ArgKind::Path, Value::Array(names)) => {
            check_count(names.len(), MAX_LISTED_NAMES, "names")?;
            names
                .iter()
                .filter_map(Value::as_str)
                .try_for_each(|name| check_name_length("takes names, and one", name))
        }
        (ArgKind::Id | ArgKind::Ids, Value::Array(ids)) => check_count(ids.len(), MAX_LIMIT as usize, "ids"),
        (ArgKind::Objects | ArgKind::Updates, Value::Array(items)) => {
            check_record_count(items.len())?;
            items.iter().filter_map(Value::as_object).try_for_each(check_members)
        }
        (ArgKind::Object | ArgKind::Context, Value::Object(given)) => check_members(given),
        (ArgKind::Domain, domain) => {
            let mut left = MAX_DOMAIN_ITEMS;
            check_conditions(domain, MAX_DOMAIN_DEPTH + 1, &mut left)
        }
        _ => Ok(()),
    }
}

/// The records of a batch, counted before they are spread over their ids as well.
pub(in crate::tools) fn check_record_count(count: usize) -> Result<(), String> {
    if count <= MAX_LIMIT as usize {
        return Ok(());
    }
    Err(format!("takes at most {MAX_LIMIT} records a call, not {count}: send them in parts"))
}

/// Values that would be repeated for each of these ids.
pub(in crate::tools) fn check_spread(values: &Map<String, Value>, ids: usize) -> Result<(), String> {
    check_record_count(ids)?;
    let bytes = total_bytes(values.values(), MAX_SPREAD_BYTES);
    if ids <= 1 || bytes.saturating_mul(ids) <= MAX_SPREAD_BYTES {
        return Ok(());
    }
    Err(format!(
        "gives the same long values to {ids} ids: update_record writes the same values to many records"
    ))
}

/// About how many bytes values take, as far as `most`.
pub(in crate::tools) fn total_bytes<'a>(values: impl Iterator<Item = &'a Value>, most: usize) -> usize {
    let mut sum: usize = 0;
    for value in values {
        sum = sum.saturating_add(value_bytes(value, most.saturating_sub(sum)));
        if sum > most {
            break;
        }
    }
    sum
}

fn value_bytes(value: &Value, most: usize) -> usize {
    match value {
        Value::String(text) => 16 + text.len(),
        Value::Array(items) => 16 + total_bytes(items.iter(), most),
        Value::Object(members) => {
            let names = members.keys().map(String::len).sum::<usize>();
            16 + names + total_bytes(members.values(), most)
        }
        _ => 16,
    }
}

fn check_members(given: &Map<String, Value>) -> Result<(), String> {
    check_count(given.len(), MAX_MEMBERS, "members in an object")?;
    given.keys().try_for_each(|name| check_name_length("holds a key that", name))
}

fn check_conditions(domain: &Value, depth: usize, left: &mut usize) -> Result<(), String> {
    let Value::Array(items) = domain else { return Ok(()) };
    if depth == 0 {
        return Err(format!("is nested deeper than {MAX_DOMAIN_DEPTH} domains"));
    }
    let Some(less) = left.checked_sub(items.len()) else {
        return Err(format!(
            "takes at most {MAX_DOMAIN_ITEMS} conditions and signs, those inside of it included"
        ));
    };
    *left = less;
    for item in items {
        let [field, operator, value] = item.as_array().map(Vec::as_slice).unwrap_or_default() else {
            continue;
        };
        for name in [field, operator].into_iter().filter_map(Value::as_str) {
            check_name_length("holds a name that", name)?;
        }
        if matches!(operator.as_str(), Some("any" | "not any")) {
            check_conditions(value, depth - 1, left)?;
        }
    }
    Ok(())
}

fn check_name_length(what: &str, name: &str) -> Result<(), String> {
    if !is_longer(name, MAX_NAME_CHARS) {
        return Ok(());
    }
    Err(format!("{what} has more than {MAX_NAME_CHARS} characters: {}", quoted(name)))
}

fn check_text_length(text: &str, most: usize) -> Result<(), String> {
    if !is_longer(text, most) {
        return Ok(());
    }
    Err(format!("takes at most {most} characters, and more begin with {}", quoted(text)))
}

fn is_longer(text: &str, most: usize) -> bool {
    text.len() > most && text.chars().nth(most).is_some()
}

fn check_count(given: usize, most: usize, what: &str) -> Result<(), String> {
    if given <= most { Ok(()) } else { Err(format!("takes at most {most} {what}, not {given}")) }
}
