//! The words for faults.

use serde_json::{Value, json};

use super::*;

fn fault(code: &str, message: &str, data: Value) -> Error {
    Error::Fault(serde_json::from_value(json!({"code": code, "message": message, "data": data})).unwrap())
}

fn models() -> Vec<ModelDocument> {
    let model = |model: &str, label: &str| json!({"model": model, "label": label, "access": ["read"]});
    serde_json::from_value(json!([model("res.partner", "Contact"), model("sale.order", "Sales Order")]))
        .unwrap()
}

fn fields() -> Vec<FieldDocument> {
    serde_json::from_value(json!([
        {"name": "name", "type": "char", "label": "Name"},
        {"name": "type", "type": "selection", "label": "Address Type",
         "selection": [["contact", "Contact"], ["invoice", "Invoice Address"]]},
        {"name": "country_id", "type": "many2one", "label": "Country", "relation": "res.country"},
        {"name": "date", "type": "date", "label": "Date"},
        {"name": "create_date", "type": "datetime", "label": "Created on", "readonly": true},
        {"name": "product_properties", "type": "properties", "label": "Properties"},
        {"name": "child_ids", "type": "one2many", "label": "Contacts", "relation": "res.partner"},
    ]))
    .unwrap()
}

fn explained(error: &Error) -> String {
    let (models, fields) = (models(), fields());
    // As the toolbox does: only what the error asks for is looked up.
    let seen = match needed_schema(error, CallContext::default()) {
        NeededSchema::Nothing => KnownSchema::default(),
        NeededSchema::Models => KnownSchema { models: &models, fields: &[] },
        NeededSchema::Fields(_) => KnownSchema { models: &[], fields: &fields },
    };
    explain(error, CallContext::default(), seen)
}

#[test]
#[allow(clippy::too_many_lines)] // one table
fn every_fault_teaches() {
    let partner = |more: Value| {
        let mut data = json!({"model": "res.partner"});
        data.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        data
    };
    for (code, data, message, sentence) in [
        (
            "unknown_model",
            json!({"model": "res.partners"}),
            "x",
            "There is no model \"res.partners\" that you may use. Did you mean `res.partner`? list_models finds them.",
        ),
        (
            "unknown_model",
            json!({"model": "zzzz"}),
            "x",
            "There is no model \"zzzz\" that you may use. list_models finds them.",
        ),
        (
            "unknown_field",
            partner(json!({"field": "nmae"})),
            "The model res.partner has no field nmae.",
            "The model res.partner has no field nmae. Did you mean `name`? describe_model (pattern) finds fields.",
        ),
        (
            "unknown_field",
            partner(json!({"field": "zzzz"})),
            "The model res.partner has no field zzzz.",
            "The model res.partner has no field zzzz. describe_model (pattern) finds fields.",
        ),
        (
            "unknown_field",
            partner(json!({"field": "product_properties.nope"})),
            "product_properties has no property nope.",
            "product_properties has no property nope.",
        ),
        (
            "unknown_field",
            partner(json!({"field": "country_id.nmae"})),
            "The model res.partner has no field country_id.nmae.",
            "The model res.partner has no field country_id.nmae. `country_id` leads to res.country: describe_model of res.country shows its fields.",
        ),
        (
            "unknown_field",
            partner(json!({"field": "name"})),
            "The field name of res.partner leads to no records.",
            "The field name of res.partner leads to no records.",
        ),
        (
            "invalid_value",
            partner(json!({"field": "type", "value": "home"})),
            "home is not a value of res.partner.type.",
            "home is not a value of res.partner.type. `type` takes one of \"contact\" (\"Contact\"), \"invoice\" (\"Invoice Address\").",
        ),
        (
            "invalid_value",
            partner(json!({"field": "country_id", "value": 5})),
            "There is no res.country with the id 5.",
            "There is no res.country with the id 5. `country_id` takes the id of a res.country (search_records finds it), or null.",
        ),
        (
            "invalid_value",
            partner(json!({"field": "country_id", "value": "BE", "meant": [20]})),
            "res.partner.country_id takes an id: \"BE\" is \"Belgium\" (id 20), so send 20.",
            "res.partner.country_id takes an id: \"BE\" is \"Belgium\" (id 20), so send 20.",
        ),
        (
            "invalid_command",
            partner(json!({"field": "category_id", "meant": [[6, 0, [7]]]})),
            "category_id takes a list of commands: for what was sent send [[6, 0, [7]]].",
            "category_id takes a list of commands: for what was sent send [[6, 0, [7]]].",
        ),
        (
            "unknown_field",
            partner(json!({"field": "date.month"})),
            "The field date of res.partner has no part \"month\". Its parts are numbers: month_number.",
            "The field date of res.partner has no part \"month\". Its parts are numbers: month_number.",
        ),
        (
            "invalid_value",
            partner(json!({"field": "date", "value": "tomorrow"})),
            "res.partner.date takes a date.",
            "res.partner.date takes a date. `date` takes a date as YYYY-MM-DD, or null.",
        ),
        (
            "invalid_value",
            partner(json!({"field": "name", "value": 1})),
            "res.partner.name takes a text.",
            "res.partner.name takes a text.",
        ),
        (
            "invalid_value",
            partner(json!({"field": "create_date", "value": 1})),
            "Odoo itself sets create_date.",
            "Odoo itself sets create_date.",
        ),
        (
            "access_denied",
            partner(json!({"operation": "unlink"})),
            "You may not delete records of res.partner.",
            "You may not delete records of res.partner. Repeating the call does not help; access rights are for an administrator of Odoo to decide.",
        ),
        (
            "access_denied",
            partner(json!({})),
            "",
            "Odoo does not let this user use \"res.partner\" so. Repeating the call does not help; access rights are for an administrator of Odoo to decide.",
        ),
        (
            "model_denied",
            json!({"model": "account.move"}),
            "This connection may not use the model account.move.",
            "This connection may not use the model account.move. It may use res.partner, sale.order. The list of models is for an administrator of Odoo to change.",
        ),
        (
            "not_found",
            partner(json!({"ids": [999999]})),
            "x",
            "No record of res.partner with the id 999999 exists or may be seen by this user; search_records finds ids.",
        ),
        (
            "read_only",
            json!({}),
            "x",
            "This connection may only read; an administrator of Odoo can change that.",
        ),
        (
            "tool_denied",
            json!({"tool": "search_read"}),
            "x",
            "The administrator has not allowed the tool \"search_read\" for this connection.",
        ),
        (
            "method_denied",
            partner(json!({"method": "_write"})),
            "The method _write of res.partner is private.",
            "The method _write of res.partner is private.",
        ),
        (
            "method_denied",
            partner(json!({"method": "write", "level": "buttons"})),
            "This connection may press buttons only.",
            "This connection may press buttons only.",
        ),
        (
            "tool_denied",
            json!({"tool": "execute_method", "level": "none"}),
            "This connection may call no methods.",
            "This connection may call no methods.",
        ),
        (
            "deadline",
            json!({"deadline_ms": 30000}),
            "x",
            "Odoo did not finish in time and undid what it had begun; ask for less at once.",
        ),
        (
            "idempotency_conflict",
            json!({}),
            "x",
            "This idempotency_key was used with other arguments; take a new key for a new change.",
        ),
        (
            "unavailable",
            json!({}),
            "x",
            "Odoo's database is busy or not available, so nothing was done. This is temporary: try again in a minute.",
        ),
        ("disabled", json!({}), "x", "MCP server is disabled by the administrator."),
        (
            "unauthenticated",
            json!({"reason": "revoked"}),
            "x",
            "This connection is no longer valid; it has to be authorized anew.",
        ),
        ("invalid", json!({}), "said.", "Odoo refuses this: said."),
        (
            "bad_request",
            json!({"at": "groupby"}),
            "A date is grouped by month.",
            "`groupby`: A date is grouped by month.",
        ),
        (
            "invalid_context",
            json!({"key": "lang"}),
            "The language xx is not active.",
            "The language xx is not active. `context` takes lang, tz, allowed_company_ids, active_test, handle; get_session shows their values.",
        ),
        (
            "internal",
            json!({"error_id": "6f1d2c3b4a59"}),
            "x",
            "Odoo failed to carry this out; an administrator finds why in Odoo's log under 6f1d2c3b4a59.",
        ),
        ("of_a_later_addon", json!({}), "x", "Odoo failed to carry this out; its log says why."),
    ] {
        assert_eq!(explained(&fault(code, message, data)), sentence);
    }
    for code in ["contract", "not_service"] {
        assert!(explained(&fault(code, "x", json!({}))).contains("do not fit together"));
    }
}

#[test]
fn of_many_allowed_models_a_few_are_named() {
    let many: Vec<ModelDocument> = (10..35)
        .map(|number| {
            serde_json::from_value(json!({"model": format!("x.m{number}"), "label": "M", "access": []}))
                .unwrap()
        })
        .collect();
    let denied = fault("model_denied", "Not x.", json!({"model": "x"}));
    let sentence = explain(&denied, CallContext::default(), KnownSchema { models: &many, fields: &[] });
    assert!(
        sentence.contains("x.m10, ") && sentence.contains("x.m29 and 5 more: list_models shows them all."),
        "{sentence}"
    );
    assert!(!sentence.contains("x.m30"), "{sentence}");
    let unseen = explain(&denied, CallContext::default(), KnownSchema::default());
    assert_eq!(unseen, "Not x. The list of models is for an administrator of Odoo to change.");
}

#[test]
fn domains_and_commands_are_taught_with_their_syntax() {
    let operator = json!({"model": "res.partner", "at": ["name", "~", "x"], "operator": "~"});
    let sentence = explained(&fault("invalid_domain", "The operator ~ does not exist.", operator));
    assert!(
        sentence.starts_with("The operator ~ does not exist. It is at [\"name\",\"~\",\"x\"]."),
        "{sentence}"
    );
    assert!(sentence.contains("Operators are =, ") && sentence.contains("child_of"), "{sentence}");
    let list = json!({"model": "res.partner", "at": ["name", "in", "x"], "operator": "in"});
    let sentence = explained(&fault("invalid_domain", "The operator in takes a list.", list));
    assert_eq!(sentence, "The operator in takes a list. It is at [\"name\",\"in\",\"x\"].");
    let at = json!({"model": "res.partner", "at": "|"});
    let sentence = explained(&fault("invalid_domain", "Too few conditions follow.", at));
    assert!(sentence.contains("follow. It is at \"|\". Conditions are [field,"), "{sentence}");
    let command = json!({"model": "res.partner", "field": "category_id"});
    let sentence = explained(&fault("invalid_command", "An empty list would delete all.", command));
    assert!(sentence.starts_with("An empty list would delete all. In general x2many"), "{sentence}");
    assert!(sentence.contains("[6,0,[ids]]"), "{sentence}");
}

#[test]
fn a_failed_exchange_says_whether_to_retry() {
    let reads = CallContext::default();
    let writes = CallContext { changes: true, ..reads };
    let keyed = CallContext { changes: true, has_key: true, ..reads };
    let say = |error: Error, doing| explain(&error, doing, KnownSchema::default());
    assert!(
        say(Error::Unreachable, writes)
            .starts_with("Odoo cannot be reached, so nothing was done. This is temporary")
    );
    assert!(say(Error::TimedOut, reads).contains("temporary"));
    assert!(say(Error::InvalidAnswer, reads).contains("temporary"));
    assert!(say(Error::TimedOut, writes).contains("read the records to see before you repeat it"));
    assert!(say(Error::InvalidAnswer, keyed).contains("repeat the call with the same idempotency_key"));
    assert!(say(Error::OutcomeUnknown, keyed).contains("repeat the call with the same idempotency_key"));
    assert!(say(Error::Busy, writes).starts_with("Odoo is too busy, so nothing was done. This is temporary"));
    assert!(say(Error::ServiceLoginRefused, reads).contains("does not help"));
    assert!(say(Error::InvalidSetup, reads).contains("does not help"));
}

#[test]
fn what_the_mirror_does_not_show_is_never_suggested() {
    let error = fault("unknown_model", "res.partner and ir.cron exist", json!({"model": "ir.crom"}));
    assert_eq!(explained(&error), "There is no model \"ir.crom\" that you may use. list_models finds them.");
    let nothing = explain(&error, CallContext::default(), KnownSchema::default());
    assert!(!nothing.contains("cron"), "{nothing}");
}

#[test]
fn no_traceback_gets_through() {
    let message =
        "Oops\nTraceback (most recent call last):\n  File \"/odoo/secret.py\", line 1\nValueError: x";
    for code in ["invalid", "internal", "bad_request", "invalid_context", "invalid_domain", "invalid_value"] {
        let sentence = explained(&fault(code, message, json!({})));
        assert!(!sentence.contains("Traceback") && !sentence.contains("secret.py"), "{sentence}");
        assert!(!sentence.contains('\n'));
    }
    let long = explained(&fault("invalid", &"é".repeat(5000), json!({})));
    assert!(long.chars().count() < 1100);
}

#[test]
fn the_faults_of_the_contract_are_all_explained() {
    let text = include_str!("../../../../tests/wire/contract/execute.json");
    let contract: Value = serde_json::from_str(text).unwrap();
    let faults = contract["cases"].as_array().unwrap().iter().filter_map(|case| case.get("fault"));
    let mut seen = 0;
    for sample in faults {
        let sentence = explained(&fault(
            sample["code"].as_str().unwrap(),
            sample["message"].as_str().unwrap(),
            sample["data"].clone(),
        ));
        assert!(sentence.ends_with('.'), "{sentence}");
        seen += 1;
    }
    assert!(seen >= 14);
}

#[test]
fn a_place_in_the_call_is_named_by_its_argument() {
    assert_eq!(strip_step_paths("steps.0.order"), "order");
    assert_eq!(strip_step_paths("steps.12.values.0.name"), "values.0.name");
    assert_eq!(strip_step_paths("steps.x.order"), "steps.x.order");
    assert_eq!(strip_step_paths("order"), "order");
    for (at, message, sentence) in [
        (
            "steps.0.ids.0",
            "steps.0.ids.0 has to be between 1 and 2147483647.",
            "`ids.0` has to be between 1 and 2147483647.",
        ),
        ("steps.3.path", "steps.3.path has to have 1 to 10 entries.", "`path` has to have 1 to 10 entries."),
        ("idempotency_key", "idempotency_key has to be a text.", "`idempotency_key` has to be a text."),
        ("steps.0.order", "Not by steps.0.order: ordering.", "`order`: Not by order: ordering."),
        ("steps.0.order", "ordering fails.", "`order`: ordering fails."),
        ("", "The request has to be an object.", "The request has to be an object."),
    ] {
        assert_eq!(explained(&fault("bad_request", message, json!({"at": at}))), sentence);
    }
}

#[test]
fn a_query_that_is_too_long_is_named_as_callers_know_it() {
    let name = Step::NameSearch {
        model: "res.partner".into(),
        name: "x".repeat(1001),
        domain: json!([]),
        limit: 20,
        offset: 0,
    };
    let message = "steps.0.name has to have 0 to 1000 characters.";
    let error = fault("bad_request", message, json!({"at": "steps.0.name"}));
    let doing = CallContext { steps: &[name], ..CallContext::default() };
    assert_eq!(explain(&error, doing, KnownSchema::default()), "`query` has to have 0 to 1000 characters.");
}

#[test]
fn an_incompatible_aggregate_is_explained_instead_of_the_database_error() {
    let said = "Odoo can't group res.partner this way: function sum(character varying) does not exist";
    let error = fault("bad_request", said, json!({"at": "steps.0.groupby"}));
    let explained = |aggregate: &str, fields: &[FieldDocument]| {
        let steps = [serde_json::from_value(json!({
            "op": "read_group", "model": "res.partner", "domain": [], "groupby": ["country_id"],
            "aggregates": ["date:max", aggregate], "having": [], "limit": 80, "offset": 0, "order": null,
        }))
        .unwrap()];
        let doing = CallContext { steps: &steps, ..CallContext::default() };
        assert_eq!(needed_schema(&error, doing), NeededSchema::Fields("res.partner".into()));
        explain(&error, doing, KnownSchema { models: &[], fields })
    };
    let sentence = "`aggregates`: `sum` needs a number; `name` is a char field.";
    assert_eq!(explained("name:sum", &fields()), sentence);
    let sentence = "`aggregates`: `bool_or` needs true or false; `name` is a char field.";
    assert_eq!(explained("name:bool_or", &fields()), sentence);
    for unexplained in [explained("name:max", &fields()), explained("name:sum", &[])] {
        assert!(unexplained.starts_with("`groupby`: Odoo can't group"), "{unexplained}");
    }
    assert_eq!(needed_schema(&error, CallContext::default()), NeededSchema::Nothing);
}
