//! Tools that cannot do what was asked: who is refused before Odoo hears of it, and what a model is told.

use std::time::Duration;

use odoo_mcp_sidecar::tools::{Barred, CallRejected, Category, NoTool};
use odoo_mcp_sidecar::vocab::ConnectionId;
use serde_json::json;

use crate::support::fake_odoo::{Reply, Trouble};
use crate::support::tools::Bench;

#[tokio::test]
async fn a_read_only_connection_neither_sees_nor_reaches_what_writes() {
    let bench = Bench::of("read_only").await;
    let listed = bench.tools.list(&bench.principal);
    assert!(listed.len() >= 9 && listed.iter().all(|tool| tool.category == Category::Read));
    for tool in [
        "create_record",
        "update_record",
        "delete_record",
        "batch_create",
        "batch_update",
        "batch_delete",
        "execute_method",
    ] {
        let arguments = json!({"model": "res.partner", "id": 14, "values": {"name": "x"}});
        let barred = NoTool::Barred { tool, why: Barred::Scope };
        assert_eq!(bench.tools.find(&bench.principal, tool).err(), Some(barred.clone()));
        assert_eq!(bench.call(tool, arguments).await, Err(CallRejected::NoTool(barred)));
    }
    let unknown = CallRejected::NoTool(NoTool::Unknown("no_such_tool".into()));
    assert_eq!(bench.call("no_such_tool", json!({})).await, Err(unknown));
    assert_eq!(bench.odoo.count("execute"), 0);
}

#[tokio::test]
async fn bad_arguments_never_reach_odoo() {
    let bench = Bench::new().await;
    for (tool, arguments, told) in [
        ("search_read", json!({"modle": "res.partner"}), "did you mean `model`?"),
        ("search_read", json!({"model": "x", "domain": "[('a','=',uid)]"}), "holds the name \"uid\""),
        ("search_read", json!({"model": "x", "context": {"bin_size": true}}), "takes no key \"bin_size\""),
        ("execute_method", json!({"model": "x", "method": "_write"}), "is private"),
        ("read_group", json!({"model": "x", "aggregates": ["a:summ"]}), "did you mean `sum`?"),
        ("batch_delete", json!({"model": "x", "ids": [53, 1e20]}), "1e+20 is none"),
        ("search_read", json!({"model": "x", "offset": 1e16}), "`offset` takes a whole number from 0 to"),
        ("execute_method", json!({"model": "x", "method": "web_save", "ids": []}), "would create a record"),
        ("batch_delete", json!({"model": "x", "ids": []}), "batch_delete needs `ids`"),
        ("update_record", json!({"model": "x", "ids": "", "values": {"a": 1}}), "update_record needs `ids`"),
    ] {
        let sentence = bench.refusal(tool, arguments).await;
        assert!(sentence.contains(told), "{sentence}");
    }
    assert_eq!(bench.odoo.count("execute"), 0);
}

#[tokio::test]
async fn a_wrong_field_is_answered_with_the_nearest_and_one_look_at_the_schema() {
    let bench = Bench::new().await;
    let data = json!({"model": "res.partner", "field": "nmae"});
    bench.raise("unknown_field", "The model res.partner has no field nmae.", data);
    for _ in 0..2 {
        let sentence =
            bench.refusal("search_read", json!({"model": "res.partner", "fields": ["nmae"]})).await;
        assert_eq!(
            sentence,
            "The model res.partner has no field nmae. Did you mean `name`? describe_model (pattern) finds fields."
        );
    }
    assert_eq!(bench.odoo.count("schema"), 1);
}

#[tokio::test]
async fn a_wrong_model_is_answered_with_the_nearest_that_the_caller_may_see() {
    let bench = Bench::new().await;
    bench.raise("unknown_model", "There is no model contact.", json!({"model": "contact"}));
    let sentence = bench.refusal("search_count", json!({"model": "contact"})).await;
    assert_eq!(
        sentence,
        "There is no model \"contact\" that you may use. Did you mean `res.partner`? list_models finds them."
    );
    // The mirror's own refusal reads the same.
    let sentence = bench.refusal("describe_model", json!({"model": "res.contry"})).await;
    assert!(sentence.contains("Did you mean `res.country`?"), "{sentence}");
}

#[tokio::test]
async fn a_sum_of_what_is_no_number_is_told_as_such() {
    let bench = Bench::new().await;
    let said = "Odoo can't group res.partner this way: function sum(character varying) does not exist";
    bench.raise("bad_request", said, json!({"at": "steps.0.groupby"}));
    let grouping = json!({"model": "res.partner", "groupby": ["country_id"], "aggregates": ["name:sum"]});
    let sentence = bench.refusal("read_group", grouping).await;
    assert_eq!(sentence, "`aggregates`: `sum` needs a number; `name` is a char field.");
}

#[tokio::test]
async fn a_schema_that_cannot_be_had_leaves_the_sentence_without_a_guess() {
    let bench = Bench::new().await;
    bench.raise("unknown_field", "There is no field nmae.", json!({"model": "res.partner", "field": "nmae"}));
    bench.odoo.on("schema", |_| Reply::fault("internal", json!({})));
    let sentence = bench.refusal("search_read", json!({"model": "res.partner", "fields": ["nmae"]})).await;
    assert_eq!(sentence, "There is no field nmae. describe_model (pattern) finds fields.");
}

#[tokio::test]
async fn an_odoo_that_is_down_is_told_as_temporary() {
    let bench = Bench::new().await;
    bench.odoo.refuse();
    for tool in ["search_count", "create_record"] {
        let arguments = match tool {
            "search_count" => json!({"model": "res.partner"}),
            _ => json!({"model": "res.partner", "values": {"name": "x"}}),
        };
        let sentence = bench.refusal(tool, arguments).await;
        assert!(sentence.contains("nothing was done") && sentence.contains("temporary"), "{sentence}");
    }
}

#[tokio::test]
async fn a_lost_write_is_told_with_what_to_do_next() {
    let bench = Bench::new().await;
    bench.odoo.on("call_status", |_| json!({"state": "unknown", "answer": null}));
    bench.odoo.set_fault(Some("execute"), Trouble::HangUp, 2);
    let values = json!({"name": "x"});
    let plain = json!({"model": "res.partner", "values": values});
    let sentence = bench.refusal("create_record", plain).await;
    assert!(sentence.contains("read the records to see before you repeat it"), "{sentence}");
    let keyed = json!({"model": "res.partner", "values": values, "idempotency_key": "k"});
    let sentence = bench.refusal("create_record", keyed).await;
    assert!(sentence.contains("repeat the call with the same idempotency_key"), "{sentence}");
    assert_eq!(bench.odoo.count("execute"), 2);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_but_is_known_is_answered() {
    let bench = Bench::new().await;
    bench.odoo.set_fault(Some("execute"), Trouble::HangUp, 1);
    let answer =
        bench.answer("create_record", json!({"model": "res.partner", "values": {"name": "x"}})).await;
    assert_eq!(answer["created"][0]["id"], 77);
    assert_eq!(bench.odoo.count("execute"), 1);
}

#[tokio::test]
async fn odoos_own_tracebacks_are_shown_to_nobody() {
    let bench = Bench::new().await;
    let text = "Traceback (most recent call last):\n  File \"/opt/odoo/secret.py\"\nValueError: password";
    bench.odoo.set_fault(Some("execute"), Trouble::Traceback(text.into()), 9);
    let sentence = bench.refusal("search_count", json!({"model": "res.partner"})).await;
    assert!(!sentence.contains("secret") && !sentence.contains("password"), "{sentence}");
    assert!(sentence.contains("log"), "{sentence}");
}

#[tokio::test]
async fn a_connection_that_odoo_refuses_ends_at_once() {
    let bench = Bench::new().await;
    let lifetime = bench.mirror.lifetime(ConnectionId(1));
    bench.raise("unauthenticated", "Revoked.", json!({"reason": "revoked"}));
    let sentence = bench.refusal("search_count", json!({"model": "res.partner"})).await;
    assert!(sentence.contains("no longer valid"), "{sentence}");
    tokio::time::timeout(Duration::from_secs(5), lifetime.cancelled()).await.unwrap();
}
