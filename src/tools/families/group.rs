//! Aggregation in the database instead of rows in the model's context.

use serde_json::Value;

use crate::odoo::Error;
use crate::odoo::contract::Step;
use crate::tools::arguments::aggregate::{self, AGGREGATE_FUNCTIONS, GRANULARITIES};
use crate::tools::arguments::bounds::MAX_NAME_CHARS;
use crate::tools::arguments::schema::{Arg, ArgKind, CONTEXT, DOMAIN, MODEL, OFFSET, ORDER};
use crate::tools::plan::{
    ArgumentError, Found, Plan, READ_ONLY, ShapeContext, Tool, ToolArguments, ToolDefinition,
};
use crate::tools::wording::answer::{Page, Rows, parse_result};
use crate::tools::wording::hints::{may_compare_wrong_value, wrong_value};
use crate::tools::wording::suggest::{question_or_facts, suggest};
use crate::tools::{Category, Reply, Risk};
use crate::vocab::quoted;

/// Groups are short and seldom many; Odoo's own lists show 80.
const DEFAULT_LIMIT: u32 = 80;
pub(in crate::tools) struct ReadGroup;

static SPEC: ToolDefinition = ToolDefinition {
    name: "read_group",
    title: "Group and aggregate",
    description: "Totals computed in Odoo: groups with __count and aggregates. Use it instead of reading rows to sum.",
    args: &[
        MODEL,
        Arg::optional("groupby", ArgKind::Names, "E.g. state, date:month; none: one total"),
        Arg::optional(
            "aggregates",
            ArgKind::Aggregates,
            "E.g. amount_total:sum (avg, min, max, count_distinct)",
        ),
        DOMAIN,
        Arg::optional("having", ArgKind::Domain, "On aggregates, e.g. [[\"amount_total:sum\",\">\",9]]"),
        Arg::optional("limit", ArgKind::Number, "Default 80, at most 1000"),
        OFFSET,
        ORDER,
        CONTEXT,
    ],
    category: Category::Read,
    risk: Risk::Low,
    annotations: READ_ONLY,
};

impl Tool for ReadGroup {
    fn definition(&self) -> &'static ToolDefinition {
        &SPEC
    }

    fn compile(&self, arguments: &mut ToolArguments) -> Result<Plan, ArgumentError> {
        let groupby = arguments.names("groupby").unwrap_or_default();
        let groupby: Vec<_> = groupby.iter().map(|given| aggregate::group(given)).collect();
        let aggregates = arguments.names("aggregates").unwrap_or_default();
        let mut aggregates: Vec<_> = aggregates.iter().map(|given| aggregate::read(given)).collect();
        aggregates.retain(|name| name != aggregate::COUNT);
        aggregates.iter().try_for_each(|aggregate| check_function(aggregate))?;
        groupby.iter().try_for_each(|field| check_granularity(field))?;
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

    fn shape(
        &self,
        arguments: &ToolArguments,
        got: &Found<'_>,
        _context: &ShapeContext<'_>,
    ) -> Result<Reply, Error> {
        let groups: Rows<'_> = parse_result(got.first()?)?;
        let page = Page { offset: arguments.offset(), limit: arguments.limit(DEFAULT_LIMIT) };
        let mut body = groups.body(&arguments.model(), Some(page));
        if let Some(hint) = wrong_value(arguments, got) {
            body.put("hint", hint);
        }
        body.rows("groups", &groups.records);
        Ok(Reply::json(body))
    }

    fn needs_fields(&self, arguments: &ToolArguments, got: &Found<'_>) -> bool {
        may_compare_wrong_value(arguments, got)
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

fn check_function(aggregate: &str) -> Result<(), ArgumentError> {
    match aggregate.split_once(':') {
        Some((_, function)) => check_known("function", aggregate, function, &AGGREGATE_FUNCTIONS),
        None => Err(ArgumentError::new(format!(
            "Write the aggregate {} as field:function, e.g. {}; functions are {}.",
            quoted(aggregate),
            example(aggregate),
            AGGREGATE_FUNCTIONS.join(", ")
        ))),
    }
}

/// With the field's own name, where it is one.
fn example(aggregate: &str) -> String {
    let is_name =
        aggregate.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && aggregate.len() < MAX_NAME_CHARS;
    format!("{}:sum", if is_name { aggregate } else { "amount_total" })
}

fn check_granularity(field: &str) -> Result<(), ArgumentError> {
    match field.split_once(':') {
        Some((_, granularity)) => check_known("granularity", field, granularity, &GRANULARITIES),
        None => Ok(()),
    }
}

fn check_known(what: &str, whole: &str, part: &str, all: &[&str]) -> Result<(), ArgumentError> {
    if all.contains(&part) {
        return Ok(());
    }
    let guess = suggest(part, all.iter().map(|name| (*name, "")));
    let rest = question_or_facts(&guess, &format!("they are {}.", all.join(", ")));
    Err(ArgumentError::new(format!("{} names no {what} that Odoo has; {rest}", quoted(whole))))
}
