//! Hints for paths such as `partner_id.country_id` in place of field names: the call that follows them.

use serde_json::{Value, json};

use crate::odoo::contract::{FieldDocument, Step};

/// More ids than these are not repeated.
const MOST_IDS: usize = 20;

/// What to do instead of naming a path that begins with this field; `None` if it leads nowhere or is no reading step.
pub(in crate::tools) fn instead(head: &FieldDocument, rest: &str, steps: &[Step]) -> Option<String> {
    let to = head.relation.as_deref()?;
    let name = &head.name;
    let (model, ids) = match steps {
        [Step::SearchRead { model, fields: Some(fields), .. }] if names(fields, name) => (model, None),
        [Step::Read { model, ids, fields: Some(fields) }] if names(fields, name) => {
            (model, Some(ids.as_slice()))
        }
        [Step::Traverse { fields: Some(fields), .. }] if names(fields, name) => {
            return Some(format!(
                "`{name}` leads to {to}: add it to `path`, and name in `fields` what is read there."
            ));
        }
        [Step::Create { .. } | Step::Write { .. }, ..] => return None,
        // In a domain, an order or a grouping the path is right, and its end is not.
        _ => return Some(format!("`{name}` leads to {to}: describe_model of {to} shows its fields.")),
    };
    if head.kind == "many2one" && matches!(rest, "id" | "name" | "display_name") {
        return Some(format!("Name `{name}` alone: it comes as {{id, name}}."));
    }
    let (path, field) = split(name, rest);
    let ids = match ids {
        Some(ids) if ids.len() <= MOST_IDS => json!(ids).to_string(),
        _ => "[the ids of these records]".to_owned(),
    };
    Some(format!(
        "`fields` takes names of {model}'s own fields, paths are for domains; `{name}` leads to {to}. To read behind it call \
         traverse_relationships with {{\"model\": {}, \"ids\": {ids}, \"path\": {}, \"fields\": {}}}.",
        json!(model),
        json!(path),
        json!([field]),
    ))
}

fn names(fields: &[String], head: &str) -> bool {
    fields.iter().any(|field| field.strip_prefix(head).is_some_and(|rest| rest.starts_with(['.', '/'])))
}

/// The relations to follow, and the field at their end.
fn split<'a>(head: &'a str, rest: &'a str) -> (Vec<&'a str>, Value) {
    let mut path: Vec<&str> = std::iter::once(head).chain(rest.split(['.', '/'])).collect();
    let field = path.pop().unwrap_or(head);
    (path, json!(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: &str, name: &str, relation: Option<&str>) -> FieldDocument {
        serde_json::from_value(json!({"name": name, "type": kind, "label": name, "relation": relation}))
            .unwrap()
    }

    fn read(fields: &[&str]) -> [Step; 1] {
        let fields = Some(fields.iter().map(|name| (*name).to_owned()).collect());
        [Step::Read { model: "sale.order".into(), ids: vec![46], fields }]
    }

    #[test]
    fn a_path_is_answered_with_the_call_that_reads_along_it() {
        let partner = field("many2one", "partner_id", Some("res.partner"));
        let said = instead(&partner, "country_id.code", &read(&["partner_id.country_id.code"])).unwrap();
        let call = r#"{"model": "sale.order", "ids": [46], "path": ["partner_id","country_id"], "fields": ["code"]}"#;
        assert!(said.contains(call), "{said}");
        let lines = field("one2many", "order_line", Some("sale.order.line"));
        let said = instead(&lines, "name", &read(&["order_line/name"])).unwrap();
        assert!(said.contains(r#""path": ["order_line"], "fields": ["name"]"#), "{said}");
    }

    #[test]
    fn the_name_behind_a_many2one_needs_no_call() {
        let partner = field("many2one", "partner_id", Some("res.partner"));
        for rest in ["name", "display_name", "id"] {
            let path = format!("partner_id.{rest}");
            let said = instead(&partner, rest, &read(&[&path])).unwrap();
            assert_eq!(said, "Name `partner_id` alone: it comes as {id, name}.");
        }
    }

    #[test]
    fn where_paths_are_right_only_their_end_is_named() {
        let partner = field("many2one", "partner_id", Some("res.partner"));
        let search =
            Step::SearchCount { model: "sale.order".into(), domain: json!([["partner_id.nmae", "=", "x"]]) };
        let said = instead(&partner, "nmae", &[search]).unwrap();
        assert!(said.contains("describe_model of res.partner") && !said.contains("traverse"), "{said}");
        assert_eq!(instead(&field("date", "date", None), "month", &[]), None);
        let write = Step::Write { model: "sale.order".into(), ids: vec![1], values: serde_json::Map::new() };
        assert_eq!(instead(&partner, "name", &[write]), None);
    }
}
