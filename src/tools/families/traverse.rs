//! Following relations over several models in one call.

use super::read::put_record_url;
use crate::odoo::Error;
use crate::odoo::contract::Step;
use crate::tools::arguments::schema::{Arg, ArgKind, CONTEXT, FIELDS, MODEL, OFFSET};
use crate::tools::plan::{
    ArgumentError, Found, Plan, READ_ONLY, ShapeContext, Tool, ToolArguments, ToolDefinition,
};
use crate::tools::wording::answer::{Page, Rows, parse_result};
use crate::tools::{Category, Reply, Risk};

const DEFAULT_LIMIT: u32 = 50;

pub(in crate::tools) struct Traverse;

static SPEC: ToolDefinition = ToolDefinition {
    name: "traverse_relationships",
    title: "Follow relations",
    description: "From given records along relation fields (many2one, one2many, many2many) to the records at the end, \
                  e.g. sale.order, path order_line, product_id.",
    args: &[
        MODEL,
        Arg::required("ids", ArgKind::Ids, "Where to start"),
        Arg::required("path", ArgKind::Path, "Relation fields, in order"),
        Arg::optional("fields", ArgKind::Names, FIELDS.description),
        Arg::optional(
            "domain",
            ArgKind::Domain,
            "Filters the records at the end, e.g. [[\"active\",\"=\",true]]",
        ),
        Arg::optional("limit", ArgKind::Number, "Default 50, at most 1000"),
        OFFSET,
        CONTEXT,
    ],
    category: Category::Read,
    risk: Risk::Low,
    annotations: READ_ONLY,
};

impl Tool for Traverse {
    fn definition(&self) -> &'static ToolDefinition {
        &SPEC
    }

    fn compile(&self, arguments: &mut ToolArguments) -> Result<Plan, ArgumentError> {
        let step = Step::Traverse {
            model: arguments.model(),
            ids: arguments.ids("ids")?,
            path: arguments.names("path").unwrap_or_default(),
            fields: arguments.fields()?,
            domain: arguments.domain("domain"),
            limit: arguments.limit(DEFAULT_LIMIT).rows,
            offset: arguments.offset(),
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
        let model = rows.model.clone().ok_or(Error::InvalidAnswer)?;
        let page = Page { offset: arguments.offset(), limit: arguments.limit(DEFAULT_LIMIT) };
        let mut body = rows.body(&model, Some(page));
        if let Some(trail) = rows.trail {
            body.raw("trail", trail);
        }
        put_record_url(&mut body, &rows, context, &model);
        body.rows("records", &rows.records);
        Ok(Reply::json(body))
    }
}
