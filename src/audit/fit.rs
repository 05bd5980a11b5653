//! Makes a JSON value short: valid JSON as long as possible, by leaving out the ends of long lists and texts.

use serde_json::Value;

use super::document::cut;

/// How long lists and texts may be, tried one after the other.
const STEPS: [(usize, usize); 6] = [(50, 2000), (20, 500), (10, 200), (5, 100), (3, 60), (1, 30)];

/// `value` as JSON text of at most `most` characters. What even short lists and texts do not make short enough
/// is cut, and ends with a sign that says so.
pub(super) fn fit(value: &Value, most: usize) -> String {
    let whole = value.to_string();
    if fits(&whole, most) {
        return whole;
    }
    for (items, characters) in STEPS {
        let text = shortened(value, items, characters).to_string();
        if fits(&text, most) {
            return text;
        }
    }
    cut(&whole, most)
}

fn fits(text: &str, most: usize) -> bool {
    text.len() <= most || text.chars().nth(most).is_none()
}

fn shortened(value: &Value, items: usize, characters: usize) -> Value {
    match value {
        Value::String(text) => Value::String(cut(text, characters)),
        Value::Array(list) => {
            let mut short: Vec<Value> =
                list.iter().take(items).map(|item| shortened(item, items, characters)).collect();
            let more = list.len().saturating_sub(items);
            if more > 0 {
                short.push(Value::String(format!("… {more} more")));
            }
            Value::Array(short)
        }
        Value::Object(members) => {
            let short = |(name, member): (&String, &Value)| {
                (cut(name, characters), shortened(member, items, characters))
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
    fn what_is_short_stays_as_it_is() {
        let value = json!({"a": [1, 2, {"b": "é"}]});
        assert_eq!(fit(&value, 100), value.to_string());
    }

    #[test]
    fn long_lists_and_texts_end_early_and_the_rest_stays_json() {
        let rows: Vec<Value> = (0..500).map(|id| json!({"id": id, "name": "é".repeat(300)})).collect();
        let text = fit(&json!({"count": 500, "records": rows}), 4000);
        assert!(text.chars().count() <= 4000);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["count"], 500);
        let records = value["records"].as_array().unwrap();
        assert_eq!(records.last().unwrap(), &json!(format!("… {} more", 500 - (records.len() - 1))));
    }

    #[test]
    fn what_has_too_many_members_is_cut_and_says_so() {
        let members = (0..3000).map(|number| (format!("member{number}"), json!(number))).collect();
        let text = fit(&Value::Object(members), 4000);
        assert_eq!(text.chars().count(), 4000);
        assert!(text.ends_with('…'));
    }
}
