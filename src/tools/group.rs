//! Aggregation in the database instead of rows in the model's context.

use serde_json::Value;

use super::answer::{Page, Rows, read};
use super::args::{Arg, CONTEXT, DOMAIN, Kind, MODEL, OFFSET, ORDER};
use super::bounds::MAX_NAME_CHARS;
use super::nearest::{either, nearest};
use super::plan::{Arguments, Got, Plan, READS, Refusal, Site, Spec, Tool};
use super::read::{may_ask_wrongly, wrong_value};
use super::{Category, Reply, Risk, aggregate};
use crate::odoo::Error;
use crate::odoo::gateway::{FieldDocument, Step};
use crate::vocab::quoted;

/// Groups are short and seldom many; Odoo's own lists show 80.
const DEFAULT_LIMIT: u32 = 80;
pub(super) const FUNCTIONS: [&str; 11] = [
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
pub(super) const GRANULARITIES: [&str; 16] = [
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

pub(super) struct ReadGroup;

static SPEC: Spec = Spec {
    name: "read_group",
    title: "Group and aggregate",
    description: "Totals computed in Odoo: groups with __count and aggregates. Use it instead of reading rows to sum.",
    args: &[
        MODEL,
        Arg::may("groupby", Kind::Names, "E.g. state, date:month; none: one total"),
        Arg::may("aggregates", Kind::Aggregates, "E.g. amount_total:sum (avg, min, max, count_distinct)"),
        DOMAIN,
        Arg::may("having", Kind::Domain, "On aggregates, e.g. [[\"amount_total:sum\",\">\",9]]"),
        Arg::may("limit", Kind::Number, "Default 80, at most 1000"),
        OFFSET,
        ORDER,
        CONTEXT,
    ],
    category: Category::Read,
    risk: Risk::Low,
    annotations: READS,
};

impl Tool for ReadGroup {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn compile(&self, arguments: &mut Arguments) -> Result<Plan, Refusal> {
        let groupby = arguments.names("groupby").unwrap_or_default();
        let groupby: Vec<_> = groupby.iter().map(|given| aggregate::group(given)).collect();
        let aggregates = arguments.names("aggregates").unwrap_or_default();
        let mut aggregates: Vec<_> = aggregates.iter().map(|given| aggregate::read(given)).collect();
        aggregates.retain(|name| name != aggregate::COUNT);
        aggregates.iter().try_for_each(|aggregate| known_function(aggregate))?;
        groupby.iter().try_for_each(|field| known_granularity(field))?;
        let order = arguments.text("order").map(|order| aggregate::in_order(order, &groupby, &aggregates));
        let step = Step::ReadGroup {
            model: arguments.model(),
            domain: arguments.domain("domain"),
            groupby,
            aggregates,
            having: on_aggregates(arguments.domain("having")),
            limit: arguments.limit(DEFAULT_LIMIT).rows,
            offset: arguments.offset(),
            order,
        };
        Ok(Plan::read(vec![step], arguments))
    }

    fn shape(&self, arguments: &Arguments, got: &Got<'_>, _site: &Site<'_>) -> Result<Reply, Error> {
        let groups: Rows<'_> = read(got.first()?)?;
        let page = Page { offset: arguments.offset(), limit: arguments.limit(DEFAULT_LIMIT) };
        let mut body = groups.body(&arguments.model(), Some(page));
        if let Some(hint) = wrong_value(arguments, got) {
            body.put("hint", hint);
        }
        body.rows("groups", &groups.records);
        Ok(Reply::json(body))
    }

    fn needs_fields(&self, arguments: &Arguments, got: &Got<'_>) -> bool {
        may_ask_wrongly(arguments, got)
    }
}

/// Conditions on groups name aggregates in the same forms.
fn on_aggregates(mut having: Value) -> Value {
    for condition in having.as_array_mut().into_iter().flatten() {
        if let Some([Value::String(name), ..]) = condition.as_array_mut().map(Vec::as_mut_slice) {
            *name = aggregate::read(name);
        }
    }
    having
}

fn known_function(aggregate: &str) -> Result<(), Refusal> {
    match aggregate.split_once(':') {
        Some((_, function)) => known("function", aggregate, function, &FUNCTIONS),
        None => Err(Refusal::new(format!(
            "Write the aggregate {} as field:function, e.g. {}; functions are {}.",
            quoted(aggregate),
            example(aggregate),
            FUNCTIONS.join(", ")
        ))),
    }
}

/// With the field's own name, where it is one.
fn example(aggregate: &str) -> String {
    let is_name =
        aggregate.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && aggregate.len() < MAX_NAME_CHARS;
    format!("{}:sum", if is_name { aggregate } else { "amount_total" })
}

/// The first aggregate whose function cannot be computed of its field, in words.
pub(super) fn unfit(aggregates: &[String], fields: &[FieldDocument]) -> Option<String> {
    aggregates.iter().find_map(|aggregate| {
        let (name, function) = aggregate.split_once(':')?;
        // Ids are numbers to the database.
        let (needs, kinds): (_, &[&str]) = match function {
            "sum" | "avg" => {
                ("a number", &["integer", "float", "monetary", "many2one", "many2one_reference"])
            }
            "sum_currency" => ("an amount of money", &["monetary"]),
            "bool_and" | "bool_or" => ("true or false", &["boolean"]),
            _ => return None,
        };
        let kind = &fields.iter().find(|field| field.name == name)?.kind;
        let fits = kinds.contains(&kind.as_str());
        (!fits).then(|| format!("`{function}` needs {needs}; `{name}` is a {kind} field."))
    })
}

fn known_granularity(field: &str) -> Result<(), Refusal> {
    match field.split_once(':') {
        Some((_, granularity)) => known("granularity", field, granularity, &GRANULARITIES),
        None => Ok(()),
    }
}

fn known(what: &str, whole: &str, part: &str, all: &[&str]) -> Result<(), Refusal> {
    if all.contains(&part) {
        return Ok(());
    }
    let guess = nearest(part, all.iter().map(|name| (*name, "")));
    let meant = if guess.is_empty() { String::new() } else { format!(" did you mean {}?", either(&guess)) };
    let text =
        format!("{} names no {what} that Odoo has;{meant} They are {}.", quoted(whole), all.join(", "));
    Err(Refusal::new(text.replace("; They", "; they")))
}
