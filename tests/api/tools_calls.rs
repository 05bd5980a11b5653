//! Tools against a fake Odoo: what is asked, how often, and what a model reads.

use serde_json::{Value, json};

use crate::support::fake_odoo::Reply;
use crate::support::tools::Bench;

#[tokio::test]
async fn a_search_asks_odoo_once_and_hands_its_rows_on() {
    let bench = Bench::new().await;
    let answer =
        bench.answer("search_read", json!({"model": "res.partner", "fields": "name", "limit": "5"})).await;
    assert_eq!(
        answer,
        json!({
            "model": "res.partner", "count": 1, "has_more": false,
            "record_url": "https://odoo.example.com/odoo/res.partner/{id}",
            "records": [{"id": 14, "name": "Azure Interior", "display_name": "Azure Interior"}],
        })
    );
    let requests = bench.odoo.requests("execute");
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert_eq!((&request["tool"], &request["mode"]), (&json!("search_read"), &json!("read")));
    assert_eq!(request["ip"], "203.0.113.9");
    assert_eq!(request["proof"], bench.principal.proof.to_hex());
    assert_eq!(request["idempotency_key"], Value::Null);
    assert_eq!(request["steps"][0]["fields"], json!(["name"]));
    assert_eq!(request["steps"][0]["limit"], 5);
    assert!(request["deadline_ms"].as_u64().unwrap() <= 30_000);
}

#[tokio::test]
async fn a_write_carries_its_key_and_the_longer_deadline() {
    let bench = Bench::new().await;
    let arguments = json!({"model": "res.partner", "values": {"name": "New"}, "idempotency_key": "k"});
    let first = bench.answer("create_record", arguments.clone()).await;
    assert_eq!(first["created"], json!([{"id": 77, "display_name": "New"}]));
    bench.answer("create_record", arguments).await;
    let requests = bench.odoo.requests("execute");
    assert_eq!(requests.len(), 2);
    assert_ne!(requests[0]["call_id"], requests[1]["call_id"]);
    assert_eq!((&requests[0]["mode"], &requests[0]["idempotency_key"]), (&json!("write"), &json!("k")));
    let deadline = requests[0]["deadline_ms"].as_u64().unwrap();
    assert!((30_001..=60_000).contains(&deadline), "{deadline}");
}

#[tokio::test]
async fn every_tool_gets_through_to_an_answer() {
    let bench = Bench::new().await;
    let model = "res.partner";
    for (tool, arguments) in [
        ("get_session", json!({})),
        ("list_models", json!({})),
        ("describe_model", json!({"model": model})),
        ("search_records", json!({"model": model, "query": "azure"})),
        ("search_read", json!({"model": model, "total": true})),
        ("search_count", json!({"model": model})),
        ("get_record", json!({"model": model, "id": 14})),
        ("read_group", json!({"model": model, "groupby": "country_id"})),
        ("traverse_relationships", json!({"model": model, "ids": 14, "path": "country_id"})),
        ("create_record", json!({"model": model, "values": {"name": "x"}})),
        ("update_record", json!({"model": model, "id": 14, "values": {"name": "x"}})),
        ("delete_record", json!({"model": model, "id": 14})),
        ("batch_create", json!({"model": model, "records": [{"name": "x"}]})),
        ("batch_update", json!({"model": model, "updates": [{"id": 14, "values": {"name": "x"}}]})),
        ("batch_delete", json!({"model": model, "ids": [14]})),
        ("execute_method", json!({"model": model, "method": "action_archive", "ids": [14]})),
    ] {
        bench.answer(tool, arguments).await;
    }
    let golden = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire/tools")).unwrap();
    assert_eq!(bench.tools.list(&bench.principal).len(), golden.count());
}

#[tokio::test]
async fn models_and_fields_come_from_the_mirror_and_are_asked_for_once() {
    let bench = Bench::new().await;
    for _ in 0..3 {
        let models = bench.answer("list_models", json!({"query": "country"})).await;
        assert_eq!(
            models["models"],
            json!([{"model": "res.country", "label": "Country", "access": ["read"]}])
        );
        let fields =
            bench.answer("describe_model", json!({"model": "res.partner", "fields": ["country_id"]})).await;
        assert_eq!(fields["label"], "Contact");
        assert_eq!(fields["fields"][0]["relation"], "res.country");
        assert_eq!(fields["omitted"], 2);
    }
    assert_eq!(bench.odoo.count("execute"), 0);
    assert_eq!(bench.odoo.count("schema"), 2);
}

#[tokio::test]
async fn labels_come_in_the_language_asked_for() {
    let bench = Bench::new().await;
    bench.answer("describe_model", json!({"model": "res.partner", "lang": "fr_FR"})).await;
    let requests = bench.odoo.requests("schema");
    assert!(requests.iter().all(|request| request["lang"] == "fr_FR"), "{requests:?}");
}

#[tokio::test]
async fn an_empty_search_by_name_looks_a_second_time() {
    let bench = Bench::new().await;
    bench.odoo.on("execute", |request| {
        let results: Vec<Value> = match request["context"]["active_test"] == false {
            false => vec![json!({"records": [], "has_more": false})],
            true => vec![json!({"count": 2})],
        };
        json!({"call_id": request["call_id"], "results": results, "replayed": false})
    });
    let answer = bench.answer("search_records", json!({"model": "res.partner", "query": "azure"})).await;
    assert_eq!(answer["count"], 0);
    assert_eq!(answer["hint"], "2 archived match: pass context {\"active_test\": false} to see them.");
    assert_eq!(bench.odoo.count("execute"), 2);
}

#[tokio::test]
async fn an_empty_search_stays_an_answer_where_the_second_look_fails() {
    let bench = Bench::new().await;
    bench.odoo.on("execute", |request| match request["context"]["active_test"] == false {
        false => {
            let results = json!([{"records": [], "has_more": false}]);
            Reply::Answer(json!({"call_id": request["call_id"], "results": results, "replayed": false}))
        }
        true => Reply::fault("invalid_domain", json!({"model": "res.partner"})),
    });
    let answer = bench.answer("search_records", json!({"model": "res.partner", "query": "azure"})).await;
    assert!(answer["hint"].as_str().unwrap().starts_with("Nothing matched"), "{answer}");
}

fn with_a_selection(bench: &Bench) {
    bench.odoo.on("schema", |_| {
        json!({"fields": {"res.partner": [
            {"name": "name", "type": "char", "label": "Name"},
            {"name": "type", "type": "selection", "label": "Address Type",
             "selection": [["contact", "Contact"], ["invoice", "Invoice Address"]]},
        ]}})
    });
}

fn finds_nothing(bench: &Bench) {
    bench.odoo.on("execute", |request| {
        let result = match request["steps"][0]["op"].as_str() {
            Some("search_count") => json!({"count": 0}),
            _ => json!({"records": [], "has_more": false}),
        };
        json!({"call_id": request["call_id"], "results": [result], "replayed": false})
    });
}

#[tokio::test]
async fn a_label_where_a_selection_has_values_is_told_at_once() {
    let bench = Bench::new().await;
    with_a_selection(&bench);
    finds_nothing(&bench);
    let wrong = json!({"model": "res.partner", "domain": [["type", "=", "Invoice address"]]});
    for (calls, tool) in (1..).zip(["search_read", "search_count", "search_records"]) {
        let answer = bench.answer(tool, wrong.clone()).await;
        let hint = "`type` has no value \"Invoice address\"; did you mean \"invoice\" (\"Invoice Address\")?";
        assert_eq!(answer["hint"], hint, "{tool}");
        assert_eq!(bench.odoo.count("execute"), calls, "{tool}");
    }
    assert_eq!(bench.odoo.count("schema"), 1);
}

#[tokio::test]
async fn the_schema_is_asked_for_only_where_a_selection_may_be_at_fault() {
    let bench = Bench::new().await;
    with_a_selection(&bench);
    let wrong = json!({"model": "res.partner", "domain": [["type", "=", "Invoice address"]]});
    let found = bench.answer("search_read", wrong.clone()).await;
    assert_eq!((&found["count"], &found["hint"]), (&json!(1), &Value::Null));
    finds_nothing(&bench);
    let numbers = json!({"model": "res.partner", "domain": [["id", "=", 5]]});
    assert!(bench.answer("search_read", numbers).await["hint"].as_str().unwrap().starts_with("Nothing"));
    assert_eq!(bench.odoo.count("schema"), 0);
    // Without the schema the answer is as good as it was.
    bench.odoo.on("schema", |_| Reply::fault("internal", json!({})));
    assert!(bench.answer("search_read", wrong).await["hint"].as_str().unwrap().starts_with("Nothing"));
}

#[tokio::test]
async fn a_dry_run_answers_what_would_happen() {
    let bench = Bench::new().await;
    let data = json!({"results": [{"deleted": [14]}]});
    bench.raise("dry_run", "Nothing was stored.", data);
    let answer =
        bench.answer("delete_record", json!({"model": "res.partner", "id": 14, "dry_run": true})).await;
    assert_eq!(
        answer,
        json!({
            "dry_run": true, "note": "Nothing was stored.",
            "would": {"model": "res.partner", "count": 1, "deleted": [14]},
        })
    );
    assert_eq!(bench.odoo.requests("execute")[0]["dry_run"], true);
}

#[tokio::test]
async fn a_session_tells_the_tools_that_the_caller_may_use() {
    let bench = Bench::of("read_only").await;
    let answer = bench.answer("get_session", json!({})).await;
    let tools = answer["tools"].as_array().unwrap();
    let listed = bench.tools.list(&bench.principal);
    assert_eq!(*tools, listed.iter().map(|tool| json!(tool.name)).collect::<Vec<_>>());
    assert!(tools.contains(&json!("search_read")));
    assert!(!tools.contains(&json!("create_record")));
    assert!(answer["times"].as_str().unwrap().contains("UTC"));
    assert_eq!(answer["user"]["login"], "admin");
}
