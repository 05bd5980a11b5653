//! How much an argument may hold. What is looked up, compared or matched later (names, operators, words, lists)
//! is bounded here, where it enters, so that a small request cannot ask for much work.

use serde_json::{Map, Value};

use super::args::{Arg, Kind};
use crate::odoo::gateway::MAX_LIMIT;
use crate::vocab::quoted;

/// No name in Odoo is longer: of a model, field, operator, method or key.
pub(super) const MAX_NAME_CHARS: usize = 200;
/// As the addon bounds a query and an order.
const MAX_TEXT_CHARS: usize = 1000;
/// As the addon bounds a list of fields.
const MAX_NAMES: usize = 500;
/// As the addon bounds a domain, the domains inside of it included.
const MAX_DOMAIN_ITEMS: usize = 1000;
const MAX_DOMAIN_DEPTH: usize = 10;
/// No tool has as many arguments, and no model as many fields.
const MAX_ARGUMENTS: usize = 50;
const MAX_MEMBERS: usize = 1000;
/// `{"ids", "values"}` repeats its values for each id; in bytes of them.
pub(super) const MAX_SPREAD_BYTES: usize = 1 << 20;

/// Before anything is read: how many arguments there are, and how long their names.
pub(super) fn of_all(given: &Map<String, Value>) -> Result<(), String> {
    if given.len() > MAX_ARGUMENTS {
        return Err(format!(
            "The call has {} arguments, and no tool takes more than {MAX_ARGUMENTS}.",
            given.len()
        ));
    }
    given
        .keys()
        .try_for_each(|name| short_name("The name of an argument", name))
        .map_err(|why| format!("{why}."))
}

/// One argument that has been read. An error reads as the end of a sentence, as in `coerce`.
pub(super) fn of_one(arg: &Arg, value: &Value) -> Result<(), String> {
    match (arg.kind, value) {
        (Kind::Name, Value::String(name)) => short(name, MAX_NAME_CHARS),
        (Kind::Text | Kind::Order, Value::String(text)) => short(text, MAX_TEXT_CHARS),
        (Kind::Names | Kind::Aggregates | Kind::Path, Value::Array(names)) => {
            few(names.len(), MAX_NAMES, "names")?;
            names
                .iter()
                .filter_map(Value::as_str)
                .try_for_each(|name| short_name("takes names, and one", name))
        }
        (Kind::Id | Kind::Ids, Value::Array(ids)) => few(ids.len(), MAX_LIMIT as usize, "ids"),
        (Kind::Objects | Kind::Updates, Value::Array(items)) => {
            records(items.len())?;
            items.iter().filter_map(Value::as_object).try_for_each(members)
        }
        (Kind::Object | Kind::Context, Value::Object(given)) => members(given),
        (Kind::Domain, domain) => {
            let mut left = MAX_DOMAIN_ITEMS;
            conditions(domain, MAX_DOMAIN_DEPTH + 1, &mut left)
        }
        _ => Ok(()),
    }
}

/// The records of a batch, counted before they are spread over their ids as well.
pub(super) fn records(count: usize) -> Result<(), String> {
    if count <= MAX_LIMIT as usize {
        return Ok(());
    }
    Err(format!("takes at most {MAX_LIMIT} records a call, not {count}: send them in parts"))
}

/// Values that would be repeated for each of these ids.
pub(super) fn spread(values: &Map<String, Value>, ids: usize) -> Result<(), String> {
    records(ids)?;
    let bytes = weight_of_all(values.values(), MAX_SPREAD_BYTES);
    if ids <= 1 || bytes.saturating_mul(ids) <= MAX_SPREAD_BYTES {
        return Ok(());
    }
    Err(format!(
        "gives the same long values to {ids} ids: update_record writes the same values to many records"
    ))
}

/// About how many bytes values take, as far as `most`.
pub(super) fn weight_of_all<'a>(values: impl Iterator<Item = &'a Value>, most: usize) -> usize {
    let mut sum: usize = 0;
    for value in values {
        sum = sum.saturating_add(weight(value, most.saturating_sub(sum)));
        if sum > most {
            break;
        }
    }
    sum
}

fn weight(value: &Value, most: usize) -> usize {
    match value {
        Value::String(text) => 16 + text.len(),
        Value::Array(items) => 16 + weight_of_all(items.iter(), most),
        Value::Object(members) => {
            let names = members.keys().map(String::len).sum::<usize>();
            16 + names + weight_of_all(members.values(), most)
        }
        _ => 16,
    }
}

fn members(given: &Map<String, Value>) -> Result<(), String> {
    few(given.len(), MAX_MEMBERS, "members in an object")?;
    given.keys().try_for_each(|name| short_name("holds a key that", name))
}

fn conditions(domain: &Value, depth: usize, left: &mut usize) -> Result<(), String> {
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
            short_name("holds a name that", name)?;
        }
        if matches!(operator.as_str(), Some("any" | "not any")) {
            conditions(value, depth - 1, left)?;
        }
    }
    Ok(())
}

fn short_name(what: &str, name: &str) -> Result<(), String> {
    if !is_longer(name, MAX_NAME_CHARS) {
        return Ok(());
    }
    Err(format!("{what} has more than {MAX_NAME_CHARS} characters: {}", quoted(name)))
}

fn short(text: &str, most: usize) -> Result<(), String> {
    if !is_longer(text, most) {
        return Ok(());
    }
    Err(format!("takes at most {most} characters, and more begin with {}", quoted(text)))
}

fn is_longer(text: &str, most: usize) -> bool {
    text.len() > most && text.chars().nth(most).is_some()
}

fn few(given: usize, most: usize, what: &str) -> Result<(), String> {
    if given <= most { Ok(()) } else { Err(format!("takes at most {most} {what}, not {given}")) }
}
