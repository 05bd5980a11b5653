//! Redaction lets no secret through, in any position, and leaves other text readable.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn redacted(value: &Value) -> Value {
    serde_json::from_str(&request(&value.to_string())).unwrap()
}

#[test]
fn text_without_secrets_is_unchanged() {
    for value in [
        json!({"model": "res.partner", "ids": [7], "values": {"name": "Azure", "email": "a@example.com"}}),
        json!({"domain": [["state", "=", "sale"], ["name", "ilike", "task-12345678"]], "limit": 20}),
        json!({"note": "See https://odoo.example.com/odoo/res.partner/7?debug=1#x: it is at 10:30"}),
        json!({"text": "{not json", "empty": "", "key": null, "n": 1.5}),
    ] {
        assert_eq!(redacted(&value), value);
    }
}

#[test]
fn members_are_masked_by_name() {
    let value = json!({
        "login": "admin", "Password": "hunter2", "new_password": 12345, "apiKey": ["a"], "API-Key": {"x": 1},
        "deep": [{"client_secret": "s"}], "smtp_pass_word": "p", "token": null,
        "domain": [["&"], ["signup_token", "=", "abc"], ["name", "=", "abc"]],
        "method": "change_password", "args": ["old", "new"],
    });
    assert_eq!(
        redacted(&value),
        json!({
            "login": "admin", "Password": "***", "new_password": "***", "apiKey": "***", "API-Key": "***",
            "deep": [{"client_secret": "***"}], "smtp_pass_word": "***", "token": null,
            "domain": [["&"], ["signup_token", "=", "***"], ["name", "=", "abc"]],
            "method": "change_password", "args": "***",
        })
    );
}

#[test]
fn json_inside_of_texts_is_masked() {
    let inner = json!({"password": "hunter2", "name": "x"}).to_string();
    let twice = json!({"body": inner}).to_string();
    let output = request(&json!({"arch": twice}).to_string());
    assert!(!output.contains("hunter2") && output.contains("name"), "{output}");
    let mut nested = json!({"password": "hunter2"});
    for _ in 0..12 {
        nested = json!([nested.to_string()]);
    }
    assert!(!request(&nested.to_string()).contains("hunter2"));
}

#[test]
fn running_text_is_masked_by_shape() {
    for (text, expected) in [
        ("Authorization: Bearer abcdefgh12345678", "Authorization: *** ***"),
        ("curl -H 'X-Api-Key: s3cr3t' x", "curl -H 'X-Api-Key: ***' x"),
        ("postgres://odoo:hunter2@db/odoo", "postgres://***@db/odoo"),
        (
            "https://x.example.com/?a=1&access_token=abc&b=2",
            "https://x.example.com/?a=1&access_token=***&b=2",
        ),
        ("password = \"two words\" and more", "password = \"***\" and more"),
        ("{\"password\": \"cut off", "{\"password\": \"***"),
        ("my key is ghp_0123456789abcdef.", "my key is ***"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- x", "*** x"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", "***"),
        ("password=a:token=\"b c\" d", "password=***\"***\" d"),
        ("token=sk-sk-sk-0123456789", "token=***"),
        ("sent basic dXNlcjpwYXNz", "sent basic ***"),
    ] {
        assert_eq!(secret_patterns::redact(text), expected);
    }
}

#[test]
fn odd_texts_are_read_in_reasonable_time() {
    for part in [
        "sk-",
        "token=",
        "-----BEGIN PRIVATE KEY-----",
        "mcp_ak_",
        "bearer ",
        "://",
        "password='",
        "\\\"=",
        "x@",
    ] {
        // A rule that read the rest of the text for each part would take minutes.
        secret_patterns::redact(&part.repeat(400_000 / part.len()));
    }
}

#[test]
fn truncation_comes_after_redaction() {
    let key = "mcp_ak_00000000000000000000000000000000000000000002eEzbZ";
    for length in 15_900..16_010 {
        let output = request(&json!({"a": "x".repeat(length), "b": key}).to_string());
        assert!(!output.contains("mcp_ak") && output.chars().count() <= 16_000);
        let output = request(&format!("{} {key}", "x".repeat(length)));
        assert!(!output.contains("mcp_ak"));
    }
    let output = response(&format!("{} {key}", "é ".repeat(1990)));
    assert!(!output.contains("mcp_ak") && output.chars().count() <= 4000);
}

/// Credentials as they are really made.
fn credential() -> impl Strategy<Value = String> {
    prop_oneof![
        "mcp_(ak|at|rt|ac|cs)_[0-9A-Za-z]{49}",
        "ghp_[0-9A-Za-z]{36}",
        "xoxb-[0-9]{11}-[0-9A-Za-z]{24}",
        "sk-[0-9A-Za-z]{32}",
        "eyJ[0-9A-Za-z_-]{20}\\.[0-9A-Za-z_-]{40}\\.[0-9A-Za-z_-]{43}",
        "AKIA[0-9A-Z]{16}",
    ]
}

/// JSON that holds `secret` as a value or a part of one, or as a name.
fn around(secret: String) -> impl Strategy<Value = Value> {
    let text = ("[ -~é]{0,20}", "[ -~é]{0,20}", any::<bool>()).prop_map({
        let secret = secret.clone();
        move |(before, after, alone)| {
            // A word of its own, as people and programs write it.
            if alone { secret.clone() } else { format!("{before} {secret} {after}") }
        }
    });
    let leaf = text.clone().prop_map(Value::String);
    leaf.prop_recursive(4, 16, 3, move |inner| {
        let text = text.clone();
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Value::Array),
            ("[a-z_]{1,8}", inner.clone()).prop_map(|(name, value)| json!({name: value})),
            inner.clone().prop_map(|value| Value::String(value.to_string())),
            (text, inner).prop_map(|(name, value)| json!({name: value})),
        ]
    })
}

proptest! {
    #[test]
    fn a_credential_never_comes_through((secret, value) in
        credential().prop_flat_map(|secret| (Just(secret.clone()), around(secret)))
    ) {
        let text = value.to_string();
        for output in [request(&text), response(&text), sentence(&text)] {
            prop_assert!(!output.contains(&secret), "{output}");
        }
    }

    #[test]
    fn a_named_secret_never_comes_through(
        name in "[a-z_]{0,6}(password|passwd|secret|token|api_key|apikey|authorization|credential|private_key)[a-z_]{0,6}",
        secret in "[0-9A-Za-z]{12,20}", layers in 0..4_u8,
    ) {
        let mut value = json!({name: secret.clone(), "other": 1});
        for _ in 0..layers {
            value = json!({"list": [value.to_string()]});
        }
        prop_assert!(!request(&value.to_string()).contains(&secret));
    }

    #[test]
    fn any_text_is_masked_without_a_panic(text in "\\PC{0,200}", value in "[\\PC\"'{}:=@/ ]{0,200}") {
        secret_patterns::redact(&text);
        request(&value);
    }
}

/// As much of a payload is masked as can be shown, however large it is.
#[test]
fn a_large_payload_costs_no_more_than_one_that_fits() {
    let members: Map<String, Value> =
        (0..100_000).map(|n| (format!("k{n}"), json!("sk-0123456789"))).collect();
    let rows = vec![json!({"name": "Azure", "password": "hunter2"}); 100_000];
    let text = "Bearer abcdefgh12345678 ".repeat(50_000);
    for (mut value, least) in
        [(json!(members), 100), (json!(rows), 100), (json!([text]), 1), (json!([[[text]]]), 1)]
    {
        let shown = request(&value.to_string());
        assert!(
            shown.chars().count() <= MAX_REQUEST_CHARS && shown.contains("***") && shown.contains('…'),
            "{shown}"
        );
        assert!(!shown.contains("hunter2") && !shown.contains("abcdefgh") && !shown.contains("sk-0"));
        let mut masker = Redactor { bytes_left: SCAN_FACTOR * MAX_REQUEST_CHARS };
        masker.redact(&mut value, MAX_JSON_DEPTH);
        assert!(masker.bytes_left < 16, "all that may be looked at was");
        let looked_at = value.to_string().len();
        assert!((least..=4 * SCAN_FACTOR * MAX_REQUEST_CHARS).contains(&looked_at), "{looked_at}");
    }
}

#[test]
fn a_text_is_cut_between_words_before_it_is_masked() {
    let secret = "Zk3vQ9pL0sYt7RbX2mN8cD4fGh6JwA1e";
    assert_eq!(secret_patterns::redact(secret), "***");
    for length in 1..40 {
        let text = format!("{} {secret} more", "x ".repeat(20));
        assert!(
            !leading_words(&text, 40 + length).ends_with(|c: char| c.is_ascii_digit())
                || leading_words(&text, 40 + length).contains(secret)
        );
    }
    assert_eq!(leading_words(&"x".repeat(1000), 900).len(), 600);
}

#[test]
fn random_words_are_redacted_and_names_are_not() {
    for secret in [
        "3f786850e387550fdab836ed7e6dc881de23001b",
        "Zk3vQ9pL0sYt7RbX2mN8cD4fGh6JwA1e",
        "k3v9q2p7l0s4y8t1r6b5x2m9n8c4d7f0",
        "dGhpc19pcy1hX3Rva2Vu-MTIzNDU2Nzg5MA",
    ] {
        assert_eq!(secret_patterns::redact(&format!("it is {secret}.")), "it is ***.");
    }
    for name in [
        "account_move_reversal_wizard_with_a_long_name_2",
        "AccountMoveReversalWizardOfSomeModule",
        "99999999999999999999999999999999999999",
        "0190f5a0-3c1b-7f0e-9a55-0b7d7b6a1c11",
    ] {
        assert_eq!(secret_patterns::redact(name), name);
    }
    // In a sentence a UUID may be the secret of a database or the token of a record.
    assert_eq!(sentence("it is 0190f5a0-3c1b-7f0e-9a55-0b7d7b6a1c11."), "it is ***.");
}
