//! Truncates a JSON value: valid JSON as long as possible, by dropping the ends of long lists and texts.

use serde_json::Value;

use super::document::truncate_chars;

/// The bounds of lists and texts, tried in order.
const TRUNCATION_STEPS: [(usize, usize); 6] = [(50, 2000), (20, 500), (10, 200), (5, 100), (3, 60), (1, 30)];

/// `value` as JSON text of at most `max_chars` characters. If even the tightest bounds do not fit, the text
/// is cut and ends with an ellipsis.
pub(super) fn truncate_json(value: &Value, max_chars: usize) -> String {
    let whole = value.to_string();
    if is_within(&whole, max_chars) {
        return whole;
    }
    for (items, characters) in TRUNCATION_STEPS {
        let text = truncate_value(value, items, characters).to_string();
        if is_within(&text, max_chars) {
            return text;
        }
    }
    truncate_chars(&whole, max_chars)
}

fn is_within(text: &str, max_chars: usize) -> bool {
    text.len() <= max_chars || text.chars().nth(max_chars).is_none()
}

fn truncate_value(value: &Value, items: usize, characters: usize) -> Value {
    match value {
        Value::String(text) => Value::String(truncate_chars(text, characters)),
        Value::Array(list) => {
            let mut short: Vec<Value> =
                list.iter().take(items).map(|item| truncate_value(item, items, characters)).collect();
            let more = list.len().saturating_sub(items);
            if more > 0 {
                short.push(Value::String(format!("… {more} more")));
            }
            Value::Array(short)
        }
        Value::Object(members) => {
            let short = |(name, member): (&String, &Value)| {
                (truncate_chars(name, characters), truncate_value(member, items, characters))
            };
            Value::Object(members.iter().map(short).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn short_values_are_unchanged() {
        let value = json!({"a": [1, 2, {"b": "é"}]});
        assert_eq!(truncate_json(&value, 100), value.to_string());
    }

    #[test]
    fn long_lists_and_texts_end_early_and_the_rest_stays_json() {
        let rows: Vec<Value> = (0..500).map(|id| json!({"id": id, "name": "é".repeat(300)})).collect();
        let text = truncate_json(&json!({"count": 500, "records": rows}), 4000);
        assert!(text.chars().count() <= 4000);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["count"], 500);
        let records = value["records"].as_array().unwrap();
        assert_eq!(records.last().unwrap(), &json!(format!("… {} more", 500 - (records.len() - 1))));
    }

    #[test]
    fn too_many_members_are_truncated_with_a_mark() {
        let members = (0..3000).map(|number| (format!("member{number}"), json!(number))).collect();
        let text = truncate_json(&Value::Object(members), 4000);
        assert_eq!(text.chars().count(), 4000);
        assert!(text.ends_with('…'));
    }
}
