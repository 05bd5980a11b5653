//! Method calls, as far as the method level of the connection allows, for actions that have no tool.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::odoo::Error;
use crate::odoo::contract::{Mode, Step};
use crate::tools::arguments::schema::{Arg, ArgKind, IDEMPOTENCY_KEY, MODEL, WIZARD_CONTEXT};
use crate::tools::plan::{
    ArgumentError, Found, OPEN_WORLD, Plan, ShapeContext, Tool, ToolArguments, ToolDefinition,
};
use crate::tools::wording::answer::{ObjectWriter, parse_result};
use crate::tools::{Category, Reply, Risk};
use crate::vocab::quoted;

pub(in crate::tools) struct ExecuteMethod;

static SPEC: ToolDefinition = ToolDefinition {
    name: "execute_method",
    title: "Call a method",
    description: "Calls a public method of a model, e.g. action_confirm on a sale.order: what a button in Odoo does. \
                  May send mail or reach outside.",
    args: &[
        MODEL,
        Arg::required("method", ArgKind::Name, "no leading underscore"),
        Arg::optional("ids", ArgKind::Ids, "Records to call it on; none for a method of the model"),
        Arg::optional("args", ArgKind::List, "Positional, after the records, of any type, e.g. [\"done\"]"),
        Arg::optional("kwargs", ArgKind::Object, "By name, e.g. {\"name\":\"A\"}"),
        IDEMPOTENCY_KEY,
        WIZARD_CONTEXT,
    ],
    category: Category::Execute,
    risk: Risk::High,
    annotations: OPEN_WORLD,
};

impl Tool for ExecuteMethod {
    fn definition(&self) -> &'static ToolDefinition {
        &SPEC
    }

    fn description_for_buttons(&self) -> &'static str {
        "Presses a button of Odoo's forms and lists, e.g. action_confirm on a sale.order: one that the user sees on \
         these records now, without args and kwargs. A refusal names the buttons that there are. Also action_archive, \
         action_unarchive, copy, message_post (body: a note), activity_schedule. May send mail or reach outside."
    }

    fn compile(&self, arguments: &mut ToolArguments) -> Result<Plan, ArgumentError> {
        let method = arguments.owned_text("method").unwrap_or_default();
        if method.starts_with('_') {
            return Err(ArgumentError::new(format!(
                "{} is private; Odoo lets only methods without a leading underscore be called.",
                quoted(&method)
            )));
        }
        // A button that carries out an action is named by the XML id of the action.
        if !method.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')) {
            return Err(ArgumentError::new(format!(
                "`method` takes the bare name of a method, not {}.",
                quoted(&method)
            )));
        }
        let kwargs = arguments.object("kwargs");
        if kwargs.contains_key("context") {
            return Err(ArgumentError::new(
                "Give the context in the argument `context`, not inside `kwargs`.",
            ));
        }
        let ids = arguments.ids("ids")?;
        // An empty list is "not given", and Odoo refuses a method of records without any. This one would create.
        if ids.is_empty() && arguments.0.contains_key("ids") && method == "web_save" {
            return Err(ArgumentError::new(
                "`ids` is empty, so web_save would create a record: name the records to change (search_records finds \
                 them), or leave `ids` out to create one.",
            ));
        }
        let step = Step::Call { model: arguments.model(), method, ids, args: arguments.list("args"), kwargs };
        Ok(Plan::change(Mode::Run, vec![step], arguments))
    }

    fn shape(
        &self,
        arguments: &ToolArguments,
        got: &Found<'_>,
        _context: &ShapeContext<'_>,
    ) -> Result<Reply, Error> {
        let Found::Results { replayed, .. } = got else { return Err(Error::InvalidAnswer) };
        let MethodResult { result, notes, records, changed, opened } = parse_result(got.first()?)?;
        let mut body = ObjectWriter::with_capacity(result.get().len() + 512);
        body.put("model", arguments.model()).put("method", arguments.text("method"));
        body.put_if(*replayed, "replayed", true);
        body.put_if(!notes.is_empty(), "notes", &notes);
        if !records.is_empty() {
            body.rows("records", &records);
        }
        if !changed.is_empty() {
            body.rows("changed", &changed);
        }
        if let Some(opened) = opened {
            body.put("hint", opened.hint()).put("opened", opened);
        } else if let Some(hint) = action_hint(result) {
            body.put("hint", hint);
        }
        body.raw("result", result);
        Ok(Reply::json(body))
    }
}

#[derive(Deserialize)]
struct MethodResult<'a> {
    #[serde(borrow)]
    result: &'a RawValue,
    #[serde(default)]
    notes: Vec<String>,
    /// The records that the method was called on: id, name and state now.
    #[serde(borrow, default)]
    records: Vec<&'a RawValue>,
    /// Records that the method changed: id, name and changed fields.
    #[serde(borrow, default)]
    changed: Vec<&'a RawValue>,
    #[serde(default)]
    opened: Option<OpenedWizard>,
}

/// A wizard that has to be filled in and confirmed before anything is done.
#[derive(Deserialize, Serialize)]
struct OpenedWizard {
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    handle: String,
    /// Labels by method.
    #[serde(default)]
    buttons: Map<String, Value>,
}

// === impl Opened ===

impl OpenedWizard {
    fn hint(&self) -> String {
        let Self { model, id, handle, buttons } = self;
        let button = buttons.keys().next().map_or("its button", String::as_str);
        let first = match id {
            Some(id) => format!("fill in record {id} with update_record"),
            None => {
                "create it with create_record (see describe_model; what is left out gets Odoo's defaults)"
                    .to_owned()
            }
        };
        format!(
            "Not done yet: Odoo opens the wizard {model}. Within 15 minutes: {first}, then call {button} on its id with \
             execute_method; name context {{\"handle\": \"{handle}\"}} in both."
        )
    }
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

/// What an action dictionary means for a client without a screen.
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
