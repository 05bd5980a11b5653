//! Schema of one model: ranked, truncated and counted, since whole schemas flood a conversation.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::models::LANG;
use crate::odoo::Error;
use crate::odoo::contract::FieldDocument;
use crate::tools::arguments::bounds::MAX_NAME_CHARS;
use crate::tools::arguments::schema::{Arg, ArgKind, MODEL, OFFSET};
use crate::tools::plan::{
    ArgumentError, Found, Plan, READ_ONLY, ShapeContext, Tool, ToolArguments, ToolDefinition,
};
use crate::tools::wording::answer::ObjectWriter;
use crate::tools::wording::bounded::leading;
use crate::tools::wording::suggest::{join_alternatives, question, suggest};
use crate::tools::{Category, Reply, Risk};
use crate::vocab::single_line;

const DEFAULT_LIMIT: u32 = 60;
/// Selections such as time zones have hundreds of values.
const MAX_SELECTION_VALUES: usize = 20;
const MAX_SELECTION_IN_FULL: usize = 1000;
/// Help beyond this is for people; a field requested by name shows more of it.
const MAX_HELP_CHARS: usize = 160;
const MAX_FULL_HELP_CHARS: usize = 1000;
/// Labels have no bound in Odoo.
const MAX_LABEL_CHARS: usize = 200;
/// Suggestions are computed for at most this many unknown names.
const MAX_SUGGESTED_NAMES: usize = 10;

pub(in crate::tools) struct DescribeModel;

static SPEC: ToolDefinition = ToolDefinition {
    name: "describe_model",
    title: "Describe a model",
    description: "Fields of a model, the most relevant first (type, label, relation, selection), and your access. \
                  `omitted` counts what is not shown: ask by `fields`, `pattern` or `offset`.",
    args: &[
        MODEL,
        Arg::optional("fields", ArgKind::Names, "Only these, in full"),
        Arg::optional("pattern", ArgKind::Name, "Words in name, label or type"),
        Arg::optional("limit", ArgKind::Number, "Default 60"),
        OFFSET,
        LANG,
    ],
    category: Category::Read,
    risk: Risk::Low,
    annotations: READ_ONLY,
};

impl Tool for DescribeModel {
    fn definition(&self) -> &'static ToolDefinition {
        &SPEC
    }

    fn compile(&self, arguments: &mut ToolArguments) -> Result<Plan, ArgumentError> {
        Ok(Plan::Fields { model: arguments.model(), lang: arguments.owned_text("lang") })
    }

    fn shape(
        &self,
        arguments: &ToolArguments,
        got: &Found<'_>,
        _context: &ShapeContext<'_>,
    ) -> Result<Reply, Error> {
        let Found::Fields { about, fields } = got else { return Err(Error::InvalidAnswer) };
        let named = arguments.names("fields");
        let pattern = arguments.text("pattern").unwrap_or_default();
        let found = matching_fields(fields, named.as_deref(), pattern);
        let (limit, offset) = (arguments.limit(DEFAULT_LIMIT), arguments.offset() as usize);
        let shown = found.iter().skip(offset).take(limit.rows as usize);
        let shown = leading(shown.map(|field| field_line(field, named.is_some())).collect());
        let mut body = ObjectWriter::with_capacity(shown.len() * 120 + 256);
        body.put("model", arguments.model());
        if let Some(about) = about {
            body.put("label", &about.label).put("access", &about.access);
            body.put_if(about.transient, "wizard", true);
        }
        let next = offset + shown.len();
        // Fields that do not match are not omitted ones.
        let all = if pattern.is_empty() { fields.len() } else { found.len() };
        body.put("count", shown.len()).put("omitted", all.saturating_sub(shown.len()));
        body.put_if(next < found.len(), "next_offset", next);
        let unknown = unknown_names(fields, named.as_deref());
        body.put_if(!unknown.is_empty(), "unknown_fields", unknown);
        if found.is_empty() && named.is_none() {
            body.put("hint", no_field(fields, pattern));
        }
        body.put("fields", shown);
        Ok(Reply::json(body))
    }
}

fn matching_fields<'a>(
    fields: &'a [FieldDocument],
    named: Option<&[String]>,
    pattern: &str,
) -> Vec<&'a FieldDocument> {
    let pattern = pattern.to_lowercase();
    // People write wildcards; a part of the text is meant either way.
    let mut words: Vec<&str> = pattern.split(|c: char| c.is_whitespace() || matches!(c, '*' | '%')).collect();
    words.sort_unstable();
    words.dedup();
    let holds = |field: &FieldDocument| {
        let text = format!("{} {} {}", field.name, field.label, field.kind).to_lowercase();
        words.iter().all(|word| text.contains(word))
    };
    match named {
        Some(named) => {
            let known: HashMap<&str, &FieldDocument> =
                fields.iter().map(|field| (field.name.as_str(), field)).collect();
            named
                .iter()
                .filter_map(|name| known.get(name.as_str()).copied())
                .filter(|field| holds(field))
                .collect()
        }
        None => fields.iter().filter(|field| holds(field)).collect(),
    }
}

fn no_field(fields: &[FieldDocument], pattern: &str) -> String {
    let guess = suggest(pattern, fields.iter().map(|field| (field.name.as_str(), field.label.as_str())));
    match guess.as_slice() {
        [] => {
            "No field matches; names, labels and types are searched: try another or fewer words.".to_owned()
        }
        guess => format!("No field matches; {}", question(&join_alternatives(guess))),
    }
}

/// Requested names that do not exist, each with suggestions.
fn unknown_names(fields: &[FieldDocument], named: Option<&[String]>) -> Map<String, Value> {
    let known: HashSet<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let strange = named.into_iter().flatten().filter(|name| !known.contains(name.as_str()));
    let meant = |(index, name): (usize, &String)| {
        let fields = fields.iter().map(|field| (field.name.as_str(), field.label.as_str()));
        let guess = if index < MAX_SUGGESTED_NAMES { suggest(name, fields) } else { Vec::new() };
        (single_line(name, MAX_NAME_CHARS), json!(guess))
    };
    strange.enumerate().map(meant).collect()
}

fn field_line(field: &FieldDocument, in_full: bool) -> Value {
    let mut line = match serde_json::to_value(field) {
        Ok(Value::Object(line)) => line,
        _ => return json!({"name": field.name}),
    };
    // What administrators wrote as help or label is data, not advice to the model that reads it.
    line.insert("label".into(), json!(single_line(&field.label, MAX_LABEL_CHARS)));
    if let Some(help) = &field.help {
        let most = if in_full { MAX_FULL_HELP_CHARS } else { MAX_HELP_CHARS };
        line.insert("help".into(), json!(single_line(help, most)));
    }
    let most = if in_full { MAX_SELECTION_IN_FULL } else { MAX_SELECTION_VALUES };
    if field.selection.len() > most {
        let few: Vec<_> = field.selection.iter().take(most).collect();
        line.insert("selection".into(), json!(few));
        line.insert("selection_omitted".into(), json!(field.selection.len() - most));
    }
    Value::Object(line)
}
