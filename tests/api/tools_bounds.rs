//! Small requests that ask for much work: each kind is refused where it enters, in one short sentence, before
//! Odoo or a comparison sees it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::fake_odoo::Reply;
use crate::support::server::{Server, modern_body};
use crate::support::tools::Bench;

const MB: usize = 1_000_000;

fn long() -> String {
    "x".repeat(MB)
}

/// One argument of `tool` is `value`.
fn with(name: &str, value: Value) -> Value {
    let mut arguments = json!({"model": "res.partner"});
    arguments[name] = value;
    arguments
}

fn search(name: &str, value: Value) -> (&'static str, Value) {
    ("search_read", with(name, value))
}

fn domain(condition: Value) -> (&'static str, Value) {
    ("search_count", with("domain", json!([condition])))
}

/// An update whose values would be repeated for each id.
fn spread(ids: usize, bytes: usize) -> Value {
    let ids: Vec<usize> = (1..=ids).collect();
    with("updates", json!([{"ids": ids, "values": {"comment": "x".repeat(bytes)}}]))
}

fn deep(levels: usize) -> Value {
    (0..levels).fold(json!([["name", "=", "x"]]), |inner, _| json!([["child_ids", "any", inner]]))
}

/// Each kind of input that is too large, with what is said of it.
fn too_large() -> Vec<((&'static str, Value), &'static str)> {
    let many = |count: usize| vec![json!("x"); count];
    let keys: serde_json::Map<String, Value> = (0..100_000).map(|n| (format!("k{n}"), json!(1))).collect();
    let condition = json!(["name", "=", "x"]);
    let literal = format!("[{}]", "('name', '=', 'x'), ".repeat(MB / 20));
    vec![
        (search("model", json!(long())), "`model` takes at most 200 characters"),
        (search("fields", json!([long()])), "`fields` takes names, and one has more than 200 characters"),
        (search("fields", json!(many(501))), "`fields` takes at most 500 names, not 501."),
        (search("fields", json!("name,".repeat(MB / 5))), "`fields` takes at most 500 names"),
        (search("order", json!("name, ".repeat(MB / 6))), "`order` takes at most 1000 characters"),
        (search(&long(), json!(1)), "The name of an argument has more than 200 characters"),
        (("search_read", Value::Object(keys)), "The call has 100000 arguments"),
        (search("context", json!({long(): 1})), "`context` takes no key \"xxx"),
        (search("context", json!({"allowed_company_ids": long()})), "`context` takes a list of company ids"),
        (domain(json!([long(), "=", 1])), "`domain` holds a name that has more than 200 characters"),
        (domain(json!(["parent_id.".repeat(MB / 10), "=", 1])), "`domain` holds a name that has more than"),
        (
            domain(json!(["name", "~".repeat(MB), 1])),
            "`domain` holds a name that has more than 200 characters",
        ),
        (
            ("search_count", with("domain", json!(vec![condition; 10_000]))),
            "`domain` takes at most 1000 conditions",
        ),
        (("search_count", with("domain", json!(literal))), "`domain` takes at most 1000 conditions"),
        (("search_count", with("domain", deep(40))), "`domain` is nested deeper than 10 domains."),
        (
            ("search_count", with("domain", json!("[".repeat(MB)))),
            "`domain` is nested deeper than 32 levels.",
        ),
        (
            ("search_count", with("domain", json!(format!("[('id','=',{})]", "9".repeat(MB))))),
            "not a plain number",
        ),
        (
            ("read_group", with("having", json!([[long(), "=", 1]]))),
            "`having` holds a name that has more than",
        ),
        (
            ("read_group", with("groupby", json!([format!("date:{}", long())]))),
            "`groupby` takes names, and one",
        ),
        (("read_group", with("aggregates", json!(many(MB / 4)))), "`aggregates` takes at most 500 names"),
        (
            ("get_record", with("ids", json!((1..=MB / 8).collect::<Vec<_>>()))),
            "`ids` takes at most 1000 ids, not",
        ),
        (("get_record", with("ids", json!(many(MB / 4)))), "`ids` takes at most 1000 ids, not"),
    ]
}

/// The same for what is looked up by words, called and written.
fn too_large_to_write() -> Vec<((&'static str, Value), &'static str)> {
    let keys: serde_json::Map<String, Value> = (0..100_000).map(|n| (format!("k{n}"), json!(1))).collect();
    vec![
        (("search_records", with("query", json!(long()))), "`query` takes at most 1000 characters"),
        (("list_models", json!({"query": "a ".repeat(MB / 2)})), "`query` takes at most 200 characters"),
        (("list_models", json!({"lang": long()})), "`lang` takes at most 200 characters"),
        (
            ("describe_model", with("pattern", json!("a ".repeat(MB / 2)))),
            "`pattern` takes at most 200 characters",
        ),
        (("describe_model", with("fields", json!([long()]))), "`fields` takes names, and one has more than"),
        (("execute_method", with("method", json!(long()))), "`method` takes at most 200 characters"),
        (
            ("execute_method", json!({"model": "res.partner", "method": "x", "kwargs": {long(): 1}})),
            "`kwargs` holds a key that has more than 200 characters",
        ),
        (
            ("create_record", with("values", json!({long(): 1}))),
            "`values` holds a key that has more than 200",
        ),
        (("create_record", with("values", json!(keys))), "`values` takes at most 1000 members in an object"),
        (
            ("batch_create", with("records", json!(vec![json!({}); 100_000]))),
            "`records` takes at most 1000 records a call",
        ),
        (("batch_update", spread(3000, 100)), "`updates` takes at most 1000 records a call, not 3000"),
        (
            ("batch_update", spread(1000, MB)),
            "`updates` gives the same long values to 1000 ids: update_record",
        ),
        (
            ("batch_update", spread(1000, 5000)),
            "`updates` gives the same long values to 1000 ids: update_record",
        ),
        (
            ("traverse_relationships", json!({"model": "x", "ids": 1, "path": "a.".repeat(MB / 2)})),
            "`path` takes at most 500 names",
        ),
    ]
}

#[tokio::test]
async fn what_is_too_large_is_refused_where_it_enters() {
    let bench = Bench::new().await;
    for ((tool, arguments), sentence) in too_large().into_iter().chain(too_large_to_write()) {
        let told = bench.refusal(tool, arguments.clone()).await;
        assert!(told.contains(sentence), "{tool}: {told}");
        assert!(told.chars().count() <= 400, "{tool}: {told}");
    }
    assert_eq!(bench.odoo.count("execute"), 0);
    assert_eq!(bench.odoo.count("schema"), 0, "nothing was compared with what there is");
}

/// The control: what is as large as it may be is still done.
#[tokio::test]
async fn what_is_as_large_as_it_may_be_goes_to_odoo() {
    let bench = Bench::new().await;
    bench.odoo.on("execute", |_| Reply::fault("not_found", json!({"model": "res.partner", "ids": [1]})));
    let name = "é".repeat(200);
    let names: Vec<String> = (0..500).map(|n| format!("field_{n}")).collect();
    let condition = json!([name, "in", (1..50_000).collect::<Vec<_>>()]);
    let ids: Vec<usize> = (1..=1000).collect();
    let records = vec![json!({"name": "x".repeat(1000), "properties": {"a".repeat(300): 1}}); 1000];
    let calls = [
        search("model", json!(name)),
        search("fields", json!([name])),
        search("fields", json!(names)),
        search("order", json!("o".repeat(1000))),
        domain(condition),
        ("search_count", with("domain", json!(vec![json!(["name", "=", "x"]); 1000]))),
        ("search_count", with("domain", deep(10))),
        ("get_record", with("ids", json!(ids))),
        // One id, however often it is named.
        ("get_record", with("ids", json!(vec![7; MB / 2]))),
        ("batch_create", with("records", json!(records))),
        ("batch_update", spread(1000, 900)),
        ("create_record", with("values", json!({"comment": "x".repeat(3 * MB)}))),
        ("execute_method", json!({"model": "x", "method": "m", "args": [{"a".repeat(300): long()}]})),
    ];
    for (count, (tool, arguments)) in calls.into_iter().enumerate() {
        let told = bench.refusal(tool, arguments).await;
        assert!(told.starts_with("No record of res.partner"), "{tool}: {told}");
        assert_eq!(bench.odoo.count("execute"), count + 1, "{tool}");
    }
}

#[tokio::test]
async fn only_the_first_of_many_unknown_fields_are_guessed_at() {
    let bench = Bench::new().await;
    let names: Vec<String> = (0..400).map(|n| format!("nmae{n}")).collect();
    let answer = bench.answer("describe_model", with("fields", json!(names))).await;
    let unknown = answer["unknown_fields"].as_object().unwrap();
    assert_eq!(unknown.len(), 400);
    assert_eq!(unknown.values().filter(|guess| **guess != json!([])).count(), 10);
}

/// The names of a message itself, before any tool is looked for.
#[tokio::test]
async fn names_of_a_message_are_bounded() {
    let server = Server::start().await;
    for (method, params) in [
        (long(), json!({})),
        ("tools/call".into(), json!({"name": long(), "arguments": {}})),
        ("prompts/get".into(), json!({"name": long()})),
    ] {
        let body = modern_body(&method, params);
        let answer =
            server.ask(server.post(1, &body).header("mcp-method", "x").header("mcp-name", "x")).await;
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(
            message.starts_with("a name has at most 200 characters, and more begin with \"xxx"),
            "{message}"
        );
        assert!(message.chars().count() < 200);
    }
}

/// A large message is read off the workers: one worker goes on answering others while several are read.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_large_message_does_not_hold_back_others() {
    // Room for all of them: it is their reading that is looked at.
    let server = Server::with(|config| {
        config.limits.memory_per_connection = 1 << 30;
        config.limits.memory = 1 << 30;
    })
    .await;
    server.odoo.on("execute", |_| Reply::fault("not_found", json!({"model": "res.partner", "ids": [1]})));
    let items = vec![json!({"a": [1, 2, 3]}); 150_000];
    let arguments = json!({"model": "x", "method": "m", "args": [items]});
    let heavy: Vec<_> = (0..3)
        .map(|_| server.modern(1, "tools/call", json!({"name": "execute_method", "arguments": arguments})))
        .map(|request| tokio::spawn(request.send()))
        .collect();
    let mut answered = 0;
    while heavy.iter().any(|task| !task.is_finished()) {
        let answer = server.ask(server.modern(2, "tools/list", json!({}))).await;
        assert!(answer.json()["result"]["tools"].is_array());
        answered += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for task in heavy {
        assert_eq!(task.await.unwrap().unwrap().status().as_u16(), 200);
    }
    assert!(answered >= 3, "{answered}");
}
