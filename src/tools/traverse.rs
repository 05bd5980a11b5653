//! Following relations over several models in one call.

use super::answer::{Page, Rows, read};
use super::args::{Arg, CONTEXT, FIELDS, Kind, MODEL, OFFSET};
use super::plan::{Arguments, Got, Plan, READS, Refusal, Site, Spec, Tool};
use super::read::link;
use super::{Category, Reply, Risk};
use crate::odoo::Error;
use crate::odoo::gateway::Step;

const DEFAULT_LIMIT: u32 = 50;

pub(super) struct Traverse;

static SPEC: Spec = Spec {
    name: "traverse_relationships",
    title: "Follow relations",
    description: "From given records along relation fields (many2one, one2many, many2many) to the records at the end, \
                  e.g. sale.order, path order_line, product_id.",
    args: &[
        MODEL,
        Arg::must("ids", Kind::Ids, "Where to start"),
        Arg::must("path", Kind::Path, "Relation fields, in order"),
        Arg::may("fields", Kind::Names, FIELDS.about),
        Arg::may("domain", Kind::Domain, "Filters the records at the end, e.g. [[\"active\",\"=\",true]]"),
        Arg::may("limit", Kind::Number, "Default 50, at most 1000"),
        OFFSET,
        CONTEXT,
    ],
    category: Category::Read,
    risk: Risk::Low,
    annotations: READS,
};

impl Tool for Traverse {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn compile(&self, arguments: &mut Arguments) -> Result<Plan, Refusal> {
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

    fn shape(&self, arguments: &Arguments, got: &Got<'_>, site: &Site<'_>) -> Result<Reply, Error> {
        let rows: Rows<'_> = read(got.first()?)?;
        let model = rows.model.clone().ok_or(Error::BadAnswer)?;
        let page = Page { offset: arguments.offset(), limit: arguments.limit(DEFAULT_LIMIT) };
        let mut body = rows.body(&model, Some(page));
        if let Some(trail) = rows.trail {
            body.raw("trail", trail);
        }
        link(&mut body, &rows, site, &model);
        body.rows("records", &rows.records);
        Ok(Reply::json(body))
    }
}
