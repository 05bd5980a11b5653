//! Reads by domain or by ids, and counts.

use crate::odoo::Error;
use crate::odoo::contract::Step;
use crate::tools::arguments::domain;
use crate::tools::arguments::schema::{Arg, ArgKind, CONTEXT, DOMAIN, FIELDS, LIMIT, MODEL, OFFSET, ORDER};
use crate::tools::plan::{
    ArgumentError, Found, Plan, READ_ONLY, ShapeContext, Tool, ToolArguments, ToolDefinition,
};
use crate::tools::wording::answer::{CountResult, ObjectWriter, Page, Rows, parse_result, record_url};
use crate::tools::wording::error_text;
use crate::tools::wording::hints::{is_empty_result, may_compare_wrong_value, wrong_value};
use crate::tools::{Category, Reply, Risk};

pub(in crate::tools) const DEFAULT_LIMIT: u32 = 20;

const NO_MATCH_HINT: &str = "Nothing matched. Archived records count only with context.active_test false; \
                       = and like are case-sensitive, ilike is not.";
const NO_MATCH_CASE_HINT: &str = "Nothing matched. = and like are case-sensitive, ilike is not.";

/// The hint for an empty result. Where the domain itself asks for archived ones or not, the context has no say.
fn no_match_hint(arguments: &ToolArguments) -> &'static str {
    let included = arguments.context().get("active_test").is_some_and(|tested| tested == false);
    let asked = domain::mentions(&arguments.domain("domain"), "active");
    if asked || included { NO_MATCH_CASE_HINT } else { NO_MATCH_HINT }
}

/// The rows of a search with what belongs to them.
pub(in crate::tools) fn page_reply(
    arguments: &ToolArguments,
    rows: &Rows<'_>,
    context: &ShapeContext<'_>,
    hint: Option<&str>,
) -> Reply {
    let model = arguments.model();
    let page = Page { offset: arguments.offset(), limit: arguments.limit(DEFAULT_LIMIT) };
    let mut body = rows.body(&model, Some(page));
    if let Some(hint) = hint {
        body.put("hint", hint);
    }
    put_record_url(&mut body, rows, context, &model);
    body.rows("records", &rows.records);
    Reply::json(body)
}

/// The link template, where there are rows to link to.
pub(in crate::tools) fn put_record_url(
    body: &mut ObjectWriter,
    rows: &Rows<'_>,
    context: &ShapeContext<'_>,
    model: &str,
) {
    if let (false, Some(url)) = (rows.records.is_empty(), record_url(context.web_url, model)) {
        body.put("record_url", url);
    }
}

// === search_read ===

pub(in crate::tools) struct SearchRead;

static SEARCH_READ: ToolDefinition = ToolDefinition {
    name: "search_read",
    title: "Search and read records",
    description: "Records that match a domain. Name only the fields you need. Many2one come as {id, name}, \
                  datetimes in UTC (Z). Archived ones need context active_test false.",
    args: &[
        MODEL,
        DOMAIN,
        FIELDS,
        LIMIT,
        OFFSET,
        ORDER,
        Arg::optional("total", ArgKind::Flag, "Count all matches too"),
        CONTEXT,
    ],
    category: Category::Read,
    risk: Risk::Low,
    annotations: READ_ONLY,
};

impl Tool for SearchRead {
    fn definition(&self) -> &'static ToolDefinition {
        &SEARCH_READ
    }

    fn compile(&self, arguments: &mut ToolArguments) -> Result<Plan, ArgumentError> {
        let step = Step::SearchRead {
            model: arguments.model(),
            domain: arguments.domain("domain"),
            fields: arguments.fields()?,
            limit: arguments.limit(DEFAULT_LIMIT).rows,
            offset: arguments.offset(),
            order: arguments.owned_text("order"),
            total: arguments.flag("total"),
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
        let nothing = is_empty_result(arguments, &rows).then(|| no_match_hint(arguments).to_owned());
        let hint = wrong_value(arguments, got).or(nothing);
        Ok(page_reply(arguments, &rows, context, hint.as_deref()))
    }

    fn needs_fields(&self, arguments: &ToolArguments, got: &Found<'_>) -> bool {
        may_compare_wrong_value(arguments, got)
    }
}

// === search_count ===

pub(in crate::tools) struct SearchCount;

static SEARCH_COUNT: ToolDefinition = ToolDefinition {
    name: "search_count",
    title: "Count records",
    description: "How many records match a domain.",
    args: &[MODEL, DOMAIN, CONTEXT],
    category: Category::Read,
    risk: Risk::Low,
    annotations: READ_ONLY,
};

impl Tool for SearchCount {
    fn definition(&self) -> &'static ToolDefinition {
        &SEARCH_COUNT
    }

    fn compile(&self, arguments: &mut ToolArguments) -> Result<Plan, ArgumentError> {
        let step = Step::SearchCount { model: arguments.model(), domain: arguments.domain("domain") };
        Ok(Plan::read(vec![step], arguments))
    }

    fn shape(
        &self,
        arguments: &ToolArguments,
        got: &Found<'_>,
        _context: &ShapeContext<'_>,
    ) -> Result<Reply, Error> {
        let CountResult { count, notes } = parse_result(got.first()?)?;
        let mut body = ObjectWriter::new();
        let hint = wrong_value(arguments, got);
        let hint = hint.as_deref().unwrap_or(no_match_hint(arguments));
        body.put("model", arguments.model()).put("count", count).put_if(count == 0, "hint", hint);
        body.put_if(!notes.is_empty(), "notes", notes);
        Ok(Reply::json(body))
    }

    fn needs_fields(&self, arguments: &ToolArguments, got: &Found<'_>) -> bool {
        may_compare_wrong_value(arguments, got)
    }
}

// === get_record ===

pub(in crate::tools) struct GetRecord;

static GET_RECORD: ToolDefinition = ToolDefinition {
    name: "get_record",
    title: "Read records by id",
    description: "One or more records by id, with the fields you name.",
    args: &[MODEL, Arg::required("ids", ArgKind::Ids, "At most 1000"), FIELDS, CONTEXT],
    category: Category::Read,
    risk: Risk::Low,
    annotations: READ_ONLY,
};

impl Tool for GetRecord {
    fn definition(&self) -> &'static ToolDefinition {
        &GET_RECORD
    }

    fn compile(&self, arguments: &mut ToolArguments) -> Result<Plan, ArgumentError> {
        let step =
            Step::Read { model: arguments.model(), ids: arguments.ids("ids")?, fields: arguments.fields()? };
        Ok(Plan::read(vec![step], arguments))
    }

    fn shape(
        &self,
        arguments: &ToolArguments,
        got: &Found<'_>,
        context: &ShapeContext<'_>,
    ) -> Result<Reply, Error> {
        let rows: Rows<'_> = parse_result(got.first()?)?;
        let model = arguments.model();
        if rows.records.is_empty() {
            return Ok(Reply::error(error_text::not_found(
                &model,
                &arguments.ids("ids").unwrap_or_default(),
            )));
        }
        let mut body = rows.body(&model, None);
        body.put_if(!rows.missing.is_empty(), "missing", &rows.missing);
        // What did not fit into the answer.
        body.put_if(!rows.rest.is_empty(), "has_more", true);
        body.put_if(!rows.rest.is_empty(), "next_ids", &rows.rest);
        body.put_if(!rows.notes.is_empty(), "notes", &rows.notes);
        put_record_url(&mut body, &rows, context, &model);
        body.rows("records", &rows.records);
        Ok(Reply::json(body))
    }
}
