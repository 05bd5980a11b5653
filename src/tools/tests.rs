//! Promises that hold over all tools: golden plans and answers, schemas, size, visibility.

use std::path::PathBuf;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

mod lenient;
mod lint;

use super::plan::{Found, Plan, ShapeContext};
use super::toolbox::{ToolEntry, dry_run_results, entries, wrap_dry_run};
use super::*;
use crate::odoo::contract::Fault;
use crate::vocab::{
    AddressRules, ConnectionId, ConnectionKind, MethodLevel, Principal, Proof, RateLimits, Scope, User,
    UserId,
};

/// Built with `BLESS=1`, the golden tests write what they see; the difference is then reviewed in git.
const BLESS: bool = option_env!("BLESS").is_some();

fn golden_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire/tools")
}

fn read_json(path: &std::path::Path) -> Value {
    let fault = |error: &dyn std::error::Error| -> ! { panic!("{}: {error}", path.display()) };
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| fault(&error));
    serde_json::from_str(&text).unwrap_or_else(|error| fault(&error))
}

fn entry(name: &str) -> ToolEntry {
    entries().into_iter().find(|entry| entry.spec.name == name).unwrap_or_else(|| panic!("no tool {name}"))
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn raws(values: &Value) -> Vec<Box<RawValue>> {
    values.as_array().into_iter().flatten().map(|value| to_raw_value(value).unwrap()).collect()
}

fn plan_json(plan: &Plan) -> Value {
    match plan {
        Plan::Call(draft) => json!({
            "mode": draft.mode, "steps": draft.steps, "context": draft.context, "dry_run": draft.dry_run,
            "idempotency_key": draft.idempotency_key,
        }),
        Plan::Models { lang } => json!({"models": {"lang": lang}}),
        Plan::Fields { model, lang } => json!({"fields": {"model": model, "lang": lang}}),
    }
}

/// What a compile case gives: `plan` or `refusal`.
fn compiled(entry: &ToolEntry, case: &Value) -> (&'static str, Value) {
    match entry.compile(object(&case["arguments"])) {
        Ok((plan, _)) => ("plan", plan_json(&plan)),
        Err(refusal) => ("refusal", json!(refusal.0)),
    }
}

/// What a shape case gives: `reply`, `error` or the plan of a second look.
fn shaped(entry: &ToolEntry, case: &Value) -> (&'static str, Value) {
    let (_, arguments) = entry.compile(object(&case["arguments"])).unwrap();
    let context =
        ShapeContext { web_url: "https://odoo.example.com", tools: &["get_session", "search_read"] };
    let (results, more) = (raws(&case["results"]), raws(&case["more"]));
    let models: Vec<_> = serde_json::from_value(case["models"].clone()).unwrap_or_default();
    let fields: Vec<_> = serde_json::from_value(case["fields"].clone()).unwrap_or_default();
    let mirrored: Vec<_> = serde_json::from_value(case["mirrored"].clone()).unwrap_or_default();
    let got = match () {
        () if !fields.is_empty() => Found::Fields { about: models.first(), fields: &fields },
        () if case.get("models").is_some() => Found::Models(&models),
        () => {
            let replayed = case["replayed"] == json!(true);
            Found::Results { results: &results, replayed, follow_up: &more, fields: &mirrored }
        }
    };
    if let (Some(plan), true) = (entry.tool.follow_up(&arguments, &got), more.is_empty()) {
        return ("look_again", plan_json(&plan));
    }
    let reply = if let Some(fault) = case.get("dry_run") {
        let fault: Fault = serde_json::from_value(fault.clone()).unwrap();
        let results = dry_run_results(&fault).unwrap();
        let got = Found::Results { results: &results, replayed: false, follow_up: &[], fields: &[] };
        wrap_dry_run(&entry.tool.shape(&arguments, &got, &context).unwrap(), entry.spec.annotations).unwrap()
    } else {
        entry.tool.shape(&arguments, &got, &context).unwrap()
    };
    if reply.is_error {
        return ("error", json!(reply.text));
    }
    let read: Value = serde_json::from_str(&reply.text).unwrap();
    assert_eq!(reply.text, read.to_string(), "compact");
    ("reply", read)
}

fn check_golden(kind: &str, run: fn(&ToolEntry, &Value) -> (&'static str, Value)) -> usize {
    let mut seen = 0;
    for entry in entries() {
        let path = golden_dir().join(format!("{}.json", entry.spec.name));
        let mut file = read_json(&path);
        for case in file[kind].as_array_mut().unwrap() {
            let (member, value) = run(&entry, case);
            if BLESS {
                case[member] = value;
            } else {
                assert_eq!(case.get(member), Some(&value), "{}: {}", entry.spec.name, case["name"]);
            }
            seen += 1;
        }
        if BLESS {
            std::fs::write(&path, serde_json::to_string_pretty(&file).unwrap() + "\n").unwrap();
        }
    }
    seen
}

/// One test, since two that bless would write the same files at the same time.
#[test]
fn arguments_and_results_give_the_golden_plans_and_answers() {
    assert!(check_golden("compile", compiled) >= 60);
    assert!(check_golden("shape", shaped) >= 30);
}

#[test]
fn every_step_of_the_contract_is_compiled_and_every_answer_shaped() {
    let contract = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire/contract/execute.json");
    let mut shaped_ops = std::collections::BTreeSet::new();
    for case in read_json(&contract)["cases"].as_array().unwrap() {
        let request = &case["request"];
        let entry = entry(request["tool"].as_str().unwrap());
        let golden = read_json(&golden_dir().join(format!("{}.json", entry.spec.name)));
        let Some(results) = case["answer"].get("results") else { continue };
        let same = golden["compile"].as_array().unwrap().iter().find(|golden| {
            golden["plan"]["steps"] == request["steps"] && golden["plan"]["mode"] == request["mode"]
        });
        let same = same.unwrap_or_else(|| panic!("no golden case compiles to {}", case["name"]));
        let (kind, _) = shaped(&entry, &json!({"arguments": same["arguments"], "results": results}));
        assert_eq!(kind, "reply", "{}", case["name"]);
        shaped_ops.insert(request["steps"][0]["op"].to_string());
    }
    assert!(shaped_ops.len() >= 11, "{shaped_ops:?}");
}

// === tools/list ===

fn listed_tool(spec: &ToolSpec) -> Value {
    json!({
        "name": spec.name,
        "title": spec.title,
        "description": spec.description,
        "inputSchema": *spec.input_schema,
        "annotations": {
            "readOnlyHint": spec.annotations.read_only,
            "destructiveHint": spec.annotations.destructive,
            "idempotentHint": spec.annotations.idempotent,
            "openWorldHint": spec.annotations.open_world,
        },
    })
}

#[test]
fn the_list_of_tools_is_small() {
    let tools: Vec<Value> = entries().iter().map(|entry| listed_tool(&entry.spec)).collect();
    let bytes = json!({"tools": tools}).to_string().len();
    // Of the 16 kB some are for `_meta` of each tool and the envelope.
    assert!(bytes <= 15_000, "{bytes} bytes");
}

/// The released tools in the order that clients have seen, which keeps the prompt caches of models warm.
const RELEASED: [&str; 16] = [
    "get_session",
    "list_models",
    "describe_model",
    "search_records",
    "search_read",
    "search_count",
    "get_record",
    "read_group",
    "traverse_relationships",
    "create_record",
    "update_record",
    "delete_record",
    "batch_create",
    "batch_update",
    "batch_delete",
    "execute_method",
];

#[test]
fn every_tool_has_a_golden_file_and_keeps_its_place() {
    let names: Vec<&str> = entries().iter().map(|entry| entry.spec.name).collect();
    let mut sorted: Vec<String> = names.iter().map(|name| format!("{name}.json")).collect();
    sorted.sort_unstable();
    let files = std::fs::read_dir(golden_dir()).unwrap();
    let mut files: Vec<String> =
        files.map(|file| file.unwrap().file_name().to_str().unwrap().to_owned()).collect();
    files.sort_unstable();
    assert_eq!(sorted, files);
    let released: Vec<&str> = names.into_iter().filter(|name| RELEASED.contains(name)).collect();
    assert_eq!(released, RELEASED);
}

#[test]
fn schemas_keep_to_what_every_client_takes() {
    for entry in entries() {
        for principal in [principal(Scope::Full, &[]), pressing()] {
            let spec = entry.spec_for(&principal);
            assert_eq!(lint::faults(&listed_tool(&spec)), Vec::<String>::new());
            assert!(!spec.description.contains("  "), "{}: {}", spec.name, spec.description);
        }
    }
}

/// The published schema shows forms, the accepted one takes more of them: what fits the first fits the second.
#[test]
fn what_is_published_is_accepted() {
    for entry in entries() {
        let args = entry.tool.definition().args;
        let (published, accepted) =
            (super::arguments::schema::published(args), super::arguments::schema::accepted(args));
        assert_eq!(published.get("required"), accepted.get("required"), "{}", entry.spec.name);
        let names =
            |schema: &Map<String, Value>| object(&schema["properties"]).keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&published), names(&accepted), "{}", entry.spec.name);
        for (name, property) in object(&published["properties"]) {
            let open = &accepted["properties"][&name];
            assert_eq!(property["type"], open["type"], "{}.{name}", entry.spec.name);
        }
    }
}

/// Free-form arguments show one example.
#[test]
fn free_forms_show_an_example() {
    for entry in entries() {
        for arg in entry.tool.definition().args {
            let free = matches!(
                arg.kind,
                super::arguments::schema::ArgKind::Domain
                    | super::arguments::schema::ArgKind::Object
                    | super::arguments::schema::ArgKind::Objects
                    | super::arguments::schema::ArgKind::Updates
                    | super::arguments::schema::ArgKind::List
                    | super::arguments::schema::ArgKind::Context
            );
            if free {
                let example = arg.description.split_once(".g. ").map(|(_, rest)| rest);
                assert!(example.is_some_and(|text| text.starts_with(['[', '{'])), "{}", arg.description);
            }
        }
    }
}

/// A tool with one argument.
fn with_argument(schema: Value) -> Value {
    json!({"name": "a_tool", "title": "A", "description": "Does.", "inputSchema": {
        "type": "object", "properties": {"a": schema}, "additionalProperties": false}})
}

#[test]
fn the_linter_finds_what_clients_cannot_take() {
    let good = json!({"type": "array", "description": "x", "items": {"type": "object", "properties": {
        "name": {"type": "string"}}, "additionalProperties": true}});
    assert_eq!(lint::faults(&with_argument(good)), Vec::<String>::new());
    let nothing = json!({"name": "a_tool", "title": "A", "description": "Does.",
                         "inputSchema": {"type": "object", "properties": {}}});
    assert_eq!(lint::faults(&nothing), Vec::<String>::new());
    let long = "x".repeat(1024);
    for (schema, fault) in [
        (json!({"type": "array", "description": "x", "items": {}}), "no items"),
        (json!({"type": "array", "description": "x"}), "no items"),
        (json!({"type": "array", "description": "x", "items": {"type": "object"}}), "no properties"),
        (json!({"type": "array", "description": "x", "items": {"type": "array", "items": {}}}), "no items"),
        (json!({"type": "object", "description": "x"}), "no properties"),
        (json!({"type": "object", "description": "x", "properties": {}}), "no properties"),
        (json!({"type": "object", "description": "x", "properties": {"b": {}}}), "not one type"),
        (json!({"type": ["string", "null"], "description": "x"}), "not one type"),
        (json!({"description": "x"}), "not one type"),
        (json!({"type": "null", "description": "x"}), "not one type"),
        (json!({"type": "string"}), "no description"),
        (json!({"type": "string", "description": long}), "description too long"),
        (json!({"type": "string", "description": "x", "items": {"type": "string"}}), "another type"),
        (
            json!({"type": "object", "description": "x", "properties": {"b": {"type": "string"}}, "required": ["c"]}),
            "requires",
        ),
        (
            json!({"type": "object", "description": "x", "properties": {"b c": {"type": "string"}}}),
            "the property",
        ),
        (
            json!({"type": "object", "description": "x", "properties": {"b": {"type": "string"}},
                "additionalProperties": {"type": "string"}}),
            "additionalProperties",
        ),
    ] {
        let found = lint::faults(&with_argument(schema.clone()));
        assert!(found.iter().any(|found| found.contains(fault)), "{schema}: {found:?}");
    }
}

#[test]
fn the_linter_finds_foreign_keywords_and_bad_roots() {
    for keyword in ["$ref", "anyOf", "oneOf", "allOf", "const", "default", "enum", "not", "format", "pattern"]
    {
        let mut inner = json!({"type": "string"});
        inner[keyword] = json!("x");
        let schema = json!({"type": "array", "description": "x", "items": inner});
        assert!(
            lint::faults(&with_argument(schema)).iter().any(|found| found.ends_with(keyword)),
            "{keyword}"
        );
    }
    for (member, value) in [
        ("name", json!("a.tool")),
        ("name", json!("x".repeat(41))),
        ("title", json!("")),
        ("description", json!("x".repeat(1024))),
        ("inputSchema", json!({"type": "object"})),
        ("inputSchema", json!({"type": "array", "properties": {}})),
        (
            "outputSchema",
            json!({"type": "object", "properties": {"a": {"type": "array", "description": "x"}}}),
        ),
        ("outputSchema", json!({"type": "object"})),
    ] {
        let mut bad = with_argument(json!({"type": "string", "description": "x"}));
        bad[member] = value;
        assert!(!lint::faults(&bad).is_empty(), "{bad}");
    }
}

#[test]
fn annotations_and_categories_agree() {
    for entry in entries() {
        let spec = &entry.spec;
        assert_eq!(spec.annotations.read_only, spec.category == Category::Read, "{}", spec.name);
        assert_eq!(spec.annotations.read_only, spec.risk == Risk::Low, "{}", spec.name);
        if !spec.annotations.read_only {
            let properties = spec.input_schema["properties"].as_object().unwrap();
            assert!(properties.contains_key("idempotency_key"), "{}", spec.name);
            assert_eq!(properties.contains_key("dry_run"), spec.category == Category::Write, "{}", spec.name);
        }
    }
}

// === who sees what ===

fn principal(scope: Scope, allowed_tools: &[&str]) -> Principal {
    Principal {
        connection: ConnectionId(1),
        connection_name: "Test".into(),
        kind: ConnectionKind::ApiKey,
        scope,
        upgradable: false,
        audience: None,
        user: User { id: UserId(2), login: "admin".into(), name: "Admin".into(), lang: None, tz: None },
        allowed_tools: allowed_tools.iter().map(|&name| name.to_owned()).collect(),
        allowed_models: Vec::new(),
        method_level: MethodLevel::Any,
        limits: RateLimits::default(),
        addresses: AddressRules::default(),
        schema_key: "k".into(),
        proof: Proof::of_text("x"),
    }
}

/// A connection that may press buttons only.
fn pressing() -> Principal {
    Principal { method_level: MethodLevel::Buttons, ..principal(Scope::Full, &[]) }
}

fn visible_tools(principal: &Principal) -> Vec<&'static str> {
    entries().iter().filter(|entry| entry.is_visible_to(principal)).map(|entry| entry.spec.name).collect()
}

#[test]
fn a_read_only_connection_sees_no_tool_that_writes_or_runs() {
    let names = visible_tools(&principal(Scope::ReadOnly, &[]));
    assert!(names.len() >= 9);
    for entry in entries() {
        assert_eq!(
            names.contains(&entry.spec.name),
            entry.spec.category == Category::Read,
            "{}",
            entry.spec.name
        );
    }
    assert_eq!(visible_tools(&principal(Scope::Full, &[])).len(), entries().len());
}

#[test]
fn the_list_of_the_administrator_narrows_and_never_widens() {
    assert_eq!(
        visible_tools(&principal(Scope::Full, &["search_read", "delete_record"])),
        ["search_read", "delete_record"]
    );
    assert_eq!(
        visible_tools(&principal(Scope::ReadOnly, &["search_read", "delete_record"])),
        ["search_read"]
    );
}

#[test]
fn a_connection_without_methods_sees_all_but_the_tool_that_calls_them() {
    let all = visible_tools(&principal(Scope::Full, &[]));
    let without = Principal { method_level: MethodLevel::None, ..principal(Scope::Full, &[]) };
    let left: Vec<_> = all.into_iter().filter(|&name| name != "execute_method").collect();
    assert_eq!(visible_tools(&without), left);
    let named = Principal { method_level: MethodLevel::None, ..principal(Scope::Full, &["execute_method"]) };
    assert!(visible_tools(&named).is_empty());
}

#[test]
fn the_description_of_methods_follows_the_level() {
    let described = |level| {
        let principal = Principal { method_level: level, ..principal(Scope::Full, &[]) };
        let specs = entries().iter().map(|entry| entry.spec_for(&principal)).collect::<Vec<_>>();
        let of =
            |name: &str| specs.iter().find(|spec| spec.name == name).map(|spec| spec.description).unwrap();
        (of("execute_method"), of("search_read"))
    };
    let (any, read) = described(MethodLevel::Any);
    let (pressing, same) = described(MethodLevel::Buttons);
    assert!(any.contains("public method") && !pressing.contains("public method"));
    assert!(pressing.contains("button") && pressing.len() <= 400, "{}", pressing.len());
    assert_eq!(read, same);
}
