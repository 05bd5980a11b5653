//! Normalization of search domains: the outer form is corrected or refused here, Odoo validates the rest.

use serde_json::{Value, json};

use crate::vocab::quoted_json;

const PREFIX_OPERATORS: [&str; 3] = ["&", "|", "!"];

/// The operators that Odoo 19 knows, for refusals that teach.
pub(in crate::tools) const OPERATORS: &str = "=, !=, <, <=, >, >=, in, not in, like, ilike, not like, not ilike, =like, =ilike, \
                                    =?, child_of, parent_of, any, not any";

const NOTATION: &str = "write conditions as [field, operator, value] and put & | ! before what they join, \
                        as in [\"|\", [\"a\", \"=\", 1], [\"b\", \"=\", 2]]";

/// Normalizes a domain to a list of conditions, or says what is wrong with it.
pub(in crate::tools) fn normalize(domain: Value) -> Result<Value, String> {
    let mut items = match domain {
        Value::Null => return Ok(json!([])),
        Value::Array(items) => items,
        other => return Err(format!("takes a list of conditions, not {}; {NOTATION}", quoted_json(&other))),
    };
    if is_condition(&items) {
        items = vec![Value::Array(items)];
    }
    for item in &mut items {
        normalize_item(item)?;
    }
    Ok(Value::Array(items))
}

fn normalize_item(item: &mut Value) -> Result<(), String> {
    match item {
        Value::String(sign) if PREFIX_OPERATORS.contains(&sign.as_str()) => Ok(()),
        Value::Array(condition) => match condition.as_mut_slice() {
            [Value::String(_), Value::String(operator), value]
                if matches!(operator.as_str(), "any" | "not any") && value.is_array() =>
            {
                *value = normalize(value.take())?;
                Ok(())
            }
            [Value::String(_) | Value::Number(_), Value::String(_), _] => Ok(()),
            _ => Err(format!("holds {}, which is no condition; {NOTATION}", quoted_json(item))),
        },
        other => Err(format!("holds {}, which is no condition; {NOTATION}", quoted_json(other))),
    }
}

/// Models often send one condition where a list of conditions is meant.
fn is_condition(items: &[Value]) -> bool {
    match items {
        [Value::String(field), Value::String(operator), _] => {
            !PREFIX_OPERATORS.contains(&field.as_str()) && !PREFIX_OPERATORS.contains(&operator.as_str())
        }
        _ => false,
    }
}

/// The same domain with exact text comparisons made insensitive to case; `None` if it has none.
pub(in crate::tools) fn case_insensitive(domain: &Value) -> Option<Value> {
    let mut changed = false;
    let items = domain.as_array()?.iter().map(|item| match item.as_array().map(Vec::as_slice) {
        Some([field, Value::String(operator), Value::String(text)])
            if matches!(operator.as_str(), "=" | "like" | "=like")
                && text.chars().any(char::is_alphabetic) =>
        {
            changed = true;
            match operator.as_str() {
                "=like" => json!([field, "=ilike", text]),
                "like" => json!([field, "ilike", text]),
                _ => json!([field, "ilike", escape_pattern(text)]),
            }
        }
        _ => item.clone(),
    });
    let items: Vec<Value> = items.collect();
    changed.then_some(Value::Array(items))
}

/// The pattern that matches this text and nothing else: `%`, `_` and the backslash mean themselves.
pub(in crate::tools) fn escape_pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

/// Whether the domain has a condition on this field.
pub(in crate::tools) fn mentions(domain: &Value, field: &str) -> bool {
    let items = domain.as_array().into_iter().flatten();
    items.filter_map(Value::as_array).any(|condition| condition.first().is_some_and(|first| first == field))
}

/// Both domains must hold. Tidy domains join by standing one after the other.
pub(in crate::tools) fn and(first: &Value, second: Value) -> Value {
    let items = first.as_array().into_iter().flatten().cloned();
    match second {
        Value::Array(more) => Value::Array(items.chain(more).collect()),
        _ => first.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_domains_stay_as_they_are() {
        for domain in [
            json!([]),
            json!([["name", "=", "x"]]),
            json!(["|", ["a", "=", 1], "!", ["b", "in", [1, 2]]]),
            json!([[1, "=", 1]]),
            json!([["line_ids", "any", [["a", "=", 1]]]]),
            json!([["a", "=", ["&", "|"]]]),
        ] {
            assert_eq!(normalize(domain.clone()), Ok(domain));
        }
    }

    #[test]
    fn one_condition_becomes_a_list_also_inside_any() {
        assert_eq!(normalize(json!(["name", "=", "x"])), Ok(json!([["name", "=", "x"]])));
        assert_eq!(
            normalize(json!([["l", "any", ["a", "=", 1]]])),
            Ok(json!([["l", "any", [["a", "=", 1]]]]))
        );
        assert_eq!(normalize(Value::Null), Ok(json!([])));
    }

    #[test]
    fn an_invalid_domain_is_explained() {
        for (domain, expected) in [
            (json!({"name": "x"}), "takes a list of conditions, not {\"name\":\"x\"}"),
            (json!([["name", "x"]]), "holds [\"name\",\"x\"]"),
            (json!([["a", "=", 1], "or", ["b", "=", 2]]), "holds \"or\""),
            (json!([[["a", "=", 1]]]), "which is no condition"),
            (json!(["&", "|", "!x"]), "holds \"!x\""),
        ] {
            let fault = normalize(domain).unwrap_err();
            assert!(fault.contains(expected) && fault.contains("[field, operator, value]"), "{fault}");
        }
    }

    #[test]
    fn a_text_is_no_pattern() {
        assert_eq!(escape_pattern("50%"), r"50\%");
        assert_eq!(escape_pattern(r"a_b\c"), r"a\_b\\c");
        assert_eq!(escape_pattern("Azure é"), "Azure é");
    }

    #[test]
    fn conditions_name_their_fields() {
        let domain = json!(["|", ["active", "=", false], ["name", "=", "active"]]);
        assert!(mentions(&domain, "active") && mentions(&domain, "name"));
        assert!(!mentions(&domain, "state") && !mentions(&json!([["name", "=", "active"]]), "active"));
    }

    #[test]
    fn relaxing_changes_exact_text_only() {
        let domain =
            json!(["|", ["name", "=", "azure"], ["ref", "=like", "A%"], ["id", "=", 1], ["d", "=", "2026"]]);
        let wide = json!([
            "|",
            ["name", "ilike", "azure"],
            ["ref", "=ilike", "A%"],
            ["id", "=", 1],
            ["d", "=", "2026"]
        ]);
        assert_eq!(case_insensitive(&domain), Some(wide));
        assert_eq!(case_insensitive(&json!([["name", "ilike", "x"]])), None);
        assert_eq!(
            case_insensitive(&json!([["name", "=", "a_b"]])),
            Some(json!([["name", "ilike", r"a\_b"]]))
        );
        assert_eq!(
            case_insensitive(&json!([["name", "like", "a_b"]])),
            Some(json!([["name", "ilike", "a_b"]]))
        );
    }
}
