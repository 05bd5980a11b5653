//! Normalization of aggregates, as SQL, other servers and older Odoo methods write them, to `field:function`.

use serde_json::Value;

pub(in crate::tools) const AGGREGATE_FUNCTIONS: [&str; 11] = [
    "sum",
    "sum_currency",
    "avg",
    "min",
    "max",
    "count",
    "count_distinct",
    "bool_and",
    "bool_or",
    "array_agg",
    "array_agg_distinct",
];
pub(in crate::tools) const GRANULARITIES: [&str; 16] = [
    "hour",
    "day",
    "week",
    "month",
    "quarter",
    "year",
    "year_number",
    "quarter_number",
    "month_number",
    "iso_week_number",
    "day_of_year",
    "day_of_month",
    "day_of_week",
    "hour_number",
    "minute_number",
    "second_number",
];

/// How many records there are in each group; Odoo's answer holds it always.
pub(in crate::tools) const COUNT: &str = "__count";
const SYNONYMS: [(&str, &str); 8] = [
    ("average", "avg"),
    ("mean", "avg"),
    ("total", "sum"),
    ("minimum", "min"),
    ("maximum", "max"),
    ("distinct", "count_distinct"),
    ("countdistinct", "count_distinct"),
    ("nunique", "count_distinct"),
];
const FIELD_KEYS: [&str; 3] = ["field", "name", "column"];
const FUNCTION_KEYS: [&str; 8] =
    ["function", "func", "aggregate", "aggregation", "aggregator", "agg", "operator", "op"];

/// One aggregate; what is none stays as it is, to be refused.
pub(in crate::tools) fn read(given: &str) -> String {
    let text = without_alias(given.trim());
    let lower = text.to_lowercase();
    if matches!(
        lower.as_str(),
        "count" | "count(*)" | "count()" | "count(1)" | "count(id)" | "*" | "id:count"
    ) {
        return COUNT.to_owned();
    }
    spelt(text).unwrap_or_else(|| text.to_owned())
}

fn spelt(text: &str) -> Option<String> {
    if let Some((function, field)) = called(text) {
        let (distinct, field) = match field.split_once(char::is_whitespace) {
            Some((word, field)) if word.eq_ignore_ascii_case("distinct") => (true, field.trim()),
            _ => (false, field),
        };
        // `total:sum(amount_total)`, as `read_group` of Odoo had it, names the result first.
        let function = known(function.rsplit(':').next().unwrap_or(function))?;
        let function = if distinct && function == "count" { "count_distinct" } else { function };
        return is_name(field).then(|| format!("{field}:{function}"));
    }
    for separator in [":", ".", "__", " "] {
        let Some((first, last)) = text.rsplit_once(separator) else { continue };
        let (first, last) = (first.trim(), last.trim());
        if let (Some(function), true) = (known(last), is_name(first)) {
            return Some(format!("{first}:{function}"));
        }
        if let (Some(function), true, false) = (known(first), is_name(last), separator == "__") {
            return Some(format!("{last}:{function}"));
        }
    }
    None
}

/// Aggregates that came as an object or as a list of objects: `{"amount_total": "sum"}`.
pub(in crate::tools) fn listed(value: Value) -> Value {
    match value {
        Value::Object(_) => listed(Value::Array(vec![value])),
        Value::Array(items) => Value::Array(items.into_iter().flat_map(item).collect()),
        other => other,
    }
}

fn item(item: Value) -> Vec<Value> {
    match terms(&item) {
        Some(terms) => terms.into_iter().map(Value::String).collect(),
        None => vec![item],
    }
}

fn terms(item: &Value) -> Option<Vec<String>> {
    let members = item.as_object().filter(|members| !members.is_empty())?;
    let text = |keys: &[&str]| keys.iter().find_map(|key| members.get(*key)).and_then(Value::as_str);
    if let (Some(field), Some(function)) = (text(&FIELD_KEYS), text(&FUNCTION_KEYS)) {
        return Some(vec![format!("{field}:{}", known(function)?)]);
    }
    let pair = |(field, function): (&String, &Value)| Some(format!("{field}:{}", known(function.as_str()?)?));
    members.iter().map(pair).collect()
}

/// A part of an order over groups, or of a condition on them: what it names is one of these.
pub(in crate::tools) fn in_order(order: &str, groupby: &[String], aggregates: &[String]) -> String {
    let parts = order.split(',').map(|part| {
        let part = part.trim();
        let (sign, rest) = match part.strip_prefix(['-', '+']) {
            Some(rest) => (part.get(..1).unwrap_or_default(), rest),
            None => ("", part),
        };
        let end = rest.rfind(')').map_or_else(|| rest.find(char::is_whitespace), |at| Some(at + 1));
        let (name, direction) = rest.split_at(end.unwrap_or(rest.len()));
        format!("{sign}{}{direction}", meant(name, groupby, aggregates))
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn meant(name: &str, groupby: &[String], aggregates: &[String]) -> String {
    let all = || groupby.iter().chain(aggregates);
    if all().any(|spec| spec == name) {
        return name.to_owned();
    }
    let mut of_field = all().filter(|spec| spec.split(':').next() == Some(name));
    match (of_field.next(), of_field.next()) {
        (Some(only), None) => only.clone(),
        _ => read(name),
    }
}

/// What records are grouped by: `month(date_order)` and `date_order:MONTH` are `date_order:month`.
pub(in crate::tools) fn group(given: &str) -> String {
    let text = given.trim();
    let granularity = |word: &str| {
        let lower = word.trim().to_lowercase();
        GRANULARITIES.contains(&lower.as_str()).then_some(lower)
    };
    let read = match called(text) {
        Some((span, field)) if is_name(field) => granularity(span).map(|span| format!("{field}:{span}")),
        _ => text
            .rsplit_once(':')
            .and_then(|(field, span)| Some(format!("{}:{}", field.trim(), granularity(span)?))),
    };
    read.unwrap_or_else(|| text.to_owned())
}

/// The name and the argument of `name(argument)`.
fn called(text: &str) -> Option<(&str, &str)> {
    let (name, argument) = text.strip_suffix(')')?.split_once('(')?;
    Some((name.trim(), argument.trim()))
}

fn without_alias(text: &str) -> &str {
    let lower = text.to_ascii_lowercase();
    let end = if lower.len() == text.len() { lower.find(" as ") } else { None };
    end.and_then(|end| text.get(..end)).unwrap_or(text).trim_end()
}

fn known(function: &str) -> Option<&'static str> {
    let lower = function.trim().to_lowercase();
    let synonym = SYNONYMS.iter().find(|(other, _)| *other == lower).map(|(_, function)| *function);
    synonym.or_else(|| AGGREGATE_FUNCTIONS.iter().find(|known| **known == lower).copied())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_aggregate_comes_in_many_forms() {
        for given in [
            "amount_total:sum",
            "amount_total:SUM",
            "SUM(amount_total)",
            "sum( amount_total )",
            "amount_total.sum",
            "amount_total__sum",
            "sum:amount_total",
            "total:sum(amount_total)",
            "SUM(amount_total) AS total",
            "amount_total sum",
        ] {
            assert_eq!(read(given), "amount_total:sum", "{given}");
        }
        for (given, meant) in [
            ("AVG(price)", "price:avg"),
            ("price:average", "price:avg"),
            ("mean(price)", "price:avg"),
            ("COUNT(DISTINCT partner_id)", "partner_id:count_distinct"),
            ("count(partner_id)", "partner_id:count"),
            ("COUNT(*)", COUNT),
            ("count", COUNT),
        ] {
            assert_eq!(read(given), meant, "{given}");
        }
    }

    #[test]
    fn what_is_no_aggregate_stays_as_it_is() {
        for given in ["amount_total", "amount_total:summ", "sum(a + b)", "median(price)", "__count", "a.b.c"]
        {
            assert_eq!(read(given), given);
        }
    }

    #[test]
    fn objects_are_read_as_well() {
        let sum = json!(["amount_total:sum"]);
        assert_eq!(listed(json!({"amount_total": "sum"})), sum);
        assert_eq!(listed(json!([{"field": "amount_total", "function": "SUM"}])), sum);
        assert_eq!(listed(json!([{"name": "amount_total", "operator": "sum"}])), sum);
        assert_eq!(listed(json!({"a": "sum", "b": "avg"})), json!(["a:sum", "b:avg"]));
        for other in
            [json!([{"a": 1}]), json!([{}]), json!("a:sum"), json!(["a:sum"]), json!([{"a": "median"}])]
        {
            assert_eq!(listed(other.clone()), other);
        }
    }

    #[test]
    fn an_order_names_groups_and_aggregates() {
        let groupby = ["date_order:month".to_owned(), "state".to_owned()];
        let aggregates = ["amount_total:sum".to_owned()];
        for (given, meant) in [
            ("SUM(amount_total) desc", "amount_total:sum desc"),
            ("-amount_total.sum", "-amount_total:sum"),
            ("amount_total desc nulls last, state", "amount_total:sum desc nulls last, state"),
            ("count desc", "__count desc"),
            ("date_order", "date_order:month"),
            ("amount_total:sum desc", "amount_total:sum desc"),
            ("nope", "nope"),
        ] {
            assert_eq!(in_order(given, &groupby, &aggregates), meant);
        }
    }

    #[test]
    fn a_span_may_be_written_as_a_function() {
        assert_eq!(group("month(date_order)"), "date_order:month");
        assert_eq!(group("date_order:Month"), "date_order:month");
        for given in ["state", "date_order:month", "date_order:fortnight", "upper(name)"] {
            assert_eq!(group(given), given);
        }
    }
}
