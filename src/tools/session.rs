//! Who the caller is, where and when: what a model should know before it computes dates or picks a company.

use serde_json::value::RawValue;

use super::answer::{Body, read};
use super::plan::{Arguments, Got, Plan, READS, Refusal, Site, Spec, Tool};
use super::{Category, Reply, Risk};
use crate::odoo::Error;
use crate::odoo::gateway::Step;

const TIMES: &str = "All datetimes, in answers and arguments, are UTC (Z): convert to and from tz for the user. \
                     Dates have no time zone.";
const NO_ZONE: &str = "All datetimes, in answers and arguments, are UTC (Z). This user has no time zone in Odoo, so days \
                       and hours are those of UTC, unless context.tz names another. Dates have no time zone.";

pub(super) struct GetSession;

static SPEC: Spec = Spec {
    name: "get_session",
    title: "Who and when",
    description: "The Odoo user you act as: companies, languages, time zone, today; and the tools you may use.",
    args: &[],
    category: Category::Read,
    risk: Risk::Low,
    annotations: READS,
};

impl Tool for GetSession {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn compile(&self, arguments: &mut Arguments) -> Result<Plan, Refusal> {
        Ok(Plan::read(vec![Step::Session {}], arguments))
    }

    fn shape(&self, _arguments: &Arguments, got: &Got<'_>, site: &Site<'_>) -> Result<Reply, Error> {
        let members: std::collections::BTreeMap<String, Box<RawValue>> = read(got.first()?)?;
        let mut body = Body::with_room(2048);
        for (name, value) in &members {
            body.raw(name, value);
        }
        body.put_if(!site.web_url.is_empty(), "web_url", site.web_url);
        let has_zone = members.get("tz").is_some_and(|tz| tz.get() != "null");
        body.put("tools", site.tools).put("times", if has_zone { TIMES } else { NO_ZONE });
        Ok(Reply::json(body))
    }
}
