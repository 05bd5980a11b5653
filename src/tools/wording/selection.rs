//! Suggestions for selection values: a label, another case or a near miss instead of the value.

use serde_json::Value;

use super::suggest::{question, suggest};
use crate::odoo::contract::FieldDocument;
use crate::vocab::{quoted, quoted_json};

/// At most this many values are listed: time zones have hundreds.
const MAX_LISTED_VALUES: usize = 20;

/// At most this many comparisons are checked; only the first wrong one is reported.
const MAX_COMPARED_TEXTS: usize = 200;

/// Whether a domain compares fields of the model itself with texts, as selections are.
pub(in crate::tools) fn may_be_compared(domain: &Value) -> bool {
    comparisons(domain).next().is_some()
}

/// Hint for a comparison with a value that the selection does not have: Odoo accepts any text and finds nothing.
pub(in crate::tools) fn wrong_value(domain: &Value, fields: &[FieldDocument]) -> Option<String> {
    let selection = |name: &str| {
        fields
            .iter()
            .find(|field| field.name == name && field.kind == "selection" && !field.selection.is_empty())
    };
    let asked = comparisons(domain)
        .take(MAX_COMPARED_TEXTS)
        .filter_map(|(name, text)| Some((selection(name)?, text)));
    let (field, text) =
        asked.into_iter().find(|(field, text)| !values(field).any(|(value, _)| value == *text))?;
    let meant = match suggested_values(field, text).as_slice() {
        [] => format!("it takes {}.", options(field, None)),
        meant => question(&meant.join(" or ")),
    };
    Some(format!("`{}` has no value {}; {meant}", field.name, quoted(text)))
}

/// The values that a selection takes, for sentences; of many, those most like the one that was given.
pub(in crate::tools) fn options(field: &FieldDocument, given: Option<&str>) -> String {
    let many = field.selection.len() > MAX_LISTED_VALUES;
    let near = given.filter(|_| many).map(|given| suggest(given, values(field))).unwrap_or_default();
    let is_near = |value: &Value| value.as_str().is_some_and(|value| near.contains(&value));
    let shown =
        field.selection.iter().filter(|(value, _)| near.is_empty() || is_near(value)).take(MAX_LISTED_VALUES);
    let shown: Vec<String> =
        shown.map(|(value, label)| format!("{} ({})", quoted_json(value), quoted(label))).collect();
    format!("one of {}{}", shown.join(", "), if many { ", and more: see describe_model" } else { "" })
}

fn suggested_values(field: &FieldDocument, text: &str) -> Vec<String> {
    let label = |value: &str| values(field).find(|(known, _)| *known == value).map_or("", |(_, label)| label);
    suggest(text, values(field))
        .into_iter()
        .map(|value| format!("{} ({})", quoted(value), quoted(label(value))))
        .collect()
}

/// Values as texts, with their labels.
fn values(field: &FieldDocument) -> impl Iterator<Item = (&str, &str)> {
    field.selection.iter().filter_map(|(value, label)| Some((value.as_str()?, label.as_str())))
}

/// Fields and the texts that they are compared with as a whole. Paths lead to other models, as `any` does.
fn comparisons(domain: &Value) -> impl Iterator<Item = (&str, &str)> {
    let conditions = domain.as_array().into_iter().flatten().filter_map(Value::as_array);
    conditions.map(Vec::as_slice).flat_map(|condition| {
        let (name, value) = match condition {
            [Value::String(name), Value::String(operator), value]
                if matches!(operator.as_str(), "=" | "!=" | "in" | "not in") =>
            {
                (name.as_str(), value)
            }
            _ => ("", &Value::Null),
        };
        let texts = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        // An empty text stands for no value.
        let texts = texts.iter().filter_map(Value::as_str).filter(|text| !text.is_empty());
        texts.map(move |text| (name, text))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields() -> Vec<FieldDocument> {
        serde_json::from_value(json!([
            {"name": "name", "type": "char", "label": "Name"},
            {"name": "state", "type": "selection", "label": "Status",
             "selection": [["draft", "Quotation"], ["sent", "Quotation Sent"], ["sale", "Sales Order"],
                           ["cancel", "Cancelled"]]},
            {"name": "ref", "type": "reference", "label": "Ref", "selection": [["sale.order", "Sales Order"]]},
            {"name": "bare", "type": "selection", "label": "Bare"},
        ]))
        .unwrap()
    }

    #[test]
    fn a_label_or_a_near_miss_is_answered_with_its_value() {
        for (condition, expected) in [
            (json!(["state", "=", "Sales Order"]), "did you mean \"sale\" (\"Sales Order\")?"),
            (json!(["state", "=", "sales order"]), "did you mean \"sale\" (\"Sales Order\")?"),
            (json!(["state", "=", "SALE"]), "did you mean \"sale\" (\"Sales Order\")?"),
            (json!(["state", "!=", "canceled"]), "did you mean \"cancel\" (\"Cancelled\")?"),
            (json!(["state", "in", ["draft", "Quotation"]]), "did you mean \"draft\" (\"Quotation\")"),
            (
                json!(["state", "not in", ["done!", "sale"]]),
                "it takes one of \"draft\" (\"Quotation\"), \"sent\"",
            ),
            (json!(["state", "=", "confirmed"]), "\"cancel\" (\"Cancelled\")."),
        ] {
            let domain = json!(["|", ["name", "=", "x"], condition]);
            assert!(may_be_compared(&domain));
            let hint = wrong_value(&domain, &fields()).unwrap();
            assert!(hint.starts_with("`state` has no value \"") && hint.contains(expected), "{hint}");
        }
    }

    #[test]
    fn what_may_well_be_right_is_left_alone() {
        for domain in [
            json!([]),
            json!([["state", "=", "sale"]]),
            json!([["state", "in", ["sale", "draft"]]]),
            json!([["state", "=", false], ["state", "=", ""]]),
            json!([["state", "ilike", "Sales"]]),
            json!([["order_id.state", "=", "Sales Order"]]),
            json!([["line_ids", "any", [["state", "=", "Sales Order"]]]]),
            json!([["name", "=", "Sales Order"], ["ref", "=", "sale.order,1"], ["bare", "=", "x"]]),
            json!([[1, "=", 1], "&", ["unknown", "=", "x"]]),
        ] {
            assert_eq!(wrong_value(&domain, &fields()), None, "{domain}");
        }
        assert!(!may_be_compared(&json!(["|", ["id", "=", 1], ["state", "ilike", "x"]])));
    }

    #[test]
    fn of_many_values_the_nearest_are_listed() {
        let zones = ["Africa/Abidjan", "Europe/Brussels", "Europe/Paris"].into_iter().map(str::to_owned);
        let zones: Vec<String> = zones.chain((0..30).map(|zone| format!("Zone {zone}"))).collect();
        let selection: Vec<_> = zones.iter().map(|zone| (zone, zone)).collect();
        let field = json!({"name": "tz", "type": "selection", "label": "Timezone", "selection": selection});
        let field: FieldDocument = serde_json::from_value(field).unwrap();
        let listed = options(&field, Some("Europe/Brusels"));
        assert!(listed.starts_with("one of \"Europe/Brussels\" (\"Europe/Brussels\"), "), "{listed}");
        assert!(!listed.contains("Africa") && listed.ends_with(", and more: see describe_model"), "{listed}");
        for given in [None, Some("???")] {
            assert!(options(&field, given).starts_with("one of \"Africa/Abidjan\" (\"Africa/Abidjan\"), "));
        }
    }
}
