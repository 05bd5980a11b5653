//! Context of the caller (user, companies, time zone, today), for dates and the choice of a company.

use serde_json::value::RawValue;

use crate::odoo::Error;
use crate::odoo::contract::Step;
use crate::tools::plan::{
    ArgumentError, Found, Plan, READ_ONLY, ShapeContext, Tool, ToolArguments, ToolDefinition,
};
use crate::tools::wording::answer::{ObjectWriter, parse_result};
use crate::tools::{Category, Reply, Risk};

const UTC_NOTE: &str = "All datetimes, in answers and arguments, are UTC (Z): convert to and from tz for the user. \
                     Dates have no time zone.";
const NO_ZONE: &str = "All datetimes, in answers and arguments, are UTC (Z). This user has no time zone in Odoo, so days \
                       and hours are those of UTC, unless context.tz names another. Dates have no time zone.";

pub(in crate::tools) struct GetSession;

static SPEC: ToolDefinition = ToolDefinition {
    name: "get_session",
    title: "Who and when",
    description: "The Odoo user you act as: companies, languages, time zone, today; and the tools you may use.",
    args: &[],
    category: Category::Read,
    risk: Risk::Low,
    annotations: READ_ONLY,
};

impl Tool for GetSession {
    fn definition(&self) -> &'static ToolDefinition {
        &SPEC
    }

    fn compile(&self, arguments: &mut ToolArguments) -> Result<Plan, ArgumentError> {
        Ok(Plan::read(vec![Step::Session {}], arguments))
    }

    fn shape(
        &self,
        _arguments: &ToolArguments,
        got: &Found<'_>,
        context: &ShapeContext<'_>,
    ) -> Result<Reply, Error> {
        let members: std::collections::BTreeMap<String, Box<RawValue>> = parse_result(got.first()?)?;
        let mut body = ObjectWriter::with_capacity(2048);
        for (name, value) in &members {
            body.raw(name, value);
        }
        body.put_if(!context.web_url.is_empty(), "web_url", context.web_url);
        let has_zone = members.get("tz").is_some_and(|tz| tz.get() != "null");
        body.put("tools", context.tools).put("times", if has_zone { UTC_NOTE } else { NO_ZONE });
        Ok(Reply::json(body))
    }
}
