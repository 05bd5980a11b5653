//! Promises about the forms in which arguments come, over every tool and every golden case.

use super::*;
use crate::tools::arguments::schema::ArgKind;
use crate::tools::arguments_of;

/// The arguments of all golden cases that compile to a plan, by tool.
fn golden() -> Vec<(ToolEntry, Vec<Map<String, Value>>)> {
    let cases = |entry: &ToolEntry| {
        let file = read_json(&golden_dir().join(format!("{}.json", entry.spec.name)));
        let planned = file["compile"].as_array().unwrap().iter().filter(|case| case.get("plan").is_some());
        planned.map(|case| object(&case["arguments"])).collect::<Vec<_>>()
    };
    entries()
        .into_iter()
        .map(|entry| {
            let cases = cases(&entry);
            (entry, cases)
        })
        .collect()
}

fn plan(entry: &ToolEntry, arguments: Map<String, Value>) -> Result<Value, String> {
    entry.compile(arguments).map(|(plan, _)| plan_json(&plan)).map_err(|refusal| refusal.0)
}

#[test]
fn an_optional_argument_that_says_nothing_is_not_given() {
    let mut seen = 0;
    for (entry, cases) in golden() {
        let base = cases.first().unwrap().clone();
        let expected = plan(&entry, base.clone()).unwrap();
        for arg in
            entry.tool.definition().args.iter().filter(|arg| !arg.required && !base.contains_key(arg.name))
        {
            // `id` would be read as `ids`, and so on: only the name itself is tried.
            for nothing in [json!(null), json!(""), json!("  "), json!([]), json!("```json\n```")] {
                if arg.kind == ArgKind::Text && nothing == json!("```json\n```") {
                    continue;
                }
                let mut arguments = base.clone();
                arguments.insert(arg.name.into(), nothing.clone());
                let got = plan(&entry, arguments);
                assert_eq!(got.as_ref(), Ok(&expected), "{}.{} = {nothing}", entry.spec.name, arg.name);
                seen += 1;
            }
        }
    }
    assert!(seen > 200, "{seen}");
}

#[test]
fn lists_and_objects_may_come_as_text() {
    let mut seen = 0;
    for (entry, cases) in golden() {
        for arguments in cases {
            let expected = plan(&entry, arguments.clone());
            let structured = arguments.iter().filter(|(_, value)| value.is_array() || value.is_object());
            for (name, value) in structured {
                let text = value.to_string();
                for form in [text.clone(), format!("```json\n{text}\n```"), json!(text).to_string()] {
                    let mut arguments = arguments.clone();
                    arguments.insert(name.clone(), json!(form));
                    assert_eq!(plan(&entry, arguments), expected, "{}.{name} = {form}", entry.spec.name);
                    seen += 1;
                }
            }
            let whole = arguments_of(&Value::Object(arguments.clone()).to_string()).unwrap();
            assert_eq!(plan(&entry, whole), expected, "{}", entry.spec.name);
        }
    }
    assert!(seen > 100, "{seen}");
}

/// What names the records of a change is never made up from nothing.
#[test]
fn nothing_never_becomes_everything() {
    for (tool, name) in [
        ("update_record", "ids"),
        ("update_record", "values"),
        ("delete_record", "id"),
        ("batch_update", "updates"),
        ("batch_delete", "ids"),
        ("batch_create", "records"),
        ("get_record", "ids"),
        ("traverse_relationships", "ids"),
        ("traverse_relationships", "path"),
    ] {
        let entry = entry(tool);
        let (_, cases) = golden().into_iter().find(|(entry, _)| entry.spec.name == tool).unwrap();
        for nothing in
            [json!(null), json!(""), json!([]), json!("[]"), json!("null"), json!("```json\n[]\n```")]
        {
            let mut arguments = cases.first().unwrap().clone();
            arguments.insert(name.into(), nothing.clone());
            let refusal = plan(&entry, arguments).expect_err(&format!("{tool}.{name} = {nothing}"));
            assert!(refusal.contains(&format!("`{name}`")), "{refusal}");
        }
    }
}

#[test]
fn a_method_of_a_model_takes_an_empty_list_of_records() {
    let entry = entry("execute_method");
    let call = |ids: Value| {
        let arguments = json!({"model": "res.partner", "method": "name_create", "args": ["A"], "ids": ids});
        plan(&entry, object(&arguments))
    };
    let without =
        plan(&entry, object(&json!({"model": "res.partner", "method": "name_create", "args": ["A"]})));
    for nothing in [json!([]), json!(null), json!(""), json!("[]"), json!("null")] {
        assert_eq!(call(nothing.clone()), without, "{nothing}");
    }
    assert_eq!(call(json!([5])).unwrap()["steps"][0]["ids"], json!([5]));
    // Without records it would create one.
    let saving = json!({"model": "res.partner", "method": "web_save", "args": [{}], "ids": []});
    assert!(plan(&entry, object(&saving)).unwrap_err().contains("web_save would create"));
}

#[test]
fn parts_of_lists_may_come_as_text() {
    for (tool, given, same) in [
        (
            "batch_update",
            json!({"model": "a", "updates": ["{\"id\": 7, \"values\": {\"name\": \"A\"}}"]}),
            json!({"model": "a", "updates": [{"id": 7, "values": {"name": "A"}}]}),
        ),
        (
            "batch_update",
            json!({"model": "a", "updates": [{"id": 7, "values": "{\"name\": \"A\"}"}]}),
            json!({"model": "a", "updates": [{"id": 7, "values": {"name": "A"}}]}),
        ),
        (
            "batch_create",
            json!({"model": "a", "records": ["{\"name\": \"A\"}"]}),
            json!({"model": "a", "records": [{"name": "A"}]}),
        ),
        (
            "search_read",
            json!({"model": "a", "domain": [["|"], "[\"b\", \"=\", 1]", ["c", "=", 2]], "fields": ["[\"name\"]"]}),
            json!({"model": "a", "domain": ["|", ["b", "=", 1], ["c", "=", 2]], "fields": ["name"]}),
        ),
        (
            "search_read",
            json!({"model": "```\na\n```", "limit": "```5```", "context": {"lang": "", "allowed_company_ids": []}}),
            json!({"model": "a", "limit": 5}),
        ),
    ] {
        let entry = entry(tool);
        assert_eq!(plan(&entry, object(&given)), plan(&entry, object(&same)), "{given}");
        assert!(plan(&entry, object(&given)).is_ok(), "{given}");
    }
    // The value of a record stays as it is, even if it looks like nothing.
    let entry = entry("create_record");
    let values = json!({"name": "```a```", "code": "[1]", "note": "", "tags": []});
    let made = plan(&entry, object(&json!({"model": "a", "values": values}))).unwrap();
    assert_eq!(made["steps"][0]["values"], json!([values]));
}
