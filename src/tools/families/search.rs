//! Search by name or domain, with the reason if nothing matches.

use serde_json::{Value, json};

use super::read::{DEFAULT_LIMIT, page_reply};
use crate::odoo::Error;
use crate::odoo::contract::{Mode, Step};
use crate::tools::arguments::domain;
use crate::tools::arguments::schema::{Arg, ArgKind, CONTEXT, DOMAIN, LIMIT, MODEL, OFFSET, ORDER};
use crate::tools::plan::{
    ArgumentError, CallDraft, Found, Plan, READ_ONLY, ShapeContext, Tool, ToolArguments, ToolDefinition,
};
use crate::tools::wording::answer::{CountResult, Rows, parse_result};
use crate::tools::wording::hints::{is_empty_result, may_compare_wrong_value, wrong_value};
use crate::tools::{Category, Reply, Risk};

pub(in crate::tools) struct SearchRecords;

static SPEC: ToolDefinition = ToolDefinition {
    name: "search_records",
    title: "Find records",
    description: "Records by name (`query`), domain or both: id, display_name and the fields you name. \
                  Says why nothing was found.",
    args: &[
        MODEL,
        Arg::optional("query", ArgKind::Text, "Text that people know the record by"),
        DOMAIN,
        Arg::optional("fields", ArgKind::Names, "Beside id and display_name"),
        LIMIT,
        OFFSET,
        ORDER,
        CONTEXT,
    ],
    category: Category::Read,
    risk: Risk::Low,
    annotations: READ_ONLY,
};

impl Tool for SearchRecords {
    fn definition(&self) -> &'static ToolDefinition {
        &SPEC
    }

    fn compile(&self, arguments: &mut ToolArguments) -> Result<Plan, ArgumentError> {
        let fields = arguments.fields()?;
        let limit = arguments.limit(DEFAULT_LIMIT).rows;
        let model = arguments.model();
        let step = match arguments.text("query") {
            // Models rank by their own rules here (a product by its code first), so this way is the better one.
            Some(query) if uses_name_search(arguments) => {
                let (name, offset) = (query.to_owned(), arguments.offset());
                Step::NameSearch { model, name, domain: arguments.domain("domain"), limit, offset }
            }
            _ => {
                let mut names = vec!["display_name".to_owned()];
                names.extend(
                    fields.into_iter().flatten().filter(|name| name != "display_name" && name != "id"),
                );
                Step::SearchRead {
                    model,
                    domain: query_domain(arguments),
                    fields: Some(names),
                    limit,
                    offset: arguments.offset(),
                    order: arguments.owned_text("order"),
                    total: false,
                }
            }
        };
        Ok(Plan::read(vec![step], arguments))
    }

    fn shape(
        &self,
        arguments: &ToolArguments,
        got: &Found<'_>,
        context: &ShapeContext<'_>,
    ) -> Result<Reply, Error> {
        let rows: Rows<'_> = parse_result(got.first()?)?;
        let hint = wrong_value(arguments, got).or_else(|| match got {
            Found::Results { follow_up: more, .. } if is_empty_result(arguments, &rows) => {
                let counts =
                    more.iter().map(|raw| parse_result::<CountResult>(raw).map_or(0, |found| found.count));
                Some(no_match_reason(arguments, &counts.collect::<Vec<_>>()))
            }
            _ => None,
        });
        Ok(page_reply(arguments, &rows, context, hint.as_deref()))
    }

    fn needs_fields(&self, arguments: &ToolArguments, got: &Found<'_>) -> bool {
        may_compare_wrong_value(arguments, got)
    }

    /// Counts what a wider search would have found: archived ones, other case, single words.
    fn follow_up(&self, arguments: &ToolArguments, got: &Found<'_>) -> Option<Plan> {
        let rows: Rows<'_> = parse_result(got.first().ok()?).ok()?;
        if !is_empty_result(arguments, &rows) || wrong_value(arguments, got).is_some() {
            return None;
        }
        let model = arguments.model();
        let mut steps = vec![Step::SearchCount { model: model.clone(), domain: query_domain(arguments) }];
        if let Some(domain) = wider_domain(arguments) {
            steps.push(Step::SearchCount { model, domain });
        }
        let mut context = arguments.context();
        context.insert("active_test".into(), json!(false));
        Some(Plan::Call(CallDraft {
            mode: Mode::Read,
            steps,
            context,
            dry_run: false,
            idempotency_key: None,
        }))
    }
}

/// Whether Odoo's own name search does; it can neither sort nor read fields.
fn uses_name_search(arguments: &ToolArguments) -> bool {
    let plain =
        arguments.names("fields").is_none_or(|names| names.iter().all(|n| n == "display_name" || n == "id"));
    arguments.text("query").is_some() && plain && arguments.text("order").is_none()
}

/// The domain with the query in it.
fn query_domain(arguments: &ToolArguments) -> Value {
    let domain = arguments.domain("domain");
    match arguments.text("query") {
        Some(query) => domain::and(&domain, name_contains(query)),
        None => domain,
    }
}

/// The condition that the name contains this text, with wildcards escaped.
fn name_contains(text: &str) -> Value {
    json!([["display_name", "ilike", domain::escape_pattern(text)]])
}

/// The words that are searched one by one; empty if the query is a single word.
fn query_words(arguments: &ToolArguments) -> Vec<&str> {
    let query = arguments.text("query").unwrap_or_default();
    let words: Vec<&str> = query.split_whitespace().filter(|word| word.chars().count() > 2).take(8).collect();
    if words.len() < 2 { Vec::new() } else { words }
}

/// Any word of the query, exact texts in any case; `None` if that is no wider.
fn wider_domain(arguments: &ToolArguments) -> Option<Value> {
    let domain = arguments.domain("domain");
    let relaxed = domain::case_insensitive(&domain);
    let words = query_words(arguments);
    if words.is_empty() {
        let wide = relaxed?;
        return Some(match arguments.text("query") {
            Some(query) => domain::and(&wide, name_contains(query)),
            None => wide,
        });
    }
    let or = std::iter::repeat_n(json!("|"), words.len() - 1);
    let any =
        or.chain(words.iter().map(|word| json!(["display_name", "ilike", domain::escape_pattern(word)])));
    Some(domain::and(&relaxed.unwrap_or(domain), Value::Array(any.collect())))
}

/// Why nothing was found, from the counts of the second look: archived too, then wider.
fn no_match_reason(arguments: &ToolArguments, counts: &[i64]) -> String {
    // Where the domain itself asks for archived ones or not, the context has no say.
    let included =
        if domain::mentions(&arguments.domain("domain"), "active") { "" } else { ", archived ones included" };
    match counts {
        [archived, ..] if *archived > 0 => {
            format!("{archived} archived match: pass context {{\"active_test\": false}} to see them.")
        }
        [_, wide] if *wide > 0 && !query_words(arguments).is_empty() => {
            format!("{wide} match a single word of the query{included}: try fewer words.")
        }
        [_, wide] if *wide > 0 => {
            format!("{wide} match without regard to case{included}: use ilike instead of = or like.")
        }
        [] if included.is_empty() => "Nothing matched.".to_owned(),
        [] => "Nothing matched; archived records count only with context.active_test false.".to_owned(),
        _ => format!(
            "Nothing matches{included}: try a shorter text, fewer conditions, ilike instead of =, or another model."
        ),
    }
}
