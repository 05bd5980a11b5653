//! List of models, from the mirror: no call to Odoo while its cache is warm.

use serde_json::{Map, Value, json};

use crate::odoo::Error;
use crate::odoo::contract::ModelDocument;
use crate::tools::arguments::schema::{Arg, ArgKind, OFFSET};
use crate::tools::plan::{
    ArgumentError, Found, Plan, READ_ONLY, ShapeContext, Tool, ToolArguments, ToolDefinition,
};
use crate::tools::wording::answer::ObjectWriter;
use crate::tools::wording::bounded::leading;
use crate::tools::wording::suggest::{join_alternatives, question, suggest_sure};
use crate::tools::{Category, Reply, Risk};

const DEFAULT_LIMIT: u32 = 100;
const ACCESS_RIGHTS: [&str; 4] = ["read", "create", "write", "unlink"];

pub(in crate::tools) const LANG: Arg = Arg::optional("lang", ArgKind::Name, "For labels, e.g. fr_FR");

pub(in crate::tools) struct ListModels;

static SPEC: ToolDefinition = ToolDefinition {
    name: "list_models",
    title: "List models",
    description: "The models (tables) you may use: technical name, label, access. Start here.",
    args: &[
        Arg::optional("query", ArgKind::Name, "Words in name or label"),
        Arg::optional("limit", ArgKind::Number, "Default 100, at most 1000"),
        OFFSET,
        LANG,
    ],
    category: Category::Read,
    risk: Risk::Low,
    annotations: READ_ONLY,
};

impl Tool for ListModels {
    fn definition(&self) -> &'static ToolDefinition {
        &SPEC
    }

    fn compile(&self, arguments: &mut ToolArguments) -> Result<Plan, ArgumentError> {
        Ok(Plan::Models { lang: arguments.owned_text("lang") })
    }

    fn shape(
        &self,
        arguments: &ToolArguments,
        got: &Found<'_>,
        _context: &ShapeContext<'_>,
    ) -> Result<Reply, Error> {
        let Found::Models(models) = got else { return Err(Error::InvalidAnswer) };
        let query = arguments.text("query").unwrap_or_default();
        let found = matching(models, query);
        let (limit, offset) = (arguments.limit(DEFAULT_LIMIT), arguments.offset() as usize);
        let shown: Vec<Value> =
            found.iter().skip(offset).take(limit.rows as usize).map(|m| model_line(m)).collect();
        let shown = leading(shown);
        let next = offset + shown.len();
        let mut body = ObjectWriter::with_capacity(shown.len() * 100 + 256);
        body.put("count", shown.len()).put("total", found.len());
        body.put_if(next < found.len(), "next_offset", next);
        body.put_if(limit.clamped, "limit_applied", limit.rows);
        if found.is_empty() {
            body.put("hint", no_model(models, query));
        }
        body.put_if(!shown.is_empty(), "access", "read, create, write, unlink where a model names none");
        body.put("models", shown);
        Ok(Reply::json(body))
    }
}

/// Models that hold all words, those with the words at the start of their name or label first.
fn matching<'a>(models: &'a [ModelDocument], query: &str) -> Vec<&'a ModelDocument> {
    let query = query.to_lowercase();
    let mut words: Vec<&str> = query.split_whitespace().collect();
    words.sort_unstable();
    words.dedup();
    let mut found: Vec<(u8, &ModelDocument)> = models
        .iter()
        .filter_map(|model| {
            let (name, label) = (model.model.to_lowercase(), model.label.to_lowercase());
            let holds = words.iter().all(|word| name.contains(word) || label.contains(word));
            let rank = match () {
                () if name == query || label == query => 0,
                () if name.starts_with(&query) || label.starts_with(&query) => 1,
                () => 2,
            };
            holds.then_some((rank, model))
        })
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, model)| model).collect()
}

fn model_line(model: &ModelDocument) -> Value {
    let mut line = Map::new();
    line.insert("model".into(), json!(model.model));
    line.insert("label".into(), json!(model.label));
    if !ACCESS_RIGHTS.iter().all(|verb| model.access.iter().any(|known| known == verb)) {
        line.insert("access".into(), json!(model.access));
    }
    if model.transient {
        line.insert("wizard".into(), json!(true));
    }
    Value::Object(line)
}

fn no_model(models: &[ModelDocument], query: &str) -> String {
    let guess = suggest_sure(query, models.iter().map(|model| (model.model.as_str(), model.label.as_str())));
    match guess.as_slice() {
        [] => {
            "No model matches; technical names and labels are searched: try another or fewer words, or leave \
               out the query."
                .to_owned()
        }
        guess => format!("No model matches; {}", question(&join_alternatives(guess))),
    }
}
