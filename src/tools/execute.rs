//! Methods of a model, as far as the connection's level goes, for what has no tool of its own.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::{Body, read};
use super::args::{Arg, CONTEXT, KEY, Kind, MODEL};
use super::plan::{Arguments, Got, Plan, RUNS, Refusal, Site, Spec, Tool};
use super::{Category, Reply, Risk};
use crate::odoo::Error;
use crate::odoo::gateway::{Mode, Step};
use crate::vocab::quoted;

pub(super) struct ExecuteMethod;

static SPEC: Spec = Spec {
    name: "execute_method",
    title: "Call a method",
    description: "Calls a public method of a model, e.g. action_confirm on a sale.order: what a button in Odoo does. \
                  May send mail or reach outside.",
    args: &[
        MODEL,
        Arg::must("method", Kind::Name, "no leading underscore"),
        Arg::may("ids", Kind::Ids, "Records to call it on; none for a method of the model"),
        Arg::may("args", Kind::List, "Positional, after the records"),
        Arg::may("kwargs", Kind::Object, "By name"),
        KEY,
        CONTEXT,
    ],
    category: Category::Execute,
    risk: Risk::High,
    annotations: RUNS,
};

impl Tool for ExecuteMethod {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn description_for_buttons(&self) -> &'static str {
        "Presses a button of Odoo's forms and lists, e.g. action_confirm on a sale.order: one that the user sees on \
         these records now, without args and kwargs. A refusal names the buttons that there are. Also action_archive, \
         action_unarchive, copy, message_post (body: a note), activity_schedule. May send mail or reach outside."
    }

    fn compile(&self, arguments: &mut Arguments) -> Result<Plan, Refusal> {
        let method = arguments.owned("method").unwrap_or_default();
        if method.starts_with('_') {
            return Err(Refusal::new(format!(
                "{} is private; Odoo lets only methods without a leading underscore be called.",
                quoted(&method)
            )));
        }
        if !method.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(Refusal::new(format!(
                "`method` takes the bare name of a method, not {}.",
                quoted(&method)
            )));
        }
        let kwargs = arguments.object("kwargs");
        if kwargs.contains_key("context") {
            return Err(Refusal::new("Give the context in the argument `context`, not inside `kwargs`."));
        }
        let ids = arguments.ids("ids")?;
        // Odoo would run it on nothing and answer as if it were done.
        if ids.is_empty() && arguments.0.contains_key("ids") {
            return Err(Refusal::new(format!(
                "`ids` is empty, so {} would do nothing: name the records (search_records finds them), or leave \
                 `ids` out where the method belongs to the model and not to records.",
                quoted(&method)
            )));
        }
        let step = Step::Call { model: arguments.model(), method, ids, args: arguments.list("args"), kwargs };
        Ok(Plan::change(Mode::Run, vec![step], arguments))
    }

    fn shape(&self, arguments: &Arguments, got: &Got<'_>, _site: &Site<'_>) -> Result<Reply, Error> {
        let Got::Results { replayed, .. } = got else { return Err(Error::BadAnswer) };
        let Returned { result } = read(got.first()?)?;
        let mut body = Body::with_room(result.get().len() + 512);
        body.put("model", arguments.model()).put("method", arguments.text("method"));
        body.put_if(*replayed, "replayed", true);
        if let Some(hint) = action_hint(result) {
            body.put("hint", hint);
        }
        body.raw("result", result);
        Ok(Reply::json(body))
    }
}

#[derive(Deserialize)]
struct Returned<'a> {
    #[serde(borrow)]
    result: &'a RawValue,
}

/// The parts of an action that say what a person would see next.
#[derive(Deserialize)]
struct Action {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    res_model: Option<String>,
    #[serde(default)]
    res_id: serde_json::Value,
    #[serde(default)]
    target: Option<String>,
}

/// What an action dictionary means for someone who has no screen.
fn action_hint(result: &RawValue) -> Option<String> {
    if !result.get().starts_with('{') || !result.get().contains("\"ir.actions.") {
        return None;
    }
    let action: Action = serde_json::from_str(result.get()).ok()?;
    let model = action.res_model.as_deref().map_or_else(|| "another model".to_owned(), quoted);
    match action.kind.as_str() {
        "ir.actions.act_window" if action.target.as_deref() == Some("new") => {
            Some(match action.res_id.as_i64() {
                Some(id) => format!(
                    "Not done yet: Odoo opens the wizard {model}, record {id}. Fill it with update_record, then call \
                 its button with execute_method."
                ),
                None => format!(
                    "Not done yet: Odoo opens the wizard {model}. See its fields with describe_model, create one with \
                 create_record (with the default_ values of the result's context and the records it is for), then \
                 call its button with execute_method on its id."
                ),
            })
        }
        "ir.actions.act_window" => {
            Some(format!("Done; Odoo would now show {model}. Read it if you need it."))
        }
        "ir.actions.report" => Some("Done; Odoo would now print this report.".to_owned()),
        "ir.actions.act_url" => Some("Done; Odoo would now open this address for the user.".to_owned()),
        "ir.actions.client" => Some("Done; this is only a message or view for Odoo's own screen.".to_owned()),
        _ => None,
    }
}
