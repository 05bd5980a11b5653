//! Other forms of arguments that are read, and refusals whose sentence is complete as the addon has it.

use serde_json::{Value, json};

use crate::support::tools::Bench;

fn last_step(bench: &Bench) -> Value {
    bench.odoo.requests("execute").last().map(|request| request["steps"][0].clone()).unwrap_or_default()
}

#[tokio::test]
async fn aggregates_and_orders_reach_odoo_in_its_own_form() {
    let bench = Bench::new().await;
    bench.odoo.on("execute", |request| {
        json!({"call_id": request["call_id"], "results": [{"groups": [], "has_more": false}], "replayed": false})
    });
    for aggregates in [
        json!(["SUM(amount_total)"]),
        json!(["amount_total.sum"]),
        json!({"amount_total": "sum"}),
        json!("{'amount_total': 'sum'}"),
        json!([{"field": "amount_total", "function": "sum"}, "COUNT(*)"]),
    ] {
        let grouping = json!({
            "model": "sale.order", "groupby": ["month(date_order)"], "aggregates": aggregates,
            "order": "SUM(amount_total) desc", "having": [["sum(amount_total)", ">", 9], ["count", ">", 1]],
        });
        bench.answer("read_group", grouping).await;
        let step = last_step(&bench);
        assert_eq!(step["aggregates"], json!(["amount_total:sum"]));
        assert_eq!(step["groupby"], json!(["date_order:month"]));
        assert_eq!(step["order"], "amount_total:sum desc");
        assert_eq!(step["having"], json!([["amount_total:sum", ">", 9], ["__count", ">", 1]]));
    }
    let sentence =
        bench.refusal("read_group", json!({"model": "sale.order", "aggregates": ["amount_tax"]})).await;
    assert!(sentence.contains("as field:function, e.g. amount_tax:sum"), "{sentence}");
}

#[tokio::test]
async fn an_order_as_a_list_of_objects_is_read() {
    let bench = Bench::new().await;
    for (order, meant) in [
        (json!([{"field": "date", "direction": "desc"}, {"field": "id"}]), "date desc, id"),
        (json!({"name": "desc"}), "name desc"),
        (json!("-name"), "-name"),
        (json!("name desc nulls last"), "name desc nulls last"),
    ] {
        bench.answer("search_read", json!({"model": "res.partner", "order": order})).await;
        assert_eq!(last_step(&bench)["order"], meant);
    }
}

#[tokio::test]
async fn what_the_addon_says_to_send_has_nothing_behind_it() {
    let bench = Bench::new().await;
    let said = "res.partner.country_id takes an id: \"BE\" is \"Belgium\" (id 20), so send 20.";
    let data = json!({"model": "res.partner", "field": "country_id", "value": "BE", "meant": [20]});
    bench.raise("invalid_value", said, data);
    let values = json!({"model": "res.partner", "values": {"country_id": "BE"}});
    assert_eq!(bench.refusal("create_record", values.clone()).await, said);
    // The control: without it, what the field takes is said.
    let data = json!({"model": "res.partner", "field": "country_id", "value": "XX"});
    bench.raise("invalid_value", "res.partner.country_id takes an id.", data);
    let sentence = bench.refusal("create_record", values).await;
    assert!(sentence.contains("search_records finds it"), "{sentence}");
}

#[tokio::test]
async fn labels_are_looked_up_in_the_language_of_the_call() {
    let bench = Bench::new().await;
    bench.odoo.on("schema", |request| {
        let label = if request["lang"] == "fr_FR" { "Adresse de facturation" } else { "Invoice Address" };
        json!({"fields": {"res.partner": [
            {"name": "type", "type": "selection", "label": "Type", "selection": [["invoice", label]]},
        ]}})
    });
    bench.odoo.on(
        "execute",
        |request| json!({"call_id": request["call_id"], "results": [{"count": 0}], "replayed": false}),
    );
    let near = json!({
        "model": "res.partner", "domain": [["type", "=", "adresses de facturation"]],
        "context": {"lang": "fr_FR"},
    });
    let answer = bench.answer("search_count", near).await;
    assert!(answer["hint"].as_str().unwrap_or_default().contains("did you mean \"invoice\""), "{answer}");
}

#[tokio::test]
async fn a_path_in_fields_is_answered_with_the_call_that_follows_it() {
    let bench = Bench::new().await;
    let said = "The model res.partner has no field \"country_id.code\".";
    bench.raise("unknown_field", said, json!({"model": "res.partner", "field": "country_id.code"}));
    let asked = json!({"model": "res.partner", "ids": [14], "fields": ["country_id.code"]});
    let sentence = bench.refusal("get_record", asked).await;
    let call = r#"{"model": "res.partner", "ids": [14], "path": ["country_id"], "fields": ["code"]}"#;
    assert!(sentence.starts_with(said) && sentence.contains(call), "{sentence}");
}
