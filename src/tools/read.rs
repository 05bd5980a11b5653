//! Tools that read records whose conditions or ids are known.

use serde_json::value::RawValue;

use super::answer::{Body, Page, Rows, read, record_url};
use super::args::{Arg, CONTEXT, DOMAIN, FIELDS, Kind, LIMIT, MODEL, OFFSET, ORDER};
use super::plan::{Arguments, Got, Plan, READS, Refusal, Site, Spec, Tool};
use super::{Category, Reply, Risk, selection};
use crate::odoo::Error;
use crate::odoo::gateway::Step;

pub(super) const DEFAULT_LIMIT: u32 = 20;

const NOTHING: &str = "Nothing matched. Archived records count only with context.active_test false; \
                       = and like tell upper from lower case, ilike does not.";
const NOTHING_OF_THESE: &str = "Nothing matched. = and like tell upper from lower case, ilike does not.";

/// What to say where nothing was found. Where the domain itself asks for archived ones or not, the context has no say.
fn nothing(arguments: &Arguments) -> &'static str {
    let included = arguments.context().get("active_test").is_some_and(|tested| tested == false);
    let asked = super::domain::mentions(&arguments.domain("domain"), "active");
    if asked || included { NOTHING_OF_THESE } else { NOTHING }
}

/// An answer without rows is short; a longer one need not be read to know that it holds some.
const SHORT: usize = 4096;

/// Whether a search, a grouping or a count found nothing and compares what could be a selection.
pub(super) fn may_ask_wrongly(arguments: &Arguments, got: &Got<'_>) -> bool {
    let nothing = |raw: &RawValue| {
        read::<Count>(raw).map_or_else(
            |_| read::<Rows<'_>>(raw).is_ok_and(|rows| found_nothing(arguments, &rows)),
            |found| found.count == 0,
        )
    };
    arguments.0.get("domain").is_some_and(selection::may_be_compared)
        && got.first().is_ok_and(|raw| raw.get().len() < SHORT && nothing(raw))
}

/// The value of a selection that was asked for in vain.
pub(super) fn wrong_value(arguments: &Arguments, got: &Got<'_>) -> Option<String> {
    let Got::Results { fields, .. } = got else { return None };
    selection::wrong_value(arguments.0.get("domain")?, fields)
}

pub(super) fn found_nothing(arguments: &Arguments, rows: &Rows<'_>) -> bool {
    rows.records.is_empty() && arguments.offset() == 0
}

/// The rows of a search with what belongs to them.
pub(super) fn page_of(arguments: &Arguments, rows: &Rows<'_>, site: &Site<'_>, hint: Option<&str>) -> Reply {
    let model = arguments.model();
    let page = Page { offset: arguments.offset(), limit: arguments.limit(DEFAULT_LIMIT) };
    let mut body = rows.body(&model, Some(page));
    if let Some(hint) = hint {
        body.put("hint", hint);
    }
    link(&mut body, rows, site, &model);
    body.rows("records", &rows.records);
    Reply::json(body)
}

/// The link template, where there are rows to link to.
pub(super) fn link(body: &mut Body, rows: &Rows<'_>, site: &Site<'_>, model: &str) {
    if let (false, Some(url)) = (rows.records.is_empty(), record_url(site.web_url, model)) {
        body.put("record_url", url);
    }
}

// === search_read ===

pub(super) struct SearchRead;

static SEARCH_READ: Spec = Spec {
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
        Arg::may("total", Kind::Flag, "Count all matches too"),
        CONTEXT,
    ],
    category: Category::Read,
    risk: Risk::Low,
    annotations: READS,
};

impl Tool for SearchRead {
    fn spec(&self) -> &'static Spec {
        &SEARCH_READ
    }

    fn compile(&self, arguments: &mut Arguments) -> Result<Plan, Refusal> {
        let step = Step::SearchRead {
            model: arguments.model(),
            domain: arguments.domain("domain"),
            fields: arguments.fields()?,
            limit: arguments.limit(DEFAULT_LIMIT).rows,
            offset: arguments.offset(),
            order: arguments.owned("order"),
            total: arguments.flag("total"),
        };
        Ok(Plan::read(vec![step], arguments))
    }

    fn shape(&self, arguments: &Arguments, got: &Got<'_>, site: &Site<'_>) -> Result<Reply, Error> {
        let rows: Rows<'_> = read(got.first()?)?;
        let nothing = found_nothing(arguments, &rows).then(|| nothing(arguments).to_owned());
        let hint = wrong_value(arguments, got).or(nothing);
        Ok(page_of(arguments, &rows, site, hint.as_deref()))
    }

    fn needs_fields(&self, arguments: &Arguments, got: &Got<'_>) -> bool {
        may_ask_wrongly(arguments, got)
    }
}

// === search_count ===

pub(super) struct SearchCount;

static SEARCH_COUNT: Spec = Spec {
    name: "search_count",
    title: "Count records",
    description: "How many records match a domain.",
    args: &[MODEL, DOMAIN, CONTEXT],
    category: Category::Read,
    risk: Risk::Low,
    annotations: READS,
};

#[derive(serde::Deserialize)]
pub(super) struct Count {
    pub count: i64,
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Tool for SearchCount {
    fn spec(&self) -> &'static Spec {
        &SEARCH_COUNT
    }

    fn compile(&self, arguments: &mut Arguments) -> Result<Plan, Refusal> {
        let step = Step::SearchCount { model: arguments.model(), domain: arguments.domain("domain") };
        Ok(Plan::read(vec![step], arguments))
    }

    fn shape(&self, arguments: &Arguments, got: &Got<'_>, _site: &Site<'_>) -> Result<Reply, Error> {
        let Count { count, notes } = read(got.first()?)?;
        let mut body = Body::new();
        let hint = wrong_value(arguments, got);
        let hint = hint.as_deref().unwrap_or(nothing(arguments));
        body.put("model", arguments.model()).put("count", count).put_if(count == 0, "hint", hint);
        body.put_if(!notes.is_empty(), "notes", notes);
        Ok(Reply::json(body))
    }

    fn needs_fields(&self, arguments: &Arguments, got: &Got<'_>) -> bool {
        may_ask_wrongly(arguments, got)
    }
}

// === get_record ===

pub(super) struct GetRecord;

static GET_RECORD: Spec = Spec {
    name: "get_record",
    title: "Read records by id",
    description: "One or more records by id, with the fields you name.",
    args: &[MODEL, Arg::must("ids", Kind::Ids, "At most 1000"), FIELDS, CONTEXT],
    category: Category::Read,
    risk: Risk::Low,
    annotations: READS,
};

impl Tool for GetRecord {
    fn spec(&self) -> &'static Spec {
        &GET_RECORD
    }

    fn compile(&self, arguments: &mut Arguments) -> Result<Plan, Refusal> {
        let step =
            Step::Read { model: arguments.model(), ids: arguments.ids("ids")?, fields: arguments.fields()? };
        Ok(Plan::read(vec![step], arguments))
    }

    fn shape(&self, arguments: &Arguments, got: &Got<'_>, site: &Site<'_>) -> Result<Reply, Error> {
        let rows: Rows<'_> = read(got.first()?)?;
        let model = arguments.model();
        if rows.records.is_empty() {
            return Ok(Reply::error(super::faults::not_found(
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
        link(&mut body, &rows, site, &model);
        body.rows("records", &rows.records);
        Ok(Reply::json(body))
    }
}
